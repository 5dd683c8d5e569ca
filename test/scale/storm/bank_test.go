// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package storm

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/sandbox/controlplane"
	"github.com/fairway-cloud/fairway/test/scale/stage"
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

// kinds that hub and members hold.
func kinds() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, appv1.AddToScheme, approvalv1.AddToScheme, deliveryv1.AddToScheme,
		fleetv1.AddToScheme, identityv1.AddToScheme, placementv1.AddToScheme, releasev1.AddToScheme, tenancyv1.AddToScheme,
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
	hostCPU      = 4
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

// bank is a hub with "fairway server", and members with Kubernetes' own controllers.
type bank struct {
	*stage.Fairway
	t     *testing.T
	began time.Time
	// hub is Fairway's own account, with which tests describe the bank and look at it.
	hub   client.Client
	sites []*site
	// classes are those of the environments, by name.
	classes map[string]tenancyv1.EnvironmentClass
	// seen is the last record of evidence that was looked at, read how much of the log was.
	seen uint64
	read int64
	// marks is how often the auditor came in to look.
	marks int
}

// open starts a hub and a member for each site, with their hosts, and "fairway server" as an
// installation runs it, with the people of the bank. Environments by name have a class, and
// DCNs a partner. The test goes on beside the others.
func open(t *testing.T, classes map[string]tenancyv1.EnvironmentClass, partners map[string]string, policies []*placementv1.PlacementPolicy, sites ...*site) *bank {
	t.Parallel()
	b := &bank{t: t, began: time.Now(), sites: sites, classes: classes}
	var names []string
	for _, s := range sites {
		names = append(names, s.name)
	}
	var members map[string]*kubetest.Cluster
	b.Fairway = stage.Open(t, stage.Options{
		Hub: []kubetest.Option{kubetest.WithScheme(kinds())}, Registry: stage.Registry(t, map[string][]string{"bank/app:1.0": {"amd64"}}),
		Meanwhile: func() {
			members = kubetest.StartFleet(t, names, kubetest.WithScheme(kinds()), kubetest.WithControllerManager(), kubetest.WithScheduler(), kubetest.WithSimulator(), kubetest.WithManifests("config/member"))
		},
	})
	b.hub = b.Hub.UserClient(t, "fairway", "fairway:system")
	b.describe(partners, policies)
	b.hire()
	for _, s := range sites {
		s.cluster = members[s.name]
		s.api = s.cluster.Client()
		b.raise(s)
		b.join(s)
	}
	b.await("every host is known to the hub as ready", func() string {
		tenant := &tenancyv1.Tenant{}
		if b.must(b.hub.Get(b.t.Context(), client.ObjectKey{Name: "retail"}, tenant)); !meta.IsStatusConditionTrue(tenant.Status.Conditions, "Ready") {
			return "tenant: " + words(tenant.Status.Conditions)
		}
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
func (b *bank) describe(partners map[string]string, policies []*placementv1.PlacementPolicy) {
	b.t.Helper()
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "retail"}, Spec: tenancyv1.TenantSpec{DisplayName: "retail", Roles: roles}}
	b.create(
		&tenancyv1.SecurityLevel{ObjectMeta: metav1.ObjectMeta{Name: "level-2"}, Spec: tenancyv1.SecurityLevelSpec{Rank: 20}},
		&tenancyv1.AvailabilityClass{ObjectMeta: metav1.ObjectMeta{Name: "class-b"}, Spec: tenancyv1.AvailabilityClassSpec{Rank: 10, UnreachableSeconds: 10}},
		&tenancyv1.AvailabilityClass{ObjectMeta: metav1.ObjectMeta{Name: "class-c"}, Spec: tenancyv1.AvailabilityClassSpec{Rank: 5, UnreachableSeconds: 10}},
		&fleetv1.NetworkZone{ObjectMeta: metav1.ObjectMeta{Name: "business"}, Spec: fleetv1.NetworkZoneSpec{Kind: "Business", AcceptedLevels: []string{"level-2"}}},
		policy(),
	)
	for name, class := range b.classes {
		b.create(&tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.EnvironmentSpec{Class: class}})
		tenant.Spec.Environments = append(tenant.Spec.Environments, name)
	}
	centers := map[string]*fleetv1.DataCenter{}
	for _, s := range b.sites {
		center := centers[s.center]
		if center == nil {
			center = &fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: "dc-" + s.center}, Spec: fleetv1.DataCenterSpec{City: "Shanghai"}}
			centers[s.center] = center
			b.create(&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: s.dcn()}, Spec: fleetv1.DCNSpec{DataCenter: center.Name, Environment: s.environment, Partner: partners[s.dcn()]}})
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

// join takes a member into the fleet, as the administrator of the platform does.
func (b *bank) join(s *site) {
	b.t.Helper()
	path := filepath.Join(b.Dir, s.name+".kubeconfig")
	b.must(os.WriteFile(path, s.cluster.UserKubeconfig(b.t, "fairway", "fairway:hub"), 0o600))
	b.does("platform", "cluster", "join", s.name, "--kubeconfig", path, "--data-center", "dc-"+s.center, "--environment", s.environment)
}

// raise makes the hosts of a site.
func (b *bank) raise(s *site) {
	b.t.Helper()
	for r := range racks {
		for i := range hostsPerRack {
			b.must(stage.Host{Name: s.host(r, i), Rack: s.rack(r), CPU: hostCPU, Memory: 64, Instances: 110}.Raise(b.t.Context(), s.api))
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

// run has dev write an application of one service, and ops release it, with so many
// instances in each data centre's DCN. It returns the Release.
func (b *bank) run(name, environment string, instances map[string]int32, change ...func(*appv1.Application)) string {
	b.t.Helper()
	c := appv1.Component{
		Name: "app", Image: "registry.bank.example/bank/app:1.0", Zone: "business", Resources: &appv1.Resources{Class: appv1.SizeXSmall},
		Ports: []appv1.Port{{Name: "http", Port: 8080}}, User: &appv1.User{UID: ptr.To[int64](65532), GID: ptr.To[int64](65532)},
		Logs: []appv1.Log{{Name: "stdout"}}, UnreachableSeconds: ptr.To[int64](10),
		Probes: &appv1.Probes{
			Readiness: &appv1.Probe{HTTP: &appv1.HTTPProbe{Port: "http", Path: "/readyz"}}, Liveness: &appv1.Probe{HTTP: &appv1.HTTPProbe{Port: "http", Path: "/healthz"}},
		},
	}
	for _, center := range slices.Sorted(maps.Keys(instances)) {
		c.Instances = append(c.Instances, appv1.InstanceCount{DCN: "dcn-" + center, Count: instances[center]})
	}
	a := &appv1.Application{
		TypeMeta:   metav1.TypeMeta{APIVersion: appv1.GroupVersion.String(), Kind: "Application"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "retail-" + environment},
		Spec: appv1.ApplicationSpec{
			Identity:      appv1.Identity{System: "SC", Code: "SC-001", DisplayName: name, Owner: "team", LegalEntity: "Example Bank"},
			SecurityLevel: "level-2", AvailabilityClass: "class-b", Components: []appv1.Component{c},
		},
	}
	for _, f := range change {
		f(a)
	}
	body, err := stage.BodyOf(a)
	b.must(err)
	raw, err := json.Marshal(body)
	b.must(err)
	path := filepath.Join(b.Dir, name+".json")
	b.must(os.WriteFile(path, raw, 0o600))
	b.does("dev", "apply", "--wait", "--timeout", "120s", "-f", path)
	return b.release(a.Namespace, name)
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

// create describes the bank; policies of a hub that was set up a moment ago begin to work by
// and by.
func (b *bank) create(objects ...client.Object) {
	b.t.Helper()
	for _, o := range objects {
		b.await(o.GetName()+" is described", func() string {
			if err := b.hub.Create(b.t.Context(), o.DeepCopyObject().(client.Object)); err != nil && !apierrors.IsAlreadyExists(err) {
				return err.Error()
			}
			return ""
		})
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
