// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// Seen is what was observed of one tenant.
type Seen struct {
	// Name of the tenant.
	Name string
	// Spec is what the Tenant asks for; nil: there is no such Tenant (any more).
	Spec *tenancyv1.TenantSpec
	// Now is when it was observed: roles may have an end.
	Now time.Time
	// Tenants are the names of all Tenants.
	Tenants []string
	// Environments of the bank.
	Environments []tenancyv1.Environment
	// Pools of the fleet.
	Pools []fleetv1.Pool
	// Namespaces are those that carry the tenant's label, and those that have the
	// name of one that the tenant asks for.
	Namespaces []Namespace
	// Bindings are all RoleBindings in the tenant's own namespaces.
	Bindings []Binding
	// Reader and Readers are what lets the tenant's people read their Tenant and
	// its pools; nil: not there.
	Reader  *rbacv1.ClusterRole
	Readers *rbacv1.ClusterRoleBinding
	// Applications counts the Applications by namespace.
	Applications map[string]int64
}

// Namespace is a namespace of the hub.
type Namespace struct {
	Name string
	// Tenant and Environment are what its labels say; empty: no label.
	Tenant, Environment string
	// Leaving says that it is being deleted.
	Leaving bool
}

// Binding is a RoleBinding.
type Binding struct {
	Namespace, Name string
	// Ours says that its labels name Fairway and the tenant.
	Ours bool
	// ClusterRole that it refers to; empty: it refers to another kind of role.
	ClusterRole string
	// Subjects as "<kind>:<name>", sorted.
	Subjects []string
}

// BindingOf reads a RoleBinding.
func BindingOf(b *rbacv1.RoleBinding, tenant string) Binding {
	read := Binding{
		Namespace: b.Namespace, Name: b.Name, Subjects: subjectsIn(b.Subjects),
		Ours: b.Labels[appv1.LabelManagedBy] == appv1.ManagedBy && b.Labels[tenancyv1.LabelTenant] == tenant,
	}
	if b.RoleRef.Kind == "ClusterRole" {
		read.ClusterRole = b.RoleRef.Name
	}
	return read
}

func subjectsIn(subjects []rbacv1.Subject) []string {
	var all []string
	for _, subject := range subjects {
		name := subject.Name
		if subject.Namespace != "" {
			name = subject.Namespace + "/" + name
		}
		all = append(all, subject.Kind+":"+name)
	}
	slices.Sort(all)
	return all
}
