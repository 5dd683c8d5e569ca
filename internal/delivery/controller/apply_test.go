// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

func TestFirstDeliveryThenIdle(t *testing.T) {
	w := newWorld(t, server, server)
	b := w.build("first").Service("account", "v1", 2).Stateful("ledger", "v1", 1)
	key := w.store(b)

	d := w.settle(key, v1alpha1.ConditionApplied, "True", "Applied")
	if d.Status.ObservedRelease != d.Spec.Release || d.Status.ObservedGeneration != d.Generation {
		t.Errorf("the status speaks of release %q, generation %d", d.Status.ObservedRelease, d.Status.ObservedGeneration)
	}
	deployment, _ := get(w, &appsv1.Deployment{}, d.Spec.Namespace, d.Spec.Workloads[0].Name)
	if deployment.Spec.Replicas == nil || *deployment.Spec.Replicas != 2 {
		t.Errorf("the Deployment has %v replicas, want 2", deployment.Spec.Replicas)
	}
	if len(w.ledger.acts) == 0 || len(w.ledger.acts) != len(w.ledger.outcomes) {
		t.Errorf("evidence holds %d intents and %d outcomes", len(w.ledger.acts), len(w.ledger.outcomes))
	}

	writes, acts, version := w.writes.Load(), len(w.ledger.acts), d.ResourceVersion
	for range 5 {
		if _, err := w.reconcile(key); err != nil {
			t.Fatal(err)
		}
	}
	w.restarted()
	for range 5 {
		if _, err := w.reconcile(key); err != nil {
			t.Fatal(err)
		}
	}
	if now := w.writes.Load(); now != writes {
		t.Errorf("an idle delivery wrote %d times to the member: %v", now-writes, w.said[writes:])
	}
	if len(w.ledger.acts) != acts {
		t.Errorf("an idle delivery made %d acts", len(w.ledger.acts)-acts)
	}
	if now := w.delivery(key).ResourceVersion; now != version {
		t.Errorf("an idle delivery's status was written: version %s, then %s", version, now)
	}
}

func TestChangeLeavesTheRestAlone(t *testing.T) {
	w := newWorld(t, server, server)
	key := w.store(w.build("change").Service("account", "v1", 2).Service("channel", "v1", 1))
	before := w.settle(key, v1alpha1.ConditionApplied, "True", "")
	channel, _ := get(w, &appsv1.Deployment{}, before.Spec.Namespace, before.Spec.Workloads[1].Name)

	// Both templates of account run for a while.
	w.store(w.build("change").Release(2).Service("account", "v1", 2).Service("channel", "v1", 1).Service("account", "v2", 2))
	d := w.settle(key, v1alpha1.ConditionApplied, "True", "")
	if d.Status.ObservedRelease != "release-2" {
		t.Errorf("the status speaks of %q", d.Status.ObservedRelease)
	}
	if _, there := get(w, &appsv1.Deployment{}, d.Spec.Namespace, d.Spec.Workloads[2].Name); !there {
		t.Error("the new template has no Deployment")
	}

	// Then the old one goes.
	w.store(w.build("change").Release(2).Service("channel", "v1", 1).Service("account", "v2", 2))
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	if _, there := get(w, &appsv1.Deployment{}, d.Spec.Namespace, before.Spec.Workloads[0].Name); there {
		t.Error("the old template's Deployment is still there")
	}
	after, _ := get(w, &appsv1.Deployment{}, before.Spec.Namespace, before.Spec.Workloads[1].Name)
	if after.ResourceVersion != channel.ResourceVersion {
		t.Error("channel was written although nothing of it changed")
	}
	if !contains(w.gate.asked, "delivery.delete Deployment/") {
		t.Errorf("the Gate was not asked before the delete: %v", w.gate.asked)
	}
}

func TestScale(t *testing.T) {
	w := newWorld(t, server, server)
	b := w.build("scale").Service("account", "v1", 3)
	key := w.store(b)
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	workload := b.Delivery.Spec.Workloads[0]
	for _, name := range []string{"a", "b", "c"} {
		w.pod(b, workload, name, true)
	}
	eventually(t, func() error {
		if _, err := w.reconcile(key); err != nil {
			return err
		}
		return w.seats(b, map[string]string{"a": "account-1", "b": "account-2", "c": "account-3"})
	})

	w.store(w.build("scale").Release(2).Service("account", "v1", 2))
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	deployment, _ := get(w, &appsv1.Deployment{}, b.Delivery.Spec.Namespace, workload.Name)
	if *deployment.Spec.Replicas != 2 {
		t.Errorf("the Deployment has %d replicas, want 2", *deployment.Spec.Replicas)
	}
	for name, want := range map[string]string{"a": "", "b": "", "c": "-1000"} {
		p, _ := get(w, &corev1.Pod{}, b.Delivery.Spec.Namespace, name)
		if got := p.Annotations["controller.kubernetes.io/pod-deletion-cost"]; got != want {
			t.Errorf("pod %s has deletion cost %q, want %q: seat 3 is to go first", name, got, want)
		}
	}
	if !contains(w.gate.asked, "delivery.scale-down Deployment/") {
		t.Errorf("the Gate was not asked before instances go: %v", w.gate.asked)
	}
}

func TestDriftIsPutBack(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(w *world, namespace, name string)
		check  func(d *appsv1.Deployment) bool
	}{
		"Value": {
			reason: "a changed image is put back",
			change: func(w *world, namespace, name string) {
				d, _ := get(w, &appsv1.Deployment{}, namespace, name)
				d.Spec.Template.Spec.Containers[0].Image = "evil.test/x:1"
				w.must(w.plain().Update(w.t.Context(), d))
			},
			check: func(d *appsv1.Deployment) bool {
				return d.Spec.Template.Spec.Containers[0].Image == "registry.test/account:v1"
			},
		},
		"Sidecar": {
			reason: "an added container is taken away",
			change: func(w *world, namespace, name string) {
				d, _ := get(w, &appsv1.Deployment{}, namespace, name)
				d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "miner", Image: "evil.test/miner:1"})
				w.must(w.plain().Update(w.t.Context(), d))
			},
			check: func(d *appsv1.Deployment) bool { return len(d.Spec.Template.Spec.Containers) == 1 },
		},
		"Scaled": {
			reason: "a changed count is put back",
			change: func(w *world, namespace, name string) {
				d, _ := get(w, &appsv1.Deployment{}, namespace, name)
				w.must(w.plain().Patch(w.t.Context(), d, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":9}}`))))
			},
			check: func(d *appsv1.Deployment) bool { return *d.Spec.Replicas == 2 },
		},
		"Annotated": {
			reason: "a restart past the one door is taken back",
			change: func(w *world, namespace, name string) {
				d, _ := get(w, &appsv1.Deployment{}, namespace, name)
				w.must(w.plain().Patch(w.t.Context(), d, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`))))
			},
			check: func(d *appsv1.Deployment) bool { return len(d.Spec.Template.Annotations) == 0 },
		},
		"Unlabelled": {
			reason: "a label that was taken away, so that the cache loses the object, comes back",
			change: func(w *world, namespace, name string) {
				d, _ := get(w, &appsv1.Deployment{}, namespace, name)
				delete(d.Labels, appv1.LabelManagedBy)
				w.must(w.plain().Update(w.t.Context(), d))
			},
			check: func(d *appsv1.Deployment) bool { return d.Labels[appv1.LabelManagedBy] == appv1.ManagedBy },
		},
		"Deleted": {
			reason: "a deleted object is made again",
			change: func(w *world, namespace, name string) {
				d, _ := get(w, &appsv1.Deployment{}, namespace, name)
				w.must(w.plain().Delete(w.t.Context(), d))
			},
			check: func(d *appsv1.Deployment) bool { return d.UID != "" },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, server, server)
			key := w.store(w.build("drift").Service("account", "v1", 2))
			d := w.settle(key, v1alpha1.ConditionApplied, "True", "")
			before := len(w.ledger.acts)
			tc.change(w, d.Spec.Namespace, d.Spec.Workloads[0].Name)
			eventually(t, func() error {
				_, err := w.reconcile(key)
				if err != nil {
					return err
				}
				deployment, there := get(w, &appsv1.Deployment{}, d.Spec.Namespace, d.Spec.Workloads[0].Name)
				if !there || !tc.check(deployment) {
					return errorf("%s: %+v", tc.reason, deployment)
				}
				return nil
			})
			var told string
			for _, act := range w.ledger.acts[before:] {
				told += strings.Join(act.Details, "\n")
			}
			if !strings.Contains(told, "put back") {
				t.Errorf("evidence does not tell of what was put back: %s", told)
			}
			w.settle(key, v1alpha1.ConditionApplied, "True", "")
			writes := w.writes.Load()
			for range 4 {
				_, _ = w.reconcile(key)
			}
			if now := w.writes.Load(); now != writes {
				t.Errorf("after it was put back, %d more writes: %v", now-writes, w.said[writes:])
			}
		})
	}
}

func TestKubernetesOwnBookkeepingIsNoDrift(t *testing.T) {
	w := newWorld(t, server, server)
	key := w.store(w.build("books").Service("account", "v1", 2))
	d := w.settle(key, v1alpha1.ConditionApplied, "True", "")
	writes := w.writes.Load()
	deployment, _ := get(w, &appsv1.Deployment{}, d.Spec.Namespace, d.Spec.Workloads[0].Name)
	deployment.Annotations = map[string]string{"deployment.kubernetes.io/revision": "1"}
	w.must(w.plain().Update(t.Context(), deployment))
	deployment.Status.Replicas, deployment.Status.ObservedGeneration = 2, deployment.Generation
	w.must(w.plain().Status().Update(t.Context(), deployment))
	for range 5 {
		if _, err := w.reconcile(key); err != nil {
			t.Fatal(err)
		}
	}
	if now := w.writes.Load(); now != writes {
		t.Errorf("%d writes against Kubernetes' own controllers: %v", now-writes, w.said[writes:])
	}
}
