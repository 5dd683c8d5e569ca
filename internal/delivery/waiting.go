// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

// RoomPatience is how long an instance may be without a host. What was placed has room:
// an instance that waits longer is a defect, and is placed anew.
const RoomPatience = 30 * time.Second

// noHostSince is since when the member's scheduler finds no host for a pod. Zero: it
// has one, has not been looked at yet, or waits for a volume, which no other host helps.
func noHostSince(pod *corev1.Pod) time.Time {
	if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
		return time.Time{}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse || c.Reason != corev1.PodReasonUnschedulable {
			continue
		}
		if strings.Contains(strings.ToLower(c.Message), "persistentvolumeclaim") {
			return time.Time{}
		}
		return c.LastTransitionTime.Time
	}
	return time.Time{}
}

// Waiting lists the workloads of which instances have been without a host for too long,
// in the wish's order, and says when the next one will have been. 0: none waits.
func Waiting(seen Seen, now time.Time) (waiting []v1alpha1.WaitingWorkload, next time.Duration) {
	for i := range seen.Wish.Workloads {
		workload := &seen.Wish.Workloads[i]
		one := v1alpha1.WaitingWorkload{Name: workload.Name, Component: workload.Component, Cell: workload.Cell}
		for _, pod := range podsOf(seen.Pods, workload) {
			if pod.NoHostSince.IsZero() || pod.Leaving {
				continue
			}
			if left := pod.NoHostSince.Add(RoomPatience).Sub(now); left > 0 {
				if next == 0 || left < next {
					next = left
				}
				continue
			}
			one.Instances++
			if one.Since.IsZero() || pod.NoHostSince.Before(one.Since.Time) {
				one.Since = metav1.NewTime(pod.NoHostSince)
			}
			if number, ok := SeatNumber(workload.Component, pod.Seat); ok {
				one.Seats = append(one.Seats, number)
			}
		}
		if one.Instances > 0 {
			slices.SortFunc(one.Seats, cmp.Compare[int32])
			waiting = append(waiting, one)
		}
	}
	return waiting, next
}

// NoRoom says what waits, a sentence per workload.
func NoRoom(waiting []v1alpha1.WaitingWorkload) []string {
	var out []string
	for _, w := range waiting {
		what := "1 instance"
		if w.Instances != 1 {
			what = fmt.Sprintf("%d instances", w.Instances)
		}
		out = append(out, fmt.Sprintf("%s of %s in cell %s had no host for more than %d s", what, w.Component, w.Cell.Key(), int(RoomPatience.Seconds())))
	}
	return out
}

// NewlyWaiting counts the instances that wait now and did not before.
func NewlyWaiting(before, now []v1alpha1.WaitingWorkload) int {
	n := 0
	for _, w := range now {
		had := int32(0)
		if i := slices.IndexFunc(before, func(b v1alpha1.WaitingWorkload) bool { return b.Name == w.Name }); i >= 0 {
			had = before[i].Instances
		}
		n += int(max(w.Instances-had, 0))
	}
	return n
}
