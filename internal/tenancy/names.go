// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import "strings"

// NamespaceOf is the hub namespace of a tenant in an environment. No two pairs
// share one, because an environment's name has no dash.
func NamespaceOf(tenant, environment string) string { return tenant + "-" + environment }

// TenantOf is the tenant that a hub namespace of that name would belong to; empty
// where the name is not of the form.
func TenantOf(namespace string) string {
	i := strings.LastIndexByte(namespace, '-')
	if i < 1 {
		return ""
	}
	return namespace[:i]
}

// readerOf names the ClusterRole, and its binding, that lets a tenant's people
// read their Tenant and its pools.
func readerOf(tenant string) string { return "fairway-tenant-" + tenant }

// platforms are first words of names that belong to Kubernetes and to Fairway: a
// tenant "fairway" with an environment "system" would own Fairway's credentials.
var platforms = []string{"fairway", "kube"}

// reserved says whether a tenant's name would reach into the platform's namespaces.
func reserved(tenant string) bool {
	for _, word := range platforms {
		if tenant == word || strings.HasPrefix(tenant, word+"-") {
			return true
		}
	}
	return false
}
