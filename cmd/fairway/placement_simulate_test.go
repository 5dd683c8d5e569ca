// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// TestReadLoss reads what --lose takes.
func TestReadLoss(t *testing.T) {
	kinded := func(kind, name string) map[string]any { return map[string]any{"kind": kind, "name": name} }
	for text, want := range map[string]map[string]any{
		"datacenter/dc-east":   kinded("DataCenter", "dc-east"),
		"DataCenter/dc-east":   kinded("DataCenter", "dc-east"),
		"cluster/east-1":       kinded("Cluster", "east-1"),
		"pool/retail":          kinded("Pool", "retail"),
		"rack/dc-east/east-a":  kinded("Rack", "dc-east/east-a"),
		"host/east-1/east-biz": kinded("Host", "east-1/east-biz"),
		"dc-east":              {"name": "dc-east"},
		"dc-east/east-a":       {"name": "dc-east/east-a"},
		"rack":                 {"name": "rack"},
	} {
		got, err := lossOf(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"", " ", "rack/", "Host/"} {
		if got, err := lossOf(text); err == nil || !strings.Contains(err.Error(), "write KIND/NAME") {
			t.Errorf("%q was read as %v (%v)", text, got, err)
		}
	}
}

// TestReadAddition reads what --add-hosts takes.
func TestReadAddition(t *testing.T) {
	for text, want := range map[string]map[string]any{
		"retail/east-1/a=2": {"pool": "retail", "cluster": "east-1", "rack": "a", "count": 2},
		"retail/east-1/z=4,cpu=16,memory=64Gi,arch=arm64,new": {"pool": "retail", "cluster": "east-1", "rack": "z", "count": 4, "cpu": "16", "memory": "64Gi", "arch": "arm64", "rackIs": "New"},
		"retail/east-1/a=-1": {"pool": "retail", "cluster": "east-1", "rack": "a", "count": -1}, // the server refuses it
	} {
		got, err := additionOf(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"":                                     "write POOL/CLUSTER/RACK=COUNT",
		"retail/east-1=2":                      "write POOL/CLUSTER/RACK=COUNT",
		"retail//a=2":                          "write POOL/CLUSTER/RACK=COUNT",
		"retail/east-1/a":                      "write POOL/CLUSTER/RACK=COUNT",
		"retail/east-1/a=two":                  "write POOL/CLUSTER/RACK=COUNT",
		"retail/east-1/a=99999999999999999999": "write POOL/CLUSTER/RACK=COUNT",
		"retail/east-1/a=2,gpu=1":              `could not read "gpu=1"`,
		"retail/east-1/a=2,cpu":                `could not read "cpu"`,
		"retail/east-1/a=2,cpu=":               `could not read "cpu="`,
		"retail/east-1/a=2,cpu=1,cpu=2":        "it says cpu twice",
		"retail/east-1/a=2,new,new":            "it says new twice",
		"retail/east-1/a=2,":                   `could not read ""`,
	} {
		if got, err := additionOf(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q was read as %v (%v), want %q", text, got, err, want)
		}
	}
}

// TestReadChange reads files: Applications, lists, both, and what is neither.
func TestReadChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "change.yaml")
	read := func(text string) (map[string][]any, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return changeOf(file, "retail-prod", []string{"pool/cards"}, []string{"retail/east-1/a=1"})
	}
	got, err := read(`lose:
- {kind: Rack, name: dc-east/a}
- dc-west
add:
- {pool: retail, cluster: east-1, rack: b, count: 3, arch: loong64}
- retail/east-1/c=2,new
---
kind: Application
metadata: {name: pay}
spec: {tenant: retail}
status: {left: out}
---
# nothing
`)
	want := map[string][]any{
		"lose": {map[string]any{"kind": "Rack", "name": "dc-east/a"}, map[string]any{"name": "dc-west"}, map[string]any{"kind": "Pool", "name": "cards"}},
		"add": {
			map[string]any{"pool": "retail", "cluster": "east-1", "rack": "b", "count": float64(3), "arch": "loong64"},
			map[string]any{"pool": "retail", "cluster": "east-1", "rack": "c", "count": 2, "rackIs": "New"},
			map[string]any{"pool": "retail", "cluster": "east-1", "rack": "a", "count": 1},
		},
		"applications": {map[string]any{"kind": "Application", "metadata": map[string]any{"name": "pay", "namespace": "retail-prod"}, "spec": map[string]any{"tenant": "retail"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, want := range map[string]string{
		"kind: Release":               "it holds Applications, or the lists lose and add",
		"gain: [{name: x}]":           `there is no list "gain"`,
		"lose: [rack/]":               "write KIND/NAME",
		"add: [retail/east-1/a]":      "write POOL/CLUSTER/RACK=COUNT",
		"lose: dc-east":               "could not read",
		"{":                           "could not read",
		"lose: []\nlose: [{name: x}]": "could not read",
	} {
		if got, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q was read as %v (%v), want %q", text, got, err, want)
		}
	}
	if _, err := changeOf(file+".not", "", nil, nil); err == nil || !strings.Contains(err.Error(), "could not read") {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := changeOf("", "", nil, nil); err == nil || !strings.Contains(err.Error(), "say what is lost") {
		t.Errorf("nothing: %v", err)
	}
	if err := os.WriteFile(file, []byte("kind: Application\nmetadata: {name: pay}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := changeOf(file, "", nil, nil); err == nil || !strings.Contains(err.Error(), "name it with -n") {
		t.Errorf("no namespace: %v", err)
	}
}

// TestTellSimulated reads of a loss after which not all fits, and of one that changes nothing.
func TestTellSimulated(t *testing.T) {
	cell := placementv1.Cell{Cluster: "west-1", Pool: "retail", Zone: "business", Rack: "w", DCN: "dcn-west"}
	s := simulated{Notes: []string{"DCN dcn-east hands its instances\x07 to its partner dcn-west"}}
	s.Moves = append(s.Moves, struct {
		Application, Component string
		Cell                   placementv1.Cell
		By                     int
	}{"retail-prod/pay", "web", cell, 2})
	cell.Cluster, cell.Rack, cell.DCN = "east-1", "a", "dcn-east"
	s.Moves = append(s.Moves, s.Moves[0])
	s.Moves[1].Cell, s.Moves[1].By = cell, -3
	s.Unplaced = append(s.Unplaced, struct {
		Application string
		Reasons     []string
	}{"retail-prod/pay", []string{"component web in dcn-west: pool retail in dc-west lacks 1 CPU\n on rack w"}})
	s.Trials = append(s.Trials, struct {
		Application, Verdict string
		Notes                []string
		Placement            placementv1.PlacementSpec
	}{"retail-prod/cards", "Refused", []string{"image not scanned yet"}, placementv1.PlacementSpec{Reasons: []placementv1.Reason{{Component: "web", DCN: "dcn-west", Rule: "Quota", Message: "quota of pool retail is 4 instances"}}}})
	want := []string{
		"DCN dcn-east hands its instances\ufffd to its partner dcn-west",
		"APPLICATION       COMPONENT   DCN        CLUSTER   POOL     RACK   INSTANCES",
		"retail-prod/pay   web         dcn-west   west-1    retail   w      +2",
		"retail-prod/pay   web         dcn-east   east-1    retail   a      -3",
		"",
		"retail-prod/cards would be refused",
		"  note: image not scanned yet",
		"",
		"web in dcn-west",
		"  - Quota: quota of pool retail is 4 instances",
		"retail-prod/pay would not fit:",
		"  component web in dcn-west: pool retail in dc-west lacks 1 CPU  on rack w",
	}
	if diff := cmp.Diff(want, told(t, func(out *strings.Builder) error { return tellSimulated(out, s) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"nothing would move"}, told(t, func(out *strings.Builder) error { return tellSimulated(out, simulated{}) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestAskWhatIf types what an operator types, mistakes included.
func TestAskWhatIf(t *testing.T) {
	startServer(t)
	tell(t, []step{
		{"nothing is asked", "placement simulate", 2, nil, []string{"say what is lost (--lose) or added (--add-hosts)"}},
		{"half a name", "placement simulate --lose rack/", 2, nil, []string{"write KIND/NAME"}},
		{"half of hosts", "placement simulate --add-hosts retail=2", 2, nil, []string{"write POOL/CLUSTER/RACK=COUNT"}},
		{"a file that is not there", "placement simulate -f /there/is/none.yaml", 1, nil, []string{"could not read /there/is/none.yaml"}},
		{"nobody is called so", "placement simulate --lose moon", 8, nil, []string{`could not lose "moon": nothing of the fleet is called so; there are`}},
		{"nor with a kind", "placement simulate --lose host/moon/one", 8, nil, []string{`could not lose Host "moon/one"`}},
		{"hosts for nobody", "placement simulate --add-hosts moon/moon/a=2", 8, nil, []string{"could not add hosts to cluster"}},
		{"there is no argument", "placement simulate dc-east", 2, nil, []string{"dc-east"}},
		{"explain needs a namespace", "placement explain pay", 2, nil, []string{"name the namespace with -n"}},
		{"and an application", "placement explain -n retail-prod", 2, nil, nil},
		{"that runs", "placement explain moon -n retail-prod", 1, nil, []string{`could not find a placement of application "moon" in "retail-prod" that a release uses`}},
	})
}
