// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
)

// report tells what became of the spec.
func report(a *appv1.Application, done outcome, now time.Time) {
	a.Status.ObservedGeneration = a.Generation
	a.Status.Findings = done.findings
	a.Status.NotCarriedOut = app.NotCarriedOut(a.Spec)
	if done.revision != "" {
		a.Status.LatestRevision = done.revision
		set(a, appv1.ConditionRevised, true, appv1.ReasonRevised, "the spec is revision "+done.revision, now)
		set(a, appv1.ConditionStalled, false, appv1.ReasonNothingStalled, "nobody is needed", now)
		return
	}
	set(a, appv1.ConditionRevised, false, done.reason, done.message, now)
	if done.person {
		set(a, appv1.ConditionStalled, true, done.reason, done.message, now)
	} else {
		set(a, appv1.ConditionStalled, false, appv1.ReasonNothingStalled, "nobody is needed", now)
	}
}

// reportRunning tells what runs, and whether it is what the latest Revision asks for.
func reportRunning(a *appv1.Application, deliveries []deliveryv1.Delivery, now time.Time) {
	running, unseen := app.Running(deliveries), app.Unseen(deliveries)
	if len(deliveries) == 0 {
		unseen = []string{"no cluster has a delivery of it"}
	}
	a.Status.Running = running
	switch {
	case a.Status.ReleasedRevision == "":
		set(a, appv1.ConditionReleased, false, appv1.ReasonNeverReleased, "no revision has been released; start a release", now)
	case a.Status.ReleasedRevision == a.Status.LatestRevision:
		set(a, appv1.ConditionReleased, true, appv1.ReasonReleased, "revision "+a.Status.ReleasedRevision+" is in service", now)
	default:
		set(a, appv1.ConditionReleased, false, appv1.ReasonNotReleased,
			fmt.Sprintf("revision %s is in service and %s waits for a release", a.Status.ReleasedRevision, a.Status.LatestRevision), now)
	}
	var short []string
	for _, c := range running {
		if c.Ready < c.Wanted {
			short = append(short, fmt.Sprintf("%s in %s: %d of %d", c.Component, c.DCN, c.Ready, c.Wanted))
		}
	}
	switch {
	case len(running) == 0 && a.Status.ReleasedRevision == "":
		set(a, appv1.ConditionReady, false, appv1.ReasonNeverReleased, "nothing runs: no revision has been released", now)
	case len(short) > 0:
		set(a, appv1.ConditionReady, false, appv1.ReasonInstancesMissing, "instances are missing: "+strings.Join(short, ", "), now)
	case len(unseen) > 0:
		setStatus(a, appv1.ConditionReady, metav1.ConditionUnknown, appv1.ReasonNotObserved, "what runs is not known: "+strings.Join(unseen, "; "), now)
	default:
		set(a, appv1.ConditionReady, true, appv1.ReasonReady, "every instance that is wanted is ready", now)
	}
}

func set(a *appv1.Application, kind string, is bool, reason, message string, now time.Time) {
	status := metav1.ConditionFalse
	if is {
		status = metav1.ConditionTrue
	}
	setStatus(a, kind, status, reason, message, now)
}

func setStatus(a *appv1.Application, kind string, status metav1.ConditionStatus, reason, message string, now time.Time) {
	const most = 4096
	if len(message) > most {
		message = strings.ToValidUTF8(message[:most], "") + " …"
	}
	meta.SetStatusCondition(&a.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: a.Generation, LastTransitionTime: metav1.NewTime(now),
	})
}
