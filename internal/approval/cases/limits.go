// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cases

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/window"
)

// spent counts the acts that a policy's budget has gone to: by what the Releases
// themselves say, since a start is written there before the next one is looked at.
// Who deletes a Release does not win the budget back: what was noted of it counts,
// and where nothing was, that it may have begun.
func (r *Reader) spent(ctx context.Context, request *approvalv1.ApprovalRequest, policy approvalv1.ApprovalPolicySpec) (int32, error) {
	if policy.Automatic == nil || policy.Automatic.Budget == nil || request.Spec.Policy.Standing != approvalv1.StandingAutomatic {
		return 0, nil
	}
	requests := &approvalv1.ApprovalRequestList{}
	if err := r.Direct.List(ctx, requests, client.InNamespace(request.Namespace), client.MatchingLabels{approvalv1.LabelPolicy: request.Spec.Policy.Name}); err != nil {
		return 0, fmt.Errorf("could not count what policy %q has agreed to: %w", request.Spec.Policy.Name, err)
	}
	releases := &releasev1.ReleaseList{}
	if err := r.Direct.List(ctx, releases, client.InNamespace(request.Namespace)); err != nil {
		return 0, fmt.Errorf("could not count what policy %q has agreed to: %w", request.Spec.Policy.Name, err)
	}
	there := map[string]*releasev1.Release{}
	for i := range releases.Items {
		there[string(releases.Items[i].UID)] = &releases.Items[i]
	}
	since := r.Now().Add(-policy.Automatic.Budget.Within.Duration)
	counted := map[string]bool{}
	for i := range requests.Items {
		it := &requests.Items[i]
		if it.Spec.Policy.Standing == approvalv1.StandingAutomatic && began(it, there[it.Spec.Subject.UID], policy).After(since) {
			counted[it.Spec.Subject.UID] = true
		}
	}
	return int32(len(counted)), nil //nolint:gosec // bounded by the Releases of a namespace
}

// began is when the act of a request began; zero: it did not. Of a Release that is
// gone it is what was noted, or else the latest time at which it may have.
func began(request *approvalv1.ApprovalRequest, rel *releasev1.Release, policy approvalv1.ApprovalPolicySpec) time.Time {
	switch {
	case rel != nil:
		return at(rel.Status.StartedAt)
	case request.Status.UsedAt != nil:
		return request.Status.UsedAt.Time
	case meta.IsStatusConditionTrue(request.Status.Conditions, approvalv1.ConditionVoid):
		return time.Time{}
	}
	return approval.ValidUntil(policy, request.CreationTimestamp.Time)
}

// window says whether an act may happen now.
func (r *Reader) window(ctx context.Context, scope approvalv1.Scope, rule *approvalv1.WindowRule, freezes []approvalv1.Freeze) (approval.Window, error) {
	if rule == nil {
		rule = &approvalv1.WindowRule{}
	}
	var calendars approvalv1.ChangeCalendarList
	if len(rule.Calendars) > 0 {
		if err := r.Direct.List(ctx, &calendars); err != nil {
			return approval.Window{}, fmt.Errorf("could not read the change calendars: %w", err)
		}
	}
	if rule.Freezes == "Ignored" {
		freezes = nil
	}
	d := window.Open(window.Named(rule.Calendars, calendars.Items), freezes,
		window.Scope{Environment: scope.Environment, Tenant: scope.Tenant, Application: scope.Application}, r.Now())
	return approval.Window{Open: d.Open, Reason: sentence(d), Next: d.Next, Until: d.Until}, nil
}

func sentence(d window.Decision) string {
	text := strings.Join(d.Reasons, "; ")
	if !d.Open && !d.Next.IsZero() {
		text += ": it may happen from " + d.Next.Format("2006-01-02 15:04 MST") + " on"
	}
	return text
}
