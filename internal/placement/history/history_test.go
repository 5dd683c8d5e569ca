// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package history_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/history"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
)

var start = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, db *database.DB) *history.Store {
	t.Helper()
	s, err := history.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDays records each day once, keeps it over a restart, and no more than 90 of them.
func TestDays(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, connect func() *database.DB) {
		s := open(t, connect())
		for d := range 100 {
			at := start.AddDate(0, 0, d)
			if there, err := s.Recorded(t.Context(), at); err != nil || there {
				t.Fatalf("day %d is there before it was recorded: %v", d, err)
			}
			for _, use := range []int64{int64(d), 7777} { // the second says nothing new
				if err := s.Record(t.Context(), at, map[string]placement.Amount{"retail": {CPU: use, Memory: 1 << 40, Instances: 3}, "cards": {}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		s = open(t, connect())
		now := start.AddDate(0, 0, 99).Add(time.Hour)
		if there, err := s.Recorded(t.Context(), now); err != nil || !there {
			t.Errorf("the last day is not there after a restart: %v", err)
		}
		got, err := s.Of(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		retail := got["retail"]
		if len(got) != 2 || len(got["cards"]) != 90 || len(retail) != 90 {
			t.Fatalf("%d pools, %d and %d days, want 2 of 90", len(got), len(got["cards"]), len(retail))
		}
		want := []placement.Point{
			{At: start.AddDate(0, 0, 10), Held: placement.Amount{CPU: 10, Memory: 1 << 40, Instances: 3}},
			{At: start.AddDate(0, 0, 99), Held: placement.Amount{CPU: 99, Memory: 1 << 40, Instances: 3}},
		}
		if diff := cmp.Diff(want, []placement.Point{retail[0], retail[89]}); diff != "" {
			t.Error(diff)
		}
	})
}

func placed(name, release string, cpu string, seats ...int32) *placementv1.Placement {
	p := &placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name}}
	p.Spec.Application, p.Spec.ExpiresAt = "bank", metav1.NewTime(start.AddDate(1, 0, 0))
	p.Spec.Assignments = []placementv1.Assignment{{
		Component: "account", Template: "t-" + name, Cell: placementv1.Cell{Cluster: "east-1", Pool: "retail-business", Rack: "east-a"},
		Seats: seats, CPU: resource.MustParse(cpu), Memory: resource.MustParse("1Gi"),
	}}
	p.Status.Release = release
	return p
}

// planned is a Placement whose Release waits for its approval.
func planned() *placementv1.Placement {
	p := placed("planned", "r3", "3", 0, 1, 2)
	p.Status.Conditions = []metav1.Condition{{Type: placementv1.ConditionReserved, Status: metav1.ConditionTrue, Reason: placementv1.ReasonPlanned, LastTransitionTime: metav1.NewTime(start)}}
	return p
}

// TestRecord looks at a fleet in the middle of a Release, beside a proposal that nobody uses
// and a Release that waits.
func TestRecord(t *testing.T) {
	db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "fairway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	reads, away := 0, true
	hub := interceptor.NewClient(placementtest.Hub(t).WithObjects(placed("a", "r1", "2", 0, 1), placed("b", "r2", "2", 0, 1), placed("proposal", "", "3", 0, 1, 2), planned()).Build(), interceptor.Funcs{
		List: func(ctx context.Context, hub client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			reads++
			if _, placements := list.(*placementv1.PlacementList); placements && away {
				return errors.New("connection refused")
			}
			return hub.List(ctx, list, opts...)
		},
	})
	clock := clocktesting.NewFakeClock(start)
	r := &history.Recorder{Hub: hub, Store: open(t, db), Clock: clock, Log: slog.New(slog.DiscardHandler)}

	if err := r.Record(t.Context()); err == nil {
		t.Error("nobody could say what is reserved, and the day was recorded")
	}
	if got, err := r.Store.Of(t.Context(), start); err != nil || len(got) != 0 {
		t.Errorf("an hour in which nobody knew is remembered: %v, %v", got, err)
	}
	away = false
	clock.Step(time.Hour)
	if err := r.Record(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := r.Store.Of(t.Context(), clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]placement.Point{"retail-business": {{At: start.Add(time.Hour), Held: placement.Amount{CPU: 4000, Memory: 2 << 30, Instances: 2}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	before := reads
	clock.Step(time.Hour)
	if err := r.Record(t.Context()); err != nil || reads != before {
		t.Errorf("the day is recorded, and the fleet was read again: %v", fmt.Sprint(err, reads-before))
	}
}
