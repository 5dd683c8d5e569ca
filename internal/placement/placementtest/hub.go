// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package placementtest has a small fleet to place applications in.
package placementtest

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Scheme knows the kinds of Fairway.
func Scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, appv1.AddToScheme, deliveryv1.AddToScheme, fleetv1.AddToScheme, placementv1.AddToScheme, releasev1.AddToScheme, tenancyv1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Hub is a hub in memory with the objects of Fleet.
func Hub(t testing.TB) *fake.ClientBuilder {
	t.Helper()
	return fake.NewClientBuilder().WithScheme(Scheme(t)).WithStatusSubresource(&placementv1.Placement{}).WithObjects(Fleet()...)
}

// Fleet is one pool of four hosts of 1 CPU in dc-east, for zone business of tenant
// retail.
func Fleet() []client.Object {
	pool := &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: "retail-business"}, Spec: fleetv1.PoolSpec{Tenant: "retail", SecurityLevel: "level-3", Zones: []string{"business"}}}
	pool.Status.Racks = []fleetv1.PoolRack{{
		Cluster: "east-1", Rack: "east-a", Hosts: []string{"h1", "h2", "h3", "h4"},
		Capacity: fleetv1.Resources{CPU: resource.MustParse("4"), Memory: resource.MustParse("8Gi"), Instances: 40},
	}}
	return []client.Object{
		pool,
		&fleetv1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Name: "east-1"}, Spec: fleetv1.ClusterSpec{DataCenter: "dc-east", Environment: "prod", StorageClasses: []fleetv1.StorageClass{{Kind: "Local", ClassName: "local"}}},
			Status: fleetv1.ClusterStatus{PodAdmission: "Policy", Conditions: []metav1.Condition{{Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue, Reason: "Answers", LastTransitionTime: metav1.NewTime(apptest.Now)}}},
		},
		&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: "dcn-east-1"}, Spec: fleetv1.DCNSpec{DataCenter: "dc-east", Environment: "prod"}},
		&fleetv1.NetworkZone{ObjectMeta: metav1.ObjectMeta{Name: "business"}, Spec: fleetv1.NetworkZoneSpec{Kind: "Business", AcceptedLevels: []string{"level-3"}}},
		// Nothing is kept free, so that tests count by hand.
		&placementv1.PlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: placementv1.PlacementPolicySpec{SpareFrom: new(int32)}},
		&tenancyv1.SecurityLevel{ObjectMeta: metav1.ObjectMeta{Name: "level-3"}, Spec: tenancyv1.SecurityLevelSpec{Rank: 3}},
		&tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "retail"}, Spec: tenancyv1.TenantSpec{Environments: []string{"prod"}, Quotas: []tenancyv1.Quota{{
			Environment: "prod", Pool: "retail-business", Instances: 100, CPU: resource.MustParse("100"), Memory: resource.MustParse("1Ti"),
		}}}},
	}
}

// Revision of an application with n instances of 250m CPU in dcn-east-1, changed as options say.
func Revision(t testing.TB, application string, n int32, options ...func(*appv1.Component)) *appv1.Revision {
	t.Helper()
	a := apptest.MobileBank(apptest.With("account", func(c *appv1.Component) {
		c.Instances, c.DependsOn = []appv1.InstanceCount{{DCN: "dcn-east-1", Count: n}}, nil
		for _, option := range options {
			option(c)
		}
	}))
	a.Name, a.Spec.Components, a.Spec.Exposure = application, a.Spec.Components[1:2], nil
	a.Spec.AvailabilityClass = "class-b" // one data centre will do
	frozen, err := app.Freeze(a, apptest.Images(a), apptest.Bank())
	if err != nil {
		t.Fatal(err)
	}
	return &appv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: app.RevisionName(application, frozen.Digest)},
		Spec:       appv1.RevisionSpec{Application: application, Content: frozen.Text, Digest: frozen.Digest},
	}
}

// LocalVolume has a component's instances keep to their hosts.
func LocalVolume(c *appv1.Component) {
	c.Identity = appv1.IdentityFixed
	c.Volumes = []appv1.Volume{{Name: "cache", Kind: appv1.VolumeLocal, Size: ptr.To(resource.MustParse("2Gi")), MountPath: "/var/cache/account", Data: appv1.DataRegenerable}}
}

// Run places a Revision for a Release and has the Release take its first step: what was placed
// is then what runs.
func Run(t testing.TB, placer release.Placer, r *releasev1.Release, revision *appv1.Revision) *placementv1.Placement {
	t.Helper()
	made, err := placer.Place(t.Context(), r, revision)
	if err != nil {
		t.Fatal(err)
	}
	r.Status.Placement = made.Name
	if err := placer.Begin(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	now, err := placer.Place(t.Context(), r, revision) // of which the placer keeps no reasons
	if err != nil {
		t.Fatal(err)
	}
	made.ResourceVersion, made.Status = now.ResourceVersion, now.Status
	return made
}
