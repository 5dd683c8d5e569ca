// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cases

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
)

// Proofs says whether the server made what the hub holds, for the person whom it
// names. An error means that it could not find out.
type Proofs interface {
	Request(ctx context.Context, r *approvalv1.ApprovalRequest) (approval.Proof, error)
	Decision(ctx context.Context, d *approvalv1.Decision) (approval.Proof, error)
	Delegation(ctx context.Context, d *approvalv1.Delegation) (approval.Proof, error)
}

// Prove checks the proofs of a case's request, decisions and delegations, and of what is about
// to be written. Without anybody who can check them there are none.
func (r *Reader) Prove(ctx context.Context, c *approval.Case, coming ...approvalv1.Decision) (err error) {
	c.Proofs, c.DelegationProofs = map[string]approval.Proof{}, map[string]approval.Proof{}
	if r.Proofs == nil {
		return nil
	}
	if c.Made, err = r.Proofs.Request(ctx, c.Request); err != nil {
		return fmt.Errorf("could not find out whether request %q was made by the server: %w", c.Request.Name, err)
	}
	for _, d := range append(coming, c.Decisions...) {
		if d.CreationTimestamp.IsZero() {
			d.CreationTimestamp = metav1.NewTime(r.Now())
		}
		if c.Proofs[d.Name], err = r.Proofs.Decision(ctx, &d); err != nil {
			return fmt.Errorf("could not find out whether decision %q was made by the server: %w", d.Name, err)
		}
	}
	for i := range c.Delegations {
		d := &c.Delegations[i]
		if c.DelegationProofs[d.Name], err = r.Proofs.Delegation(ctx, d); err != nil {
			return fmt.Errorf("could not find out whether delegation %q was made by the server: %w", d.Name, err)
		}
	}
	return nil
}
