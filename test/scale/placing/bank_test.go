// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
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
func (z size) hostsOf(m *member, tenant int) []string {
	var out []string
	for i := range z.hosts {
		out = append(out, fmt.Sprintf("%s-%s-%s%02d", m.name, z.tenant(tenant), []string{"a", "b"}[i%2], i/2))
	}
	return out
}

func rackOf(m *member, host int) string { return m.name + []string{"-a", "-b"}[host%2] }

// describe writes down the bank: a test environment, two sites with a DCN each, and
// tenants with a pool of their own.
func (s *scene) describe() {
	s.t.Helper()
	s.make(&tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: environment}, Spec: tenancyv1.EnvironmentSpec{Class: tenancyv1.ClassTest}})
	s.make(&tenancyv1.SecurityLevel{ObjectMeta: metav1.ObjectMeta{Name: "l2"}, Spec: tenancyv1.SecurityLevelSpec{Rank: 2}})
	s.make(&tenancyv1.AvailabilityClass{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Spec: tenancyv1.AvailabilityClassSpec{Rank: 1}})
	s.make(&fleetv1.NetworkZone{ObjectMeta: metav1.ObjectMeta{Name: "business"}, Spec: fleetv1.NetworkZoneSpec{Kind: "Business", AcceptedLevels: []string{"l2"}}})
	for _, where := range []string{"east", "west"} {
		site := &fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: "dc-" + where}, Spec: fleetv1.DataCenterSpec{City: "Shanghai"}}
		for _, m := range s.members {
			if m.site == site.Name {
				for i := range 2 {
					site.Spec.Racks = append(site.Spec.Racks, fleetv1.Rack{Name: rackOf(m, i), AvailabilityZone: where + []string{"-1", "-2"}[i]})
				}
			}
		}
		s.make(site)
		s.make(&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: "dcn-" + where}, Spec: fleetv1.DCNSpec{DataCenter: site.Name, Environment: environment}})
	}
	for i := range s.size.tenants {
		pool := &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: s.size.tenant(i)}, Spec: fleetv1.PoolSpec{Tenant: s.size.tenant(i), SecurityLevel: "l2", Zones: []string{"business"}, HostKind: "Simulated"}}
		for _, m := range s.members[2*s.size.pair(i):][:2] {
			pool.Spec.Hosts = append(pool.Spec.Hosts, fleetv1.PoolHosts{Cluster: m.name, Names: s.size.hostsOf(m, i)})
		}
		s.make(pool)
		s.make(&tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: s.size.tenant(i)}, Spec: tenancyv1.TenantSpec{
			Environments: []string{environment},
			Quotas:       []tenancyv1.Quota{{Environment: environment, Pool: pool.Name, Instances: 1 << 20, CPU: resource.MustParse("1M"), Memory: resource.MustParse("1Pi")}},
		}})
	}
}

// raise makes the hosts of a member, each with what it offers before it is ready.
func (s *scene) raise(m *member) error {
	var all errgroup.Group
	all.SetLimit(4)
	for tenant := range s.size.tenants {
		if !slices.Contains(s.members[2*s.size.pair(tenant):][:2], m) {
			continue
		}
		for i, name := range s.size.hostsOf(m, tenant) {
			all.Go(func() error { return raiseHost(s.t, m.cluster.Client(), name, rackOf(m, i)) })
		}
	}
	return all.Wait()
}

// raiseHost makes a host. The simulator does not know it before it says what it offers, or
// else it would say so itself.
func raiseHost(t *testing.T, api client.Client, name, rack string) error {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Labels:      map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64", fleetv1.LabelRack: rack},
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
		},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: fleetv1.LabelSimulated, Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
	}
	if err := api.Create(t.Context(), node); err != nil {
		return fmt.Errorf("could not make host %q: %w", name, err)
	}
	before := node.DeepCopy()
	room := corev1.ResourceList{
		corev1.ResourceCPU: *resource.NewQuantity(hostCPU, resource.DecimalSI), corev1.ResourceMemory: *resource.NewQuantity(hostMemory<<30, resource.BinarySI),
		corev1.ResourcePods: *resource.NewQuantity(hostInstances, resource.DecimalSI),
	}
	node.Status.Capacity, node.Status.Allocatable = room, room
	node.Status.NodeInfo = corev1.NodeSystemInfo{Architecture: "amd64", OperatingSystem: "linux", KubeletVersion: "simulated"}
	if err := api.Status().Patch(t.Context(), node, client.StrategicMergeFrom(before)); err != nil {
		return fmt.Errorf("could not say what host %q offers: %w", name, err)
	}
	before = node.DeepCopy()
	node.Labels[fleetv1.LabelSimulated] = "true"
	return api.Patch(t.Context(), node, client.MergeFrom(before))
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

// registryWith serves an image, and returns its address.
func registryWith(t *testing.T, image string) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	reference, err := name.ParseReference(address+"/"+image, name.Insecure)
	must(t, err)
	content, err := random.Image(64, 1)
	must(t, err)
	content, err = mutate.Config(content, v1.Config{User: "65532"})
	must(t, err)
	must(t, remote.Write(reference, content))
	return address
}
