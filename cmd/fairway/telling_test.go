// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/placement/inventory/cmdbtest"
	"github.com/fairway-cloud/fairway/internal/placement/profile/measure/prometheustest"
)

const ioHeavy = `apiVersion: placement.fairway.cloud/v1alpha1
kind: TagRule
metadata: {name: told-disk}
spec: {tag: io-heavy, query: 'sum(writes{namespace="$namespace",pod=~"$pods"})', enter: "100", leave: "50", hold: 1s, interval: 15s}
`

// TestTheServerTellsAndAsks runs a server beside a CMDB and a real Prometheus: what is placed
// arrives at the one, and what the other measured in a Profile and in the metrics.
func TestTheServerTellsAndAsks(t *testing.T) {
	cmdb := cmdbtest.New(t, "cmdb", time.Now, nil)
	prometheus := prometheustest.Start(t)
	prometheus.Expose(`writes{namespace="told-prod-mobile-bank",pod="mobile-bank-account-0123abcd-7d8f9-x2x4z"} 500
writes{namespace="told-prod-mobile-bank",pod="mobile-bank-channel-0123abcd-7d8f9-x2x4z"} 5
`)
	metricsAt := freeAddress(t)
	startServer(t, func(b *bench, o *serverOptions) {
		o.cmdbConfig, o.prometheusConfig, o.metricsAddress = cmdb.Config(t), filepath.Join(b.dir, "prometheus.yaml"), metricsAt
		if err := os.WriteFile(o.prometheusConfig, []byte("prometheus:\n- {name: central, url: \""+prometheus.URL+"\"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	system := asSystem(t)
	a := apptest.MobileBank()
	a.Namespace = "told-prod"
	placed := aProposal("told-prod", "mobile-bank-0123456789", time.Now().Add(time.Hour))
	placed.Spec.Application, placed.Spec.Revision, placed.Spec.Cause = a.Name, "mobile-bank-r1", nil
	channel := placed.Spec.Assignments[0]
	channel.Component = "channel"
	placed.Spec.Assignments = append(placed.Spec.Assignments, channel)
	for _, o := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "told-prod"}}, a, placed} {
		if err := system.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	placed.Status.Release = "told-1"
	if err := system.Status().Update(t.Context(), placed); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rule.yaml")
	if err := os.WriteFile(file, []byte(ioHeavy), 0o600); err != nil {
		t.Fatal(err)
	}
	tell(t, []step{{"a platform administrator makes the rule", "apply -f " + file, 0, []string{"tagrule.placement.fairway.cloud/told-disk created"}, nil}})
	t.Cleanup(func() {
		for _, o := range []client.Object{&placementv1.TagRule{ObjectMeta: metav1.ObjectMeta{Name: "told-disk"}}, placed} {
			_ = system.Delete(context.Background(), o)
		}
	})

	told := func() []string {
		var out []string
		for at, i := range cmdb.Instances(t) {
			if strings.HasPrefix(at, "told-prod/") {
				out = append(out, strings.Join([]string{at, i.Cluster, i.Rack, string(i.State)}, " "))
			}
		}
		slices.Sort(out)
		return out
	}
	want := []string{"told-prod/mobile-bank/account-0 east-2 east-b " + string(inventory.Reserved), "told-prod/mobile-bank/channel-0 east-2 east-b " + string(inventory.Reserved)}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && !cmp.Equal(want, told()); <-time.After(100 * time.Millisecond) {
	}
	if diff := cmp.Diff(want, told()); diff != "" {
		t.Errorf("the CMDB is told of what is placed: -want +got\n%s\nrefused: %v", diff, cmdb.Refused())
	}

	var out, errOut string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && !strings.Contains(out, "io-heavy"); <-time.After(200 * time.Millisecond) {
		out, errOut, _ = run(t, "placement", "profile", "mobile-bank", "-n", "told-prod")
	}
	if !strings.Contains(out, "io-heavy") || !strings.Contains(out, "told-disk") || strings.Count(out, "io-heavy") != 1 {
		t.Errorf("what was measured of account, and of channel not, is in the profile: %s %s", out, errOut)
	}
	shown := exposed(t, metricsAt)
	for _, line := range []string{
		`fairway_placement_tag_rule_questions_total{result="answered",rule="told-disk"}`, `fairway_placement_tag_rule_answered_timestamp_seconds{rule="told-disk"}`,
		"fairway_placement_view_known 1", "fairway_placement_view_age_seconds", "fairway_placement_followed_placements", `fairway_placement_machine_imports{state="Stale"} 0`,
	} {
		if !strings.Contains(shown, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	prometheus.Stop()
	if out, _, code := run(t, "placement", "profile", "mobile-bank", "-n", "told-prod"); code != 0 || !strings.Contains(out, "io-heavy") {
		t.Errorf("nobody answers, and what is known holds: %s", out)
	}
}

// exposed are the metrics that a server shows on an address of this machine.
func exposed(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// asSystem writes to the hub as the server does.
func asSystem(t *testing.T) client.Client {
	t.Helper()
	config := rest.CopyConfig(hub.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: "fairway", Groups: []string{"fairway:system", "system:masters"}}
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return made
}
