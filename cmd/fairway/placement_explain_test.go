// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// TestExplain reads a Placement line by line: groups by component and DCN, cells before
// reasons, and nothing of a cell that only keeps its numbers.
func TestExplain(t *testing.T) {
	since, _ := at("03:00")
	p := aProposal("retail-prod", "pay-0123456789", since)
	p.CreationTimestamp, p.Status.Release = metav1.NewTime(since), "pay-r1"
	empty := p.Spec.Assignments[0]
	empty.Cell.Rack, empty.Seats = "east-c", nil
	west := p.Spec.Assignments[0]
	west.Cell.Cluster, west.Cell.Rack, west.Cell.DCN, west.Seats, west.Hosts = "west-1", "west-a", "dcn-west-1", []int32{1000, 1001}, []string{"w-1", "w-2"}
	p.Spec.Assignments = append([]placementv1.Assignment{west, empty}, p.Spec.Assignments...)
	p.Spec.Policy = &placementv1.DecidedBy{Name: "prod", Generation: 3, Digest: "sha256:1", Weights: []placementv1.DecidedWeight{{Score: "Pool", Weight: 2}}, SpareFrom: 5, SurgePercent: 10}
	p.Spec.Reasons = []placementv1.Reason{
		{Component: "account", DCN: "dcn-west-1", Rule: "Count", Message: "2 instances asked for\x1b[2J"},
		{Rule: "Turn", Message: "components divided racks"},
		{Component: "account", DCN: "dcn-east-1", Rule: "Chosen", Message: "cell east-2"},
	}
	want := []string{
		"pay runs revision pay-r1 by placement pay-0123456789, decided " + since.Local().Format("2006-01-02 15:04:05 -07:00") + " for release pay-r1",
		"decided with placement policy prod, generation 3 (sha256:1): weights Pool 2; cells of 5 hosts and more keep one host's worth free; 10 % of hosts' worth is kept for releases",
		"", "application in every DCN", "  - Turn: components divided racks",
		"", "account in dcn-east-1",
		"  1 × 1 CPU, 1Gi: cluster east-2, pool retail, zone business, rack east-b; any of the hosts b-1",
		"  - Chosen: cell east-2",
		"", "account in dcn-west-1",
		"  2 × 1 CPU, 1Gi: cluster west-1, pool retail, zone business, rack west-a; any of the hosts w-1, w-2",
		"  - Count: 2 instances asked for\ufffd[2J",
	}
	if diff := cmp.Diff(want, told(t, func(out *strings.Builder) error { return explain(out, p) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	p.Status.Conditions = []metav1.Condition{{Type: placementv1.ConditionReserved, Status: metav1.ConditionTrue, Reason: placementv1.ReasonPlanned}}
	p.Spec.Policy, p.Spec.Reasons, p.Spec.Assignments = nil, nil, nil
	want = []string{"pay is to run revision pay-r1 by placement pay-0123456789, decided " + since.Local().Format("2006-01-02 15:04:05 -07:00") + " for release pay-r1, which has not taken a step yet"}
	if diff := cmp.Diff(want, told(t, func(out *strings.Builder) error { return explain(out, p) })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
