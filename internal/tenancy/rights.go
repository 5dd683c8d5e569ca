// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"cmp"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// NamespaceOf is the hub namespace of a tenant in an environment. It is
// unambiguous, since an environment's name has no dash.
func NamespaceOf(tenant, environment string) string { return tenant + "-" + environment }

// Rights are what a tenant is to have on the hub.
type Rights struct {
	// Namespaces by environment, in the order of the Tenant.
	Namespaces []Namespace
	// Missing lists environments of the Tenant that do not exist.
	Missing []string
	// Reading lets the tenant's people read the Tenant and its pools.
	Reading        *rbacv1.ClusterRole
	ReadingBinding *rbacv1.ClusterRoleBinding
}

// Namespace is one hub namespace with who may do what in it.
type Namespace struct {
	Name     string
	Labels   map[string]string
	Bindings []*rbacv1.RoleBinding // by name
}

// roleOf names the ClusterRole (config/rbac/roles.yaml) that a role means in an
// environment. In production a Developer reads: changes there are a Releaser's.
func roleOf(role tenancyv1.Role, class tenancyv1.EnvironmentClass) string {
	switch role {
	case tenancyv1.RoleDeveloper:
		if class != tenancyv1.ClassProduction {
			return "fairway-developer"
		}
	case tenancyv1.RoleReleaser:
		return "fairway-releaser"
	case tenancyv1.RoleDutyOperator:
		return "fairway-duty-operator"
	case tenancyv1.RoleAdministrator:
		return "fairway-administrator"
	}
	return "fairway-viewer" // the least, also for a role of a newer version
}

// RightsOf decides what a tenant has. environments and pools are all that exist.
func RightsOf(tenant *tenancyv1.Tenant, environments []tenancyv1.Environment, pools []fleetv1.Pool) Rights {
	classes := map[string]tenancyv1.EnvironmentClass{}
	for _, environment := range environments {
		classes[environment.Name] = environment.Spec.Class
	}
	var rights Rights
	everyone := map[string]bool{}
	for _, environment := range tenant.Spec.Environments {
		class, ok := classes[environment]
		if !ok {
			rights.Missing = append(rights.Missing, environment)
			continue
		}
		rights.Namespaces = append(rights.Namespaces, Namespace{
			Name:     NamespaceOf(tenant.Name, environment),
			Labels:   labels(tenant.Name, map[string]string{tenancyv1.LabelEnvironment: environment}),
			Bindings: bindings(tenant, environment, class, everyone),
		})
	}
	slices.Sort(rights.Missing)
	rights.read(tenant.Name, pools, everyone)
	return rights
}

// bindings are one RoleBinding for each ClusterRole that somebody has, and note
// the groups in everyone.
func bindings(tenant *tenancyv1.Tenant, environment string, class tenancyv1.EnvironmentClass, everyone map[string]bool) []*rbacv1.RoleBinding {
	groups := map[string]map[string]bool{}
	for _, given := range tenant.Spec.Roles {
		if len(given.Environments) > 0 && !slices.Contains(given.Environments, environment) {
			continue
		}
		role := roleOf(given.Role, class)
		if groups[role] == nil {
			groups[role] = map[string]bool{}
		}
		for _, group := range given.Groups {
			groups[role][group], everyone[group] = true, true
		}
	}
	var all []*rbacv1.RoleBinding
	for _, role := range slices.Sorted(maps.Keys(groups)) {
		all = append(all, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role, Namespace: NamespaceOf(tenant.Name, environment), Labels: labels(tenant.Name, nil)},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   subjects(groups[role]),
		})
	}
	return all
}

// read makes the role that reads the Tenant itself and the pools that it may use.
func (r *Rights) read(tenant string, pools []fleetv1.Pool, everyone map[string]bool) {
	var own []string
	for _, pool := range pools {
		if pool.Spec.Tenant == tenant || slices.Contains(pool.Spec.SharedBy, tenant) {
			own = append(own, pool.Name)
		}
	}
	slices.Sort(own)
	name := "fairway-tenant-" + tenant
	r.Reading = &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels(tenant, nil)},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{tenancyv1.GroupVersion.Group}, Resources: []string{"tenants"}, ResourceNames: []string{tenant}, Verbs: []string{"get"},
		}},
	}
	if len(own) > 0 { // without names a rule would mean every pool
		r.Reading.Rules = append(r.Reading.Rules, rbacv1.PolicyRule{
			APIGroups: []string{fleetv1.GroupVersion.Group}, Resources: []string{"pools"}, ResourceNames: own, Verbs: []string{"get"},
		})
	}
	r.ReadingBinding = &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels(tenant, nil)},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   subjects(everyone),
	}
}

func subjects(groups map[string]bool) []rbacv1.Subject {
	var all []rbacv1.Subject
	for group := range groups {
		all = append(all, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group})
	}
	slices.SortFunc(all, func(a, b rbacv1.Subject) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func labels(tenant string, more map[string]string) map[string]string {
	all := map[string]string{tenancyv1.LabelTenant: tenant, appv1.LabelManagedBy: appv1.ManagedBy}
	maps.Copy(all, more)
	return all
}
