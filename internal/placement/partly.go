// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// Moving is a Request that moves components. One that finds no room stays as it is as a whole, and
// keeps none of the others from moving.
type Moving struct {
	// Request with all of them moved.
	Request
	// Stay is the same Request with nothing moved.
	Stay Request
	// May are the components that may stay. None: all is granted, or nothing is.
	May []string
}

// Partly is what is decided about it.
type Partly struct {
	Decision
	// Left are the components that stay, in the order in which they were given up, and Lacks says
	// what they lack. Of a Request that is refused as a whole these are all that may stay.
	Left  []string
	Lacks []Reason
}

// PlaceWhatFits decides as Place does, and tries what is refused again with fewer components moved,
// as long as any are left. All are decided anew each time, so that what moves of the more important
// goes before the rest still.
func PlaceWhatFits(s Snapshot, all []Moving, p Policy) []Partly {
	out := make([]Partly, len(all))
	requests := make([]Request, len(all))
	for i := range all {
		requests[i] = all[i].Request
	}
	for again := true; again; {
		again = false
		for i, d := range Place(s, requests, p) {
			m, o := &all[i], &out[i]
			if o.Refused && len(m.May) > 0 && len(o.Left) == len(m.May) {
				continue // nothing of it moves
			}
			o.Decision = d
			switch {
			case !d.Refused:
			case len(m.May) == 0:
				o.Lacks = refusals(d)
			default:
				left := m.giveUp(o.Left, d)
				o.Left = append(o.Left, left...)
				o.Lacks = append(o.Lacks, m.lacks(d, left, o.Left)...)
				requests[i] = m.without(o.Left)
				again = true
			}
		}
	}
	return out
}

// giveUp are the components that are to stay after a refusal, besides those that do: those that
// found no room. If these are all that are left, it is the last of them: with less asked for, the
// others may find it.
func (m *Moving) giveUp(left []string, d Decision) []string {
	rest := slices.DeleteFunc(slices.Clone(m.May), func(name string) bool { return slices.Contains(left, name) })
	named := slices.DeleteFunc(slices.Clone(rest), func(name string) bool {
		return !slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Refusal && r.Component == name })
	})
	switch {
	case len(named) == 0 && len(rest) > 0:
		return rest[len(rest)-1:]
	case len(named) == len(rest) && len(named) > 1:
		return named[len(named)-1:]
	}
	return named
}

// lacks are the refusals of a decision that say what those components lack that are given up now.
// Where none says so, or all are given up by then, they are all of them.
func (m *Moving) lacks(d Decision, now, left []string) []Reason {
	all := refusals(d)
	named := slices.DeleteFunc(slices.Clone(all), func(r Reason) bool { return !slices.Contains(now, r.Component) })
	if len(left) == len(m.May) || len(named) == 0 {
		return all
	}
	return named
}

// without is the Request with components as they are.
func (m *Moving) without(left []string) Request {
	r := m.Request
	r.Components = slices.Clone(r.Components)
	for i := range r.Components {
		if slices.Contains(left, r.Components[i].Name) {
			r.Components[i] = m.Stay.Components[i]
		}
	}
	stays := func(a Assignment) bool { return slices.Contains(left, a.Component) }
	r.Previous = slices.DeleteFunc(slices.Clone(m.Request.Previous), stays)
	for _, a := range m.Stay.Previous {
		if stays(a) {
			r.Previous = append(r.Previous, a)
		}
	}
	return r
}
