// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"k8s.io/utils/clock"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/placement/inventory/cmdbtest"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
	"github.com/fairway-cloud/fairway/internal/platform/outbox"
)

var quiet = slog.New(slog.DiscardHandler)

// side is Fairway's side: a database, and what works on it.
type side struct {
	t      testing.TB
	path   string
	config string
	clock  clock.WithTicker
	db     *database.DB

	store     *inventory.Store
	publisher *inventory.Publisher
	workers   []*outbox.Worker
}

func open(t testing.TB, path, config string, c clock.WithTicker) *side {
	t.Helper()
	s := &side{t: t, path: path, config: config, clock: c}
	s.start()
	t.Cleanup(func() { _ = s.db.Close() })
	return s
}

func (s *side) start() {
	s.t.Helper()
	var err error
	if s.db, err = database.Open(s.t.Context(), s.path); err != nil {
		s.t.Fatal(err)
	}
	if s.store, err = inventory.Open(s.t.Context(), s.db); err != nil {
		s.t.Fatal(err)
	}
	box, err := outbox.Open(s.t.Context(), s.db)
	if err != nil {
		s.t.Fatal(err)
	}
	receivers, err := inventory.ReadConfig(s.config, s.clock)
	if err != nil {
		s.t.Fatal(err)
	}
	s.publisher = &inventory.Publisher{Store: s.store, Outbox: box, Receivers: receivers, Clock: s.clock, Log: quiet}
	s.workers = s.publisher.Workers()
}

// restart is what a crash leaves: the database alone.
func (s *side) restart() {
	s.t.Helper()
	_ = s.db.Close()
	s.start()
}

// round publishes and sends once.
func (s *side) round(ctx context.Context) {
	s.t.Helper()
	for i, w := range s.workers {
		if err := s.publisher.Round(ctx, s.publisher.Receivers[i]); err != nil && ctx.Err() == nil {
			s.t.Fatal(err)
		}
		if err := w.Round(ctx); err != nil && ctx.Err() == nil {
			s.t.Fatal(err)
		}
	}
}

// apply makes an application have a placement with so many seats from a number on.
func (s *side) apply(application string, from, count int32, generation int) {
	s.t.Helper()
	now := s.clock.Now()
	seen := inventory.Seen{Namespace: "retail-prod", Name: application, DataCenters: map[string]string{"east-1": "dc-east"}}
	p := placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", application, generation), CreationTimestamp: metav1.NewTime(now)}}
	p.Spec.Application, p.Spec.Revision, p.Spec.ExpiresAt, p.Status.Release = application, fmt.Sprintf("r%d", generation), metav1.NewTime(now.Add(time.Hour)), "release"
	if count == 0 {
		p.Status.Conditions = []metav1.Condition{{Type: "Reserved", Status: metav1.ConditionFalse, Reason: "Retired"}}
	}
	a := placementv1.Assignment{Component: "web", Cell: placementv1.Cell{Cluster: "east-1", Pool: "p", Zone: "z", Rack: "r", DCN: "d"}}
	for n := range count {
		a.Seats = append(a.Seats, from+n)
	}
	p.Spec.Assignments = []placementv1.Assignment{a}
	seen.Placements = []placementv1.Placement{p}
	var err error
	if seen.Before, err = s.store.Of(s.t.Context(), seen.Namespace, application); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.store.Apply(s.t.Context(), seen.Namespace, application, inventory.Truth(seen, now), now); err != nil {
		s.t.Fatal(err)
	}
}

// truth is the whole list.
func (s *side) truth() map[string]inventory.Instance {
	s.t.Helper()
	out := map[string]inventory.Instance{}
	q := inventory.Query{Limit: 100}
	for {
		found, more, err := s.store.List(s.t.Context(), q)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, i := range found {
			out[i.Namespace+"/"+i.Application+"/"+i.Seat] = i
			q.After = i.Position()
		}
		if !more {
			return out
		}
	}
}

// same holds the CMDB against the truth.
func (s *side) same(cmdb *cmdbtest.CMDB) {
	s.t.Helper()
	if diff := cmp.Diff(s.truth(), cmdb.Instances(s.t), cmpopts.IgnoreUnexported(inventory.Instance{})); diff != "" {
		s.t.Errorf("the CMDB believes otherwise (-truth +CMDB):\n%s", diff)
	}
}

// settle lets everything arrive that is on its way.
func (s *side) settle(step func(time.Duration)) {
	s.t.Helper()
	for range 60 {
		s.round(s.t.Context())
		step(6 * time.Minute)
	}
}

// TestContract plays with a CMDB that loses answers, is away, and gets messages late and out
// of their order, while Fairway is restarted and applications come, change and go. At the
// end both know the same, and no message was missed.
func TestContract(t *testing.T) {
	for seed := range int64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewSource(seed)) //nolint:gosec // the same each time
			clock := clocktesting.NewFakeClock(time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC))
			cmdb := cmdbtest.New(t, "cmdb", clock.Now, func() cmdbtest.Trouble {
				return []cmdbtest.Trouble{cmdbtest.Fine, cmdbtest.Fine, cmdbtest.Away, cmdbtest.AnswerLost, cmdbtest.Late}[random.Intn(5)]
			})
			s := open(t, filepath.Join(t.TempDir(), "fairway.db"), cmdb.Config(t), clock)
			late := 0
			for step := range 120 {
				switch random.Intn(8) {
				case 0, 1, 2:
					s.apply(fmt.Sprintf("app-%d", random.Intn(4)), int32(random.Intn(3)*1000), int32(random.Intn(6)), step)
				case 3, 4:
					s.round(t.Context())
				case 5:
					clock.Step(time.Duration(random.Intn(90)) * time.Second)
				case 6:
					late += cmdb.DeliverLate()
				case 7:
					// Killed in the middle: whatever is under way ends somewhere.
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.Intn(5))*time.Millisecond)
					s.round(ctx)
					cancel()
					s.restart()
				}
			}
			cmdb.Untroubled()
			s.settle(clock.Step)
			s.same(cmdb)
			received, repeated, _ := cmdb.Counts()
			if received == 0 || len(s.truth()) == 0 {
				t.Errorf("nothing happened: %d messages", received)
			}
			t.Logf("%d messages, %d of them again, %d late; %d instances", received, repeated, late, len(s.truth()))
			for _, why := range cmdb.Refused() {
				t.Errorf("the CMDB refused: %s", why)
			}
		})
	}
}

// A CMDB that has lost its store is told everything anew, what is gone included; one that
// only missed the last is told that.
func TestReplay(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC))
	cmdb := cmdbtest.New(t, "cmdb", clock.Now, nil)
	s := open(t, filepath.Join(t.TempDir(), "fairway.db"), cmdb.Config(t), clock)
	s.apply("pay", 0, 5, 1)
	s.apply("loan", 0, 3, 1)
	s.settle(clock.Step)
	s.apply("pay", 0, 4, 2)
	s.settle(clock.Step)
	s.same(cmdb)
	before, _, _ := cmdb.Counts()
	s.settle(clock.Step)
	if after, _, _ := cmdb.Counts(); after != before {
		t.Errorf("nothing changed, and %d messages came", after-before)
	}
	cmdb.Forget(t)
	if err := s.publisher.Replay(t.Context(), "cmdb", 0); err != nil {
		t.Fatal(err)
	}
	s.settle(clock.Step)
	s.same(cmdb)
	if err := s.publisher.Replay(t.Context(), "moon", 0); err == nil {
		t.Error("a receiver that nobody configured is told anew")
	}
	// A list that was begun anew: the CMDB forgets what it knew of the old one.
	s2 := open(t, filepath.Join(t.TempDir(), "new.db"), cmdb.Config(t), clock)
	s2.apply("pay", 1000, 2, 3)
	s2.settle(clock.Step)
	s2.same(cmdb)
}

// Twenty seats are gone with their application, and the CMDB learns it.
func TestRetiredIsPublishedAsGone(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC))
	cmdb := cmdbtest.New(t, "cmdb", clock.Now, nil)
	s := open(t, filepath.Join(t.TempDir(), "fairway.db"), cmdb.Config(t), clock)
	s.apply("pay", 0, 20, 1)
	s.settle(clock.Step)
	if got := len(cmdb.Instances(t)); got != 20 {
		t.Fatalf("want 20, the CMDB has %d", got)
	}
	s.apply("pay", 0, 0, 2)
	s.settle(clock.Step)
	if got := len(cmdb.Instances(t)); got != 0 {
		t.Errorf("the application is retired, and the CMDB has %d", got)
	}
}

// TestKilled kills a process that changes and publishes, with SIGKILL and again and again;
// what it leaves is carried on. The CMDB misses nothing and is told nothing that is not so.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("FAIRWAY_INVENTORY_CHILD"); dir != "" {
		child(t, dir)
		return
	}
	if testing.Short() {
		t.Skip("processes are killed for some seconds")
	}
	random := rand.New(rand.NewSource(1)) //nolint:gosec // the same each time
	troubles := rand.New(rand.NewSource(2))
	cmdb := cmdbtest.New(t, "cmdb", time.Now, func() cmdbtest.Trouble {
		return []cmdbtest.Trouble{cmdbtest.Fine, cmdbtest.Fine, cmdbtest.Fine, cmdbtest.AnswerLost}[troubles.Intn(4)]
	})
	path, config := filepath.Join(t.TempDir(), "fairway.db"), cmdb.Config(t)
	for range 12 {
		command := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		command.Env = append(os.Environ(), "FAIRWAY_INVENTORY_CHILD="+path+"|"+config)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(250+random.Intn(400)) * time.Millisecond) // when it is killed is up to chance
		if err := command.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = command.Wait()
	}
	cmdb.Untroubled()
	c := &ahead{}
	s := open(t, path, config, c)
	for range 40 {
		s.round(t.Context())
		c.by += 10 * time.Second // back-offs are over; signatures are within the skew
	}
	c.by = 0
	s.same(cmdb)
	received, repeated, _ := cmdb.Counts()
	t.Logf("12 processes killed: %d messages, %d of them again, %d instances", received, repeated, len(s.truth()))
	if received < 20 || len(s.truth()) == 0 {
		t.Errorf("too little happened: %d messages", received)
	}
	for _, why := range cmdb.Refused() {
		t.Errorf("the CMDB refused: %s", why)
	}
}

// ahead is the real clock, set forward.
type ahead struct {
	clock.RealClock
	by time.Duration
}

func (a *ahead) Now() time.Time { return time.Now().Add(min(a.by, 4*time.Minute)) }

// child changes and publishes until it is killed.
func child(t *testing.T, where string) {
	path, config, _ := strings.Cut(where, "|")
	s := open(t, path, config, clock.RealClock{})
	random := rand.New(rand.NewSource(time.Now().UnixNano())) //nolint:gosec // which seats is up to chance
	for step := 0; ; step++ {
		s.apply(fmt.Sprintf("app-%d", random.Intn(20)), int32(random.Intn(3)*1000), int32(random.Intn(6)), step)
		s.round(t.Context())
	}
}

// The same on PostgreSQL: what changes arrives once, and again when it is asked for.
func TestOnPostgres(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC))
	lost := true
	cmdb := cmdbtest.New(t, "cmdb", clock.Now, func() cmdbtest.Trouble {
		lost = !lost
		return map[bool]cmdbtest.Trouble{true: cmdbtest.AnswerLost}[lost]
	})
	s := open(t, databasetest.Postgres(t), cmdb.Config(t), clock)
	s.apply("pay", 0, 5, 1)
	s.apply("loan", 0, 3, 1)
	s.settle(clock.Step)
	s.restart()
	s.apply("pay", 0, 4, 2)
	s.settle(clock.Step)
	s.same(cmdb)
	cmdb.Forget(t)
	if err := s.publisher.Replay(t.Context(), "cmdb", 0); err != nil {
		t.Fatal(err)
	}
	s.settle(clock.Step)
	s.same(cmdb)
}
