// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// hub has one pool of four hosts of 1 CPU in dc-east, for zone business.
type hub struct {
	client.Client
	t      *testing.T
	clock  *clocktesting.FakePassiveClock
	placer *controller.Placer
	// lost makes the answers of status writes get lost.
	lost bool
}

func newHub(t *testing.T) *hub {
	h := &hub{t: t, clock: clocktesting.NewFakePassiveClock(apptest.Now)}
	h.Client = placementtest.Hub(t).WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
		if h.lost {
			return errors.New("killed")
		}
		return c.SubResource(sub).Patch(ctx, o, p, opts...)
	}}).Build()
	h.placer = &controller.Placer{Hub: h.Client, Direct: h.Client, Clock: h.clock}
	return h
}

func (h *hub) place(name, application string, n int32) (*placementv1.Placement, error) {
	revision := placementtest.Revision(h.t, application, n)
	r := releasetest.New(name, revision.Name, func(r *releasev1.Release) { r.Spec.Application = application })
	return h.placer.Place(h.t.Context(), r, revision)
}

func (h *hub) placements() map[string]string {
	h.t.Helper()
	var list placementv1.PlacementList
	if err := h.List(h.t.Context(), &list); err != nil {
		h.t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range list.Items {
		c := meta.FindStatusCondition(p.Status.Conditions, placementv1.ConditionReserved)
		if c == nil {
			out[p.Name] = "fresh"
			continue
		}
		out[p.Name] = c.Reason + " " + p.Status.Release
	}
	return out
}

func TestReservationsCount(t *testing.T) {
	h := newHub(t)
	first, err := h.place("one", "pay", 10)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first.Name, "pay-") || len(first.Name) != len("pay-")+10 {
		t.Errorf("name %q: want the application and ten digits of the digest", first.Name)
	}
	// Nothing runs yet; what is reserved counts all the same.
	_, err = h.place("two", "loan", 7)
	refusal := release.Refused(err)
	if refusal == nil || refusal.Reason != "NotPlaced" || !strings.Contains(refusal.Message, "lacks 0.25 CPU and 512 MiB on rack east-a for 1 instance; one host more would do") {
		t.Fatalf("16 instances of 250m fit on four hosts of 1 CPU, 10 are reserved and 7 asked for: %v", err)
	}
	if _, err := h.place("three", "loan", 6); err != nil {
		t.Fatalf("6 more fit: %v", err)
	}
	// Retired, the room is free again.
	if err := h.placer.Free(t.Context(), "retail-prod", "pay", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := h.place("four", "card", 10); err != nil {
		t.Fatalf("the room of what was retired is free: %v", err)
	}
}

func TestPlacedOncePerRelease(t *testing.T) {
	h := newHub(t)
	h.lost = true
	if _, err := h.place("one", "pay", 4); err == nil {
		t.Fatal("the process should have been killed before it could mark the placement")
	}
	h.lost = false
	// Meanwhile another decision would come out otherwise.
	if _, err := h.place("other", "loan", 4); err != nil {
		t.Fatal(err)
	}
	first, err := h.place("one", "pay", 4)
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.place("one", "pay", 4)
	if err != nil || first.Name != second.Name {
		t.Fatalf("%q and %q, %v: one Release has one Placement", first.Name, second.Name, err)
	}
	if n := len(h.placements()); n != 2 {
		t.Errorf("%d placements, want 2: %v", n, h.placements())
	}
}

func TestSuperseded(t *testing.T) {
	h := newHub(t)
	old, err := h.place("one", "pay", 2)
	if err != nil {
		t.Fatal(err)
	}
	h.clock.SetTime(h.clock.Now().Add(48 * time.Hour))
	now, err := h.place("two", "pay", 3)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int32{0, 1, 2}, now.Spec.Assignments[0].Seats); diff != "" {
		t.Errorf("seats stay and the lowest free number is added (-want +got):\n%s", diff)
	}
	for range 2 { // again after a kill
		if err := h.placer.Free(t.Context(), "retail-prod", "pay", now.Name); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{old.Name: "Superseded one", now.Name: "Planned two"}
	if diff := cmp.Diff(want, h.placements()); diff != "" {
		t.Errorf("only what runs holds room, however old it is (-want +got):\n%s", diff)
	}
}

func TestExpiry(t *testing.T) {
	h := newHub(t)
	used, err := h.place("one", "pay", 2)
	if err != nil {
		t.Fatal(err)
	}
	h.lost = true
	_, _ = h.place("gone", "loan", 2)
	h.lost = false

	expiry := &controller.Expiry{Hub: h, Clock: h.clock}
	look := func() (next time.Duration) {
		var list placementv1.PlacementList
		if err := h.List(t.Context(), &list); err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			result, err := expiry.Reconcile(t.Context(), &list.Items[i])
			if err != nil {
				t.Fatal(err)
			}
			next = max(next, result.RequeueAfter)
		}
		return next
	}
	if next := look(); next != time.Hour {
		t.Errorf("looked at again in %s, want in an hour, when the proposal expires", next)
	}
	h.clock.SetTime(h.clock.Now().Add(time.Hour))
	look()
	if diff := cmp.Diff(map[string]string{used.Name: "Planned one"}, h.placements()); diff != "" {
		t.Errorf("the proposal goes, what is used stays (-want +got):\n%s", diff)
	}
	if err := h.Get(t.Context(), client.ObjectKeyFromObject(used), &placementv1.Placement{}); apierrors.IsNotFound(err) {
		t.Error("what a Release uses never expires")
	}
}

// What a Release was placed by is in force from its first step on, and what another decided
// meanwhile waits: it holds room, and is not what runs.
func TestAPlacementIsInForceFromTheFirstStep(t *testing.T) {
	h := newHub(t)
	runs, err := h.place("one", "pay", 4)
	if err != nil {
		t.Fatal(err)
	}
	begin := func(name, placement string) {
		t.Helper()
		r := releasetest.New(name, "")
		r.Status.Placement = placement
		if err := h.placer.Begin(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	begin("one", runs.Name)
	h.clock.SetTime(h.clock.Now().Add(time.Hour))
	waits, err := h.place("two", "pay", 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{runs.Name: "InUse one", waits.Name: "Planned two"}, h.placements()); diff != "" {
		t.Errorf("while the second waits for its approval (-want +got):\n%s", diff)
	}
	begin("nobody", waits.Name) // another's
	begin("two", "")            // a restart has none
	begin("two", "gone")        // its plan is all that the steps need
	if diff := cmp.Diff(map[string]string{runs.Name: "InUse one", waits.Name: "Planned two"}, h.placements()); diff != "" {
		t.Errorf("what is not its own is left alone (-want +got):\n%s", diff)
	}
	for range 2 { // again after a kill
		begin("two", waits.Name)
	}
	if diff := cmp.Diff(map[string]string{runs.Name: "InUse one", waits.Name: "InUse two"}, h.placements()); diff != "" {
		t.Errorf("from the first step on (-want +got):\n%s", diff)
	}
	// The same decision again, for another Release, is what runs.
	if _, err := h.place("three", "pay", 2); err != nil {
		t.Fatal(err)
	}
	if got := h.placements()[waits.Name]; got != "InUse three" {
		t.Errorf("what runs already is %q for a Release that decides the same, want it in use", got)
	}
}
