// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/audit"
)

// recorder keeps acts in memory, and is away on demand.
type recorder struct {
	acts []audit.Act
	away bool
}

func (r *recorder) Intent(_ context.Context, act audit.Act) (string, error) {
	if r.away {
		return "", errors.New("the log is away")
	}
	r.acts = append(r.acts, act)
	return "1", nil
}

func (*recorder) Outcome(context.Context, string, audit.Outcome) error { return nil }

// hub is a hub with the bank of apptest and one application.
type hub struct {
	*Reconciler
	t        *testing.T
	registry *apptest.Registry
	recorder *recorder
	writes   int
}

func newHub(t *testing.T, a *appv1.Application, more ...client.Object) *hub {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appv1.AddToScheme, deliveryv1.AddToScheme, fleetv1.AddToScheme, placementv1.AddToScheme, tenancyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	h := &hub{t: t, registry: apptest.NewRegistry(apptest.Images(a)), recorder: &recorder{}}
	a.Generation = 1
	c := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&appv1.Application{}, &deliveryv1.Delivery{}).
		WithObjects(append(bank(), append(more, a)...)...).
		WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
				h.writes++
				return c.Create(ctx, o, options...)
			},
			SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, options ...client.SubResourceUpdateOption) error {
				h.writes++
				return c.SubResource(sub).Update(ctx, o, options...)
			},
		}).Build()
	h.Reconciler = &Reconciler{Hub: c, Resolver: h.registry, Recorder: h.recorder, Now: func() time.Time { return apptest.Now }}
	return h
}

// bank writes the world of apptest as the objects it comes from.
func bank() []client.Object {
	w := apptest.Bank()
	var out []client.Object
	environment := &tenancyv1.Environment{Spec: tenancyv1.EnvironmentSpec{Class: tenancyv1.ClassProduction}}
	environment.Name = "prod"
	out = append(out, environment)
	for _, l := range w.Levels {
		o := &tenancyv1.SecurityLevel{Spec: tenancyv1.SecurityLevelSpec{Rank: l.Rank, PodSecurity: l.PodSecurity}}
		o.Name = l.Name
		for _, rule := range l.Hardening {
			o.Spec.Hardening = append(o.Spec.Hardening, tenancyv1.HardeningRule(rule))
		}
		out = append(out, o)
	}
	for _, c := range w.Classes {
		o := &tenancyv1.AvailabilityClass{Spec: tenancyv1.AvailabilityClassSpec{
			Rank: c.Rank, MinimumInstances: c.MinimumInstances, MinimumDataCenters: c.MinimumDataCenters, UnreachableSeconds: c.UnreachableSeconds,
		}}
		o.Name = c.Name
		out = append(out, o)
	}
	for _, z := range w.Zones {
		o := &fleetv1.NetworkZone{Spec: fleetv1.NetworkZoneSpec{AcceptedLevels: z.Accepts}}
		o.Name = z.Name
		for _, f := range z.Flows {
			o.Spec.Flows = append(o.Spec.Flows, fleetv1.ZoneFlow{To: f.To, Ports: f.Ports})
		}
		out = append(out, o)
	}
	for _, p := range w.Pools {
		o := &fleetv1.Pool{Spec: fleetv1.PoolSpec{Tenant: p.Tenants[0], SecurityLevel: p.Level, Zones: p.Zones}}
		o.Name = p.Name
		out = append(out, o)
	}
	for _, d := range w.DCNs {
		o := &fleetv1.DCN{Spec: fleetv1.DCNSpec{DataCenter: d.DataCenter, Environment: d.Environment}}
		o.Name = d.Name
		out = append(out, o)
	}
	return out
}

func (h *hub) reconcile() (ctrl.Result, error) {
	h.t.Helper()
	return h.Reconcile(h.t.Context(), h.application())
}

func (h *hub) application() *appv1.Application {
	h.t.Helper()
	a := &appv1.Application{}
	if err := h.Hub.Get(h.t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: "mobile-bank"}, a); err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *hub) edit(change func(*appv1.Application)) {
	h.t.Helper()
	a := h.application()
	change(a)
	a.Generation++
	if err := h.Hub.Update(h.t.Context(), a); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hub) revisions() []appv1.Revision {
	h.t.Helper()
	var all appv1.RevisionList
	if err := h.Hub.List(h.t.Context(), &all); err != nil {
		h.t.Fatal(err)
	}
	return all.Items
}

// conditions are "type status reason", in the order they were set.
func conditions(a *appv1.Application) []string {
	var out []string
	for _, c := range a.Status.Conditions {
		out = append(out, c.Type+" "+string(c.Status)+" "+c.Reason)
	}
	return out
}

func TestRevisionIsMadeOnce(t *testing.T) {
	h := newHub(t, apptest.MobileBank(func(a *appv1.Application) {
		a.Annotations = map[string]string{appv1.AnnotationMakers: "p-1, p-2,"}
	}))
	if _, err := h.reconcile(); err != nil {
		t.Fatal(err)
	}
	all := h.revisions()
	if len(all) != 1 {
		t.Fatalf("%d revisions", len(all))
	}
	content, err := app.Open(&all[0])
	if err != nil {
		t.Fatal(err)
	}
	if content.Tenant != "retail" || content.Environment != "prod" || !strings.Contains(content.Spec.Components[0].Image, "@sha256:") {
		t.Errorf("content of %s/%s with image %s", content.Tenant, content.Environment, content.Spec.Components[0].Image)
	}
	if diff := cmp.Diff([]string{"p-1", "p-2"}, all[0].Spec.Makers); diff != "" {
		t.Error(diff)
	}
	a := h.application()
	want := []string{"Revised True Revised", "Stalled False NothingStalled", "Released False NeverReleased", "Ready False NeverReleased"}
	if diff := cmp.Diff(want, conditions(a)); diff != "" || a.Status.LatestRevision != all[0].Name {
		t.Errorf("latest %q (-want +got):\n%s", a.Status.LatestRevision, diff)
	}
	if len(h.recorder.acts) != 1 || h.recorder.acts[0].Verb != "app.revise" {
		t.Errorf("evidence: %+v", h.recorder.acts)
	}
	// A tag that moves makes no new Revision, and an idle application costs nothing.
	h.registry.Push(a.Spec.Components[0].Image, app.ImageFacts{Digest: apptest.Digest("f"), User: "65532"})
	asked, writes := h.registry.Asked(), h.writes
	if _, err := h.reconcile(); err != nil {
		t.Fatal(err)
	}
	if h.registry.Asked() != asked || h.writes != writes || len(h.revisions()) != 1 {
		t.Errorf("an idle application asked %d times and wrote %d times", h.registry.Asked()-asked, h.writes-writes)
	}
	// An edit does; taking it back leads to the first Revision again.
	h.registry.Push(a.Spec.Components[0].Image, app.ImageFacts{Digest: apptest.Images(a)[a.Spec.Components[0].Image], User: "65532"})
	h.edit(apptest.With("account", func(c *appv1.Component) { c.Instances[0].Count = 5 }))
	if _, err := h.reconcile(); err != nil {
		t.Fatal(err)
	}
	h.edit(apptest.With("account", func(c *appv1.Component) { c.Instances[0].Count = 2 }))
	if _, err := h.reconcile(); err != nil {
		t.Fatal(err)
	}
	if got := h.application().Status.LatestRevision; len(h.revisions()) != 2 || got != all[0].Name {
		t.Errorf("%d revisions, latest %q", len(h.revisions()), got)
	}
}

// TestOnMachines has an Application say what still runs on virtual machines, as imports tell
// it, and write nothing while they tell the same.
func TestOnMachines(t *testing.T) {
	seen := metav1.NewTime(apptest.Now.UTC().Truncate(time.Second))
	of := func(name, application string, instances ...placementv1.MachineInstance) *placementv1.MachineImport {
		return &placementv1.MachineImport{
			ObjectMeta: metav1.ObjectMeta{Namespace: "retail-prod", Name: name},
			Spec:       placementv1.MachineImportSpec{Application: application, Source: "cmdb", ObservedAt: seen, ValidFor: metav1.Duration{Duration: time.Hour}, Instances: instances},
		}
	}
	on := func(seat int32) placementv1.MachineInstance {
		return placementv1.MachineInstance{Component: "account", Seat: seat, DCN: "dcn-east-1"}
	}
	h := newHub(t, apptest.MobileBank(), of("mobile-bank.cmdb", "mobile-bank", on(1), on(2)), of("cards.cmdb", "cards", on(1)))
	told := func() *appv1.OnMachines {
		t.Helper()
		if _, err := h.reconcile(); err != nil {
			t.Fatal(err)
		}
		return h.application().Status.OnMachines
	}
	want := &appv1.OnMachines{Instances: 2, Counts: []appv1.MachineCount{
		{Component: "account", Source: "cmdb", Instances: 2, ObservedAt: seen, ValidUntil: metav1.NewTime(seen.Add(time.Hour))},
	}}
	same := cmp.Comparer(func(a, b metav1.Time) bool { return a.Equal(&b) })
	if diff := cmp.Diff(want, told(), same); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	writes := h.writes
	if told(); h.writes != writes {
		t.Errorf("the same again wrote %d times", h.writes-writes)
	}
	var now placementv1.MachineImport
	if err := h.Hub.Get(t.Context(), client.ObjectKey{Namespace: "retail-prod", Name: "mobile-bank.cmdb"}, &now); err != nil {
		t.Fatal(err)
	}
	now.Spec.Instances = nil
	if err := h.Hub.Update(t.Context(), &now); err != nil {
		t.Fatal(err)
	}
	if got := told(); got != nil {
		t.Errorf("the last one was shut down, and it says %+v", got)
	}
}

func TestNoRevision(t *testing.T) {
	cases := map[string]struct {
		reason  string
		change  func(*hub)
		want    []string // conditions Revised and Stalled
		message string
		again   bool // asks again by itself
		fails   bool
	}{
		"NoImage": {"a registry without the image: no Revision, with the reason", func(h *hub) { h.registry.Remove("registry.bank:5000/mobile-bank/account:1.0") },
			[]string{"Revised False ImageNotFound", "Stalled True ImageNotFound"}, `does not have image "registry.bank:5000/mobile-bank/account:1.0"`, true, false},
		"Away": {"a registry that is away is asked again, and nobody is called", func(h *hub) { h.registry.Fail(errors.New("connection refused")) },
			[]string{"Revised False RegistryUnreachable", "Stalled False NothingStalled"}, "does not answer", false, true},
		"Foreign": {"a registry that may not be asked needs a person", func(h *hub) { h.registry.Fail(app.ErrRegistryRefused) },
			[]string{"Revised False RegistryRefused", "Stalled True RegistryRefused"}, "may not be asked", false, false},
		"Denied": {"a registry that wants a login needs a person, and is asked again", func(h *hub) { h.registry.Fail(app.ErrRegistryDenied) },
			[]string{"Revised False RegistryDenied", "Stalled True RegistryDenied"}, "--registry-login", true, false},
		"DeniedThoughPulled": {"a tenant's pullSecret is not read, and that is said", func(h *hub) {
			h.edit(func(a *appv1.Application) { a.Spec.PullSecret = "registry" })
			h.registry.Fail(app.ErrRegistryDenied)
		}, []string{"Revised False RegistryDenied", "Stalled True RegistryDenied"}, `pullSecret "registry" is for the hosts that pull the image`, true, false},
		"Unreadable": {"what cannot be used needs a person, and is asked again", func(h *hub) { h.registry.Fail(app.ErrImageUnreadable) },
			[]string{"Revised False ImageUnreadable", "Stalled True ImageUnreadable"}, "push the image again", true, false},
		"Processor": {"an image for processors that Fairway does not place on", func(h *hub) {
			h.registry.Push("registry.bank:5000/mobile-bank/account:1.0", app.ImageFacts{Digest: apptest.Digest("1"), User: "1", Architectures: []string{"sw_64"}})
		}, []string{"Revised False ChecksFailed", "Stalled True ChecksFailed"}, "runs on sw_64", false, false},
		"Checks": {"errors of the checks are told", func(h *hub) { h.edit(apptest.With("account", func(c *appv1.Component) { c.Probes = nil })) },
			[]string{"Revised False ChecksFailed", "Stalled True ChecksFailed"}, "account: there is no readiness probe", false, false},
		"Root": {"an image that runs as root is found by what the registry says", func(h *hub) {
			h.edit(apptest.With("account", func(c *appv1.Component) { c.User = nil }))
			h.registry.Push("registry.bank:5000/mobile-bank/account:1.0", app.ImageFacts{Digest: apptest.Digest("1")})
		}, []string{"Revised False ChecksFailed", "Stalled True ChecksFailed"}, "runs as root", false, false},
		"NoLog": {"without evidence there is no Revision", func(h *hub) { h.recorder.away = true },
			[]string{"Revised False NotFrozen", "Stalled False NothingStalled"}, "tried again", false, true},
		"NoEnvironment": {"a namespace without its environment needs a person", func(h *hub) {
			e := &tenancyv1.Environment{}
			e.Name = "prod"
			if err := h.Hub.Delete(context.Background(), e); err != nil {
				h.t.Fatal(err)
			}
		}, []string{"Revised False ReferenceMissing", "Stalled True ReferenceMissing"}, `environment "prod" does not exist`, false, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := newHub(t, apptest.MobileBank())
			tc.change(h)
			result, err := h.reconcile()
			if (err != nil) != tc.fails || (result.RequeueAfter > 0) != tc.again {
				t.Errorf("%s: %v, %v", tc.reason, result, err)
			}
			a := h.application()
			if diff := cmp.Diff(tc.want, conditions(a)[:2]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if c := meta.FindStatusCondition(a.Status.Conditions, appv1.ConditionRevised); !strings.Contains(c.Message, tc.message) {
				t.Errorf("%s: message %q lacks %q", tc.reason, c.Message, tc.message)
			}
			if n := len(h.revisions()); n != 0 || a.Status.LatestRevision != "" {
				t.Errorf("%s: %d revisions, latest %q", tc.reason, n, a.Status.LatestRevision)
			}
		})
	}
}

func TestImageComesLater(t *testing.T) {
	h := newHub(t, apptest.MobileBank())
	h.registry.Remove("registry.bank:5000/mobile-bank/account:1.0")
	if _, err := h.reconcile(); err != nil {
		t.Fatal(err)
	}
	h.registry.Push("registry.bank:5000/mobile-bank/account:1.0", app.ImageFacts{Digest: apptest.Digest("1"), User: "65532"})
	if _, err := h.reconcile(); err != nil {
		t.Fatal(err)
	}
	a := h.application()
	if len(h.revisions()) != 1 || meta.IsStatusConditionTrue(a.Status.Conditions, appv1.ConditionStalled) {
		t.Errorf("%v", conditions(a))
	}
}

func delivery(ready int32) *deliveryv1.Delivery {
	d := &deliveryv1.Delivery{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-cluster-east-1", Name: "x"}}
	d.Spec.Application = "retail-prod/mobile-bank"
	cell := placementv1.Cell{Cluster: "east-1", Pool: "p", Zone: "z", Rack: "r", DCN: "dcn-east-1"}
	d.Spec.Workloads = []deliveryv1.Workload{
		{Name: "a", Kind: "Deployment", Component: "account", Template: "new", Cell: cell, Replicas: 2},
		{Name: "l", Kind: "StatefulSet", Component: "ledger", Template: "new", Cell: cell, Replicas: 1},
		{Name: "n", Kind: "CronJob", Component: "nightly", Template: "new", Cell: cell},
	}
	d.Status.Workloads = []deliveryv1.WorkloadStatus{
		{Name: "a", Template: "new", Ready: ready}, {Name: "l", Template: "old", Ready: 1},
	}
	return d
}

func TestRunning(t *testing.T) {
	other := delivery(2)
	other.Name, other.Spec.Application = "y", "retail-prod/other"
	h := newHub(t, apptest.MobileBank(), delivery(2), other)
	if _, err := h.reconcile(); err != nil {
		t.Fatal(err)
	}
	a := h.application()
	want := []appv1.RunningCount{
		{Component: "account", DCN: "dcn-east-1", Wanted: 2, Ready: 2},
		{Component: "ledger", DCN: "dcn-east-1", Wanted: 1, Ready: 0}, // of another template: stale
	}
	if diff := cmp.Diff(want, a.Status.Running); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c := meta.FindStatusCondition(a.Status.Conditions, appv1.ConditionReady)
	if c.Status != metav1.ConditionFalse || c.Message != "instances are missing: ledger in dcn-east-1: 0 of 1" {
		t.Errorf("%+v", c)
	}
}

// TestNobodySaysReadyOfWhatIsNotSeen: counts of a cluster that is away are the last ones
// seen, and no delivery at all is no proof that nothing is wanted.
func TestNobodySaysReadyOfWhatIsNotSeen(t *testing.T) {
	well := func(ready metav1.ConditionStatus, message string) *deliveryv1.Delivery {
		d := delivery(2)
		d.Status.Workloads[1].Template = "new"
		meta.SetStatusCondition(&d.Status.Conditions, metav1.Condition{Type: "Ready", Status: ready, Reason: "Tested", Message: message})
		return d
	}
	for reason, tc := range map[string]struct {
		deliveries []client.Object
		want       metav1.ConditionStatus
		message    string
	}{
		"all is seen":         {[]client.Object{well("True", "")}, "True", "every instance that is wanted is ready"},
		"the cluster is away": {[]client.Object{well("Unknown", `cluster "east-1" is not connected`)}, "Unknown", `what runs is not known: cluster "east-1" is not connected`},
		"no delivery":         {nil, "Unknown", "what runs is not known: no cluster has a delivery of it"},
	} {
		t.Run(reason, func(t *testing.T) {
			a := apptest.MobileBank()
			a.Status.ReleasedRevision = "mobile-bank-0000000000"
			h := newHub(t, a, tc.deliveries...)
			if _, err := h.reconcile(); err != nil {
				t.Fatal(err)
			}
			c := meta.FindStatusCondition(h.application().Status.Conditions, appv1.ConditionReady)
			if c.Status != tc.want || c.Message != tc.message {
				t.Errorf("%s: %s %q, want %s %q", reason, c.Status, c.Message, tc.want, tc.message)
			}
		})
	}
}

func TestQuestions(t *testing.T) {
	h := newHub(t, apptest.MobileBank())
	q := Questions{Hub: h.Hub, Resolver: h.registry, Now: h.Now}
	if _, err := h.reconcile(); err != nil {
		t.Fatal(err)
	}
	// Nothing has been released: everything is new.
	a := h.application()
	changes, err := q.Diff(t.Context(), a)
	if err != nil || changes.Against != "" || len(changes.Changes) == 0 {
		t.Fatalf("%+v, %v", changes, err)
	}
	a.Status.ReleasedRevision = a.Status.LatestRevision
	if err := h.Hub.Status().Update(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	wish := a.DeepCopy()
	apptest.With("account", func(c *appv1.Component) { c.Instances[0].Count = 3 })(wish)
	changes, err = q.Diff(t.Context(), wish)
	if err != nil {
		t.Fatal(err)
	}
	want := Changes{Against: a.Status.ReleasedRevision, Changes: []app.Change{{Path: "components[account].instances[dcn-east-1].count", Before: "2", After: "3"}}}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The checks say what the registry lacks beside what the spec lacks.
	h.registry.Remove("registry.bank:5000/mobile-bank/account:1.0")
	apptest.With("account", func(c *appv1.Component) { c.Logs = nil })(wish)
	found, err := q.Check(t.Context(), wish)
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, f := range found.Findings {
		rules = append(rules, f.Rule)
	}
	if diff := cmp.Diff([]string{"UndeclaredLogs", "ImageNotFound"}, rules); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAStaleReadIsNoFailure: a Release writes its claim into the same status, so that
// the cache is behind now and then.
func TestAStaleReadIsNoFailure(t *testing.T) {
	h := newHub(t, apptest.MobileBank())
	stale := h.application()
	claimed := h.application()
	claimed.Status.ActiveRelease = "one"
	if err := h.Hub.Status().Update(t.Context(), claimed); err != nil {
		t.Fatal(err)
	}
	result, err := h.Reconcile(t.Context(), stale)
	if err != nil || result.RequeueAfter <= 0 || result.RequeueAfter > time.Second {
		t.Errorf("a conflict must be looked at again in a moment and not be told, got %v, %v", result, err)
	}
	if got := h.application().Status.ActiveRelease; got != "one" {
		t.Errorf("the claim of release one was overwritten with %q", got)
	}
}
