// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
)

func render(t testing.TB, in app.Input, version string) app.Output {
	t.Helper()
	out, err := app.Render(in, published(t, version).served)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func find(t testing.TB, out app.Output, kind, name string) unstructured.Unstructured {
	t.Helper()
	for _, o := range objects(out) {
		if o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	t.Fatalf("no %s %q", kind, name)
	return unstructured.Unstructured{}
}

func podOf(t testing.TB, w app.Workload) corev1.PodTemplateSpec {
	t.Helper()
	path := []string{"spec", "template"}
	if w.Kind == "CronJob" {
		path = []string{"spec", "jobTemplate", "spec", "template"}
	}
	raw, _, err := unstructured.NestedMap(w.Objects[len(w.Objects)-1].Object, path...)
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.PodTemplateSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// TestPodsAreRestricted asks Kubernetes' own judge whether hardened pods obey the Pod
// Security standard that their namespace enforces.
func TestPodsAreRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	judge := func(out app.Output, standard psapi.Level) []string {
		var refused []string
		for _, w := range out.Workloads {
			pod := podOf(t, w)
			results := evaluator.EvaluatePod(psapi.LevelVersion{Level: standard, Version: psapi.LatestVersion()}, &pod.ObjectMeta, &pod.Spec)
			if r := policy.AggregateCheckResults(results); !r.Allowed {
				refused = append(refused, w.Component+": "+r.ForbiddenReason())
			}
		}
		return refused
	}
	enforced := func(out app.Output) string {
		namespace := find(t, out, "Namespace", out.Namespace)
		return namespace.GetLabels()["pod-security.kubernetes.io/enforce"]
	}
	full := render(t, apptest.East(freeze(t, apptest.Everything(), apptest.Bank()).Content), "v1.36.3")
	if refused := judge(full, psapi.LevelRestricted); len(refused) > 0 || enforced(full) != "restricted" {
		t.Errorf("a namespace that enforces %q refuses %q", enforced(full), refused)
	}
	loose := apptest.Bank()
	loose.Levels[1].Hardening = loose.Levels[1].Hardening[1:] // RunAsNonRoot
	weak := render(t, apptest.East(freeze(t, apptest.Everything(), loose).Content), "v1.36.3")
	if refused := judge(weak, psapi.LevelBaseline); len(refused) > 0 || enforced(weak) != "baseline" {
		t.Errorf("a namespace that enforces %q refuses %q", enforced(weak), refused)
	}
	if !slices.ContainsFunc(weak.Reasons, func(r app.Reason) bool { return strings.Contains(r.Message, "does not obey RunAsNonRoot") }) {
		t.Errorf("nothing says why the namespace enforces less: %v", weak.Reasons)
	}
}

func TestRenderReasons(t *testing.T) {
	content := freeze(t, apptest.Everything(), apptest.Bank()).Content
	cases := map[string]struct {
		reason  string
		change  func(*app.Input)
		version string
		want    []string
	}{
		"Newest":     {"the newest version needs no reason", func(*app.Input) {}, "v1.36.3", nil},
		"NoStorage":  {"a volume without a storage class is refused", func(in *app.Input) { delete(in.StorageClasses, appv1.VolumeShared) }, "v1.36.3", []string{"Refused ledger volumes[journal]"}},
		"NoFlow":     {"a flow that no zone allows any more is refused, not opened", func(in *app.Input) { in.Zones = nil }, "v1.36.3", []string{"Refused account dependsOn[ledger]", "Refused account dependsOn[customer-db]", "Refused channel dependsOn[account]"}},
		"Elsewhere":  {"a dependency without instances here is told", func(in *app.Input) { in.Assignments = in.Assignments[:2] }, "v1.36.3", []string{"Missing account dependsOn[ledger]"}},
		"UnknownOld": {"a member that serves nothing known is refused", func(in *app.Input) { in.Assignments = in.Assignments[:1] }, "", []string{"Refused"}},
		"TwoDCNs": {"one node port cannot serve two DCNs", func(in *app.Input) {
			other := in.Assignments[1]
			other.Cell.DCN = "dcn-west-1"
			in.Assignments = append(in.Assignments, other)
		}, "v1.36.3", []string{"Refused channel exposure[web].nodePort"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := apptest.East(content)
			tc.change(&in)
			served := app.Served{Version: "odd"}
			if tc.version != "" {
				served = published(t, tc.version).served
			}
			out, err := app.Render(in, served)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range out.Reasons {
				got = append(got, strings.TrimSpace(string(r.Effect)+" "+r.Component+" "+r.Field))
			}
			if tc.version == "" {
				if len(out.Refusals()) == 0 || len(out.Workloads) != 0 {
					t.Errorf("%s: %v", tc.reason, out.Reasons)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	content := freeze(t, apptest.MobileBank(), apptest.Bank()).Content
	cases := map[string]struct {
		reason, want string
		change       func(*app.Input)
	}{
		"Cluster":   {"a cell of another cluster is refused", "another cluster", func(in *app.Input) { in.Assignments[0].Cell.Cluster = "west-1" }},
		"Component": {"a component that the revision lacks is refused", "not part of the revision", func(in *app.Input) { in.Assignments[0].Component = "gone" }},
		"Twice":     {"one cell is assigned once", "assigned twice", func(in *app.Input) { in.Assignments = append(in.Assignments, in.Assignments[0]) }},
		"Rule":      {"a hardening rule that is not known is refused, not believed", "not known", func(in *app.Input) { in.Content.Components[0].Level.Hardening = []app.Rule{"Sandboxed"} }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := apptest.East(content)
			in.Content.Components = slices.Clone(in.Content.Components)
			tc.change(&in)
			if _, err := app.Render(in, published(t, "v1.36.3").served); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: Render() = %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

// TestNetworkIsClosed looks at what the policies let through, pod by pod.
func TestNetworkIsClosed(t *testing.T) {
	out := render(t, apptest.East(freeze(t, apptest.MobileBank(), apptest.Bank()).Content), "v1.36.3")
	var policies []networkingv1.NetworkPolicy
	for _, o := range out.Shared {
		if o.GetKind() == "NetworkPolicy" {
			var p networkingv1.NetworkPolicy
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &p); err != nil {
				t.Fatal(err)
			}
			policies = append(policies, p)
		}
	}
	pod := func(component, dcn string) map[string]string {
		return map[string]string{appv1.LabelComponent: component, appv1.LabelDCN: dcn}
	}
	cases := map[string]struct {
		reason   string
		from, to map[string]string
		port     int
		want     bool
	}{
		"Declared":  {"a declared dependency is open", pod("channel", "dcn-east-1"), pod("account", "dcn-east-1"), 8080, true},
		"Next":      {"so is the next", pod("account", "dcn-east-1"), pod("ledger", "dcn-east-1"), 8080, true},
		"Skipping":  {"a call that skips a component is closed", pod("channel", "dcn-east-1"), pod("ledger", "dcn-east-1"), 8080, false},
		"Back":      {"a call back is closed", pod("ledger", "dcn-east-1"), pod("account", "dcn-east-1"), 8080, false},
		"OtherPort": {"another port is closed", pod("channel", "dcn-east-1"), pod("account", "dcn-east-1"), 9090, false},
		"OtherDCN":  {"another DCN is closed", pod("channel", "dcn-west-1"), pod("account", "dcn-east-1"), 8080, false},
		"Foreign":   {"a pod of another application is closed", map[string]string{"x": "y"}, pod("account", "dcn-east-1"), 8080, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := admits(policies, tc.from, tc.to, tc.port); got != tc.want {
				t.Errorf("%s: admits = %v", tc.reason, got)
			}
		})
	}
}

// admits evaluates ingress by pod selectors only, in the plainest way.
func admits(policies []networkingv1.NetworkPolicy, from, to map[string]string, port int) bool {
	matches := func(selector, labels map[string]string) bool {
		for k, v := range selector {
			if labels[k] != v {
				return false
			}
		}
		return true
	}
	for _, p := range policies {
		if !matches(p.Spec.PodSelector.MatchLabels, to) {
			continue
		}
		for _, rule := range p.Spec.Ingress {
			if !slices.ContainsFunc(rule.Ports, func(q networkingv1.NetworkPolicyPort) bool { return q.Port.IntValue() == port }) {
				continue
			}
			for _, peer := range rule.From {
				if peer.PodSelector != nil && peer.NamespaceSelector == nil && matches(peer.PodSelector.MatchLabels, from) {
					return true
				}
			}
		}
	}
	return false
}

// TestRenderSameInputSameBytes shuffles what has no order.
func TestRenderSameInputSameBytes(t *testing.T) {
	in := apptest.East(freeze(t, apptest.Everything(), apptest.Bank()).Content)
	served := published(t, "v1.29.15").served
	text := func(in app.Input) string {
		out, err := app.Render(in, served)
		if err != nil {
			t.Fatal(err)
		}
		all, err := app.Text(objects(out))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	want := text(in)
	rapid.Check(t, func(rt *rapid.T) {
		again := in
		again.Assignments = rapid.Permutation(in.Assignments).Draw(rt, "assignments")
		again.Allowances = rapid.Permutation(in.Allowances).Draw(rt, "allowances")
		if got := text(again); got != want {
			rt.Fatal(cmp.Diff(want, got))
		}
	})
}

func TestNames(t *testing.T) {
	a := apptest.MobileBank(func(a *appv1.Application) {
		a.Name = strings.Repeat("a", 24)
		for i := range a.Spec.Components {
			a.Spec.Components[i].Name = appv1.ComponentName(strings.Repeat(string(rune('a'+i)), 16))
			a.Spec.Components[i].DependsOn = nil
			for j := range a.Spec.Components[i].Instances {
				a.Spec.Components[i].Instances[j].DCN = strings.Repeat("d", 32)
			}
			a.Spec.Components[i].Instances = a.Spec.Components[i].Instances[:1]
		}
		a.Spec.Exposure[0].Component, a.Spec.Exposure[0].Name = a.Spec.Components[0].Name, strings.Repeat("e", 12)
	})
	in := apptest.East(freeze(t, a, apptest.Bank()).Content)
	for i, c := range a.Spec.Components {
		in.Assignments = append(in.Assignments, app.Assignment{Component: c.Name})
		in.Assignments[i].Cell.Cluster, in.Assignments[i].Cell.DCN = "east-1", strings.Repeat("d", 32)
	}
	for _, o := range objects(render(t, in, "v1.36.3")) {
		limit := 63
		if o.GetKind() == "StatefulSet" || o.GetKind() == "CronJob" {
			limit = 52 // their pods' labels and jobs add to it
		}
		if len(o.GetName()) > limit && o.GetKind() != "PersistentVolumeClaim" && o.GetKind() != "ConfigMap" {
			t.Errorf("%s %q has %d characters, and %d fit", o.GetKind(), o.GetName(), len(o.GetName()), limit)
		}
		for key, value := range o.GetLabels() {
			if len(value) > 63 {
				t.Errorf("%s: label %s has %d characters", o.GetName(), key, len(value))
			}
		}
	}
}

func TestServed(t *testing.T) {
	cases := map[string]struct {
		version string
		field   [3]string
		want    bool
	}{
		"Sleep136":   {"v1.36.3", [3]string{"apps/v1", "Deployment", "spec.template.spec.containers.lifecycle.preStop.sleep"}, true},
		"Sleep129":   {"v1.29.15", [3]string{"apps/v1", "Deployment", "spec.template.spec.containers.lifecycle.preStop.sleep"}, false}, // in the schema, off by default
		"Ordinals22": {"v1.22.17", [3]string{"apps/v1", "StatefulSet", "spec.ordinals.start"}, false},
		"Ordinals29": {"v1.29.15", [3]string{"apps/v1", "StatefulSet", "spec.ordinals.start"}, true},
		"Startup16":  {"v1.16.15", [3]string{"apps/v1", "Deployment", "spec.template.spec.containers.startupProbe"}, false}, // alpha
		"Bound22":    {"v1.22.17", [3]string{"apps/v1", "Deployment", "spec.template.spec.topologySpreadConstraints.minDomains"}, false},
		"Bound29":    {"v1.29.15", [3]string{"apps/v1", "Deployment", "spec.template.spec.topologySpreadConstraints.minDomains"}, true},
		"NotAsked":   {"v1.36.3", [3]string{"apps/v1", "Deployment", "spec.replicas"}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := published(t, tc.version).served.Field(tc.field[0], tc.field[1], tc.field[2]); got != tc.want {
				t.Errorf("Field(%v) = %v on %s", tc.field, got, tc.version)
			}
		})
	}
	for version, want := range map[string]int{"v1.36.3": 36, "1.28+": 28, "v1.22.17-aliyun.1": 22, "": 0, "v2.1": 0, "1.x": 0} {
		if got := (app.Served{Version: version}).Minor(); got != want {
			t.Errorf("Minor(%q) = %d, want %d", version, got, want)
		}
	}
	if err := published(t, "v1.16.15").served.Applicable(); err == nil {
		t.Error("Kubernetes 1.16 is rendered and checked, not applied to")
	}
	if _, err := app.ReadServed("v1.36.3", []byte("{}")); err == nil {
		t.Error("an empty document says nothing about a member")
	}
}

func TestNotCarriedOut(t *testing.T) {
	a := apptest.Everything()
	a.Spec.Exposure[0].NodePort = nil
	apptest.With("ledger", func(c *appv1.Component) { c.FixedIP = appv1.FixedIPPerSeat })(a)
	apptest.With("account", func(c *appv1.Component) {
		c.Interfaces = []appv1.Interface{{Name: "net1", Zone: "dmz"}}
		c.MaxPerHost = ptr.To[int32](1)
	})(a)
	var got []string
	for _, n := range app.NotCarriedOut(a.Spec) {
		got = append(got, n.Field)
	}
	want := []string{
		"exposure[web]", "components[account].interfaces", "components[account].logs[trade]", "components[ledger].fixedIP",
		"pullSecret", "bindings[customer-db].secret", "components[account].env[SIGNING_KEY]", "components[account].secrets[tls]",
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
