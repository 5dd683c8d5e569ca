// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/delivery"
)

// reportDecision says what was seen, decided and done. What failed keeps the
// delivery from being applied, never from being reported on.
func reportDecision(d *v1alpha1.Delivery, seen delivery.Seen, decision delivery.Decision, err error) {
	status := &d.Status
	status.ObservedGeneration = d.Generation
	status.Workloads = delivery.Counts(seen)
	status.Troubled = delivery.Troubled(seen)
	status.Restarted = restarted(d, decision)
	reportHosted(d)
	forget(status.Workloads, decision.Actions)

	reportStalled(d, decision, err)
	applied := reportApplied(d, decision, err)
	if applied {
		status.ObservedRelease, status.ObservedRevision = d.Spec.Release, d.Spec.Revision
	}
	lacking := delivery.Lacking(seen, status.Workloads)
	switch {
	case !applied:
		set(d, v1alpha1.ConditionReady, metav1.ConditionFalse, "NotApplied", "what is wanted is not applied in full")
	case len(lacking) > 0:
		set(d, v1alpha1.ConditionReady, metav1.ConditionFalse, "NotAvailable", sentence(lacking))
	case seen.Wish.Retire:
		set(d, v1alpha1.ConditionReady, metav1.ConditionTrue, "Retired", "nothing of the application is left in the cluster")
	default:
		set(d, v1alpha1.ConditionReady, metav1.ConditionTrue, "Available", "all instances that are wanted answer")
	}
}

// reportHosted says whether instances wait for room. A Delivery of which none ever did says
// nothing of it.
func reportHosted(d *v1alpha1.Delivery) {
	switch {
	case len(d.Status.Waiting) > 0:
		set(d, v1alpha1.ConditionHosted, metav1.ConditionFalse, v1alpha1.ReasonNoRoom,
			sentence(delivery.NoRoom(d.Status.Waiting))+": status.troubled has the scheduler's words; they are placed anew, or get a host as soon as their cell has room for them again")
	case meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ConditionHosted) != nil:
		set(d, v1alpha1.ConditionHosted, metav1.ConditionTrue, v1alpha1.ReasonHosted, "every instance has a host")
	}
}

// forget takes back what was counted of workloads that this round has changed: the
// pods were observed before.
func forget(counts []v1alpha1.WorkloadStatus, actions []delivery.Action) {
	for i := range counts {
		if slices.ContainsFunc(actions, func(a delivery.Action) bool {
			return (a.Verb == delivery.Create || a.Verb == delivery.Apply) && a.Wanted.Workload != nil && a.Object.Name == counts[i].Name
		}) {
			counts[i].Updated, counts[i].Ready = 0, 0
		}
	}
}

func restarted(d *v1alpha1.Delivery, decision delivery.Decision) []string {
	var done []string
	for _, asked := range d.Spec.Restarts {
		if slices.Contains(d.Status.Restarted, asked.UID) || slices.Contains(decision.Restarted, asked.UID) {
			done = append(done, asked.UID)
		}
	}
	return done
}

func reportStalled(d *v1alpha1.Delivery, decision delivery.Decision, err error) {
	switch {
	case decision.Stalled != nil:
		set(d, v1alpha1.ConditionStalled, metav1.ConditionTrue, decision.Stalled.Reason, decision.Stalled.Message)
	case errors.Is(err, ErrSuperseded):
		set(d, v1alpha1.ConditionStalled, metav1.ConditionTrue, "Superseded", "the cluster knows a later leader than this hub: another hub delivers to it, or this one was set back; nothing is written until a person has reconciled them")
	case apierrors.IsInvalid(err) || apierrors.IsForbidden(err):
		set(d, v1alpha1.ConditionStalled, metav1.ConditionTrue, "Refused", "the cluster refuses what is wanted: "+stable(err))
	default:
		set(d, v1alpha1.ConditionStalled, metav1.ConditionFalse, "Moving", "no person is needed")
	}
}

func reportApplied(d *v1alpha1.Delivery, decision delivery.Decision, err error) bool {
	switch {
	case decision.Stalled != nil:
		set(d, v1alpha1.ConditionApplied, metav1.ConditionFalse, decision.Stalled.Reason, "nothing is written: see Stalled")
	case errors.Is(err, errGate):
		set(d, v1alpha1.ConditionApplied, metav1.ConditionFalse, "NotAllowed", stable(err))
	case errors.Is(err, audit.ErrAway):
		set(d, v1alpha1.ConditionApplied, metav1.ConditionFalse, "EvidenceAway", "nothing is written while the evidence log is away; it is tried again")
	case errors.Is(err, errLookAgain):
		set(d, v1alpha1.ConditionApplied, metav1.ConditionFalse, "Applying", "the state is being applied")
	case err != nil:
		set(d, v1alpha1.ConditionApplied, metav1.ConditionFalse, "Failed", stable(err))
	case len(decision.Waits) > 0:
		set(d, v1alpha1.ConditionApplied, metav1.ConditionFalse, "Waiting", sentence(decision.Waits))
	default:
		set(d, v1alpha1.ConditionApplied, metav1.ConditionTrue, "Applied", "every object is as rendered")
		return true
	}
	return false
}

// reportAway says that the member does not answer. What was seen last stays, marked
// as unknown.
func reportAway(d *v1alpha1.Delivery, cluster string) {
	message := fmt.Sprintf("cluster %q is not connected; what it runs goes on, counts are the last ones seen", cluster)
	set(d, v1alpha1.ConditionReady, metav1.ConditionUnknown, "NotConnected", message)
	set(d, v1alpha1.ConditionApplied, metav1.ConditionUnknown, "NotConnected", message)
}

func reportWaiting(d *v1alpha1.Delivery, reason, message string) {
	set(d, v1alpha1.ConditionReady, metav1.ConditionUnknown, reason, message)
	set(d, v1alpha1.ConditionApplied, metav1.ConditionFalse, reason, message)
}

// reportFailed says that the member could not be observed.
func reportFailed(d *v1alpha1.Delivery, err error) {
	set(d, v1alpha1.ConditionReady, metav1.ConditionUnknown, "NotObserved", stable(err))
	set(d, v1alpha1.ConditionApplied, metav1.ConditionUnknown, "NotObserved", stable(err))
}

func set(d *v1alpha1.Delivery, kind string, status metav1.ConditionStatus, reason, message string) {
	if len(message) > 1024 {
		message = strings.ToValidUTF8(message[:1021], "") + "…"
	}
	meta.SetStatusCondition(&d.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: d.Generation,
	})
}

func isTrue(conditions []metav1.Condition, kind string) bool {
	return meta.IsStatusConditionTrue(conditions, kind)
}

func sameStatus(a, b v1alpha1.DeliveryStatus) bool {
	return equality.Semantic.DeepEqual(a, b)
}

// sentence joins up to three reasons and says how many more there are.
func sentence(reasons []string) string {
	if len(reasons) <= 3 {
		return strings.Join(reasons, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(reasons[:3], "; "), len(reasons)-3)
}

// stable words an error so that the same trouble reads the same each time: network
// errors name ports and addresses that change.
func stable(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the cluster did not answer in time"
	}
	var reached *url.Error
	var network net.Error
	if errors.As(err, &reached) || errors.As(err, &network) {
		return "the cluster could not be reached"
	}
	return err.Error()
}
