// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/release"
)

// carryOut does what was decided. Steps of different clusters do not wait for one
// another; of everything else the first failure ends the round.
func (r *Reconciler) carryOut(ctx context.Context, rel *releasev1.Release, s release.Seen, actions []release.Action) error {
	var errs []error
	for _, action := range actions {
		err := r.act(ctx, rel, s, action)
		errs = append(errs, err)
		if _, step := action.(release.Step); err != nil && !step {
			break
		}
	}
	return errors.Join(errs...)
}

func (r *Reconciler) act(ctx context.Context, rel *releasev1.Release, s release.Seen, action release.Action) error {
	switch a := action.(type) {
	case release.Claim:
		return r.claim(ctx, rel, s.Application, a)
	case release.Place:
		return r.place(ctx, rel)
	case release.Render:
		return r.render(ctx, rel, s)
	case release.Start:
		return r.start(ctx, rel, s)
	case release.Step:
		return r.step(ctx, rel, s, a)
	case release.Forget:
		return r.forget(ctx, rel, s, a)
	case release.Complete:
		now := metav1.NewTime(r.Clock.Now())
		rel.Status.CompletedAt = &now
		return nil
	case release.FreeRoom:
		return r.Placer.Free(ctx, rel.Namespace, rel.Spec.Application, a.Keep)
	case release.HandBack:
		return r.handBack(ctx, rel, s, a)
	}
	return fmt.Errorf("could not %s: nobody knows how", action)
}

// start asks the Gate for the whole plan.
func (r *Reconciler) start(ctx context.Context, rel *releasev1.Release, s release.Seen) error {
	evidence := audit.Act{After: rel.Status.PlanDigest}
	if rel.Spec.Fenced != "" {
		evidence.Details = []string{"old hosts are cut off, as the requester says: " + rel.Spec.Fenced}
	}
	return r.guarded(ctx, rel, s, approval.Act{Verb: "release.start", Subject: subject("Release", rel)}, evidence, func(context.Context) error {
		now := metav1.NewTime(r.Clock.Now())
		rel.Status.StartedAt, rel.Status.ProgressedAt = &now, &now
		return nil
	})
}

// held refuses a step of what somebody stopped, or of what a brake holds.
func (r *Reconciler) held(ctx context.Context, rel *releasev1.Release) error {
	if r.Stops != nil && r.Stops.Holds(rel) {
		return &release.Refusal{Reason: releasev1.ReasonRefused, Message: "somebody stopped it while the hub was away: that is written before any step is taken"}
	}
	if r.Brakes != nil {
		if why := r.Brakes.Hold(ctx, rel); why != "" {
			return &release.Refusal{Reason: releasev1.ReasonRefused, Message: "automation is stopped, and no step of what it started is taken: " + why}
		}
	}
	return nil
}

// guarded asks the Gate, records the intent, acts and records the outcome. The
// way back goes on while Gate or log are away. What holds the Release is asked first, so
// that nobody is asked in vain, and again right before the act: Gate and log may take
// their time, and a brake holds from when it is set.
func (r *Reconciler) guarded(ctx context.Context, rel *releasev1.Release, s release.Seen, act approval.Act, evidence audit.Act, do func(context.Context) error) error {
	if err := r.held(ctx, rel); err != nil {
		return err
	}
	back := s.Plan != nil && s.Plan.Back
	_, act.Environment, _ = app.SplitNamespace(rel.Namespace)
	act.Release, act.Digest, act.Person, act.WayBack = rel.Namespace+"/"+rel.Name, rel.Status.PlanDigest, rel.Spec.Requester, back

	verdict, err := r.Gate.Check(ctx, act)
	switch {
	case err != nil && !back:
		return &release.Refusal{Reason: releasev1.ReasonRefused, Message: "the gate could not say whether the next step may be taken: it is asked again"}
	case err == nil && !verdict.Allowed:
		return &release.Refusal{Reason: releasev1.ReasonRefused, Message: verdict.Reason, Again: untilAgreed(rel)}
	}
	evidence.Verb, evidence.Subject, evidence.Cluster = act.Verb, act.Subject, act.Cluster
	evidence.Person, evidence.Release, evidence.Class = act.Person, act.Release, audit.ClassChange
	evidence.Application, evidence.Environment = rel.Namespace+"/"+rel.Spec.Application, act.Environment
	evidence.Approval, evidence.Verdict = verdict.Approval, verdict.Reason
	evidence.Reason, evidence.Ticket = rel.Spec.Reason, rel.Spec.Ticket

	away := audit.FailClosed
	if back {
		away = audit.FailOpen
	}
	return audit.Do(ctx, r.Recorder, away, evidence, func(ctx context.Context) error {
		if err := r.held(ctx, rel); err != nil {
			return err
		}
		return do(ctx)
	})
}

// step gives one cluster its next state.
func (r *Reconciler) step(ctx context.Context, rel *releasev1.Release, s release.Seen, a release.Step) error {
	d := s.Deliveries[a.Cluster]
	next := &deliveryv1.Delivery{ObjectMeta: metav1.ObjectMeta{
		Namespace: fleetv1.ClusterNamespacePrefix + a.Cluster, Name: a.Spec.Namespace,
		Labels: map[string]string{appv1.LabelApplication: rel.Spec.Application, fleetv1.LabelCluster: a.Cluster},
	}}
	before := ""
	if d != nil {
		next = d.DeepCopy()
		before, _ = canonical.DigestOf(d.Spec)
	}
	next.Spec = a.Spec
	after, err := canonical.DigestOf(a.Spec)
	if err != nil {
		return err
	}
	err = r.guarded(ctx, rel, s,
		approval.Act{Verb: "release.step", Subject: subject("Delivery", next), Cluster: a.Cluster},
		audit.Act{Before: before, After: after, Details: append([]string{a.String()}, a.Details...)},
		func(ctx context.Context) error {
			if err := r.Placer.Begin(ctx, rel); err != nil {
				return err
			}
			if d == nil {
				return r.Hub.Create(ctx, next)
			}
			return r.Hub.Update(ctx, next)
		})
	if err != nil {
		return fmt.Errorf("could not %s: %w", a, err)
	}
	now := metav1.NewTime(r.Clock.Now())
	rel.Status.ProgressedAt = &now
	s.Deliveries[a.Cluster] = next
	return nil
}

// forget deletes the Delivery of a cluster that holds nothing any more.
func (r *Reconciler) forget(ctx context.Context, rel *releasev1.Release, s release.Seen, a release.Forget) error {
	d := s.Deliveries[a.Cluster]
	err := r.guarded(ctx, rel, s,
		approval.Act{Verb: "release.step", Subject: subject("Delivery", d), Cluster: a.Cluster},
		audit.Act{Details: []string{a.String()}},
		func(ctx context.Context) error {
			if err := r.Placer.Begin(ctx, rel); err != nil {
				return err
			}
			return client.IgnoreNotFound(r.Hub.Delete(ctx, d, client.Preconditions{UID: &d.UID, ResourceVersion: &d.ResourceVersion}))
		})
	if err != nil {
		return fmt.Errorf("could not %s: %w", a, err)
	}
	return nil
}

// handBack writes the result into the application and gives up the claim.
func (r *Reconciler) handBack(ctx context.Context, rel *releasev1.Release, s release.Seen, a release.HandBack) error {
	before := s.Application.DeepCopy()
	after := s.Application
	after.Status.ActiveRelease, after.Status.ReleasedRevision = "", a.Released
	if rel.Spec.Kind == releasev1.KindRetire {
		after.Status.Running = nil
	}
	if err := r.Hub.Status().Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("could not %s: %w", a, err)
	}
	return nil
}

func subject(kind string, o client.Object) string {
	return kind + "/" + o.GetNamespace() + "/" + o.GetName()
}
