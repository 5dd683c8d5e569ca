// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity_test

import (
	"fmt"
	"testing"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
)

// tenThousand are the people of a large bank.
func tenThousand() []identityv1.Person {
	all := make([]identityv1.Person, 10_000)
	for i := range all {
		all[i] = person(fmt.Sprintf("p%d", i), groups("staff", fmt.Sprintf("unit-%d", i%100)), alias(fmt.Sprintf("other-%d", i)))
	}
	return all
}

// BenchmarkPeople is what one change of one Person costs at most: everybody is
// indexed anew.
func BenchmarkPeople(b *testing.B) {
	persons := tenThousand()
	for b.Loop() {
		identity.NewPeople(persons, nil)
	}
}

// BenchmarkCurrent is asked at every request.
func BenchmarkCurrent(b *testing.B) {
	people := identity.NewPeople(tenThousand(), []identityv1.GroupMapping{mapping("ops", "CN=ops", identityv1.DutyNone, "bank-operations")})
	for b.Loop() {
		if _, err := people.Current("p5000", []string{"CN=ops", "CN=all"}, noon); err != nil {
			b.Fatal(err)
		}
	}
}
