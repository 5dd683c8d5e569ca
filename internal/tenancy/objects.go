// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// Labels are those of everything that Fairway makes for a tenant on the hub.
func Labels(tenant string) map[string]string {
	return map[string]string{tenancyv1.LabelTenant: tenant, appv1.LabelManagedBy: appv1.ManagedBy}
}

// Made is the namespace that MakeNamespace makes.
func (a Action) Made(tenant string) *corev1.Namespace {
	made := &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: a.Namespace, Labels: Labels(tenant)},
	}
	made.Labels[tenancyv1.LabelEnvironment] = a.Environment
	return made
}

// Bound is the RoleBinding of Bind and Unbind.
func (a Action) Bound(tenant string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Binding, Labels: Labels(tenant)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: a.ClusterRole},
		Subjects:   groups(a.Subjects),
	}
}

// Reading is what LetRead makes, and EndReading takes away.
func (a Action) Reading(tenant string) (*rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding) {
	name := readerOf(tenant)
	role := &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: Labels(tenant)},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{tenancyv1.GroupVersion.Group}, Resources: []string{"tenants"}, ResourceNames: []string{tenant}, Verbs: []string{"get"},
		}},
	}
	if len(a.Pools) > 0 { // a rule without names would mean every pool
		role.Rules = append(role.Rules, rbacv1.PolicyRule{
			APIGroups: []string{fleetv1.GroupVersion.Group}, Resources: []string{"pools"}, ResourceNames: a.Pools, Verbs: []string{"get"},
		})
	}
	return role, &rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: Labels(tenant)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   groups(a.Subjects),
	}
}

func groups(subjects []string) []rbacv1.Subject {
	var all []rbacv1.Subject
	for _, subject := range subjects {
		all = append(all, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: strings.TrimPrefix(subject, groupSubject)})
	}
	return all
}
