// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	placementserver "github.com/fairway-cloud/fairway/internal/placement/server"
)

// at is a moment of the night that these tests tell of, as the command writes it.
func at(clock string) (time.Time, string) {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		panic(err)
	}
	t = time.Date(2026, 3, 10, t.Hour(), t.Minute(), 0, 0, time.UTC)
	return t, moment(t)
}

// told is what was written, line by line.
func told(t *testing.T, write func(*strings.Builder) error) []string {
	t.Helper()
	var out strings.Builder
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// TestTellSituation reads a night in which everything happens, and one in which nothing does.
func TestTellSituation(t *testing.T) {
	since, sinceTold := at("03:00")
	due, dueTold := at("03:05")
	s := placementserver.Situation{
		Places: []placementserver.Away{
			{Environment: "prod", Kind: "Rack", Name: "dc-east/east-a", Since: since, LostFrom: due, State: "Lost", Times: 1},
			{Environment: "prod", Kind: "Cluster", Name: "west-1", Since: since, LostFrom: due, State: "Away", Times: 3},
		},
		Proposals: []placementserver.Proposed{{Application: "retail-prod/pay", Placement: "pay-0123456789", Cause: "Lost", Why: "rack dc-east/east-a lost; 2 instances to east-2\x1b[2J", Check: []string{"the disks of account are\nnot written to any more"}}},
		Unplaced:  []placementserver.NoPlace{{Application: "retail-prod/loan", Why: "pool retail lacks 4 CPU"}},
		Held: []placementserver.HeldBack{
			{Environment: "prod", Guard: "Brake", Why: "brake night holds"},
			{Environment: "prod", Application: "retail-prod/card", Guard: "Unsure", Why: "source cmdb has not confirmed it for 24h"},
		},
		Left: []string{"application retail-prod/odd: its revision cannot be read"},
	}
	want := []string{
		"Rack dc-east/east-a of prod is away since " + sinceTold + ": it counts as lost",
		"Cluster west-1 of prod is away since " + sinceTold + ": it counts as lost from " + dueTold + " on; it went away 3 times lately",
		"pay-0123456789 is proposed for retail-prod/pay: rack dc-east/east-a lost; 2 instances to east-2�[2J",
		"  make sure: the disks of account are not written to any more",
		"no place for retail-prod/loan: pool retail lacks 4 CPU",
		"held by Brake: prod: brake night holds",
		"held by Unsure: retail-prod/card: source cmdb has not confirmed it for 24h",
		"not looked at: application retail-prod/odd: its revision cannot be read",
	}
	if diff := cmp.Diff(want, told(t, func(out *strings.Builder) error { return tellSituation(out, s) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"nothing is away"}, told(t, func(out *strings.Builder) error { return tellSituation(out, placementserver.Situation{}) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestTellProposals reads one proposal, and none.
func TestTellProposals(t *testing.T) {
	since, _ := at("03:00")
	until, untilTold := at("04:00")
	p := aProposal("retail-prod", "pay-0123456789", until)
	p.Spec.Cause.Places[0].Since = metav1.NewTime(since)
	p.Spec.Cause.Check = []string{"nobody works on\x07 the rack"}
	want := []string{
		"pay-0123456789 for pay, revision pay-r1, by policy prod; its room is held until " + untilTold,
		"  rack dc-east/east-a since 2026-03-10 03:00:00Z lost; 1 instance to east-2",
		"  make sure: nobody works on� the rack",
		"  carry it out: fairway release start pay -n retail-prod --placement pay-0123456789 --reason … --ticket …",
	}
	if diff := cmp.Diff(want, told(t, func(out *strings.Builder) error { return tellProposals(out, []placementv1.Placement{*p}) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	p.Spec.Cause.Fence = []string{"account"}
	want[3] = "  carry it out: fairway release start pay -n retail-prod --placement pay-0123456789 --fenced … --reason … --ticket …"
	if diff := cmp.Diff(want, told(t, func(out *strings.Builder) error { return tellProposals(out, []placementv1.Placement{*p}) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"nothing is proposed"}, told(t, func(out *strings.Builder) error { return tellProposals(out, nil) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// aProposal is a Placement that is proposed because a rack is lost.
func aProposal(namespace, name string, until time.Time) *placementv1.Placement {
	return &placementv1.Placement{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: placementv1.PlacementSpec{
			Application: "pay", Revision: "pay-r1", Digest: "sha256:" + strings.Repeat("0", 64), ExpiresAt: metav1.NewTime(until),
			Assignments: []placementv1.Assignment{{
				Component: "account", Template: "sha256:0", Cell: placementv1.Cell{Cluster: "east-2", Pool: "retail", Zone: "business", Rack: "east-b", DCN: "dcn-east-1"},
				Seats: []int32{0}, Hosts: []string{"b-1"}, CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"),
			}},
			Cause: &placementv1.Cause{
				Kind: placementv1.CauseLost, Policy: "prod", Places: []placementv1.LostPlace{{Kind: placementv1.LostRack, Name: "dc-east/east-a"}},
				Gains: []placementv1.ClusterGain{{Cluster: "east-2", Instances: 1}},
			},
		},
	}
}

// TestLossesAndBrakes goes through what an operator types at night, mistakes included.
func TestLossesAndBrakes(t *testing.T) {
	startServer(t)
	tell(t, []step{
		{"what is away is told", "placement lost", 0, []string{"nothing is away"}, nil},
		{"for scripts, lists are there even when they are empty", "placement lost -o json", 0, []string{`"places":[]`, `"held":[]`, `"left":[]`}, nil},
		{"an output that there is not", "placement lost -o table", 2, nil, []string{`could not show`, "table"}},
		{"there is no argument", "placement lost dc-east", 2, nil, []string{"dc-east"}},

		{"a namespace is needed", "placement proposals", 2, nil, []string{"name the namespace with -n"}},
		{"an output that there is not", "placement proposals -n night-prod -o yaml", 2, nil, []string{"could not show", "yaml"}},
		{"where nothing is proposed", "placement proposals -n retail-sit", 0, []string{"nothing is proposed"}, nil},
		{"for scripts that is a list", "placement proposals -n retail-sit -o json", 0, []string{"[]"}, nil},

		{"no brake yet", "placement brake list", 0, nil, []string{"no brake was ever set"}},
		{"a reason is needed", "placement brake set --environment prod", 2, nil, []string{"say why with --reason"}},
		{"too long a reason", "placement brake set --reason " + strings.Repeat("x", 513), 8, nil, []string{"at most 512 characters"}},
		{"a name that the hub does not take", "placement brake set --name Night! --reason flapping", 8, nil, []string{"could not act on the brake"}},
		{"nothing was set by any of these", "placement brake list", 0, nil, []string{"no brake was ever set"}},
		{"it is set", "placement brake set --name night-1 --environment prod --reason flapping", 0, []string{"brake night-1 set: automation is stopped"}, nil},
		{"once", "placement brake set --name night-1 --reason again", 5, nil, []string{"one of that name is on record"}},
		{"it is listed with who and why", "placement brake list", 0, []string{"NAME", "night-1", "prod", "sandbox-admin", "flapping"}, nil},
		{"releasing needs a reason", "placement brake release night-1", 2, nil, []string{"say with --reason why automation may go on"}},
		{"and a name", "placement brake release --reason mended", 2, nil, nil},
		{"one that is not there", "placement brake release none --reason mended", 6, nil, []string{"could not find the brake", "fairway placement brake list"}},
		{"it is released", "placement brake release night-1 --reason mended", 0, []string{"brake night-1 released"}, nil},
		{"once", "placement brake release night-1 --reason mended", 5, nil, []string{"released it already"}},
		{"it stays on record", "placement brake list -o json", 0, []string{`"name": "night-1"`, `"reason": "mended"`}, nil},
	})
	out, errOut, code := run(t, "placement", "brake", "set", "--reason", "all of them")
	name, made := strings.CutPrefix(strings.TrimSuffix(out, " set: automation is stopped\n"), "brake ")
	if code != 0 || !made || !strings.HasPrefix(name, "by-hand-"+time.Now().UTC().Format("200601")) {
		t.Fatalf("a name is made where none is given: %d %s %s", code, out, errOut)
	}
	tell(t, []step{{"other tests begin without it", "placement brake release " + name + " --reason over", 0, []string{"released"}, nil}})
}
