// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func init() { ctrl.SetLogger(logr.Discard()) }

func scheme() *runtime.Scheme {
	made := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, identityv1.AddToScheme} {
		if err := add(made); err != nil {
			panic(err)
		}
	}
	return made
}

func TestMain(m *testing.M) {
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(scheme())))
}

func person(id string, spec identityv1.PersonSpec) *identityv1.Person {
	return &identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: id}, Spec: spec}
}

// own is Fairway's own account, which writes what two agreed to.
func own(t *testing.T) client.Client { return hub.UserClient(t, "fairway", "fairway:system") }

// settle waits until the condition Ready of a person has the reason.
func settle(t *testing.T, id, reason string) {
	t.Helper()
	var last error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		got := &identityv1.Person{}
		if last = hub.Client().Get(t.Context(), client.ObjectKey{Name: id}, got); last != nil {
			continue
		}
		ready := meta.FindStatusCondition(got.Status.Conditions, "Ready")
		if ready != nil && ready.Reason == reason && ready.ObservedGeneration == got.Generation {
			return
		}
		last = fmt.Errorf("Ready is %+v", ready)
	}
	t.Fatalf("%s: waited for %s in vain: %v", id, reason, last)
}

// The controller runs under Fairway's own account, with the rights and policies
// that an installation has.
func TestStanding(t *testing.T) {
	skip := true
	mgr, err := ctrl.NewManager(hub.UserConfig(t, "fairway", "fairway:system"), ctrl.Options{
		Scheme: scheme(), Metrics: metricsserver.Options{BindAddress: "0"}, Logger: logr.Discard(), Controller: config.Controller{SkipNameValidation: &skip},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Reconciler{Hub: mgr.GetClient(), Now: time.Now}).SetupWithManager(mgr); err != nil {
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

	end := metav1.NewTime(time.Now().Add(3 * time.Second))
	shared := identityv1.PersonSpec{Logins: []identityv1.Login{{Provider: "ldap", Login: "wang"}}}
	for _, p := range []*identityv1.Person{person("c1", shared), person("c2", identityv1.PersonSpec{}), person("c3", identityv1.PersonSpec{ValidUntil: &end})} {
		if err := own(t).Create(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, "c1", "Active")
	// A second one with the same login: both are told, the first without anybody touching him.
	second := person("c4", shared)
	if err := own(t).Create(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	settle(t, "c1", "LoginShared")
	settle(t, "c4", "LoginShared")
	if err := own(t).Patch(t.Context(), second, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"logins":null}}`))); err != nil {
		t.Fatal(err)
	}
	settle(t, "c1", "Active")
	settle(t, "c3", "Expired")

	// An idle bank costs no mutating request.
	before := &identityv1.PersonList{}
	if err := hub.Client().List(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Reconciler{Hub: hub.Client(), Now: time.Now}).Reconcile(t.Context(), everybody); err != nil {
		t.Fatal(err)
	}
	after := &identityv1.PersonList{}
	if err := hub.Client().List(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	for i := range before.Items {
		if before.Items[i].ResourceVersion != after.Items[i].ResourceVersion {
			t.Errorf("%s was written although nothing changed", before.Items[i].Name)
		}
	}
}
