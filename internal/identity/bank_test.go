// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity_test

import (
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

var between = regexp.MustCompile(`(?m)^---\n`)

// read decodes the documents of a file, strictly.
func read[T any](t *testing.T, path string) []T {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	for _, document := range between.Split(string(raw), -1) {
		var one T
		if err := yaml.UnmarshalStrict([]byte(document), &one); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, one)
	}
	return all
}

// The example bank has one ready account for each role of a tenant and for each of
// the platform's duties, and nobody has two of them.
func TestExampleBankHasSomebodyForEachRole(t *testing.T) {
	const world = "../../examples/bank/world/"
	persons, tenants := read[identityv1.Person](t, world+"people.yaml"), read[tenancyv1.Tenant](t, world+"tenants.yaml")
	people := identity.NewPeople(persons, nil)
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	has := map[string][]string{}
	for _, p := range persons {
		if s := people.Standing(p.Name, now); s.Reason != identityv1.ReasonActive {
			t.Errorf("%s: %s: %s", p.Name, s.Reason, s.Message)
		}
		if len(p.Spec.Logins) != 1 || p.Spec.Logins[0].Provider != "local" || p.Spec.DisplayName == "" {
			t.Errorf("%s has no login or no name", p.Name)
		}
		if duty := people.Duty(p.Name); duty != identityv1.DutyNone {
			has["duty "+string(duty)] = append(has["duty "+string(duty)], p.Name)
		}
		for _, role := range []tenancyv1.Role{"Developer", "ChangeRequester", "Releaser", "DutyOperator", "BusinessApprover", "TechnologyApprover", "ChangeManager", "Verifier", "Examiner", "Administrator"} {
			groups := tenancy.GroupsWith(tenants[0].Spec.Roles, "prod", role, now)
			if slices.ContainsFunc(people.Groups(p.Name), func(g string) bool { return slices.Contains(groups, g) }) {
				has[string(role)] = append(has[string(role)], p.Name)
			}
		}
	}
	taken := map[string]string{}
	for what, who := range has {
		wanted := 1
		if what == "duty Security" {
			wanted = 2 // who is who is changed by two
		}
		if len(who) != wanted {
			t.Errorf("%s: %v", what, who)
		}
		for _, p := range who {
			if taken[p] != "" {
				t.Errorf("%s: %s, who is %q too", what, p, taken[p])
			}
			taken[p] = what
		}
	}
	if len(has) != 13 {
		t.Errorf("%d parts are played, wanted 13: %v", len(has), has)
	}
}
