// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Object is one Kubernetes object as JSON values.
type Object = map[string]any

// Rendered is what the Revision is in one cluster.
type Rendered struct {
	// Shared objects in the order in which they are applied.
	Shared []Object
	// Workloads by component and cell.
	Workloads []RenderedWorkload
	// Lacks say what the member does not do of what the Revision asks for, in sentences.
	Lacks []string
}

// RenderedWorkload is one component in one cell.
type RenderedWorkload struct {
	Name      string
	Kind      string
	Component string
	Template  string
	Cell      placementv1.Cell
	// Objects of the workload: the workload itself and what only it uses.
	Objects []Object
	// Share is the cell's part of the autoscaling bounds. Nil: the number is fixed.
	Share *Share
}

// Share is a cell's part of a component's autoscaling bounds.
type Share struct{ Min, Max int32 }

// Running is what a Delivery says before the Release, with the objects of the
// renderings that it names.
type Running struct {
	Delivery *deliveryv1.Delivery
	// Objects by the rendering's name.
	Objects map[string][]Object
}

func (r Running) spec() deliveryv1.DeliverySpec {
	if r.Delivery == nil {
		return deliveryv1.DeliverySpec{}
	}
	return r.Delivery.Spec
}

func (r Running) shared() []Object {
	var all []Object
	for _, reference := range r.spec().Shared {
		all = append(all, r.Objects[reference.Name]...)
	}
	return all
}

// Drawing is what a plan is drawn from.
type Drawing struct {
	Release *releasev1.Release
	// Application as "<hub namespace>/<name>", and its namespace in members.
	Application     string
	MemberNamespace string
	Sequence        int64
	RevisionDigest  string
	// InService is the revision that the application was released with until now.
	InService string
	// Back says that this is the way back of the plan before.
	Back      bool
	Placement *placementv1.Placement
	// Rendered by cluster, for the clusters of the Placement.
	Rendered map[string]Rendered
	// Running by cluster.
	Running map[string]Running
	// Restarts by cluster.
	Restarts map[string][]deliveryv1.InstanceRestart
}

// Drawn is a plan with the renderings that it needs, by cluster and name.
type Drawn struct {
	Document   Document
	Renderings map[string]map[string]deliveryv1.RenderingSpec
}

// Draw makes the plan of a Release. The same drawing gives the same bytes.
func Draw(in Drawing) (Drawn, error) {
	out := Drawn{
		Document: Document{
			Application: in.Application, Release: in.Release.Name, Kind: in.Release.Spec.Kind,
			Sequence: in.Sequence, Revision: in.Release.Spec.Revision, RevisionDigest: in.RevisionDigest,
			WayBack: in.InService, Back: in.Back, Fenced: in.Release.Spec.Fenced, Clusters: []ClusterPlan{},
		},
		Renderings: map[string]map[string]deliveryv1.RenderingSpec{},
	}
	if in.Placement != nil {
		out.Document.Placement, out.Document.PlacementDigest = in.Placement.Name, in.Placement.Spec.Digest
	}
	clusters := map[string]bool{}
	for name := range in.Running {
		clusters[name] = true
	}
	for name := range in.Rendered {
		clusters[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(clusters)) {
		plan, touched, err := drawCluster(in, name, &out)
		if err != nil {
			return Drawn{}, fmt.Errorf("could not draw the plan of release %q for cluster %q: %w", in.Release.Name, name, err)
		}
		if touched {
			out.Document.Clusters = append(out.Document.Clusters, plan)
		}
	}
	out.Document.Batches = []Batch{{Number: 0, Steps: stepsOf(out.Document)}}
	return out, nil
}

func drawCluster(in Drawing, cluster string, out *Drawn) (ClusterPlan, bool, error) {
	running, runs := in.Running[cluster]
	plan := ClusterPlan{Cluster: cluster, Namespace: cmp.Or(running.spec().Namespace, in.MemberNamespace)}
	rendered, wanted := in.Rendered[cluster]
	switch {
	case in.Release.Spec.Kind == releasev1.KindRestart:
		plan.Restarts = in.Restarts[cluster]
		return plan, len(plan.Restarts) > 0, nil
	case in.Release.Spec.Kind == releasev1.KindRetire || !wanted:
		plan.Retire = true
		plan.Leaving = running.spec().Workloads
		return plan, runs, nil
	}
	plan.Lacks = rendered.Lacks
	if err := drawWorkloads(in, cluster, rendered, &plan, out); err != nil {
		return plan, false, err
	}
	shared, err := out.store(cluster, in.MemberNamespace, rendered.Shared)
	if err != nil {
		return plan, false, err
	}
	plan.Shared = []deliveryv1.RenderingReference{shared}
	if between := Bridge(running.shared(), rendered.Shared); len(plan.Leaving) > 0 && len(between) > len(rendered.Shared) {
		reference, err := out.store(cluster, in.MemberNamespace, between)
		if err != nil {
			return plan, false, err
		}
		plan.Between = []deliveryv1.RenderingReference{reference}
	}
	return plan, true, nil
}

func drawWorkloads(in Drawing, cluster string, rendered Rendered, plan *ClusterPlan, out *Drawn) error {
	running := in.Running[cluster]
	for _, w := range running.spec().Workloads {
		if !slices.ContainsFunc(rendered.Workloads, func(r RenderedWorkload) bool { return r.Name == w.Name }) {
			plan.Leaving = append(plan.Leaving, w)
		}
	}
	for _, r := range rendered.Workloads {
		assigned := assignment(in.Placement, r.Component, r.Cell)
		if assigned == nil || len(assigned.Seats) == 0 {
			return fmt.Errorf("component %q was rendered for cell %q, where nothing is placed", r.Component, r.Cell.Key())
		}
		w := deliveryv1.Workload{
			Name: r.Name, Kind: r.Kind, Component: r.Component, Template: r.Template, Cell: r.Cell,
			Replicas: int32(len(assigned.Seats)), Seats: assigned.Seats,
		}
		if r.Share != nil {
			w.Replicas = min(max(running.instances(w), r.Share.Min), r.Share.Max)
		}
		if oneCell(w) {
			w.Seats = nil
		}
		reference, err := out.store(cluster, in.MemberNamespace, running.keep(w, plan.Leaving, r.Objects))
		if err != nil {
			return err
		}
		w.Rendering = reference
		plan.Workloads = append(plan.Workloads, w)
	}
	slices.SortFunc(plan.Workloads, func(a, b deliveryv1.Workload) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// keep puts objects that run into the place of newly rendered ones, whatever a
// newer Fairway or member would make of them:
//
//   - the workload object itself if template and cell are the same, so that its
//     pods are not touched. What stands beside it, such as the bounds of an
//     autoscaler and files that are reloaded in place, is new;
//   - what a leaving workload uses too, such as files named by their content:
//     both are applied side by side, and one object cannot be two.
func (r Running) keep(w deliveryv1.Workload, leaving []deliveryv1.Workload, rendered []Object) []Object {
	var kept []Object
	for _, l := range leaving {
		kept = append(kept, r.Objects[l.Rendering.Name]...)
	}
	if is := workload(r.spec().Workloads, w.Name); is != nil && is.Kind == w.Kind && is.Template == w.Template && is.Cell == w.Cell {
		for _, o := range r.Objects[is.Rendering.Name] {
			if o["kind"] == w.Kind {
				kept = append(kept, o)
			}
		}
	}
	out := slices.Clone(rendered)
	for i, o := range out {
		if j := slices.IndexFunc(kept, func(k Object) bool { return identity(k) == identity(o) }); j >= 0 {
			out[i] = kept[j]
		}
	}
	return out
}

// instances counts what runs of a component in a cell, of whatever template.
func (r Running) instances(w deliveryv1.Workload) int32 {
	var n int32
	if r.Delivery != nil {
		for _, st := range r.Delivery.Status.Workloads {
			if st.Component == w.Component && st.Cell == w.Cell {
				n += st.Instances
			}
		}
	}
	return n
}

func assignment(p *placementv1.Placement, component string, cell placementv1.Cell) *placementv1.Assignment {
	if p == nil {
		return nil
	}
	for i := range p.Spec.Assignments {
		if a := &p.Spec.Assignments[i]; a.Component == component && a.Cell == cell {
			return a
		}
	}
	return nil
}

// store keeps objects as a Rendering and returns its reference.
func (d *Drawn) store(cluster, namespace string, objects []Object) (deliveryv1.RenderingReference, error) {
	content, err := canonical.JSON(objects)
	if err != nil {
		return deliveryv1.RenderingReference{}, err
	}
	digest := canonical.Digest(content)
	reference := deliveryv1.RenderingReference{Name: renderingName(namespace, canonical.Short(digest, digits)), Digest: digest}
	if d.Renderings[cluster] == nil {
		d.Renderings[cluster] = map[string]deliveryv1.RenderingSpec{}
	}
	d.Renderings[cluster][reference.Name] = deliveryv1.RenderingSpec{Content: content, Digest: digest}
	return reference, nil
}

func stepsOf(d Document) []string {
	var steps []string
	for _, name := range []string{"bring", "drain", "clear", "restart", "retire"} {
		for _, c := range d.Clusters {
			is := map[string]bool{
				"bring": len(c.Workloads) > 0, "drain": len(c.Leaving) > 0 && d.Kind != releasev1.KindRetire, "clear": len(c.Leaving) > 0 && !c.Retire,
				"restart": len(c.Restarts) > 0, "retire": c.Retire,
			}
			if is[name] {
				steps = append(steps, name+" "+c.Cluster)
			}
		}
	}
	return append([]string{}, steps...)
}

// Bridge returns the shared objects while old and new instances stand side by
// side: the new ones, and after them what only the old ones need. Of a network
// policy that changes both stay, the old one under another name: policies add
// up, so that both old and new instances keep every flow they have.
func Bridge(old, now []Object) []Object {
	out := slices.Clone(now)
	for _, o := range old {
		i := slices.IndexFunc(now, func(n Object) bool { return identity(n) == identity(o) })
		switch {
		case i < 0 && o["kind"] != "Namespace":
			out = append(out, o)
		case i >= 0 && o["kind"] == "NetworkPolicy" && !sameObject(o, now[i]):
			out = append(out, renamed(o, "-leaving"))
		}
	}
	return out
}

// sameObject compares by canonical text: numbers that were read and numbers that
// were rendered differ in their Go type.
func sameObject(a, b Object) bool {
	x, errX := canonical.JSON(a)
	y, errY := canonical.JSON(b)
	return errX == nil && errY == nil && x == y
}

func identity(o Object) [4]string {
	metadata, _ := o["metadata"].(map[string]any)
	text := func(v any) string { s, _ := v.(string); return s }
	return [4]string{text(o["apiVersion"]), text(o["kind"]), text(metadata["namespace"]), text(metadata["name"])}
}

func renamed(o Object, suffix string) Object {
	out := maps.Clone(o)
	metadata, _ := o["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	name, _ := metadata["name"].(string)
	metadata["name"] = name + suffix
	out["metadata"] = metadata
	return out
}
