// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package beside

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// karmadaBox is Karmada's scheduler, built, and its kinds.
type karmadaBox struct {
	scheduler string
	kinds     []*unstructured.Unstructured
}

// build builds Karmada's scheduler and reads its kinds, both from its module.
func build(t *testing.T) karmadaBox {
	t.Helper()
	root, err := manifests.Root()
	if err != nil {
		t.Fatal(err)
	}
	box := karmadaBox{scheduler: filepath.Join(t.TempDir(), "karmabox")}
	run := func(args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = filepath.Join(root, "karmabox")
		command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		command.Stderr = os.Stderr
		out, err := command.Output()
		if err != nil {
			t.Fatalf("could not run go %q in karmabox: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	run("build", "-buildvcs=false", "-o", box.scheduler, ".")
	module := run("list", "-m", "-f", "{{.Dir}}", "github.com/karmada-io/karmada")
	for _, path := range []string{filepath.Join(module, "charts/karmada/_crds/bases/work"), "testdata/cluster.yaml"} {
		kinds, err := manifests.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		box.kinds = append(box.kinds, kinds...)
	}
	return box
}

// karmada has Karmada's scheduler bind resources that wait for it when it starts. What is
// told is from its first binding to its last.
func karmada(t *testing.T, box karmadaBox, f fleet, n int, th throttle) figures {
	t.Helper()
	c := kubetest.Start(t, roomy...)
	if err := manifests.Apply(t.Context(), c.Client(), box.kinds); err != nil {
		t.Fatal(err)
	}
	hub, err := client.New(c.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range f.forKarmada() {
		if err := hub.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	var all errgroup.Group
	all.SetLimit(8)
	for i := range n {
		all.Go(func() error { return hub.Create(t.Context(), binding(i)) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	bound := open(t, c, schema.GroupVersionKind{Group: "work.karmada.io", Version: "v1alpha2", Kind: "ResourceBindingList"}, func(o *unstructured.Unstructured) bool {
		return condition(o, "Scheduled") != ""
	})
	server := cpuOfServers()
	scheduler := start(t, box, c, th)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	if err := bound.wait(ctx, n); err != nil {
		t.Fatal(err)
	}
	decider, _ := stage.ProcessOf(scheduler.PID())
	out := figures{asked: n, took: bound.last.Sub(bound.first), cpu: decider.CPU, memory: decider.Resident(), server: cpuOfServers() - server, bytes: bound.size()}
	of := map[string]int{}
	for _, o := range bound.done {
		given, _, _ := unstructured.NestedSlice(o.Object, "spec", "clusters")
		if condition(o, "Scheduled") != "True" || len(given) == 0 {
			out.refused++
			continue
		}
		out.decided++
		for _, g := range given {
			if g, is := g.(map[string]any); is {
				cluster, _ := g["name"].(string)
				replicas, _ := g["replicas"].(int64)
				of[cluster] += int(replicas)
			}
		}
	}
	for _, held := range of {
		out.over += max(0, held-f.holds()/clusters)
	}
	return out
}

// start runs Karmada's scheduler as a process of its own, with the flags that it has by
// default, the throttle aside.
func start(t *testing.T, box karmadaBox, c *kubetest.Cluster, th throttle) *kubetest.Child {
	t.Helper()
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, c.Kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return kubetest.Run(t, supervise.Process{
		Name: "karmada-scheduler", LogFile: filepath.Join(dir, "log"),
		Argv: []string{
			box.scheduler, "--kubeconfig=" + kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=" + address,
			fmt.Sprintf("--kube-api-qps=%v", th.qps), fmt.Sprintf("--kube-api-burst=%d", th.burst),
		},
		Ready: func(ctx context.Context) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				return fmt.Errorf("it answers %s", response.Status)
			}
			return nil
		},
	})
}
