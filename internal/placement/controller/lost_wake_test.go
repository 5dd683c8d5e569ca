// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// What losses go by wakes the controller; what else a Cluster or a Pool tells does not.
func TestWhatWakesLosses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c *fleetv1.Cluster, p *fleetv1.Pool)
		want   bool
	}{
		"instances": {func(c *fleetv1.Cluster, _ *fleetv1.Pool) { c.Status.Version = "v1.36.0" }, false},
		"room":      {func(_ *fleetv1.Cluster, p *fleetv1.Pool) { p.Status.Racks[0].Used.CPU = resource.MustParse("3") }, false},
		"order of racks": {func(_ *fleetv1.Cluster, p *fleetv1.Pool) {
			p.Status.Racks[0], p.Status.Racks[1] = p.Status.Racks[1], p.Status.Racks[0]
		}, false},
		"a host is sick":  {func(c *fleetv1.Cluster, _ *fleetv1.Pool) { c.Status.Hosts.Ready-- }, true},
		"a cluster goes":  {func(c *fleetv1.Cluster, _ *fleetv1.Pool) { c.Status.Conditions[0].Status = metav1.ConditionFalse }, true},
		"it is back":      {func(c *fleetv1.Cluster, _ *fleetv1.Pool) { c.Status.Away = &fleetv1.Absence{Times: 1} }, true},
		"it serves other": {func(c *fleetv1.Cluster, _ *fleetv1.Pool) { c.Generation++ }, true},
		"a rack is away":  {func(_ *fleetv1.Cluster, p *fleetv1.Pool) { p.Status.Away = []fleetv1.RackAway{{Rack: "a"}} }, true},
		"a host is added": {func(_ *fleetv1.Cluster, p *fleetv1.Pool) { p.Status.Racks[0].Hosts = []string{"h1", "h2"} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := &fleetv1.Cluster{Status: fleetv1.ClusterStatus{Hosts: fleetv1.HostCounts{Total: 2, Ready: 2}, Conditions: []metav1.Condition{{Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue}}}}
			pool := &fleetv1.Pool{}
			pool.Status.Racks = []fleetv1.PoolRack{{Cluster: "east-1", Rack: "a", Hosts: []string{"h1"}}, {Cluster: "east-1", Rack: "b", Hosts: []string{"h3"}}}
			newCluster, newPool := cluster.DeepCopy(), pool.DeepCopy()
			c.change(newCluster, newPool)
			got := changes(ofCluster).Update(event.UpdateEvent{ObjectOld: cluster, ObjectNew: newCluster}) || changes(ofPool).Update(event.UpdateEvent{ObjectOld: pool, ObjectNew: newPool})
			if got != c.want {
				t.Errorf("it wakes: %t, want %t", got, c.want)
			}
		})
	}
}
