// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

// Numbers of clusters that no file could have written are refused all the same.
func TestClustersAreChecked(t *testing.T) {
	in := func(name string, n int32) appv1.ClusterCount { return appv1.ClusterCount{Cluster: name, Count: n} }
	world := apptest.Bank()
	world.Members = append(world.Members,
		app.Member{Name: "east-1", DataCenter: "dc-east", Environment: world.Environment}, app.Member{Name: "west-1", DataCenter: "dc-west", Environment: world.Environment},
		app.Member{Name: "east-2", DataCenter: "dc-east", Environment: world.Environment}, app.Member{Name: "east-sit", DataCenter: "dc-east", Environment: "sit"})
	for name, c := range map[string]struct {
		component string
		clusters  []appv1.ClusterCount
		want      string
	}{
		"good":              {"account", []appv1.ClusterCount{in("east-1", 1), in("east-2", 1)}, ""},
		"none":              {"account", nil, ""},
		"too few":           {"account", []appv1.ClusterCount{in("east-1", 1)}, `instances: the clusters of DCN "dcn-east-1" add up to 1, and its count is 2: correct one of them, or leave clusters out`},
		"twice":             {"account", []appv1.ClusterCount{in("east-1", 1), in("east-1", 1)}, `instances: cluster "east-1" is named twice for DCN "dcn-east-1": name it once`},
		"unknown":           {"account", []appv1.ClusterCount{in("east-7", 2)}, `instances: cluster "east-7" does not exist, and DCN "dcn-east-1" is to run in it; name one of east-1, east-2`},
		"other site":        {"account", []appv1.ClusterCount{in("west-1", 2)}, `instances: cluster "west-1" is in data centre "dc-west", DCN "dcn-east-1" in "dc-east"; name one of east-1, east-2`},
		"other environment": {"account", []appv1.ClusterCount{in("east-sit", 2)}, `instances: cluster "east-sit" serves environment "sit", not "prod"; name one of east-1, east-2`},
		"a job":             {"migrate", []appv1.ClusterCount{in("east-1", 1), in("east-2", 0)}, `instances: a Job runs in one cell of the fleet: name one cluster for DCN "dcn-east-1", with all its instances`},
	} {
		t.Run(name, func(t *testing.T) {
			a := apptest.Everything()
			apptest.With(c.component, func(comp *appv1.Component) {
				if c.component == "account" {
					comp.Instances[0].Count = 2
				}
				comp.Instances[0].Clusters = c.clusters
			})(a)
			var said []string
			for _, f := range app.Check(a, world) {
				if f.Rule == "InvalidClusters" {
					said = append(said, f.Message)
				}
			}
			if got := strings.Join(said, "\n"); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}

// A Revision holds the exact numbers of clusters: other weights are another Revision that
// restarts nothing, and the order of a file is none.
func TestClustersAreFrozen(t *testing.T) {
	split := func(d appv1.DCNShare) *appv1.Application {
		return apptest.MobileBank(apptest.With("account", func(c *appv1.Component) {
			c.Instances, c.Split = nil, &appv1.Split{Total: 10, DCNs: []appv1.DCNShare{d, dcn("dcn-west-1", 1, 0)}}
		}))
	}
	world := apptest.Bank()
	now := freeze(t, split(over(dcn("dcn-east-1", 1, 0), cluster("east-1", 2, 0), cluster("east-2", 3, 0))), world)
	turned := freeze(t, split(over(dcn("dcn-east-1", 1, 0), cluster("east-2", 3, 0), cluster("east-1", 2, 0))), world)
	more := freeze(t, split(over(dcn("dcn-east-1", 1, 0), cluster("east-1", 3, 0), cluster("east-2", 2, 0))), world)
	if now.Digest != turned.Digest {
		t.Error("the order of clusters makes another Revision")
	}
	if names := app.Restarting(now.Content, more.Content); len(names) > 0 || now.Digest == more.Digest {
		t.Errorf("other weights restart %v, and make the Revision %s after %s", names, more.Digest, now.Digest)
	}
	var got []appv1.InstanceCount
	for _, c := range now.Content.Spec.Components {
		if c.Name == "account" {
			got = c.Instances
			if diff := cmp.Diff(map[string]int32{"east-1": 2, "east-2": 3}, app.ClusterWeights(c, "dcn-east-1")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		}
	}
	want := []appv1.InstanceCount{
		{DCN: "dcn-east-1", Count: 5, Clusters: []appv1.ClusterCount{{Cluster: "east-1", Count: 2}, {Cluster: "east-2", Count: 3}}}, {DCN: "dcn-west-1", Count: 5},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	changes, err := app.Diff(now.Content, more.Content)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, c := range changes {
		told = append(told, c.String())
	}
	if text := strings.Join(told, "\n"); !strings.Contains(text, "components[account].instances[dcn-east-1].clusters[east-1].count: 2 -> 3") {
		t.Errorf("the difference is told as\n%s", text)
	}
}
