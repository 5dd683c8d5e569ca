// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// News of two clusters that come a moment apart are one write of a Release, and steps wait for
// nothing: what is done next is done at once, with whatever words there are.
func TestWordsOfTwoClustersAreOneWrite(t *testing.T) {
	for name, c := range map[string]struct {
		gather time.Duration
		want   int
	}{"each by itself": {0, 2}, "gathered": {500 * time.Millisecond, 1}} {
		t.Run(name, func(t *testing.T) {
			b := newBank(t)
			b.steps.Gather = c.gather
			b.create(releasetest.New("first", b.revise()))
			for range 5 { // until each cluster has its step, and nobody has answered
				b.reconcile()
				b.pass(time.Second)
			}
			all := b.deliveries()
			if len(all) != 2 || b.release("first").Status.StartedAt == nil {
				t.Fatalf("%d deliveries, want one in each of two clusters, and the release begun", len(all))
			}
			before := b.fuse.writes
			for cluster := range all {
				b.tells(cluster, func(d *deliveryv1.Delivery) {
					d.Status.Workloads = []deliveryv1.WorkloadStatus{{Name: d.Spec.Workloads[0].Name, Template: d.Spec.Workloads[0].Template, Instances: 1, Updated: 1}}
				})
				b.reconcile()
			}
			b.pass(c.gather)
			b.reconcile()
			if n := b.fuse.writes - before; n != c.want {
				t.Errorf("%d writes for the news of two clusters, want %d", n, c.want)
			}
			for _, p := range b.release("first").Status.Clusters {
				if p.Updated == 0 {
					t.Errorf("cluster %s: %+v, want what it said", p.Cluster, p)
				}
			}
			b.deliver()
			b.reconcile() // without any time having passed
			for range 20 {
				b.deliver()
				b.reconcile()
			}
			if !release.Finished(b.release("first")) {
				t.Error("the release waits for words")
			}
		})
	}
}

// tells has a member say something of its Delivery.
func (b *bank) tells(cluster string, change func(*deliveryv1.Delivery)) {
	b.t.Helper()
	b.fuse.off = true
	d := b.deliveries()[cluster]
	before := d.DeepCopy()
	change(&d)
	if err := b.hub.Status().Patch(b.t.Context(), &d, client.MergeFrom(before)); err != nil {
		b.t.Fatal(err)
	}
}
