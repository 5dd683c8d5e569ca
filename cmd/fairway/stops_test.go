// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// line is the way from the server to its hub, which can be cut.
type line struct {
	address string
	hub     string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// newLine leads to an address.
func newLine(t *testing.T, hub string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{address: listener.Addr().String(), hub: hub, conns: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.Cut(true)
		all.Wait()
	})
	return l
}

func (l *line) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", l.hub)
	if err != nil {
		return
	}
	defer to.Close()
	l.mu.Lock()
	cut := l.cut
	l.conns[from], l.conns[to] = true, true
	l.mu.Unlock()
	if cut {
		return
	}
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}

// Cut takes the hub away, or gives it back.
func (l *line) Cut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for c := range l.conns {
			_ = c.Close()
			delete(l.conns, c)
		}
	}
}

// TestAStopWaitsForTheHub is three in the morning: the hub is away, and somebody stops
// what waits to begin. The stop is taken, outlives the server, and is written before
// any step is taken when the hub is back.
func TestAStopWaitsForTheHub(t *testing.T) {
	if hub == nil {
		t.Skip("no cluster under -short")
	}
	at, err := url.Parse(hub.Config().Host)
	if err != nil {
		t.Fatal(err)
	}
	wire := newLine(t, at.Host)
	var options serverOptions
	b := startServer(t, func(b *bench, o *serverOptions) {
		c := hub.UserConfig(t, "fairway", "fairway:system")
		raw, err := pki.Kubeconfig("hub", "fairway", "https://"+wire.address, c.CAData, pki.Pair{Cert: c.CertData, Key: c.KeyData})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.kubeconfig, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		options = *o
	})
	w := newWall(t, b, "night", []tenancyv1.RoleBinding{
		{Role: tenancyv1.RoleReleaser, Groups: []string{"night-dev", "night-ops"}}, {Role: tenancyv1.RoleViewer, Groups: []string{"night-biz"}},
		{Role: tenancyv1.RoleBusinessApprover, Groups: []string{"night-biz"}}, {Role: tenancyv1.RoleTechnologyApprover, Groups: []string{"night-tech"}},
	}, []approvalv1.ApprovalPolicySpec{{Order: 1, Stages: joint(), Window: &approvalv1.WindowRule{Calendars: []string{"night-shift"}}}}, "dev", "ops", "biz", "tech")
	on := func(words ...string) []string { return append(words, "-n", w.namespace()) }
	w.asks("due")
	w.request("due-1", "Waiting")
	w.must("biz", on("approve", "due-1")...)
	w.must("tech", on("approve", "due-1")...)
	w.request("due-1", "Approved")
	w.holds("its window is closed", "due", "calendar")

	wire.Cut(true)
	for _, given := range []string{"due", "mobile-bank", "nothing-of-that-name"} {
		// The server need not know what there is: the hub says so when it takes the stop.
		if out := w.must("ops", on("release", "stop", given)...); !strings.Contains(out, "the stop is kept") {
			t.Errorf("stopped while the hub is away: %s", out)
		}
	}
	w.refuses("going on is not kept", "the hub does not answer", "ops", on("release", "resume", "due")...)
	// biz may not stop it, and is told when the hub can say so.
	if out := w.must("biz", on("release", "stop", "due")...); !strings.Contains(out, "the stop is kept") {
		t.Errorf("who may stop it is not known now: %s", out)
	}
	// All automation may be stopped, too.
	if out := w.must("ops", "placement", "brake", "set", "--name", "at-night", "--reason", "nobody knows what it does"); !strings.Contains(out, "the brake is kept") {
		t.Errorf("a brake while the hub is away: %s", out)
	}
	if files, _ := filepath.Glob(filepath.Join(options.dataDir, "stops", "*.json")); len(files) != 5 {
		t.Fatalf("four stops and a brake are on the disk: %v", files)
	}

	// The server ends meanwhile, and everything else lets the release begin.
	b.stop()
	<-b.ended // it may complain: its hub is away
	b.ended <- nil
	w.create(&approvalv1.ChangeCalendar{ObjectMeta: metav1.ObjectMeta{Name: "night-shift"}, Spec: approvalv1.ChangeCalendarSpec{
		TimeZone: "UTC", Windows: []approvalv1.ChangeWindow{{Name: "always", From: "00:00", To: "24:00"}},
	}})
	if w.release("due").Spec.Desired == "Stop" {
		t.Fatal("the hub knows nothing of it yet")
	}
	wire.Cut(false)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runServer(ctx, options) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server must stop without an error: %v", err)
		}
	})
	w.eventually("the stop is written", func() error {
		if r := w.release("due"); r.Spec.Desired != "Stop" {
			return fmt.Errorf("desired is %q", r.Spec.Desired)
		}
		return nil
	})
	w.eventually("nothing is kept any more", func() error {
		if files, _ := filepath.Glob(filepath.Join(options.dataDir, "stops", "*")); len(files) != 0 {
			return fmt.Errorf("%v", files)
		}
		return nil
	})
	kinds, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	direct, err := client.New(hub.Config(), client.Options{Scheme: kinds})
	if err != nil {
		t.Fatal(err)
	}
	brake := &placementv1.Brake{}
	if err := direct.Get(t.Context(), client.ObjectKey{Name: "at-night"}, brake); err != nil || brake.Spec.Reason != "nobody knows what it does" || brake.Spec.By != "night-ops" {
		t.Errorf("the brake on the hub is %+v, %v", brake.Spec, err)
	}
	w.holds("stopped before its first step", "due", "stopped")
	story := ""
	w.eventually("the log tells it", func() error {
		out, code := w.fairway("biz", on("audit", "history", "release/due")...)
		story = out
		for _, wanted := range []string{"night-ops stopped release due in night-live: done, kept: the hub does not answer", "night-biz stopped release due in night-live: failed"} {
			if code != 0 || !strings.Contains(out, wanted) {
				return fmt.Errorf("it lacks %q:\n%s", wanted, out)
			}
		}
		return nil
	})
	t.Log(story)
	// It would have begun: whoever lets it go on sees that.
	w.must("ops", on("release", "resume", "due", "--reason", "the hub is back")...)
	w.begins("due")
}
