// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	"fmt"
	"slices"
	"strings"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// conflict says why the people behind a voice may not play a part: nobody approves
// what he made or asked for, and the policy's parts are played by different people.
func (t *tally) conflict(v voice, part approvalv1.Part) string {
	for _, p := range v.people {
		requester := t.c.People.Same(t.c.Request.Spec.Requester, p)
		switch {
		case part == approvalv1.PartApprover && requester:
			return fmt.Sprintf("%s asked for it and cannot approve it", p)
		case part == approvalv1.PartApprover && t.made(p):
			return fmt.Sprintf("%s is a maker of it and cannot approve it", p)
		}
		for _, other := range t.parts(p, requester) {
			if other != part && t.distinct(part, other) {
				return fmt.Sprintf("%s has the part of %s already, and the policy wants another person as %s", p, other, part)
			}
		}
	}
	return ""
}

// made says whether a person is a maker, under whatever name he wrote.
func (t *tally) made(p string) bool {
	return slices.ContainsFunc(t.c.Request.Spec.Makers, func(maker string) bool { return t.c.People.Same(maker, p) })
}

// parts are the parts that a person plays already.
func (t *tally) parts(p string, requester bool) []approvalv1.Part {
	var out []approvalv1.Part
	add := func(is bool, part approvalv1.Part) {
		if is {
			out = append(out, part)
		}
	}
	add(requester, approvalv1.PartRequester)
	add(t.made(p), approvalv1.PartMaker)
	add(slices.Contains(t.agreed, p), approvalv1.PartApprover)
	add(t.operator == p, approvalv1.PartOperator)
	add(t.attendant == p, approvalv1.PartAttendant)
	add(t.verifier == p, approvalv1.PartVerifier)
	return out
}

func (t *tally) distinct(a, b approvalv1.Part) bool {
	return slices.Contains(t.policy.Distinct, a) && slices.Contains(t.policy.Distinct, b)
}

// fills says whether somebody may sit for a party: the asked system for its own, and
// people for theirs.
func (t *tally) fills(v voice, p party) bool {
	outside := strings.HasPrefix(v.people[0], OutsideAuthor)
	if p.outside || outside {
		return p.outside && outside
	}
	return t.entitled(v, p.Roles, p.Groups) || t.escalated(v)
}

// entitled says whether the person has one of the roles now, or one of the groups.
func (t *tally) entitled(v voice, roles []tenancyv1.Role, groups []string) bool {
	for _, g := range v.groups {
		if slices.Contains(groups, g) {
			return true
		}
		for _, r := range roles {
			if slices.Contains(t.c.Groups[r], g) {
				return true
			}
		}
	}
	return false
}

// escalated says whether somebody may decide since nobody else did in time.
func (t *tally) escalated(v voice) bool {
	e := t.policy.Escalation
	return e != nil && v.at.After(t.c.Request.CreationTimestamp.Add(e.After.Duration)) && t.entitled(v, nil, e.Groups)
}
