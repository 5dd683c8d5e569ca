// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Pools tells of each Pool what its hosts hold and could hold. It is the
// controller fleet.pools.
type Pools struct {
	hub   client.Client
	sight *Sight
	now   func() time.Time
}

// Reconcile tells the state of one Pool.
func (p *Pools) Reconcile(ctx context.Context, pool *fleetv1.Pool) (ctrl.Result, error) {
	if !pool.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	before := pool.DeepCopy()
	seen, err := p.see(ctx, pool)
	if err != nil {
		return ctrl.Result{}, err
	}
	pool.Status = fleet.ReportPool(pool.Status, seen, p.now())
	return patch.Settle(ctrl.Result{}, patch.Status(ctx, p.hub, before, pool))
}

func (p *Pools) see(ctx context.Context, pool *fleetv1.Pool) (fleet.PoolSeen, error) {
	seen := fleet.PoolSeen{Generation: pool.Generation, Rooms: map[string]fleet.Room{}, Away: map[string]int{}}
	pools, clusters, sites := &fleetv1.PoolList{}, &fleetv1.ClusterList{}, &fleetv1.DataCenterList{}
	for _, list := range []client.ObjectList{pools, clusters, sites} {
		if err := p.hub.List(ctx, list); err != nil {
			return seen, fmt.Errorf("could not list the %T: %w", list, err)
		}
	}
	racks := map[string][]string{}
	for _, site := range sites.Items {
		for _, rack := range site.Spec.Racks {
			racks[site.Name] = append(racks[site.Name], rack.Name)
		}
	}
	known := map[string]bool{}
	for _, cluster := range clusters.Items {
		known[cluster.Name] = true
		listed := listedIn(pool, cluster.Name)
		hosts, pods, ok := p.sight.Look(cluster.Name)
		if !ok {
			if len(listed) > 0 {
				seen.Away[cluster.Name] = len(listed)
			}
			continue
		}
		plan := fleet.PlanHosts(cluster.Name, pools.Items, hosts, occupied(pods))
		for _, finding := range plan.Findings {
			if finding.Pool == pool.Name {
				seen.Findings = append(seen.Findings, finding)
			}
		}
		var staying, leaving []fleet.Host
		for _, host := range hosts {
			switch {
			case host.Pool != pool.Name: // not marked yet, or another pool's
			case slices.Contains(listed, host.Name):
				staying = append(staying, host)
			default:
				leaving = append(leaving, host)
			}
		}
		if len(staying)+len(leaving) == 0 {
			continue
		}
		room := fleet.RoomOf(cluster.Name, pool.Name, staying, pods, racks[cluster.Spec.DataCenter])
		// A host that leaves takes no more instances; those it runs still count.
		room.Instances += fleet.RoomOf(cluster.Name, pool.Name, leaving, pods, nil).Instances
		seen.Rooms[cluster.Name] = room
	}
	for _, part := range pool.Spec.Hosts {
		if !known[part.Cluster] {
			seen.Findings = append(seen.Findings, fleet.Finding{
				Pool: pool.Name, Rule: fleet.RuleClusterMissing,
				Message: fmt.Sprintf("cluster %q is not in the fleet: join it, or take its hosts off the list", part.Cluster),
			})
		}
	}
	return seen, nil
}

func listedIn(pool *fleetv1.Pool, cluster string) []string {
	var names []string
	for _, hosts := range pool.Spec.Hosts {
		if hosts.Cluster == cluster {
			names = append(names, hosts.Names...)
		}
	}
	return names
}
