// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package beside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/keeper"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// roomy is how the API servers of both are started.
var roomy = []kubetest.Option{kubetest.WithAPIServerEnv("GOMEMLIMIT=8GiB", "GOGC=100")}

// order is what the process that places is told, and reply what it tells.
type order struct {
	Kubeconfig, Reply, Ready string
	Applications, Callers    int
	QPS                      float32
	Burst                    int
}

type reply struct {
	Began, Ended time.Time
	P99          time.Duration
	Refused      int
	CPU          float64
	Memory       int64
	Failed       []string
}

const orderVariable = "FAIRWAY_BESIDE_ORDER"

// fairway has a Placer, in a process of its own as Karmada's scheduler is, place
// applications for Releases on a hub: each is decided, written as a Placement, checked
// beside what others wrote, and marked as used. No Release takes a step: nothing is
// rendered, approved or applied. What is told is from the first question on.
func fairway(t *testing.T, f fleet, n, callers int, th throttle, floor bool) figures {
	t.Helper()
	c := kubetest.Start(t, append([]kubetest.Option{kubetest.WithCRDs(), kubetest.WithScheme(placementtest.Scheme(t))}, roomy...)...)
	for _, o := range f.forFairway() {
		status, _ := o.DeepCopyObject().(client.Object)
		if err := c.Client().Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		switch o.(type) {
		case *fleetv1.Pool, *fleetv1.Cluster:
			status.SetResourceVersion(o.GetResourceVersion())
			if err := c.Client().Status().Update(t.Context(), status); err != nil {
				t.Fatal(err)
			}
		}
	}
	placed := open(t, c, placementv1.GroupVersion.WithKind("PlacementList"), func(o *unstructured.Unstructured) bool {
		return condition(o, placementv1.ConditionReserved) == "True"
	})
	server := cpuOfServers()
	told := place(t, c, order{Applications: n, Callers: callers, QPS: th.qps, Burst: th.burst})
	if len(told.Failed) > 0 {
		t.Fatalf("%d applications were neither placed nor refused, first: %s", len(told.Failed), told.Failed[0])
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := placed.wait(ctx, n-told.Refused); err != nil {
		t.Fatal(err)
	}
	out := figures{asked: n, decided: n - told.Refused, refused: told.Refused, took: placed.last.Sub(told.Began), p99: told.P99, cpu: told.CPU, memory: told.Memory, server: cpuOfServers() - server, bytes: placed.size()}
	var list placementv1.PlacementList
	if err := c.Client().List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != out.decided {
		t.Errorf("%d Placements are there, want %d", len(list.Items), out.decided)
	}
	out.over = homeless(t, f, list.Items)
	if floor {
		out.floor = again(t, c, list.Items, callers)
	}
	return out
}

// place runs the process that places until it tells what came of it.
func place(t *testing.T, c *kubetest.Cluster, o order) reply {
	t.Helper()
	dir := t.TempDir()
	o.Kubeconfig, o.Reply, o.Ready = filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "reply"), filepath.Join(dir, "ready")
	raw, err := json.Marshal(o)
	path := filepath.Join(dir, "order")
	if err := errors.Join(err, os.WriteFile(o.Kubeconfig, c.Kubeconfig(), 0o600), os.WriteFile(path, raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	argv := []string{self, "-test.run=^TestThePlacerItself$", "-test.timeout=30m"}
	if profile := os.Getenv("FAIRWAY_BESIDE_PROFILE"); profile != "" {
		argv = append(argv, "-test.cpuprofile="+profile)
	}
	kubetest.Run(t, supervise.Process{
		Name: "placer", Argv: argv, Env: []string{orderVariable + "=" + path}, LogFile: log,
		Ready: func(context.Context) error { _, err := os.Stat(o.Ready); return err },
	})
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Minute); time.Now().Before(deadline); <-ticker.C {
		var told reply
		if raw, err := os.ReadFile(o.Reply); err == nil && json.Unmarshal(raw, &told) == nil {
			return told
		}
	}
	words, _ := os.ReadFile(log)
	t.Fatalf("the placer says nothing:\n%s", words)
	return reply{}
}

// TestThePlacerItself is the process that places: no test by itself.
func TestThePlacerItself(t *testing.T) {
	if os.Getenv(orderVariable) == "" {
		t.Skip("this is a process that others start")
	}
	var o order
	raw, err := os.ReadFile(os.Getenv(orderVariable))
	if err := errors.Join(err, json.Unmarshal(raw, &o)); err != nil {
		t.Fatal(err)
	}
	ctrllog.SetLogger(logr.Discard())
	kubeconfig, err := os.ReadFile(o.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = o.QPS, o.Burst
	placer := placementtest.Server(t, config)
	revisions := make([]*appv1.Revision, o.Applications)
	for i := range revisions {
		revisions[i] = revision(t, applicationOf(i))
	}
	// Nothing is counted before the fleet is known: of Karmada's scheduler neither.
	known := placer.Keeper.Decide(t.Context(), func(*keeper.View) {})
	if err := errors.Join(known, os.WriteFile(o.Ready, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var took []time.Duration
	told := reply{Began: time.Now()}
	before := usedByMe()
	var all errgroup.Group
	all.SetLimit(o.Callers)
	for _, r := range revisions {
		all.Go(func() error {
			asked := time.Now()
			_, err := placer.Place(t.Context(), releasetest.New("rel-"+r.Spec.Application, r.Name, func(rel *releasev1.Release) { rel.Spec.Application = r.Spec.Application }), r)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(asked))
			switch {
			case release.Refused(err) != nil:
				told.Refused++
			case err != nil:
				told.Failed = append(told.Failed, err.Error())
			}
			return nil
		})
	}
	_ = all.Wait()
	told.Ended, told.P99, told.CPU, told.Memory = time.Now(), quantile(took, 0.99), usedByMe()-before, stage.Process{PID: os.Getpid()}.Resident()
	raw, err = json.Marshal(told)
	if err := errors.Join(err, os.WriteFile(o.Reply+".new", raw, 0o600), os.Rename(o.Reply+".new", o.Reply)); err != nil {
		t.Fatal(err)
	}
}

// usedByMe is how many seconds of CPU this process took.
func usedByMe() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// homeless counts the instances that find no host when all of them come in a random order
// and take any of their hosts that has room, without a word of the scheduler's.
func homeless(t *testing.T, f fleet, all []placementv1.Placement) int {
	t.Helper()
	left := map[string]int64{}
	for c := range clusters {
		for r := range racks {
			for _, h := range f.rack(nameOf(c), r).Hosts {
				left[nameOf(c)+"/"+h] = int64(f.cpu) * 1000
			}
		}
	}
	type seat struct {
		cluster string
		hosts   []string
		cpu     int64
	}
	var seats []seat
	for i := range all {
		count := 0
		for _, a := range all[i].Spec.Assignments {
			count += len(a.Seats)
			for range a.Seats {
				seats = append(seats, seat{a.Cell.Cluster, all[i].Spec.HostsOf(a), a.CPU.MilliValue()})
			}
		}
		if count != instances {
			t.Errorf("Placement %q has %d instances, want %d", all[i].Name, count, instances)
		}
	}
	dice, missed := rand.New(rand.NewPCG(4, 5000)), 0 //nolint:gosec // a test's fixed dice
	for _, i := range dice.Perm(len(seats)) {
		s, found := seats[i], false
		for _, k := range dice.Perm(len(s.hosts)) {
			if host := s.cluster + "/" + s.hosts[k]; left[host] >= s.cpu {
				left[host] -= s.cpu
				found = true
				break
			}
		}
		if !found {
			missed++
		}
	}
	return missed
}

// again writes the same Placements under other names, and their status, with nothing decided.
func again(t *testing.T, c *kubetest.Cluster, all []placementv1.Placement, callers int) time.Duration {
	t.Helper()
	config := c.Config()
	config.QPS, config.Burst = lifted.qps, lifted.burst
	hub, err := client.New(config, client.Options{Scheme: placementtest.Scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var writers errgroup.Group
	writers.SetLimit(callers)
	for i := range all {
		writers.Go(func() error {
			made := &placementv1.Placement{Spec: all[i].Spec}
			made.Namespace, made.Name, made.Labels = namespace, fmt.Sprintf("floor-%05d", i), all[i].Labels
			if err := hub.Create(t.Context(), made); err != nil {
				return err
			}
			before := made.DeepCopy()
			made.Status = all[i].Status
			return hub.Status().Patch(t.Context(), made, client.MergeFrom(before))
		})
	}
	if err := writers.Wait(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}
