// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

var (
	// errLookAgain says that the member changed under a step: observe and plan anew.
	errLookAgain = errors.New("the cluster changed meanwhile")
	// errGate says that the Gate did not let a destructive step happen. It is asked
	// again.
	errGate = errors.New("the step may not happen now")
)

// step is one round of writes to one member, on behalf of one Delivery.
type step struct {
	r        *Reconciler
	delivery *v1alpha1.Delivery
	member   members.Member
	asker    asker
	// record is the inventory's ConfigMap as last read or written; nil: none.
	record *corev1.ConfigMap
	// inventory as it is known by now, and as it is stored.
	inventory, stored delivery.Inventory
}

// asker is on whose behalf a step happens.
type asker struct {
	person  string
	release string // "<namespace>/<name>"
	digest  string // of the plan
}

// carryOut does what was decided, in order. The first action that fails ends the
// round; what came out of the earlier ones is stored.
func (r *Reconciler) carryOut(ctx context.Context, d *v1alpha1.Delivery, m members.Member, v view, decision *delivery.Decision) error {
	if len(decision.Actions) == 0 {
		return nil
	}
	if err := r.Fence.Check(); err != nil {
		return fmt.Errorf("could not begin to deliver %q: %w", d.Spec.Application, err)
	}
	s := &step{
		r: r, delivery: d, member: m, asker: r.askerOf(ctx, d), record: v.record,
		inventory: decision.Inventory.Clone(), stored: v.seen.Inventory.Clone(),
	}
	if err := s.foreseeEvictions(ctx, decision); err != nil {
		return err
	}
	verdict, refused := s.foresee(ctx, decision)
	if len(decision.Actions) == 0 {
		return refused
	}
	namespace, _, _ := strings.Cut(d.Spec.Application, "/")
	_, environment, _ := app.SplitNamespace(namespace)
	act := audit.Act{
		Environment: environment,
		Verb:        "delivery.step",
		Person:      s.asker.person,
		Subject:     "Delivery/" + d.Namespace + "/" + d.Name,
		Cluster:     m.Name(),
		Application: d.Spec.Application,
		Release:     s.asker.release,
		Approval:    verdict.Approval,
		Verdict:     verdict.Reason,
		After:       s.asker.digest,
	}
	for _, action := range decision.Actions {
		act.Details = append(act.Details, action.String())
	}
	away := audit.FailClosed
	if d.Spec.Way == "Back" {
		away = audit.FailOpen
	}
	err := audit.Do(ctx, r.Recorder, away, act, func(ctx context.Context) error { return s.run(ctx, decision.Actions) })
	return errors.Join(err, refused)
}

// askerOf finds the person behind the Delivery: who asked for its Release.
func (r *Reconciler) askerOf(ctx context.Context, d *v1alpha1.Delivery) asker {
	namespace, _, _ := strings.Cut(d.Spec.Application, "/")
	who := asker{person: "fairway", release: namespace + "/" + d.Spec.Release}
	release := &releasev1.Release{}
	if err := r.Hub.Get(ctx, client.ObjectKey{Namespace: namespace, Name: d.Spec.Release}, release); err != nil {
		return who // what was approved goes on without it; evidence names Fairway itself
	}
	who.person, who.digest = release.Spec.Requester, release.Status.PlanDigest
	return who
}

// foresee asks the Gate for what is destructive before anything begins, so that the
// evidence holds its verdict. What it refuses, and what comes after, is taken out of
// the round; results are still stored.
func (s *step) foresee(ctx context.Context, decision *delivery.Decision) (approval.Verdict, error) {
	var last approval.Verdict
	for i, action := range decision.Actions {
		verdict, err := s.ask(ctx, action)
		if err == nil {
			if verdict.Reason != "" {
				last = verdict
			}
			continue
		}
		kept := slices.Clone(decision.Actions[:i])
		if len(kept) > 0 {
			if end := decision.Actions[len(decision.Actions)-1]; end.Verb == delivery.WriteInventory {
				kept = append(kept, end)
			}
		}
		decision.Actions = kept
		return last, err
	}
	return last, nil
}

// foreseeEvictions takes restarts that a disruption budget does not allow now out of
// the round, so that waiting for it fills no log.
func (s *step) foreseeEvictions(ctx context.Context, decision *delivery.Decision) error {
	var kept []delivery.Action
	for _, action := range decision.Actions {
		if action.Verb == delivery.Evict {
			err := s.requestEviction(ctx, action, metav1.DryRunAll)
			if errors.Is(err, errBudget) {
				decision.Reasons = append(decision.Reasons, action.Object.String()+" is not restarted yet: its disruption budget does not allow it now")
				continue
			}
			if err != nil {
				return err
			}
		}
		kept = append(kept, action)
	}
	decision.Actions = kept
	return nil
}

// ask asks the Gate about an action. Acts that destroy nothing need no answer.
func (s *step) ask(ctx context.Context, action delivery.Action) (approval.Verdict, error) {
	verb, destructive := action.Destructive()
	if !destructive {
		return approval.Verdict{}, nil
	}
	back := s.delivery.Spec.Way == "Back"
	namespace, _, _ := strings.Cut(s.asker.release, "/")
	_, environment, _ := app.SplitNamespace(namespace) // a tenant's name may hold dashes, an environment's does not
	verdict, err := s.r.Gate.Check(ctx, approval.Act{
		Verb:        verb,
		Subject:     action.Object.Kind + "/" + action.Object.Namespace + "/" + action.Object.Name,
		Cluster:     s.member.Name(),
		Environment: environment,
		Release:     s.asker.release,
		Digest:      s.asker.digest,
		Person:      s.asker.person,
		WayBack:     back,
	})
	if err != nil && !back {
		return verdict, fmt.Errorf("could not %s %s: %w: %w", action.Verb, action.Object, errGate, err)
	}
	if err == nil && !verdict.Allowed {
		return verdict, fmt.Errorf("could not %s %s: %w: %s", action.Verb, action.Object, errGate, verdict.Reason)
	}
	return verdict, nil
}

func (s *step) run(ctx context.Context, actions []delivery.Action) error {
	if err := raiseEpoch(ctx, s.member, s.r.epoch()); err != nil {
		return err
	}
	for _, action := range actions {
		err := s.do(ctx, action)
		count(action, err)
		if err != nil {
			return errors.Join(err, s.store(ctx))
		}
	}
	return nil
}

func (r *Reconciler) epoch() int64 {
	if r.Epoch == nil {
		return 0
	}
	return r.Epoch()
}
