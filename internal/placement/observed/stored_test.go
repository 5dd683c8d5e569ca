// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// TestManyReasonsAreStored places an application of 20 components in 40 DCNs, whose reasons are
// more than a Placement may have, and stores the Placement in a real API server.
func TestManyReasonsAreStored(t *testing.T) {
	s := placement.Snapshot{
		Zones:  []placement.Zone{{Name: "business", Levels: []string{"basic"}}},
		Levels: []placement.Level{{Name: "basic"}},
	}
	pool := placement.Pool{Name: "p", Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts}
	for i := range 4 {
		site, cluster := fmt.Sprintf("dc-%d", i), fmt.Sprintf("c-%d", i)
		s.Clusters = append(s.Clusters, placement.Cluster{Name: cluster, DataCenter: site, Environment: "prod"})
		for k := range 4 {
			host := placement.Host{Name: fmt.Sprintf("%s-%d", cluster, k), Room: placement.Amount{CPU: 1 << 26, Memory: 1 << 49, Instances: 100000}}
			pool.Racks = append(pool.Racks, placement.Rack{Cluster: cluster, Name: fmt.Sprintf("%s-r%d", cluster, k), Hosts: []placement.Host{host}})
		}
	}
	s.Pools = []placement.Pool{pool}
	r := placement.Request{
		Application: "retail-prod/pay", Tenant: "retail", Environment: "prod",
		Quotas: []tenancyv1.Quota{{Environment: "prod", Pool: "p", Instances: 100000, CPU: resource.MustParse("100k"), Memory: resource.MustParse("100Ti")}},
	}
	for i := range 20 {
		c := placement.Component{Name: fmt.Sprintf("c%d", i), Template: "sha256:1", Zone: "business", Level: "basic", Size: placement.Amount{CPU: 1000, Memory: 1 << 30, Instances: 1}}
		for d := range 40 {
			dcn := fmt.Sprintf("dcn-%d", d)
			if i == 0 {
				s.DCNs = append(s.DCNs, placement.DCN{Name: dcn, DataCenter: fmt.Sprintf("dc-%d", d%4), Environment: "prod"})
			}
			c.Counts = append(c.Counts, placement.Count{DCN: dcn, Count: 4})
		}
		r.Components = append(r.Components, c)
	}
	policy := placement.DefaultPolicy()
	policy.Explain = true
	d := placement.Place(s, []placement.Request{r}, policy)[0]
	if d.Refused || len(d.Reasons) <= 4096 {
		t.Fatalf("refused is %v with %d reasons; the test is about more than 4,096", d.Refused, len(d.Reasons))
	}
	by := placementv1.DecidedBy{Digest: "sha256:1"}
	spec, err := observed.SpecOf("pay", "pay-1", d, by)
	if err != nil {
		t.Fatal(err)
	}
	spec.ExpiresAt = metav1.NewTime(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	text, err := json.Marshal(spec)
	t.Logf("%d of %d reasons in %d bytes beside %d assignments: %v", len(spec.Reasons), len(d.Reasons), len(text), len(spec.Assignments), err)

	hub := kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithScheme(placementtest.Scheme(t))).Client()
	if err := hub.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-prod"}}); err != nil {
		t.Fatal(err)
	}
	if err := hub.Create(t.Context(), &placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "pay-1"}, Spec: spec}); err != nil {
		t.Errorf("could not store the Placement: %v", err)
	}
}
