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
)

// outsideAuthor begins the author of a Decision that a system of the bank made.
// Only Fairway's own account writes such a Decision.
const outsideAuthor = "itsm:"

// ErrOtherVerdict says that the system said something else under the same id. It
// sends a new verdict under a new one.
var ErrOtherVerdict = errors.New("another verdict has that id")

// Deliverer makes what counts out of a verdict. again says that it was made before.
type Deliverer interface {
	Deliver(ctx context.Context, v Verdict) (decision string, again bool, err error)
}

// Decisions makes a Decision out of a verdict, as Fairway's own account.
type Decisions struct {
	Hub client.Client
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
			Author: outsideAuthor + v.System, OnBehalfOf: v.Actor,
		},
	}
	want := made.Spec
	err = d.Hub.Create(ctx, made)
	if err == nil {
		return made.Name, false, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return "", false, fmt.Errorf("could not write the decision on request %q: %w", v.Request, err)
	}
	there := &approvalv1.Decision{}
	if err := d.Hub.Get(ctx, client.ObjectKeyFromObject(made), there); err != nil {
		return "", false, fmt.Errorf("could not read the decision on request %q: %w", v.Request, err)
	}
	s := there.Spec
	if s.Request != want.Request || s.Digest != want.Digest || s.Verdict != want.Verdict || s.Comment != want.Comment ||
		s.Ticket != want.Ticket || s.Author != want.Author || s.OnBehalfOf != want.OnBehalfOf {
		return "", false, ErrOtherVerdict
	}
	return there.Name, true, nil
}

func decisionName(v Verdict) string {
	sum := sha256.Sum256([]byte(v.System + "\n" + v.ID))
	return v.System + "-" + hex.EncodeToString(sum[:10])
}
