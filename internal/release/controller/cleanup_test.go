// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/release/controller"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// lives through so many upgrades.
func (b *bank) lives(upgrades int) {
	b.t.Helper()
	for n := range upgrades {
		b.create(releasetest.New(fmt.Sprint("r", n+1), b.revise(changed(fmt.Sprintf("account.image=%d.0", n+1)))))
		b.settle()
	}
}

func (b *bank) cleanup() *controller.Cleanup {
	return &controller.Cleanup{Hub: b.hub, Direct: b.hub, Gate: b.gate, Recorder: b.journal}
}

func (b *bank) clean(c *controller.Cleanup) {
	b.t.Helper()
	for range 10 {
		result, err := c.Reconcile(b.t.Context(), b.application())
		if err != nil {
			b.t.Fatal(err)
		}
		if result.RequeueAfter == 0 {
			return
		}
	}
	b.t.Fatal("the clean-up never comes to rest")
}

func (b *bank) renderings() map[string]bool {
	b.t.Helper()
	var list deliveryv1.RenderingList
	if err := b.hub.List(b.t.Context(), &list); err != nil {
		b.t.Fatal(err)
	}
	out := map[string]bool{}
	for _, r := range list.Items {
		out[r.Namespace+"/"+r.Name] = true
	}
	return out
}

func (b *bank) placements() []placementv1.Placement {
	b.t.Helper()
	var list placementv1.PlacementList
	if err := b.hub.List(b.t.Context(), &list); err != nil {
		b.t.Fatal(err)
	}
	return list.Items
}

// whole fails if a Delivery names a rendering that is not there.
func (b *bank) whole() {
	b.t.Helper()
	there := b.renderings()
	for cluster, d := range b.deliveries() {
		for _, w := range d.Spec.Workloads {
			if !there["fairway-cluster-"+cluster+"/"+w.Rendering.Name] {
				b.t.Errorf("rendering %q of what runs in %s was removed", w.Rendering.Name, cluster)
			}
		}
		for _, s := range d.Spec.Shared {
			if !there["fairway-cluster-"+cluster+"/"+s.Name] {
				b.t.Errorf("rendering %q of what runs in %s was removed", s.Name, cluster)
			}
		}
	}
}

func TestCleanupIsBounded(t *testing.T) {
	b := newBank(t)
	b.lives(13)
	foreign := &deliveryv1.Rendering{Spec: deliveryv1.RenderingSpec{Content: "[]", Digest: "sha256:0"}}
	foreign.Namespace, foreign.Name = "fairway-cluster-east-1", "cards-prod-mobile-bank-0123456789abcdef"
	foreign.Labels = map[string]string{"app.fairway.cloud/application": "mobile-bank"}
	b.create(foreign)
	before := len(b.renderings())
	acts := len(b.journal.acts)

	b.clean(b.cleanup())
	b.whole()
	left := b.renderings()
	if !left["fairway-cluster-east-1/cards-prod-mobile-bank-0123456789abcdef"] {
		t.Error("the rendering of another tenant's application of the same name was removed")
	}
	// Each upgrade left one workload of account in each of two clusters. The plan of r4 also names what it took out.
	if got := before - len(left); got != 4 {
		t.Errorf("%d renderings were removed, want 4: those of r1 and r2", got)
	}
	want, got := map[string]bool{}, map[string]bool{}
	for n := 4; n <= 13; n++ {
		want[b.release(fmt.Sprint("r", n)).Status.Placement] = true
	}
	for _, p := range b.placements() {
		got[p.Name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the placements of the last ten Releases are left: -want, +got:\n%s", diff)
	}
	if got := len(b.journal.acts) - acts; got != 1 || b.journal.acts[acts].Verb != "release.cleanup" || len(b.journal.open) != 0 {
		t.Errorf("%d acts were recorded, want one with its outcome", got)
	}

	b.clean(b.cleanup())
	if len(b.renderings()) != len(left) || len(b.journal.acts) != acts+1 {
		t.Error("a clean application costs no act")
	}
	b.create(releasetest.New("back", b.revise(changed("account.image=1.0")), releasetest.Rollback))
	b.settle()
	b.whole()
	if got := b.application().Status.ReleasedRevision; got != b.release("back").Spec.Revision {
		t.Errorf("revision %q is in service: what was removed must be rendered again", got)
	}
}

func TestCleanupKeepsItsHandsOff(t *testing.T) {
	for reason, hold := range map[string]func(b *bank, c *controller.Cleanup){
		"a Release holds the application": func(b *bank, _ *controller.Cleanup) {
			b.members["east-1"].Away = true
			b.create(releasetest.New("going", b.revise(changed("channel.image=9.0"))))
			b.settle()
		},
		"the gate refuses":         func(b *bank, _ *controller.Cleanup) { b.gate.refuse = "not now" },
		"the evidence log is away": func(b *bank, _ *controller.Cleanup) { b.journal.away = true },
		"a plan cannot be read": func(b *bank, _ *controller.Cleanup) {
			r := b.release("r12")
			r.Status.Plan += " "
			if err := b.hub.Status().Update(b.t.Context(), r); err != nil {
				b.t.Fatal(err)
			}
		},
		"releases are not all known": func(b *bank, _ *controller.Cleanup) {
			if err := b.hub.Delete(b.t.Context(), b.release("r13")); err != nil {
				b.t.Fatal(err)
			}
		},
	} {
		t.Run(reason, func(t *testing.T) {
			b := newBank(t)
			b.lives(13)
			c := b.cleanup()
			hold(b, c)
			renderings, placements := len(b.renderings()), len(b.placements())
			_, _ = c.Reconcile(t.Context(), b.application())
			if len(b.renderings()) != renderings || len(b.placements()) != placements {
				t.Errorf("%s, and yet %d renderings and %d placements went", reason, renderings-len(b.renderings()), placements-len(b.placements()))
			}
		})
	}
}

// beforeDelete does something before each delete.
type beforeDelete struct {
	client.Client
	do func()
}

func (c beforeDelete) Delete(ctx context.Context, o client.Object, options ...client.DeleteOption) error {
	c.do()
	return c.Client.Delete(ctx, o, options...)
}

// TestCleanupAgainstAReleaseThatReturns: while the clean-up decides, a Release takes old
// renderings up again, and completes.
func TestCleanupAgainstAReleaseThatReturns(t *testing.T) {
	b := newBank(t)
	b.lives(13)
	c := b.cleanup()
	returned := false
	c.Hub = beforeDelete{Client: b.hub, do: func() {
		if !returned {
			returned = true
			b.create(releasetest.New("back", b.revise(changed("account.image=1.0")), releasetest.Rollback))
			b.settle()
		}
	}}
	if _, err := c.Reconcile(t.Context(), b.application()); err != nil {
		t.Fatal(err)
	}
	if !returned {
		t.Fatal("nothing was to be removed")
	}
	b.whole()
	for _, p := range b.placements() {
		if p.Name == b.release("back").Status.Placement {
			return
		}
	}
	t.Error("the placement in force was removed")
}
