// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
	"strings"
)

// profileOf is what is known of a component that is placed: of its ways, and what its
// Revision says.
func (b *board) profileOf(c *Component) *Profile {
	known := b.fleet.profiles[instanceOf{b.request.Application, c.Name}]
	if len(c.Tags)+len(c.Without)+len(c.Calls) == 0 {
		return known
	}
	p := &Profile{Application: b.request.Application, Component: c.Name, Tags: slices.Clone(c.Tags), Calls: c.Calls}
	if known != nil {
		for _, t := range known.Tags {
			if !slices.Contains(p.Tags, t) && !slices.Contains(c.Without, t) {
				p.Tags = append(p.Tags, t)
			}
		}
		if len(p.Calls) == 0 {
			p.Calls = known.Calls
		}
	}
	slices.Sort(p.Tags)
	return p
}

// tellTags says which tags kept a component's new instances away from whom: rack by rack,
// those that took some first.
func (k *look) tellTags() {
	if !k.tags {
		return
	}
	own := map[int]int64{}
	for _, c := range k.cells {
		if more := len(c.seats) - len(c.before); c.DCN == k.dcn && more > 0 {
			own[c.room.domain] += int64(more)
		}
	}
	var taken, others []int
	seen := map[int]bool{}
	for i := range k.spots {
		rack := k.spots[i].room.domain
		switch {
		case seen[rack]:
			continue
		case own[rack] > 0:
			taken = append(taken, rack)
		default:
			others = append(others, rack)
		}
		seen[rack] = true
	}
	here, quiet := k.besideWhom(taken, own)
	there, other := k.besideWhom(others, own)
	if len(taken) == 0 || quiet && other {
		return
	}
	k.say(k.component, k.dcn, "Profile", "tags %s: new instances are in %s; not in %s", strings.Join(k.profile.Tags, ", "), here, there)
}

// besideWhom tells of whom in racks the component keeps away, and whether nobody is there.
// The new instances themselves do not count.
func (k *look) besideWhom(racks []int, own map[int]int64) (told string, none bool) {
	none = true
	var parts []string
	for i, rack := range racks {
		if i == mostTold {
			parts = append(parts, fmt.Sprintf("%d racks more", len(racks)-mostTold))
			break
		}
		pairs := k.fleet.pairs(k.profile, rack, own[rack], k.policy.Apart)
		who := "nobody they keep away from"
		if len(pairs) > 0 {
			who, none = strings.Join(pairs, ", "), false
		}
		parts = append(parts, fmt.Sprintf("rack %s (beside %s)", k.fleet.racks[rack].name, who))
	}
	if len(parts) == 0 {
		return "any other rack", none
	}
	return strings.Join(parts, " and "), none
}

// pairs tells, in the order of the policy, of whom a component with this profile keeps
// away in a rack.
func (f *Fleet) pairs(p *Profile, rack int, own int64, rules []Apart) []string {
	var out []string
	tell := func(tag, other string, price int64) {
		n := f.tagged[rack][other]
		if slices.Contains(p.Tags, other) {
			n -= own
		}
		if n > 0 && price > 0 && slices.Contains(p.Tags, tag) {
			out = append(out, fmt.Sprintf("%s with %s, price %d each", instances(n), other, price))
		}
	}
	for _, a := range rules {
		tell(a.Tag, a.Other, a.Price)
		if a.Tag != a.Other {
			tell(a.Other, a.Tag, a.Price)
		}
	}
	return out
}
