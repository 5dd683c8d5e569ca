// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

// Why a verdict is not taken.
var (
	// ErrStranger: it came under an account that is no system's. Use the system's own.
	ErrStranger = errors.New("the account belongs to no system of the bank")
	// ErrUnreadable: it is not what the protocol says.
	ErrUnreadable = errors.New("the verdict cannot be read")
	// ErrNoRequest: there is no such request that asks this system.
	ErrNoRequest = errors.New("no such request asks this system")
	// ErrOtherPlan: it speaks of another plan than the request states.
	ErrOtherPlan = errors.New("the verdict is about another plan")
	// ErrClosed: the request is closed.
	ErrClosed = errors.New("the request is closed")
)

// Receiver takes verdicts of the bank's systems.
type Receiver struct {
	Systems []System
	Nonces  *Nonces
	// Requests reads ApprovalRequests from the hub itself: what was decided a moment
	// ago counts.
	Requests client.Reader
	Deliver  Deliverer
	Clock    clock.PassiveClock
}

// Receipt says what a verdict led to.
type Receipt struct {
	// Decision that it became.
	Decision string `json:"decision"`
	// Duplicate says that it had become that before.
	Duplicate bool `json:"duplicate"`
}

// Take checks a message and delivers its verdict. The order is the point: account,
// signature and time, then content, then whether it is the first time, then the
// request. Nothing is read of a message that nobody signed.
func (r *Receiver) Take(ctx context.Context, person identity.Person, header http.Header, body []byte) (Receipt, error) {
	i := slices.IndexFunc(r.Systems, func(s System) bool { return s.Account == person.ID })
	if i < 0 {
		return Receipt{}, ErrStranger
	}
	system := r.Systems[i]
	nonce, err := webhook.Verify(system.Keys, header, PurposeVerdict, body, r.Clock.Now())
	if err != nil {
		return Receipt{}, err
	}
	verdict, err := readVerdict(body)
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if verdict.System != system.Name {
		return Receipt{}, fmt.Errorf("%w: it names another system than the account's, which is %q", ErrUnreadable, system.Name)
	}
	decision, err := r.Nonces.take(ctx, system.Name, nonce, body, r.Clock.Now())
	if err != nil {
		return Receipt{}, err
	}
	if decision != "" {
		return Receipt{Decision: decision, Duplicate: true}, nil
	}
	if err := r.check(ctx, verdict); err != nil {
		return Receipt{}, err
	}
	decision, again, err := r.Deliver.Deliver(ctx, verdict)
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{Decision: decision, Duplicate: again}, r.Nonces.done(ctx, system.Name, nonce, decision)
}

// check holds the verdict against the request. The Gate does so again at each use.
func (r *Receiver) check(ctx context.Context, v Verdict) error {
	request := &approvalv1.ApprovalRequest{}
	err := r.Requests.Get(ctx, client.ObjectKey{Namespace: v.Namespace, Name: v.Request}, request)
	if apierrors.IsNotFound(err) {
		return ErrNoRequest
	}
	if err != nil {
		return fmt.Errorf("could not read request %q: %w", v.Request, err)
	}
	system, err := asked(request)
	if err != nil {
		return err
	}
	if system != v.System {
		return ErrNoRequest
	}
	if request.Spec.Digest != v.Digest {
		return ErrOtherPlan
	}
	if outcome := closed(request); outcome != "" {
		return fmt.Errorf("%w: %s", ErrClosed, strings.ToLower(outcome))
	}
	if !r.Clock.Now().Before(request.Spec.DecideBy.Time) {
		return fmt.Errorf("%w: expired", ErrClosed)
	}
	return nil
}
