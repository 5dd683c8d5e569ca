// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// Remembered is how many Releases of an application keep the renderings and the
// placement of their plans, so that people can still look at what was approved.
const Remembered = 10

// Named is what Deliveries and remembered Releases of one application name. What is
// in it is never removed.
type Named struct {
	// Renderings as "<cluster>/<name>".
	Renderings map[string]bool
	// Placements by name.
	Placements map[string]bool
	// Wait says why nothing may be removed now. Empty: what is not named may go.
	Wait string
}

// NamedBy gathers what is named by the Deliveries of an application, by cluster, and
// by its Releases. sequence is the application's number of Releases: what is read
// from caches may be behind, and only where the last Release of all is among those
// that were read, and complete, is the rest known too.
func NamedBy(sequence int64, releases []releasev1.Release, deliveries map[string]*deliveryv1.Delivery) Named {
	n := Named{Renderings: map[string]bool{}, Placements: map[string]bool{}}
	known := slices.Clone(releases)
	slices.SortFunc(known, func(a, b releasev1.Release) int {
		return cmp.Or(cmp.Compare(b.Status.Sequence, a.Status.Sequence), cmp.Compare(a.Name, b.Name))
	})
	if len(known) == 0 || known[0].Status.Sequence != sequence || !Finished(&known[0]) {
		n.Wait = fmt.Sprintf("release number %d has not been seen to be complete", sequence)
		return n
	}
	planned := 0
	for i := range known {
		r := &known[i]
		if r.Status.Placement != "" && (planned < Remembered || !Over(r)) {
			n.Placements[r.Status.Placement] = true
		}
		if r.Status.Plan == "" || planned >= Remembered && Over(r) {
			continue
		}
		planned++
		plan, err := Open(r.Status.Plan, r.Status.PlanDigest)
		if err != nil {
			// Nobody knows what it names.
			n.Wait = fmt.Sprintf("release %q: %v", r.Name, err)
			return n
		}
		n.plan(plan)
	}
	for cluster, d := range deliveries {
		n.references(cluster, d.Spec.Shared)
		n.workloads(cluster, d.Spec.Workloads)
	}
	return n
}

func (n Named) plan(plan *Document) {
	n.Placements[plan.Placement] = true
	for _, p := range plan.Clusters {
		n.references(p.Cluster, p.Shared)
		n.references(p.Cluster, p.Between)
		n.workloads(p.Cluster, p.Workloads)
		n.workloads(p.Cluster, p.Leaving)
	}
}

func (n Named) references(cluster string, references []deliveryv1.RenderingReference) {
	for _, r := range references {
		n.Renderings[cluster+"/"+r.Name] = true
	}
}

func (n Named) workloads(cluster string, workloads []deliveryv1.Workload) {
	for _, w := range workloads {
		n.Renderings[cluster+"/"+w.Rendering.Name] = true
	}
}

// digits is how much of its digest a rendering's name ends with.
const digits = 16

// renderingName is the name of a rendering of an application, by its namespace in
// members and the short digest of its content.
func renderingName(namespace, short string) string { return namespace + "-" + short }

// RenderedFor returns the namespace in members of the application that a rendering
// belongs to, or "" for a name that is none of a rendering's.
func RenderedFor(rendering string) string {
	i := len(rendering) - digits - 1
	if i <= 0 || rendering[i] != '-' || strings.Trim(rendering[i+1:], "0123456789abcdef") != "" {
		return ""
	}
	return rendering[:i]
}
