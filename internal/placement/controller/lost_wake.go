// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// changes lets a change of an object through by which another thing is told of it: what else
// a Cluster or a Pool tells, such as what its hosts have left, would have the whole fleet read
// again and again. While something is away or waits it is looked at each minute anyway.
func changes(of func(client.Object) any) predicate.Funcs {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || !equality.Semantic.DeepEqual(of(e.ObjectOld), of(e.ObjectNew))
	}}
}

// ofCluster is what losses go by of a Cluster: whether it can be reached, and how many hosts it
// has and how many of them are ready.
func ofCluster(o client.Object) any {
	c := o.(*fleetv1.Cluster)
	return []any{
		c.DeletionTimestamp.IsZero(), c.Status.Away, c.Status.Hosts.Total, c.Status.Hosts.Ready,
		meta.IsStatusConditionTrue(c.Status.Conditions, fleetv1.ConditionReachable), meta.IsStatusConditionTrue(c.Status.Conditions, fleetv1.ConditionStalled),
	}
}

// ofPool is what losses go by of a Pool: the racks that are away, and the hosts of the others.
func ofPool(o client.Object) any {
	p := o.(*fleetv1.Pool)
	hosts := map[[2]string][]string{}
	for _, r := range p.Status.Racks {
		hosts[[2]string{r.Cluster, r.Rack}] = r.Hosts
	}
	return []any{p.DeletionTimestamp.IsZero(), p.Status.Away, hosts}
}
