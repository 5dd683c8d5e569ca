// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// TestRequestNamesClusters has a request ask for what the Revision froze of clusters, say by
// which weights, and divide the most that an autoscaler may ask for in the same way.
func TestRequestNamesClusters(t *testing.T) {
	east := func(counts ...placement.ClusterCount) []placement.ClusterCount { return counts }
	for name, c := range map[string]struct {
		change func(*appv1.Component)
		count  int32
		want   []placement.ClusterCount
	}{
		"none": {func(c *appv1.Component) { c.Instances[0].Count = 10 }, 10, nil},
		"exact": {func(c *appv1.Component) {
			c.Instances[0] = appv1.InstanceCount{DCN: "dcn-east-1", Count: 10, Clusters: []appv1.ClusterCount{{Cluster: "east-2", Count: 6}, {Cluster: "east-1", Count: 4}}}
		}, 10, east(placement.ClusterCount{Cluster: "east-1", Count: 4}, placement.ClusterCount{Cluster: "east-2", Count: 6})},
		"by weight": {func(c *appv1.Component) {
			c.Instances, c.Split = nil, &appv1.Split{Total: 20, DataCenters: []appv1.DataCenterShare{
				{DataCenter: "dc-east", Weight: 1, DCNs: []appv1.DCNShare{{DCN: "dcn-east-1", Weight: 1, Clusters: []appv1.ClusterShare{{Cluster: "east-1", Weight: 2}, {Cluster: "east-2", Weight: 3}}}}},
				{DataCenter: "dc-west", Weight: 1, DCNs: []appv1.DCNShare{{DCN: "dcn-west-1", Weight: 1}}},
			}}
		}, 10, east(placement.ClusterCount{Cluster: "east-1", Count: 4, Weight: 2, Of: 5}, placement.ClusterCount{Cluster: "east-2", Count: 6, Weight: 3, Of: 5})},
		"autoscaled": {func(c *appv1.Component) {
			c.Instances[0] = appv1.InstanceCount{DCN: "dcn-east-1", Count: 5, Clusters: []appv1.ClusterCount{{Cluster: "east-1", Count: 2}, {Cluster: "east-2", Count: 3}}}
			c.Autoscaling = &appv1.Autoscaling{Min: 2, Max: 8}
		}, 8, east(placement.ClusterCount{Cluster: "east-1", Count: 3}, placement.ClusterCount{Cluster: "east-2", Count: 5})},
		"autoscaled from none": {func(c *appv1.Component) {
			c.Instances[0] = appv1.InstanceCount{DCN: "dcn-east-1", Clusters: []appv1.ClusterCount{{Cluster: "east-1"}}}
			c.Autoscaling = &appv1.Autoscaling{Min: 2, Max: 8}
		}, 8, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := apptest.MobileBank(apptest.With("account", c.change))
			frozen, err := app.Freeze(a, apptest.Images(a), apptest.Bank())
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range observed.RequestOf(frozen.Content, "retail-prod/mobile-bank", &tenancyv1.Tenant{}, nil, nil).Components {
				if got.Name != "account" {
					continue
				}
				if diff := cmp.Diff(placement.Count{DCN: "dcn-east-1", Count: c.count, Clusters: c.want}, got.Counts[0]); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}
