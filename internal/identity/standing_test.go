// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
)

func TestStanding(t *testing.T) {
	people := identity.NewPeople([]identityv1.Person{
		person("p1"), person("p2", func(s *identityv1.PersonSpec) { s.State = identityv1.StateDisabled }), person("p3", until(noon)), person("p4", until(noon.Add(time.Hour))),
		person("p5", func(s *identityv1.PersonSpec) { s.Logins[0].Login = "li" }), person("p6", func(s *identityv1.PersonSpec) { s.Logins[0].Login = "LI" }),
		person("p7", alias("root")), person("p8", alias("Root")), person("p9", alias("p10")), person("p10"),
		person("p11", func(s *identityv1.PersonSpec) {
			s.Logins = []identityv1.Login{{Provider: "oidc", Login: "li", Subject: "u"}}
		}),
		person("p12", func(s *identityv1.PersonSpec) { s.Logins = []identityv1.Login{{Provider: "oidc", Subject: "u"}} }),
	}, nil)
	for id, want := range map[string][2]string{
		"p1": {"Active", "can come in"}, "p2": {"Disabled", "set spec.state"}, "p3": {"Expired", "was valid until 2027-03-01T12:00:00Z"}, "p4": {"Active", ""},
		"p5": {"LoginShared", `p6 has login "li" of "ldap" too`}, "p6": {"LoginShared", "p5 has login"},
		"p7": {"AliasShared", `p8 stands behind "root" too`}, "p8": {"AliasShared", "p7 stands behind"},
		"p9": {"AliasShared", `p10 stands behind "p10" too`}, "p10": {"AliasShared", "the id is an alias of p9"},
		"p11": {"LoginShared", `p12 has login "u" of "oidc" too`}, "p12": {"LoginShared", "p11"},
	} {
		got := people.Standing(id, noon)
		if got.Reason != want[0] || !strings.Contains(got.Message, want[1]) {
			t.Errorf("%s: %s: %s", id, got.Reason, got.Message)
		}
		status := identity.Report(identityv1.PersonStatus{}, 3, got, noon)
		stalled := strings.HasSuffix(want[0], "Shared")
		if meta.IsStatusConditionTrue(status.Conditions, "Ready") != (want[0] == "Active") || meta.IsStatusConditionTrue(status.Conditions, "Stalled") != stalled || status.ObservedGeneration != 3 {
			t.Errorf("%s: told as %+v", id, status)
		}
		if diff := cmp.Diff(status, identity.Report(status, 3, got, noon.Add(time.Hour))); diff != "" {
			t.Errorf("%s: what did not change is told the same way:\n%s", id, diff)
		}
	}
	if got := people.NextEnd(noon); !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("the next end is %s", got)
	}
}
