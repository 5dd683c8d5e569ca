// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fields_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s), releasev1.AddToScheme(s), placementv1.AddToScheme(s), deliveryv1.AddToScheme(s)); err != nil {
		panic(err)
	}
	return s
}

func TestMain(m *testing.M) {
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithScheme(scheme())))
}

func releases(namespace string) []client.Object {
	var out []client.Object
	for i := range 6 {
		out = append(out, &releasev1.Release{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("r-%d", i)},
			Spec:       releasev1.ReleaseSpec{Application: fmt.Sprintf("app-%d", i%3), Kind: releasev1.KindRetire, Reason: "r", Requester: "p"},
		})
	}
	return out
}

func found(t *testing.T, from client.Reader, namespace string) []string {
	t.Helper()
	var list releasev1.ReleaseList
	if err := fields.List(t.Context(), from, &list, fields.Application, "app-1", client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range list.Items {
		out = append(out, r.Name)
	}
	slices.Sort(out)
	return out
}

// The hub finds by the field itself, and so does a cache that was told.
func TestOnlyThoseOfTheApplication(t *testing.T) {
	if hub == nil {
		t.Skip("no cluster under -short")
	}
	namespace := hub.Namespace(t)
	for _, o := range releases(namespace) {
		if err := hub.Client().Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		rendering := &deliveryv1.Rendering{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("rendering-%d", i), Labels: map[string]string{appv1.LabelApplication: fmt.Sprintf("app-%d", i)}},
			Spec:       deliveryv1.RenderingSpec{Content: "[]", Digest: "sha256:" + strings.Repeat("0", 64)},
		}
		if err := hub.Client().Create(t.Context(), rendering); err != nil {
			t.Fatal(err)
		}
	}
	cached, err := cache.New(hub.Config(), cache.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	if err := fields.Add(ctx, cached); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = cached.Start(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	if !cached.WaitForCacheSync(ctx) {
		t.Fatal("the cache did not start")
	}
	renderings := &metav1.PartialObjectMetadataList{}
	renderings.SetGroupVersionKind(deliveryv1.GroupVersion.WithKind("RenderingList"))
	if err := cached.List(ctx, renderings, client.InNamespace(namespace), client.MatchingFields{fields.LabelledFor: "app-1"}); err != nil || len(renderings.Items) != 1 || renderings.Items[0].Name != "rendering-1" {
		t.Errorf("the cache finds %v, %v; want rendering-1", renderings.Items, err)
	}
	for name, from := range map[string]client.Reader{"the hub": hub.Client(), "a cache": cached} {
		if got, want := found(t, from, namespace), []string{"r-1", "r-4"}; !slices.Equal(got, want) {
			t.Errorf("%s finds %v, want %v", name, got, want)
		}
	}
}

// Whoever does not know the field answers with all.
func TestAllWhereTheFieldIsNotKnown(t *testing.T) {
	from := fake.NewClientBuilder().WithScheme(scheme()).WithObjects(releases("retail-sit")...).Build()
	if got := found(t, from, "retail-sit"); len(got) != 6 {
		t.Errorf("got %v, want all six", got)
	}
}
