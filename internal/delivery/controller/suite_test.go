// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/delivery/deliverytest"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/members/memberstest"
)

// server is hub and member at once: namespaces keep them apart.
var server *kubetest.Cluster

var scheme = runtime.NewScheme()

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, releasev1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	os.Exit(kubetest.Main(m, &server, kubetest.WithCRDs(), kubetest.WithScheme(scheme)))
}

// world is a reconciler with a hub and one member, and what tests ask of it.
type world struct {
	*Reconciler
	t      *testing.T
	hub    client.Client
	source *memberstest.Source
	member *memberstest.Member
	admin  *rest.Config // somebody else's way to the member
	// fault is called before each write to the member; an error keeps it from happening.
	fault  func(verb string, object client.Object) error
	writes atomic.Int64
	said   []string // what was written to the member
	ledger *ledger
	gate   *gate
}

var worlds atomic.Int64

// newWorld makes a world whose member is called as the test is numbered.
func newWorld(t *testing.T, hub, member *kubetest.Cluster) *world {
	t.Helper()
	if hub == nil {
		t.Skip("a real API server is left out under -short")
	}
	return newWorldAs(t, hub, member, member.Config())
}

// newWorldAs makes one that reaches its member with the given rights.
func newWorldAs(t *testing.T, hub, member *kubetest.Cluster, rights *rest.Config) *world {
	t.Helper()
	name := fmt.Sprintf("east-%d", worlds.Add(1))
	w := &world{t: t, hub: hub.Client(), admin: member.Config(), ledger: &ledger{}, gate: &gate{}}
	w.source = memberstest.New(t)
	w.member = w.source.Add(name, rights)
	w.member.MemberClient = w.counted(w.member.MemberClient.(client.WithWatch))
	w.Reconciler = &Reconciler{
		Hub: w.hub, Renderings: w.hub, Members: w.source, Fence: memberstest.Open{},
		Gate: w.gate, Recorder: w.ledger, Epoch: func() int64 { return 1 },
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "fairway-cluster-" + name}}
	if err := w.hub.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return w
}

// restarted is the same world after kill -9: nothing in memory is left.
func (w *world) restarted() {
	r := w.Reconciler
	w.Reconciler = &Reconciler{Hub: r.Hub, Renderings: r.Renderings, Members: r.Members, Fence: r.Fence, Gate: r.Gate, Recorder: r.Recorder, Epoch: r.Epoch}
}

func (w *world) build(application string) *deliverytest.Builder {
	return deliverytest.New(w.member.MemberName, "retail-prod", application+"-"+w.member.MemberName)
}

// counted counts writes to the member and lets faults happen.
func (w *world) counted(c client.WithWatch) client.Client {
	write := func(verb string, o client.Object) error {
		w.writes.Add(1)
		name := ""
		if o != nil {
			name = o.GetName()
		}
		w.said = append(w.said, verb+" "+name)
		if w.fault != nil {
			return w.fault(verb, o)
		}
		return nil
	}
	return interceptor.NewClient(c, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := write("create", o); err != nil {
				return err
			}
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			if err := write("update", o); err != nil {
				return err
			}
			return c.Update(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if err := write("patch", o); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			object, _ := o.(client.Object)
			if err := write("apply", object); err != nil {
				return err
			}
			return c.Apply(ctx, o, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if err := write("delete", o); err != nil {
				return err
			}
			return c.Delete(ctx, o, opts...)
		},
		SubResourceCreate: func(ctx context.Context, c client.Client, sub string, o, s client.Object, opts ...client.SubResourceCreateOption) error {
			if err := write(sub, o); err != nil {
				return err
			}
			return c.SubResource(sub).Create(ctx, o, s, opts...)
		},
	})
}

// store writes what a builder built to the hub, as the Release controller would.
func (w *world) store(b *deliverytest.Builder) client.ObjectKey {
	w.t.Helper()
	d, renderings := b.Build()
	for _, rendering := range renderings {
		if err := w.hub.Create(w.t.Context(), rendering); err != nil && !apierrors.IsAlreadyExists(err) {
			w.t.Fatal(err)
		}
	}
	stored := &v1alpha1.Delivery{}
	err := w.hub.Get(w.t.Context(), client.ObjectKeyFromObject(d), stored)
	if apierrors.IsNotFound(err) {
		if err := w.hub.Create(w.t.Context(), d); err != nil {
			w.t.Fatal(err)
		}
		return client.ObjectKeyFromObject(d)
	}
	stored.Spec = d.Spec
	if err := w.hub.Update(w.t.Context(), stored); err != nil {
		w.t.Fatal(err)
	}
	return client.ObjectKeyFromObject(d)
}

func (w *world) delivery(key client.ObjectKey) *v1alpha1.Delivery {
	w.t.Helper()
	d := &v1alpha1.Delivery{}
	if err := w.hub.Get(w.t.Context(), key, d); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// reconcile runs one round.
func (w *world) reconcile(key client.ObjectKey) (ctrl.Result, error) {
	w.t.Helper()
	return w.Reconcile(w.t.Context(), w.delivery(key))
}

// settle runs rounds until the condition holds.
func (w *world) settle(key client.ObjectKey, condition, status, reason string) *v1alpha1.Delivery {
	w.t.Helper()
	var d *v1alpha1.Delivery
	var last error
	eventually(w.t, func() error {
		_, last = w.reconcile(key)
		d = w.delivery(key)
		c := meta.FindStatusCondition(d.Status.Conditions, condition)
		if c == nil || string(c.Status) != status || reason != "" && c.Reason != reason {
			return fmt.Errorf("want %s=%s (%s), have %+v; last error: %v; writes: %v", condition, status, reason, d.Status.Conditions, last, w.said)
		}
		return nil
	})
	return d
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// get reads an object of the member, or says that it is not there.
func get[T client.Object](w *world, object T, namespace, name string) (T, bool) {
	w.t.Helper()
	err := w.member.MemberClient.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object)
	if apierrors.IsNotFound(err) {
		return object, false
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return object, true
}

// pod makes a pod as the workload's controller would.
func (w *world) pod(b *deliverytest.Builder, workload v1alpha1.Workload, name string, ready bool) *corev1.Pod {
	w.t.Helper()
	controller := true
	kind, parent := "ReplicaSet", workload.Name+"-abc"
	if workload.Kind == "StatefulSet" {
		kind, parent = "StatefulSet", workload.Name
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: b.Delivery.Spec.Namespace, Name: name,
			Labels: map[string]string{
				appv1.LabelManagedBy: appv1.ManagedBy, appv1.LabelComponent: workload.Component,
				appv1.LabelCell: delivery.CellHash(workload.Cell), appv1.LabelTemplate: workload.Template[7:15],
				appv1.LabelTenant: "retail", appv1.LabelEnvironment: "prod", appv1.LabelApplication: "bank", appv1.LabelDCN: workload.Cell.DCN,
			},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: parent, UID: types.UID("owner-" + parent), Controller: &controller}},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.test/main:1"}}},
	}
	plain := w.plain()
	if err := plain.Create(w.t.Context(), pod); err != nil {
		w.t.Fatal(err)
	}
	w.setReady(pod, ready)
	return pod
}

func (w *world) setReady(pod *corev1.Pod, ready bool) {
	w.t.Helper()
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	before := pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
	w.must(w.plain().Status().Patch(w.t.Context(), pod, client.MergeFrom(before)))
}

// plain is somebody else's client to the member.
func (w *world) plain() client.Client {
	w.t.Helper()
	c, err := client.New(w.admin, client.Options{Scheme: scheme})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// ledger is a Recorder that keeps what it is told.
type ledger struct {
	mu       sync.Mutex
	acts     []audit.Act
	outcomes []audit.Outcome
	away     error
}

func (l *ledger) Intent(_ context.Context, act audit.Act) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		return "", l.away
	}
	l.acts = append(l.acts, act)
	return fmt.Sprint(len(l.acts)), nil
}

func (l *ledger) Outcome(_ context.Context, _ string, outcome audit.Outcome) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcomes = append(l.outcomes, outcome)
	return nil
}

// gate allows everything but the verbs that it is told to refuse.
type gate struct {
	refuse map[string]string
	asked  []string
}

func (g *gate) Check(_ context.Context, act approval.Act) (approval.Verdict, error) {
	g.asked = append(g.asked, act.Verb+" "+act.Subject)
	if reason, refused := g.refuse[act.Verb]; refused {
		return approval.Verdict{Reason: reason}, nil
	}
	return approval.Verdict{Allowed: true, Reason: "allowed in tests"}, nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

func contains(list []string, prefix string) bool {
	for _, item := range list {
		if len(item) >= len(prefix) && item[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}

// seats says how the pods' seats differ from what is wanted.
func (w *world) seats(b *deliverytest.Builder, want map[string]string) error {
	w.t.Helper()
	for name, seat := range want {
		pod, there := get(w, &corev1.Pod{}, b.Delivery.Spec.Namespace, name)
		if !there || pod.Labels[appv1.LabelSeat] != seat {
			return fmt.Errorf("pod %s sits on %q, want %q", name, pod.Labels[appv1.LabelSeat], seat)
		}
	}
	return nil
}

// crdScheme is scheme with CustomResourceDefinitions, for tests that delete them.
func crdScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, releasev1.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}
