// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package obey

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// One environment and one DCN, which two members run together.
const (
	environment = "sit"
	dcn         = "dcn-east"
)

// Images, and the processors that they run on.
const (
	anyImage  = "registry.bank.example/bank/any:v1"
	nextImage = "registry.bank.example/bank/any:v2"
	armImage  = "registry.bank.example/bank/arm:v1"
	bothImage = "registry.bank.example/bank/both:v1"
)

// pool is the hosts of a tenant, which has the pool's name, in members.
type pool struct {
	tenant  string
	members []string
	// racks of each member, with a host of each of these processors.
	racks int
	hosts []string
}

// pools of 4 cores a host, a tenant and a scene each.
var pools = []pool{
	{"apart", []string{"east-1"}, 2, slices.Repeat([]string{"amd64"}, 8)},
	{"mixed", []string{"east-1"}, 2, []string{"amd64", "amd64", "arm64", "arm64", "arm64", "arm64"}},
	{"counts", []string{"east-1", "east-2"}, 1, slices.Repeat([]string{"amd64"}, 6)},
	{"turn", []string{"east-2"}, 1, slices.Repeat([]string{"amd64"}, 10)},
	{"bound", []string{"east-2"}, 1, slices.Repeat([]string{"amd64"}, 6)},
	{"few", []string{"east-2"}, 1, slices.Repeat([]string{"amd64"}, 4)},
}

func (p pool) rack(member string, i int) string {
	return fmt.Sprintf("%s-%s-%c", member, p.tenant, 'a'+i)
}

func (p pool) hostsIn(member string) []stage.Host {
	var out []stage.Host
	if !slices.Contains(p.members, member) {
		return nil
	}
	for r := range p.racks {
		for i, arch := range p.hosts {
			out = append(out, stage.Host{Name: fmt.Sprintf("%s-%d", p.rack(member, r), i), Rack: p.rack(member, r), Arch: arch, CPU: 4, Memory: 16, Instances: 110})
		}
	}
	return out
}

// bank is a hub with a server and two members with Kubernetes' own schedulers.
type bank struct {
	*stage.Fairway
	members []*stage.Member
	watches map[string]*stage.Watch
}

// TestMembersObey places applications through Fairway's API, and has the members' own
// schedulers start them: what the placement promises, they keep. Each scene has a tenant
// and hosts of its own, and all play at once.
func TestMembersObey(t *testing.T) {
	ctrllog.SetLogger(logr.Discard())
	b := open(t)
	t.Run("scenes", func(t *testing.T) {
		for tenant, play := range map[string]func(*scene){"apart": hostsApart, "turn": ruleComes, "mixed": severalProcessors, "counts": clusterCounts, "bound": hostsBounded, "few": tooFewHosts} {
			t.Run(tenant, func(t *testing.T) {
				t.Parallel()
				play(&scene{bank: b, t: t, tenant: tenant})
			})
		}
	})
	if t.Failed() {
		t.Logf("the server's last words:\n%s", b.LastWords(20))
	}
}

// open starts everything, and waits until the pools have the room of their hosts.
func open(t *testing.T) *bank {
	t.Helper()
	b := &bank{watches: map[string]*stage.Watch{}}
	b.Fairway = stage.Open(t, stage.Options{
		Registry: stage.Registry(t, map[string][]string{"bank/any:v1": nil, "bank/any:v2": nil, "bank/arm:v1": {"arm64"}, "bank/both:v1": {"amd64", "arm64"}}),
		Meanwhile: func() {
			names := []string{"east-1", "east-2"}
			clusters := kubetest.StartFleet(t, names, kubetest.WithManifests("config/member"), kubetest.WithControllerManager(), kubetest.WithScheduler(), kubetest.WithSimulator())
			for _, name := range names {
				b.members = append(b.members, &stage.Member{Name: name, Site: "dc-east", Environment: environment, Cluster: clusters[name]})
				b.watches[name] = stage.Follow(t, clusters[name].Config())
			}
		},
	})
	b.describe()
	hosts := 0
	for _, p := range pools {
		hosts += len(p.members) * p.racks * len(p.hosts)
	}
	b.Join(b.members, hosts, func(m *stage.Member) error {
		var all errgroup.Group
		all.SetLimit(4)
		for _, p := range pools {
			for _, h := range p.hostsIn(m.Name) {
				all.Go(func() error { return h.Raise(t.Context(), m.Cluster.Client()) })
			}
		}
		return all.Wait()
	})
	b.Say("two members have joined with %d hosts", hosts)
	return b
}

// describe writes down the bank around the members.
func (b *bank) describe() {
	site := &fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: "dc-east"}, Spec: fleetv1.DataCenterSpec{City: "Shanghai"}}
	b.Make(&tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: environment}, Spec: tenancyv1.EnvironmentSpec{Class: tenancyv1.ClassTest}})
	b.Make(&tenancyv1.SecurityLevel{ObjectMeta: metav1.ObjectMeta{Name: "l2"}, Spec: tenancyv1.SecurityLevelSpec{Rank: 2}})
	b.Make(&tenancyv1.AvailabilityClass{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Spec: tenancyv1.AvailabilityClassSpec{Rank: 1}})
	b.Make(&fleetv1.NetworkZone{ObjectMeta: metav1.ObjectMeta{Name: "business"}, Spec: fleetv1.NetworkZoneSpec{Kind: "Business", AcceptedLevels: []string{"l2"}}})
	for _, p := range pools {
		made := &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: p.tenant}, Spec: fleetv1.PoolSpec{Tenant: p.tenant, SecurityLevel: "l2", Zones: []string{"business"}, HostKind: "Simulated"}}
		for _, m := range p.members {
			of := fleetv1.PoolHosts{Cluster: m}
			for r := range p.racks {
				site.Spec.Racks = append(site.Spec.Racks, fleetv1.Rack{Name: p.rack(m, r)})
			}
			for _, h := range p.hostsIn(m) {
				of.Names = append(of.Names, h.Name)
			}
			made.Spec.Hosts = append(made.Spec.Hosts, of)
		}
		b.Make(made)
		b.Make(&tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: p.tenant}, Spec: tenancyv1.TenantSpec{
			Environments: []string{environment},
			Quotas:       []tenancyv1.Quota{{Environment: environment, Pool: p.tenant, Instances: 1000, CPU: resource.MustParse("1k"), Memory: resource.MustParse("1Ti")}},
		}})
	}
	b.Make(site)
	b.Make(&fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: dcn}, Spec: fleetv1.DCNSpec{DataCenter: site.Name, Environment: environment}})
}

// scene is what one tenant does.
type scene struct {
	*bank
	t      *testing.T
	tenant string
}

func (s *scene) namespace() string { return s.tenant + "-" + environment }

// api is the member's API of that name.
func (s *scene) api(member string) client.Client {
	i := slices.IndexFunc(s.members, func(m *stage.Member) bool { return m.Name == member })
	return s.members[i].Cluster.Client()
}

// component of half a core with so many instances.
func component(name appv1.ComponentName, image string, count int32) appv1.Component {
	return appv1.Component{
		Name: name, Image: image, Zone: "business", Resources: &appv1.Resources{Class: appv1.SizeSmall},
		Ports: []appv1.Port{{Name: "http", Port: 8080}}, User: &appv1.User{UID: ptr.To[int64](65532), GID: ptr.To[int64](65532)},
		Logs: []appv1.Log{{Name: "stdout"}}, UnreachableSeconds: ptr.To[int64](5), Instances: []appv1.InstanceCount{{DCN: dcn, Count: count}},
	}
}

func (s *scene) application(name string, components ...appv1.Component) *appv1.Application {
	return &appv1.Application{
		TypeMeta:   metav1.TypeMeta{APIVersion: appv1.GroupVersion.String(), Kind: "Application"},
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: name},
		Spec: appv1.ApplicationSpec{
			Identity:      appv1.Identity{System: "SC", Code: "SC-001", DisplayName: name, Owner: "team", LegalEntity: "Example Bank"},
			SecurityLevel: "l2", AvailabilityClass: "c", Components: components,
		},
	}
}

// write writes an application through the API, as a person does, and returns its Revision.
func (s *scene) write(a *appv1.Application) string {
	s.t.Helper()
	body, err := stage.BodyOf(a)
	stage.Must(s.t, err)
	there := &appv1.Application{}
	path := "/api/v1/app/applications/" + a.Namespace
	stage.Must(s.t, s.Trying("write "+a.Name, func() error {
		err := s.Own.Get(s.t.Context(), client.ObjectKeyFromObject(a), there)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err != nil {
			return s.Post(path, body, nil)
		}
		_, err = s.API.Do(s.t.Context(), cli.Request{Method: http.MethodPut, Path: path + "/" + a.Name, Body: body, IfMatch: there.ResourceVersion})
		return err
	}))
	stage.Must(s.t, s.Trying("have a revision of "+a.Name, func() error {
		if err := s.Own.Get(s.t.Context(), client.ObjectKeyFromObject(a), there); err != nil {
			return err
		}
		c := meta.FindStatusCondition(there.Status.Conditions, appv1.ConditionRevised)
		if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != there.Generation {
			return fmt.Errorf("conditions: %+v", there.Status.Conditions)
		}
		return nil
	}))
	return there.Status.LatestRevision
}

// ask asks for a Release of a Revision through the API.
func (s *scene) ask(a *appv1.Application, release, revision string) {
	s.t.Helper()
	body, err := stage.BodyOf(&releasev1.Release{
		TypeMeta:   metav1.TypeMeta{APIVersion: releasev1.GroupVersion.String(), Kind: "Release"},
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: release},
		Spec:       releasev1.ReleaseSpec{Application: a.Name, Kind: releasev1.KindDeploy, Revision: revision, Reason: "a test"},
	})
	stage.Must(s.t, err)
	stage.Must(s.t, s.Post("/api/v1/release/releases/"+a.Namespace, body, nil))
}

// serve brings an application into service, and waits until that is complete. Meanwhile it
// looks, as often as it can, whether all is as it should be.
func (s *scene) serve(a *appv1.Application, release string, meanwhile ...func()) *placementv1.Placement {
	s.t.Helper()
	s.ask(a, release, s.write(a))
	r := &releasev1.Release{}
	stage.Must(s.t, s.Trying("complete "+release, func() error {
		for _, look := range meanwhile {
			look()
		}
		if err := s.Own.Get(s.t.Context(), client.ObjectKey{Namespace: a.Namespace, Name: release}, r); err != nil {
			return err
		}
		if r.Status.CompletedAt == nil {
			return fmt.Errorf("%s", words(r.Status.Conditions))
		}
		return nil
	}))
	p := &placementv1.Placement{}
	stage.Must(s.t, s.Own.Get(s.t.Context(), client.ObjectKey{Namespace: a.Namespace, Name: r.Status.Placement}, p))
	return p
}

func words(conditions []metav1.Condition) string {
	out := ""
	for _, c := range conditions {
		out += fmt.Sprintf("%s=%s (%s: %s) ", c.Type, c.Status, c.Reason, c.Message)
	}
	return out
}

// pods of an application's component in a member, those that leave not among them.
func (s *scene) pods(member, application, component string) []*corev1.Pod {
	var out []*corev1.Pod
	for _, p := range s.watches[member].Instances(s.namespace() + "-" + application) {
		if p.Labels[appv1.LabelApplication] == application && p.Labels[appv1.LabelComponent] == component {
			out = append(out, p)
		}
	}
	return out
}

// answer waits until a component has as many instances in a member as are wanted, and each
// has a host and answers.
func (s *scene) answer(member, application, component string, want int) []*corev1.Pod {
	s.t.Helper()
	var out []*corev1.Pod
	stage.Must(s.t, s.Trying(fmt.Sprintf("have %d instances of %s answer in %s", want, component, member), func() error {
		out = s.pods(member, application, component)
		ready := 0
		for _, p := range out {
			for _, c := range p.Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		if len(out) != want || ready != want {
			return fmt.Errorf("%d are there, %d answer", len(out), ready)
		}
		return nil
	}))
	return out
}

// nobodyWaited fails where a member's scheduler ever found no host for one of the tenant's.
func (s *scene) nobodyWaited() {
	s.t.Helper()
	for member, w := range s.watches {
		for _, one := range w.Waited(s.namespace()) {
			s.t.Errorf("%s: %s", member, one)
		}
	}
}

// uids are the pods by who they are.
func uids(pods []*corev1.Pod) map[string]bool {
	out := map[string]bool{}
	for _, p := range pods {
		out[string(p.UID)] = true
	}
	return out
}

// same counts those of one set that are in another.
func same(a, b map[string]bool) (n int) {
	for uid := range a {
		if b[uid] {
			n++
		}
	}
	return n
}

// took is what a scene says of its time.
func took(since time.Time) time.Duration { return time.Since(since).Round(time.Second / 10) }
