// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
	"github.com/fairway-cloud/fairway/internal/sandbox/host"
	"github.com/fairway-cloud/fairway/internal/sandbox/network"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// bank opens the example's sandbox over a folder of the test's own, without
// starting anything.
func bank(t *testing.T, options Options) *Sandbox {
	t.Helper()
	content, err := os.ReadFile("../../../examples/bank/sandbox.yaml")
	if err != nil {
		t.Fatal(err)
	}
	options.Folder = state.Folder{Root: t.TempDir(), Name: "bank"}
	if err := options.Folder.Create(content); err != nil {
		t.Fatal(err)
	}
	s, err := open(options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHostShare(t *testing.T) {
	machine := host.Size{MilliCPU: 4000, Memory: 10 << 30}
	cases := map[string]struct {
		reason string
		plan   topology.HostPlan
		want   host.Size
	}{
		"default":  {reason: "memory is split, processors are shared", want: host.Size{MilliCPU: 4000, Memory: 3 << 30}},
		"asked":    {reason: "the topology decides", plan: topology.HostPlan{CPU: "500m", Memory: "1Gi"}, want: host.Size{MilliCPU: 500, Memory: 1 << 30}},
		"too much": {reason: "no host offers more than the machine has", plan: topology.HostPlan{CPU: "64", Memory: "1Ti"}, want: machine},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, hostShare(tc.plan, machine, 2)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCombined(t *testing.T) {
	states := map[string]control.State{
		"a/one": control.Ready, "a/two": control.Ready,
		"b/one": control.Ready, "b/two": control.Failed,
		"ab/one": control.Starting,
	}
	cases := map[string]struct {
		reason string
		want   control.State
	}{
		"a/": {reason: "all its components are ready", want: control.Ready},
		"b/": {reason: "one that failed counts more than one that is ready", want: control.Failed},
		"c/": {reason: "nothing of it runs", want: control.Stopped},
	}
	for prefix, tc := range cases {
		if got := combined(states, prefix); got != tc.want {
			t.Errorf("%s: combined(%q) = %s, want %s", tc.reason, prefix, got, tc.want)
		}
	}
}

func TestThePlanMakesAValidNetwork(t *testing.T) {
	s := bank(t, Options{Missing: Missing{Root: true}})
	config := networkConfig(s.Plan, s.Options.Folder)
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(config.Hosts) != 12 {
		t.Errorf("ten real and two edge hosts have links, got %d", len(config.Hosts))
	}
}

func TestEveryHostIsValid(t *testing.T) {
	s := bank(t, Options{Kubebox: "/kubebox", Missing: Missing{Root: true}})
	s.Options.Folder.Root = "/var/lib/fairway" // the paths of a real one: sockets must fit
	for _, plan := range s.Plan.HostsOf(topology.Real, "") {
		if _, ok := s.Plan.Cluster(plan.Cluster); !ok {
			t.Fatalf("host %q has no cluster", plan.Name)
		}
		h := host.Host{Config: host.Config{
			Sandbox: s.Plan.Sandbox, Name: plan.Name, Dir: s.Options.Folder.Host(plan.Name),
			NetNS: network.NamespacePath(s.Plan.Sandbox, plan.Name), IP: plan.IP, PodCIDR: plan.PodCIDR,
			Kubebox: "/kubebox", PauseImage: PauseImage,
		}}
		if err := h.Validate(); err == nil || !strings.Contains(err.Error(), "authority") {
			t.Errorf("only the authority, which is made at the start, may be missing: %v", err)
		}
	}
}

func TestWithoutRootOnlyLoopbackIsServed(t *testing.T) {
	s := bank(t, Options{Missing: Missing{Root: true}})
	for name, plane := range s.planes {
		if plane.Bind != "127.0.0.1" || !plane.Address.IsLoopback() {
			t.Errorf("cluster %q listens on %s and is reached at %s", name, plane.Bind, plane.Address)
		}
	}
	if s.RealHosts() {
		t.Error("there are no real hosts without root")
	}
	if _, err := s.switchable("east-biz-1"); err == nil || !strings.Contains(err.Error(), "left out") {
		t.Errorf("a host that was left out cannot be switched, got %v", err)
	}
}

func TestSimulatedHostsAreMarked(t *testing.T) {
	node := simulatedNode(topology.HostPlan{Name: "east-sim-01", Rack: "east-b", AvailabilityZone: "az-east", CPU: "8"})
	if node.Labels["fleet.fairway.cloud/simulated"] != "true" || node.Labels["fleet.fairway.cloud/rack"] != "east-b" || node.Labels[corev1.LabelTopologyZone] != "az-east" {
		t.Errorf("labels are %v", node.Labels)
	}
	want := []corev1.Taint{{Key: "fleet.fairway.cloud/simulated", Value: "true", Effect: corev1.TaintEffectNoSchedule}}
	if diff := cmp.Diff(want, node.Spec.Taints); diff != "" {
		t.Errorf("taints (-want +got):\n%s", diff)
	}
	if got := node.Status.Allocatable.Cpu().String() + " " + node.Status.Allocatable.Memory().String(); got != "8 64Gi" {
		t.Errorf("it offers %s", got)
	}
}

func TestStepsKeepTheOrderOfPhases(t *testing.T) {
	nothing := func(context.Context, *Sandbox) error { return nil }
	s := bank(t, Options{Missing: Missing{Root: true}, Steps: []Step{
		{PhaseBank, "applications", nothing}, {PhaseServer, "server", nothing}, {PhaseRegistry, "images", nothing},
	}})
	var got []string
	for _, step := range s.steps() {
		got = append(got, step.Name)
	}
	want := []string{
		"data centres, racks and links", "etcd and API servers", "storage and simulated hosts",
		"registry", "pause image", "images", "kubelets", "metrics", "server", "applications",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestAStepThatFailsIsTheStatus(t *testing.T) {
	s := bank(t, Options{Missing: Missing{Root: true}})
	s.begin(PhaseNetwork, "links")
	s.begin(PhaseControl, "etcd")
	s.finish(errors.New("no room left"))
	status := s.status(false)
	if status.State != control.Failed || status.Message != "no room left" {
		t.Errorf("the sandbox is %s: %q", status.State, status.Message)
	}
	states := []control.State{status.Phases[0].State, status.Phases[1].State}
	if !slices.Equal(states, []control.State{control.Ready, control.Failed}) {
		t.Errorf("the phases are %v", states)
	}
}

func TestSwitchedOffHostsAreRemembered(t *testing.T) {
	s := bank(t, Options{Missing: Missing{Root: true}})
	err := s.remember(func(saved *state.Saved) {
		saved.StoppedHosts, saved.LostSites = []string{"east-biz-1"}, []string{"dc-west"}
	})
	if err != nil {
		t.Fatal(err)
	}
	off, err := s.hostsOff()
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		want   bool
	}{
		"east-biz-1": {reason: "it was stopped", want: true},
		"east-biz-2": {reason: "nobody touched it"},
		"west-biz-1": {reason: "its site is lost", want: true},
	}
	for name, tc := range cases {
		if off[name] != tc.want {
			t.Errorf("%s: %q off = %v", tc.reason, name, off[name])
		}
	}
}

func TestMissingSaysWhatIsLeftOut(t *testing.T) {
	cases := map[string]struct {
		reason  string
		missing Missing
		want    string
		real    bool
	}{
		"nothing": {reason: "a machine that has all", real: true},
		"root":    {reason: "namespaces need root", missing: Missing{Root: true}, want: "not root"},
		"runc":    {reason: "containers need runc", missing: Missing{Programs: []string{"runc"}}, want: "runc: real hosts are left out"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			lines := strings.Join(tc.missing.Lines(), "\n")
			if !strings.Contains(lines, tc.want) || tc.want == "" && lines != "" {
				t.Errorf("%s: it says %q, want %q", tc.reason, lines, tc.want)
			}
			if tc.missing.Containers() == tc.real {
				t.Errorf("%s: real hosts = %v", tc.reason, !tc.missing.Containers())
			}
		})
	}
}
