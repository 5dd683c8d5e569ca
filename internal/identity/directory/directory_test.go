// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package directory

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
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
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithScheme(scheme())))
}

func person(id string) *identityv1.Person {
	return &identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: id}, Spec: identityv1.PersonSpec{
		Logins: []identityv1.Login{{Provider: "local", Login: id}}, Groups: []string{"staff"},
	}}
}

// watching is a Directory on a cache, as the server has it.
func watching(t *testing.T, now func() time.Time) *Directory {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	kept, err := cache.New(hub.UserConfig(t, "admin", "system:masters"), cache.Options{Scheme: scheme()})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	d := New(kept, hub.Client(), now)
	if err := d.Watch(ctx, kept); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- kept.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	if !kept.WaitForCacheSync(ctx) {
		t.Fatal("the cache was not filled")
	}
	return d
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s: %v", what, err)
		}
	}
}

func TestPeopleComeAndGo(t *testing.T) {
	d := watching(t, time.Now)
	claim := identity.Claim{Provider: "local", Login: "w1"}
	if _, err := d.Resolve(t.Context(), claim); !errors.Is(err, identity.ErrNobody) {
		t.Fatalf("a stranger came in: %v", err)
	}
	w1 := person("w1")
	if err := hub.Client().Create(t.Context(), w1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new person comes in", func() error {
		got, err := d.Resolve(t.Context(), claim)
		if err == nil && (got.ID != "w1" || len(got.Groups) != 1) {
			t.Fatalf("%+v", got)
		}
		return err
	})
	w1.Spec.State = identityv1.StateDisabled
	if err := hub.Client().Update(t.Context(), w1); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, "a disabled person is out", func() error {
		if _, err := d.Current(t.Context(), "w1", nil); !errors.Is(err, identity.ErrDisabled) {
			return errors.New("still in")
		}
		return nil
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s, wanted at most 5 s", took)
	}
}

// A Person that the cache does not know yet is looked for on the hub itself, at
// most once a second.
func TestNobodyIsAskedOfTheHub(t *testing.T) {
	hub.Needed(t)
	now := time.Now()
	empty := New(nothing{}, hub.Client(), func() time.Time { return now })
	if err := hub.Client().Create(t.Context(), person("late")); err != nil {
		t.Fatal(err)
	}
	if got, err := empty.Resolve(t.Context(), identity.Claim{Provider: "local", Login: "late"}); err != nil || got.ID != "late" {
		t.Errorf("%v %v", got, err)
	}
	if _, err := empty.Resolve(t.Context(), identity.Claim{Provider: "local", Login: "late"}); !errors.Is(err, identity.ErrNobody) {
		t.Errorf("the hub was asked twice in one second: %v", err)
	}
	now = now.Add(time.Second)
	if _, err := empty.Current(t.Context(), "late", nil); err != nil {
		t.Error(err)
	}
}

// While people change all the time they are indexed a few times a second, and what
// changed counts soon after.
func TestManyChangesAreTakenTogether(t *testing.T) {
	now, lists := time.Now(), 0
	d := New(counted{&lists}, nil, func() time.Time { return now })
	d.watched = true
	for range 1000 {
		d.forget()
		if _, err := d.People(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Millisecond)
	}
	if lists < 4 || lists > 8 {
		t.Errorf("people were listed %d times in a second of changes", lists)
	}
	now = now.Add(calm)
	before := lists
	for range 2 {
		if _, err := d.People(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if lists != before+1 {
		t.Errorf("after the last change people were listed %d times", lists-before)
	}
}

// counted counts the lists of people.
type counted struct{ people *int }

func (c counted) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("nothing is read by name")
}

func (c counted) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if _, ok := list.(*identityv1.PersonList); ok {
		*c.people++
	}
	return nil
}

// A hub that does not answer lets nobody in, and nobody is called a stranger for it.
func TestHubAway(t *testing.T) {
	d := New(away{}, away{}, time.Now)
	for range 2 {
		if _, err := d.Current(t.Context(), "p1", nil); err == nil || errors.Is(err, identity.ErrNobody) {
			t.Errorf("without the hub: %v", err)
		}
	}
}

// nothing is a cache that holds nothing.
type nothing struct{ client.Reader }

func (nothing) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// away is a hub that does not answer.
type away struct{ client.Reader }

func (away) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("connection refused")
}
