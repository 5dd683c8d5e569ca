// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package keeper

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"k8s.io/utils/clock"
)

// TestNobodyWaitsInVain: who waits for the fleet to be known while the server stops is sent
// away at once, whatever the patience, so that the server stops.
func TestNobodyWaitsInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(nil, nil, clock.RealClock{})
		k.following = true
		f := &follower{Keeper: k}
		f.begin()
		answer := make(chan error)
		go func() {
			answer <- k.Decide(context.WithoutCancel(t.Context()), func(*View) { t.Error("decided on what nobody knows") })
		}()
		synctest.Wait()
		select {
		case err := <-answer:
			t.Fatalf("did not wait: %v", err)
		default:
		}
		f.forget()
		synctest.Wait()
		select {
		case err := <-answer:
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("sent away with %v", err)
			}
		default:
			t.Error("still waits, though nobody follows any more")
			<-answer
		}
	})
}

// TestNothingIsDecidedForWhoHasGone: a caller that goes while others are decided for is not
// decided for.
func TestNothingIsDecidedForWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(nil, nil, clock.RealClock{})
		k.following, k.known = true, true
		others := make(chan struct{})
		go func() {
			if err := k.Decide(t.Context(), func(*View) { <-others }); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		answer := make(chan error)
		go func() {
			answer <- k.Decide(ctx, func(*View) { t.Error("decided for who has gone") })
		}()
		leave()
		close(others)
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Errorf("sent away with %v", err)
		}
	})
}
