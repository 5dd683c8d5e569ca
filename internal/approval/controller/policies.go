// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Policies says whether policies can be used. It is controller "approval.policies".
type Policies struct {
	Hub client.Client
}

// Reconcile reports on one policy.
func (r *Policies) Reconcile(ctx context.Context, p *approvalv1.ApprovalPolicy) (ctrl.Result, error) {
	before := p.DeepCopy()
	ready := metav1.Condition{Type: approvalv1.ConditionReady, Status: metav1.ConditionTrue, Reason: approvalv1.ReasonUsable, Message: "the policy can be used", ObservedGeneration: p.Generation}
	if p.Spec.Automatic != nil && p.Spec.Automatic.When != "" {
		if err := approval.Compile(p.Spec.Automatic.When); err != nil {
			ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, approvalv1.ReasonBadCondition, err.Error()+": until it is mended the policy agrees to nothing by itself"
		}
	}
	meta.SetStatusCondition(&p.Status.Conditions, ready)
	return patch.Settle(ctrl.Result{}, patch.Status(ctx, r.Hub, before, p))
}

// SetupWithManager registers the controller.
func (r *Policies) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("approval.policies").For(&approvalv1.ApprovalPolicy{}).Complete(reconcile.AsReconciler(mgr.GetClient(), r))
}
