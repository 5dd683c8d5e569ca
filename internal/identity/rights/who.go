// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package rights

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Question is what somebody may want to do.
type Question struct {
	// Verb such as create; Group and Resource such as release.fairway.cloud and
	// releases; Subresource such as log. Empty: none.
	Verb, Group, Resource, Subresource string
	// Namespace that it is done in. Empty: everywhere.
	Namespace string
	// Name of the object. Empty: any.
	Name string
}

// Holder is a group, or a single user, that may do something, and by what.
type Holder struct {
	// Kind is Group, User or ServiceAccount, and Name names it.
	Kind, Name string
	// Role that lets it, and the binding that gives the role:
	// "ClusterRoleBinding <name>" or "RoleBinding <namespace>/<name>".
	Role, Binding string
}

// Seen is the RBAC of the hub: every ClusterRole and ClusterRoleBinding, and the
// Roles and RoleBindings of the namespace that is asked about.
type Seen struct {
	ClusterRoles        []rbacv1.ClusterRole
	ClusterRoleBindings []rbacv1.ClusterRoleBinding
	Roles               []rbacv1.Role
	RoleBindings        []rbacv1.RoleBinding
}

// WhoCan lists everybody who may, sorted by name. The hub answers the same for each
// of them when it is asked.
func WhoCan(q Question, seen Seen) []Holder {
	clusterRoles, roles := map[string][]rbacv1.PolicyRule{}, map[string][]rbacv1.PolicyRule{}
	for _, r := range seen.ClusterRoles {
		clusterRoles[r.Name] = r.Rules
	}
	for _, r := range seen.Roles {
		roles[r.Namespace+"/"+r.Name] = r.Rules
	}
	var holders []Holder
	add := func(rules []rbacv1.PolicyRule, subjects []rbacv1.Subject, role, binding string) {
		if !slices.ContainsFunc(rules, q.allowed) {
			return
		}
		for _, s := range subjects {
			name := s.Name
			if s.Kind == rbacv1.ServiceAccountKind {
				name = s.Namespace + "/" + name
			}
			holders = append(holders, Holder{Kind: s.Kind, Name: name, Role: role, Binding: binding})
		}
	}
	for _, b := range seen.ClusterRoleBindings {
		add(clusterRoles[b.RoleRef.Name], b.Subjects, b.RoleRef.Name, "ClusterRoleBinding "+b.Name)
	}
	for _, b := range seen.RoleBindings {
		if q.Namespace == "" || b.Namespace != q.Namespace {
			continue
		}
		rules := clusterRoles[b.RoleRef.Name]
		if b.RoleRef.Kind == "Role" {
			rules = roles[b.Namespace+"/"+b.RoleRef.Name]
		}
		add(rules, b.Subjects, b.RoleRef.Name, "RoleBinding "+b.Namespace+"/"+b.Name)
	}
	slices.SortFunc(holders, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Role, b.Role), cmp.Compare(a.Binding, b.Binding))
	})
	return slices.Compact(holders)
}

// allowed says whether a rule lets the question's act, as Kubernetes reads rules.
func (q Question) allowed(rule rbacv1.PolicyRule) bool {
	has := func(list []string, word string) bool {
		return slices.Contains(list, word) || slices.Contains(list, rbacv1.ResourceAll)
	}
	if !has(rule.Verbs, q.Verb) || !has(rule.APIGroups, q.Group) {
		return false
	}
	what := q.Resource
	if q.Subresource != "" {
		what += "/" + q.Subresource
	}
	resource := has(rule.Resources, what) || q.Subresource != "" && slices.Contains(rule.Resources, "*/"+q.Subresource)
	return resource && (len(rule.ResourceNames) == 0 || q.Name != "" && slices.Contains(rule.ResourceNames, q.Name))
}
