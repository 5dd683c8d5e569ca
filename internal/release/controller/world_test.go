// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

func (b *bank) create(objects ...client.Object) {
	b.t.Helper()
	off := b.fuse.off
	b.fuse.off = true
	defer func() { b.fuse.off = off }()
	for _, o := range objects {
		status := o.DeepCopyObject().(client.Object)
		if err := b.hub.Create(b.t.Context(), o); err != nil {
			b.t.Fatal(err)
		}
		switch o.(type) {
		case *fleetv1.Pool, *fleetv1.Cluster:
			if b.real {
				status.SetResourceVersion(o.GetResourceVersion())
				status.SetUID(o.GetUID())
				if err := b.hub.Status().Update(b.t.Context(), status); err != nil {
					b.t.Fatal(err)
				}
			}
		}
	}
}

func (b *bank) world() {
	bankWorld := apptest.Bank()
	for _, l := range bankWorld.Levels {
		b.create(&tenancyv1.SecurityLevel{ObjectMeta: metav1.ObjectMeta{Name: l.Name}, Spec: tenancyv1.SecurityLevelSpec{Rank: l.Rank}})
	}
	for _, z := range bankWorld.Zones {
		zone := &fleetv1.NetworkZone{ObjectMeta: metav1.ObjectMeta{Name: z.Name}, Spec: fleetv1.NetworkZoneSpec{Kind: "Business", AcceptedLevels: z.Accepts}}
		for _, f := range z.Flows {
			zone.Spec.Flows = append(zone.Spec.Flows, fleetv1.ZoneFlow{To: f.To, Ports: f.Ports})
		}
		b.create(zone)
	}
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "retail"}, Spec: tenancyv1.TenantSpec{Environments: []string{"prod"}}}
	racks := map[string]string{"dmz": "a", "business": "a", "core": "b"}
	for zone, hosts := range map[string]int{"dmz": 1, "business": 2, "core": 1} {
		pool := &fleetv1.Pool{
			ObjectMeta: metav1.ObjectMeta{Name: "retail-" + zone},
			Spec:       fleetv1.PoolSpec{Tenant: "retail", SecurityLevel: "level-3", Zones: []string{zone}},
		}
		for _, site := range []string{"east", "west"} {
			rack := fleetv1.PoolRack{Cluster: site + "-1", Rack: site + "-" + racks[zone]}
			for i := range hosts {
				name := fmt.Sprintf("%s-%s-%d", site, zone, i+1)
				rack.Hosts = append(rack.Hosts, name)
				rack.Room = append(rack.Room, fleetv1.HostRoom{Host: name, Resources: fleetv1.Resources{
					CPU: resource.MustParse("8"), Memory: resource.MustParse("16Gi"), Instances: 110,
				}})
			}
			pool.Status.Racks = append(pool.Status.Racks, rack)
		}
		b.create(pool)
		tenant.Spec.Quotas = append(tenant.Spec.Quotas, tenancyv1.Quota{
			Environment: "prod", Pool: pool.Name, Instances: 40, CPU: resource.MustParse("16"), Memory: resource.MustParse("64Gi"),
		})
	}
	b.create(tenant)
	for _, site := range []string{"east", "west"} {
		b.create(
			&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: "dcn-" + site + "-1"}, Spec: fleetv1.DCNSpec{DataCenter: "dc-" + site, Environment: "prod"}},
			&fleetv1.Cluster{
				ObjectMeta: metav1.ObjectMeta{Name: site + "-1"},
				Spec:       fleetv1.ClusterSpec{DataCenter: "dc-" + site, Environment: "prod", StorageClasses: []fleetv1.StorageClass{{Kind: "Shared", ClassName: "shared"}}},
				Status: fleetv1.ClusterStatus{PodAdmission: "Policy", Conditions: []metav1.Condition{{
					Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue, Reason: "Answers", LastTransitionTime: metav1.NewTime(apptest.Now),
				}}},
			})
		b.members[site+"-1"] = &releasetest.Member{}
		b.source.AddClient(site+"-1", b.hub)
	}
	b.create(apptest.MobileBank())
}
