// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/sandbox/controlplane"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// scene is two members, what Fairway knows of them, and what it has placed.
type scene struct {
	t       *testing.T
	began   time.Time
	chance  *rand.Rand
	layout  layout
	members []*member
	// world is what the hub would hold, fleet what the scheduler has made of it.
	world  observed.World
	fleet  *placement.Fleet
	policy placement.Policy
	// tenants by name, contents by application as frozen.
	tenants      map[string]*tenancyv1.Tenant
	number       int
	placed       int
	applications map[string]int
	refused      map[string]int
}

type member struct {
	name, site, dcn string
	cluster         *kubetest.Cluster
	api             client.Client
	served          app.Served
	watch           *stage.Watch
}

// furnish gives the members their hosts and node agents, and has the fleet look at them.
func furnish(t *testing.T, l layout, clusters map[string]*kubetest.Cluster) *scene {
	t.Helper()
	s := &scene{t: t, began: time.Now(), chance: chance(), layout: l, applications: map[string]int{}, refused: map[string]int{}}
	for _, where := range []string{"east", "west"} {
		c := clusters[where+"-1"]
		m := &member{name: c.Name, site: "dc-" + where, dcn: "dcn-" + where + "-1", cluster: c, api: c.Client(), served: serves(t, c.Config())}
		m.watch = stage.Follow(t, c.Config())
		s.members = append(s.members, m)
		for _, agent := range agents() {
			if err := m.api.Create(t.Context(), agent); err != nil {
				t.Fatal(err)
			}
		}
		if err := raise(t.Context(), m.api, s.hostsOf(m)); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range s.members {
		want := s.hosts()/2 + s.hosts()/4 // one agent on each host, another on each second
		s.await(10*time.Minute, func() string {
			pods := &corev1.PodList{}
			if err := m.api.List(t.Context(), pods, client.InNamespace("kube-system")); err != nil {
				return err.Error()
			}
			bound := 0
			for i := range pods.Items {
				if pods.Items[i].Spec.NodeName != "" {
					bound++
				}
			}
			if bound < want {
				return fmt.Sprintf("%d of %d node agents have their host in %s", bound, want, m.name)
			}
			hosts, _ := s.seen(m)
			for _, of := range hosts {
				for _, h := range of {
					if !h.TakesInstances() {
						return fmt.Sprintf("host %q takes no instances yet", h.Name)
					}
				}
			}
			return ""
		})
	}
	s.describe()
	s.look()
	s.fleet = placement.Open(s.world.Snapshot(time.Now()))
	var err error
	if s.policy, _, err = s.world.Policy("prod"); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) hosts() int {
	racks := 0
	for _, p := range s.layout.pools {
		racks += p.racks
	}
	return 2 * racks * s.layout.hosts
}

func rackName(m *member, p pool, i int) string { return fmt.Sprintf("%s-%s-%d", m.name, p.name, i) }

func (s *scene) hostsOf(m *member) []*corev1.Node {
	var out []*corev1.Node
	for _, p := range s.layout.pools {
		for i := range p.racks {
			for k := range s.layout.hosts {
				out = append(out, host(fmt.Sprintf("%s-%02d", rackName(m, p, i), k), p.name, rackName(m, p, i), p.cores, k%2 == 1))
			}
		}
	}
	return out
}

// describe writes down the bank around the hosts as the hub would hold it.
func (s *scene) describe() {
	w := &s.world
	s.tenants = map[string]*tenancyv1.Tenant{}
	w.Environments.Items = []tenancyv1.Environment{{ObjectMeta: metav1.ObjectMeta{Name: "prod"}, Spec: tenancyv1.EnvironmentSpec{Class: tenancyv1.ClassProduction}}}
	w.Levels.Items = []tenancyv1.SecurityLevel{{ObjectMeta: metav1.ObjectMeta{Name: "level-2"}}}
	w.Zones.Items = []fleetv1.NetworkZone{{ObjectMeta: metav1.ObjectMeta{Name: "business"}, Spec: fleetv1.NetworkZoneSpec{AcceptedLevels: []string{"level-2"}}}}
	for _, m := range s.members {
		site := fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: m.site}}
		for _, rack := range s.racks(m) {
			site.Spec.Racks = append(site.Spec.Racks, fleetv1.Rack{Name: rack, AvailabilityZone: m.site + "-a"})
		}
		w.Sites.Items = append(w.Sites.Items, site)
		w.DCNs.Items = append(w.DCNs.Items, fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: m.dcn}, Spec: fleetv1.DCNSpec{DataCenter: m.site, Environment: "prod"}})
		w.Clusters.Items = append(w.Clusters.Items, fleetv1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Name: m.name}, Spec: fleetv1.ClusterSpec{DataCenter: m.site, Environment: "prod"},
			Status: fleetv1.ClusterStatus{PodAdmission: "Policy", Conditions: []metav1.Condition{{Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue}}},
		})
	}
	for _, p := range s.layout.pools {
		made := fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: p.name}, Spec: fleetv1.PoolSpec{Tenant: p.tenant, SecurityLevel: "level-2", Zones: []string{"business"}, HostKind: "Simulated"}}
		if p.oneSize() {
			made.Spec.Sizes = []string{string(p.sizes[0])}
		}
		w.Pools.Items = append(w.Pools.Items, made)
		if s.tenants[p.tenant] == nil {
			s.tenants[p.tenant] = &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: p.tenant}}
		}
		spec := &s.tenants[p.tenant].Spec
		spec.Quotas = append(spec.Quotas, tenancyv1.Quota{Environment: "prod", Pool: p.name, Instances: 1 << 20, CPU: resource.MustParse("1M"), Memory: resource.MustParse("1Pi")})
	}
}

func (s *scene) racks(m *member) []string {
	var out []string
	for _, p := range s.layout.pools {
		for i := range p.racks {
			out = append(out, rackName(m, p, i))
		}
	}
	return out
}

// look has the fleet's own reading of hosts and pods renew what is known of the pools.
func (s *scene) look() {
	s.t.Helper()
	for i := range s.world.Pools.Items {
		s.world.Pools.Items[i].Status.Racks = nil
	}
	for _, m := range s.members {
		hosts, pods := s.seen(m)
		for i := range s.world.Pools.Items {
			p := &s.world.Pools.Items[i]
			room := fleet.RoomOf(m.name, p.Name, hosts[p.Name], pods, s.racks(m))
			p.Status.Racks = append(p.Status.Racks, room.Racks...)
		}
	}
	if s.fleet != nil {
		for _, p := range s.world.Snapshot(time.Now()).Pools {
			s.fleet.SetPool(p)
		}
	}
}

// seen are a member's hosts by pool, and its pods.
func (s *scene) seen(m *member) (map[string][]fleet.Host, []fleet.Pod) {
	s.t.Helper()
	nodes, list := &corev1.NodeList{}, &corev1.PodList{}
	if err := m.api.List(s.t.Context(), nodes); err != nil {
		s.t.Fatal(err)
	}
	if err := m.api.List(s.t.Context(), list); err != nil {
		s.t.Fatal(err)
	}
	hosts := map[string][]fleet.Host{}
	for i := range nodes.Items {
		h := fleet.HostOf(&nodes.Items[i])
		hosts[h.Pool] = append(hosts[h.Pool], h)
	}
	var pods []fleet.Pod
	for i := range list.Items {
		if p, takes := fleet.PodOf(&list.Items[i]); takes {
			pods = append(pods, p)
		}
	}
	return hosts, pods
}

// application is one component with so many instances in east and west.
func (s *scene) application(p pool, class appv1.SizingClass, east, west int) *appv1.Application {
	s.number++
	c := appv1.Component{
		Name: "app", Image: "registry.bank:5000/app:1.0", Zone: "business", Resources: &appv1.Resources{Class: class},
		Ports: []appv1.Port{{Name: "http", Port: 8080}}, User: &appv1.User{UID: ptr.To[int64](65532), GID: ptr.To[int64](65532)},
		Logs: []appv1.Log{{Name: "stdout"}}, UnreachableSeconds: ptr.To[int64](10),
		Instances: []appv1.InstanceCount{{DCN: s.members[0].dcn, Count: int32(east)}, {DCN: s.members[1].dcn, Count: int32(west)}}, //nolint:gosec // small
	}
	if p.apart > 0 && s.chance.IntN(p.apart) == 0 {
		c.MaxPerHost = ptr.To[int32](1)
	}
	return &appv1.Application{
		TypeMeta:   metav1.TypeMeta{APIVersion: appv1.GroupVersion.String(), Kind: "Application"},
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("app-%04d", s.number), Namespace: p.tenant + "-prod"},
		Spec: appv1.ApplicationSpec{
			Identity: appv1.Identity{System: "SC", Code: "SC-001", DisplayName: "scale", Owner: "team"}, SecurityLevel: "level-2", AvailabilityClass: "class-b",
			Components: []appv1.Component{c},
		},
	}
}

// freeze makes what a Revision of the application would hold.
func (s *scene) freeze(a *appv1.Application) app.Content {
	s.t.Helper()
	tenant, _, _ := app.SplitNamespace(a.Namespace)
	around := app.World{
		Now: s.began, Tenant: tenant, Environment: "prod", EnvironmentClass: app.Production,
		Levels:  []app.Level{{Name: "level-2", Rank: 20, PodSecurity: "baseline"}},
		Classes: []app.Class{{Name: "class-b", Rank: 10, MinimumInstances: 1, MinimumDataCenters: 1, UnreachableSeconds: 10}},
		Zones:   []app.Zone{{Name: "business", Accepts: []string{"level-2"}}},
	}
	for _, m := range s.members {
		around.DCNs = append(around.DCNs, app.DCN{Name: m.dcn, DataCenter: m.site, Environment: "prod"})
		around.Sites = append(around.Sites, app.Site{Name: m.site, City: m.site})
	}
	frozen, err := app.Freeze(a, map[string]string{a.Spec.Components[0].Image: "sha256:0000000000000000000000000000000000000000000000000000000000000001"}, around)
	if err != nil {
		s.t.Fatal(err)
	}
	return frozen.Content
}

func (s *scene) request(a *appv1.Application) placement.Request {
	s.t.Helper()
	tenant, _, _ := app.SplitNamespace(a.Namespace)
	return observed.RequestOf(s.freeze(a), a.Namespace+"/"+a.Name, s.tenants[tenant], s.pools(), nil)
}

// pools are what a request needs to know of them.
func (s *scene) pools() []placement.Pool {
	var out []placement.Pool
	for _, p := range s.layout.pools {
		out = append(out, placement.Pool{Name: p.name, Tenants: []string{p.tenant}, Kind: placement.SimulatedHosts})
	}
	return out
}

// apply keeps the decision as a Placement, renders it for each member, and applies that.
func (s *scene) apply(a *appv1.Application, request placement.Request, decision placement.Decision) {
	s.t.Helper()
	tenant, _, _ := app.SplitNamespace(a.Namespace)
	made := placementv1.Placement{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}, Spec: placementv1.PlacementSpec{Application: a.Name}}
	made.Status.Release = a.Name
	used := map[string]bool{}
	content := s.freeze(a)
	group, ctx := errgroup.WithContext(s.t.Context())
	for _, m := range s.members {
		in := app.Input{Content: content, Cluster: m.name, DataCenter: m.site, Zones: []app.Zone{{Name: "business", Accepts: []string{"level-2"}}}}
		seats := map[string]int{}
		for _, x := range decision.Assignments {
			if x.Cell.Cluster != m.name || len(x.Seats) == 0 {
				continue
			}
			cell := placementv1.Cell(x.Cell)
			in.Assignments = append(in.Assignments, app.Assignment{Component: appv1.ComponentName(x.Component), Cell: cell, Block: x.Block, Simulated: true})
			seats[cell.Key()] = len(x.Seats)
			s.placed += len(x.Seats)
			used[x.Cell.Pool] = true
			made.Spec.Assignments = append(made.Spec.Assignments, placementv1.Assignment{
				Component: x.Component, Template: x.Template, Cell: cell, Block: x.Block, Seats: x.Seats, Hosts: x.Hosts,
				CPU: *resource.NewMilliQuantity(x.Size.CPU, resource.DecimalSI), Memory: *resource.NewQuantity(x.Size.Memory, resource.BinarySI),
				MaxPerHost: x.MaxPerHost,
			})
		}
		if len(in.Assignments) == 0 {
			continue
		}
		out, err := app.Render(in, m.served)
		if err != nil {
			s.t.Fatal(err)
		}
		if refusals := out.Refusals(); len(refusals) > 0 {
			s.t.Fatal(refusals)
		}
		group.Go(func() error { return deliver(ctx, m.api, out, seats) })
	}
	if err := group.Wait(); err != nil {
		s.t.Fatalf("could not deliver %q: %v", request.Application, err)
	}
	s.world.Placements.Items = append(s.world.Placements.Items, made)
	for name := range used {
		s.count(tenant, name)
	}
}

// count counts an application of a pool, which has to be its tenant's own.
func (s *scene) count(tenant, name string) {
	if !slices.ContainsFunc(s.layout.pools, func(p pool) bool { return p.name == name && p.tenant == tenant }) {
		s.t.Fatalf("tenant %q has instances in pool %q, which is not its own", tenant, name)
	}
	s.applications[name]++
}

// deliver applies what was rendered, each workload with as many instances as it has seats.
func deliver(ctx context.Context, api client.Client, out app.Output, seats map[string]int) error {
	all := slices.Clone(out.Shared)
	for _, w := range out.Workloads {
		for i, o := range w.Objects {
			if i == len(w.Objects)-1 {
				if err := unstructured.SetNestedField(o.Object, int64(seats[w.Cell.Key()]), "spec", "replicas"); err != nil {
					return err
				}
			}
			all = append(all, o)
		}
	}
	for i := range all {
		err := api.Apply(ctx, client.ApplyConfigurationFromUnstructured(&all[i]), client.FieldOwner("fairway"), client.ForceOwnership)
		if err != nil && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}

// loseOnePerRoom takes one host of each pool and rack away, as a loss of power does: it
// says nothing any more.
func (s *scene) loseOnePerRoom() map[*member][]string {
	s.t.Helper()
	lost := map[*member][]string{}
	for _, m := range s.members {
		for _, p := range s.layout.pools {
			for i := range p.racks {
				name := fmt.Sprintf("%s-%02d", rackName(m, p, i), s.chance.IntN(s.layout.hosts))
				node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
				patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:"true"}}}`, controlplane.LabelSilent)
				if err := m.api.Patch(s.t.Context(), node, client.RawPatch(types.MergePatchType, patch)); err != nil {
					s.t.Fatal(err)
				}
				lost[m] = append(lost[m], name)
			}
		}
	}
	return lost
}

// awaitLost waits until the members themselves say that the hosts do not answer.
func (s *scene) awaitLost(lost map[*member][]string) {
	s.t.Helper()
	s.await(5*time.Minute, func() string {
		for m, names := range lost {
			hosts, _ := s.seen(m)
			for _, of := range hosts {
				for _, h := range of {
					if h.Ready && slices.Contains(names, h.Name) {
						return fmt.Sprintf("host %q is still ready", h.Name)
					}
				}
			}
		}
		return ""
	})
}

// settle waits until all that was placed has a host in its member, and not a lost one.
func (s *scene) settle(lost map[*member][]string) {
	s.t.Helper()
	s.await(10*time.Minute, func() string {
		all, bound := s.instances()
		if all != s.placed || bound != s.placed {
			return fmt.Sprintf("%d of %d instances that were placed are there, %d of them have a host", all, s.placed, bound)
		}
		for _, m := range s.members {
			for _, pod := range m.watch.Instances("") {
				if slices.Contains(lost[m], pod.Spec.NodeName) {
					return fmt.Sprintf("instance %q sits on lost host %q", pod.Name, pod.Spec.NodeName)
				}
			}
		}
		return ""
	})
}

func (s *scene) instances() (all, bound int) {
	for _, m := range s.members {
		for _, pod := range m.watch.Instances("") {
			all++
			if pod.Spec.NodeName != "" {
				bound++
			}
		}
	}
	return all, bound
}

func (s *scene) waited() int {
	n := 0
	for _, m := range s.members {
		n += len(m.watch.Waited(""))
	}
	return n
}

func (s *scene) sample() {
	s.t.Helper()
	all, bound := s.instances()
	s.say("%d instances placed, %d there, %d have a host, %d have ever waited for room", s.placed, all, bound, s.waited())
}

// fill is how full a pool is.
type fill struct {
	hosts, instances   int
	share, besideSpare float64
}

// share of a pool's CPU that is held, as placed.
func (s *scene) share(p pool) float64 { return s.filled(p).share }

func (s *scene) filled(p pool) fill {
	var out fill
	var room, spare, held int64
	for i := range s.world.Pools.Items {
		of := &s.world.Pools.Items[i]
		if of.Name != p.name {
			continue
		}
		for _, rack := range of.Status.Racks {
			var largest int64
			for _, h := range rack.Room {
				room += h.CPU.MilliValue()
				largest = max(largest, h.CPU.MilliValue())
			}
			spare += largest
			out.hosts += len(rack.Hosts)
		}
	}
	for i := range s.world.Placements.Items {
		for _, a := range s.world.Placements.Items[i].Spec.Assignments {
			if a.Cell.Pool == p.name {
				held += a.CPU.MilliValue() * int64(len(a.Seats))
				out.instances += len(a.Seats)
			}
		}
	}
	out.share, out.besideSpare = float64(held)/float64(room), float64(held)/float64(room-spare)
	return out
}

// sameAfterRestart opens the fleet anew from Placements and what was observed: it decides
// as the one that has followed since the beginning.
func (s *scene) sameAfterRestart() {
	s.t.Helper()
	again := placement.Open(s.world.Snapshot(time.Now()))
	for _, p := range s.layout.pools {
		for _, class := range p.sizes {
			request := s.request(s.application(p, class, 1, 1))
			was := s.fleet.Place([]placement.Request{request}, s.policy)[0]
			is := again.Place([]placement.Request{request}, s.policy)[0]
			if diff := cmp.Diff(was, is); diff != "" {
				s.t.Errorf("a restarted scheduler decides otherwise (-before +after):\n%s", diff)
			}
		}
	}
}

// await asks until it is told that nothing is missing.
func (s *scene) await(most time.Duration, missing func() string) {
	s.t.Helper()
	ticker := time.NewTicker(time.Second / 2)
	defer ticker.Stop()
	told := time.Now()
	for end := told.Add(most); ; {
		what := missing()
		if what == "" {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("after %s: %s", most, what)
		}
		if time.Since(told) > 10*time.Second {
			s.say("%s", what)
			told = time.Now()
		}
		select {
		case <-s.t.Context().Done():
			s.t.Fatal(s.t.Context().Err())
		case <-ticker.C:
		}
	}
}
