// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/profile/controller"
	"github.com/fairway-cloud/fairway/internal/placement/profile/measure"
	"github.com/fairway-cloud/fairway/internal/placement/profile/measure/prometheustest"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, appv1.AddToScheme, placementv1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithScheme(s)))
}

// counting counts the requests that change something.
type counting struct {
	client.Client
	writes int
}

func (c *counting) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	c.writes++
	return c.Client.Create(ctx, o, opts...)
}

func (c *counting) Status() client.SubResourceWriter { return &countingStatus{c.Client.Status(), c} }

type countingStatus struct {
	client.SubResourceWriter
	of *counting
}

func (c *countingStatus) Update(ctx context.Context, o client.Object, opts ...client.SubResourceUpdateOption) error {
	c.of.writes++
	return c.SubResourceWriter.Update(ctx, o, opts...)
}

// bench is a hub with one application that runs, and what measures it.
type bench struct {
	*counting
	t     *testing.T
	clock *clocktesting.FakeClock
	meter *measure.Meter
	app   *appv1.Application
}

func newBench(t *testing.T, sources ...*measure.Source) *bench {
	t.Helper()
	hub.Needed(t)
	b := &bench{t: t, counting: &counting{Client: hub.Client()}, clock: clocktesting.NewFakeClock(time.Now())}
	b.app = apptest.MobileBank(apptest.With("ledger", func(c *appv1.Component) {
		c.Profile = &appv1.ComponentProfile{Tags: []string{"latency-sensitive"}}
	}), apptest.With("channel", func(c *appv1.Component) { c.Profile = &appv1.ComponentProfile{Without: []string{"io-heavy"}} }))
	b.app.Namespace = "p" + strings.ToLower(strings.NewReplacer("/", "", "_", "").Replace(t.Name())) + "-prod"
	p := &placementv1.Placement{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.app.Namespace, Name: "mobile-bank-1"},
		Spec:       placementv1.PlacementSpec{Application: "mobile-bank", Revision: "mobile-bank-0123456789", Digest: "sha256:0", ExpiresAt: metav1.NewTime(b.clock.Now().Add(time.Hour))},
	}
	for _, c := range []string{"channel", "ledger"} {
		p.Spec.Assignments = append(p.Spec.Assignments, placementv1.Assignment{
			Component: c, Template: "sha256:0", Cell: placementv1.Cell{Cluster: "east-1", Pool: "p", Zone: "business", Rack: "r", DCN: "d"}, Seats: []int32{0}, Hosts: []string{"h"},
			CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"),
		})
	}
	for _, o := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.app.Namespace}}, b.app, p} {
		if err := hub.Client().Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	p.Status.Release = "one"
	if err := hub.Client().Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hub.Client().Delete(context.Background(), p) })
	b.restart(sources...)
	return b
}

// restart is a new process: it knows what is on the hub.
func (b *bench) restart(sources ...*measure.Source) {
	b.meter = measure.New(b.counting, sources, b.clock, logr.Discard())
}

// rule makes a TagRule.
func (b *bench) rule(name string, spec placementv1.TagRuleSpec) {
	b.t.Helper()
	r := &placementv1.TagRule{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	if err := hub.Client().Create(b.t.Context(), r); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = hub.Client().Delete(context.Background(), r) })
}

// round lets the interval of every rule pass, measures, and reconciles what changed.
func (b *bench) round() {
	b.t.Helper()
	b.clock.Step(15 * time.Second)
	if err := b.meter.Round(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	for {
		select {
		case <-b.meter.Changed():
			b.reconcile()
			continue
		default:
		}
		return
	}
}

func (b *bench) reconcile() {
	b.t.Helper()
	var a appv1.Application
	if err := b.Get(b.t.Context(), client.ObjectKeyFromObject(b.app), &a); err != nil {
		b.t.Fatal(err)
	}
	if _, err := (&controller.Reconciler{Hub: b.counting, Meter: b.meter, Clock: b.clock}).Reconcile(b.t.Context(), &a); err != nil {
		b.t.Fatal(err)
	}
}

// shown are the tags of the Profile, and the reason of its condition.
func (b *bench) shown() []string {
	b.t.Helper()
	var p placementv1.Profile
	if err := b.Get(b.t.Context(), client.ObjectKeyFromObject(b.app), &p); client.IgnoreNotFound(err) != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, c := range p.Status.Conditions {
		out = append(out, c.Reason)
	}
	for _, t := range p.Status.Tags {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", t.Component, t.Tag, t.From, t.Freshness, t.Effect)))
	}
	return out
}

// ruleIs is the condition of a TagRule.
func (b *bench) ruleIs(name string) string {
	b.t.Helper()
	var r placementv1.TagRule
	if err := b.Get(b.t.Context(), client.ObjectKey{Name: name}, &r); err != nil {
		b.t.Fatal(err)
	}
	for _, c := range r.Status.Conditions {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

func (b *bench) want(reason string, want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.shown()); diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", reason, diff)
	}
}

var disk = placementv1.TagRuleSpec{
	Tag: "io-heavy", Query: `sum(writes{namespace="$namespace",pod=~"$pods"})`, Enter: "100", Leave: "50",
	Hold: &metav1.Duration{Duration: 30 * time.Second}, Interval: &metav1.Duration{Duration: 15 * time.Second}, StaleAfter: &metav1.Duration{Duration: 2 * time.Minute},
}

// TestMeasured goes with a real Prometheus and a real hub through the life of a tag.
func TestMeasured(t *testing.T) {
	p := prometheustest.Start(t)
	b := newBench(t, p.Source())
	pods := func(channel, ledger int) string {
		return fmt.Sprintf(`writes{namespace="ptestmeasured-prod-mobile-bank",pod="mobile-bank-ledger-0123abcd-0"} %d
writes{namespace="ptestmeasured-prod-mobile-bank",pod="mobile-bank-ledger-admin-0123abcd-0"} 9999
writes{namespace="ptestmeasured-prod-mobile-bank",pod="mobile-bank-channel-0123abcd-7d8f9-x2x4z"} %d`, ledger, channel)
	}
	p.Expose(pods(10, 10))
	b.reconcile()
	b.want("what the application says is there at once", "Combined", "ledger latency-sensitive Spec  Counts")
	b.rule("disk", disk)
	b.round()
	if got := b.ruleIs("disk"); got != "True Answered" {
		t.Errorf("the rule: %s", got)
	}
	p.Expose(pods(500, 500))
	b.round()
	b.round()
	b.want("half a minute has to pass", "Combined", "ledger latency-sensitive Spec  Counts")
	b.round()
	all := []string{"channel io-heavy Measured Fresh Overruled", "ledger io-heavy Measured Fresh Counts", "ledger latency-sensitive Spec  Counts"}
	b.want("both are heavy, and the application says that one of them is not", append([]string{"Combined"}, all...)...)

	before := b.writes
	for range 6 {
		b.round()
		b.reconcile()
	}
	if b.writes != before {
		t.Errorf("%d requests that change something while nothing changes", b.writes-before)
	}

	p.Stop()
	for range 4 {
		b.round()
	}
	old := strings.NewReplacer("Fresh", "Old")
	b.want("nobody answers: what is known holds, and is old", "OldMeasurements", old.Replace(all[0]), old.Replace(all[1]), all[2])
	if got := b.ruleIs("disk"); got != "False Unanswered" {
		t.Errorf("the rule: %s", got)
	}
	b.restart(p.Source())
	for range 6 {
		b.round()
	}
	stale := strings.NewReplacer("Fresh", "Stale")
	b.want("a new process knows since when", "OldMeasurements", stale.Replace(all[0]), stale.Replace(all[1]), all[2])
	before = b.writes
	for range 6 {
		b.round()
		b.reconcile()
	}
	if b.writes != before {
		t.Errorf("%d requests that change something while nobody answers", b.writes-before)
	}

	again := prometheustest.Start(t)
	again.Expose(pods(10, 500))
	b.restart(again.Source())
	// Prometheus looks back for five minutes, and the clock of the test went ahead of its own.
	b.clock.SetTime(time.Now())
	for range 4 {
		b.round()
	}
	b.want("it answers again, and one of them has calmed down", "Combined", all[1], all[2])
}

// TestWithoutPrometheus says so, and takes nothing away.
func TestWithoutPrometheus(t *testing.T) {
	b := newBench(t)
	b.rule("disk-nobody", disk)
	p := &placementv1.Profile{ObjectMeta: metav1.ObjectMeta{Namespace: b.app.Namespace, Name: b.app.Name}, Spec: placementv1.ProfileSpec{Imported: []placementv1.ImportedTag{
		{Component: "account", Tag: "peak-morning", Source: "cmdb", At: metav1.NewTime(b.clock.Now())},
	}}}
	if err := hub.Client().Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	at := metav1.NewTime(b.clock.Now().Add(-time.Hour).Truncate(time.Second))
	p.Status.Tags = []placementv1.ProfileTag{{Component: "ledger", Tag: "io-heavy", From: "Measured", Source: "disk-nobody", Freshness: "Fresh", Effect: "Counts", At: &at}}
	if err := hub.Client().Status().Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		b.round()
	}
	b.reconcile()
	b.want("the tag holds", "OldMeasurements", "account peak-morning Imported  Counts", "ledger io-heavy Measured Old Counts", "ledger latency-sensitive Spec  Counts")
	if got := b.ruleIs("disk-nobody"); got != "False NoPrometheus" {
		t.Errorf("the rule: %s", got)
	}
}

// TestAProfileByHand becomes the Application's, keeps what was written into it, and costs one
// write.
func TestAProfileByHand(t *testing.T) {
	b := newBench(t)
	p := &placementv1.Profile{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.app.Namespace, Name: b.app.Name, OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "ConfigMap", Name: "somebody-elses", UID: "1"},
			{APIVersion: "app.fairway.cloud/v1alpha1", Kind: "Application", Name: b.app.Name, UID: "of-an-earlier-one"},
		}},
		Spec: placementv1.ProfileSpec{Imported: []placementv1.ImportedTag{{Component: "account", Tag: "peak-morning", Source: "cmdb", At: metav1.NewTime(b.clock.Now())}}},
	}
	if err := hub.Client().Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	b.reconcile()
	var kept placementv1.Profile
	if err := b.Get(t.Context(), client.ObjectKeyFromObject(p), &kept); err != nil {
		t.Fatal(err)
	}
	owners := []string{}
	for _, o := range kept.OwnerReferences {
		owners = append(owners, o.Kind+" "+string(o.UID))
	}
	if diff := cmp.Diff([]string{"ConfigMap 1", "Application " + string(b.app.UID)}, owners); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	b.want("what was written by hand counts", "Combined", "account peak-morning Imported  Counts", "ledger latency-sensitive Spec  Counts")
	b.reconcile()
	var again placementv1.Profile
	if err := b.Get(t.Context(), client.ObjectKeyFromObject(p), &again); err != nil || again.ResourceVersion != kept.ResourceVersion {
		t.Errorf("a second look costs a write: %v", err)
	}
}

// TestABadRule says what is wrong with it.
func TestABadRule(t *testing.T) {
	p := prometheustest.Start(t)
	b := newBench(t, p.Source())
	unknown, broken := disk, disk
	unknown.Query, broken.Query = `up{pod="$pod"}`, `sum(`
	b.rule("unknown-word", unknown)
	b.rule("broken", broken)
	b.round()
	for _, name := range []string{"unknown-word", "broken"} {
		if got := b.ruleIs(name); got != "False BadRule" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestBounds holds what the definitions refuse, with the sentence that says what to do.
func TestBounds(t *testing.T) {
	hub.Needed(t)
	made := func(change func(*placementv1.TagRuleSpec)) client.Object {
		r := &placementv1.TagRule{ObjectMeta: metav1.ObjectMeta{Name: "bounds"}, Spec: placementv1.TagRuleSpec{Tag: "io-heavy", Query: "vector(1)", Enter: "1"}}
		change(&r.Spec)
		return r
	}
	described := func(tags, without []string) client.Object {
		a := apptest.MobileBank(apptest.With("ledger", func(c *appv1.Component) { c.Profile = &appv1.ComponentProfile{Tags: tags, Without: without} }))
		a.Namespace = "default"
		return a
	}
	for want, o := range map[string]client.Object{
		"leave is where the tag goes again":           made(func(s *placementv1.TagRuleSpec) { s.Enter, s.Leave = "1", "2" }),
		"with when Below at least enter":              made(func(s *placementv1.TagRuleSpec) { s.When, s.Enter, s.Leave = "Below", "2", "1" }),
		"make interval 15s or longer":                 made(func(s *placementv1.TagRuleSpec) { s.Interval = &metav1.Duration{Duration: time.Second} }),
		"hold is a length of time":                    made(func(s *placementv1.TagRuleSpec) { s.Hold = &metav1.Duration{Duration: -time.Second} }),
		"staleAfter is a minute or longer":            made(func(s *placementv1.TagRuleSpec) { s.StaleAfter = &metav1.Duration{Duration: time.Second} }),
		"spec.enter":                                  made(func(s *placementv1.TagRuleSpec) { s.Enter = "1e9" }),
		"spec.tag":                                    made(func(s *placementv1.TagRuleSpec) { s.Tag = "IO" }),
		"a tag is either in tags or in without":       described([]string{"io-heavy"}, []string{"io-heavy"}),
		"spec.components[2].profile.tags":             described([]string{"IO heavy"}, nil),
		"a profile has the name of its application, ": &placementv1.Profile{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a-name-that-no-application-has"}},
	} {
		if err := hub.Client().Create(t.Context(), o, client.DryRunAll); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	for _, fine := range []client.Object{
		made(func(s *placementv1.TagRuleSpec) { s.Enter, s.Leave = "2", "1.5" }),
		made(func(s *placementv1.TagRuleSpec) { s.When, s.Enter, s.Leave = "Below", "-2", "1" }),
		described([]string{"io-heavy", "peak-morning"}, []string{"cpu-bound"}),
	} {
		if err := hub.Client().Create(t.Context(), fine, client.DryRunAll); err != nil {
			t.Error(err)
		}
	}
}
