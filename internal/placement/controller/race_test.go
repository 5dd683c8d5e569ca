// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/keeper"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/metricstest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// furnish writes the small fleet to a real hub.
func furnish(t *testing.T, hub client.Client) {
	t.Helper()
	objects := append([]client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-prod"}}}, placementtest.Fleet()...)
	for _, o := range objects {
		status, _ := o.DeepCopyObject().(client.Object)
		if err := hub.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		switch o.(type) {
		case *fleetv1.Pool, *fleetv1.Cluster:
			status.SetResourceVersion(o.GetResourceVersion())
			if err := hub.Status().Update(t.Context(), status); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// reserved counts the instances that Placements hold room for.
func reserved(t *testing.T, hub client.Client) (instances int, placements int) {
	t.Helper()
	var list placementv1.PlacementList
	if err := hub.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if !observed.Holds(&list.Items[i], time.Now()) {
			continue
		}
		placements++
		for _, a := range list.Items[i].Spec.Assignments {
			instances += len(a.Seats)
		}
	}
	return instances, placements
}

// TestTwoServersRace has two servers place at once into room for four of their sixteen
// applications, again and again: one that led before and does not know yet, and its
// successor. Never is more given away than there is, and in the end all of it is.
func TestTwoServersRace(t *testing.T) {
	hub := kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithScheme(placementtest.Scheme(t)))
	furnish(t, hub.Client())
	servers := []*controller.Placer{placementtest.Server(t, hub.Config()), placementtest.Server(t, hub.Config())}
	for round := range 6 {
		names := []string{}
		for i := range 16 {
			names = append(names, fmt.Sprintf("r%d-a%d", round, i))
		}
		place := func(i int) error {
			revision := placementtest.Revision(t, names[i], 4)
			r := releasetest.New("rel-"+names[i], revision.Name, func(r *releasev1.Release) { r.Spec.Application = names[i] })
			_, err := servers[i%2].Place(t.Context(), r, revision)
			if err != nil && release.Refused(err) == nil && !strings.Contains(err.Error(), "another server placed into the same room") {
				t.Errorf("round %d: %v", round, err)
			}
			return err
		}
		var all sync.WaitGroup
		for i := range names {
			all.Go(func() { _ = place(i) })
		}
		all.Wait()
		if n, _ := reserved(t, hub.Client()); n > 16 {
			t.Fatalf("round %d: %d instances are placed where 16 find room", round, n)
		}
		for i := range names { // whoever was refused while another tried comes again
			_ = place(i)
		}
		if n, p := reserved(t, hub.Client()); n != 16 || p != 4 {
			t.Fatalf("round %d: %d instances of %d placements hold room, want 16 of 4", round, n, p)
		}
		for i, name := range names {
			if err := servers[i%2].Free(t.Context(), "retail-prod", name, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestTheHubIsAway stops the hub under a server that follows it: nothing is placed
// meanwhile, and what changed counts when it is back.
func TestTheHubIsAway(t *testing.T) {
	hub := kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithScheme(placementtest.Scheme(t)))
	furnish(t, hub.Client())
	placer := placementtest.Server(t, hub.Config())
	place := func(name string, n int32) error {
		revision := placementtest.Revision(t, name, n)
		_, err := placer.Place(t.Context(), releasetest.New("rel-"+name, revision.Name, func(r *releasev1.Release) { r.Spec.Application = name }), revision)
		return err
	}
	if err := place("pay", 8); err != nil {
		t.Fatal(err)
	}
	told := metricstest.Of(t, placer.Keeper.Metrics())
	seen := metricstest.Read(t, told)
	if seen["fairway_placement_followed_placements"] != 1 || seen["fairway_placement_view_known"] != 1 || seen["fairway_placement_view_rebuilds_total"] < 1 || seen["fairway_placement_view_age_seconds"] > 60 {
		t.Errorf("metrics of a view that is known: %v", seen)
	}
	hub.StopAPIServer()
	if err := place("loan", 4); err == nil || release.Refused(err) != nil {
		t.Errorf("without a hub nothing is placed, and nobody says that there is no room: %v", err)
	}
	now := metricstest.Read(t, told)
	for deadline := time.Now().Add(20 * time.Second); now["fairway_placement_view_known"] != 0 && time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		now = metricstest.Read(t, told)
	}
	if now["fairway_placement_view_known"] != 0 || now["fairway_placement_view_age_seconds"] <= seen["fairway_placement_view_age_seconds"] {
		t.Errorf("metrics of a view that is not known: %v, before: %v", now, seen)
	}
	hub.StartAPIServer(t)
	var err error
	for range 60 {
		if err = place("loan", 4); err == nil || !errors.Is(err, keeper.ErrUnknown) {
			break
		}
	}
	if err != nil {
		t.Fatalf("the hub is back: %v", err)
	}
	if err := place("card", 5); release.Refused(err) == nil {
		t.Errorf("12 of 16 are held, and five more asked for: %v", err)
	}
	if n, _ := reserved(t, hub.Client()); n != 12 {
		t.Errorf("%d instances hold room, want 12", n)
	}
	if now := metricstest.Read(t, told); now["fairway_placement_view_known"] != 1 || now["fairway_placement_followed_placements"] != 2 {
		t.Errorf("metrics of a view that is known again: %v", now)
	}
}
