// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package local_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/local"
)

func offer(amendment string) local.Offer {
	return local.Offer{Name: "wang.fang", Person: "p10001", First: "s1", Second: "s2", Amendment: amendment}
}

func code(t *testing.T, w *world, person string) string {
	t.Helper()
	made, _, err := w.Code(t.Context(), "wang.fang", person)
	if err != nil {
		t.Fatalf("%s: %v", person, err)
	}
	return made
}

// None of the two who agreed gets in with what he was shown, at no time and in no form.
func TestOneOfTwoCodesIsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		refused := func(what, invite string) {
			t.Helper()
			if _, err := w.Accept(t.Context(), invite, password); !errors.Is(err, local.ErrInvite) {
				t.Errorf("%s lets somebody in: %v", what, err)
			}
		}
		if err := w.Open(t.Context(), offer("a1")); err != nil {
			t.Fatal(err)
		}
		refused("nothing", "")
		refused("space", "  ")
		for _, stranger := range []string{"s3", "p10001", ""} {
			if _, _, err := w.Code(t.Context(), "wang.fang", stranger); !errors.Is(err, local.ErrNotYours) {
				t.Errorf("%q gets a code: %v", stranger, err)
			}
		}
		second := code(t, w, "s2")
		refused("the second code before the first is made", second)
		first := code(t, w, "s1")
		refused("the first", first)
		refused("the first twice", first+" "+first)
		refused("the second twice", second+"\n"+second)
		refused("the first and a guess", first+" fwi_guess")
		refused("three", first+" "+second+" "+first)
		if _, _, err := w.Code(t.Context(), "wang.fang", "s1"); !errors.Is(err, local.ErrShown) {
			t.Errorf("a code is shown twice: %v", err)
		}
		if _, err := w.Accept(t.Context(), second+"\n"+first+"\n", "short"); err == nil || errors.Is(err, local.ErrInvite) {
			t.Errorf("a bad password: %v", err)
		}
		account, err := w.Accept(t.Context(), second+"\n"+first+"\n", password)
		if err != nil || account.State != local.Open || account.Person != "p10001" {
			t.Fatalf("both: %+v, %v", account, err)
		}
		refused("both again", first+" "+second)
		if _, _, err := w.Code(t.Context(), "wang.fang", "s1"); !errors.Is(err, local.ErrNotYours) {
			t.Errorf("a code for an account with a password: %v", err)
		}
	})
}

func TestFirstCodeAloneWhileTheSecondIsNotMade(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if err := w.Open(t.Context(), offer("a1")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Accept(t.Context(), code(t, w, "s1"), password); !errors.Is(err, local.ErrInvite) {
			t.Errorf("the proposer alone is let in: %v", err)
		}
	})
}

func TestAnOfferIsMadeOnceAndEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for range 2 {
			if err := w.Open(t.Context(), offer("a1")); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Open(t.Context(), offer("a2")); !errors.Is(err, local.ErrTaken) {
			t.Errorf("another amendment takes the name: %v", err)
		}
		if _, err := w.Accept(t.Context(), code(t, w, "s1")+" "+code(t, w, "s2"), password); err != nil {
			t.Fatal(err)
		}
		// What was done is not done again: the owner's password stays.
		if err := w.Open(t.Context(), offer("a1")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Check(t.Context(), "wang.fang", password, ""); err != nil {
			t.Fatalf("the password is gone: %v", err)
		}
		other := offer("a3")
		other.Person = "p10002"
		if err := w.InviteAgain(t.Context(), other); !errors.Is(err, local.ErrNone) {
			t.Errorf("an account is taken over for another person: %v", err)
		}
		for range 2 {
			if err := w.InviteAgain(t.Context(), offer("a3")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Check(t.Context(), "wang.fang", password, ""); !errors.Is(err, identity.ErrRefused) {
			t.Errorf("the old password still does: %v", err)
		}
		both := code(t, w, "s1") + " " + code(t, w, "s2")
		w.now = w.now.Add(73 * time.Hour)
		if _, err := w.Accept(t.Context(), both, password); !errors.Is(err, local.ErrInvite) {
			t.Errorf("an old offer: %v", err)
		}
		if _, _, err := w.Invite(t.Context(), "wang.fang"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.Code(t.Context(), "wang.fang", "s1"); !errors.Is(err, local.ErrNotYours) {
			t.Errorf("a code of an invitation that a founder has replaced: %v", err)
		}
		for what, bad := range map[string]local.Offer{
			"one person": {Name: "x", Person: "p", First: "s1", Second: "s1", Amendment: "a"}, "nobody": {Name: "x", Person: "p", Amendment: "a"}, "no amendment": {Name: "x", Person: "p", First: "s1", Second: "s2"},
		} {
			if err := w.Open(t.Context(), bad); err == nil {
				t.Errorf("%s: it is offered", what)
			}
		}
	})
}

func TestACodeIsShownToOneRequest(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if err := w.Open(t.Context(), offer("a1")); err != nil {
			t.Fatal(err)
		}
		var shown atomic.Int32
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				if _, _, err := w.Code(t.Context(), "wang.fang", "s1"); err == nil {
					shown.Add(1)
				}
			})
		}
		wait.Wait()
		if shown.Load() != 1 {
			t.Errorf("the code was shown %d times", shown.Load())
		}
	})
}
