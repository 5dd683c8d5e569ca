// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"cmp"
	"fmt"
	"slices"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

// seated returns a workload of the wish with its pods.
func seated(seen Seen, wanted Wanted) SeatedWorkload {
	workload := wanted.Workload
	result := SeatedWorkload{
		Name: workload.Name, Component: workload.Component, Cell: CellHash(workload.Cell),
		Seats: workload.Seats, Replicas: workload.Replicas, Ordinals: workload.Kind == "StatefulSet",
		Pods: podsOf(seen.Pods, workload),
	}
	if wanted.Autoscaled {
		// The autoscaler decides how many: none of them is too many.
		result.Replicas = max(workload.Replicas, int32(len(result.Pods)))
	}
	if result.Ordinals {
		result.OrdinalStart = ordinalStart(wanted.Object)
	}
	return result
}

// ordinalStart returns what is added to a pod's number to give its seat: nothing
// where the StatefulSet numbers from the block's start itself.
func ordinalStart(object Object) int32 {
	spec, _ := object.Body["spec"].(map[string]any)
	if _, numbered := spec["ordinals"]; numbered {
		return 0
	}
	metadata, _ := object.Body["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	start, _ := annotations[appv1.AnnotationSeatStart].(string)
	number, ok := SeatNumber("", "-"+start)
	if !ok {
		return 0
	}
	return number
}

func podsOf(pods []Pod, workload *v1alpha1.Workload) []Pod {
	var members []Pod
	for _, pod := range pods {
		if pod.belongsTo(workload) {
			members = append(members, pod)
		}
	}
	slices.SortFunc(members, func(a, b Pod) int { return cmp.Compare(a.Name, b.Name) })
	return members
}

// labelPods gives pods their seat and revision, one patch each, only where they
// differ. Job pods have no seat.
func labelPods(seen Seen, decision *Decision) {
	var workloads []SeatedWorkload
	templates := map[string]map[string]bool{}
	for _, wanted := range seen.Wish.Objects {
		if wanted.Workload == nil {
			continue
		}
		if templates[wanted.Workload.Component] == nil {
			templates[wanted.Workload.Component] = map[string]bool{}
		}
		templates[wanted.Workload.Component][wanted.Workload.Template] = true
		if wanted.counted() {
			workloads = append(workloads, seated(seen, wanted))
			clearMarks(seen, wanted, decision)
		}
	}
	seats := AssignSeats(workloads)
	for _, wanted := range seen.Wish.Objects {
		if wanted.Workload == nil {
			continue
		}
		pods := podsOf(seen.Pods, wanted.Workload)
		revision := revisionOf(seen.Wish, wanted.Workload, pods, len(templates[wanted.Workload.Component]) > 1)
		for _, pod := range pods {
			labelPod(seen, wanted, pod, seats[pod.UID], revision, decision)
		}
	}
}

func labelPod(seen Seen, wanted Wanted, pod Pod, seat, revision string, decision *Decision) {
	if pod.Leaving {
		return
	}
	set := map[string]string{}
	if wanted.counted() && pod.Seat != seat {
		set[appv1.LabelSeat] = seat
	}
	// A stateful instance that still has the old template runs the old revision.
	old := wanted.Workload.Kind == "StatefulSet" && pod.Template != short(wanted.Workload.Template)
	if pod.Revision != revision && !old {
		set[appv1.LabelRevision] = revision
	}
	if len(set) == 0 {
		return
	}
	decision.Actions = append(decision.Actions, Action{
		Verb: Label, Object: podIdentity(seen.Wish, pod), UID: pod.UID, Set: set, Why: "seat " + orElse(seat, "none yet"),
	})
}

// revisionOf says which revision a workload's instances run. While several
// templates of a component run side by side, only the newest is the revision that
// the wish names; the instances of the others keep what they carry.
func revisionOf(wish Wish, workload *v1alpha1.Workload, pods []Pod, several bool) string {
	if workload.Revision != "" {
		return workload.Revision
	}
	if several {
		for _, pod := range pods {
			if pod.Revision != "" {
				return pod.Revision
			}
		}
	}
	return wish.Revision
}

// restart evicts instances that are to be replaced: one after the other in each
// component, the next only when the seat of the last answers again.
func restart(seen Seen, decision *Decision) {
	busy := map[string]bool{}
	for _, asked := range seen.Wish.Restarts {
		component := componentOf(seen, asked.Seat)
		old, successor := sitters(seen.Pods, asked)
		switch {
		case slices.Contains(seen.Restarted, asked.UID), old == nil && successor:
			decision.Restarted = append(decision.Restarted, asked.UID)
		case busy[component]:
			decision.lookAgain("seat %s is restarted after another of component %q", asked.Seat, component)
		case old == nil || old.Leaving:
			busy[component] = true
			decision.lookAgain("the successor on seat %s does not answer yet", asked.Seat)
		default:
			busy[component] = true
			decision.Actions = append(decision.Actions, Action{
				Verb: Evict, Object: podIdentity(seen.Wish, *old), UID: old.UID, Lowers: true,
				Why: fmt.Sprintf("restart of seat %s", asked.Seat),
			})
			decision.lookAgain("seat %s is being restarted", asked.Seat)
		}
	}
}

func componentOf(seen Seen, seat string) string {
	for _, workload := range seen.Wish.Workloads {
		if _, ok := SeatNumber(workload.Component, seat); ok {
			return workload.Component
		}
	}
	return seat
}

// sitters returns the pod to be replaced, if it is still there, and whether another
// one that answers sits on its seat.
func sitters(pods []Pod, asked v1alpha1.InstanceRestart) (old *Pod, successor bool) {
	for i, pod := range pods {
		switch {
		case pod.UID == asked.UID:
			old = &pods[i]
		case pod.Seat == asked.Seat && pod.Ready:
			successor = true
		}
	}
	return old, successor
}
