// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
)

var now = time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)

// placed is a Placement of so many minutes ago, of component web in cluster east-1.
func placed(name string, minutes int, reason string, seats ...int32) placementv1.Placement {
	p := placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-time.Duration(minutes) * time.Minute))}}
	p.Spec = placementv1.PlacementSpec{Application: "teller", Revision: "rev-" + name, ExpiresAt: metav1.NewTime(now.Add(-time.Minute)), Assignments: []placementv1.Assignment{
		{Component: "web", Cell: placementv1.Cell{Cluster: "east-1", Pool: "retail", Zone: "business", Rack: "r1", DCN: "d1"}, Seats: seats},
		{Component: "nightly", Cell: placementv1.Cell{Cluster: "east-1", Pool: "retail", Zone: "business", Rack: "r1", DCN: "d1"}, Seats: []int32{0}},
	}}
	p.Status.Release = "release-" + name
	if reason != "" {
		p.Status.Conditions = []metav1.Condition{{Type: "Reserved", Status: metav1.ConditionFalse, Reason: reason}}
	}
	return p
}

func runs(seat, host, ip, revision string, minutes int) delivery.Instance {
	return delivery.Instance{Seat: seat, Cluster: "east-1", Host: host, IP: ip, Revision: revision, State: "Running", CreatedAt: now.Add(-time.Duration(minutes) * time.Minute), UID: host}
}

func application() *appv1.Application {
	return &appv1.Application{Spec: appv1.ApplicationSpec{Identity: appv1.Identity{System: "TB", Code: "TB-1"}, Components: []appv1.Component{
		{Name: "web", Kind: appv1.KindService}, {Name: "nightly", Kind: appv1.KindCron},
	}}}
}

func machinesOf(source string, seats ...int32) placementv1.MachineImport {
	m := placementv1.MachineImport{ObjectMeta: metav1.ObjectMeta{Name: "teller." + source}, Spec: placementv1.MachineImportSpec{Application: "teller", Source: source}}
	for _, s := range seats {
		m.Spec.Instances = append(m.Spec.Instances, placementv1.MachineInstance{Component: "web", Seat: s, DCN: "d1", DataCenter: "dc-east", Rack: "vm-1", Host: fmt.Sprintf("vm%d", s), Address: fmt.Sprintf("10.9.0.%d", s)})
	}
	return m
}

// in are the instances in words.
func in(list []inventory.Instance) []string {
	var out []string
	for _, i := range list {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s %s %s %s %s", i.Seat, i.On, i.State, i.DataCenter, i.Host, i.Address, i.Revision, i.Placement, i.Code)))
	}
	return out
}

func TestTruth(t *testing.T) {
	two := []placementv1.Placement{placed("a", 10, "", 1000, 1001)}
	before := inventory.Truth(inventory.Seen{Namespace: "retail-prod", Name: "teller", Application: application(), Placements: two, Imports: []placementv1.MachineImport{machinesOf("cmdb", 1)},
		Instances: []delivery.Instance{runs("web-1000", "h1", "10.1.0.1", "rev-a", 5)}, DataCenters: map[string]string{"east-1": "dc-east"}}, now)
	for name, c := range map[string]struct {
		seen   inventory.Seen
		want   []string
		reason string
	}{
		"placed": {inventory.Seen{Placements: two, Application: application()}, []string{"web-1000 Container Reserved dc-east   rev-a a TB-1", "web-1001 Container Reserved dc-east   rev-a a TB-1"}, "jobs have no seats"},
		"proposed": {inventory.Seen{Placements: []placementv1.Placement{func() placementv1.Placement {
			p := placed("a", 1, "", 1000)
			p.Status.Release = ""
			return p
		}()}}, nil, "a proposal is nobody's instance"},
		"seen to run": {inventory.Seen{Placements: two, Application: application(), Instances: []delivery.Instance{runs("web-1001", "h2", "10.1.0.2", "rev-a", 5)}},
			[]string{"web-1000 Container Reserved dc-east   rev-a a TB-1", "web-1001 Container Running dc-east h2 10.1.0.2 rev-a a TB-1"}, ""},
		"released on": {inventory.Seen{Placements: []placementv1.Placement{two[0], placed("b", 1, "", 1000, 1002)}, Application: application(), Instances: []delivery.Instance{runs("web-1000", "h1", "10.1.0.1", "rev-a", 5)}},
			[]string{"web-1000 Container Running dc-east h1 10.1.0.1 rev-a b TB-1", "web-1001 Container Reserved dc-east   rev-a a TB-1", "web-1002 Container Reserved dc-east   rev-b b TB-1"}, "old and new stand side by side; what runs is what was seen"},
		"two on one seat": {inventory.Seen{Placements: []placementv1.Placement{placed("a", 10, "", 1000)}, Application: application(), Instances: []delivery.Instance{
			runs("web-1000", "h1", "10.1.0.1", "rev-a", 5), func() delivery.Instance {
				i := runs("web-1000", "h9", "10.1.0.9", "rev-a", 1)
				i.State = "Lost"
				return i
			}(),
		}}, []string{"web-1000 Container Running dc-east h1 10.1.0.1 rev-a a TB-1"}, "the one whose host is there"},
		"fewer": {inventory.Seen{Placements: []placementv1.Placement{placed("a", 10, "Superseded", 1000, 1001), placed("b", 1, "", 1000)}, Application: application(), Before: before, Imports: []placementv1.MachineImport{machinesOf("cmdb", 1)}},
			[]string{"web-1 VirtualMachine Running dc-east vm1 10.9.0.1   TB-1", "web-1000 Container Running dc-east h1 10.1.0.1 rev-a b TB-1"}, "the newer Placement says so; host and address stay what they were last seen to be"},
		"nothing known": {inventory.Seen{Before: before},
			[]string{"web-1 VirtualMachine Running dc-east vm1 10.9.0.1   TB-1", "web-1000 Container Running dc-east h1 10.1.0.1 rev-a a TB-1", "web-1001 Container Reserved dc-east   rev-a a TB-1"}, "absence of data deletes nothing"},
		"retired": {inventory.Seen{Placements: []placementv1.Placement{placed("a", 10, "Retired", 1000, 1001)}, Before: before},
			[]string{"web-1 VirtualMachine Running dc-east vm1 10.9.0.1   TB-1"}, "machines are the source's matter"},
		"given back alone": {inventory.Seen{Placements: []placementv1.Placement{placed("a", 10, "Superseded", 1000, 1001)}, Before: before[1:]},
			[]string{"web-1000 Container Running dc-east h1 10.1.0.1 rev-a a TB-1", "web-1001 Container Reserved dc-east   rev-a a TB-1"}, "what took its place cannot be found: nobody knows"},
		"machine gone": {inventory.Seen{Imports: []placementv1.MachineImport{machinesOf("cmdb")}, Before: before[:1]}, nil, "its source says so"},
		"number of two": {inventory.Seen{Placements: []placementv1.Placement{placed("a", 10, "", 1000)}, Imports: []placementv1.MachineImport{machinesOf("cmdb", 1000), machinesOf("excel", 7)}, Application: application()},
			[]string{"web-7 VirtualMachine Running dc-east vm7 10.9.0.7   TB-1", "web-1000 Container Reserved dc-east   rev-a a TB-1"}, "each number once"},
		"description gone": {inventory.Seen{Placements: two, Before: before, Imports: []placementv1.MachineImport{machinesOf("cmdb", 1)}},
			[]string{"web-1 VirtualMachine Running dc-east vm1 10.9.0.1   TB-1", "web-1000 Container Running dc-east h1 10.1.0.1 rev-a a TB-1", "web-1001 Container Reserved dc-east   rev-a a TB-1"}, "its code in the CMDB is remembered"},
	} {
		t.Run(name, func(t *testing.T) {
			c.seen.Namespace, c.seen.Name, c.seen.DataCenters = "retail-prod", "teller", map[string]string{"east-1": "dc-east"}
			if diff := cmp.Diff(c.want, in(inventory.Truth(c.seen, now))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}
