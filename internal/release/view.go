// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// view answers questions about what was seen, in terms of the plan.
type view struct {
	seen Seen
	plan *Document
}

func (v view) delivery(cluster string) *deliveryv1.Delivery { return v.seen.Deliveries[cluster] }

// ours reports whether a Delivery is at this Release.
func (v view) ours(d *deliveryv1.Delivery) bool {
	return d != nil && d.Spec.Release == v.plan.Release && d.Spec.ReleaseSequence == v.plan.Sequence
}

// observed reports whether the member has applied this Release's present step in
// full and said so: an old "healthy" counts for nothing.
func (v view) observed(d *deliveryv1.Delivery) bool {
	return v.ours(d) && settled(d)
}

// ready reports whether a target runs in full and answers.
func (v view) ready(p *ClusterPlan, t deliveryv1.Workload) bool {
	d := v.delivery(p.Cluster)
	if !v.observed(d) {
		return false
	}
	in := workload(d.Spec.Workloads, t.Name)
	if in == nil || in.Rendering != t.Rendering || in.Replicas < t.Replicas {
		return false
	}
	if oneCell(t) || t.Replicas == 0 {
		return true
	}
	st := counts(d, t.Name)
	return st != nil && st.Template == t.Template && st.Updated >= t.Replicas && st.Ready >= t.Replicas
}

// targetsReady reports whether every target of a sort is ready, in whatever
// cluster. found says whether there is one.
func (v view) targetsReady(of func(deliveryv1.Workload) bool) (found, ready bool) {
	ready = true
	for i := range v.plan.Clusters {
		p := &v.plan.Clusters[i]
		for _, t := range p.Workloads {
			if of(t) {
				found = true
				ready = ready && v.ready(p, t)
			}
		}
	}
	return found, found && ready
}

// mayLeave reports whether old instances may go: when every new one of the same
// component and DCN is ready; where there is none, when all that is new in the
// DCN is ready; and where there is nothing new either, when all is.
func (v view) mayLeave(w deliveryv1.Workload) bool {
	own := slotOf(w.Component, w.Cell)
	for _, of := range []func(deliveryv1.Workload) bool{
		func(t deliveryv1.Workload) bool { return slotOf(t.Component, t.Cell) == own },
		func(t deliveryv1.Workload) bool { return t.Cell.DCN == w.Cell.DCN },
		func(deliveryv1.Workload) bool { return true },
	} {
		if found, ready := v.targetsReady(of); found {
			return ready
		}
	}
	return true
}

// elsewhere reports whether a job's component still runs under another name or
// in another cluster. What was fenced runs no more, also where the cluster cannot say so
// since it is away.
func (v view) elsewhere(cluster string, t deliveryv1.Workload) bool {
	for name, d := range v.seen.Deliveries {
		if _, away := v.seen.Away[name]; away && v.plan.Fenced != "" && name != cluster {
			continue
		}
		for _, w := range d.Spec.Workloads {
			if w.Component == t.Component && oneCell(w) && (name != cluster || w.Name != t.Name) {
				return true
			}
		}
		for _, w := range d.Status.Workloads {
			if w.Component == t.Component && (name != cluster || w.Name != t.Name) && (w.Instances > 0 || w.Leaving > 0 || !settled(d)) {
				return true
			}
		}
	}
	return false
}

// settled reports whether a member has applied what its Delivery says now, in
// full, and said so.
func settled(d *deliveryv1.Delivery) bool {
	applied := find(d.Status.Conditions, deliveryv1.ConditionApplied)
	return d.Status.ObservedGeneration == d.Generation && d.Status.ObservedRelease == d.Spec.Release &&
		applied != nil && applied.Status == metav1.ConditionTrue && applied.ObservedGeneration == d.Generation
}

// gone reports whether a workload was observed to have no instance left.
func (v view) gone(d *deliveryv1.Delivery, name string) bool {
	if !v.observed(d) {
		return false
	}
	st := counts(d, name)
	return st == nil || st.Instances == 0 && st.Leaving == 0
}

// retired reports whether the member was observed to hold nothing any more.
func (v view) retired(d *deliveryv1.Delivery) bool {
	return v.observed(d) && d.Spec.Intent == "Retire" &&
		!slices.ContainsFunc(d.Status.Workloads, func(w deliveryv1.WorkloadStatus) bool { return w.Instances > 0 || w.Leaving > 0 })
}

// progress says how far each cluster is.
func (v view) progress() []releasev1.ClusterProgress {
	var all []releasev1.ClusterProgress
	for i := range v.plan.Clusters {
		p := &v.plan.Clusters[i]
		c := releasev1.ClusterProgress{Cluster: p.Cluster, Wanted: int32(len(p.Restarts))}
		for _, t := range p.Workloads {
			c.Wanted += t.Replicas
		}
		if d := v.delivery(p.Cluster); d != nil {
			v.count(p, d, &c)
		}
		c.Message = v.message(p)
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b releasev1.ClusterProgress) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return all
}

func (v view) count(p *ClusterPlan, d *deliveryv1.Delivery, c *releasev1.ClusterProgress) {
	for _, r := range p.Restarts {
		if v.observed(d) && slices.Contains(d.Status.Restarted, r.UID) {
			c.Updated++
			c.Ready++
		}
	}
	if v.plan.Kind == releasev1.KindRestart {
		return
	}
	for _, st := range d.Status.Workloads {
		t := p.workload(st.Name)
		if t == nil || st.Template != t.Template {
			c.Old += st.Instances
			continue
		}
		c.Updated += st.Updated
		c.Ready += st.Ready
		c.Old += st.Instances - st.Updated
	}
}

// message says what a cluster waits for. Empty: for nothing.
func (v view) message(p *ClusterPlan) string {
	d := v.delivery(p.Cluster)
	if why, away := v.seen.Away[p.Cluster]; away {
		return fmt.Sprintf("waits for the cluster, which is away: %s", why)
	}
	if complaint := v.complaint(d); complaint != "" {
		return complaint
	}
	if v.ours(d) && !v.observed(d) {
		return "waits for the cluster to carry out the last step"
	}
	return ""
}

// complaint is what a member needs a person for. Empty: nothing.
func (v view) complaint(d *deliveryv1.Delivery) string {
	if !v.ours(d) {
		return ""
	}
	if c := find(d.Status.Conditions, deliveryv1.ConditionStalled); c != nil && c.Status == metav1.ConditionTrue {
		return cmp.Or(c.Message, c.Reason)
	}
	return ""
}

// stalled says which clusters need a person. Empty: none.
func (v view) stalled() string {
	var all []string
	for i := range v.plan.Clusters {
		name := v.plan.Clusters[i].Cluster
		if complaint := v.complaint(v.delivery(name)); complaint != "" {
			all = append(all, fmt.Sprintf("cluster %s: %s", name, complaint))
		}
	}
	return sentence(all, "")
}

// troubles says which instances are not well, and why.
func (v view) troubles() []string {
	var all []string
	for i := range v.plan.Clusters {
		p := &v.plan.Clusters[i]
		if why, away := v.seen.Away[p.Cluster]; away {
			all = append(all, fmt.Sprintf("cluster %s is away: %s", p.Cluster, why))
		}
		d := v.delivery(p.Cluster)
		if d == nil {
			continue
		}
		for _, t := range d.Status.Troubled {
			all = append(all, fmt.Sprintf("%s in %s: %s", t.Seat, p.Cluster, sentence(nonEmpty(t.State, t.Message), "not well")))
		}
	}
	return all
}

func nonEmpty(parts ...string) []string {
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

func find(conditions []metav1.Condition, kind string) *metav1.Condition {
	for i := range conditions {
		if conditions[i].Type == kind {
			return &conditions[i]
		}
	}
	return nil
}

func workload(list []deliveryv1.Workload, name string) *deliveryv1.Workload {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

func counts(d *deliveryv1.Delivery, name string) *deliveryv1.WorkloadStatus {
	for i := range d.Status.Workloads {
		if d.Status.Workloads[i].Name == name {
			return &d.Status.Workloads[i]
		}
	}
	return nil
}
