// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package launch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
)

// TestMain lets the test binary be the fairway binary: Up starts it with
// "sandbox run …", and the daemon starts it with "sandbox netpol …".
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "sandbox" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := asBinary(ctx, os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func asBinary(ctx context.Context, command string, args []string) error {
	flags := map[string]string{}
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		flags[name] = value
	}
	folder := state.Folder{Root: flags["state"], Name: flags["name"]}
	if command == "netpol" {
		return daemon.RunPolicyAgent(ctx, folder, flags["cluster"], flags["kubeconfig"])
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return daemon.Run(ctx, daemon.Options{Folder: folder, Kubebox: flags["kubebox"], Self: self, Missing: daemon.Preflight()})
}

const launchTopology = `
apiVersion: sandbox.fairway.cloud/v1alpha1
kind: Sandbox
metadata: {name: launch-test}
spec:
  dataCenters: [{name: dc-east, racks: [east-a]}]
  clusters: [{name: east-1, dataCenter: dc-east}]
  hosts:
    - {name: east-biz-1, kind: real, cluster: east-1, rack: east-a}
    - {name: east-edge-1, kind: edge, rack: east-a}
    - {name: east-sim, kind: simulated, cluster: east-1, rack: east-a, count: 2}
  prometheus: {state: "off"}
`

// traces are what a sandbox could leave on the machine.
func traces(t *testing.T) map[string][]string {
	t.Helper()
	lines := func(name string, args ...string) []string {
		output, _ := exec.Command(name, args...).Output()
		return strings.Split(string(output), "\n")
	}
	mine := func(all []string) []string {
		all = slices.DeleteFunc(all, func(l string) bool { return !strings.Contains(l, "launch-test") })
		slices.Sort(all)
		return all
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/fairway/launch-test*")
	return map[string][]string{
		"namespaces":     mine(lines("ip", "netns")),
		"mounts":         mine(lines("cat", "/proc/mounts")),
		"control groups": groups,
		"processes":      mine(lines("ps", "-eo", "args")),
		"tables":         mine(lines("nft", "list", "tables")),
	}
}

// nodesReady waits until so many nodes of the cluster are ready.
func nodesReady(t *testing.T, folder state.Folder, want int) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", folder.Kubeconfig("east-1"))
	if err != nil {
		t.Fatal(err)
	}
	api, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var ready []string
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		nodes := &corev1.NodeList{}
		if err := api.List(t.Context(), nodes); err != nil {
			continue
		}
		ready = nil
		for _, node := range nodes.Items {
			for _, c := range node.Status.Conditions {
				if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
					ready = append(ready, node.Name)
				}
			}
		}
		if len(ready) == want {
			return
		}
	}
	t.Fatalf("want %d ready nodes, there are %q", want, ready)
}

func components(status *control.Status) map[string]int {
	pids := map[string]int{}
	for _, c := range status.Components {
		pids[c.Name] = c.PID
	}
	return pids
}

func TestUpCrashUpDown(t *testing.T) {
	if testing.Short() {
		t.Skip("a sandbox is left out under -short")
	}
	before := traces(t)
	temporary, err := os.MkdirTemp("", "launch") // t.TempDir would remove what a failed down still needs
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(temporary, "state")
	folder := state.Folder{Root: root, Name: "launch-test"}
	t.Cleanup(func() {
		if err := Down(context.Background(), folder, nil); err != nil {
			t.Error(err)
			return
		}
		_ = os.Remove(temporary)
	})

	began := time.Now()
	options := Options{Topology: []byte(launchTopology), Root: root, Progress: NewProgress(os.Stderr)}
	status, err := Up(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("up after %s", time.Since(began).Round(10*time.Millisecond))
	nodes := 2
	if real := !daemon.Preflight().Containers(); real {
		nodes = 3
	}
	nodesReady(t, folder, nodes)
	first := components(status)

	saved, err := folder.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := saved.Supervisor.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := saved.Supervisor.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, err = Up(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, components(status)); diff != "" {
		t.Errorf("what runs goes on running under the next supervisor (-before +after):\n%s", diff)
	}

	if nodes == 3 {
		api := control.NewClient(folder.Socket())
		if err := api.StopHost(t.Context(), "east-biz-1"); err != nil {
			t.Fatal(err)
		}
		if err := api.StartHost(t.Context(), "east-biz-1"); err != nil {
			t.Fatal(err)
		}
		nodesReady(t, folder, nodes)
		if err := api.StopHost(t.Context(), "east-sim-01"); err == nil || !strings.Contains(err.Error(), "simulated") {
			t.Errorf("a simulated host has no power to lose, got %v", err)
		}
	}

	// Down without a supervisor has to find everything by itself.
	if saved, err = folder.Load(); err != nil {
		t.Fatal(err)
	}
	_ = saved.Supervisor.Signal(syscall.SIGKILL)
	_ = saved.Supervisor.Wait(t.Context())
	began = time.Now()
	if err := Down(t.Context(), folder, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("down after %s", time.Since(began).Round(10*time.Millisecond))
	if diff := cmp.Diff(before, traces(t)); diff != "" {
		t.Errorf("down must leave nothing (-before +after):\n%s", diff)
	}
	if _, err := os.Stat(root); !os.IsNotExist(err) {
		t.Errorf("down must leave no file: %v", err)
	}
}
