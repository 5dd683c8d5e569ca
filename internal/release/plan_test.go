// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) *metav1.Time {
	t := metav1.NewTime(noon.Add(d))
	return &t
}

// held is an application that a Release holds.
func held(by string, number int64) *appv1.Application {
	a := &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: "mobile-bank"}}
	a.Status.ActiveRelease, a.Status.ReleaseSequence = by, number
	return a
}

func stalled(reason string) []metav1.Condition {
	return []metav1.Condition{{Type: "Stalled", Status: metav1.ConditionTrue, Reason: reason}}
}

func TestClaim(t *testing.T) {
	holder := func(change func(*releasev1.Release)) *releasev1.Release {
		return releasetest.New("holder", "mobile-bank-2", func(r *releasev1.Release) {
			r.Status.Sequence, r.Status.StartedAt = 4, at(-time.Minute)
			change(r)
		})
	}
	cases := map[string]struct {
		reason  string
		release *releasev1.Release
		app     *appv1.Application
		holder  *releasev1.Release
		plan    *release.Document
		missing bool
		highest int64
		want    []string
		fact    string
	}{
		"RecreatedApplication": {
			reason:  "members remember the numbers of an application that was retired, deleted and made again",
			release: releasetest.New("new", "mobile-bank-3"), app: held("", 0), highest: 2,
			want: []string{"claim the application as number 3"},
		},
		"Free": {
			reason: "nobody holds the application", release: releasetest.New("new", "mobile-bank-3"), app: held("", 4),
			want: []string{"claim the application as number 5"},
		},
		"Held": {
			reason: "one Release at a time", release: releasetest.New("new", "mobile-bank-3"), app: held("holder", 4),
			holder: holder(func(*releasev1.Release) {}), fact: "Held",
		},
		"HolderGone": {
			reason: "a Release that was deleted holds nothing", release: releasetest.New("new", "mobile-bank-3"), app: held("holder", 4),
			want: []string{"take the application over from release holder as number 5"},
		},
		"HolderStopped": {
			reason: "what is stopped may be taken over", release: releasetest.New("new", "mobile-bank-3"), app: held("holder", 4),
			holder: holder(func(r *releasev1.Release) { r.Spec.Desired = "Stop" }),
			want:   []string{"take the application over from release holder as number 5"},
		},
		"HolderStalledBeforeItsFirstStep": {
			reason: "it has changed nothing", release: releasetest.New("new", "mobile-bank-3"), app: held("holder", 4),
			holder: holder(func(r *releasev1.Release) {
				r.Status.StartedAt, r.Status.Conditions = nil, stalled("NotPlaced")
			}),
			want: []string{"take the application over from release holder as number 5"},
		},
		"HolderStalledAfterItsFirstStep": {
			reason: "a person stops it first, or rolls back", release: releasetest.New("new", "mobile-bank-3"), app: held("holder", 4),
			holder: holder(func(r *releasev1.Release) { r.Status.Conditions = stalled("NoProgress") }), fact: "Held",
		},
		"HolderCompleteHandsBack": {
			reason: "its result is written first", release: releasetest.New("new", "mobile-bank-3"), app: held("holder", 4),
			holder: holder(func(r *releasev1.Release) { r.Status.CompletedAt = at(0) }), fact: "Held",
		},
		"WayBack": {
			reason: "the way back is part of the holder's plan", release: releasetest.New("new", "mobile-bank-1", releasetest.Rollback), app: held("holder", 4),
			holder: holder(func(*releasev1.Release) {}), plan: &release.Document{WayBack: "mobile-bank-1"},
			want: []string{"take the application over from release holder as number 5"},
		},
		"FurtherBack": {
			reason: "another earlier revision is not", release: releasetest.New("new", "mobile-bank-0", releasetest.Rollback), app: held("holder", 4),
			holder: holder(func(*releasev1.Release) {}), plan: &release.Document{WayBack: "mobile-bank-1"}, fact: "Held",
		},
		"NoRevision": {
			reason: "nothing is claimed for a revision that is not there", release: releasetest.New("new", "mobile-bank-9"), app: held("", 4),
			missing: true, fact: "NotFound",
		},
		"NoApplication": {reason: "there is nothing to release", release: releasetest.New("new", "mobile-bank-3"), fact: "NotFound"},
		"StoppedBeforeItBegan": {
			reason:  "a stopped Release takes nothing",
			release: releasetest.New("new", "mobile-bank-3", func(r *releasev1.Release) { r.Spec.Desired = "Stop" }), app: held("", 4), fact: "Stopped",
		},
		"Superseded": {
			reason:  "it was taken over and is over, whatever it says",
			release: releasetest.New("old", "mobile-bank-3", func(r *releasev1.Release) { r.Status.Sequence = 4 }), app: held("holder", 5),
			holder: holder(func(*releasev1.Release) {}), fact: "Superseded",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := release.Plan(release.Seen{Release: tc.release, Application: tc.app, Holder: tc.holder, HolderPlan: tc.plan, RevisionFound: !tc.missing, HighestSequence: tc.highest}, noon)
			if diff := cmp.Diff(tc.want, said(d)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if got := ready(d); got != tc.fact {
				t.Errorf("%s: not ready because of %q, want %q", tc.reason, got, tc.fact)
			}
		})
	}
}

func said(d release.Decision) []string {
	var out []string
	for _, a := range d.Actions {
		out = append(out, a.String())
	}
	return out
}

func ready(d release.Decision) string {
	for _, f := range d.Facts {
		if f.Type == "Ready" && !f.True {
			return f.Reason
		}
	}
	return ""
}

// TestJobs holds the rule that a job never runs twice: the old one is gone
// everywhere before the new one comes.
func TestJobs(t *testing.T) {
	cell := func(cluster string) placementv1.Cell {
		return placementv1.Cell{Cluster: cluster, Pool: "p", Zone: "core", Rack: "r", DCN: "d"}
	}
	cron := func(name, cluster string) deliveryv1.Workload {
		return deliveryv1.Workload{
			Name: name, Kind: "CronJob", Component: "nightly", Template: "t", Cell: cell(cluster), Replicas: 1,
			Rendering: deliveryv1.RenderingReference{Name: name},
		}
	}
	shared := []deliveryv1.RenderingReference{{Name: "shared"}}
	plan := &release.Document{
		Application: "retail-prod/pay", Release: "new", Kind: releasev1.KindDeploy, Sequence: 2, Revision: "pay-2",
		Clusters: []release.ClusterPlan{
			{Cluster: "east-1", Namespace: "retail-prod-pay", Shared: shared, Workloads: []deliveryv1.Workload{
				{Name: "web", Kind: "Deployment", Component: "web", Cell: cell("east-1"), Replicas: 0},
			}},
			{Cluster: "west-1", Namespace: "retail-prod-pay", Shared: shared, Workloads: []deliveryv1.Workload{cron("nightly-w", "west-1")}},
		},
	}
	east := &deliveryv1.Delivery{ObjectMeta: metav1.ObjectMeta{Generation: 1}, Spec: deliveryv1.DeliverySpec{
		Application: "retail-prod/pay", Namespace: "retail-prod-pay", Release: "old", ReleaseSequence: 1, Revision: "pay-1", Shared: shared,
		Workloads: []deliveryv1.Workload{cron("nightly-e", "east-1")},
	}}
	deliveries := map[string]*deliveryv1.Delivery{"east-1": east}
	member := releasetest.Member{}
	member.Deliver(east)

	runs := func() (names []string) {
		for _, cluster := range []string{"east-1", "west-1"} {
			if d := deliveries[cluster]; d != nil {
				for _, w := range d.Spec.Workloads {
					if w.Component == "nightly" {
						names = append(names, w.Name)
					}
				}
			}
		}
		return names
	}
	rel := releasetest.New("new", "pay-2", func(r *releasev1.Release) { r.Status.Sequence, r.Status.StartedAt = 2, at(0) })
	turn := func() {
		seen := release.Seen{Release: rel, Application: held("new", 2), Plan: plan, Deliveries: deliveries}
		for _, a := range release.Plan(seen, noon).Actions {
			step, ok := a.(release.Step)
			if !ok {
				continue
			}
			d := deliveries[step.Cluster]
			if d == nil {
				d = &deliveryv1.Delivery{}
				deliveries[step.Cluster] = d
			}
			d.Spec, d.Generation = step.Spec, d.Generation+1
		}
	}

	turn()
	if got := runs(); len(got) != 0 {
		t.Fatalf("%v: the old one was told to go and is not known to be gone; nobody may run", got)
	}
	turn()
	if got := runs(); len(got) != 0 {
		t.Fatalf("%v: east-1 has not said yet that the old one is gone", got)
	}
	member.Deliver(east)
	turn()
	if diff := cmp.Diff([]string{"nightly-w"}, runs()); diff != "" {
		t.Fatalf("the old one is gone, the new one comes (-want +got):\n%s", diff)
	}
}

// TestFencedJobs: a job whose cluster is away comes elsewhere only if somebody said that it
// was cut off. A cluster that answers says itself when the old one is gone.
func TestFencedJobs(t *testing.T) {
	at0 := func(cluster string) deliveryv1.Workload {
		return deliveryv1.Workload{Name: "nightly-" + cluster, Kind: "Job", Component: "nightly", Cell: placementv1.Cell{Cluster: cluster, DCN: "d"}, Replicas: 1}
	}
	for name, c := range map[string]struct {
		fenced string
		away   map[string]string
		comes  bool
	}{
		"fenced":                   {"power cut, CHG-9", map[string]string{"east-1": "it does not answer"}, true},
		"nobody said so":           {"", map[string]string{"east-1": "it does not answer"}, false},
		"fenced, and answers":      {"power cut, CHG-9", nil, false},
		"fenced, and away is west": {"power cut, CHG-9", map[string]string{"west-1": "it does not answer"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			plan := &release.Document{
				Application: "retail-prod/pay", Release: "new", Kind: releasev1.KindDeploy, Sequence: 2, Fenced: c.fenced,
				Clusters: []release.ClusterPlan{{Cluster: "west-1", Namespace: "n", Workloads: []deliveryv1.Workload{at0("west-1")}}},
			}
			east := &deliveryv1.Delivery{Spec: deliveryv1.DeliverySpec{Release: "old", ReleaseSequence: 1, Workloads: []deliveryv1.Workload{at0("east-1")}}}
			rel := releasetest.New("new", "pay-2", func(r *releasev1.Release) { r.Status.Sequence, r.Status.StartedAt = 2, at(0) })
			d := release.Plan(release.Seen{Release: rel, Application: held("new", 2), Plan: plan, Away: c.away, Deliveries: map[string]*deliveryv1.Delivery{"east-1": east}}, noon)
			comes := false
			for _, a := range d.Actions {
				if step, is := a.(release.Step); is && len(step.Spec.Workloads) > 0 {
					comes = true
				}
			}
			if comes != c.comes {
				t.Errorf("the job comes: %v, want %v", comes, c.comes)
			}
		})
	}
}

func TestStaleStatusCompletesNothing(t *testing.T) {
	target := deliveryv1.Workload{Name: "web-2", Kind: "Deployment", Component: "web", Template: "t2", Replicas: 2, Cell: placementv1.Cell{DCN: "d"}}
	plan := &release.Document{
		Application: "retail-prod/pay", Release: "new", Kind: releasev1.KindDeploy, Sequence: 2, Revision: "pay-2",
		Clusters: []release.ClusterPlan{{Cluster: "east-1", Namespace: "n", Shared: []deliveryv1.RenderingReference{{Name: "s"}}, Workloads: []deliveryv1.Workload{target}}},
	}
	good := func() *deliveryv1.Delivery {
		d := &deliveryv1.Delivery{ObjectMeta: metav1.ObjectMeta{Generation: 7}, Spec: deliveryv1.DeliverySpec{
			Application: "retail-prod/pay", Namespace: "n", Intent: "Run", Release: "new", ReleaseSequence: 2, Revision: "pay-2",
			Shared: plan.Clusters[0].Shared, Workloads: []deliveryv1.Workload{target},
		}}
		(&releasetest.Member{}).Deliver(d)
		return d
	}
	cases := map[string]struct {
		reason string
		change func(*deliveryv1.Delivery)
		want   []string
	}{
		"Good":            {"everything was observed", func(*deliveryv1.Delivery) {}, []string{"complete the release"}},
		"EarlierSpec":     {"the status speaks of an earlier spec", func(d *deliveryv1.Delivery) { d.Generation++ }, nil},
		"EarlierRelease":  {"the status speaks of an earlier release", func(d *deliveryv1.Delivery) { d.Status.ObservedRelease = "old" }, nil},
		"NotApplied":      {"the member has not applied it", func(d *deliveryv1.Delivery) { d.Status.Conditions[0].Status = metav1.ConditionFalse }, nil},
		"EarlierApplied":  {"what was applied is an earlier spec", func(d *deliveryv1.Delivery) { d.Status.Conditions[0].ObservedGeneration-- }, nil},
		"OneMissing":      {"one does not answer", func(d *deliveryv1.Delivery) { d.Status.Workloads[0].Ready-- }, nil},
		"OldTemplate":     {"those that answer are of the old template", func(d *deliveryv1.Delivery) { d.Status.Workloads[0].Template = "t1" }, nil},
		"OneStillLeaving": {"somebody is still leaving", func(d *deliveryv1.Delivery) { d.Status.Workloads[0].Leaving = 1 }, nil},
		"NeedsAPerson": {"the member needs a person", func(d *deliveryv1.Delivery) {
			d.Status.Conditions = append(d.Status.Conditions, stalled("ForeignObject")...)
		}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := good()
			tc.change(d)
			rel := releasetest.New("new", "pay-2", func(r *releasev1.Release) { r.Status.Sequence, r.Status.StartedAt = 2, at(0) })
			got := release.Plan(release.Seen{Release: rel, Application: held("new", 2), Plan: plan, Deliveries: map[string]*deliveryv1.Delivery{"east-1": d}}, noon)
			if diff := cmp.Diff(tc.want, said(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBridge(t *testing.T) {
	object := func(kind, name, content string) release.Object {
		return release.Object{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": "n"}, "spec": content}
	}
	old := []release.Object{object("Namespace", "n", "1"), object("NetworkPolicy", "flows", "old"), object("NetworkPolicy", "same", "1"), object("Service", "ledger", "1"), object("Service", "web", "old")}
	now := []release.Object{object("Namespace", "n", "2"), object("NetworkPolicy", "flows", "new"), object("NetworkPolicy", "same", "1"), object("Service", "web", "new")}

	want := append([]release.Object{}, now...)
	want = append(want, object("NetworkPolicy", "flows-leaving", "old"), object("Service", "ledger", "1"))
	if diff := cmp.Diff(want, release.Bridge(old, now)); diff != "" {
		t.Errorf("what is new, then what only the old need, and both of a policy that changes (-want +got):\n%s", diff)
	}
}
