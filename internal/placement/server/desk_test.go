// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/history"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/placement/server"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
	apiserver "github.com/fairway-cloud/fairway/internal/server"
)

type readers struct {
	may bool
	err error
}

func (r readers) May(context.Context, identity.Person, apiserver.Question) (bool, error) {
	return r.may, r.err
}

// running is a desk over a fleet in which mobile-bank runs with five instances.
func running(t *testing.T) *server.Desk {
	t.Helper()
	revision := placementtest.Revision(t, "mobile-bank", 5)
	hub := placementtest.Hub(t).WithObjects(revision).Build()
	clock := clocktesting.NewFakePassiveClock(apptest.Now)
	placer := &controller.Placer{Hub: hub, Direct: hub, Clock: clock}
	placementtest.Run(t, placer, releasetest.New("r1", revision.Name, func(r *releasev1.Release) { r.Spec.Application = "mobile-bank" }), revision)
	return &server.Desk{Hub: hub, Direct: hub, Clock: clock, Authority: readers{may: true}}
}

func TestSimulate(t *testing.T) {
	desk := running(t)
	out, err := desk.Simulate(t.Context(), placement.WhatIf{Lose: []placement.Loss{{Kind: "Rack", Name: "dc-east/east-a"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cell := placementv1.Cell{Cluster: "east-1", Pool: "retail-business", Zone: "business", Rack: "east-a", DCN: "dcn-east-1"}
	want := server.Outcome{
		Notes: []string{}, Trials: []server.Trial{}, Moves: []server.Move{{Application: "retail-prod/mobile-bank", Component: "account", Cell: cell, By: -5}},
		Unplaced: []server.Unplaced{{Application: "retail-prod/mobile-bank", Reasons: []string{
			"component account in dcn-east-1: no cell takes 5 instances: no host of pool retail-business on rack east-a of cluster east-1 is ready",
		}}},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestCapacity(t *testing.T) {
	pools, err := running(t).Capacity(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(pools) != 1 || pools[0].Held.CPU != 1250 || pools[0].Hosts != 4 || pools[0].Trend.FullInDays != nil || pools[0].Trend.Why != "there is no history yet" { // the hub in memory stamps no times
		t.Errorf("%+v", pools)
	}
	if k := pools[0].Classes; len(k) != 1 || k[0].Hosts != 4 || k[0].Free != k[0].FreeAtMost || k[0].Free.CPU != 2750 {
		t.Errorf("of four hosts of a CPU each 1250m are held: %+v", k)
	}
	for _, m := range pools[0].More {
		// Of the four hosts with 1 CPU each, which one the five instances of 250m lie on is
		// the member's scheduler's choice: one host may be full, and one begun.
		if m.Size == "Medium" && m.Instances > 2 {
			t.Errorf("%d instances of a whole CPU are promised, and two hosts may be begun: %+v", m.Instances, pools[0].More)
		}
	}
}

// TestTrendIsOfWhatWasHeld releases an application each day for 60 days, and deletes what was
// given back beyond the last ten, as Releases do. What it holds then was recorded day by day.
func TestTrendIsOfWhatWasHeld(t *testing.T) {
	const days = 60
	for name, c := range map[string]struct {
		reason string
		cpu    func(day int) int64 // thousandths of a core of the fleet's 4
		why    string
		full   float64 // -1: no date
	}{
		"flat":  {"what holds the same each day does not grow, however often it is released", func(int) int64 { return 500 }, "it does not grow", -1},
		"grows": {"ten thousandths of a core more each day", func(day int) int64 { return 500 + 10*int64(day) }, "CPU is full first", (4000 - 500 - 600) / 10},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "fairway.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			store, err := history.Open(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			hub := placementtest.Hub(t).Build()
			clock := clocktesting.NewFakeClock(apptest.Now)
			recorder := &history.Recorder{Hub: hub, Store: store, Clock: clock}
			var kept []*placementv1.Placement
			for day := range days + 1 {
				if len(kept) > 0 {
					last := kept[len(kept)-1]
					meta.SetStatusCondition(&last.Status.Conditions, metav1.Condition{
						Type: placementv1.ConditionReserved, Status: metav1.ConditionFalse, Reason: "Superseded", LastTransitionTime: metav1.NewTime(clock.Now()),
					})
					if err := hub.Status().Update(t.Context(), last); err != nil {
						t.Fatal(err)
					}
				}
				p := &placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: fmt.Sprintf("p%d", day), CreationTimestamp: metav1.NewTime(clock.Now())}}
				p.Spec.Application = "bank"
				p.Spec.Assignments = []placementv1.Assignment{{
					Component: "account", Template: fmt.Sprint(day), Cell: placementv1.Cell{Cluster: "east-1", Pool: "retail-business", Rack: "east-a"},
					Seats: []int32{0}, CPU: *resource.NewMilliQuantity(c.cpu(day), resource.DecimalSI), Memory: resource.MustParse("1Gi"),
				}}
				if err := hub.Create(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				p.Status.Release = "r"
				if err := hub.Status().Update(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				if kept = append(kept, p); len(kept) > 10 {
					if err := hub.Delete(t.Context(), kept[0]); err != nil {
						t.Fatal(err)
					}
					kept = kept[1:]
				}
				if day < days { // the last one is what is held now
					if err := recorder.Record(t.Context()); err != nil {
						t.Fatal(err)
					}
					clock.Step(24 * time.Hour)
				}
			}
			pools, err := (&server.Desk{Hub: hub, Direct: hub, Clock: clock, History: store}).Capacity(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			got := pools[0].Trend
			full := -1.0
			if got.FullInDays != nil {
				full = *got.FullInDays
			}
			if got.Why != c.why || math.Abs(full-c.full) > 1e-6 || got.HistoryDays != days || got.Since != apptest.Now.UTC().Format(time.DateOnly) {
				t.Errorf("%s: %+v, full in %v days, want %v, %q", c.reason, got, full, c.full, c.why)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	away := running(t)
	away.Direct = interceptor.NewClient(placementtest.Hub(t).Build(), interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
		return errors.New("connection refused")
	}})
	stranger := running(t)
	stranger.Authority = readers{}
	unsure := running(t)
	unsure.Authority = readers{err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		desk   *server.Desk
		method string
		target string
		body   string
		want   string
	}{
		"simulates":     {running(t), "POST", "/api/v1/placement/simulate", `{"lose":[{"kind":"Rack","name":"dc-east/east-a"}]}`, `"by":-5`},
		"adds":          {running(t), "POST", "/api/v1/placement/simulate", `{"add":[{"pool":"retail-business","cluster":"east-1","rack":"east-a","count":2,"cpu":"4","memory":"8Gi"}]}`, `"moves":[]`},
		"adds another":  {running(t), "POST", "/api/v1/placement/simulate", `{"add":[{"pool":"retail-business","cluster":"east-1","rack":"east-b","count":2,"arch":"arm64","rackIs":"New"}]}`, "2 hosts come to pool retail-business on the new rack east-b of cluster east-1, with 1 CPU and 2 GiB each, arm64, as large as"},
		"a slip":        {running(t), "POST", "/api/v1/placement/simulate", `{"add":[{"pool":"retail-business","cluster":"east-1","rack":"east-b","count":2}]}`, "data centre dc-east lists no such rack (it has east-a)"},
		"an odd rack":   {running(t), "POST", "/api/v1/placement/simulate", `{"add":[{"pool":"retail-business","cluster":"east-1","rack":"east-b","count":2,"rackIs":"Old"}]}`, "rackIs is Known or New"},
		"an odd chip":   {running(t), "POST", "/api/v1/placement/simulate", `{"add":[{"pool":"retail-business","cluster":"east-1","rack":"east-a","count":2,"arch":"x86"}]}`, "it is amd64, arm64 or loong64"},
		"too large":     {running(t), "POST", "/api/v1/placement/simulate", `{"add":[{"pool":"retail-business","cluster":"east-1","rack":"east-a","count":2,"cpu":"200000","memory":"8Gi"}]}`, "no host is believed to have"},
		"far too large": {running(t), "POST", "/api/v1/placement/simulate", `{"add":[{"pool":"retail-business","cluster":"east-1","rack":"east-a","count":2,"cpu":"10E","memory":"8Gi"}]}`, "no host is believed to have"},
		"a bare name":   {running(t), "POST", "/api/v1/placement/simulate", `{"lose":[{"name":"dc-east"}]}`, `"by":-5`},
		"nobody's name": {running(t), "POST", "/api/v1/placement/simulate", `{"lose":[{"name":"moon"}]}`, "nothing of the fleet is called so; there are data centres dc-east; clusters east-1; pools retail-business"},
		"nothing":       {running(t), "POST", "/api/v1/placement/simulate", `{}`, "could not simulate nothing"},
		"unknown":       {running(t), "POST", "/api/v1/placement/simulate", `{"lose":[{"kind":"Rack","name":"dc-east/moon"}]}`, "the fleet does not know it"},
		"half a size":   {running(t), "POST", "/api/v1/placement/simulate", `{"add":[{"pool":"retail-business","cluster":"east-1","rack":"east-b","count":2,"cpu":"4"}]}`, "give both cpu and memory"},
		"no size":       {running(t), "POST", "/api/v1/placement/simulate", `{"add":[{"pool":"retail-business","cluster":"east-1","rack":"east-b","count":2,"cpu":"-4","memory":"x"}]}`, "write them like"},
		"unknown field": {running(t), "POST", "/api/v1/placement/simulate", `{"loose":[]}`, "is not the JSON object"},
		"a stranger":    {stranger, "POST", "/api/v1/placement/simulate", `{}`, "your roles do not allow"},
		"unsure":        {unsure, "GET", "/api/v1/placement/capacity", "", "could not look at the fleet now"},
		"hub away":      {away, "GET", "/api/v1/placement/capacity", "", "could not look at the fleet now"},
		"capacity":      {running(t), "GET", "/api/v1/placement/capacity?pool=retail-business", "", `"pool":"retail-business"`},
		"no such pool":  {running(t), "GET", "/api/v1/placement/capacity?pool=moon", "", "could not find pool"},
		"odd query":     {running(t), "GET", "/api/v1/placement/capacity?moon=1", "", "no such parameter"},
		"no desk":       {nil, "GET", "/api/v1/placement/capacity", "", "could not look at the fleet now"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, c.desk, c.method, c.target, c.body); !strings.Contains(got, c.want) {
				t.Errorf("the answer is %s, want %q in it", got, c.want)
			}
		})
	}
}

// anybody is let in, and what is written is kept nowhere: these routes only read.
type anybody struct{}

func (anybody) Authenticate(context.Context, string) (identity.Person, error) {
	return identity.Person{ID: "p1"}, nil
}
func (anybody) Intent(context.Context, audit.Act) (string, error)    { return "1", nil }
func (anybody) Outcome(context.Context, string, audit.Outcome) error { return nil }

func ask(t *testing.T, desk *server.Desk, method, target, body string) string {
	t.Helper()
	handler, err := (&httpapi.Chain{Identity: anybody{}, Gate: approval.Unrestricted{}, Recorder: anybody{}, Log: slog.New(slog.DiscardHandler)}).Mount(server.Routes(desk))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer p1")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Body.String()
}
