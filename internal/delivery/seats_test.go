// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// pod builds a pod of component "account" that was made that many minutes in.
func pod(name, seat string, minute int, change ...func(*Pod)) Pod {
	p := Pod{Name: name, UID: "uid-" + name, Component: "account", Seat: seat, CreatedAt: start.Add(time.Duration(minute) * time.Minute), Ready: true}
	for _, c := range change {
		c(&p)
	}
	return p
}

func leaving(p *Pod) { p.Leaving, p.Ready = true, false }
func unready(p *Pod) { p.Ready = false }

func TestAssignSeats(t *testing.T) {
	cases := map[string]struct {
		reason    string
		workloads []SeatedWorkload
		want      map[string]string
	}{
		"FirstPods": {
			reason: "unseated pods sit down from the lowest number, ready ones first",
			workloads: []SeatedWorkload{{Component: "account", Seats: []int32{1, 2}, Replicas: 2, Pods: []Pod{
				pod("a", "", 0, unready), pod("b", "", 1),
			}}},
			want: map[string]string{"uid-b": "account-1", "uid-a": "account-2"},
		},
		"Sticky": {
			reason: "a pod keeps its seat although it does not answer and others would",
			workloads: []SeatedWorkload{{Component: "account", Seats: []int32{1, 2}, Replicas: 2, Pods: []Pod{
				pod("a", "account-2", 0, unready), pod("b", "", 1),
			}}},
			want: map[string]string{"uid-a": "account-2", "uid-b": "account-1"},
		},
		"Replacement": {
			reason: "the seat of a pod that leaves goes to its successor",
			workloads: []SeatedWorkload{{Component: "account", Seats: []int32{1, 2}, Replicas: 2, Pods: []Pod{
				pod("a", "account-1", 0, leaving), pod("b", "account-2", 0), pod("c", "", 5, unready),
			}}},
			want: map[string]string{"uid-b": "account-2", "uid-c": "account-1"},
		},
		"Upgrade": {
			reason: "while old and new run side by side the old keep their seats",
			workloads: []SeatedWorkload{
				{Name: "old", Component: "account", Seats: []int32{1, 2}, Replicas: 2, Pods: []Pod{pod("a", "account-1", 0), pod("b", "account-2", 0)}},
				{Name: "new", Component: "account", Seats: []int32{1, 2}, Replicas: 2, Pods: []Pod{pod("c", "", 9), pod("d", "", 9)}},
			},
			want: map[string]string{"uid-a": "account-1", "uid-b": "account-2"},
		},
		"UpgradeBatch": {
			reason: "as an old instance begins to leave, a new one takes its seat",
			workloads: []SeatedWorkload{
				{Name: "old", Component: "account", Seats: []int32{1}, Replicas: 1, Pods: []Pod{pod("a", "account-1", 0), pod("b", "account-2", 0, leaving)}},
				{Name: "new", Component: "account", Seats: []int32{1, 2}, Replicas: 2, Pods: []Pod{pod("c", "", 9), pod("d", "", 9)}},
			},
			want: map[string]string{"uid-a": "account-1", "uid-c": "account-2"},
		},
		"OldToGo": {
			reason: "an old pod whose workload wants no seat keeps its own until it leaves",
			workloads: []SeatedWorkload{
				{Name: "old", Component: "account", Replicas: 0, Pods: []Pod{pod("a", "account-1", 0)}},
				{Name: "new", Component: "account", Seats: []int32{1}, Replicas: 1, Pods: []Pod{pod("c", "", 9)}},
			},
			want: map[string]string{"uid-a": "account-1"},
		},
		"HostReturns": {
			reason: "of two that stay on one seat the younger is the successor",
			workloads: []SeatedWorkload{{Component: "account", Seats: []int32{1}, Replicas: 1, Pods: []Pod{
				pod("a", "account-1", 0), pod("b", "account-1", 7),
			}}},
			want: map[string]string{"uid-b": "account-1"},
		},
		"ScaledDownWrongOneWent": {
			reason: "seat 1 went instead of 3: the one that stayed moves to a wanted seat",
			workloads: []SeatedWorkload{{Component: "account", Seats: []int32{1, 2}, Replicas: 2, Pods: []Pod{
				pod("b", "account-2", 0), pod("c", "account-3", 0),
			}}},
			want: map[string]string{"uid-b": "account-2", "uid-c": "account-1"},
		},
		"ScalingDown": {
			reason: "a pod that is to go keeps its seat while there are too many",
			workloads: []SeatedWorkload{{Component: "account", Seats: []int32{1}, Replicas: 1, Pods: []Pod{
				pod("a", "account-1", 0), pod("b", "account-2", 0),
			}}},
			want: map[string]string{"uid-a": "account-1", "uid-b": "account-2"},
		},
		"NotASeat": {
			reason: "a label that is no seat of the component counts as none",
			workloads: []SeatedWorkload{{Component: "account", Seats: []int32{1}, Replicas: 1, Pods: []Pod{
				pod("a", "ledger-1", 0),
			}}},
			want: map[string]string{"uid-a": "account-1"},
		},
		"Ordinals": {
			reason: "a stateful pod's own number is its seat, added to the start where the cluster numbers from 0",
			workloads: []SeatedWorkload{{Component: "account", Ordinals: true, OrdinalStart: 2000, Pods: []Pod{
				pod("account-0", "", 0), pod("account-1", "account-7", 0),
			}}},
			want: map[string]string{"uid-account-0": "account-2000", "uid-account-1": "account-2001"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := AssignSeats(tc.workloads)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nAssignSeats(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// Whatever happens, no seat is on two pods that stay; a seat stays with its pod; and
// when as many pods stay as there are seats, each seat is filled.
func TestAssignSeatsHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seats := rapid.SliceOfNDistinct(rapid.Int32Range(0, 9), 0, 6, rapid.ID[int32]).Draw(t, "seats")
		var workloads []SeatedWorkload
		for w := range rapid.IntRange(1, 2).Draw(t, "workloads") {
			workload := SeatedWorkload{Name: fmt.Sprint(w), Component: "account", Seats: seats, Replicas: int32(len(seats))}
			for i := range rapid.IntRange(0, 6).Draw(t, "pods") {
				p := pod(fmt.Sprintf("%d-%d", w, i), "", rapid.IntRange(0, 3).Draw(t, "age"))
				if rapid.Bool().Draw(t, "labelled") {
					p.Seat = SeatName("account", rapid.Int32Range(0, 9).Draw(t, "seat"))
				}
				if rapid.Bool().Draw(t, "leaving") {
					leaving(&p)
				}
				workload.Pods = append(workload.Pods, p)
			}
			workloads = append(workloads, workload)
		}

		got := AssignSeats(workloads)

		taken := map[string]string{}
		var staying, excess int
		for _, workload := range workloads {
			here := 0
			for _, p := range workload.Pods {
				if p.Leaving {
					if got[p.UID] != "" {
						t.Fatalf("leaving pod %s was given seat %s", p.Name, got[p.UID])
					}
					continue
				}
				here++
				if seat := got[p.UID]; seat != "" {
					if other := taken[seat]; other != "" {
						t.Fatalf("seat %s is on %s and %s", seat, other, p.Name)
					}
					taken[seat] = p.Name
				}
			}
			staying += here
			if here > len(seats) {
				excess++
			}
		}
		if excess > 0 || len(workloads) > 1 && staying > len(seats) {
			return
		}
		filled := 0
		for _, number := range seats {
			if taken[SeatName("account", number)] != "" {
				filled++
			}
		}
		if want := min(staying, len(seats)); filled != want {
			t.Fatalf("%d of %d seats are filled by %d pods: %v", filled, len(seats), staying, got)
		}
		// Assigning again changes nothing.
		for w := range workloads {
			for i := range workloads[w].Pods {
				if p := &workloads[w].Pods[i]; !p.Leaving {
					p.Seat = got[p.UID]
				}
			}
		}
		if diff := cmp.Diff(got, AssignSeats(workloads)); diff != "" {
			t.Fatalf("seats wander: -first, +second:\n%s", diff)
		}
	})
}

func TestVictims(t *testing.T) {
	cases := map[string]struct {
		reason   string
		workload SeatedWorkload
		want     []string
	}{
		"Enough": {
			reason:   "nobody goes where none is too many",
			workload: SeatedWorkload{Component: "account", Seats: []int32{1}, Replicas: 1, Pods: []Pod{pod("a", "account-1", 0)}},
		},
		"UnwantedSeatsFirst": {
			reason: "who sits where nobody is wanted goes first, then the highest seats",
			workload: SeatedWorkload{Component: "account", Seats: []int32{2, 3}, Replicas: 1, Pods: []Pod{
				pod("a", "account-1", 0), pod("b", "account-2", 0), pod("c", "account-3", 0), pod("d", "account-4", 0, leaving),
			}},
			want: []string{"a", "c"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range Victims(tc.workload) {
				got = append(got, p.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nVictims(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
