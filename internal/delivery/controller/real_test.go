// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery/deliverytest"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

// everything adds one object of each kind that an application may be rendered to.
func everything(b *deliverytest.Builder) *deliverytest.Builder {
	namespace := b.Delivery.Spec.Namespace
	for _, text := range []string{
		`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"app"},"automountServiceAccountToken":false}`,
		`{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"deny"},"spec":{"podSelector":{},"policyTypes":["Ingress","Egress"]}}`,
		`{"apiVersion":"v1","kind":"Service","metadata":{"name":"account"},"spec":{"type":"NodePort","selector":{"a":"b"},"ports":[{"name":"http","port":80,"targetPort":8080}]}}`,
		`{"apiVersion":"v1","kind":"Service","metadata":{"name":"headless"},"spec":{"clusterIP":"None","selector":{"a":"b"},"ports":[{"name":"http","port":80}]}}`,
		`{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"account"},"spec":{"maxUnavailable":1,"selector":{"matchLabels":{"app.fairway.cloud/component":"account"}}}}`,
		`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"shared"},"spec":{"accessModes":["ReadWriteMany"],"storageClassName":"shared","resources":{"requests":{"storage":"1Gi"}}}}`,
		`{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"job"},"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"r/a:1"}]}}}}`,
		`{"apiVersion":"batch/v1","kind":"CronJob","metadata":{"name":"nightly"},"spec":{"schedule":"0 3 * * *","timeZone":"Etc/UTC","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"a","image":"r/a:1"}]}}}}}}`,
		fmt.Sprintf(`{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"channel"},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":%q},"minReplicas":2,"maxReplicas":5,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":60}}}]}}`, b.WorkloadName("Deployment", "channel", "v1")),
	} {
		object := map[string]any{}
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			panic(err)
		}
		metadata := object["metadata"].(map[string]any)
		metadata["namespace"] = namespace
		metadata["labels"] = map[string]any{appv1.LabelManagedBy: appv1.ManagedBy}
		b.Object(object)
	}
	return b
}

// Kubernetes' own controllers write on our objects all the time. None of it is drift,
// a second release changes only what it changes, and all of it can be taken out: with
// no more rights than the account that banks give the hub.
func TestAmongKubernetesControllers(t *testing.T) {
	fleet := kubetest.StartFleet(t, []string{"hub", "member"}, kubetest.WithScheme(scheme), kubetest.WithCRDs(), kubetest.WithManifests("config/member"), kubetest.WithControllerManager())
	w := newWorldAs(t, fleet["hub"], fleet["member"], fleet["member"].UserConfig(t, "fairway"))
	w.run(fleet["hub"])
	b := everything(w.build("real").Service("account", "v1", 3).Service("channel", "v1", 2).Stateful("ledger", "v1", 2))
	key := w.store(b)
	namespace := b.Delivery.Spec.Namespace
	w.kubelet(namespace)
	w.reaches(key, v1alpha1.ConditionReady, func(*v1alpha1.Delivery) bool { return true })
	w.idle(key)

	// Another template of account, beside the old; then fewer of it, then none.
	channel, _ := get(w, &appsv1.Deployment{}, namespace, b.WorkloadName("Deployment", "channel", "v1"))
	old := b.Delivery.Spec.Workloads[0]
	b = everything(w.build("real").Release(2).Service("account", "v1", 3).Service("channel", "v1", 2).Stateful("ledger", "v2", 2).Service("account", "v2", 3))
	w.store(b)
	w.reaches(key, v1alpha1.ConditionReady, func(d *v1alpha1.Delivery) bool {
		return d.Status.ObservedRelease == "release-2" && d.Status.Workloads[3].Ready == 3 && d.Status.Workloads[2].Updated == 2
	})
	fewer := everything(w.build("real").Release(2).Service("account", "v1", 3).Service("channel", "v1", 2).Stateful("ledger", "v2", 2).Service("account", "v2", 3))
	fewer.Delivery.Spec.Workloads[0].Replicas, fewer.Delivery.Spec.Workloads[0].Seats = 1, []int32{2}
	w.store(fewer)
	w.reaches(key, v1alpha1.ConditionReady, func(d *v1alpha1.Delivery) bool { return d.Status.Workloads[0].Instances == 1 })
	pods := w.podsOf(namespace, old)
	if len(pods) != 1 || pods[0].Labels[appv1.LabelSeat] != "account-2" {
		t.Errorf("of the old instances, others stay than the one on seat 2: %v", seatsOf(pods))
	}
	w.store(everything(w.build("real").Release(2).Service("channel", "v1", 2).Stateful("ledger", "v2", 2).Service("account", "v2", 3)))
	d := w.reaches(key, v1alpha1.ConditionReady, func(d *v1alpha1.Delivery) bool { return len(d.Status.Workloads) == 3 })
	if got := seatsOf(w.podsOf(namespace, d.Spec.Workloads[2])); fmt.Sprint(got) != "[account-1 account-2 account-3]" {
		t.Errorf("the new instances sit on %v", got)
	}
	w.idle(key)

	// An autoscaler's count is left alone, also when the object is applied again.
	if after, _ := get(w, &appsv1.Deployment{}, namespace, channel.Name); after.Generation != channel.Generation {
		t.Errorf("channel was written: generation %d, then %d", channel.Generation, after.Generation)
	}
	scale := &appsv1.Deployment{}
	scale.Namespace, scale.Name = namespace, channel.Name
	w.must(w.plain().Patch(t.Context(), channel.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":4,"paused":true}}`))))
	eventually(t, func() error {
		now, _ := get(w, &appsv1.Deployment{}, namespace, channel.Name)
		if now.Spec.Paused || *now.Spec.Replicas != 4 {
			return errorf("channel is paused: %v, replicas %d, want not paused and 4", now.Spec.Paused, *now.Spec.Replicas)
		}
		return nil
	})
	w.idle(key)

	// Everything goes.
	w.store(w.build("real").Release(3).Retire())
	w.reaches(key, v1alpha1.ConditionReady, func(d *v1alpha1.Delivery) bool { return d.Status.ObservedRelease == "release-3" })
	if _, there := get(w, &corev1.Namespace{}, "", namespace); there {
		t.Error("the namespace is still there")
	}
	w.idle(key)
}

// idle fails if anything is written while nothing happens.
func (w *world) idle(key client.ObjectKey) {
	w.t.Helper()
	var writes int64
	var before *v1alpha1.Delivery
	eventually(w.t, func() error { // let it come to rest
		writes, before = w.writes.Load(), w.delivery(key)
		time.Sleep(time.Second) // resting is what is tested
		if w.writes.Load() != writes || w.delivery(key).ResourceVersion != before.ResourceVersion {
			return errorf("it does not come to rest: %v", w.said[writes:])
		}
		return nil
	})
	w.links.wakeAll(w.member.MemberName)
	time.Sleep(2 * time.Second)
	if now := w.writes.Load(); now != writes {
		w.t.Errorf("an idle fleet wrote %d times: %v", now-writes, w.said[writes:])
	}
	if w.delivery(key).ResourceVersion != before.ResourceVersion {
		w.t.Error("an idle fleet wrote a status")
	}
}

// kubelet makes every pod of a namespace ready, and lets those go that are deleted.
func (w *world) kubelet(namespace string) {
	w.t.Helper()
	plain := w.plain()
	stop, done := make(chan struct{}), make(chan struct{})
	ctx := w.t.Context()
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			pods := &corev1.PodList{}
			if plain.List(ctx, pods, client.InNamespace(namespace)) != nil {
				continue
			}
			for i := range pods.Items {
				pod := &pods.Items[i]
				if pod.DeletionTimestamp != nil || len(pod.Status.Conditions) > 0 || pod.Labels[appv1.LabelComponent] == "" {
					continue
				}
				before := pod.DeepCopy()
				pod.Status.Phase = corev1.PodRunning
				pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
				_ = plain.Status().Patch(ctx, pod, client.MergeFrom(before))
			}
		}
	}()
	w.t.Cleanup(func() { close(stop); <-done })
}

func (w *world) podsOf(namespace string, workload v1alpha1.Workload) []corev1.Pod {
	w.t.Helper()
	pods := &corev1.PodList{}
	w.must(w.plain().List(w.t.Context(), pods, client.InNamespace(namespace), client.MatchingLabels{
		appv1.LabelComponent: workload.Component, appv1.LabelTemplate: workload.Template[7:15],
	}))
	var staying []corev1.Pod
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil {
			staying = append(staying, pod)
		}
	}
	return staying
}
