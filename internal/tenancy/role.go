// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"slices"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// The ClusterRoles of config/rbac/roles.yaml.
const (
	viewer        = "fairway-viewer"
	developer     = "fairway-developer"
	releaser      = "fairway-releaser"
	dutyOperator  = "fairway-duty-operator"
	administrator = "fairway-administrator"
)

// clusterRoleOf is the ClusterRole that a role is bound to in an environment of
// the class. A class that is not known counts as production.
func clusterRoleOf(role tenancyv1.Role, class tenancyv1.EnvironmentClass) string {
	switch role {
	case tenancyv1.RoleViewer:
		return viewer
	case tenancyv1.RoleDeveloper:
		if class == tenancyv1.ClassDevelopment || class == tenancyv1.ClassTest {
			return developer
		}
		return viewer
	case tenancyv1.RoleReleaser:
		return releaser
	case tenancyv1.RoleDutyOperator:
		return dutyOperator
	case tenancyv1.RoleAdministrator:
		return administrator
	}
	return ""
}

// subjectsOf lists, by ClusterRole, the subjects that the roles bind in an
// environment. Groups of Kubernetes itself are left out.
func subjectsOf(roles []tenancyv1.RoleBinding, environment string, class tenancyv1.EnvironmentClass) map[string][]string {
	wanted := map[string][]string{}
	for _, binding := range roles {
		if len(binding.Environments) > 0 && !slices.Contains(binding.Environments, environment) {
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
