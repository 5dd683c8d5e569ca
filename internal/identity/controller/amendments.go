// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Amendments carries out what two people agreed to. It is the controller
// identity.amendments.
type Amendments struct {
	// Hub writes the status.
	Hub client.Client
	// Cases are read past every cache, at each use.
	Cases *amendments.Reader
	// Hands carry items out.
	Hands *amendments.Hands
	// Policies says whether the hub's policies are those that were built, on which
	// rests that author and second are who they say; why not in a sentence.
	Policies func() (whole bool, why string)
	// Recorder keeps the evidence. FailClosed: who is who does not change unrecorded.
	Recorder audit.Recorder
}

// again is how soon the hub's policies are looked at anew.
const again = 5 * time.Second

// SetupWithManager adds the controller identity.amendments.
func (r *Amendments) SetupWithManager(mgr ctrl.Manager) error {
	about := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		said, ok := o.(*identityv1.Confirmation)
		if !ok {
			return nil
		}
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: said.Spec.Amendment}}}
	})
	return ctrl.NewControllerManagedBy(mgr).Named("identity.amendments").
		For(&identityv1.Amendment{}).
		Watches(&identityv1.Confirmation{}, about).
		Complete(r)
}

// Reconcile judges an Amendment and carries it out where two agreed.
func (r *Amendments) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	a := &identityv1.Amendment{}
	if err := r.Cases.Direct.Get(ctx, request.NamespacedName, a); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if over(a) {
		return ctrl.Result{}, nil
	}
	before := a.DeepCopy()
	seen, err := r.Cases.Case(ctx, a)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := r.Cases.Now()
	j := identity.JudgeAmendment(seen, now)
	a.Status.Digest = j.Digest
	tellAmendment(a, string(j.State), j.Message, now)
	var result ctrl.Result
	switch j.State {
	case identity.AmendmentWaiting, identity.AmendmentInvalid:
		// Who may not now may later, for as long as it holds.
		if left := a.CreationTimestamp.Add(identity.AmendmentHolds).Sub(now); left > 0 {
			result.RequeueAfter = left + time.Second
		}
	case identity.AmendmentAgreed:
		if whole, why := r.Policies(); !whole {
			tellAmendment(a, identityv1.ReasonAgreed, j.Message+"; it waits, because "+why, now)
			result.RequeueAfter = again
			break
		}
		err = r.carryOut(ctx, before, a, j)
		if err != nil {
			return patch.Settle(ctrl.Result{}, err)
		}
		return ctrl.Result{}, nil
	}
	return patch.Settle(result, patch.Status(ctx, r.Hub, before, a))
}

// over says that nothing of an Amendment will ever be done any more. It is Fairway's own
// word, and it only ever keeps something from being done.
func over(a *identityv1.Amendment) bool {
	if a.Status.EndedAt != nil {
		return true
	}
	ready := meta.FindStatusCondition(a.Status.Conditions, identityv1.ConditionReady)
	return ready != nil && (ready.Reason == identityv1.ReasonRefused || ready.Reason == identityv1.ReasonRunOut)
}

// carryOut claims the Amendment, then carries out its items in their order. Killed at any
// point it goes on where it was: what was done is recognised by the stamp on it.
func (r *Amendments) carryOut(ctx context.Context, before, a *identityv1.Amendment, j identity.AmendmentJudgement) error {
	now := metav1.NewTime(r.Cases.Now())
	resumed := a.Status.StartedAt != nil
	if !resumed {
		moved, err := r.lookAll(ctx, a)
		if err != nil {
			return err
		}
		if len(moved) > 0 {
			a.Status.EndedAt, a.Status.Left = &now, moved
			tellAmendment(a, identityv1.ReasonMoved, "nothing was written: "+moved[0]+"; propose it again", now.Time)
			return patch.Status(ctx, r.Hub, before, a)
		}
		// Whoever writes this carries it out; another replica gets a conflict.
		a.Status.StartedAt, a.Status.AgreedBy = &now, j.AgreedBy
		if err := patch.Status(ctx, r.Hub, before, a); err != nil {
			return err
		}
	}
	claimed := a.DeepCopy()
	for i, item := range a.Spec.Items {
		moved, err := r.one(ctx, a, item, j, resumed)
		if err != nil {
			return fmt.Errorf("could not carry out amendment %q: %w", a.Name, err)
		}
		if moved == "" {
			continue
		}
		a.Status.Left = append(a.Status.Left, moved)
		for _, left := range a.Spec.Items[i+1:] {
			a.Status.Left = append(a.Status.Left, fmt.Sprintf("%s %s %s was not begun", left.Act, left.Kind, left.Name))
		}
		break
	}
	ended := metav1.NewTime(r.Cases.Now())
	a.Status.EndedAt = &ended
	if len(a.Status.Left) > 0 {
		tellAmendment(a, identityv1.ReasonMoved, fmt.Sprintf("%d of %d changes were not made: %s; propose them again", len(a.Status.Left), len(a.Spec.Items), a.Status.Left[0]), ended.Time)
	} else {
		tellAmendment(a, identityv1.ReasonCarriedOut, j.Message+", and carried out", ended.Time)
	}
	return patch.Status(ctx, r.Hub, claimed, a)
}

// lookAll looks at everything before the first write, so that what moved keeps all of it
// from being done.
func (r *Amendments) lookAll(ctx context.Context, a *identityv1.Amendment) ([]string, error) {
	var all []string
	for _, item := range a.Spec.Items {
		_, moved, err := r.Hands.Look(ctx, a, item)
		if err != nil {
			return nil, err
		}
		if moved != "" {
			all = append(all, moved)
		}
	}
	return all, nil
}

// one carries out one item with its evidence, which names both people. What an earlier
// run did before it was killed is recorded as found.
func (r *Amendments) one(ctx context.Context, a *identityv1.Amendment, item identityv1.AmendmentItem, j identity.AmendmentJudgement, resumed bool) (moved string, err error) {
	found := false
	if resumed {
		if found, _, err = r.Hands.Look(ctx, a, item); err != nil {
			return "", err
		}
	}
	subject := item.Kind + "/" + item.Name
	if item.Kind == identity.KindAccount {
		subject = item.Kind + "//" + item.Name // as the acts of its owner call it
	}
	act := audit.Act{
		Verb: "identity.amend", Person: j.Author, Subject: subject, From: "amendment", Class: audit.ClassApproval,
		Approval: "Amendment/" + a.Name, Ticket: a.Spec.Ticket,
		Reason:  fmt.Sprintf("%s; proposed by %s, agreed to by %s", a.Spec.Reason, j.Author, j.AgreedBy),
		Verdict: j.Message, Details: []string{"Amendment digest " + j.Digest, "Confirmation " + j.Confirmation},
	}
	act.Details = append(act.Details, identity.Explain(item)...)
	if item.Before != nil {
		act.Before = canonical.Digest(item.Before.Content)
	}
	if item.Content != "" {
		act.After = canonical.Digest(item.Content)
	}
	if found && item.Kind != identity.KindAccount {
		act.Details = append(act.Details, "it was written before an interruption, and found now")
	}
	end, _, err := audit.Begin(ctx, r.Recorder, audit.FailClosed, act)
	if err != nil {
		return "", err
	}
	moved, err = r.Hands.Carry(ctx, a, item, amendments.Pair{Author: j.Author, Second: j.AgreedBy})
	outcome := audit.Outcome{Result: audit.Done}
	switch {
	case err != nil:
		outcome = audit.Outcome{Result: audit.Failed, Message: "the hub or the database did not answer; it is tried again"}
	case moved != "":
		outcome = audit.Outcome{Result: audit.Refused, Message: moved}
	}
	return moved, errors.Join(err, end(ctx, outcome))
}

// tellAmendment writes the conditions.
func tellAmendment(a *identityv1.Amendment, reason, message string, now time.Time) {
	set := func(kind string, holds bool) {
		value := metav1.ConditionFalse
		if holds {
			value = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&a.Status.Conditions, metav1.Condition{
			Type: kind, Status: value, Reason: reason, Message: message, ObservedGeneration: a.Generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
	set(identityv1.ConditionReady, reason == identityv1.ReasonCarriedOut)
	set(identityv1.ConditionStalled, reason != identityv1.ReasonCarriedOut && reason != identityv1.ReasonAgreed && reason != identityv1.ReasonWaiting)
}
