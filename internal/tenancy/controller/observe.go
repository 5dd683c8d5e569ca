// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

// observe does all reading, from the cache.
func (r *Reconciler) observe(ctx context.Context, seen *tenancy.Seen) error {
	environments, pools, tenants := &tenancyv1.EnvironmentList{}, &fleetv1.PoolList{}, &tenancyv1.TenantList{}
	for _, list := range []client.ObjectList{environments, pools, tenants} {
		if err := r.hub.List(ctx, list); err != nil {
			return fmt.Errorf("could not list the %T: %w", list, err)
		}
	}
	seen.Environments, seen.Pools = environments.Items, pools.Items
	for _, other := range tenants.Items {
		seen.Tenants = append(seen.Tenants, other.Name)
	}
	if err := r.observeNamespaces(ctx, seen); err != nil {
		return err
	}
	reader, readers := &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}
	role, _ := tenancy.Action{}.Reading(seen.Name)
	for _, object := range []client.Object{reader, readers} {
		if err := client.IgnoreNotFound(r.hub.Get(ctx, client.ObjectKeyFromObject(role), object)); err != nil {
			return fmt.Errorf("could not read what lets the people of tenant %q read: %w", seen.Name, err)
		}
	}
	if reader.UID != "" {
		seen.Reader = reader
	}
	if readers.UID != "" {
		seen.Readers = readers
	}
	return nil
}

// observeNamespaces finds the tenant's namespaces, and those that have the names
// of its own.
func (r *Reconciler) observeNamespaces(ctx context.Context, seen *tenancy.Seen) error {
	found := map[string]bool{}
	add := func(n *corev1.Namespace) {
		found[n.Name] = true
		seen.Namespaces = append(seen.Namespaces, tenancy.Namespace{
			Name: n.Name, Tenant: n.Labels[tenancyv1.LabelTenant], Environment: n.Labels[tenancyv1.LabelEnvironment], Leaving: !n.DeletionTimestamp.IsZero(),
		})
	}
	labelled := &corev1.NamespaceList{}
	if err := r.hub.List(ctx, labelled, client.MatchingLabels{tenancyv1.LabelTenant: seen.Name}); err != nil {
		return fmt.Errorf("could not list the namespaces of tenant %q: %w", seen.Name, err)
	}
	for i := range labelled.Items {
		add(&labelled.Items[i])
	}
	if seen.Spec != nil {
		for _, environment := range seen.Spec.Environments {
			name := tenancy.NamespaceOf(seen.Name, environment)
			if found[name] {
				continue
			}
			other := &corev1.Namespace{}
			err := r.hub.Get(ctx, client.ObjectKey{Name: name}, other)
			if err == nil {
				add(other)
			} else if !apierrors.IsNotFound(err) {
				return fmt.Errorf("could not read namespace %q: %w", name, err)
			}
		}
	}
	seen.Applications = map[string]int64{}
	for i := range labelled.Items {
		name := labelled.Items[i].Name
		bindings, applications := &rbacv1.RoleBindingList{}, &appv1.ApplicationList{}
		for _, list := range []client.ObjectList{bindings, applications} {
			if err := r.hub.List(ctx, list, client.InNamespace(name), client.UnsafeDisableDeepCopy); err != nil { // only read
				return fmt.Errorf("could not list the %T of namespace %q: %w", list, name, err)
			}
		}
		seen.Applications[name] = int64(len(applications.Items))
		for j := range bindings.Items {
			seen.Bindings = append(seen.Bindings, tenancy.BindingOf(&bindings.Items[j], seen.Name))
		}
	}
	return nil
}
