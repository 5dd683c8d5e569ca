// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
)

// longestGroup is the most bytes of a group's name that are taken from a way of
// logging in; Tenants bind none that is longer.
const longestGroup = 253

// Found is which person somebody is, and why.
type Found struct {
	// Person with the groups that hold now, sorted. Its session is the caller's.
	Person Person
	// Duty that the person has.
	Duty identityv1.Duty
	// Reasons say, one sentence each, where the groups come from and which were left out.
	Reasons []string
}

// Resolve says which person a claim belongs to, with the groups that hold now:
// those of the claim, those that they are mapped to, and those of the Person.
// Errors wrap ErrNobody, ErrDisabled or ErrExclusive.
func (p *People) Resolve(claim Claim, now time.Time) (Found, error) {
	id, err := p.who(claim)
	if err != nil {
		return Found{}, err
	}
	return p.Current(id, claim.Groups, now)
}

// who finds the one person that a claim belongs to. A subject decides before a login.
func (p *People) who(claim Claim) (string, error) {
	var behind []string
	if claim.Subject != "" {
		behind = p.subjects[at(claim.Provider, claim.Subject)]
	}
	if len(behind) == 0 && claim.Login != "" {
		behind = p.logins[at(claim.Provider, fold(claim.Login))]
	}
	switch len(behind) {
	case 1:
		return behind[0], nil
	case 0:
		return "", fmt.Errorf("could not find who %q is at %q: %w; a security administrator adds the login to a Person", cmp.Or(claim.Login, claim.Subject), claim.Provider, ErrNobody)
	}
	return "", fmt.Errorf("could not tell who %q is at %q: %w has it alone, %s share it; a security administrator takes it from all but one",
		cmp.Or(claim.Login, claim.Subject), claim.Provider, ErrNobody, strings.Join(behind, " and "))
}

// Current says who the person of that id is now, with the groups that a way of
// logging in vouched for.
func (p *People) Current(id string, claimed []string, now time.Time) (Found, error) {
	person, ok := p.persons[id]
	if !ok {
		return Found{}, fmt.Errorf("could not let %q in: %w; a security administrator adds the Person", id, ErrNobody)
	}
	if why := whyNot(person, now); why != "" {
		return Found{}, fmt.Errorf("could not let %q in: %w: the Person %s", id, ErrDisabled, why)
	}
	found := Found{Person: Person{ID: id}, Duty: identityv1.DutyNone}
	duties := map[identityv1.Duty]string{}
	because := func(duty identityv1.Duty, why string) {
		if duty != "" && duty != identityv1.DutyNone && duties[duty] == "" {
			duties[duty] = why
		}
	}
	give := func(groups []string, why string) {
		for _, g := range groups {
			if !usable(g) {
				found.Reasons = append(found.Reasons, fmt.Sprintf("group %q of %s was left out: its name is the platform's own or cannot be used", shortened(g), why))
				continue
			}
			found.Person.Groups = append(found.Person.Groups, g)
		}
	}
	because(person.Spec.Duty, "the Person")
	give(person.Spec.Groups, "the Person")
	give(claimed, "the login")
	for _, group := range claimed {
		for _, m := range p.mappings[group] {
			because(m.Spec.Duty, fmt.Sprintf("GroupMapping %q", m.Name))
			give(m.Spec.Groups, fmt.Sprintf("GroupMapping %q", m.Name))
		}
	}
	if len(duties) > 1 {
		var words []string
		for duty, why := range duties {
			words = append(words, fmt.Sprintf("%s by %s", duty, why))
		}
		slices.Sort(words)
		return Found{}, fmt.Errorf("could not let %q in: %w: %s; a security administrator takes away all but one", id, ErrExclusive, strings.Join(words, ", "))
	}
	for duty, why := range duties {
		found.Duty = duty
		found.Person.Groups = append(found.Person.Groups, GroupOf(duty))
		found.Reasons = append(found.Reasons, fmt.Sprintf("the duty %s is given by %s", duty, why))
	}
	slices.Sort(found.Person.Groups)
	found.Person.Groups = slices.Compact(found.Person.Groups)
	return found, nil
}

// usable says whether a group's name may go to the hub.
func usable(group string) bool {
	if group == "" || len(group) > longestGroup || !utf8.ValidString(group) || reserved(group) {
		return false
	}
	return !strings.ContainsFunc(group, func(r rune) bool { return !unicode.IsPrint(r) })
}

// shortened keeps reasons readable whatever a directory sends.
func shortened(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
