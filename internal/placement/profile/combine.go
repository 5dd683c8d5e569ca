// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// Key names what one rule knows of one component.
type Key struct{ Component, Rule string }

// Seen is what the tags of one application are combined from.
type Seen struct {
	// Components of the application as it is described.
	Components []appv1.Component
	// Imported tags.
	Imported []placementv1.ImportedTag
	// Before are the tags as they were last written.
	Before []placementv1.ProfileTag
	// Rules that are in force, by name.
	Rules map[string]Rule
	// Tracks are what rules know. A rule without one has not asked yet: what was written
	// before holds.
	Tracks map[Key]Track
}

// Combine returns the tags of all origins, by component, tag and origin, and how many of
// which component a status has no room for.
func Combine(seen Seen, now time.Time) (tags []placementv1.ProfileTag, left []Left) {
	var out []placementv1.ProfileTag
	known := map[string]appv1.Component{}
	for _, c := range seen.Components {
		known[string(c.Name)] = c
		if c.Profile == nil {
			continue
		}
		for _, tag := range c.Profile.Tags {
			out = append(out, placementv1.ProfileTag{Component: string(c.Name), Tag: tag, From: placementv1.TagFromSpec})
		}
	}
	for _, t := range seen.Imported {
		out = append(out, placementv1.ProfileTag{
			Component: t.Component, Tag: t.Tag, From: placementv1.TagImported, Source: t.Source,
			Algorithm: t.Algorithm, Version: t.Version, Value: t.Value, At: t.At.DeepCopy(),
		})
	}
	for key, track := range seen.Tracks {
		if rule, there := seen.Rules[key.Rule]; there && track.On {
			out = append(out, measured(key, rule, track, now))
		}
	}
	for _, t := range seen.Before {
		rule, there := seen.Rules[t.Source]
		_, asked := seen.Tracks[Key{t.Component, t.Source}]
		if t.From == placementv1.TagMeasured && there && !asked && rule.Tag == t.Tag {
			out = append(out, t)
		}
	}
	out = slices.DeleteFunc(out, func(t placementv1.ProfileTag) bool {
		_, there := known[t.Component]
		return !there
	})
	for i := range out {
		out[i].Effect = placementv1.TagCounts
		if p := known[out[i].Component].Profile; p != nil && slices.Contains(p.Without, out[i].Tag) {
			out[i].Effect = placementv1.TagOverruled
		}
	}
	slices.SortFunc(out, byName)
	return bounded(out, len(known))
}

func byName(a, b placementv1.ProfileTag) int {
	return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Tag, b.Tag), cmp.Compare(order(a.From), order(b.From)), cmp.Compare(a.Source, b.Source))
}

func order(from placementv1.TagOrigin) int {
	return slices.Index([]placementv1.TagOrigin{placementv1.TagFromSpec, placementv1.TagImported, placementv1.TagMeasured}, from)
}

// measured is the tag that a rule gives.
func measured(key Key, rule Rule, t Track, now time.Time) placementv1.ProfileTag {
	since := metav1.NewTime(t.Since.UTC().Truncate(time.Second))
	out := placementv1.ProfileTag{
		Component: key.Component, Tag: rule.Tag, From: placementv1.TagMeasured, Source: key.Rule,
		Value: strconv.FormatFloat(t.Value, 'g', 6, 64), At: &since, Freshness: t.Freshness(rule, now),
	}
	if t.Generation > 0 {
		out.Version = fmt.Sprintf("generation %d", t.Generation)
	}
	if out.Freshness != placementv1.TagFresh {
		good := metav1.NewTime(t.Good.UTC().Truncate(time.Second))
		out.OldSince = &good
	}
	return out
}

// Ready is the condition of a Profile with these tags, and those that were left out. Its text
// holds no times, so that it changes only when something does.
func Ready(tags []placementv1.ProfileTag, left []Left) metav1.Condition {
	old := 0
	for _, t := range tags {
		if t.Freshness == placementv1.TagOld || t.Freshness == placementv1.TagStale {
			old++
		}
	}
	if len(left) > 0 {
		return metav1.Condition{
			Type: placementv1.ConditionProfileReady, Status: metav1.ConditionTrue, Reason: placementv1.ReasonTagsLeftOut,
			Message: leftOut(left),
		}
	}
	if old > 0 {
		return metav1.Condition{
			Type: placementv1.ConditionProfileReady, Status: metav1.ConditionTrue, Reason: placementv1.ReasonOldMeasurements,
			Message: fmt.Sprintf("%d of %d tags are old measurements and hold all the same: see the TagRules that they name", old, len(tags)),
		}
	}
	return metav1.Condition{
		Type: placementv1.ConditionProfileReady, Status: metav1.ConditionTrue, Reason: placementv1.ReasonCombined,
		Message: fmt.Sprintf("%d tags of all origins are combined", len(tags)),
	}
}

// Report writes tags, and what was left out, into a status.
func Report(status *placementv1.ProfileStatus, tags []placementv1.ProfileTag, left []Left, now time.Time) {
	status.Tags = tags
	ready := Ready(tags, left)
	ready.LastTransitionTime = metav1.NewTime(now.UTC().Truncate(time.Second))
	meta.SetStatusCondition(&status.Conditions, ready)
}

// Known is what the scheduler goes by of applications that it does not place now.
func Known(p *placementv1.Profile) []placement.Profile {
	var out []placement.Profile
	for _, t := range p.Status.Tags {
		if t.Effect != placementv1.TagCounts {
			continue
		}
		if n := len(out); n == 0 || out[n-1].Component != t.Component {
			out = append(out, placement.Profile{Application: p.Namespace + "/" + p.Name, Component: t.Component})
		}
		last := &out[len(out)-1]
		if !slices.Contains(last.Tags, t.Tag) {
			last.Tags = append(last.Tags, t.Tag)
		}
	}
	return out
}
