// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package window

import (
	"slices"
	"time"
)

// span is a stretch of time, its end not included.
type span struct{ from, to time.Time }

func (s span) holds(at time.Time) bool { return !at.Before(s.from) && at.Before(s.to) }

// merged orders spans and joins those that touch. Empty ones are left out.
func merged(spans []span) []span {
	spans = slices.DeleteFunc(slices.Clone(spans), func(s span) bool { return !s.from.Before(s.to) })
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && !s.from.After(out[n-1].to) {
			out[n-1].to = later(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// both returns what lies in spans of a and of b. Both are merged.
func both(a, b []span) []span {
	var out []span
	for i, j := 0, 0; i < len(a) && j < len(b); {
		s := span{later(a[i].from, b[j].from), earlier(a[i].to, b[j].to)}
		if s.from.Before(s.to) {
			out = append(out, s)
		}
		if a[i].to.Before(b[j].to) {
			i++
			continue
		}
		j++
	}
	return out
}

// without returns what lies in spans of a and in none of b. Both are merged.
func without(a, b []span) []span {
	var out []span
	for _, s := range a {
		for _, cut := range b {
			if !cut.to.After(s.from) {
				continue
			}
			if !cut.from.Before(s.to) {
				break
			}
			if s.from.Before(cut.from) {
				out = append(out, span{s.from, cut.from})
			}
			s.from = cut.to
		}
		if s.from.Before(s.to) {
			out = append(out, s)
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
