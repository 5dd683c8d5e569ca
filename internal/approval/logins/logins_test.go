// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package logins_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/approval/logins"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
)

type session struct {
	person      string
	from, until time.Time
}

type sessions struct {
	known map[string]session
	away  error
}

func (s *sessions) Ever(_ context.Context, id string) (string, time.Time, time.Time, bool, error) {
	it, found := s.known[id]
	return it.person, it.from, it.until, found, s.away
}

func TestALoginIsRememberedLongerThanItsSession(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, open func() *database.DB) {
		noon := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		now := noon
		kept := &sessions{known: map[string]session{"s1": {person: "p1", from: noon.Add(-time.Hour)}}}
		l, err := logins.New(t.Context(), open(), kept, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		got, found, err := l.Login(t.Context(), "s1")
		if err != nil || !found || got.Person != "p1" || !got.Until.IsZero() {
			t.Fatalf("%+v %v %v", got, found, err)
		}
		now = noon.Add(10 * time.Minute)
		if _, _, err := l.Login(t.Context(), "s1"); err != nil {
			t.Fatal(err)
		}
		// A day later the session is not kept any more.
		delete(kept.known, "s1")
		now = noon.Add(48 * time.Hour)
		if got, found, err = l.Login(t.Context(), "s1"); err != nil || !found || got.Person != "p1" || !got.Until.Equal(noon.Add(10*time.Minute)) {
			t.Fatalf("it held until it was seen last, and for nothing later: %+v %v %v", got, found, err)
		}
		if _, found, err = l.Login(t.Context(), "never"); err != nil || found {
			t.Fatalf("%v %v", found, err)
		}
		// Nobody knows is not the same as nobody is there.
		kept.away = errors.New("away")
		if _, _, err = l.Login(t.Context(), "s1"); err == nil {
			t.Error("while the sessions cannot be asked nothing counts")
		}
		kept.away, kept.known["s2"] = nil, session{person: "p2", from: noon, until: noon.Add(time.Minute)}
		if got, found, err = l.Login(t.Context(), "s2"); err != nil || !found || !got.Until.Equal(noon.Add(time.Minute)) {
			t.Errorf("an ended one says when: %+v %v %v", got, found, err)
		}
	})
}
