// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

var cell = placementv1.Cell{Cluster: "east-1", Pool: "retail-business", Zone: "business", Rack: "a", DCN: "dcn-1"}

// object is a rendered object of the application's namespace "ns".
func object(apiVersion, kind, name string) Object {
	namespace := "ns"
	if kind == "Namespace" {
		namespace = ""
	}
	return Object{
		Identity:   Identity{Group: groupOf(apiVersion), Kind: kind, Namespace: namespace, Name: name},
		APIVersion: apiVersion,
		Body: map[string]any{
			"apiVersion": apiVersion, "kind": kind,
			"metadata": map[string]any{"name": name, "namespace": namespace}, "spec": map[string]any{},
		},
	}
}

// wishOf is a wish of release 2 with a namespace, a ConfigMap and those workloads.
func wishOf(workloads ...v1alpha1.Workload) Wish {
	renderings := map[string][]Object{"shared": {object("v1", "Namespace", "ns"), object("v1", "ConfigMap", "settings")}}
	spec := v1alpha1.DeliverySpec{
		Application: "retail-prod/bank", Namespace: "ns", Release: "bank-2", ReleaseSequence: 2, Revision: "bank-rev2",
		Shared: []v1alpha1.RenderingReference{{Name: "shared"}},
	}
	for _, w := range workloads {
		renderings[w.Name] = append(renderings[w.Name], object("apps/v1", w.Kind, w.Name))
		w.Rendering.Name = w.Name
		spec.Workloads = append(spec.Workloads, w)
	}
	wish, problem := Read(spec, renderings)
	if problem != nil {
		panic(problem.Message)
	}
	return wish
}

func service(name string, replicas int32) v1alpha1.Workload {
	w := v1alpha1.Workload{Name: name, Kind: "Deployment", Component: "account", Template: Digest(name), Cell: cell, Replicas: replicas}
	for n := range replicas {
		w.Seats = append(w.Seats, n+1)
	}
	return w
}

// there is what a member holds when a wish has been carried out.
func there(wish Wish) Seen {
	seen := Seen{Wish: wish, Listed: true, Live: map[Identity]Live{}, Inventory: Inventory{
		Application: wish.Application, Release: wish.Release, Sequence: wish.Sequence, Objects: map[Identity]Record{},
	}}
	for _, wanted := range wish.Objects {
		uid := "uid-" + wanted.Identity.Name
		record := Record{APIVersion: wanted.APIVersion, UID: uid, Digest: wanted.Digest(), Fields: "f"}
		if wanted.Workload != nil {
			record.Replicas = wanted.Workload.Replicas
		}
		seen.Inventory.Objects[wanted.Identity] = record
		seen.Live[wanted.Identity] = Live{UID: uid, ResourceVersion: "7", Ownership: Ownership{Ours: true, Fields: "f"}}
	}
	return seen
}

// podOf is a pod of a workload.
func podOf(w v1alpha1.Workload, name, seat string, change ...func(*Pod)) Pod {
	p := pod(name, seat, 0, change...)
	p.Cell, p.Template, p.OwnerKind, p.OwnerName = CellHash(w.Cell), short(w.Template), "ReplicaSet", w.Name+"-1"
	if w.Kind == "StatefulSet" {
		p.OwnerKind, p.OwnerName = "StatefulSet", w.Name
	}
	p.Revision = "bank-rev2"
	return p
}

var configMap = Identity{Kind: "ConfigMap", Namespace: "ns", Name: "settings"}

func deployment(name string) Identity {
	return Identity{Group: "apps", Kind: "Deployment", Namespace: "ns", Name: name}
}

func TestPlan(t *testing.T) {
	type want struct {
		Actions []string
		Stalled string
		Waits   []string
	}
	cases := map[string]struct {
		reason string
		seen   func() Seen
		want   want
	}{
		"Nothing": {
			reason: "what is as wished is left alone",
			seen:   func() Seen { return there(wishOf(service("account-a", 2))) },
		},
		"First": {
			reason: "the namespace, then the intention, then the objects in order, then what came out",
			seen: func() Seen {
				return Seen{Wish: wishOf(service("account-a", 2)), Listed: true}
			},
			want: want{Actions: []string{
				"create Namespace ns",
				"write inventory ConfigMap ns/fairway-inventory: what is about to be made",
				"create ConfigMap ns/settings",
				"create Deployment ns/account-a",
				"write inventory ConfigMap ns/fairway-inventory: what came out",
			}},
		},
		"NewBeforeLower": {
			reason: "a new workload comes before the one that lowers its count, and what goes comes last",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2), service("account-b", 2), service("account-c", 1)))
				seen.Wish = wishOf(service("account-a", 0), service("account-c", 1), service("account-d", 2))
				seen.Wish.Release, seen.Wish.Sequence = "bank-3", 3
				return seen
			},
			want: want{
				Actions: []string{
					"write inventory ConfigMap ns/fairway-inventory: what is about to be made",
					"create Deployment ns/account-d",
					"apply Deployment ns/account-a (uid-account-a): release bank-3",
					"delete Deployment ns/account-b (uid-account-b): release bank-3 no longer has it",
					"write inventory ConfigMap ns/fairway-inventory: what came out",
				},
				Waits: []string{"Deployment ns/account-b is being removed"},
			},
		},
		"NotListed": {
			reason: "without a complete list nothing goes",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2), service("account-b", 2)))
				seen.Wish = wishOf(service("account-a", 2))
				seen.Listed, seen.ListProblem = false, "the cluster could not list its objects"
				return seen
			},
			want: want{Waits: []string{"nothing is removed: the cluster could not list its objects"}},
		},
		"Foreign": {
			reason: "somebody else's object stops the delivery before anything is written",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				seen.Wish = wishOf(service("account-a", 2), service("account-b", 2))
				seen.Live[deployment("account-b")] = Live{UID: "x"}
				return seen
			},
			want: want{Stalled: ReasonForeignObject},
		},
		"ForeignUnwanted": {
			reason: "what somebody else put in the place of what was ours is not deleted, only forgotten",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2), service("account-b", 2)))
				seen.Wish = wishOf(service("account-a", 2))
				seen.Live[deployment("account-b")] = Live{UID: "x"}
				return seen
			},
			want: want{Actions: []string{"write inventory ConfigMap ns/fairway-inventory: what came out"}},
		},
		"SetBack": {
			reason: "where a later release has been nothing is written",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				seen.Inventory.Sequence = 9
				seen.Wish = wishOf(service("account-a", 3))
				return seen
			},
			want: want{Stalled: ReasonSetBack},
		},
		"OtherReleaseOfThatNumber": {
			reason: "a hub that was set back and went on uses numbers twice",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				seen.Inventory.Release = "bank-2-before-the-restore"
				return seen
			},
			want: want{Stalled: ReasonSetBack},
		},
		"RetiredLater": {
			reason: "an application that a later release took out does not come back",
			seen: func() Seen {
				return Seen{Wish: wishOf(service("account-a", 2)), Listed: true, Retired: 5}
			},
			want: want{Stalled: ReasonSetBack},
		},
		"OtherApplication": {
			reason: "two applications never share a namespace",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				seen.Inventory.Application = "cards-prod/bank"
				return seen
			},
			want: want{Stalled: ReasonForeignObject},
		},
		"Drift": {
			reason: "a foreign change is put back and told",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				live := seen.Live[configMap]
				live.Foreign, live.Mixed = []string{"kubectl-edit: .data.limit"}, true
				seen.Live[configMap] = live
				return seen
			},
			want: want{Actions: []string{
				"apply ConfigMap ns/settings (uid-settings): put back; put back: [kubectl-edit: .data.limit]",
				"write inventory ConfigMap ns/fairway-inventory: what came out",
			}},
		},
		"Deleted": {
			reason: "what somebody removed is made again",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				delete(seen.Live, configMap)
				return seen
			},
			want: want{Actions: []string{
				"create ConfigMap ns/settings; put back: somebody removed it",
				"write inventory ConfigMap ns/fairway-inventory: what came out",
			}},
		},
		"Insists": {
			reason: "who keeps changing an object does not set the pace",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				live := seen.Live[configMap]
				live.Fields = "other"
				seen.Live[configMap] = live
				seen.PutBack = map[Identity]bool{configMap: true}
				return seen
			},
			want: want{Waits: []string{"somebody keeps changing ConfigMap ns/settings: fields that Fairway set are no longer its own; it is put back again in a moment"}},
		},
		"OwnersWiped": {
			reason: "the object that the inventory knows is ours although its owners were wiped",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				seen.Live[configMap] = Live{UID: "uid-settings", ResourceVersion: "9"}
				return seen
			},
			want: want{Actions: []string{
				"apply ConfigMap ns/settings (uid-settings): put back; put back: fields that Fairway set are no longer its own",
				"write inventory ConfigMap ns/fairway-inventory: what came out",
			}},
		},
		"NamespaceBeingDeleted": {
			reason: "nothing is written into a namespace that goes",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				home := Identity{Kind: "Namespace", Name: "ns"}
				live := seen.Live[home]
				live.Deleting = true
				seen.Live[home] = live
				delete(seen.Live, configMap)
				return seen
			},
			want: want{Waits: []string{"Namespace ns is being removed by somebody; it is made again once it is gone"}},
		},
		"BeingDeleted": {
			reason: "what somebody is removing is waited for",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				live := seen.Live[configMap]
				live.Deleting = true
				seen.Live[configMap] = live
				return seen
			},
			want: want{Waits: []string{"ConfigMap ns/settings is being removed by somebody; it is made again once it is gone"}},
		},
		"KilledBeforeTheRecord": {
			reason: "what was made and not recorded is applied again",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				seen.Inventory.Objects[configMap] = Record{APIVersion: "v1"}
				return seen
			},
			want: want{Actions: []string{
				"apply ConfigMap ns/settings (uid-settings): not known to be as wanted",
				"write inventory ConfigMap ns/fairway-inventory: what came out",
			}},
		},
		"ClaimsStay": {
			reason: "data is not removed before the application is retired, even where nothing was listed",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				id := Identity{Kind: "PersistentVolumeClaim", Namespace: "ns", Name: "data"}
				seen.Inventory.Objects[id] = Record{APIVersion: "v1", UID: "d"}
				seen.Live[id] = Live{UID: "d", Ownership: Ownership{Ours: true}}
				seen.Listed = false
				return seen
			},
		},
		"MarkFirst": {
			reason: "who is to go is marked, and the count lowered only once the mark is seen",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				seen.Pods = []Pod{podOf(service("account-a", 2), "p1", "account-1"), podOf(service("account-a", 2), "p2", "account-2")}
				seen.Wish = wishOf(service("account-a", 1))
				return seen
			},
			want: want{
				Actions: []string{`annotate Pod ns/p2 (uid-p2): seat "account-2" goes`},
				Waits:   []string{"the instances of Deployment ns/account-a that are to go are being marked"},
			},
		},
		"ThenLower": {
			reason: "marked: now the count",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				mark := func(p *Pod) { p.Cost = "-1000" }
				seen.Pods = []Pod{podOf(service("account-a", 2), "p1", "account-1"), podOf(service("account-a", 2), "p2", "account-2", mark)}
				seen.Wish = wishOf(service("account-a", 1))
				return seen
			},
			want: want{Actions: []string{
				"apply Deployment ns/account-a (uid-account-a): release bank-2",
				"write inventory ConfigMap ns/fairway-inventory: what came out",
			}},
		},
		"AnotherWent": {
			reason: "who was marked and stayed is unmarked, and takes the wanted seat",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 1)))
				mark := func(p *Pod) { p.Cost = "-1000" }
				seen.Pods = []Pod{podOf(service("account-a", 1), "p2", "account-2", mark)}
				return seen
			},
			want: want{Actions: []string{
				"annotate Pod ns/p2 (uid-p2): it stays",
				"label Pod ns/p2 (uid-p2): seat account-1",
			}},
		},
		"Retire": {
			reason: "workloads go first",
			seen: func() Seen {
				seen := there(wishOf(service("account-a", 2)))
				seen.Wish = Wish{Application: "retail-prod/bank", Namespace: "ns", Retire: true, Release: "bank-3", Sequence: 3}
				return seen
			},
			want: want{
				Actions: []string{
					"write inventory ConfigMap ns/fairway-inventory: the application goes",
					"delete Deployment ns/account-a (uid-account-a): release bank-3 no longer has it",
				},
				Waits: []string{"Deployment ns/account-a is being removed"},
			},
		},
		"RetireEnd": {
			reason: "the namespace goes last, and what release did it is remembered first",
			seen: func() Seen {
				seen := there(wishOf())
				delete(seen.Live, configMap)
				seen.Wish = Wish{Application: "retail-prod/bank", Namespace: "ns", Retire: true, Release: "bank-2", Sequence: 2}
				return seen
			},
			want: want{
				Actions: []string{
					"remember retirement ConfigMap fairway-system/fairway-retired: release bank-2 took the application out",
					"delete Namespace ns (uid-ns): release bank-2 no longer has it",
				},
				Waits: []string{"Namespace ns is being removed"},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			decision := Plan(tc.seen())
			var got want
			for _, action := range decision.Actions {
				got.Actions = append(got.Actions, action.String())
			}
			if decision.Stalled != nil {
				got.Stalled = decision.Stalled.Reason
			}
			got.Waits = decision.Waits
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nPlan(...): -want, +got:\n%s", tc.reason, diff)
			}
			if fmt.Sprint(Plan(tc.seen())) == "" {
				t.Error("a decision cannot be printed")
			}
		})
	}
}
