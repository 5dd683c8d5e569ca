// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// mostImported is the most tags that a Profile holds.
const mostImported = 512

// Hub is what an import meets. Both go by "<namespace>/<name>".
type Hub struct {
	// Applications that are there.
	Applications map[string]*appv1.Application
	Profiles     map[string]*placementv1.Profile
}

// Action is one Profile to write.
type Action struct {
	// Line of the file that first names the application.
	Line int
	// New says that there is none yet.
	New     bool
	Profile *placementv1.Profile
}

// Plan says what an import writes: of each component that it names, all that its source
// says replaces what that source said before. Nothing else changes, and what is there
// already is not written again. With faults nothing is written.
func Plan(rows []Row, hub Hub) (actions []Action, unchanged int, faults Faults) {
	type named struct{ application, component, tag, source string }
	type spoken struct{ component, source string }
	lines := make(map[named]int, len(rows))
	first := map[string]int{}
	replaced := map[string]map[spoken]bool{}
	tags := map[string][]placementv1.ImportedTag{}
	for _, r := range rows {
		key := named{r.Application, r.Component, r.Tag, r.Source}
		a, there := hub.Applications[r.Application]
		switch {
		case !there:
			faults.add(r.Line, "there is no application %q", r.Application)
			continue
		case !slices.ContainsFunc(a.Spec.Components, func(c appv1.Component) bool { return string(c.Name) == r.Component }):
			faults.add(r.Line, "application %q has no component %q", r.Application, r.Component)
			continue
		case lines[key] > 0:
			faults.add(r.Line, "tag %q of component %q of %q is on line %d already", r.Tag, r.Component, r.Application, lines[key])
			continue
		}
		lines[key] = r.Line
		if first[r.Application] == 0 {
			first[r.Application], replaced[r.Application] = r.Line, map[spoken]bool{}
		}
		replaced[r.Application][spoken{r.Component, r.Source}] = true
		if r.Tag != "" {
			tags[r.Application] = append(tags[r.Application], r.ImportedTag)
		}
	}
	for _, r := range rows {
		if r.Tag == "" && slices.ContainsFunc(tags[r.Application], func(t placementv1.ImportedTag) bool {
			return t.Component == r.Component && t.Source == r.Source
		}) {
			faults.add(r.Line, "component %q of %q has a row without a tag, which says that there is none, and rows with tags: keep one or the other", r.Component, r.Application)
		}
	}
	for _, application := range slices.Sorted(maps.Keys(first)) {
		before := hub.Profiles[application]
		after := &placementv1.Profile{}
		if before != nil {
			after = before.DeepCopy()
		} else {
			of := hub.Applications[application]
			after.Namespace, after.Name, after.OwnerReferences = of.Namespace, of.Name, []metav1.OwnerReference{Owner(of)}
		}
		after.TypeMeta = metav1.TypeMeta{APIVersion: placementv1.GroupVersion.String(), Kind: "Profile"}
		after.Spec.Imported = append(slices.DeleteFunc(after.Spec.Imported, func(t placementv1.ImportedTag) bool {
			return replaced[application][spoken{t.Component, t.Source}]
		}), tags[application]...)
		slices.SortFunc(after.Spec.Imported, func(a, b placementv1.ImportedTag) int {
			return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Source, b.Source))
		})
		switch n := len(after.Spec.Imported); {
		case n > mostImported:
			faults.add(first[application], "application %q would have %d imported tags: %d at most", application, n, mostImported)
		case before == nil && n == 0, before != nil && same(before.Spec.Imported, after.Spec.Imported):
			unchanged++
		default:
			actions = append(actions, Action{Line: first[application], New: before == nil, Profile: after})
		}
	}
	if faults.Any() {
		slices.SortStableFunc(faults.List, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
		return nil, 0, faults
	}
	return actions, unchanged, faults
}

// same reports whether two lists hold the same tags.
func same(a, b []placementv1.ImportedTag) bool {
	if len(a) != len(b) {
		return false
	}
	sorted := slices.Clone(a)
	slices.SortFunc(sorted, func(a, b placementv1.ImportedTag) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Source, b.Source))
	})
	return equality.Semantic.DeepEqual(sorted, b)
}

// Owner has a Profile go with its Application.
func Owner(a *appv1.Application) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: appv1.GroupVersion.String(), Kind: "Application", Name: a.Name, UID: a.UID}
}
