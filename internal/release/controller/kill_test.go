// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// TestKilled ends the process at every write of a life of an application, before
// and after the write reached the hub, starts another, and wants what an
// undisturbed life brings about: the same state, each Release complete, no gap in
// the numbers, and never an instance fewer than both sides of a change ask for.
func TestKilled(t *testing.T) {
	steps := []struct {
		name    string
		prepare func(b *bank)
		act     func(b *bank)
		least   map[string]int32
	}{
		{
			name: "first deployment",
			act:  func(b *bank) { b.create(releasetest.New("one", b.revise())) },
		},
		{
			name:    "upgrade of one component",
			prepare: func(b *bank) { b.create(releasetest.New("one", b.revise())) },
			act:     func(b *bank) { b.create(releasetest.New("two", b.revise(changed("account.image=2.0")))) },
			least:   map[string]int32{"account in dcn-east-1": 2, "account in dcn-west-1": 2, "channel in dcn-east-1": 2, "ledger in dcn-west-1": 2},
		},
		{
			name:    "scaling both ways, and a component that goes",
			prepare: func(b *bank) { b.create(releasetest.New("one", b.revise())) },
			act: func(b *bank) {
				b.create(releasetest.New("two", b.revise(changed("account.dcn-east-1=4"), changed("channel.dcn-west-1=1"), changed("-ledger"))))
			},
			least: map[string]int32{"account in dcn-east-1": 2, "channel in dcn-west-1": 1},
		},
		{
			name:    "restart",
			prepare: func(b *bank) { b.create(releasetest.New("one", b.revise())) },
			act: func(b *bank) {
				b.finder.seats["account-0"] = release.Instance{Seat: "account-0", Cluster: "east-1", Pod: "a", UID: "ua"}
				b.finder.seats["account-1"] = release.Instance{Seat: "account-1", Cluster: "east-1", Pod: "b", UID: "ub"}
				b.create(releasetest.New("two", "", releasetest.Restart("account-0", "account-1")))
			},
		},
		{
			name:    "retirement",
			prepare: func(b *bank) { b.create(releasetest.New("one", b.revise())) },
			act:     func(b *bank) { b.create(releasetest.New("two", "", releasetest.Retire)) },
		},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			want := live(t, step.prepare, step.act, 0, false)
			for _, after := range []bool{false, true} {
				for at := 1; ; at++ {
					got := live(t, step.prepare, step.act, at, after)
					if !got.killed {
						break
					}
					if diff := cmp.Diff(want.picture, got.picture); diff != "" {
						t.Errorf("killed at write %d (after it: %v): another end (-want +got):\n%s", at, after, diff)
					}
					for key, least := range step.least {
						if got.lowest[key] < least {
							t.Errorf("killed at write %d (after it: %v): only %d instances of %s answered, at least %d must", at, after, got.lowest[key], key, least)
						}
					}
				}
			}
		})
	}
}

type life struct {
	picture []string
	lowest  map[string]int32
	killed  bool
}

func live(t *testing.T, prepare, act func(*bank), at int, after bool) life {
	t.Helper()
	b := newBank(t)
	if prepare != nil {
		prepare(b)
		b.settle()
	}
	b.watch()
	act(b)
	b.fuse.writes, b.fuse.at, b.fuse.after = 0, at, after
	b.settle()
	killed := b.fuse.blown
	if killed {
		b.start()
		b.settle()
	}
	out := life{picture: b.picture(), lowest: b.lowest, killed: killed}
	for _, name := range []string{"one", "two"} {
		if name == "two" && prepare == nil {
			continue
		}
		r := b.release(name)
		out.picture = append(out.picture, fmt.Sprintf("%s: number %d, complete %v", name, r.Status.Sequence, release.Finished(r)))
	}
	return out
}

func changed(change string) apptest.Option { return (&story{}).change(change) }
