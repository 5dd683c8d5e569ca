// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval_test

import (
	"strings"
	"testing"
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
)

// A system of the bank learns at once that its verdict would not count.
func TestAnOutsideVerdictIsForeseen(t *testing.T) {
	c := bank()
	p := policyOf(c)
	p.Spec.Stages, p.Spec.External = nil, &approvalv1.External{System: "itsm", Standing: "Sole"}
	under(c, p)
	for name, test := range map[string]struct{ author, actor, says string }{
		"Good":        {"itsm:itsm", "tech", ""},
		"Maker":       {"itsm:itsm", "dev", "dev"},
		"Stranger":    {"itsm:itsm", "somebody", "does not say which person"},
		"Nobody":      {"itsm:itsm", "", "does not say which person"},
		"OtherSystem": {"itsm:other", "tech", "does not ask system"},
		"Person":      {"tech", "", "log in and decide there"},
	} {
		t.Run(name, func(t *testing.T) {
			got := approval.Refusal(*c, approvalv1.Decision{Spec: approvalv1.DecisionSpec{
				Request: c.Request.Name, Digest: c.Request.Spec.Digest, Verdict: approvalv1.VerdictApprove, Author: test.author, OnBehalfOf: test.actor,
			}}, noon.Add(time.Hour))
			if (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
				t.Errorf("got %q, want %q", got, test.says)
			}
		})
	}
}
