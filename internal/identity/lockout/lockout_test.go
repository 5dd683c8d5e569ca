// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lockout_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity/lockout"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
)

func TestFailuresAreCountedOnEveryServer(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, open func() *database.DB) {
		now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
		clock := func() time.Time { return now }
		db := open()
		one, err := lockout.New(t.Context(), db, clock)
		if err != nil {
			t.Fatal(err)
		}
		two, err := lockout.New(t.Context(), open(), clock)
		if err != nil {
			t.Fatal(err)
		}
		who := lockout.Who{Provider: "ad", Login: "Zhang.San", Address: netip.MustParseAddr("10.0.0.7")}
		fail := func(c *lockout.Counter, who lockout.Who) bool {
			locked, err := c.Failed(t.Context(), who)
			if err != nil {
				t.Fatal(err)
			}
			return locked
		}
		until := func(c *lockout.Counter, who lockout.Who) time.Duration {
			u, err := c.Until(t.Context(), who)
			if err != nil {
				t.Fatal(err)
			}
			if u.IsZero() {
				return 0
			}
			return u.Sub(now)
		}
		for i := range 4 {
			if fail([]*lockout.Counter{one, two}[i%2], who) {
				t.Errorf("failure %d locks", i+1)
			}
		}
		if !fail(two, lockout.Who{Provider: "ad", Login: "zhang.san", Address: netip.MustParseAddr("10.0.0.8")}) || until(one, who) != 30*time.Second {
			t.Errorf("the fifth locks, from wherever and in whichever case: %s", until(one, who))
		}
		if other := (lockout.Who{Provider: "local", Login: "zhang.san", Address: who.Address}); until(one, other) != 0 {
			t.Error("another provider's account is another account")
		}
		now = now.Add(31 * time.Second)
		if until(two, who) != 0 {
			t.Error("a lock ends")
		}
		if fail(one, who); until(one, who) != time.Minute {
			t.Errorf("the next is twice as long: %s", until(one, who))
		}
		if err := two.Unlock(t.Context(), "ad", "zhang.san"); err != nil {
			t.Fatal(err)
		}
		if until(one, who) != 0 {
			t.Error("an administrator unlocks")
		}
		// An address that guesses many names, in a network that it has to itself.
		for i := range 20 {
			fail(one, lockout.Who{Provider: "ad", Login: fmt.Sprint("guess-", i), Address: netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1))})
		}
		if until(one, lockout.Who{Provider: "ad", Login: "wang.wu", Address: netip.MustParseAddr("2001:db8::ffff")}) == 0 {
			t.Error("a /64 is one address")
		}
		if until(one, lockout.Who{Provider: "ad", Login: "wang.wu", Address: netip.MustParseAddr("2001:db9::1")}) != 0 {
			t.Error("others are others")
		}
		var text string
		rows, err := db.Query(t.Context(), "SELECT what FROM identity_attempts")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var what string
			if err := rows.Scan(&what); err != nil {
				t.Fatal(err)
			}
			text += what + "\n"
		}
		if strings.Contains(text, "guess") || strings.Contains(text, "zhang") {
			t.Errorf("what was typed is not kept: it may be a password:\n%s", text)
		}
	})
}

func TestNoFailureIsLost(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, open func() *database.DB) {
		now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
		db := open()
		counter, err := lockout.New(t.Context(), db, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := counter.Failed(t.Context(), lockout.Who{Provider: "ad", Login: "zhang.san"}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var failures int
		if err := db.QueryRow(t.Context(), "SELECT failures FROM identity_attempts").Scan(&failures); err != nil || failures != 20 {
			t.Errorf("20 at once are 20, got %d %v", failures, err)
		}
	})
}
