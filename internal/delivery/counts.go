// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"cmp"
	"fmt"
	"slices"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

// maxTroubled bounds how many troubled instances a status holds. The rest are in
// the read model.
const maxTroubled = 20

// Counts gives the instances of each workload of the wish, in its order.
func Counts(seen Seen) []v1alpha1.WorkloadStatus {
	var counts []v1alpha1.WorkloadStatus
	for i := range seen.Wish.Workloads {
		workload := &seen.Wish.Workloads[i]
		counts = append(counts, countWorkload(seen, workload))
	}
	return counts
}

func countWorkload(seen Seen, workload *v1alpha1.Workload) v1alpha1.WorkloadStatus {
	status := v1alpha1.WorkloadStatus{
		Name: workload.Name, Component: workload.Component, Template: workload.Template, Cell: workload.Cell,
	}
	for _, pod := range podsOf(seen.Pods, workload) {
		if pod.Ended {
			continue
		}
		if pod.Leaving {
			status.Leaving++
			continue
		}
		status.Instances++
		if pod.Template != short(workload.Template) {
			continue
		}
		status.Updated++
		if pod.Ready {
			status.Ready++
		}
	}
	if workload.Kind == "Deployment" || workload.Kind == "StatefulSet" {
		// Pods alone do not show a change that keeps the template's digest, such as
		// other hosts, nor one that Kubernetes has not acted on yet.
		updated := seen.updated(workload)
		status.Updated = min(status.Updated, updated)
		status.Ready = min(status.Ready, updated)
	}
	return status
}

// updated returns how many pods Kubernetes has brought to what was last applied. It
// is 0 as long as its report speaks of something earlier.
func (s Seen) updated(workload *v1alpha1.Workload) int32 {
	id := Identity{Group: "apps", Kind: workload.Kind, Namespace: s.Wish.Namespace, Name: workload.Name}
	rollout, record := s.Rollouts[id], s.Inventory.Objects[id]
	if rollout.Generation < record.Generation || rollout.Observed < rollout.Generation {
		return 0
	}
	return rollout.Updated
}

// Troubled lists instances that are not well: by seat, at most 20.
func Troubled(seen Seen) []v1alpha1.TroubledInstance {
	var troubled []v1alpha1.TroubledInstance
	for i := range seen.Wish.Workloads {
		for _, pod := range podsOf(seen.Pods, &seen.Wish.Workloads[i]) {
			switch pod.State {
			case StateRunning, StateStarting, StateStopping, StateSucceeded:
				continue
			}
			troubled = append(troubled, v1alpha1.TroubledInstance{
				Seat: orElse(pod.Seat, pod.Name), Host: pod.Host, State: pod.State, Message: pod.Message,
			})
		}
	}
	slices.SortFunc(troubled, func(a, b v1alpha1.TroubledInstance) int {
		return cmp.Or(cmp.Compare(a.Seat, b.Seat), cmp.Compare(a.State, b.State), cmp.Compare(a.Host, b.Host))
	})
	if len(troubled) > maxTroubled {
		troubled = troubled[:maxTroubled]
	}
	return troubled
}

// Lacking says what keeps the wish from running as a whole, a sentence per
// workload. Empty: all that is wanted runs and answers.
func Lacking(seen Seen, counts []v1alpha1.WorkloadStatus) []string {
	var lacking []string
	if seen.Wish.Retire {
		return nil
	}
	for _, wanted := range seen.Wish.Objects {
		if !wanted.counted() {
			continue
		}
		workload := wanted.Workload
		i := slices.IndexFunc(counts, func(c v1alpha1.WorkloadStatus) bool { return c.Name == workload.Name })
		if i < 0 {
			continue
		}
		count := counts[i]
		where := fmt.Sprintf("%s in cell %s", workload.Component, workload.Cell.Key())
		switch {
		case wanted.Autoscaled && workload.Replicas > 0:
			if count.Ready == 0 || count.Ready < count.Instances {
				lacking = append(lacking, fmt.Sprintf("%s: %d of %d instances answer", where, count.Ready, max(count.Instances, 1)))
			}
		case count.Ready < workload.Replicas:
			lacking = append(lacking, fmt.Sprintf("%s: %d of %d instances answer", where, count.Ready, workload.Replicas))
		case count.Instances > workload.Replicas:
			lacking = append(lacking, fmt.Sprintf("%s: %d instances are to leave", where, count.Instances-workload.Replicas))
		case len(emptySeats(seen, wanted)) > 0:
			lacking = append(lacking, fmt.Sprintf("%s: seats %v are empty", where, emptySeats(seen, wanted)))
		}
	}
	return lacking
}

// emptySeats lists the seats of a workload on which no pod that stays sits.
func emptySeats(seen Seen, wanted Wanted) []int32 {
	taken := map[int32]bool{}
	for _, pod := range seen.Pods {
		number, ok := SeatNumber(wanted.Workload.Component, pod.Seat)
		if ok && !pod.Leaving && pod.Cell == CellHash(wanted.Workload.Cell) {
			taken[number] = true
		}
	}
	var empty []int32
	for _, number := range wanted.Workload.Seats {
		if !taken[number] {
			empty = append(empty, number)
		}
	}
	slices.Sort(empty)
	if int(wanted.Workload.Replicas) < len(wanted.Workload.Seats) {
		return nil // fewer instances than seats are wanted: some stay empty
	}
	return empty
}
