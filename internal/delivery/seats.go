// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"cmp"
	"slices"
)

// SeatedWorkload is one workload as the assignment of seats sees it.
type SeatedWorkload struct {
	// Name of the workload object.
	Name string
	// Component and Cell (hash): workloads that agree in both share their seats,
	// as the old and the new template do while a release runs.
	Component, Cell string
	// Seats wanted of it.
	Seats []int32
	// Replicas wanted of it.
	Replicas int32
	// Ordinals says that a pod's own number is its seat (StatefulSet), OrdinalStart
	// what is added to it.
	Ordinals     bool
	OrdinalStart int32
	// Pods of it.
	Pods []Pod
}

// AssignSeats says which seat each pod takes, by UID. Pods that are not listed
// have none.
//
// The rule:
//
//  1. A pod keeps its seat as long as it stays (it is not leaving), whatever its
//     readiness: a seat is sticky by pod.
//  2. A seat whose holder leaves (deleted, ended, host lost) is free at once. It goes
//     to the unseated pod of a workload that wants it: those that are ready first,
//     then the older, then by name; lowest number first.
//  3. While a release has old and new pods side by side, both workloads want the
//     same seats: the old keep them, and a new pod sits down when an old one begins
//     to leave. Until then it stands, although it serves. So no seat is ever shown
//     on two pods that stay, and once the old have left each wanted seat has one.
//  4. Where two pods that stay claim one seat, as after a lost host returns, the
//     younger has it: it is the successor.
//  5. A pod on a seat that its workload no longer wants keeps it while its workload
//     has more pods than it should: it is to go. Otherwise it moves to a free
//     wanted seat.
//
// A leaving pod keeps its label, so that it is known who is leaving.
func AssignSeats(workloads []SeatedWorkload) map[string]string {
	seats := map[string]string{}
	groups := map[[2]string][]SeatedWorkload{}
	for _, workload := range workloads {
		if workload.Ordinals {
			seatByOrdinal(workload, seats)
			continue
		}
		key := [2]string{workload.Component, workload.Cell}
		groups[key] = append(groups[key], workload)
	}
	for _, group := range groups {
		seatGroup(group, seats)
	}
	return seats
}

func seatByOrdinal(workload SeatedWorkload, seats map[string]string) {
	for _, pod := range workload.Pods {
		if number, ok := pod.ordinal(); ok {
			seats[pod.UID] = SeatName(workload.Component, number+workload.OrdinalStart)
		}
	}
}

// claim is a pod that stays, and what its workload wants.
type claim struct {
	pod    Pod
	wanted map[int32]bool
	excess bool // its workload has more pods than it should
}

func seatGroup(group []SeatedWorkload, seats map[string]string) {
	var staying []claim
	for _, workload := range group {
		wanted := map[int32]bool{}
		for _, number := range workload.Seats {
			wanted[number] = true
		}
		first := len(staying)
		for _, pod := range workload.Pods {
			if !pod.Leaving {
				staying = append(staying, claim{pod: pod, wanted: wanted})
			}
		}
		for i := first; i < len(staying); i++ {
			staying[i].excess = len(staying)-first > int(workload.Replicas)
		}
	}
	component := group[0].Component

	holders := map[int32]string{}                   // UID by seat number
	slices.SortFunc(staying, func(a, b claim) int { // younger first: rule 4
		return cmp.Or(b.pod.CreatedAt.Compare(a.pod.CreatedAt), cmp.Compare(a.pod.Name, b.pod.Name))
	})
	var moving, standing []claim
	for _, c := range staying {
		number, ok := SeatNumber(component, c.pod.Seat)
		_, taken := holders[number]
		if !ok || taken {
			standing = append(standing, c)
			continue
		}
		holders[number] = c.pod.UID
		if !c.wanted[number] && !c.excess {
			moving = append(moving, c)
		}
	}

	slices.SortFunc(standing, func(a, b claim) int {
		return cmp.Or(readyFirst(a.pod, b.pod), a.pod.CreatedAt.Compare(b.pod.CreatedAt), cmp.Compare(a.pod.Name, b.pod.Name))
	})
	for _, c := range append(standing, moving...) {
		number, ok := lowestFree(c.wanted, holders)
		if !ok {
			continue
		}
		if old, sat := SeatNumber(component, c.pod.Seat); sat && holders[old] == c.pod.UID {
			delete(holders, old)
		}
		holders[number] = c.pod.UID
	}
	for number, uid := range holders {
		seats[uid] = SeatName(component, number)
	}
}

func lowestFree(wanted map[int32]bool, holders map[int32]string) (int32, bool) {
	lowest, found := int32(0), false
	for number := range wanted {
		if _, taken := holders[number]; taken {
			continue
		}
		if !found || number < lowest {
			lowest, found = number, true
		}
	}
	return lowest, found
}

func readyFirst(a, b Pod) int {
	switch {
	case a.Ready == b.Ready:
		return 0
	case a.Ready:
		return -1
	}
	return 1
}

// Victims returns the pods of a workload that are to go so that as many stay as it
// wants, in the order in which they go: those on seats that are not wanted, then
// unseated ones, then the highest seats.
func Victims(workload SeatedWorkload) []Pod {
	var staying []Pod
	for _, pod := range workload.Pods {
		if !pod.Leaving {
			staying = append(staying, pod)
		}
	}
	excess := len(staying) - int(workload.Replicas)
	if excess <= 0 {
		return nil
	}
	rank := func(pod Pod) (int, int32) {
		number, ok := SeatNumber(workload.Component, pod.Seat)
		switch {
		case !ok:
			return 1, 0
		case !slices.Contains(workload.Seats, number):
			return 0, -number
		}
		return 2, -number
	}
	slices.SortFunc(staying, func(a, b Pod) int {
		rankA, numberA := rank(a)
		rankB, numberB := rank(b)
		return cmp.Or(cmp.Compare(rankA, rankB), cmp.Compare(numberA, numberB), cmp.Compare(a.Name, b.Name))
	})
	return staying[:excess]
}
