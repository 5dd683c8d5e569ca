// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package proof

import (
	"context"
	"slices"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
)

// ProveAmendment sets the proof of an Amendment that is about to be made under its name.
// The caller is certain that its author says exactly this now.
func (k *Keys) ProveAmendment(ctx context.Context, a *identityv1.Amendment) (err error) {
	a.Spec.Proof, err = k.prove(ctx, ofAmendment(a))
	return err
}

// ProveConfirmation sets the proof of a Confirmation that is about to be made under its
// name. The caller is certain that its author says exactly this now.
func (k *Keys) ProveConfirmation(ctx context.Context, c *identityv1.Confirmation) (err error) {
	c.Spec.Proof, err = k.prove(ctx, ofConfirmation(c))
	return err
}

// Amendment says whether an Amendment carries a proof that holds.
func (k *Keys) Amendment(ctx context.Context, a *identityv1.Amendment) (approval.Proof, error) {
	return k.check(ctx, a.Spec.Proof, ofAmendment(a), a.CreationTimestamp)
}

// Confirmation says whether a Confirmation carries a proof that holds.
func (k *Keys) Confirmation(ctx context.Context, c *identityv1.Confirmation) (approval.Proof, error) {
	return k.check(ctx, c.Spec.Proof, ofConfirmation(c), c.CreationTimestamp)
}

func ofAmendment(a *identityv1.Amendment) said {
	spec := *a.Spec.DeepCopy()
	spec.Proof = ""
	slices.Sort(spec.Groups)
	return said{Kind: "Amendment", Name: a.Name, Spec: spec}
}

func ofConfirmation(c *identityv1.Confirmation) said {
	spec := *c.Spec.DeepCopy()
	spec.Proof = ""
	slices.Sort(spec.Groups)
	return said{Kind: "Confirmation", Name: c.Name, Spec: spec}
}
