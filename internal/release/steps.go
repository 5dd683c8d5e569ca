// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// steps returns what may be written now, and what the rest waits for. Both empty:
// the plan is carried out.
func (v view) steps() (actions []Action, waiting []string) {
	if v.plan.Kind == releasev1.KindRestart {
		return v.restarts()
	}
	for i := range v.plan.Clusters {
		p := &v.plan.Clusters[i]
		d := v.delivery(p.Cluster)
		if p.Retire && v.ours(d) && v.retired(d) {
			actions = append(actions, Forget{Cluster: p.Cluster})
			continue
		}
		if p.Retire && d == nil {
			continue
		}
		next := v.next(p, d)
		if step, changes := v.step(p, d, next); changes {
			actions = append(actions, step)
			continue
		}
		if why := v.unfinished(p, d); why != "" {
			waiting = append(waiting, fmt.Sprintf("cluster %s: %s", p.Cluster, why))
		}
	}
	return actions, waiting
}

// next is the state that a cluster may have now.
func (v view) next(p *ClusterPlan, d *deliveryv1.Delivery) deliveryv1.DeliverySpec {
	spec := deliveryv1.DeliverySpec{
		Application: v.plan.Application, Namespace: p.Namespace, Intent: "Run", Way: v.way(),
		Release: v.plan.Release, ReleaseSequence: v.plan.Sequence,
		Revision: v.plan.Revision, RevisionDigest: v.plan.RevisionDigest,
		Shared: p.Shared,
	}
	var present []deliveryv1.Workload
	if d != nil {
		present = d.Spec.Workloads
	}
	for _, t := range p.Workloads {
		if w, wanted := v.target(p, workload(present, t.Name), t); wanted {
			spec.Workloads = append(spec.Workloads, w)
		}
	}
	leaving := false
	for _, w := range present {
		if p.workload(w.Name) != nil {
			continue
		}
		if w, stays := v.leaving(d, w); stays {
			spec.Workloads = append(spec.Workloads, w)
			leaving = true
		}
	}
	if leaving && len(p.Between) > 0 {
		spec.Shared = p.Between
	}
	if p.Retire && d != nil {
		// What a retired cluster holds is in the member's inventory.
		spec.Shared, spec.Revision, spec.RevisionDigest = d.Spec.Shared, d.Spec.Revision, d.Spec.RevisionDigest
		if v.plan.Kind == releasev1.KindRetire || !leaving {
			spec.Intent, spec.Workloads = "Retire", nil
		}
	}
	slices.SortFunc(spec.Workloads, func(a, b deliveryv1.Workload) int { return cmp.Compare(a.Name, b.Name) })
	return spec
}

func (v view) way() string {
	if v.plan.Back {
		return "Back"
	}
	return "Forward"
}

// target is a workload of the plan as it may be now: it comes and grows at once
// and shrinks when all of its component and DCN are ready.
func (v view) target(p *ClusterPlan, present *deliveryv1.Workload, t deliveryv1.Workload) (deliveryv1.Workload, bool) {
	if oneCell(t) && present == nil && v.elsewhere(p.Cluster, t) {
		return t, false
	}
	if present != nil && present.Replicas > t.Replicas && !oneCell(t) && !v.mayLeave(t) {
		t.Replicas, t.Seats = present.Replicas, present.Seats
	}
	return t, true
}

// leaving is a workload that is not in the plan, as it may be now.
func (v view) leaving(d *deliveryv1.Delivery, w deliveryv1.Workload) (deliveryv1.Workload, bool) {
	if oneCell(w) {
		return w, false
	}
	if w.Replicas == 0 {
		return w, !v.gone(d, w.Name)
	}
	if !v.ours(d) {
		w.Revision = cmp.Or(w.Revision, d.Spec.Revision)
	}
	if v.mayLeave(w) {
		w.Replicas, w.Seats = 0, nil
	}
	return w, true
}

// step names the difference between what a Delivery says and its next state.
func (v view) step(p *ClusterPlan, d *deliveryv1.Delivery, next deliveryv1.DeliverySpec) (Step, bool) {
	s := Step{Cluster: p.Cluster, Name: "clear", Spec: next}
	if d == nil {
		s.Name = "bring"
		for _, w := range next.Workloads {
			s.say("%s comes with %s", w.Name, count(int(w.Replicas), "instance"))
		}
		return s, true
	}
	if same(d.Spec, next) {
		return s, false
	}
	if next.Intent == "Retire" {
		s.Name = "retire"
		s.say("everything of the application goes")
		return s, true
	}
	if !v.ours(d) {
		s.Name = "bring"
	}
	for _, w := range next.Workloads {
		v.compare(&s, workload(d.Spec.Workloads, w.Name), w)
	}
	for _, w := range d.Spec.Workloads {
		if workload(next.Workloads, w.Name) == nil {
			s.say("%s is removed", w.Name)
		}
	}
	if !reflect.DeepEqual(d.Spec.Shared, next.Shared) {
		s.say("shared objects change")
	}
	return s, true
}

func (v view) compare(s *Step, before *deliveryv1.Workload, after deliveryv1.Workload) {
	switch {
	case before == nil:
		s.Name = "bring"
		s.say("%s comes with %s", after.Name, count(int(after.Replicas), "instance"))
	case before.Rendering != after.Rendering:
		s.Name = "bring"
		s.say("%s changes in place", after.Name)
	case before.Replicas < after.Replicas:
		s.Name = "bring"
		s.say("%s grows from %d to %d", after.Name, before.Replicas, after.Replicas)
	case before.Replicas > after.Replicas:
		if s.Name == "clear" {
			s.Name = "drain"
		}
		s.say("%s shrinks from %d to %d", after.Name, before.Replicas, after.Replicas)
	}
}

func (s *Step) say(format string, args ...any) {
	s.Details = append(s.Details, fmt.Sprintf(format, args...))
}

// same compares specs as the API server stores them.
func same(a, b deliveryv1.DeliverySpec) bool {
	a, b = *a.DeepCopy(), *b.DeepCopy()
	for _, s := range []*deliveryv1.DeliverySpec{&a, &b} {
		s.Intent, s.Way = cmp.Or(s.Intent, "Run"), cmp.Or(s.Way, "Forward")
		slices.SortFunc(s.Workloads, func(x, y deliveryv1.Workload) int { return cmp.Compare(x.Name, y.Name) })
		for i := range s.Workloads {
			s.Workloads[i].Seats = append([]int32{}, s.Workloads[i].Seats...)
		}
		s.Shared = append([]deliveryv1.RenderingReference{}, s.Shared...)
		s.Workloads = append([]deliveryv1.Workload{}, s.Workloads...)
		s.Restarts = append([]deliveryv1.InstanceRestart{}, s.Restarts...)
	}
	return reflect.DeepEqual(a, b)
}

// unfinished says why a cluster is not done, or "". Where the member itself has
// something to say, that is why. A member that was observed to be done may be
// away afterwards.
func (v view) unfinished(p *ClusterPlan, d *deliveryv1.Delivery) string {
	why := v.lacks(p, d)
	if why == "" {
		return v.complaint(d)
	}
	return cmp.Or(v.message(p), why)
}

func (v view) lacks(p *ClusterPlan, d *deliveryv1.Delivery) string {
	if p.Retire {
		return "waits until nothing of the application is left"
	}
	if !v.observed(d) {
		return "waits for the cluster to carry out the last step"
	}
	for _, t := range p.Workloads {
		if workload(d.Spec.Workloads, t.Name) == nil {
			return fmt.Sprintf("%s waits until the old one of component %s is gone everywhere", t.Name, t.Component)
		}
		if v.ready(p, t) {
			continue
		}
		var ready int32
		if st := counts(d, t.Name); st != nil && st.Template == t.Template {
			ready = min(st.Ready, st.Updated)
		}
		return fmt.Sprintf("%d of %s of component %s are ready", ready, count(int(t.Replicas), "new instance"), t.Component)
	}
	for _, w := range d.Spec.Workloads {
		if t := p.workload(w.Name); t == nil {
			if w.Replicas > 0 {
				return fmt.Sprintf("old instances of component %s stay until the new ones are ready everywhere in their DCN", w.Component)
			}
			return fmt.Sprintf("old instances of component %s are leaving", w.Component)
		} else if w.Replicas > t.Replicas {
			return fmt.Sprintf("component %s shrinks once all of it is ready", w.Component)
		}
	}
	for _, st := range d.Status.Workloads {
		if p.workload(st.Name) == nil && st.Instances > 0 || st.Leaving > 0 {
			return fmt.Sprintf("instances of component %s are leaving", st.Component)
		}
	}
	return ""
}
