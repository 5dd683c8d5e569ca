// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
)

// The groups of the platform's three separated duties (三员). Nobody is a member
// but through his Person or a GroupMapping; config/rbac binds them.
const (
	// GroupSystem administers fleet, tenants, environments and levels.
	GroupSystem = "fairway:system-administrators"
	// GroupSecurity administers people, sessions, policies and calendars.
	GroupSecurity = "fairway:security-administrators"
	// GroupAudit reads and exports the evidence.
	GroupAudit = "fairway:audit-administrators"
)

// GroupOf is the group that a duty is compiled to. Empty: the duty is none.
func GroupOf(duty identityv1.Duty) string {
	switch duty {
	case identityv1.DutySystem:
		return GroupSystem
	case identityv1.DutySecurity:
		return GroupSecurity
	case identityv1.DutyAudit:
		return GroupAudit
	}
	return ""
}
