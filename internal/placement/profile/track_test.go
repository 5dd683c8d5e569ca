// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
)

// above gives the tag from 10 on, and takes it away below 6, when it was so for 2 minutes.
var above = profile.Rule{Enter: 10, Leave: 6, Hold: 2 * time.Minute, Interval: time.Minute, StaleAfter: time.Hour, Generation: 1}

// gap is no answer.
var gap = math.NaN()

func follow(rule profile.Rule, values ...float64) (shown string) {
	t := profile.Start(nil, now)
	for i, v := range values {
		if math.IsNaN(v) {
			t = t.Failed("no answer")
		} else {
			t = t.Answered(rule, v, now.Add(time.Duration(i)*time.Minute))
		}
		if t.On {
			shown += "#"
		} else {
			shown += "."
		}
	}
	return shown
}

func TestTrack(t *testing.T) {
	below := above
	below.Below, below.Enter, below.Leave = true, 6, 10
	atOnce := above
	atOnce.Hold = 0
	edge := above
	edge.Hold, edge.Leave = 0, 10
	for name, c := range map[string]struct {
		reason string
		rule   profile.Rule
		values []float64
		want   string
	}{
		"comes":       {"the value has to be high for two minutes", above, []float64{12, 12, 12, 12}, "..##"},
		"peaks":       {"a peak gives no tag", above, []float64{12, 12, 9, 12, 12, 9}, "......"},
		"between":     {"between leave and enter it stays", above, []float64{12, 12, 12, 7, 7, 7, 7}, "..#####"},
		"goes":        {"it goes when the value was low for two minutes", above, []float64{12, 12, 12, 5, 5, 5, 5}, "..###.."},
		"dip":         {"a dip takes nothing away", above, []float64{12, 12, 12, 5, 5, 7, 5, 5}, "..######"},
		"gap":         {"a gap takes nothing away, and what was before it does not count", above, []float64{12, 12, gap, 12, 12, 12}, ".....#"},
		"long gap":    {"however long it is", above, []float64{12, 12, 12, gap, gap, gap, gap, gap, gap}, "..#######"},
		"gap in fall": {"nor is a tag taken away across a gap", above, []float64{12, 12, 12, 5, 5, gap, 5, 5}, "..######"},
		"below":       {"the other way round", below, []float64{5, 5, 5, 8, 11, 11, 11}, "..####."},
		"at once":     {"without hold", atOnce, []float64{12, 5, 12}, "#.#"},
		"edge":        {"on the threshold it stays", edge, []float64{10, 10, 10, 9.9}, "###."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := follow(c.rule, c.values...); got != c.want {
				t.Errorf("%s: want %s, got %s", c.reason, c.want, got)
			}
		})
	}
}

// TestNoAnswerMovesNothing holds that gaps alone never give or take a tag.
func TestNoAnswerMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		track := profile.Start(nil, now)
		at := now
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			at = at.Add(time.Minute)
			before := track.On
			if rapid.Bool().Draw(t, "gap") {
				if track = track.Failed("x"); track.On != before {
					t.Fatal("a gap changed the tag")
				}
				continue
			}
			v := rapid.SampledFrom([]float64{1, 7, 12}).Draw(t, "value")
			track = track.Answered(above, v, at)
			if track.On && !before && v < above.Enter || !track.On && before && v >= above.Leave {
				t.Fatalf("%v turned the tag to %v", v, track.On)
			}
		}
	})
}

// TestRestart holds that a new process goes on where the last one stopped.
func TestRestart(t *testing.T) {
	at, old := metav1.NewTime(now.Add(-time.Hour)), metav1.NewTime(now.Add(-30*time.Minute))
	tag := placementv1.ProfileTag{At: &at, OldSince: &old, Value: "12.5", Version: "generation 4"}
	want := profile.Track{On: true, Since: at.Time, Good: old.Time, Value: 12.5, Generation: 4}
	got := profile.Start(&tag, now)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(profile.Track{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		after time.Duration
		want  placementv1.TagFreshness
	}{{0, "Old"}, {time.Hour, "Stale"}} {
		if f := got.Freshness(above, now.Add(c.after)); f != c.want {
			t.Errorf("after %s: %s, want %s", c.after, f, c.want)
		}
	}
	if f := got.Answered(above, 8, now).Freshness(above, now); f != "Fresh" {
		t.Errorf("after an answer: %s", f)
	}
}

func TestANewThresholdStartsAnew(t *testing.T) {
	track := profile.Start(nil, now).Answered(above, 12, now)
	lower := above
	lower.Enter, lower.Leave, lower.Generation = 11, 6, 2
	track = track.Answered(lower, 12, now.Add(2*time.Minute))
	if track.On {
		t.Error("what was past the old threshold counts for the new one")
	}
	if track = track.Answered(lower, 12, now.Add(4*time.Minute)); !track.On || track.Generation != 2 {
		t.Errorf("%+v", track)
	}
}

func TestNumber(t *testing.T) {
	if v, err := profile.Number([]float64{3}); v != 3 || err != nil {
		t.Errorf("%v, %v", v, err)
	}
	for want, values := range map[string][]float64{
		"empty": nil, "2 series": {1, 2}, "NaN": {math.NaN()}, "infinite": {math.Inf(-1)},
	} {
		if _, err := profile.Number(values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", values, err, want)
		}
	}
}
