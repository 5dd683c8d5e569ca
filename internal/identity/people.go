// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package identity

import (
	"maps"
	"slices"
	"strings"
	"time"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
)

// People knows who stands behind each name: the people of the bank with their
// logins and aliases, and what groups of the directory mean. It never changes
// once made.
//
// What is not certain counts against whoever asks: a login that two people share
// belongs to neither, and an alias that two people share makes them one person to
// everything that must be done by two.
type People struct {
	persons map[string]*identityv1.Person
	// names are ids and aliases, folded, with everybody behind each; sorted.
	names map[string][]string
	// subjects and logins find people by "<provider>\n<what>"; logins only those
	// whose subject there is not known.
	subjects, logins map[string][]string
	mappings         map[string][]identityv1.GroupMapping
}

// NewPeople indexes the Persons and GroupMappings of the hub.
func NewPeople(persons []identityv1.Person, mappings []identityv1.GroupMapping) *People {
	p := &People{
		persons: map[string]*identityv1.Person{}, names: map[string][]string{},
		subjects: map[string][]string{}, logins: map[string][]string{}, mappings: map[string][]identityv1.GroupMapping{},
	}
	for i := range persons {
		person := &persons[i]
		p.persons[person.Name] = person
		add(p.names, fold(person.Name), person.Name)
		for _, alias := range person.Spec.Aliases {
			add(p.names, fold(alias.Name), person.Name)
		}
		for _, login := range person.Spec.Logins {
			if login.Subject != "" {
				add(p.subjects, at(login.Provider, login.Subject), person.Name)
				continue
			}
			add(p.logins, at(login.Provider, fold(login.Login)), person.Name)
		}
	}
	for _, m := range mappings {
		p.mappings[m.Spec.From] = append(p.mappings[m.Spec.From], m)
	}
	return p
}

func at(provider, what string) string { return provider + "\n" + what }

func add(index map[string][]string, key, id string) {
	if slices.Contains(index[key], id) {
		return
	}
	index[key] = append(index[key], id)
	slices.Sort(index[key])
}

// fold makes upper and lower case of Latin letters the same, and nothing else:
// Unicode's folding would take a Kelvin sign for a "k".
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// Of says which person stands behind a user name of the hub: an id or an alias.
// known is false where nobody does, and where two do.
func (p *People) Of(userName string) (id string, known bool) {
	behind := p.names[fold(userName)]
	if len(behind) != 1 {
		return "", false
	}
	return behind[0], true
}

// Same says whether the same person may stand behind two user names of the hub.
// A name that nobody stands behind is only itself.
func (p *People) Same(a, b string) bool {
	a, b = fold(a), fold(b)
	if a == b {
		return true
	}
	return slices.ContainsFunc(p.names[a], func(id string) bool { return slices.Contains(p.names[b], id) })
}

// Machine says whether a user name is a program's and nobody's own.
func (p *People) Machine(userName string) bool {
	name := fold(userName)
	for _, id := range p.names[name] {
		for _, alias := range p.persons[id].Spec.Aliases {
			if fold(alias.Name) == name && alias.Use == identityv1.UseMachine {
				return true
			}
		}
	}
	return strings.HasPrefix(name, "system:")
}

// Active says whether the person of that id may act now.
func (p *People) Active(id string, now time.Time) bool {
	person, ok := p.persons[id]
	return ok && whyNot(person, now) == ""
}

// whyNot says why a person is kept out. Empty: he is not.
func whyNot(person *identityv1.Person, now time.Time) string {
	switch {
	case !person.DeletionTimestamp.IsZero():
		return "is being deleted"
	case person.Spec.State == identityv1.StateDisabled:
		return "is disabled"
	case person.Spec.ValidUntil != nil && !now.Before(person.Spec.ValidUntil.Time):
		return "was valid until " + person.Spec.ValidUntil.UTC().Format(time.RFC3339)
	}
	return ""
}

// Groups are those that the Person itself gives: the bank's groups, and the group
// of his duty; sorted. Groups that a way of logging in vouches for are not among
// them, since they are known only while somebody is logged in.
func (p *People) Groups(id string) []string {
	person, ok := p.persons[id]
	if !ok {
		return nil
	}
	groups := slices.DeleteFunc(slices.Clone(person.Spec.Groups), reserved)
	if group := GroupOf(person.Spec.Duty); group != "" {
		groups = append(groups, group)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// Duty of the Person itself.
func (p *People) Duty(id string) identityv1.Duty {
	if person, ok := p.persons[id]; ok && person.Spec.Duty != "" {
		return person.Spec.Duty
	}
	return identityv1.DutyNone
}

// Name is what people call the person; the id where nobody has said.
func (p *People) Name(id string) string {
	if person, ok := p.persons[id]; ok && person.Spec.DisplayName != "" {
		return person.Spec.DisplayName
	}
	return id
}

// IDs of everybody, sorted.
func (p *People) IDs() []string { return slices.Sorted(maps.Keys(p.persons)) }

// Members are the ids of everybody whose Person gives the group, sorted.
func (p *People) Members(group string) []string {
	var all []string
	for _, id := range p.IDs() {
		if slices.Contains(p.Groups(id), group) {
			all = append(all, id)
		}
	}
	return all
}

// reserved says whether a group's name belongs to Kubernetes or to Fairway: no
// directory of the bank gives one.
func reserved(group string) bool {
	name := fold(group)
	return strings.HasPrefix(name, "system:") || strings.HasPrefix(name, "fairway:")
}
