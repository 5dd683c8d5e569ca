// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// collector counts requests when it is asked, so that every replica tells the same.
type collector struct {
	hub     client.Reader
	states  *prometheus.Desc
	overdue *prometheus.Desc
	open    *prometheus.Desc
}

// Metrics tells how many requests there are by what was reported of them, and how
// many verifications and reviews are overdue, and how many emergencies are still open. hub is the cache.
func Metrics(hub client.Reader) prometheus.Collector {
	states := prometheus.Opts{Name: "fairway_approval_requests", Help: "Approval requests by state."}
	overdue := prometheus.Opts{Name: "fairway_approval_reviews_overdue", Help: "Verifications and reviews of acts that are owed for too long."}
	open := prometheus.Opts{Name: "fairway_approval_emergencies_open", Help: "Emergency changes that have begun and were not reviewed yet."}
	return &collector{
		open: prometheus.NewDesc(open.Name, open.Help, nil, nil),
		hub:  hub, states: prometheus.NewDesc(states.Name, states.Help, []string{"state"}, nil), overdue: prometheus.NewDesc(overdue.Name, overdue.Help, nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	to <- c.states
	to <- c.overdue
	to <- c.open
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	list := &approvalv1.ApprovalRequestList{}
	if err := c.hub.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		to <- prometheus.NewInvalidMetric(c.states, fmt.Errorf("could not count the approval requests: %w", err))
		return
	}
	count := map[string]int{"Waiting": 0, "Approved": 0, "Used": 0, "Rejected": 0, "Void": 0, "Expired": 0}
	late, open := 0, 0
	for i := range list.Items {
		count[stateOf(&list.Items[i])]++
		if it := &list.Items[i]; it.Spec.ChangeClass == releasev1.ChangeEmergency && owes(it, approvalv1.ConditionReviewed) {
			open++
		}
		for _, kind := range []string{approvalv1.ConditionVerified, approvalv1.ConditionReviewed} {
			if o := meta.FindStatusCondition(list.Items[i].Status.Conditions, kind); o != nil && o.Reason == approvalv1.ReasonOverdue {
				late++
			}
		}
	}
	for state, n := range count {
		to <- prometheus.MustNewConstMetric(c.states, prometheus.GaugeValue, float64(n), state)
	}
	to <- prometheus.MustNewConstMetric(c.overdue, prometheus.GaugeValue, float64(late))
	to <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(open))
}

// stateOf is what was reported of a request, in a word.
func stateOf(r *approvalv1.ApprovalRequest) string {
	for _, kind := range []string{approvalv1.ConditionVoid, approvalv1.ConditionRejected, approvalv1.ConditionExpired} {
		if is(r, kind) {
			return kind
		}
	}
	switch {
	case r.Status.UsedAt != nil:
		return "Used"
	case is(r, approvalv1.ConditionReady):
		return "Approved"
	}
	return "Waiting"
}
