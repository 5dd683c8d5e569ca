// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/fleet/join"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/members/connections"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
)

// running starts the controllers on a hub.
func running(t *testing.T, hub *kubetest.Cluster) *notes {
	t.Helper()
	skip := true
	// With the server's own account, which may do what config/rbac says.
	mgr, err := ctrl.NewManager(hub.UserConfig(t, "fairway", "fairway:system"), ctrl.Options{
		Scheme: hubScheme(), Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: &skip},
	})
	if err != nil {
		t.Fatal(err)
	}
	keeper := connections.New(connections.Options{
		Fence: memberstest.Open{}, Loopback: true,
		Interval: 200 * time.Millisecond, Timeout: time.Second, Failures: 2, MinBackoff: 100 * time.Millisecond, MaxBackoff: 500 * time.Millisecond,
	})
	if err := mgr.Add(keeper); err != nil {
		t.Fatal(err)
	}
	written := &notes{}
	if err := Setup(mgr, Options{Connections: keeper, Gate: approval.Unrestricted{}, Recorder: written}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return written
}

func condition(conditions []metav1.Condition, kind string, status metav1.ConditionStatus, reason string) error {
	found := meta.FindStatusCondition(conditions, kind)
	if found == nil || found.Status != status || reason != "" && found.Reason != reason {
		return fmt.Errorf("condition %s is %+v, want %s %s", kind, found, status, reason)
	}
	return nil
}

func host(name, rack string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"fleet.fairway.cloud/rack": rack}},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("100")},
			Allocatable: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("100"),
			},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
}

func TestFleetOnRealServers(t *testing.T) {
	fleet := kubetest.StartFleet(t, []string{"hub", "east-1", "west-1"}, kubetest.WithCRDsOn("hub"), kubetest.WithScheme(hubScheme()),
		kubetest.WithManifests("config/rbac"), kubetest.WithAdmission())
	hub, east, west := fleet["hub"].Client(), fleet["east-1"].Client(), fleet["west-1"].Client()
	ctx, whole := t.Context(), t
	make := func(c client.Client, objects ...client.Object) {
		t.Helper()
		for _, object := range objects {
			if err := c.Create(ctx, object); err != nil {
				t.Fatal(err)
			}
		}
	}
	make(hub,
		&fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: "dc-east"}, Spec: fleetv1.DataCenterSpec{City: "Shanghai", Racks: []fleetv1.Rack{{Name: "east-a"}}}},
		&fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: "dc-west"}, Spec: fleetv1.DataCenterSpec{City: "Shanghai", Racks: []fleetv1.Rack{{Name: "west-a"}}}},
		&tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "prod"}, Spec: tenancyv1.EnvironmentSpec{Class: tenancyv1.ClassProduction}},
	)
	make(east, host("east-biz-1", "east-a"), host("east-biz-2", "east-a"))
	make(west, host("west-biz-1", "west-a"))
	written := running(t, fleet["hub"])
	joiner := join.Joiner{Person: hub, System: hub, Loopback: true}
	asked := func(name, site string, kubeconfig []byte) join.Request {
		return join.Request{Name: name, Kubeconfig: kubeconfig, DataCenter: site, Environment: "prod"}
	}

	t.Run("what cannot be joined", func(t *testing.T) {
		good := string(fleet["east-1"].Kubeconfig())
		cases := map[string]struct {
			reason  string
			request join.Request
			want    error
			says    string
		}{
			"exec": {
				reason:  "it would run a program on the hub",
				request: asked("bad", "dc-east", []byte(strings.Replace(good, "user:\n", "user:\n    exec: {command: sh}\n", 1))), want: join.ErrKubeconfig,
			},
			"nowhere": {
				reason: "nobody listens there", request: asked("bad", "dc-east", []byte(swapServer(good, "https://127.0.0.1:1"))), want: join.ErrUnreachable, says: "refused",
			},
			"wrong authority": {
				reason: "another cluster's authority", request: asked("bad", "dc-east", []byte(swapServer(good, serverOf(string(fleet["west-1"].Kubeconfig()))))),
				want: join.ErrUnreachable, says: "certificate",
			},
			"no such data centre": {reason: "a typing error", request: asked("bad", "dc-moon", []byte(good)), want: join.ErrUnknown, says: "dc-moon"},
		}
		for name, tc := range cases {
			_, err := joiner.Join(ctx, tc.request)
			if !errors.Is(err, tc.want) || !strings.Contains(fmt.Sprint(err), tc.says) {
				t.Errorf("%s (%s): got %v, want %v with %q", name, tc.reason, err, tc.want, tc.says)
			}
		}
		nobody := join.Joiner{Person: fleet["hub"].UserClient(t, "teller"), System: hub, Loopback: true}
		if _, err := nobody.Join(ctx, asked("bad", "dc-east", []byte(good))); !apierrors.IsForbidden(err) {
			t.Errorf("a person without rights joins nothing, got %v", err)
		}
		if err := hub.Get(ctx, client.ObjectKey{Namespace: "fairway-system", Name: "cluster-bad"}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
			t.Errorf("what was refused leaves no credentials behind, got %v", err)
		}
	})

	// Fairway has an account of its own in the members, which may do what config/member says.
	accounts := map[string][]byte{"east-1": account(t, fleet["east-1"]), "west-1": account(t, fleet["west-1"])}
	for name, site := range map[string]string{"east-1": "dc-east", "west-1": "dc-west"} {
		if _, err := joiner.Join(ctx, asked(name, site, accounts[name])); err != nil {
			t.Fatal(err)
		}
	}
	cluster := func(name string) (*fleetv1.Cluster, error) {
		object := &fleetv1.Cluster{}
		return object, hub.Get(ctx, client.ObjectKey{Name: name}, object)
	}
	is := func(name, kind string, status metav1.ConditionStatus, reason string) func() error {
		return func() error {
			object, err := cluster(name)
			if err != nil {
				return err
			}
			return condition(object.Status.Conditions, kind, status, reason)
		}
	}
	eventually(t, "east is usable", is("east-1", "Ready", metav1.ConditionTrue, "Usable"))
	eventually(t, "west is usable", is("west-1", "Ready", metav1.ConditionTrue, "Usable"))

	t.Run("status", func(t *testing.T) {
		eventually(t, "the hosts are counted", func() error {
			got, err := cluster("east-1")
			if err != nil {
				return err
			}
			s := got.Status
			if s.Hosts.Total != 2 || s.Hosts.Ready != 2 || s.Capacity.CPU.Value() != 8 || s.Version != "v1.36.3" || s.UID == "" || s.APIDigest == "" || s.PodAdmission != "Policy" {
				return fmt.Errorf("status is %+v", s)
			}
			return nil
		})
		namespace := &corev1.Namespace{}
		if err := hub.Get(ctx, client.ObjectKey{Name: "fairway-cluster-east-1"}, namespace); err != nil || namespace.Labels["fleet.fairway.cloud/cluster"] != "east-1" {
			t.Errorf("the namespace of its Deliveries is there: %v, %v", namespace.Labels, err)
		}
	})

	t.Run("joined twice", func(t *testing.T) {
		if _, err := joiner.Join(ctx, asked("east-2", "dc-east", fleet["east-1"].Kubeconfig())); !errors.Is(err, join.ErrJoinedTwice) {
			t.Errorf("a member has one name, got %v", err)
		}
		if _, err := joiner.Join(ctx, asked("east-1", "dc-east", fleet["west-1"].Kubeconfig())); !errors.Is(err, join.ErrJoinedTwice) && !errors.Is(err, join.ErrConflict) {
			t.Errorf("a name stands for one member, got %v", err)
		}
		if _, err := joiner.Join(ctx, asked("east-1", "dc-west", fleet["east-1"].Kubeconfig())); !errors.Is(err, join.ErrConflict) {
			t.Errorf("a cluster keeps its data centre, got %v", err)
		}
		// Past the API, by hand.
		twin := &fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "zz-east"}, Spec: fleetv1.ClusterSpec{
			DataCenter: "dc-east", Environment: "prod", Connection: fleetv1.ClusterConnection{SecretName: "cluster-east-1"},
		}}
		make(hub, twin)
		eventually(t, "the twin is refused", is("zz-east", "Stalled", metav1.ConditionTrue, "JoinedTwice"))
		if err := hub.Delete(ctx, twin); err != nil {
			t.Fatal(err)
		}
	})

	marks := func(c client.Client, name string) (string, error) {
		node := &corev1.Node{}
		if err := c.Get(ctx, client.ObjectKey{Name: name}, node); err != nil {
			return "", err
		}
		text := node.Labels[poolLabel]
		for _, taint := range node.Spec.Taints {
			if taint.Key == poolTaint {
				text += "/" + taint.Value + ":" + string(taint.Effect)
			}
		}
		return text, nil
	}
	carries := func(c client.Client, name, want string) func() error {
		return func() error {
			got, err := marks(c, name)
			if err == nil && got != want {
				err = fmt.Errorf("host %s carries %q, want %q", name, got, want)
			}
			return err
		}
	}
	pool := func(name string, hosts map[string][]string) *fleetv1.Pool {
		p := &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: fleetv1.PoolSpec{Tenant: "retail", SecurityLevel: "l3", Zones: []string{"business"}}}
		for _, cluster := range slices.Sorted(maps.Keys(hosts)) {
			p.Spec.Hosts = append(p.Spec.Hosts, fleetv1.PoolHosts{Cluster: cluster, Names: hosts[cluster]})
		}
		return p
	}
	business := pool("retail-business", map[string][]string{"east-1": {"east-biz-1", "east-biz-2"}, "west-1": {"west-biz-1"}})
	make(hub, business)
	eventually(t, "east-biz-1 is marked", carries(east, "east-biz-1", "retail-business/retail-business:NoSchedule"))
	eventually(t, "west-biz-1 is marked", carries(west, "west-biz-1", "retail-business/retail-business:NoSchedule"))
	state := func(name string, check func(fleetv1.PoolStatus) error) func() error {
		return func() error {
			got := &fleetv1.Pool{}
			if err := hub.Get(ctx, client.ObjectKey{Name: name}, got); err != nil {
				return err
			}
			return check(got.Status)
		}
	}
	eventually(t, "the pool tells its room", state("retail-business", func(s fleetv1.PoolStatus) error {
		if len(s.Racks) != 2 || s.Racks[0].Rack != "east-a" || len(s.Racks[0].Room) != 2 || s.Racks[0].Free.CPU.Value() != 8 || s.Hosts.Ready != 3 {
			return fmt.Errorf("status is %+v", s)
		}
		return condition(s.Conditions, "Ready", metav1.ConditionTrue, "AllHostsReady")
	}))

	t.Run("younger pool", func(t *testing.T) {
		late := pool("retail-late", map[string][]string{"east-1": {"east-biz-1", "nowhere"}})
		make(hub, late)
		eventually(t, "it reports what it does not get", state("retail-late", func(s fleetv1.PoolStatus) error {
			ready := meta.FindStatusCondition(s.Conditions, "Ready")
			if ready == nil || ready.Status != metav1.ConditionFalse || !strings.Contains(ready.Message, "belongs to pool \"retail-business\"") || !strings.Contains(ready.Message, "\"nowhere\" is not registered") {
				return fmt.Errorf("Ready is %+v", ready)
			}
			return nil
		}))
		if err := carries(east, "east-biz-1", "retail-business/retail-business:NoSchedule")(); err != nil {
			t.Error(err)
		}
	})

	instance := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod-x", Name: "i1", Labels: map[string]string{"app.kubernetes.io/managed-by": "fairway"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "x/y:1", Resources: requests("1", "1Gi")}}},
	}
	t.Run("a host leaves when it is empty", func(t *testing.T) {
		runOn(t, fleet["east-1"], instance, "east-biz-1")
		eventually(t, "the instance is counted", state("retail-business", func(s fleetv1.PoolStatus) error {
			if s.Instances != 1 || s.Racks[0].Used.CPU.Value() != 1 {
				return fmt.Errorf("status is %+v", s)
			}
			return nil
		}))
		eventually(t, "the cluster counts it too", func() error {
			got, err := cluster("east-1")
			if err == nil && got.Status.Instances != 1 {
				err = fmt.Errorf("%d instances", got.Status.Instances)
			}
			return err
		})
		change := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"hosts":[{"cluster":"east-1","names":["east-biz-2"]},{"cluster":"west-1","names":["west-biz-1"]}]}}`))
		if err := hub.Patch(ctx, business.DeepCopy(), change); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is reported as held", state("retail-business", func(s fleetv1.PoolStatus) error {
			return condition(s.Conditions, "Ready", metav1.ConditionFalse, "HostHeld")
		}))
		if err := carries(east, "east-biz-1", "retail-business/retail-business:NoSchedule")(); err != nil {
			t.Errorf("a host with instances keeps its marks: %v", err)
		}
		zero := int64(0)
		if err := east.Delete(ctx, instance, &client.DeleteOptions{GracePeriodSeconds: &zero}); err != nil {
			t.Fatal(err)
		}
		// The younger pool lists it, and gets it now that the older does not.
		eventually(t, "it goes over to the pool that lists it", carries(east, "east-biz-1", "retail-late/retail-late:NoSchedule"))
	})

	t.Run("marks are put back", func(t *testing.T) {
		// Somebody takes the rule away first, which would refuse it.
		rule := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "fairway-nodes"}}
		if err := east.Delete(ctx, rule); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the taint is removed by hand", func() error {
			if err := client.IgnoreNotFound(east.Delete(ctx, rule)); err != nil {
				return err
			}
			node := &corev1.Node{}
			if err := east.Get(ctx, client.ObjectKey{Name: "east-biz-2"}, node); err != nil {
				return err
			}
			node.Spec.Taints = nil
			return east.Update(ctx, node)
		})
		eventually(t, "the taint is back", carries(east, "east-biz-2", "retail-business/retail-business:NoSchedule"))
	})

	t.Run("a deleted pool gives up its hosts", func(t *testing.T) {
		if err := hub.Delete(ctx, &fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: "retail-late"}}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the host is free", carries(east, "east-biz-1", ""))
	})

	t.Run("a member goes away and comes back", func(t *testing.T) {
		fleet["west-1"].StopAPIServer()
		eventually(t, "west is away", is("west-1", "Reachable", metav1.ConditionFalse, "Unreachable"))
		eventually(t, "the pool keeps its last figures", state("retail-business", func(s fleetv1.PoolStatus) error {
			if len(s.Racks) != 2 || s.Racks[1].Rack != "west-a" {
				return fmt.Errorf("racks are %+v", s.Racks)
			}
			return condition(s.Conditions, "Ready", metav1.ConditionFalse, "ClusterAway")
		}))
		eventually(t, "the site says so", func() error {
			site := &fleetv1.DataCenter{}
			if err := hub.Get(ctx, client.ObjectKey{Name: "dc-west"}, site); err != nil {
				return err
			}
			return condition(site.Status.Conditions, "Ready", metav1.ConditionFalse, "SomeUnreachable")
		})
		got, err := cluster("west-1")
		if err != nil || got.Status.Hosts.Total != 1 || got.Status.Version == "" {
			t.Errorf("what was last seen stays: %+v, %v", got.Status, err)
		}
		make(east, host("east-biz-3", "east-a"))
		eventually(t, "east is looked after meanwhile", func() error {
			got, err := cluster("east-1")
			if err == nil && got.Status.Hosts.Total != 3 {
				err = fmt.Errorf("%d hosts", got.Status.Hosts.Total)
			}
			return err
		})
		fleet["west-1"].StartAPIServer(whole) // not of this step: it would end with it
		eventually(t, "west is back", is("west-1", "Ready", metav1.ConditionTrue, "Usable"))
	})

	t.Run("credentials change", func(t *testing.T) {
		secret := &corev1.Secret{}
		if err := hub.Get(ctx, client.ObjectKey{Namespace: "fairway-system", Name: "cluster-west-1"}, secret); err != nil {
			t.Fatal(err)
		}
		good := secret.Data["kubeconfig"]
		secret.Data["kubeconfig"] = []byte("apiVersion: v1")
		if err := hub.Update(ctx, secret); err != nil {
			t.Fatal(err)
		}
		eventually(t, "bad credentials need a person", is("west-1", "Stalled", metav1.ConditionTrue, "KubeconfigRefused"))
		secret.Data["kubeconfig"] = fleet["east-1"].Kubeconfig()
		if err := hub.Update(ctx, secret); err != nil {
			t.Fatal(err)
		}
		eventually(t, "another cluster's credentials are not used", is("west-1", "Stalled", metav1.ConditionTrue, "OtherCluster"))
		if _, err := joiner.Join(ctx, asked("west-1", "dc-west", good)); err != nil {
			t.Fatalf("joining again rotates: %v", err)
		}
		eventually(t, "west is back", is("west-1", "Ready", metav1.ConditionTrue, "Usable"))
	})

	t.Run("an idle fleet costs nothing", func(t *testing.T) {
		eventually(t, "the guards are settled", is("west-1", "Ready", metav1.ConditionTrue, "Usable"))
		versions := func() string {
			var all []string
			for _, list := range []client.ObjectList{&fleetv1.ClusterList{}, &fleetv1.PoolList{}} {
				if err := hub.List(ctx, list); err != nil {
					t.Fatal(err)
				}
				_ = meta.EachListItem(list, func(object runtimeObject) error {
					all = append(all, object.(client.Object).GetResourceVersion())
					return nil
				})
			}
			return strings.Join(all, " ") + fmt.Sprint(len(written.verbs()))
		}
		before, same := versions(), 0
		eventually(t, "nothing is written for a while", func() error {
			<-time.After(300 * time.Millisecond)
			now := versions()
			if now != before {
				before, same = now, 0
			}
			if same++; same < 8 {
				return errors.New("still moving")
			}
			return nil
		})
	})

	t.Run("every act in a member has its evidence", func(t *testing.T) {
		verbs := written.verbs()
		for _, want := range []string{"fleet.guard", "fleet.hosts"} {
			if !slices.Contains(verbs, want) {
				t.Errorf("no intent of %s in %v", want, verbs)
			}
		}
		written.mu.Lock()
		defer written.mu.Unlock()
		if len(written.ended) != len(written.acts) {
			t.Errorf("%d intents and %d outcomes", len(written.acts), len(written.ended))
		}
	})

	t.Run("a cluster is forgotten", func(t *testing.T) {
		if err := hub.Delete(ctx, &fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "west-1"}}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the pool says so", state("retail-business", func(s fleetv1.PoolStatus) error {
			return condition(s.Conditions, "Ready", metav1.ConditionFalse, "ClusterMissing")
		}))
		if err := carries(west, "west-biz-1", "retail-business/retail-business:NoSchedule")(); err != nil {
			t.Errorf("nothing in the member is touched: %v", err)
		}
	})
}
