// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/keeper"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/release/releasetest"
)

// The fleet: so many hosts of 16 CPU and 64 GiB in each rack, and so on.
const (
	clusters, racks, hosts, pools = 20, 10, 20, 4
	callers                       = 64
	instances                     = 10
	namespace                     = "retail-prod"
)

// TestPlacing places as many applications as FAIRWAY_SCALE_APPLICATIONS says, of ten
// instances each, onto 4,000 hosts of 20 clusters, which are described on a real hub
// (API server and etcd). 64 callers; a client is nowhere throttled. The floor in the same
// run writes the same bytes with the same client and as many callers.
func TestPlacing(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("FAIRWAY_SCALE_APPLICATIONS"))
	if err != nil {
		t.Skip("a measurement: FAIRWAY_SCALE_APPLICATIONS says how many applications")
	}
	hub := kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithScheme(placementtest.Scheme(t)))
	config := hub.Config()
	config.QPS = -1
	direct, err := client.NewWithWatch(config, client.Options{Scheme: placementtest.Scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	describe(t, direct)
	placer := placementtest.Server(t, config)
	revisions := make([]*appv1.Revision, n)
	for i := range revisions {
		revisions[i] = placementtest.Revision(t, fmt.Sprintf("app-%d", i), instances)
	}

	created, placed := make([]time.Time, n), make([]time.Time, n)
	seen := follow(t, direct, placed)
	began := time.Now()
	each(n, func(i int) {
		created[i] = time.Now()
		if err := direct.Create(t.Context(), revisions[i].DeepCopy()); err != nil {
			t.Errorf("could not create a revision: %v", err)
			return
		}
		r := releasetest.New(fmt.Sprintf("release-%d", i), revisions[i].Name, func(r *releasev1.Release) { r.Spec.Application = fmt.Sprintf("app-%d", i) })
		_, err := placer.Place(t.Context(), r, revisions[i])
		for errors.Is(err, keeper.ErrUnknown) { // as a Release tries again
			_, err = placer.Place(t.Context(), r, revisions[i])
		}
		if err != nil {
			t.Errorf("could not place: %v", err)
		}
	})
	took := time.Since(began)
	if t.Failed() {
		return
	}
	<-seen
	waits := make([]time.Duration, n)
	for i := range waits {
		waits[i] = placed[i].Sub(created[i])
	}
	slices.Sort(waits)
	t.Logf("%d applications (%d instances) placed through the hub's API in %s: %.0f applications/s; from create to Placement in use p50 %s, p99 %s",
		n, n*instances, took.Round(time.Millisecond), float64(n)/took.Seconds(), waits[n/2].Round(time.Millisecond), waits[n*99/100].Round(time.Millisecond))
	t.Logf("memory: %s", memory())

	var list placementv1.PlacementList
	if err := direct.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	t.Logf("over-commit: %d racks", overcommitted(list.Items))
	if overcommitted(list.Items) > 0 || len(list.Items) != n {
		t.Errorf("%d placements, want %d, and no rack over-committed", len(list.Items), n)
	}
	floor(t, direct, revisions, list.Items, took)
	t.Logf("load: %s", load())
}

// each does something for each number, so many at a time.
func each(n int, do func(int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range callers {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// describe writes the fleet.
func describe(t *testing.T, hub client.Client) {
	t.Helper()
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "floor-prod"}},
		&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: "dcn-east-1"}, Spec: fleetv1.DCNSpec{DataCenter: "dc-east", Environment: "prod"}},
		&fleetv1.NetworkZone{ObjectMeta: metav1.ObjectMeta{Name: "business"}, Spec: fleetv1.NetworkZoneSpec{Kind: "Business", AcceptedLevels: []string{"level-3"}}},
		&tenancyv1.SecurityLevel{ObjectMeta: metav1.ObjectMeta{Name: "level-3"}, Spec: tenancyv1.SecurityLevelSpec{Rank: 3}},
	}
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "retail"}, Spec: tenancyv1.TenantSpec{Environments: []string{"prod"}}}
	for c := range clusters {
		objects = append(objects, &fleetv1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("c%d", c)}, Spec: fleetv1.ClusterSpec{DataCenter: "dc-east", Environment: "prod"},
			Status: fleetv1.ClusterStatus{PodAdmission: "Policy", Conditions: []metav1.Condition{{Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue, Reason: "Answers", LastTransitionTime: metav1.Now()}}},
		})
	}
	for p := range pools {
		pool := &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pool-%d", p)}, Spec: fleetv1.PoolSpec{Tenant: "retail", SecurityLevel: "level-3", Zones: []string{"business"}}}
		for c := p; c < clusters; c += pools {
			for r := range racks {
				rack := fleetv1.PoolRack{Cluster: fmt.Sprintf("c%d", c), Rack: fmt.Sprintf("c%d-r%d", c, r), Capacity: fleetv1.Resources{
					CPU: *resource.NewQuantity(16*hosts, resource.DecimalSI), Memory: *resource.NewQuantity(hosts<<36, resource.BinarySI), Instances: 110 * hosts,
				}}
				for h := range hosts {
					rack.Hosts = append(rack.Hosts, fmt.Sprintf("c%d-r%d-h%d", c, r, h))
				}
				pool.Status.Racks = append(pool.Status.Racks, rack)
			}
		}
		objects = append(objects, pool)
		tenant.Spec.Quotas = append(tenant.Spec.Quotas, tenancyv1.Quota{Environment: "prod", Pool: pool.Name, Instances: 1 << 30, CPU: resource.MustParse("1M"), Memory: resource.MustParse("1Ei")})
	}
	for _, o := range append(objects, tenant) {
		status, _ := o.DeepCopyObject().(client.Object)
		if err := hub.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		switch o.(type) {
		case *fleetv1.Pool, *fleetv1.Cluster:
			status.SetResourceVersion(o.GetResourceVersion())
			if err := hub.Status().Update(t.Context(), status); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// follow notes when each application's Placement is in use, as anybody who watches the
// hub sees it. The channel is closed when all are.
func follow(t *testing.T, hub client.WithWatch, placed []time.Time) <-chan struct{} {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	done := make(chan struct{})
	left := len(placed)
	note := func(event watch.Event) {
		p, is := event.Object.(*placementv1.Placement)
		if !is || event.Type == watch.Deleted || p.Status.Release == "" {
			return
		}
		if i, err := strconv.Atoi(strings.TrimPrefix(p.Spec.Application, "app-")); err == nil && placed[i].IsZero() {
			placed[i] = time.Now()
			left--
		}
	}
	go func() {
		defer close(done)
		for left > 0 && ctx.Err() == nil { // the hub ends a watch now and then
			w, err := hub.Watch(ctx, &placementv1.PlacementList{})
			if err != nil {
				continue
			}
			for event := range w.ResultChan() {
				if note(event); left == 0 {
					break
				}
			}
			w.Stop()
		}
	}()
	return done
}

// overcommitted counts racks in which more is reserved than there is.
func overcommitted(all []placementv1.Placement) int {
	type room struct{ pool, rack string }
	cpu, memory, number := map[room]int64{}, map[room]int64{}, map[room]int64{}
	over := map[room]bool{}
	for i := range all {
		if !observed.Holds(&all[i], time.Now()) {
			continue
		}
		for _, a := range all[i].Spec.Assignments {
			k, n := room{a.Cell.Pool, a.Cell.Rack}, int64(len(a.Seats))
			cpu[k] += n * a.CPU.MilliValue()
			memory[k] += n * a.Memory.Value()
			number[k] += n
			if cpu[k] > 16000*hosts || memory[k] > hosts<<36 || number[k] > 110*hosts {
				over[k] = true
			}
		}
	}
	return len(over)
}

// floor writes the same objects with nothing decided: each Revision, each Placement, and
// its status.
func floor(t *testing.T, hub client.Client, revisions []*appv1.Revision, all []placementv1.Placement, took time.Duration) {
	began := time.Now()
	each(len(all), func(i int) {
		revision, p := revisions[i].DeepCopy(), all[i].DeepCopy()
		revision.Namespace = "floor-prod"
		p.ObjectMeta = metav1.ObjectMeta{Namespace: "floor-prod", Name: p.Name, Labels: p.Labels}
		status := p.Status
		p.Status = placementv1.PlacementStatus{}
		if err := hub.Create(t.Context(), revision); err != nil {
			t.Error(err)
		}
		if err := hub.Create(t.Context(), p); err != nil {
			t.Error(err)
			return
		}
		before := p.DeepCopy()
		p.Status = status
		if err := hub.Status().Patch(t.Context(), p, client.MergeFrom(before)); err != nil {
			t.Error(err)
		}
	})
	floor := time.Since(began)
	t.Logf("floor, the same three writes each without a decision: %s, %.0f/s; placing took %.2f times as long", floor.Round(time.Millisecond), float64(len(all))/floor.Seconds(), took.Seconds()/floor.Seconds())
}

// memory is what the hub's processes and this one have resident.
func memory() string {
	var out []string
	pids, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range pids {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		pid := filepath.Base(filepath.Dir(path))
		if len(fields) < 2 || fields[1] != strconv.Itoa(os.Getpid()) && pid != strconv.Itoa(os.Getpid()) {
			continue
		}
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		name, size := "", ""
		for line := range strings.Lines(string(status)) {
			if v, is := strings.CutPrefix(line, "Name:"); is {
				name = strings.TrimSpace(v)
			}
			if v, is := strings.CutPrefix(line, "VmRSS:"); is {
				size = strings.Join(strings.Fields(v), " ")
			}
		}
		out = append(out, name+" "+size)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	return strings.TrimSpace(string(text))
}
