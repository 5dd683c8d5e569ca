// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
	"github.com/fairway-cloud/fairway/internal/platform/metricstest"
	"github.com/fairway-cloud/fairway/internal/platform/outbox"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// receiver takes what it is willing to.
type receiver struct {
	err  error
	seen []string
}

func (r *receiver) send(_ context.Context, m outbox.Message) (string, error) {
	r.seen = append(r.seen, m.ID+"="+string(m.Body))
	return "ticket of " + m.ID, r.err
}

func open(t *testing.T, db *database.DB) *outbox.Outbox {
	t.Helper()
	o, err := outbox.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func put(t *testing.T, o *outbox.Outbox, m outbox.Message, want bool) {
	t.Helper()
	if added, err := o.Put(t.Context(), m, noon); err != nil || added != want {
		t.Fatalf("put %s: added=%v %v, want %v", m.ID, added, err, want)
	}
}

func state(t *testing.T, o *outbox.Outbox, id string) string {
	t.Helper()
	s, note, found, err := o.StateOf(t.Context(), "itsm", id)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%v %s %s", found, s, note)
}

func TestAMessageIsKeptUntilItIsTaken(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, connect func() *database.DB) {
		o := open(t, connect())
		put(t, o, outbox.Message{Queue: "itsm", ID: "a", Body: []byte("一")}, true)
		put(t, o, outbox.Message{Queue: "itsm", ID: "a", Body: []byte("other")}, false)
		put(t, o, outbox.Message{Queue: "mail", ID: "a", Body: []byte("x")}, true)

		// The receiver is away: the pauses double, and end at five minutes.
		clock := clocktesting.NewFakeClock(noon)
		r := &receiver{err: errors.New("no route to host \x00\xff")}
		w := outbox.Worker{Outbox: o, Queue: "itsm", Send: r.send, Clock: clock, Log: slog.New(slog.DiscardHandler)}
		var attempts []int
		for second := range 700 {
			before := len(r.seen)
			if err := w.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(r.seen) > before {
				attempts = append(attempts, second)
			}
			clock.Step(time.Second)
		}
		if diff := cmp.Diff([]int{0, 1, 3, 7, 15, 31, 63, 127, 255, 511}, attempts); diff != "" {
			t.Errorf("seconds of the attempts (-want +got):\n%s", diff)
		}
		if got := state(t, o, "a"); got != "true Waiting no route to host ??" {
			t.Errorf("the failure is noted: %s", got)
		}

		// A crash: another process finds the message and hands it over, once.
		again := open(t, connect())
		clock.Step(time.Hour)
		well := &receiver{}
		next := outbox.Worker{Outbox: again, Queue: "itsm", Send: well.send, Clock: clock, Log: slog.New(slog.DiscardHandler)}
		for range 3 {
			if err := next.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"a=一"}, well.seen); diff != "" {
			t.Errorf("what was handed over (-want +got):\n%s", diff)
		}
		if got := state(t, again, "a"); got != "true Sent ticket of a" {
			t.Errorf("what the receiver answered is noted: %s", got)
		}
		put(t, again, outbox.Message{Queue: "itsm", ID: "a"}, false)
		if err := again.Forget(t.Context(), clock.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := state(t, again, "a"); got != "false  " {
			t.Errorf("what ended long ago is forgotten: %s", got)
		}
		if _, _, found, _ := again.StateOf(t.Context(), "mail", "a"); !found {
			t.Error("what waits is not")
		}
	})
}

func TestAMessageIsGivenUp(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, connect func() *database.DB) {
		o := open(t, connect())
		clock := clocktesting.NewFakeClock(noon)
		r := &receiver{err: errors.New("away")}
		w := outbox.Worker{Outbox: o, Queue: "itsm", Send: r.send, Clock: clock, Log: slog.New(slog.DiscardHandler)}
		round := func(step time.Duration) {
			t.Helper()
			clock.Step(step)
			if err := w.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		put(t, o, outbox.Message{Queue: "itsm", ID: "late", Until: noon.Add(time.Minute)}, true)
		put(t, o, outbox.Message{Queue: "itsm", ID: "closed"}, true)
		round(0)
		if err := o.Drop(t.Context(), "itsm", "closed", "the request is void", clock.Now()); err != nil {
			t.Fatal(err)
		}
		round(2 * time.Minute)
		r.err = nil
		put(t, o, outbox.Message{Queue: "itsm", ID: "hopeless"}, true)
		r.err = fmt.Errorf("mailbox unknown: %w", outbox.ErrHopeless)
		round(time.Second)
		round(time.Hour)
		if len(r.seen) != 3 {
			t.Errorf("nothing is sent after it was given up: %v", r.seen)
		}
		for id, want := range map[string]string{
			"late": "true Dropped its time was over", "closed": "true Dropped the request is void", "hopeless": "true Dropped mailbox unknown: it will never be taken",
		} {
			if got := state(t, o, id); got != want {
				t.Errorf("%s: %s, want %s", id, got, want)
			}
		}
	})
}

// A worker that is stopped in the middle of an attempt leaves the message as it was.
func TestAStopLeavesTheMessage(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, connect func() *database.DB) {
		o := open(t, connect())
		put(t, o, outbox.Message{Queue: "itsm", ID: "a"}, true)
		ctx, stop := context.WithCancel(t.Context())
		w := outbox.Worker{Outbox: o, Queue: "itsm", Clock: clocktesting.NewFakeClock(noon), Log: slog.New(slog.DiscardHandler),
			Send: func(ctx context.Context, _ outbox.Message) (string, error) {
				stop()
				<-ctx.Done()
				return "", ctx.Err()
			}}
		if err := w.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if got := state(t, o, "a"); got != "true Waiting " {
			t.Errorf("got %s", got)
		}
	})
}

func TestMetrics(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, connect func() *database.DB) {
		o := open(t, connect())
		put(t, o, outbox.Message{Queue: "itsm", ID: "a"}, true)
		put(t, o, outbox.Message{Queue: "itsm", ID: "b"}, true)
		put(t, o, outbox.Message{Queue: "mail", ID: "a"}, true)
		if err := o.Drop(t.Context(), "mail", "a", "", noon); err != nil {
			t.Fatal(err)
		}
		got := metricstest.Read(t, metricstest.Of(t, o.Metrics(clocktesting.NewFakePassiveClock(noon.Add(90*time.Second)))))
		if diff := cmp.Diff(map[string]float64{"fairway_outbox_oldest_seconds itsm": 90, "fairway_outbox_waiting itsm": 2}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// What whoever put it in remembers itself is forgotten once it has ended, and not before.
func TestErase(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, connect func() *database.DB) {
		o := open(t, connect())
		put(t, o, outbox.Message{Queue: "itsm", ID: "m1", Body: []byte("b")}, true)
		for _, step := range []struct{ do, want string }{{"waits", "true Waiting "}, {"ended", "false  "}} {
			if step.do == "ended" {
				if err := o.Drop(t.Context(), "itsm", "m1", "over", noon); err != nil {
					t.Fatal(err)
				}
			}
			if err := o.Erase(t.Context(), "itsm", "m1"); err != nil {
				t.Fatal(err)
			}
			if got := state(t, o, "m1"); got != step.want {
				t.Errorf("%s: want %q, got %q", step.do, step.want, got)
			}
		}
	})
}
