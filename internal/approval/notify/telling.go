// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/outbox"
)

// PurposeNotice is what the signature of a posted notice is for.
const PurposeNotice = "fairway.notice.v1"

// worth is how long a notice is worth sending.
const worth = 3 * 24 * time.Hour

// Telling puts into the outbox what people are to be told.
type Telling struct {
	Hub      client.Reader
	Outbox   *outbox.Outbox
	Settings Settings
	Clock    clock.WithTicker
	Log      *slog.Logger
}

const mailQueue = "notify/mail"

func hookQueue(name string) string { return "notify/webhook/" + name }

// Reconcile looks at the request and keeps each notice that is due. It may run at
// any time and any number of times.
func (t *Telling) Reconcile(ctx context.Context, r *approvalv1.ApprovalRequest) (ctrl.Result, error) {
	now := t.Clock.Now()
	notices, next := Due(r, t.Settings.ExpiresSoon, now)
	var errs []error
	for _, n := range notices {
		errs = append(errs, t.keep(ctx, r, n, now))
	}
	result := ctrl.Result{}
	if !next.IsZero() {
		result.RequeueAfter = max(next.Sub(now), time.Second)
	}
	return result, errors.Join(errs...)
}

func (t *Telling) keep(ctx context.Context, r *approvalv1.ApprovalRequest, n Notice, now time.Time) error {
	subject, text, err := words(t.Settings.Language, factsOf(r, n, t.Settings.Zone))
	if err != nil {
		return reconcile.TerminalError(err)
	}
	id := string(r.UID) + "/" + n.Name
	var errs []error
	for _, h := range t.Settings.Hooks {
		if len(h.Kinds) > 0 && !slices.Contains(h.Kinds, n.Kind) {
			continue
		}
		body, err := h.write(posted{Kind: n.Kind, Subject: subject, Text: text, Namespace: r.Namespace, Name: r.Name})
		if err == nil {
			_, err = t.Outbox.Put(ctx, outbox.Message{Queue: hookQueue(h.Name), ID: id, Body: body, Until: now.Add(worth)}, now)
		}
		errs = append(errs, err)
	}
	if t.Settings.Mail != nil {
		errs = append(errs, t.keepLetters(ctx, r, n, id, letter{Subject: subject, Text: text}, now))
	}
	return errors.Join(errs...)
}

// keepLetters keeps a letter for each address: one mailbox that is full holds up
// no other.
func (t *Telling) keepLetters(ctx context.Context, r *approvalv1.ApprovalRequest, n Notice, id string, l letter, now time.Time) error {
	to, err := addresses(ctx, t.Hub, t.Settings.Groups, n.To, r.Spec.Scope.Tenant, r.Spec.Scope.Environment, now)
	if err != nil {
		return err
	}
	var errs []error
	for _, address := range to {
		l.To = address
		body, err := json.Marshal(l)
		if err == nil {
			sum := sha256.Sum256([]byte(address))
			_, err = t.Outbox.Put(ctx, outbox.Message{Queue: mailQueue, ID: id + "/" + hex.EncodeToString(sum[:8]), Body: body, Until: now.Add(worth)}, now)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Workers send what the outbox holds, one for each way.
func (t *Telling) Workers() []*outbox.Worker {
	var out []*outbox.Worker
	add := func(queue string, send outbox.Send) {
		out = append(out, &outbox.Worker{Outbox: t.Outbox, Queue: queue, Send: send, Clock: t.Clock, Log: t.Log})
	}
	if t.Settings.Mail != nil {
		add(mailQueue, func(ctx context.Context, m outbox.Message) (string, error) {
			l := letter{}
			if err := json.Unmarshal(m.Body, &l); err != nil {
				return "", fmt.Errorf("could not read letter %q: %w: %w", m.ID, err, outbox.ErrHopeless)
			}
			return "", t.Settings.Mail.Send(ctx, m.ID, l)
		})
	}
	for _, h := range t.Settings.Hooks {
		add(hookQueue(h.Name), func(ctx context.Context, m outbox.Message) (string, error) {
			_, err := h.Target.Post(ctx, PurposeNotice, m.ID, m.Body)
			return "", err
		})
	}
	return out
}

// SetupWithManager registers the controller and the workers.
func (t *Telling) SetupWithManager(mgr ctrl.Manager) error {
	var errs []error
	for _, w := range t.Workers() {
		errs = append(errs, mgr.Add(w))
	}
	errs = append(errs, ctrl.NewControllerManagedBy(mgr).Named("approval.notify").For(&approvalv1.ApprovalRequest{}).
		Complete(reconcile.AsReconciler(mgr.GetClient(), t)))
	return errors.Join(errs...)
}
