// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// run lets the reconciler work by itself, as the server does.
func (w *world) run(hub *kubetest.Cluster) {
	w.t.Helper()
	skip := true
	mgr, err := ctrl.NewManager(hub.Config(), ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: &skip},
	})
	w.must(err)
	w.Hub, w.Renderings = mgr.GetClient(), mgr.GetAPIReader()
	w.Events = mgr.GetEventRecorder("fairway-delivery")
	w.must(w.SetupWithManager(mgr))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = mgr.Start(ctx) }()
	w.t.Cleanup(func() { cancel(); <-done })
}

func (w *world) reaches(key client.ObjectKey, condition string, check func(d *v1alpha1.Delivery) bool) *v1alpha1.Delivery {
	w.t.Helper()
	d := &v1alpha1.Delivery{}
	eventually(w.t, func() error {
		w.must(w.hub.Get(w.t.Context(), key, d))
		if !meta.IsStatusConditionTrue(d.Status.Conditions, condition) || !check(d) {
			return errorf("status: %+v", d.Status)
		}
		return nil
	})
	return d
}

func TestByItself(t *testing.T) {
	w := newWorld(t, server, server)
	w.run(server)
	b := w.build("alone").Service("account", "v1", 1)
	d, renderings := b.Build()

	// The Delivery comes before its renderings: their arrival wakes it.
	w.must(w.hub.Create(t.Context(), d.DeepCopy()))
	key := client.ObjectKeyFromObject(d)
	for _, rendering := range renderings {
		w.must(w.hub.Create(t.Context(), rendering))
	}
	w.reaches(key, v1alpha1.ConditionApplied, func(*v1alpha1.Delivery) bool { return true })

	// Pods wake it: seats are given, counts reported.
	workload := b.Delivery.Spec.Workloads[0]
	w.rolledOut(b.Delivery.Spec.Namespace, workload.Name, 1)
	w.pod(b, workload, "a", true)
	w.reaches(key, v1alpha1.ConditionReady, func(d *v1alpha1.Delivery) bool { return d.Status.Workloads[0].Ready == 1 })
	w.must(w.seats(b, map[string]string{"a": "account-1"}))

	// Nothing happens: nothing is written, to the member or to the hub.
	before, writes := w.delivery(key), w.writes.Load()
	time.Sleep(3 * time.Second) // idling is what is tested
	w.links.wakeAll(w.member.MemberName)
	time.Sleep(time.Second)
	if now := w.writes.Load(); now != writes {
		t.Errorf("an idle fleet wrote %d times: %v", now-writes, w.said[writes:])
	}
	if now := w.delivery(key); now.ResourceVersion != before.ResourceVersion {
		t.Errorf("an idle fleet wrote a status: -before, +after:\n%s", cmp.Diff(before.Status, now.Status))
	}

	// Somebody changes something: it is put back at once.
	deployment, _ := get(w, &appsv1.Deployment{}, b.Delivery.Spec.Namespace, workload.Name)
	deployment.Spec.Template.Spec.Containers[0].Image = "evil.test/x:1"
	w.must(w.plain().Update(t.Context(), deployment))
	begin := time.Now()
	eventually(t, func() error {
		now, _ := get(w, &appsv1.Deployment{}, b.Delivery.Spec.Namespace, workload.Name)
		if image := now.Spec.Template.Spec.Containers[0].Image; image != "registry.test/account:v1" {
			return errorf("the image is %q", image)
		}
		return nil
	})
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("a foreign change was put back after %s, want 10s at most", took)
	}

	// The member goes away, the wish changes, it returns.
	w.source.Cut(w.member.MemberName)
	eventually(t, func() error {
		c := meta.FindStatusCondition(w.delivery(key).Status.Conditions, v1alpha1.ConditionReady)
		if c.Reason != "NotConnected" {
			return errorf("Ready is %+v", c)
		}
		return nil
	})
	w.store(w.build("alone").Release(2).Service("account", "v1", 2))
	w.source.Heal(w.member.MemberName)
	w.reaches(key, v1alpha1.ConditionApplied, func(d *v1alpha1.Delivery) bool { return d.Status.ObservedRelease == "release-2" })
}
