// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package stage

import (
	"fmt"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// Member is a cluster of the fleet. It has Fairway's rights (config/member).
type Member struct {
	Name, Site, Environment string
	Cluster                 *kubetest.Cluster
}

// Join takes members into the fleet as people do, each after its hosts were raised, and
// waits until Fairway has seen the room of so many hosts, and guards the members.
func (f *Fairway) Join(members []*Member, hosts int, raise func(*Member) error) {
	f.t.Helper()
	var all errgroup.Group
	for _, m := range members {
		all.Go(func() error {
			if err := raise(m); err != nil {
				return err
			}
			return f.Trying("join "+m.Name, func() error {
				return f.Post("/api/v1/fleet/clusters/"+m.Name+"/join", map[string]any{
					"kubeconfig": string(m.Cluster.UserKubeconfig(f.t, "fairway", "fairway:hub")), "dataCenter": m.Site, "environment": m.Environment,
				}, nil)
			})
		})
	}
	Must(f.t, all.Wait())
	Must(f.t, f.Trying("see the room of all hosts", func() error { return f.seen(hosts) }))
}

// seen says what lacks until every host offers its room.
func (f *Fairway) seen(want int) error {
	var pools fleetv1.PoolList
	if err := f.Own.List(f.t.Context(), &pools); err != nil {
		return err
	}
	seen, trouble := 0, ""
	for _, p := range pools.Items {
		if ready := meta.FindStatusCondition(p.Status.Conditions, "Ready"); ready != nil && ready.Status != metav1.ConditionTrue {
			trouble = ready.Message
		}
		for _, r := range p.Status.Racks {
			seen += len(r.Hosts)
		}
	}
	if seen != want {
		return fmt.Errorf("%d of %d hosts offer room: %s", seen, want, trouble)
	}
	var tenants tenancyv1.TenantList
	if err := f.Own.List(f.t.Context(), &tenants); err != nil {
		return err
	}
	for _, of := range tenants.Items {
		if !meta.IsStatusConditionTrue(of.Status.Conditions, "Ready") {
			return fmt.Errorf("tenant %q is not ready yet", of.Name)
		}
	}
	var clusters fleetv1.ClusterList
	if err := f.Own.List(f.t.Context(), &clusters); err != nil {
		return err
	}
	for _, c := range clusters.Items {
		if c.Status.PodAdmission == "" || c.Status.PodAdmission == "None" {
			return fmt.Errorf("cluster %q is not guarded yet", c.Name)
		}
	}
	return nil
}
