// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package tenancy decides what a tenant gets on the hub: its namespaces, and who
// is bound to which role in them (R08).
//
//	Tenant retail, environments prod, sit      namespaces retail-prod, retail-sit
//	roles: Developer → retail-developers       RoleBinding fairway-developer in retail-sit,
//	                                           RoleBinding fairway-viewer in retail-prod
//
// What each role may do is in config/rbac. A Developer reads in production: there
// a Releaser writes. Namespaces are made and never deleted; one that somebody
// else made is reported and left alone. Everybody with a role reads the Tenant
// and the pools that are open to it.
//
// CheckQuota says what would exceed the tenant's quotas; the placement room asks it.
package tenancy
