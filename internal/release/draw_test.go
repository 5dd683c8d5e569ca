// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

var cell = placementv1.Cell{Cluster: "east-1", Pool: "p", Zone: "business", Rack: "r", DCN: "d"}

// rendered is component web at a template, as one version of Fairway renders it.
func rendered(template, version string) release.Rendered {
	o := func(kind, name string) release.Object {
		return release.Object{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": "n"}, "by": version}
	}
	return release.Rendered{
		Shared: []release.Object{o("Namespace", "n"), o("Service", "web")},
		Workloads: []release.RenderedWorkload{{
			Name: "web-" + template, Kind: "Deployment", Component: "web", Template: template, Cell: cell,
			Objects: []release.Object{o("ConfigMap", "files-123"), o("HorizontalPodAutoscaler", "web-"+template), o("Deployment", "web-"+template)},
		}},
	}
}

func draw(t *testing.T, seats []int32, r release.Rendered, running map[string]release.Running) release.Drawn {
	t.Helper()
	p := &placementv1.Placement{Spec: placementv1.PlacementSpec{Assignments: []placementv1.Assignment{{
		Component: "web", Template: r.Workloads[0].Template, Cell: cell, Seats: seats,
	}}}}
	d, err := release.Draw(release.Drawing{
		Release: releasetest.New("one", "pay-1"), Application: "retail-prod/pay", MemberNamespace: "retail-prod-pay", Sequence: 1,
		Placement: p, Rendered: map[string]release.Rendered{"east-1": r}, Running: running,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// runs is what a drawn plan leads to.
func runs(d release.Drawn, objects map[string][]release.Object) map[string]release.Running {
	p := d.Document.Clusters[0]
	delivery := &deliveryv1.Delivery{Spec: deliveryv1.DeliverySpec{Namespace: p.Namespace, Shared: p.Shared, Workloads: p.Workloads}}
	return map[string]release.Running{"east-1": {Delivery: delivery, Objects: objects}}
}

func TestDrawKeepsWhatRuns(t *testing.T) {
	first := rendered("t1", "v1")
	before := draw(t, []int32{0, 1}, first, nil)
	p := before.Document.Clusters[0]
	objects := map[string][]release.Object{p.Shared[0].Name: first.Shared, p.Workloads[0].Rendering.Name: first.Workloads[0].Objects}

	t.Run("TheSameAgain", func(t *testing.T) {
		again := draw(t, []int32{0, 1}, rendered("t1", "v1"), runs(before, objects))
		if diff := cmp.Diff(before.Document.Clusters, again.Document.Clusters); diff != "" {
			t.Errorf("the same revision gives the same bytes (-want +got):\n%s", diff)
		}
	})
	t.Run("ANewerFairwayTouchesNoPod", func(t *testing.T) {
		after := draw(t, []int32{0, 1, 2}, rendered("t1", "v2"), runs(before, objects))
		content := after.Renderings["east-1"][after.Document.Clusters[0].Workloads[0].Rendering.Name].Content
		want := `[{"apiVersion":"v1","by":"v2","kind":"ConfigMap","metadata":{"name":"files-123","namespace":"n"}},` +
			`{"apiVersion":"v1","by":"v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"web-t1","namespace":"n"}},` +
			`{"apiVersion":"v1","by":"v1","kind":"Deployment","metadata":{"name":"web-t1","namespace":"n"}}]`
		if diff := cmp.Diff(want, content); diff != "" {
			t.Errorf("the workload keeps its bytes, what stands beside it is new (-want +got):\n%s", diff)
		}
	})
	t.Run("SideBySide", func(t *testing.T) {
		after := draw(t, []int32{0, 1}, rendered("t2", "v2"), runs(before, objects))
		plan := after.Document.Clusters[0]
		if len(plan.Leaving) != 1 || plan.Leaving[0].Name != "web-t1" {
			t.Fatalf("leaving are %v, want web-t1", plan.Leaving)
		}
		content := after.Renderings["east-1"][plan.Workloads[0].Rendering.Name].Content
		want := `[{"apiVersion":"v1","by":"v1","kind":"ConfigMap","metadata":{"name":"files-123","namespace":"n"}},` +
			`{"apiVersion":"v1","by":"v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"web-t2","namespace":"n"}},` +
			`{"apiVersion":"v1","by":"v2","kind":"Deployment","metadata":{"name":"web-t2","namespace":"n"}}]`
		if diff := cmp.Diff(want, content); diff != "" {
			t.Errorf("an object that old and new both use keeps its bytes while both run (-want +got):\n%s", diff)
		}
	})
	t.Run("ClusterLeft", func(t *testing.T) {
		d, err := release.Draw(release.Drawing{
			Release: releasetest.New("two", "pay-2"), Application: "retail-prod/pay", MemberNamespace: "retail-prod-pay", Sequence: 2,
			Placement: &placementv1.Placement{}, Running: runs(before, objects),
		})
		if err != nil {
			t.Fatal(err)
		}
		if plan := d.Document.Clusters[0]; !plan.Retire || len(plan.Leaving) != 1 {
			t.Errorf("%+v: a cluster that keeps nothing is taken out of service", plan)
		}
	})
}

func TestDrawRefusesWhatIsNotPlaced(t *testing.T) {
	_, err := release.Draw(release.Drawing{
		Release: releasetest.New("one", "pay-1"), Placement: &placementv1.Placement{}, MemberNamespace: "n",
		Rendered: map[string]release.Rendered{"east-1": rendered("t1", "v1")},
	})
	if err == nil {
		t.Error("a component was rendered for a cell in which nothing is placed: that must be refused")
	}
}

func TestPlanIsVerified(t *testing.T) {
	text, digest, err := release.Seal(release.Document{Release: "one", Sequence: 3})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := release.Open(text, digest); err != nil || d.Sequence != 3 {
		t.Fatalf("%v, %v: the plan comes back", d, err)
	}
	if _, err := release.Open(text+" ", digest); err == nil {
		t.Error("other bytes than the digest says must be refused")
	}
}

// TestPlanSaysWhatAClusterLacks has a cluster that cannot keep all that the Revision asks for: the
// plan that people approve says it, and so does the Release for as long as it is there.
func TestPlanSaysWhatAClusterLacks(t *testing.T) {
	const lack = "component web: version v1.22.17 cannot bound instances per host at 2"
	r := rendered("t1", "v1")
	r.Lacks = []string{lack}
	plan := draw(t, []int32{0}, r, nil).Document
	if got := plan.Clusters[0].Lacks; !slices.Equal(got, r.Lacks) {
		t.Errorf("the plan says of the cluster: %v", got)
	}
	rel := releasetest.New("new", "pay-2", func(r *releasev1.Release) { r.Status.Sequence = 2 })
	got := release.Plan(release.Seen{Release: rel, Application: held("new", 2), Plan: &plan}, noon)
	i := slices.IndexFunc(got.Facts, func(f release.Fact) bool { return f.Type == releasev1.ConditionPlanned })
	if i < 0 || got.Facts[i].Message != "east-1: 1 instance, 0 workloads leaving; east-1: "+lack {
		t.Errorf("the release says: %+v", got.Facts)
	}
}
