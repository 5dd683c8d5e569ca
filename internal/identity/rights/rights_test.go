// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package rights

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/server/hooked"
)

var hub *kubetest.Cluster

func init() { ctrl.SetLogger(logr.Discard()) }

func scheme() *runtime.Scheme {
	made := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, tenancyv1.AddToScheme} {
		if err := add(made); err != nil {
			panic(err)
		}
	}
	return made
}

func TestMain(m *testing.M) {
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(scheme())))
}

// watching is the Rights of a server, which runs under its own account.
func watching(t *testing.T, also ...runtime.Object) (*Rights, Gate) {
	t.Helper()
	built, err := Read(config.Installed)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range also {
		if err := built.Add(o); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := cache.New(hub.UserConfig(t, "fairway", "fairway:system"), cache.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Options{Built: built, Cache: kept, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	gate := Gate{Inner: approval.Unrestricted{}, State: r.State, Hub: kept}
	if verdict, err := gate.Check(t.Context(), production); err == nil || verdict.Allowed || !strings.Contains(err.Error(), "not compared yet") {
		t.Errorf("before anybody looked: %+v %v", verdict, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- kept.Start(ctx) }()
	go func() { ended <- r.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Error(err)
		}
	})
	return r, gate
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("waited in vain: %s: %v", what, err)
}

var production = approval.Act{Verb: "release.step", Subject: "Delivery/fairway-cluster-east-1/retail-prod.shop", Environment: "prod", Person: "p-1"}

func wait(t *testing.T, r *Rights, reason string) {
	t.Helper()
	eventually(t, "state "+reason, func() error {
		s := r.State()
		if s.Whole != (reason == "") || !strings.Contains(s.Reason, reason) {
			return fmt.Errorf("whole: %v, %s", s.Whole, s.Reason)
		}
		return nil
	})
}

// Whoever has the hub ask the server no more, or elsewhere, or about less, has production
// refused until it is put back.
func TestTheHubAsksTheServer(t *testing.T) {
	hub.Needed(t)
	wanted := func() *admissionv1.ValidatingWebhookConfiguration {
		c, err := hooked.Configuration(admission.Server{URL: "https://fairway.bank.example:8443", Token: "0123456789012345678901234567890123456789", CA: []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	install := func() {
		t.Helper()
		if err := hub.Client().Create(t.Context(), wanted()); err != nil {
			t.Fatal(err)
		}
	}
	remove := func() {
		t.Helper()
		if err := hub.Client().Delete(context.Background(), wanted()); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(remove)
	r, gate := watching(t, wanted())
	const missing = `ValidatingWebhookConfiguration "fairway" is missing`
	wait(t, r, missing)
	if verdict, err := gate.Check(t.Context(), production); err != nil || verdict.Allowed || !strings.Contains(verdict.Reason, missing) {
		t.Errorf("production is refused before it is installed: %+v %v", verdict, err)
	}
	install()
	wait(t, r, "")
	ignore, elsewhere, seconds := admissionv1.Ignore, "https://evil.example/hooks/evidence/x", int32(30)
	for reason, change := range map[string]func(*admissionv1.ValidatingWebhookConfiguration){
		"it fails open":     func(c *admissionv1.ValidatingWebhookConfiguration) { c.Webhooks[1].FailurePolicy = &ignore },
		"it asks elsewhere": func(c *admissionv1.ValidatingWebhookConfiguration) { c.Webhooks[0].ClientConfig.URL = &elsewhere },
		"it trusts others":  func(c *admissionv1.ValidatingWebhookConfiguration) { c.Webhooks[0].ClientConfig.CABundle = nil },
		"it waits longer":   func(c *admissionv1.ValidatingWebhookConfiguration) { c.Webhooks[1].TimeoutSeconds = &seconds },
		"it asks about less": func(c *admissionv1.ValidatingWebhookConfiguration) {
			c.Webhooks[0].Rules[0].Operations = c.Webhooks[0].Rules[0].Operations[:1]
		},
		"one matter is gone": func(c *admissionv1.ValidatingWebhookConfiguration) { c.Webhooks = c.Webhooks[:1] },
		"somebody is left out": func(c *admissionv1.ValidatingWebhookConfiguration) {
			c.Webhooks[1].MatchConditions = append(c.Webhooks[1].MatchConditions, admissionv1.MatchCondition{Name: "not-me", Expression: "request.userInfo.username != 'me'"})
		},
		"a namespace is left out": func(c *admissionv1.ValidatingWebhookConfiguration) {
			c.Webhooks[1].NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"asked": "yes"}}
		},
	} {
		c := &admissionv1.ValidatingWebhookConfiguration{}
		if err := hub.Client().Get(t.Context(), client.ObjectKeyFromObject(wanted()), c); err != nil {
			t.Fatal(err)
		}
		change(c)
		if err := hub.Client().Update(t.Context(), c); err != nil {
			t.Fatalf("%s: %v", reason, err)
		}
		wait(t, r, `ValidatingWebhookConfiguration "fairway" is changed`)
		remove()
		install()
		wait(t, r, "")
	}
	remove()
	wait(t, r, missing)
}

// Whoever takes a policy, a rule of a definition or a right away by hand, or gives
// one of Fairway's roles to somebody, has production refused until it is put back.
func TestWhatIsChangedByHandIsNoticed(t *testing.T) {
	r, gate := watching(t)
	for name, class := range map[string]tenancyv1.EnvironmentClass{"prod": tenancyv1.ClassProduction, "sit": tenancyv1.ClassTest} {
		if err := hub.Client().Create(t.Context(), &tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.EnvironmentSpec{Class: class}}); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, r, "") // as installed: nothing differs
	get := func(name string, into client.Object) {
		t.Helper()
		if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: name}, into); err != nil {
			t.Fatal(err)
		}
	}
	bare := func(o client.Object) client.Object {
		o = o.DeepCopyObject().(client.Object)
		o.SetResourceVersion("")
		o.SetUID("")
		return o
	}
	for name, c := range map[string]struct {
		object client.Object
		id     string
		change func(client.Object)
		says   string
	}{
		"a policy is deleted":  {&admissionv1.ValidatingAdmissionPolicy{}, "fairway-release", nil, `ValidatingAdmissionPolicy "fairway-release" is missing`},
		"a binding is deleted": {&admissionv1.ValidatingAdmissionPolicyBinding{}, "fairway-identity-people", nil, `ValidatingAdmissionPolicyBinding "fairway-identity-people" is missing`},
		"a policy only warns": {&admissionv1.ValidatingAdmissionPolicyBinding{}, "fairway-status", func(o client.Object) {
			o.(*admissionv1.ValidatingAdmissionPolicyBinding).Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Warn}
		}, `ValidatingAdmissionPolicyBinding "fairway-status" is changed`},
		"a policy matches nothing": {&admissionv1.ValidatingAdmissionPolicy{}, "fairway-status", func(o client.Object) {
			p := o.(*admissionv1.ValidatingAdmissionPolicy)
			p.Spec.MatchConditions = append(p.Spec.MatchConditions, admissionv1.MatchCondition{Name: "never", Expression: "false"})
		}, `ValidatingAdmissionPolicy "fairway-status" is changed`},
		"a policy skips a namespace": {&admissionv1.ValidatingAdmissionPolicy{}, "fairway-status", func(o client.Object) {
			o.(*admissionv1.ValidatingAdmissionPolicy).Spec.MatchConstraints.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, `"fairway-status" is changed`},
		"a policy fails open": {&admissionv1.ValidatingAdmissionPolicy{}, "fairway-release-go-on", func(o client.Object) {
			ignore := admissionv1.Ignore
			o.(*admissionv1.ValidatingAdmissionPolicy).Spec.FailurePolicy = &ignore
		}, `"fairway-release-go-on" is changed`},
		"makers are not written": {&admissionv1.MutatingAdmissionPolicyBinding{}, "fairway-makers", nil, `MutatingAdmissionPolicyBinding "fairway-makers" is missing`},
		"a definition loses a rule": {&apiextensionsv1.CustomResourceDefinition{}, "people.identity.fairway.cloud", func(o client.Object) {
			o.(*apiextensionsv1.CustomResourceDefinition).Spec.Versions[0].Schema.OpenAPIV3Schema.XValidations = nil
		}, `CustomResourceDefinition "people.identity.fairway.cloud" is changed`},
		"a role gets more": {&rbacv1.ClusterRole{}, "fairway-viewer", func(o client.Object) {
			role := o.(*rbacv1.ClusterRole)
			role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{"approval.fairway.cloud"}, Resources: []string{"decisions"}, Verbs: []string{"create"}})
		}, `ClusterRole "fairway-viewer" is changed`},
		"somebody is the server": {&rbacv1.ClusterRoleBinding{}, "fairway-system", func(o client.Object) {
			b := o.(*rbacv1.ClusterRoleBinding)
			b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mallory"})
		}, `ClusterRoleBinding "fairway-system" is changed`},
	} {
		t.Run(name, func(t *testing.T) {
			get(c.id, c.object)
			kept := bare(c.object)
			if c.change == nil {
				if err := hub.Client().Delete(t.Context(), c.object); err != nil {
					t.Fatal(err)
				}
			} else {
				c.change(c.object)
				if err := hub.Client().Update(t.Context(), c.object); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			wait(t, r, c.says)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("noticed after %s", took)
			}
			verdict, err := gate.Check(t.Context(), production)
			if err != nil || verdict.Allowed || !strings.Contains(verdict.Reason, c.says) || !strings.Contains(verdict.Reason, "applies config/crd, config/rbac and config/admission") {
				t.Errorf("production goes on: %+v %v", verdict, err)
			}
			if c.change != nil {
				now := c.object.DeepCopyObject().(client.Object)
				get(c.id, now)
				kept.SetResourceVersion(now.GetResourceVersion())
				kept.SetUID(now.GetUID())
				err = hub.Client().Update(t.Context(), kept)
			} else {
				err = hub.Client().Create(t.Context(), kept)
			}
			if err != nil {
				t.Fatal(err)
			}
			wait(t, r, "")
			if verdict, err := gate.Check(t.Context(), production); err != nil || !verdict.Allowed {
				t.Errorf("production stays refused: %+v %v", verdict, err)
			}
		})
	}
	t.Run("a role of ours is given away", func(t *testing.T) {
		backdoor := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "backdoor"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fairway-business-approver"},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mallory"}}}
		if err := hub.Client().Create(t.Context(), backdoor); err != nil {
			t.Fatal(err)
		}
		wait(t, r, `ClusterRoleBinding "backdoor" gives a role of Fairway's and is not Fairway's`)
		if err := hub.Client().Delete(t.Context(), backdoor); err != nil {
			t.Fatal(err)
		}
		wait(t, r, "")
	})
	t.Run("the founder is taken away", func(t *testing.T) {
		first := &rbacv1.ClusterRoleBinding{}
		get("fairway-founder", first)
		if err := hub.Client().Delete(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the watch tells", func() error {
			if err := r.cache.Get(t.Context(), client.ObjectKeyFromObject(first), first); !apierrors.IsNotFound(err) {
				return fmt.Errorf("still there: %w", err)
			}
			return nil
		})
		r.look(t.Context())
		if s := r.State(); !s.Whole {
			t.Errorf("a bank takes the founder away: %s", s.Reason)
		}
	})
}

// A bank names the groups that the server may act as a member of, and a hub before
// Kubernetes 1.36 knows another verb; nothing else may be changed about that role.
func TestTheRoleOfActingForPeople(t *testing.T) {
	built, err := Read(config.Installed)
	if err != nil {
		t.Fatal(err)
	}
	role := func(rules ...map[string]any) unstructured.Unstructured {
		var all []any
		for _, r := range rules {
			all = append(all, r)
		}
		o := unstructured.Unstructured{Object: map[string]any{"kind": "ClusterRole", "rules": all}}
		o.SetName("fairway-impersonator")
		return o
	}
	asBuilt := func() []map[string]any {
		part := struct{ Rules []map[string]any }{}
		if err := json.Unmarshal(built["ClusterRole//fairway-impersonator"], &part); err != nil {
			t.Fatal(err)
		}
		return part.Rules
	}
	named := asBuilt()
	named[0]["resourceNames"] = []any{"retail-releasers"}
	for name, c := range map[string]struct {
		role unstructured.Unstructured
		good bool
	}{
		"as built":     {role(asBuilt()...), true},
		"named groups": {role(named...), true},
		"before 1.36": {role(map[string]any{"apiGroups": []any{""}, "resources": []any{"users", "groups"}, "verbs": []any{"impersonate"}},
			map[string]any{"apiGroups": []any{"authentication.k8s.io"}, "resources": []any{"userextras/fairway.cloud/session"}, "verbs": []any{"impersonate"}}), true},
		"more":             {role(append(asBuilt(), map[string]any{"apiGroups": []any{""}, "resources": []any{"secrets"}, "verbs": []any{"impersonate-on:user-info:get"}})...), false},
		"service accounts": {role(map[string]any{"apiGroups": []any{""}, "resources": []any{"serviceaccounts"}, "verbs": []any{"impersonate"}}), false},
		"anything":         {role(map[string]any{"apiGroups": []any{""}, "resources": []any{"users"}, "verbs": []any{"*"}}), false},
		"nothing":          {role(), false},
	} {
		changed := slices.ContainsFunc(built.Compare([]unstructured.Unstructured{c.role}, func(string) bool { return true }), func(d Difference) bool { return d.Name == "fairway-impersonator" && d.What == Changed })
		if changed == c.good {
			t.Errorf("%s: counts as changed: %v", name, changed)
		}
	}
}

// What does not rely on the policies goes on while they are not whole, the way back
// above all.
func TestGate(t *testing.T) {
	hub.Needed(t)
	broken := State{Reason: "the hub's policies differ", Differences: []Difference{{Kind: "X", Name: "y", What: Missing}}}
	gate := Gate{Inner: inner{}, State: func() State { return broken }, Hub: hub.Client()}
	for name, class := range map[string]tenancyv1.EnvironmentClass{"gprod": tenancyv1.ClassProduction, "gsit": tenancyv1.ClassTest, "gdev": tenancyv1.ClassDevelopment} {
		if err := hub.Client().Create(t.Context(), &tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.EnvironmentSpec{Class: class}}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		act  approval.Act
		want bool
	}{
		"production":                      {approval.Act{Environment: "gprod", Subject: "Release/retail-prod/r"}, false},
		"the way back in production":      {approval.Act{Environment: "gprod", Subject: "Release/retail-prod/r", WayBack: true}, true},
		"a test environment":              {approval.Act{Environment: "gsit", Subject: "Release/retail-sit/r"}, true},
		"a development environment":       {approval.Act{Environment: "gdev", Subject: "Release/retail-dev/r"}, true},
		"an environment nobody knows":     {approval.Act{Environment: "guat", Subject: "Release/retail-uat/r"}, false},
		"a person":                        {approval.Act{Subject: "Person/p-1"}, false},
		"a policy":                        {approval.Act{Subject: "ApprovalPolicy/all"}, false},
		"what kubectl writes":             {approval.Act{Subject: "PATCH /apis/identity.fairway.cloud/v1alpha1/people/p-1"}, false},
		"ending a session":                {approval.Act{Subject: "Session//s-1"}, true},
		"a session's name on a lying act": {approval.Act{Environment: "gprod", Subject: "Session//s-1"}, false},
	} {
		verdict, err := gate.Check(t.Context(), c.act)
		if err != nil || verdict.Allowed != c.want || (!c.want && verdict.Reason != broken.Reason) {
			t.Errorf("%s: %+v %v", name, verdict, err)
		}
	}
	broken = State{Whole: true}
	if verdict, err := gate.Check(t.Context(), production); err != nil || verdict.Reason != "the gate within" {
		t.Errorf("with whole policies the gate within decides: %+v %v", verdict, err)
	}
}

type inner struct{}

func (inner) Check(context.Context, approval.Act) (approval.Verdict, error) {
	return approval.Verdict{Allowed: true, Reason: "the gate within"}, nil
}
