// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
)

// ErrOtherVerdict says that the system said something else under the same id. It
// sends a new verdict under a new one.
var ErrOtherVerdict = errors.New("another verdict has that id")

// ErrNotCounted says that the verdict would not count: of whom it names, or of how
// far the request is. The words after it say why.
var ErrNotCounted = errors.New("it would not count")

// Deliverer makes what counts out of a verdict. again says that it was made before.
type Deliverer interface {
	Deliver(ctx context.Context, v Verdict) (decision string, again bool, err error)
}

// Decisions makes a Decision out of a verdict, as Fairway's own account.
type Decisions struct {
	Hub client.Client
	// Refusal says why a Decision would not count; "" where it would. Nil: nobody is
	// asked before the Gate, which judges it at each use anyway.
	Refusal func(ctx context.Context, decision *approvalv1.Decision) (string, error)
	// Proofs makes and checks the proof that the server made a Decision.
	Proofs Proofs
}

// Proofs makes and checks proofs of Decisions.
type Proofs interface {
	ProveDecision(ctx context.Context, decision *approvalv1.Decision) error
	Decision(ctx context.Context, decision *approvalv1.Decision) (approval.Proof, error)
}

// Deliver implements Deliverer. The Decision's name comes from the verdict's id,
// so that the hub itself refuses to take it twice.
func (d Decisions) Deliver(ctx context.Context, v Verdict) (decision string, again bool, err error) {
	comment := v.Comment
	if comment == "" && v.Verdict == approvalv1.VerdictReject {
		comment = "rejected under " + v.Ticket
	}
	made := &approvalv1.Decision{
		ObjectMeta: metav1.ObjectMeta{Namespace: v.Namespace, Name: decisionName(v)},
		Spec: approvalv1.DecisionSpec{
			Request: v.Request, Digest: v.Digest, Verdict: v.Verdict, Comment: comment, Ticket: v.Ticket,
			Author: approval.OutsideAuthor + v.System, OnBehalfOf: v.Actor,
		},
	}
	if found, err := d.made(ctx, made); found || err != nil {
		return made.Name, found, err
	}
	if d.Refusal != nil {
		why, err := d.Refusal(ctx, made)
		if err != nil {
			return "", false, fmt.Errorf("could not find out whether the verdict counts: %w", err)
		}
		if why != "" {
			return "", false, fmt.Errorf("%w: %s", ErrNotCounted, why)
		}
	}
	if err := d.Proofs.ProveDecision(ctx, made); err != nil {
		return "", false, fmt.Errorf("could not prove the decision on request %q: %w", v.Request, err)
	}
	err = d.Hub.Create(ctx, made.DeepCopy())
	if apierrors.IsAlreadyExists(err) { // another replica was faster
		_, err := d.made(ctx, made)
		return made.Name, true, err
	}
	if err != nil {
		return "", false, fmt.Errorf("could not write the decision on request %q: %w", v.Request, err)
	}
	return made.Name, false, nil
}

// made says whether the Decision is there already. Another one of its name is
// ErrOtherVerdict.
func (d Decisions) made(ctx context.Context, want *approvalv1.Decision) (bool, error) {
	there := &approvalv1.Decision{}
	err := d.Hub.Get(ctx, client.ObjectKeyFromObject(want), there)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("could not read the decision on request %q: %w", want.Spec.Request, err)
	}
	a, b := there.Spec, want.Spec
	if a.Request != b.Request || a.Digest != b.Digest || a.Verdict != b.Verdict || a.Comment != b.Comment ||
		a.Ticket != b.Ticket || a.Author != b.Author || a.OnBehalfOf != b.OnBehalfOf {
		return false, ErrOtherVerdict
	}
	// Somebody on the hub may have written it in the system's name: the system's own
	// word then comes under another id.
	proof, err := d.Proofs.Decision(ctx, there)
	if err != nil {
		return false, fmt.Errorf("could not check the decision on request %q: %w", want.Spec.Request, err)
	}
	if !proof.Holds {
		return false, ErrOtherVerdict
	}
	return true, nil
}

func decisionName(v Verdict) string {
	sum := sha256.Sum256([]byte(v.System + "\n" + v.ID))
	return v.System + "-" + hex.EncodeToString(sum[:10])
}
