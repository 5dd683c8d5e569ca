// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// server is a real API server, hub and member at once.
var server *kubetest.Cluster

func TestMain(m *testing.M) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, appv1.AddToScheme, deliveryv1.AddToScheme, fleetv1.AddToScheme, placementv1.AddToScheme, tenancyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	os.Exit(kubetest.Main(m, &server, kubetest.WithCRDs(), kubetest.WithScheme(scheme)))
}

// warnings collects what the API server warns of.
type warnings struct{ texts []string }

func (w *warnings) HandleWarningHeader(code int, _, text string) {
	if code == 299 && text != "" {
		w.texts = append(w.texts, text)
	}
}

// TestMemberTakesWhatIsRendered applies every object to a real API server, again and again:
// it takes them without a warning, and only the first time changes anything.
func TestMemberTakesWhatIsRendered(t *testing.T) {
	if server == nil {
		t.Skip("needs a cluster")
	}
	a := apptest.Everything()
	frozen, err := app.Freeze(a, apptest.Images(a), apptest.Bank())
	if err != nil {
		t.Fatal(err)
	}
	warned := &warnings{}
	config := rest.CopyConfig(server.Config())
	config.WarningHandler = warned
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := app.Render(apptest.East(frozen.Content), serves(t, config))
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Reasons) > 0 {
		t.Errorf("the newest version needs reasons: %v", out.Reasons)
	}
	objects := append([]unstructured.Unstructured{}, out.Shared...)
	for _, w := range out.Workloads {
		objects = append(objects, w.Objects...)
	}
	versions := map[string]string{}
	for round := range 3 {
		for _, o := range objects {
			applied := o.DeepCopy()
			err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(applied), client.FieldOwner("fairway"), client.ForceOwnership)
			if err != nil {
				t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
				continue
			}
			key := o.GetKind() + " " + o.GetName()
			// The version of a claim moves once more at its second apply, with nothing to see.
			settled := round > 1 || o.GetKind() != "PersistentVolumeClaim"
			if round > 0 && settled && versions[key] != applied.GetResourceVersion() {
				t.Errorf("%s: applying it again changes it", key)
			}
			versions[key] = applied.GetResourceVersion()
		}
	}
	for _, text := range warned.texts {
		t.Errorf("the API server warns: %s", text)
	}
}

// serves asks the API server what it serves.
func serves(t *testing.T, config *rest.Config) app.Served {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	document, err := d.OpenAPISchema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := document.YAMLValue("")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var v *version.Info
	if v, err = d.ServerVersion(); err != nil {
		t.Fatal(err)
	}
	served, err := app.ReadServed(v.GitVersion, raw)
	if err != nil {
		t.Fatal(err)
	}
	return served
}

// TestHubKeepsApplications stores the example on a real hub, has a Revision made of it, and
// tries what the hub must refuse.
func TestHubKeepsApplications(t *testing.T) {
	if server == nil {
		t.Skip("needs a cluster")
	}
	c := server.Client()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-prod"}}
	if err := c.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	for _, o := range bank() {
		// Kinds of other rooms have rules of their own; the names are what matters here.
		complete(o)
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	a := apptest.Everything()
	stored := a.DeepCopy()
	if err := c.Create(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{Hub: c, Resolver: apptest.NewRegistry(apptest.Images(a)), Recorder: &recorder{}, Now: func() time.Time { return apptest.Now }}
	if _, err := r.Reconcile(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(a), stored); err != nil {
		t.Fatal(err)
	}
	if !meta.IsStatusConditionTrue(stored.Status.Conditions, appv1.ConditionRevised) {
		t.Fatalf("%v %+v", conditions(stored), stored.Status.Findings)
	}
	revision := &appv1.Revision{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: a.Namespace, Name: stored.Status.LatestRevision}, revision); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Open(revision); err != nil {
		t.Error(err)
	}
	revision.Spec.Content += " "
	if err := c.Update(t.Context(), revision); err == nil || !strings.Contains(err.Error(), "a Revision never changes") {
		t.Errorf("a changed Revision: %v", err)
	}
	for name, change := range map[string]func(map[string]any){
		"unknown field": func(spec map[string]any) { spec["colour"] = "red" },
		"bad enum":      func(spec map[string]any) { spec["releasePolicy"] = "Sometimes" },
	} {
		raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(a)
		if err != nil {
			t.Fatal(err)
		}
		bad := &unstructured.Unstructured{Object: raw}
		bad.SetName("bad")
		change(raw["spec"].(map[string]any))
		if err := c.Create(t.Context(), bad, client.FieldValidation(metav1.FieldValidationStrict)); err == nil {
			t.Errorf("the hub takes an %s", name)
		}
	}
}

// complete fills in what other rooms' kinds demand beyond what this room reads.
func complete(o client.Object) {
	switch o := o.(type) {
	case *fleetv1.NetworkZone:
		o.Spec.Kind = "Business"
	case *fleetv1.Pool:
		o.Spec.HostKind = "Real"
	}
}
