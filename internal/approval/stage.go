// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
)

// stage is how far one stage is.
type stage struct {
	name    string
	parties []party
	// votes of the people who agreed in this stage.
	votes []vote
	// seats holds, per party, the numbers of the votes that fill it.
	seats [][]int
}

// party is one of a stage's. outside says that a system of the bank fills it.
type party struct {
	approvalv1.Party
	outside bool
}

// vote is one person's agreement.
type vote struct {
	person string
	// able says, per party of the stage, whether the person may fill it.
	able []bool
}

// stagesOf are the stages that are to be passed: those of the policy, and a party
// for the system of the bank that is asked too. A sole verdict stands for them all.
func stagesOf(policy approvalv1.ApprovalPolicySpec) []stage {
	var out []stage
	sole := policy.External != nil && policy.External.Standing == "Sole"
	for _, s := range policy.Stages {
		if sole {
			break
		}
		made := stage{name: s.Name}
		for _, p := range s.Parties {
			made.parties = append(made.parties, party{Party: p})
		}
		out = append(out, made)
	}
	if policy.External != nil {
		name := policy.External.System
		out = append(out, stage{name: name, parties: []party{{Party: approvalv1.Party{Name: name, Approvers: 1}, outside: true}}})
	}
	for i := range out {
		out[i].seats = make([][]int, len(out[i].parties))
	}
	return out
}

// full says whether each party has as many people as it needs.
func (s *stage) full() bool {
	for i, p := range s.parties {
		if len(s.seats[i]) < needed(p) {
			return false
		}
	}
	return true
}

func needed(p party) int { return max(int(p.Approvers), 1) }

// seat finds a place for a vote. Whoever sits elsewhere moves where he may, so that
// no order of decisions keeps a stage from being full (augmenting paths).
func (s *stage) seat(v vote) bool {
	s.votes = append(s.votes, v)
	if s.place(len(s.votes)-1, make([]bool, len(s.parties))) {
		return true
	}
	s.votes = s.votes[:len(s.votes)-1]
	return false
}

func (s *stage) place(number int, tried []bool) bool {
	for i, p := range s.parties {
		if tried[i] || !s.votes[number].able[i] {
			continue
		}
		tried[i] = true
		if len(s.seats[i]) < needed(p) {
			s.seats[i] = append(s.seats[i], number)
			return true
		}
		for k, sitting := range s.seats[i] {
			if s.place(sitting, tried) {
				s.seats[i][k] = number
				return true
			}
		}
	}
	return false
}
