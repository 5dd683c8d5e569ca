// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs()))
}

// TestOnAPIServer takes an application through its life on a real API server,
// whose schemas and rules the fake does not know.
func TestOnAPIServer(t *testing.T) {
	if hub == nil {
		t.Skip("without an API server")
	}
	c, err := client.NewWithWatch(hub.Config(), client.Options{Scheme: schemeOf(t)})
	if err != nil {
		t.Fatal(err)
	}
	b := newRealBank(t, c)
	b.finder.seats["account-0"] = release.Instance{Seat: "account-0", Cluster: "east-1", Pod: "account-abc", UID: "u-1"}

	for _, step := range []struct {
		name   string
		change func()
	}{
		{"first", func() { b.create(releasetest.New("first", b.revise())) }},
		{"upgrade", func() {
			b.create(releasetest.New("upgrade", b.revise(changed("account.image=2.0"), changed("ledger.image=2.0"))))
		}},
		{"scale", func() {
			b.create(releasetest.New("scale", b.revise(changed("account.image=2.0"), changed("account.dcn-east-1=3"), changed("channel.dcn-west-1=0"))))
		}},
		{"restart", func() { b.create(releasetest.New("restart", "", releasetest.Restart("account-0"))) }},
		{"back", func() { b.create(releasetest.New("back", b.revise(), releasetest.Rollback)) }},
		{"retire", func() { b.create(releasetest.New("retire", "", releasetest.Retire)) }},
		{"again", func() { b.create(releasetest.New("again", b.revise())) }},
	} {
		step.change()
		b.settle()
		if r := b.release(step.name); !release.Finished(r) {
			t.Fatalf("release %q is not complete: %+v", step.name, r.Status.Conditions)
		}
		b.clean(b.cleanup())
		b.whole()
	}
	if got := b.application().Status; got.ActiveRelease != "" || got.ReleaseSequence != 7 {
		t.Errorf("held by %q at number %d: want nobody, 7", got.ActiveRelease, got.ReleaseSequence)
	}
}
