// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package releasetest gives tests of Releases a member that delivers at once, and
// builders of Releases.
package releasetest

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// Member stands in for a member cluster and its delivery controller: what a
// Delivery says runs at once, unless the member is told otherwise.
type Member struct {
	// Away members observe nothing.
	Away bool
	// Broken says, by component, why new instances of it do not answer.
	Broken map[string]string
	// Lingering keeps old instances leaving until it is false.
	Lingering bool

	// well remembers workloads that answered before their component broke.
	well map[string]bool
}

// Deliver writes the status that the member's delivery controller would write.
func (m *Member) Deliver(d *deliveryv1.Delivery) {
	if m.Away {
		return
	}
	if m.well == nil {
		m.well = map[string]bool{}
	}
	before := d.Status.Workloads
	d.Status.ObservedGeneration = d.Generation
	d.Status.Workloads, d.Status.Troubled = nil, nil
	for _, w := range d.Spec.Workloads {
		d.Status.Workloads = append(d.Status.Workloads, m.run(d, w, before))
	}
	d.Status.Restarted = nil
	for _, r := range d.Spec.Restarts {
		d.Status.Restarted = append(d.Status.Restarted, r.UID)
	}
	if d.Spec.Intent == "Retire" {
		d.Status.Workloads = nil
	}
	d.Status.ObservedRelease, d.Status.ObservedRevision = d.Spec.Release, d.Spec.Revision
	meta.SetStatusCondition(&d.Status.Conditions, metav1.Condition{
		Type: deliveryv1.ConditionApplied, Status: metav1.ConditionTrue, Reason: "Applied", ObservedGeneration: d.Generation,
	})
}

func (m *Member) run(d *deliveryv1.Delivery, w deliveryv1.Workload, before []deliveryv1.WorkloadStatus) deliveryv1.WorkloadStatus {
	st := deliveryv1.WorkloadStatus{
		Name: w.Name, Component: w.Component, Template: w.Template, Cell: w.Cell,
		Instances: w.Replicas, Updated: w.Replicas, Ready: w.Replicas,
	}
	identity := w.Name + " " + w.Template
	switch why, broken := m.Broken[w.Component]; {
	case !broken:
		m.well[identity] = true
	case !m.well[identity] && w.Replicas > 0:
		st.Ready = 0
		d.Status.Troubled = append(d.Status.Troubled, deliveryv1.TroubledInstance{Seat: w.Component + "-0", State: "CrashLoopBackOff", Message: why})
	}
	if i := slices.IndexFunc(before, func(b deliveryv1.WorkloadStatus) bool { return b.Name == w.Name }); m.Lingering && i >= 0 && before[i].Instances+before[i].Leaving > w.Replicas {
		st.Leaving = before[i].Instances + before[i].Leaving - w.Replicas
	}
	return st
}

// New returns a Release that deploys a revision of application mobile-bank in
// retail-prod.
func New(name, revision string, change ...func(*releasev1.Release)) *releasev1.Release {
	r := &releasev1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name},
		Spec: releasev1.ReleaseSpec{
			Application: "mobile-bank", Kind: releasev1.KindDeploy, Revision: revision,
			Reason: "a test", Requester: "li.na", Desired: "Run",
		},
	}
	for _, c := range change {
		c(r)
	}
	return r
}

// Retire makes it a Release that takes the application out of service.
func Retire(r *releasev1.Release) {
	r.Spec.Kind, r.Spec.Revision = releasev1.KindRetire, ""
}

// Rollback makes it a Release that brings an earlier revision back.
func Rollback(r *releasev1.Release) { r.Spec.Kind = releasev1.KindRollback }

// Restart makes it a Release that restarts the instances of seats.
func Restart(seats ...string) func(*releasev1.Release) {
	return func(r *releasev1.Release) {
		r.Spec.Kind, r.Spec.Revision, r.Spec.Seats = releasev1.KindRestart, "", seats
	}
}
