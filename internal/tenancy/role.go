// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"slices"
	"time"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// The ClusterRoles of config/rbac/roles.yaml.
const (
	viewer    = "fairway-viewer"
	developer = "fairway-developer"
)

// clusterRoles is what each role is bound to; that of a Developer depends on where.
var clusterRoles = map[tenancyv1.Role]string{
	tenancyv1.RoleViewer:             viewer,
	tenancyv1.RoleChangeRequester:    "fairway-change-requester",
	tenancyv1.RoleReleaser:           "fairway-releaser",
	tenancyv1.RoleDutyOperator:       "fairway-duty-operator",
	tenancyv1.RoleBusinessApprover:   "fairway-business-approver",
	tenancyv1.RoleTechnologyApprover: "fairway-technology-approver",
	tenancyv1.RoleChangeManager:      "fairway-change-manager",
	tenancyv1.RoleVerifier:           "fairway-verifier",
	tenancyv1.RoleExaminer:           "fairway-examiner",
	tenancyv1.RoleAdministrator:      "fairway-administrator",
}

// clusterRoleOf is the ClusterRole that a role is bound to in an environment of
// the class. A class that is not known counts as production.
func clusterRoleOf(role tenancyv1.Role, class tenancyv1.EnvironmentClass) string {
	if role != tenancyv1.RoleDeveloper {
		return clusterRoles[role]
	}
	if class == tenancyv1.ClassDevelopment || class == tenancyv1.ClassTest {
		return developer
	}
	return viewer
}

// holds says whether a binding gives its role in an environment at that time.
func holds(binding tenancyv1.RoleBinding, environment string, now time.Time) bool {
	if len(binding.Environments) > 0 && !slices.Contains(binding.Environments, environment) {
		return false
	}
	return binding.Expires == nil || now.Before(binding.Expires.Time)
}

// GroupsWith lists the groups that have the role in an environment at that time,
// sorted. Groups of Kubernetes itself and of the platform have none.
func GroupsWith(roles []tenancyv1.RoleBinding, environment string, role tenancyv1.Role, now time.Time) []string {
	var groups []string
	for _, binding := range roles {
		if binding.Role == role && holds(binding, environment, now) {
			groups = append(groups, slices.DeleteFunc(slices.Clone(binding.Groups), systems)...)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// nextEnd is when the next of the bindings ends. Zero: none does.
func nextEnd(roles []tenancyv1.RoleBinding, now time.Time) time.Time {
	var next time.Time
	for _, binding := range roles {
		if binding.Expires != nil && now.Before(binding.Expires.Time) && (next.IsZero() || binding.Expires.Time.Before(next)) {
			next = binding.Expires.Time
		}
	}
	return next
}

// subjectsOf lists, by ClusterRole, the subjects that the roles bind in an
// environment at that time. Groups of Kubernetes itself and of the platform are
// left out.
func subjectsOf(roles []tenancyv1.RoleBinding, environment string, class tenancyv1.EnvironmentClass, now time.Time) map[string][]string {
	wanted := map[string][]string{}
	for _, binding := range roles {
		if !holds(binding, environment, now) {
			continue
		}
		role := clusterRoleOf(binding.Role, class)
		if role == "" {
			continue
		}
		for _, group := range binding.Groups {
			if !systems(group) {
				wanted[role] = append(wanted[role], groupSubject+group)
			}
		}
	}
	for role, subjects := range wanted {
		slices.Sort(subjects)
		wanted[role] = slices.Compact(subjects)
	}
	return wanted
}
