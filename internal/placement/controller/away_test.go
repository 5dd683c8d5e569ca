// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// inBoth is a Revision of pay with three instances in each of two clusters of a DCN.
func inBoth(t *testing.T, image string) *appv1.Revision {
	t.Helper()
	a := apptest.MobileBank(apptest.With("account", func(c *appv1.Component) {
		c.Instances, c.DependsOn = []appv1.InstanceCount{{DCN: "dcn-east-1", Count: 6, Clusters: []appv1.ClusterCount{{Cluster: "east-1", Count: 3}, {Cluster: "east-2", Count: 3}}}}, nil
		c.Image = image
	}))
	a.Name, a.Spec.Components, a.Spec.Exposure, a.Spec.AvailabilityClass = "pay", a.Spec.Components[1:2], nil, "class-b"
	frozen, err := app.Freeze(a, map[string]string{image: apptest.Digest(image[len(image)-1:])}, apptest.Bank())
	if err != nil {
		t.Fatal(err)
	}
	return &appv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: app.RevisionName("pay", frozen.Digest)},
		Spec:       appv1.RevisionSpec{Application: "pay", Content: frozen.Text, Digest: frozen.Digest},
	}
}

func inCluster(p *placementv1.Placement) map[string]int {
	out := map[string]int{}
	for _, a := range p.Spec.Assignments {
		if len(a.Seats) > 0 {
			out[a.Cell.Cluster] += len(a.Seats)
		}
	}
	return out
}

// second adds cluster east-2, which has rack east-b.
func (s *site) second() (*fleetv1.Cluster, *fleetv1.Pool) {
	s.t.Helper()
	second := &fleetv1.Cluster{}
	if err := s.Get(s.t.Context(), client.ObjectKey{Name: "east-1"}, second); err != nil {
		s.t.Fatal(err)
	}
	second = second.DeepCopy()
	second.Name, second.ResourceVersion = "east-2", ""
	if err := s.Create(s.t.Context(), second); err != nil {
		s.t.Fatal(err)
	}
	pool := &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: "retail-business"}}
	s.change(pool, func(client.Object) {
		for i := range pool.Status.Racks {
			if r := &pool.Status.Racks[i]; r.Rack == "east-b" {
				r.Cluster = "east-2"
			}
		}
	})
	return second, pool
}

// gone has that cluster not answer.
func (s *site) gone(second *fleetv1.Cluster, pool *fleetv1.Pool) {
	s.t.Helper()
	s.change(second, func(client.Object) {
		second.Status.Conditions = []metav1.Condition{{Type: fleetv1.ConditionReachable, Status: metav1.ConditionFalse, Message: "nobody answers"}}
	})
	s.change(pool, func(client.Object) {
		pool.Status.Racks = slices.DeleteFunc(pool.Status.Racks, func(r fleetv1.PoolRack) bool { return r.Cluster == "east-2" })
	})
}

// While a cluster does not answer a person's Release that names it is refused, and says what
// to do: numbers are exact. A Rollback is not: the way back never fails closed.
func TestAReleaseThatNamesALostCluster(t *testing.T) {
	h := newSite(t, nil)
	second, pool := h.second()
	old, fresh := inBoth(t, "registry.bank.example/bank/account:a"), inBoth(t, "registry.bank.example/bank/account:b")
	place := func(name string, kind releasev1.Kind, revision *appv1.Revision) (*placementv1.Placement, error) {
		r := releasetest.New(name, revision.Name, func(r *releasev1.Release) { r.Spec.Application, r.Spec.Kind = "pay", kind })
		made, err := h.placer.Place(t.Context(), r, revision)
		if err == nil {
			r.Status.Placement = made.Name
			err = h.placer.Begin(t.Context(), r)
		}
		return made, err
	}
	first, err := place("pay-1", releasev1.KindDeploy, old)
	if err != nil {
		t.Fatal(err)
	}
	if in := inCluster(first); in["east-1"] != 3 || in["east-2"] != 3 {
		t.Fatalf("%v: want three in each", in)
	}
	h.gone(second, pool)

	again, err := place("pay-2", releasev1.KindDeploy, old)
	h.clock.SetTime(h.clock.Now().Add(time.Minute))
	if err != nil || again.Name != first.Name {
		t.Errorf("%v, %v: what runs stays where it is", again, err)
	}
	_, err = place("pay-3", releasev1.KindDeploy, fresh)
	refusal := release.Refused(err)
	if refusal == nil {
		t.Fatalf("%v: want a refusal", err)
	}
	for _, want := range []string{"cluster east-2 is to have 3 of 6", "cluster east-2 does not answer", "fairway placement proposals -n retail-prod", "edit the application, apply it, and release that"} {
		if !strings.Contains(refusal.Message, want) {
			t.Errorf("%q does not say %q", refusal.Message, want)
		}
	}
	back, err := place("pay-4", releasev1.KindRollback, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if in := inCluster(back); in["east-1"] != 6 || in["east-2"] != 0 {
		t.Errorf("%v: want all six where somebody answers", in)
	}
	if !slices.ContainsFunc(back.Spec.Reasons, func(r placementv1.Reason) bool {
		return r.Rule == "Away" && strings.Contains(r.Message, "cluster east-2 does not answer")
	}) {
		t.Errorf("%+v: want the reason why nothing is in east-2", back.Spec.Reasons)
	}
}

// An application that is edited so that what keeps an identity leaves a cluster that does not
// answer is placed once somebody said how that was cut off; a Rollback is not asked (R86).
func TestNumbersThatMoveAnIdentityAskForFencing(t *testing.T) {
	h := newSite(t, nil)
	second, pool := h.second()
	in := func(east1, east2 int32) *appv1.Revision {
		return placementtest.Revision(t, "pay", east1+east2, func(c *appv1.Component) {
			c.Kind, c.Identity = appv1.KindStateful, appv1.IdentityFixed
			c.Instances[0].Clusters = []appv1.ClusterCount{{Cluster: "east-1", Count: east1}, {Cluster: "east-2", Count: east2}}
		})
	}
	both, one := in(1, 1), in(2, 0)
	release1 := releasetest.New("pay-1", both.Name, func(r *releasev1.Release) { r.Spec.Application = "pay" })
	placementtest.Run(t, h.placer, release1, both)
	h.gone(second, pool)
	place := func(name string, how ...func(*releasev1.Release)) (*placementv1.Placement, error) {
		return h.placer.Place(t.Context(), releasetest.New(name, one.Name, append(how, func(r *releasev1.Release) { r.Spec.Application = "pay" })...), one)
	}
	_, err := place("pay-2")
	if refusal := release.Refused(err); refusal == nil || !strings.Contains(refusal.Message, "of component account, which keeps an identity, leave rack east-b of pool retail-business in cluster east-2") || !strings.Contains(refusal.Message, "--fenced") {
		t.Fatalf("%v: want a refusal that says who leaves what, and what to do", err)
	}
	for name, how := range map[string]func(*releasev1.Release){
		"pay-3": func(r *releasev1.Release) { r.Spec.Fenced = "the cluster has no power, CHG-9" },
		"pay-4": releasetest.Rollback,
	} {
		if made, err := place(name, how); err != nil || inCluster(made)["east-1"] != 2 {
			t.Errorf("%s: %v, %v: want both in east-1", name, made, err)
		}
	}
}
