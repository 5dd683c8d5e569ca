// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package storm

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	delivery "github.com/fairway-cloud/fairway/internal/delivery/controller"
	fleet "github.com/fairway-cloud/fairway/internal/fleet/controller"
	"github.com/fairway-cloud/fairway/internal/fleet/join"
	placement "github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/keeper"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/members/connections"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
	release "github.com/fairway-cloud/fairway/internal/release/controller"
	"github.com/fairway-cloud/fairway/internal/release/rendering"
	"github.com/fairway-cloud/fairway/internal/sandbox/controlplane"
)

// TestMain has the tests run side by side: each has a bank of its own, and most of the time
// waits for what a member takes its time for.
func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// errorLog is a log of one bank's controllers that counts errors and keeps nothing else.
type errorLog struct {
	mu   sync.Mutex
	said map[string]int
}

// Init implements logr.LogSink.
func (*errorLog) Init(logr.RuntimeInfo) {}

// Enabled implements logr.LogSink.
func (*errorLog) Enabled(int) bool { return false }

// Info implements logr.LogSink.
func (*errorLog) Info(int, string, ...any) {}

// Error implements logr.LogSink.
func (l *errorLog) Error(err error, message string, _ ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said[fmt.Sprintf("%s: %v", message, err)]++
}

// WithValues implements logr.LogSink.
func (l *errorLog) WithValues(...any) logr.LogSink { return l }

// WithName implements logr.LogSink.
func (l *errorLog) WithName(string) logr.LogSink { return l }

// take returns what was said since it was asked last.
func (l *errorLog) take() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.said
	l.said = map[string]int{}
	return out
}

// kinds that hub and members hold.
func kinds() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, appv1.AddToScheme, approvalv1.AddToScheme, deliveryv1.AddToScheme,
		fleetv1.AddToScheme, placementv1.AddToScheme, releasev1.AddToScheme, tenancyv1.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

// Each member has so many racks of so many hosts of 4 CPU, in a pool of its own.
const (
	racks        = 4
	hostsPerRack = 5
	hostCPU      = "4"
)

// site is a member in a data centre, in one environment. Members of one data centre serve
// one DCN together.
type site struct {
	// name of the member, center of its data centre: "east" stands for dc-east and its DCN
	// dcn-east.
	name, center, environment string
	cluster                   *kubetest.Cluster
	api                       client.Client
}

func (s *site) dcn() string             { return "dcn-" + s.center }
func (s *site) rack(i int) string       { return fmt.Sprintf("%s-%c", s.name, 'a'+i) }
func (s *site) host(rack, i int) string { return fmt.Sprintf("%s-%d", s.rack(rack), i) }

// bank is a hub with Fairway's controllers, and members with Kubernetes' own.
type bank struct {
	t     *testing.T
	began time.Time
	hub   client.Client
	sites []*site
	notes *notes
	gate  *gate
	looks *looks
	// faults counts the errors that the controllers log, by what they say.
	faults *errorLog
	// classes are those of the environments, by name.
	classes map[string]tenancyv1.EnvironmentClass
}

// notes is a Recorder that keeps the acts.
type notes struct {
	mu   sync.Mutex
	acts []audit.Act
}

// Intent implements audit.Recorder.
func (n *notes) Intent(_ context.Context, act audit.Act) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.acts = append(n.acts, act)
	return fmt.Sprint(len(n.acts)), nil
}

// Outcome implements audit.Recorder.
func (n *notes) Outcome(context.Context, string, audit.Outcome) error { return nil }

// since lists the acts after the first n.
func (n *notes) since(count int) []audit.Act {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.acts[count:])
}

// gate lets everything pass and keeps what it was asked.
type gate struct {
	mu    sync.Mutex
	asked []approval.Act
}

// Check implements approval.Gate.
func (g *gate) Check(_ context.Context, act approval.Act) (approval.Verdict, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, act)
	return approval.Verdict{Allowed: true, Reason: "allowed in tests"}, nil
}

// looks counts how often Brakes are asked for, as each look at what is lost does.
type looks struct {
	client.Reader
	n atomic.Int64
}

// List implements client.Reader.
func (l *looks) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	if _, brakes := into.(*placementv1.BrakeList); brakes {
		l.n.Add(1)
	}
	return l.Reader.List(ctx, into, opts...)
}

func (g *gate) of(release string) []approval.Act {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []approval.Act
	for _, a := range g.asked {
		if a.Release == release {
			out = append(out, a)
		}
	}
	return out
}

// open starts a hub and a member for each site, with their hosts, and Fairway's
// controllers as the server runs them. Environments by name have a class. The test goes on
// beside the others.
func open(t *testing.T, classes map[string]tenancyv1.EnvironmentClass, policies []*placementv1.PlacementPolicy, sites ...*site) *bank {
	t.Parallel()
	b := &bank{t: t, began: time.Now(), sites: sites, notes: &notes{}, gate: &gate{}, looks: &looks{}, faults: &errorLog{said: map[string]int{}}, classes: classes}
	var names []string
	for _, s := range sites {
		names = append(names, s.name)
	}
	hub := kubetest.Start(t, kubetest.WithCRDs(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(kinds()))
	members := kubetest.StartFleet(t, names, kubetest.WithScheme(kinds()), kubetest.WithControllerManager(), kubetest.WithScheduler(), kubetest.WithSimulator())
	b.hub = hub.Client()
	b.describe(policies)
	accounts := map[string][]byte{}
	for _, s := range sites {
		s.cluster = members[s.name]
		s.api = s.cluster.Client()
		accounts[s.name] = account(t, s.cluster)
		b.raise(s)
	}
	b.serve(hub)
	for _, s := range sites {
		_, err := join.Joiner{Person: b.hub, System: b.hub, Loopback: true}.Join(t.Context(), join.Request{
			Name: s.name, Kubeconfig: accounts[s.name], DataCenter: "dc-" + s.center, Environment: s.environment,
		})
		b.must(err)
	}
	b.await("every host is known to the hub as ready", func() string {
		for _, s := range sites {
			pool := &fleetv1.Pool{}
			b.must(b.hub.Get(t.Context(), client.ObjectKey{Name: s.name}, pool))
			if pool.Status.Hosts.Ready != racks*hostsPerRack || !meta.IsStatusConditionTrue(pool.Status.Conditions, fleetv1.ConditionReady) {
				return fmt.Sprintf("pool %s: %d hosts ready, %+v", s.name, pool.Status.Hosts.Ready, pool.Status.Conditions)
			}
			c := b.clusterOf(s)
			if int(c.Status.Hosts.Ready) != racks*hostsPerRack || !meta.IsStatusConditionTrue(c.Status.Conditions, fleetv1.ConditionReady) {
				return fmt.Sprintf("cluster %s: %d hosts ready, %+v", s.name, c.Status.Hosts.Ready, c.Status.Conditions)
			}
		}
		return ""
	})
	b.say("%d members with %d hosts each stand", len(sites), racks*hostsPerRack)
	return b
}

// describe writes down the bank around its members.
func (b *bank) describe(policies []*placementv1.PlacementPolicy) {
	b.t.Helper()
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "retail"}, Spec: tenancyv1.TenantSpec{DisplayName: "retail"}}
	b.create(
		&tenancyv1.SecurityLevel{ObjectMeta: metav1.ObjectMeta{Name: "level-2"}, Spec: tenancyv1.SecurityLevelSpec{Rank: 20}},
		&fleetv1.NetworkZone{ObjectMeta: metav1.ObjectMeta{Name: "business"}, Spec: fleetv1.NetworkZoneSpec{Kind: "Business", AcceptedLevels: []string{"level-2"}}},
	)
	for name, class := range b.classes {
		b.create(
			&tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.EnvironmentSpec{Class: class}},
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-" + name}},
		)
		tenant.Spec.Environments = append(tenant.Spec.Environments, name)
	}
	centers := map[string]*fleetv1.DataCenter{}
	for _, s := range b.sites {
		center := centers[s.center]
		if center == nil {
			center = &fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: "dc-" + s.center}, Spec: fleetv1.DataCenterSpec{City: "Shanghai"}}
			centers[s.center] = center
			b.create(&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: s.dcn()}, Spec: fleetv1.DCNSpec{DataCenter: center.Name, Environment: s.environment}})
		}
		pool := &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: s.name}, Spec: fleetv1.PoolSpec{
			Tenant: "retail", SecurityLevel: "level-2", Zones: []string{"business"}, HostKind: "Simulated", Hosts: []fleetv1.PoolHosts{{Cluster: s.name}},
		}}
		for r := range racks {
			center.Spec.Racks = append(center.Spec.Racks, fleetv1.Rack{Name: s.rack(r)})
			for i := range hostsPerRack {
				pool.Spec.Hosts[0].Names = append(pool.Spec.Hosts[0].Names, s.host(r, i))
			}
		}
		tenant.Spec.Quotas = append(tenant.Spec.Quotas, tenancyv1.Quota{Environment: s.environment, Pool: pool.Name, Instances: 1000, CPU: resource.MustParse("1k"), Memory: resource.MustParse("1Ti")})
		b.create(pool)
	}
	b.create(tenant)
	for _, c := range centers {
		b.create(c)
	}
	for _, p := range policies {
		b.create(p)
	}
}

// account makes Fairway's account in a member and returns its kubeconfig.
func account(t *testing.T, member *kubetest.Cluster) []byte {
	t.Helper()
	member.Apply(t, "config/member")
	return member.UserKubeconfig(t, "fairway", "fairway:hub")
}

// raise makes the hosts of a site.
func (b *bank) raise(s *site) {
	b.t.Helper()
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(hostCPU), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("110")}
	for r := range racks {
		for i := range hostsPerRack {
			node := &corev1.Node{
				ObjectMeta: metav1.ObjectMeta{Name: s.host(r, i), Labels: map[string]string{
					corev1.LabelHostname: s.host(r, i), corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
					fleetv1.LabelRack: s.rack(r), fleetv1.LabelSimulated: "true", controlplane.LabelSilent: "true",
				}, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"}},
				Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: fleetv1.LabelSimulated, Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
			}
			b.must(s.api.Create(b.t.Context(), node))
			b.resize(s, node.Name, room) // before it says by itself what it offers
			b.silence(s, false, node.Name)
		}
	}
}

// resize changes what a host offers.
func (b *bank) resize(s *site, host string, room corev1.ResourceList) {
	b.t.Helper()
	node := &corev1.Node{}
	b.must(s.api.Get(b.t.Context(), client.ObjectKey{Name: host}, node))
	before := node.DeepCopy()
	node.Status.Capacity, node.Status.Allocatable = room, room
	node.Status.NodeInfo = corev1.NodeSystemInfo{Architecture: "amd64", OperatingSystem: "linux", KubeletVersion: "simulated"}
	b.must(s.api.Status().Patch(b.t.Context(), node, client.StrategicMergeFrom(before)))
}

// serve runs Fairway's controllers with the account and the rights of the server.
func (b *bank) serve(hub *kubetest.Cluster) {
	b.t.Helper()
	config := hub.UserConfig(b.t, "fairway", "fairway:system")
	config.QPS, config.Burst = 500, 1000
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: kinds(), Metrics: metricsserver.Options{BindAddress: "0"}, Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
		Logger: logr.New(b.faults),
	})
	b.must(err)
	links := connections.New(connections.Options{
		Fence: memberstest.Open{}, Loopback: true, Interval: time.Second / 2, Timeout: 5 * time.Second, Failures: 4, MinBackoff: time.Second / 5, MaxBackoff: time.Second,
	})
	b.must(mgr.Add(links))
	b.must(errors.Join(fields.Add(b.t.Context(), mgr.GetFieldIndexer()), rendering.Index(b.t.Context(), mgr.GetFieldIndexer())))
	b.must(fleet.Setup(mgr, fleet.Options{Connections: links, Gate: b.gate, Recorder: b.notes}))
	own, direct, now := mgr.GetClient(), mgr.GetAPIReader(), clock.RealClock{}
	b.looks.Reader = direct
	k := keeper.New(own, direct, now)
	b.must(k.Follow(mgr))
	events := mgr.GetEventRecorder("fairway-placement")
	b.must((&placement.Expiry{Hub: own, Clock: now, Events: events}).SetupWithManager(mgr))
	b.must((&placement.Lost{Hub: own, Direct: b.looks, Clock: now, Fence: memberstest.Open{}, Keeper: k, Recorder: b.notes, Events: events}).SetupWithManager(mgr))
	b.must((&placement.Waiting{Hub: own, Direct: direct, Recorder: b.notes, Clock: now, Events: events}).SetupWithManager(mgr))
	b.must((&release.Reconciler{
		Hub: own, Direct: direct, Placer: &placement.Placer{Hub: own, Direct: direct, Clock: now, Keeper: k, Fence: memberstest.Open{}},
		Renderer: &rendering.Renderer{Hub: own, Members: links}, Instances: &release.Finder{Hub: own, Members: links},
		Gate: b.gate, Brakes: &placement.Brakes{Direct: direct}, Recorder: b.notes, Clock: now, Events: mgr.GetEventRecorder("fairway-release"),
	}).SetupWithManager(mgr))
	b.must((&delivery.Reconciler{
		Hub: own, Renderings: direct, Members: links, Fence: memberstest.Open{}, Epoch: func() int64 { return 1 },
		Gate: b.gate, Recorder: b.notes, Events: mgr.GetEventRecorder("fairway-delivery"),
	}).SetupWithManager(mgr))
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			b.t.Errorf("the controllers stopped: %v", err)
		}
	})
	b.t.Cleanup(func() { stop(); done.Wait() })
}

// run has an application of one service run, with so many instances in each data centre's
// DCN, by a Release that a person starts.
func (b *bank) run(name, environment string, instances map[string]int32) {
	b.t.Helper()
	c := appv1.Component{
		Name: "app", Image: "registry.bank:5000/app:1.0", Zone: "business", Resources: &appv1.Resources{Class: appv1.SizeXSmall},
		Ports: []appv1.Port{{Name: "http", Port: 8080}}, User: &appv1.User{UID: ptr.To[int64](65532), GID: ptr.To[int64](65532)},
		Logs: []appv1.Log{{Name: "stdout"}}, UnreachableSeconds: ptr.To[int64](10),
	}
	for _, center := range slices.Sorted(maps.Keys(instances)) {
		c.Instances = append(c.Instances, appv1.InstanceCount{DCN: "dcn-" + center, Count: instances[center]})
	}
	around := app.World{
		Now: time.Now(), Tenant: "retail", Environment: environment, EnvironmentClass: app.EnvironmentClass(b.classes[environment]),
		Levels:  []app.Level{{Name: "level-2", Rank: 20, PodSecurity: "baseline"}},
		Classes: []app.Class{{Name: "class-b", Rank: 10, MinimumInstances: 1, MinimumDataCenters: 1, UnreachableSeconds: 10}},
		Zones:   []app.Zone{{Name: "business", Accepts: []string{"level-2"}}},
	}
	for _, s := range b.sites {
		if slices.ContainsFunc(around.DCNs, func(d app.DCN) bool { return d.Name == s.dcn() }) {
			continue
		}
		around.DCNs = append(around.DCNs, app.DCN{Name: s.dcn(), DataCenter: "dc-" + s.center, Environment: s.environment})
		around.Sites = append(around.Sites, app.Site{Name: "dc-" + s.center, City: "Shanghai"})
	}
	a := &appv1.Application{
		TypeMeta:   metav1.TypeMeta{APIVersion: appv1.GroupVersion.String(), Kind: "Application"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "retail-" + environment},
		Spec: appv1.ApplicationSpec{
			Identity: appv1.Identity{System: "SC", Code: "SC-001", DisplayName: name, Owner: "team"}, SecurityLevel: "level-2", AvailabilityClass: "class-b",
			Components: []appv1.Component{c},
		},
	}
	frozen, err := app.Freeze(a, map[string]string{c.Image: "sha256:0000000000000000000000000000000000000000000000000000000000000001"}, around)
	b.must(err)
	revision := &appv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: app.RevisionName(name, frozen.Digest)},
		Spec:       appv1.RevisionSpec{Application: name, Content: frozen.Text, Digest: frozen.Digest, Makers: []string{"zhang.wei"}},
	}
	b.create(a, revision)
	b.release(a.Namespace, name, name+"-first", func(r *releasev1.Release) { r.Spec.Revision = revision.Name })
}

// release starts a Release of an application's revision in service as a person does.
func (b *bank) release(namespace, application, name string, change func(*releasev1.Release)) {
	b.t.Helper()
	a := &appv1.Application{}
	b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: namespace, Name: application}, a))
	r := &releasev1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{appv1.LabelApplication: application}},
		Spec: releasev1.ReleaseSpec{
			Application: application, Kind: releasev1.KindDeploy, Revision: a.Status.ReleasedRevision, Reason: "a test", Requester: "li.na", Desired: "Run",
		},
	}
	change(r)
	b.create(r)
}

// completed waits until Releases are complete and their applications handed back.
func (b *bank) completed(namespace string, names ...string) {
	b.t.Helper()
	b.await(fmt.Sprintf("releases %v are complete", names), func() string {
		for _, name := range names {
			r := &releasev1.Release{}
			b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, r))
			a := &appv1.Application{}
			b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Namespace: namespace, Name: r.Spec.Application}, a))
			if r.Status.CompletedAt == nil || a.Status.ActiveRelease != "" {
				return fmt.Sprintf("release %s: %s", name, words(r.Status.Conditions))
			}
		}
		return ""
	})
}

func words(conditions []metav1.Condition) string {
	out := ""
	for _, c := range conditions {
		out += fmt.Sprintf("%s=%s (%s: %s) ", c.Type, c.Status, c.Reason, c.Message)
	}
	return out
}

// silence has hosts say nothing any more, or speak again.
func (b *bank) silence(s *site, silent bool, hosts ...string) {
	b.t.Helper()
	value := "null"
	if silent {
		value = `"true"`
	}
	for _, name := range hosts {
		patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%s}}}`, controlplane.LabelSilent, value)
		b.must(s.api.Patch(b.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, client.RawPatch("application/merge-patch+json", []byte(patch))))
	}
}

// pods of an environment's applications in a member.
func (b *bank) pods(s *site) []corev1.Pod {
	b.t.Helper()
	list := &corev1.PodList{}
	b.must(s.api.List(b.t.Context(), list, client.MatchingLabels{appv1.LabelManagedBy: appv1.ManagedBy}))
	return list.Items
}

// sat is who a pod is, and on which host.
type sat struct {
	uid, host string
	restarts  int32
}

func seats(pods []corev1.Pod) map[string]sat {
	out := map[string]sat{}
	for i := range pods {
		p := &pods[i]
		one := sat{uid: string(p.UID), host: p.Spec.NodeName}
		for _, c := range p.Status.ContainerStatuses {
			one.restarts += c.RestartCount
		}
		out[p.Namespace+"/"+p.Name] = one
	}
	return out
}

func (b *bank) clusterOf(s *site) *fleetv1.Cluster {
	b.t.Helper()
	c := &fleetv1.Cluster{}
	b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Name: s.name}, c))
	return c
}

func list[L client.ObjectList](b *bank, into L) L {
	b.t.Helper()
	b.must(b.hub.List(b.t.Context(), into))
	return into
}

// proposals that hold room and that no Release uses.
func (b *bank) proposals() []placementv1.Placement {
	b.t.Helper()
	return slices.DeleteFunc(list(b, &placementv1.PlacementList{}).Items, func(p placementv1.Placement) bool {
		return p.Spec.Cause == nil || p.Status.Release != "" || meta.IsStatusConditionFalse(p.Status.Conditions, placementv1.ConditionReserved)
	})
}

func (b *bank) create(objects ...client.Object) {
	b.t.Helper()
	for _, o := range objects {
		b.must(b.hub.Create(b.t.Context(), o))
	}
}

func (b *bank) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bank) say(format string, args ...any) {
	b.t.Helper()
	b.t.Logf("%6s  %s", time.Since(b.began).Round(time.Second/10), fmt.Sprintf(format, args...))
}

// await asks until it is told that nothing is missing. The limit is far beyond what it
// takes: a machine may be busy with something else.
func (b *bank) await(what string, missing func() string) {
	b.t.Helper()
	ticker := time.NewTicker(time.Second / 4)
	defer ticker.Stop()
	for end := time.Now().Add(3 * time.Minute); ; {
		lacks := missing()
		if lacks == "" {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain: %s: %s", what, lacks)
		}
		select {
		case <-b.t.Context().Done():
			b.t.Fatal(b.t.Context().Err())
		case <-ticker.C:
		}
	}
}
