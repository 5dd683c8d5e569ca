// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/outbox"
)

// AnnotationTicket is where a request carries the ticket of the system that was asked.
const AnnotationTicket = "approval.fairway.cloud/itsm-ticket"

// Asking sees to it that each request whose policy asks a system reaches it, and
// that the system learns when the request is closed.
type Asking struct {
	Hub     client.Client
	Outbox  *outbox.Outbox
	Systems []System
	Clock   clock.WithTicker
	Log     *slog.Logger
}

// closedWorth is how long a system is told that a request was closed.
const closedWorth = 7 * 24 * time.Hour

// queue of a system.
func queue(system string) string { return "itsm/" + system }

// Reconcile puts into the outbox what the request's state calls for. What is there
// already stays as it is, so that it may run at any time and any number of times.
func (a *Asking) Reconcile(ctx context.Context, r *approvalv1.ApprovalRequest) (ctrl.Result, error) {
	name, err := asked(r)
	if err != nil {
		// Nobody can repair what was frozen: the Gate refuses the request as well.
		return ctrl.Result{}, reconcile.TerminalError(err)
	}
	if !slices.ContainsFunc(a.Systems, func(s System) bool { return s.Name == name }) {
		return ctrl.Result{}, nil
	}
	outcome := closed(r)
	if outcome == "" {
		return ctrl.Result{}, a.put(ctx, name, Asked, "", r)
	}
	state, _, found, err := a.Outbox.StateOf(ctx, queue(name), messageID(r, Asked))
	if err != nil || !found {
		return ctrl.Result{}, err // what was never asked needs no closing
	}
	if state == outbox.Waiting {
		if err := a.Outbox.Drop(ctx, queue(name), messageID(r, Asked), "the request is closed: "+outcome, a.Clock.Now()); err != nil {
			return ctrl.Result{}, err
		}
	}
	// A message that waits may have arrived without our knowing: closing is sent in any case.
	return ctrl.Result{}, a.put(ctx, name, Closed, outcome, r)
}

// asked returns the system that the request's policy asks. Empty: none.
func asked(r *approvalv1.ApprovalRequest) (string, error) {
	policy := approvalv1.ApprovalPolicySpec{}
	if err := canonical.Verify(r.Spec.Policy.Content, r.Spec.Policy.Digest); err != nil {
		return "", fmt.Errorf("could not read the policy of request %q: %w", r.Name, err)
	}
	if err := json.Unmarshal([]byte(r.Spec.Policy.Content), &policy); err != nil {
		return "", fmt.Errorf("could not read the policy of request %q: %w", r.Name, err)
	}
	if policy.External == nil || r.Spec.Policy.Standing == approvalv1.StandingAutomatic {
		return "", nil
	}
	return policy.External.System, nil
}

// closed says how the request ended. Empty: it is open.
func closed(r *approvalv1.ApprovalRequest) string {
	for _, condition := range []string{approvalv1.ConditionVoid, approvalv1.ConditionRejected, approvalv1.ConditionExpired, approvalv1.ConditionUsed} {
		if meta.IsStatusConditionTrue(r.Status.Conditions, condition) {
			return condition
		}
	}
	if !r.DeletionTimestamp.IsZero() {
		return "Deleted"
	}
	return ""
}

func (a *Asking) put(ctx context.Context, system string, event Event, outcome string, r *approvalv1.ApprovalRequest) error {
	body, err := json.Marshal(noticeOf(system, event, outcome, r))
	if err != nil {
		return fmt.Errorf("could not write request %q for system %q: %w", r.Name, system, err)
	}
	m := outbox.Message{Queue: queue(system), ID: messageID(r, event), Body: body}
	if event == Asked {
		m.Until = r.Spec.DecideBy.Time
	} else {
		m.Until = a.Clock.Now().Add(closedWorth)
	}
	added, err := a.Outbox.Put(ctx, m, a.Clock.Now())
	if added {
		a.Log.Info("a system of the bank is told of a request", "request", r.Namespace+"/"+r.Name, "system", system, "event", string(event))
	}
	return err
}

// Workers send what the outbox holds, one for each system.
func (a *Asking) Workers() []*outbox.Worker {
	var out []*outbox.Worker
	for _, s := range a.Systems {
		out = append(out, &outbox.Worker{Outbox: a.Outbox, Queue: queue(s.Name), Clock: a.Clock, Log: a.Log,
			Send: func(ctx context.Context, m outbox.Message) (string, error) { return a.send(ctx, s, m) }})
	}
	return out
}

func (a *Asking) send(ctx context.Context, s System, m outbox.Message) (string, error) {
	notice := Notice{}
	if err := json.Unmarshal(m.Body, &notice); err != nil {
		return "", fmt.Errorf("could not read message %q: %w: %w", m.ID, err, outbox.ErrHopeless)
	}
	answer, err := s.Target.Post(ctx, PurposeRequest, m.ID, m.Body)
	if err != nil {
		return "", err
	}
	ticket := ticketOf(answer)
	if ticket == "" || notice.Event != Asked {
		return ticket, nil
	}
	return ticket, a.noteTicket(ctx, notice.Request, ticket)
}

// noteTicket writes the system's ticket onto the request, for whoever looks at it.
func (a *Asking) noteTicket(ctx context.Context, about Request, ticket string) error {
	r := &approvalv1.ApprovalRequest{}
	err := a.Hub.Get(ctx, client.ObjectKey{Namespace: about.Namespace, Name: about.Name}, r)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("could not note ticket %q: %w", ticket, err)
	}
	if err != nil || string(r.UID) != about.UID || r.Annotations[AnnotationTicket] == ticket {
		return nil
	}
	before := r.DeepCopy()
	if r.Annotations == nil {
		r.Annotations = map[string]string{}
	}
	r.Annotations[AnnotationTicket] = ticket
	if err := a.Hub.Patch(ctx, r, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("could not note ticket %q: %w", ticket, err)
	}
	return nil
}

// SetupWithManager registers the controller and the workers.
func (a *Asking) SetupWithManager(mgr ctrl.Manager) error {
	var errs []error
	for _, w := range a.Workers() {
		errs = append(errs, mgr.Add(w))
	}
	errs = append(errs, ctrl.NewControllerManagedBy(mgr).Named("approval.itsm").For(&approvalv1.ApprovalRequest{}).
		Complete(reconcile.AsReconciler(mgr.GetClient(), a)))
	return errors.Join(errs...)
}
