// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	corev1 "k8s.io/api/core/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) {
	if os.Getenv("FAIRWAY_INVENTORY_CHILD") != "" {
		os.Exit(m.Run()) // it needs no hub
	}
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, appv1.AddToScheme, fleetv1.AddToScheme, placementv1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithScheme(s)))
}

// TestProjector follows a real hub and the read model: what is placed, imported, seen to run
// and given back comes into the list by itself.
func TestProjector(t *testing.T) {
	if testing.Short() {
		t.Skip("a real API server is left out under -short")
	}
	config := hub.UserConfig(t, "fairway", "system:masters")
	mgr, err := ctrl.NewManager(config, ctrl.Options{Scheme: hub.Client().Scheme(), Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		t.Fatal(err)
	}
	running, err := readmodel.Open(t.Context(), filepath.Join(t.TempDir(), "readmodel.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = running.Close() })
	list := store(t)
	if err := (&inventory.Projector{Hub: mgr.GetClient(), Running: running, Store: list, Clock: clock.RealClock{}}).SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() { stop(); <-done })

	c := hub.Client()
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "list-prod"}},
		&fleetv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "east-1"}, Spec: fleetv1.ClusterSpec{DataCenter: "dc-east", Environment: "prod", Connection: fleetv1.ClusterConnection{Type: "Push"}}},
		&fleetv1.Pool{ObjectMeta: metav1.ObjectMeta{Name: "retail"}, Spec: fleetv1.PoolSpec{Tenant: "retail", SecurityLevel: "l3", Zones: []string{"business"}, HostKind: "Simulated"}},
	} {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	comes := func(what string, want ...string) {
		t.Helper()
		diff := ""
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
			found, err := list.Of(t.Context(), "list-prod", "teller")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, i := range found {
				got = append(got, fmt.Sprintf("%s %s %s %s %s %s", i.Seat, i.State, i.Hosts, i.DataCenter, i.Host, i.Address))
			}
			if diff = cmp.Diff(want, got); diff == "" {
				return
			}
		}
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
	p := placed("a", 0, "", 0, 1)
	p.Namespace, p.Name, p.CreationTimestamp = "list-prod", "teller-0123456789", metav1.Time{}
	p.Spec.Digest, p.Spec.Assignments = "sha256:0", p.Spec.Assignments[:1]
	p.Spec.Assignments[0].CPU, p.Spec.Assignments[0].Memory, p.Spec.Assignments[0].Hosts = resource.MustParse("1"), resource.MustParse("1Gi"), []string{"h1"}
	use := p.Status
	if err := c.Create(t.Context(), &p); err != nil {
		t.Fatal(err)
	}
	p.Status = use
	if err := c.Status().Update(t.Context(), &p); err != nil {
		t.Fatal(err)
	}
	comes("placed", "web-0 Reserved Simulated dc-east  ", "web-1 Reserved Simulated dc-east  ")
	if err := running.Upsert(t.Context(), "east-1", delivery.Instance{Namespace: "list-prod", Application: "teller", Component: "web", Seat: "web-1", Host: "h1", IP: "10.1.0.1", UID: "u1", State: "Running"}); err != nil {
		t.Fatal(err)
	}
	comes("seen to run", "web-0 Reserved Simulated dc-east  ", "web-1 Running Simulated dc-east h1 10.1.0.1")
	m := machinesOf("cmdb", 1001)
	m.Namespace, m.Spec.ObservedAt = "list-prod", metav1.Now()
	if err := c.Create(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	comes("imported", "web-0 Reserved Simulated dc-east  ", "web-1 Running Simulated dc-east h1 10.1.0.1", "web-1001 Running Real dc-east vm1001 10.9.0.1001")
	if err := running.Remove(t.Context(), "east-1", "u1"); err != nil {
		t.Fatal(err)
	}
	p.Status.Conditions = []metav1.Condition{{Type: "Reserved", Status: metav1.ConditionFalse, Reason: "Retired", LastTransitionTime: metav1.Now()}}
	if err := c.Status().Update(t.Context(), &p); err != nil {
		t.Fatal(err)
	}
	comes("retired", "web-1001 Running Real dc-east vm1001 10.9.0.1001")
	head, err := list.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What does not change has no number.
	p.Annotations = map[string]string{"note": "x"}
	if err := c.Update(t.Context(), &p); err != nil {
		t.Fatal(err)
	}
	<-time.After(2 * time.Second)
	if again, err := list.Head(t.Context()); err != nil || again != head {
		t.Errorf("nothing changed, and the sequence went from %d to %d: %v", head, again, err)
	}
}
