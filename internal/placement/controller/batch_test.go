// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestNobodyIsDecidedForWhoHasGone: of two that wait while a third one is answered, one goes.
// It is sent away at once, and only the other one is in the next turn. Who goes in the middle
// of the own turn has the answer first.
func TestNobodyIsDecidedForWhoHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue
		next := make(chan struct{})
		var turns [][]string
		answer := func(all []*question) {
			var names []string
			for _, a := range all {
				names = append(names, a.application.Name)
			}
			<-next
			turns = append(turns, names)
		}
		ask := func(ctx context.Context, name string) chan error {
			told := make(chan error, 1)
			go func() {
				a := &question{application: client.ObjectKey{Name: name}, done: make(chan struct{}, 1)}
				q.ask(ctx, a, answer)
				told <- a.err
			}()
			synctest.Wait()
			return told
		}
		ctx, leave := context.WithCancel(t.Context())
		first := ask(ctx, "first")
		goes, stays := ask(ctx, "goes"), ask(t.Context(), "stays")
		leave()
		synctest.Wait()
		select {
		case err := <-goes:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("sent away with %v", err)
			}
		default:
			t.Error("waits for its turn, though it has gone")
		}
		select {
		case err := <-first:
			t.Errorf("has gone with %v while it was decided for", err)
		default:
		}
		next <- struct{}{}
		if err := <-first; err != nil {
			t.Error(err)
		}
		next <- struct{}{}
		if err := <-stays; err != nil {
			t.Error(err)
		}
		if len(turns) != 2 || len(turns[1]) != 1 || turns[1][0] != "stays" {
			t.Errorf("turns: %v", turns)
		}
	})
}

// TestAQuestionOfWhoHasGoneAsksNothing: its turn has come, and it still asks the fleet for nothing.
func TestAQuestionOfWhoHasGoneAsksNothing(t *testing.T) {
	a := &question{application: client.ObjectKey{Name: "pay"}, gone: func() error { return context.Canceled }}
	if _, asks := a.request(nil); asks || !errors.Is(a.err, context.Canceled) {
		t.Errorf("asks: %v, %v", asks, a.err)
	}
}
