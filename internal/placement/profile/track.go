// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// Track is what a rule knows of one component.
type Track struct {
	// On says that the component has the tag, since Since, when the value was Value and
	// the rule had that Generation.
	On         bool
	Since      time.Time
	Value      float64
	Generation int64
	// Past is since when answers without a gap have been past where the tag comes or goes.
	// Zero: the last one was not.
	Past time.Time
	// Good is when the last good answer came, and Bad why the last one was none. Empty: it
	// was good.
	Good time.Time
	Bad  string
	// read is the Generation of the rule that Past was found by.
	read int64
}

// oldAfter is how many intervals without a good answer make a tag old: one that is lost
// is no news.
const oldAfter = 3

// Start is what is known of a component whose tag was written before, or of one that
// never had it.
func Start(before *placementv1.ProfileTag, now time.Time) Track {
	t := Track{Good: now}
	if before == nil {
		return t
	}
	t.On = true
	if before.At != nil {
		t.Since = before.At.Time
	}
	if before.OldSince != nil {
		t.Good = before.OldSince.Time
	}
	t.Value, _ = strconv.ParseFloat(before.Value, 64)
	if n, ok := strings.CutPrefix(before.Version, "generation "); ok {
		t.Generation, _ = strconv.ParseInt(n, 10, 64)
	}
	return t
}

// Answered takes a good answer over.
func (t Track) Answered(rule Rule, value float64, now time.Time) Track {
	t.Good, t.Bad = now, ""
	past := rule.comes(value)
	if t.On {
		past = rule.goes(value)
	}
	if !past {
		t.Past, t.read = time.Time{}, rule.Generation
		return t
	}
	if t.Past.IsZero() || t.read != rule.Generation {
		t.Past, t.read = now, rule.Generation
	}
	if now.Sub(t.Past) >= rule.Hold {
		t.On, t.Past = !t.On, time.Time{}
		t.Since, t.Value, t.Generation = now, value, rule.Generation
	}
	return t
}

// Failed takes over that there was no good answer: the tag stays as it is, and what was
// past a threshold before the gap does not count.
func (t Track) Failed(why string) Track {
	t.Bad, t.Past = why, time.Time{}
	return t
}

// Freshness says how sure the tag is.
func (t Track) Freshness(rule Rule, now time.Time) placementv1.TagFreshness {
	switch quiet := now.Sub(t.Good); {
	case quiet > rule.StaleAfter:
		return placementv1.TagStale
	case quiet > oldAfter*rule.Interval:
		return placementv1.TagOld
	}
	return placementv1.TagFresh
}

func (r Rule) comes(value float64) bool {
	if r.Below {
		return value <= r.Enter
	}
	return value >= r.Enter
}

// goes is strict where enter and leave are the same, so that a value that stands on the
// threshold keeps the tag.
func (r Rule) goes(value float64) bool {
	if r.Below {
		return value > r.Leave
	}
	return value < r.Leave
}

// Number is the one number that an answer has to be.
func Number(values []float64) (float64, error) {
	switch {
	case len(values) == 0:
		return 0, fmt.Errorf("the answer is empty: no series matches the query")
	case len(values) > 1:
		return 0, fmt.Errorf("the answer has %d series: sum or average them in the query", len(values))
	case math.IsNaN(values[0]):
		return 0, fmt.Errorf("the answer is no number (NaN): a division by zero, as a rule")
	case math.IsInf(values[0], 0):
		return 0, fmt.Errorf("the answer is infinite: a division by zero, as a rule")
	}
	return values[0], nil
}

// Furthest is what counts where several Prometheus know a component, each of its own
// clusters: the value that is nearest to giving the tag.
func (r Rule) Furthest(values []float64) float64 {
	out := values[0]
	for _, v := range values[1:] {
		if r.Below {
			out = min(out, v)
		} else {
			out = max(out, v)
		}
	}
	return out
}
