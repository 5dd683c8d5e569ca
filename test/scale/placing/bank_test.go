// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

const environment = "sit"

// Instances of each application in either DCN; what a host offers.
const (
	inEast, inWest = 6, 4
	hostCPU        = 192
	hostMemory     = 768 // GiB
	hostInstances  = 500
)

// sizesOf are the sizes of applications, in turn: 583m CPU on average.
var sizesOf = []appv1.SizingClass{appv1.SizeXSmall, appv1.SizeSmall, appv1.SizeMedium}

// size is how large a run is.
type size struct {
	applications, members, tenants, callers int
	// hosts of each pool in each of its two clusters.
	hosts int
}

// tenant is the name of a tenant, and of its pool.
func (z size) tenant(i int) string { return fmt.Sprintf("unit-%02d", i) }

// pair is which two clusters, one in each site, a tenant's pool has its hosts in.
func (z size) pair(tenant int) int { return tenant % (z.members / 2) }

// allHosts counts the hosts of all pools.
func (z size) allHosts() int { return 2 * z.tenants * z.hosts }

// hostsOf are the hosts of a tenant's pool in a cluster, in two racks by turns.
func (z size) hostsOf(m *stage.Member, tenant int) []string {
	var out []string
	for i := range z.hosts {
		out = append(out, fmt.Sprintf("%s-%s-%s%02d", m.Name, z.tenant(tenant), []string{"a", "b"}[i%2], i/2))
	}
	return out
}

func rackOf(m *stage.Member, host int) string { return m.Name + []string{"-a", "-b"}[host%2] }

// describe writes down the bank: a test environment, two sites with a DCN each, and
// tenants with a pool of their own.
func (s *scene) describe() {
	s.t.Helper()
	s.Make(&tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: environment}, Spec: tenancyv1.EnvironmentSpec{Class: tenancyv1.ClassTest}})
	s.Make(&tenancyv1.SecurityLevel{ObjectMeta: metav1.ObjectMeta{Name: "l2"}, Spec: tenancyv1.SecurityLevelSpec{Rank: 2}})
	s.Make(&tenancyv1.AvailabilityClass{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Spec: tenancyv1.AvailabilityClassSpec{Rank: 1}})
	s.Make(&fleetv1.NetworkZone{ObjectMeta: metav1.ObjectMeta{Name: "business"}, Spec: fleetv1.NetworkZoneSpec{Kind: "Business", AcceptedLevels: []string{"l2"}}})
	for _, where := range []string{"east", "west"} {
		site := &fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: "dc-" + where}, Spec: fleetv1.DataCenterSpec{City: "Shanghai"}}
		for _, m := range s.members {
			if m.Site == site.Name {
				for i := range 2 {
					site.Spec.Racks = append(site.Spec.Racks, fleetv1.Rack{Name: rackOf(m, i), AvailabilityZone: where + []string{"-1", "-2"}[i]})
				}
			}
		}
		s.Make(site)
		s.Make(&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: "dcn-" + where}, Spec: fleetv1.DCNSpec{DataCenter: site.Name, Environment: environment}})
	}
	for i := range s.size.tenants {
		pool := &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: s.size.tenant(i)}, Spec: fleetv1.PoolSpec{Tenant: s.size.tenant(i), SecurityLevel: "l2", Zones: []string{"business"}, HostKind: "Simulated"}}
		for _, m := range s.members[2*s.size.pair(i):][:2] {
			pool.Spec.Hosts = append(pool.Spec.Hosts, fleetv1.PoolHosts{Cluster: m.Name, Names: s.size.hostsOf(m, i)})
		}
		s.Make(pool)
		s.Make(&tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: s.size.tenant(i)}, Spec: tenancyv1.TenantSpec{
			Environments: []string{environment},
			Quotas:       []tenancyv1.Quota{{Environment: environment, Pool: pool.Name, Instances: 1 << 20, CPU: resource.MustParse("1M"), Memory: resource.MustParse("1Pi")}},
		}})
	}
}

// raise makes the hosts of a member.
func (s *scene) raise(m *stage.Member) error {
	var all errgroup.Group
	all.SetLimit(4)
	for tenant := range s.size.tenants {
		if !slices.Contains(s.members[2*s.size.pair(tenant):][:2], m) {
			continue
		}
		for i, name := range s.size.hostsOf(m, tenant) {
			all.Go(func() error {
				host := stage.Host{Name: name, Rack: rackOf(m, i), CPU: hostCPU, Memory: hostMemory, Instances: hostInstances}
				return host.Raise(s.t.Context(), m.Cluster.Client())
			})
		}
	}
	return all.Wait()
}

// application is the i-th one.
func (z size) application(i int) *appv1.Application {
	return &appv1.Application{
		TypeMeta:   metav1.TypeMeta{APIVersion: appv1.GroupVersion.String(), Kind: "Application"},
		ObjectMeta: metav1.ObjectMeta{Namespace: z.tenant(i%z.tenants) + "-" + environment, Name: fmt.Sprintf("app-%05d", i)},
		Spec: appv1.ApplicationSpec{
			Identity:      appv1.Identity{System: "SC", Code: fmt.Sprintf("SC-%05d", i), DisplayName: "scale", Owner: "team", LegalEntity: "Example Bank"},
			SecurityLevel: "l2", AvailabilityClass: "c",
			Components: []appv1.Component{{
				Name: "app", Image: "registry.bank.example/bank/app:v1", Zone: "business", Resources: &appv1.Resources{Class: sizesOf[i%len(sizesOf)]},
				Ports: []appv1.Port{{Name: "http", Port: 8080}}, User: &appv1.User{UID: ptr.To[int64](65532), GID: ptr.To[int64](65532)},
				Logs: []appv1.Log{{Name: "stdout"}}, Instances: []appv1.InstanceCount{{DCN: "dcn-east", Count: inEast}, {DCN: "dcn-west", Count: inWest}},
			}},
		},
	}
}

// releaseOf brings a Revision of an application into service.
func releaseOf(a *appv1.Application, revision string) *releasev1.Release {
	return &releasev1.Release{
		TypeMeta:   metav1.TypeMeta{APIVersion: releasev1.GroupVersion.String(), Kind: "Release"},
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name + "-1"},
		Spec:       releasev1.ReleaseSpec{Application: a.Name, Kind: releasev1.KindDeploy, Revision: revision, Reason: "first deployment"},
	}
}
