// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/delivery/deliverytest"
)

func TestFeed(t *testing.T) {
	w := newWorld(t, server, server)
	b := w.build("feed").Service("account", "v1", 2)
	key := w.store(b)
	w.settle(key, v1alpha1.ConditionApplied, "True", "")
	workload := b.Delivery.Spec.Workloads[0]
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: w.member.MemberName + "-biz-1", Labels: map[string]string{
		"fleet.fairway.cloud/rack": "east-a", "fairway.node-restriction.kubernetes.io/pool": "retail-business",
	}}}
	w.must(w.plain().Create(t.Context(), node))
	pod := w.pod(b, workload, "a", true)
	w.must(w.plain().SubResource("binding").Create(t.Context(), pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node.Name}}))

	sink := &deliverytest.Sink{}
	(&Feed{Hub: w.hub, Members: w.source, Sink: sink}).Start()
	cluster := w.member.MemberName
	has := func(name string, check func(delivery.Instance) bool) {
		t.Helper()
		eventually(t, func() error {
			_, _ = w.reconcile(key)
			for _, instance := range sink.Instances(cluster) {
				if instance.Pod == name && instance.PodNamespace == b.Delivery.Spec.Namespace && check(instance) {
					return nil
				}
			}
			return errorf("instances: %+v", sink.Instances(cluster))
		})
	}
	has("a", func(i delivery.Instance) bool {
		return i.Seat == "account-1" && i.Namespace == "retail-prod" && i.Component == "account" && i.Host == node.Name &&
			i.Rack == "east-a" && i.Pool == "retail-business" && i.Zone == "business" && i.DCN == "dcn-1" && i.Cluster == cluster &&
			i.State == "Running" && i.Ready && i.Revision == b.Delivery.Spec.Revision
	})

	// A new one comes, the host is lost, it returns, one goes.
	second := w.pod(b, workload, "b", false)
	has("b", func(i delivery.Instance) bool { return i.Seat == "account-2" && !i.Ready })
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}}
	w.must(w.plain().Status().Update(t.Context(), node))
	has("a", func(i delivery.Instance) bool { return i.State == "Lost" && !i.Ready })
	node.Status.Conditions[0].Status = corev1.ConditionTrue
	w.must(w.plain().Status().Update(t.Context(), node))
	has("a", func(i delivery.Instance) bool { return i.State == "Running" })
	w.must(w.plain().Delete(t.Context(), second))
	eventually(t, func() error {
		if _, there := sink.Instances(cluster)[string(second.UID)]; there {
			return errorf("an instance that is gone is still listed")
		}
		return nil
	})

	// The member goes away and returns.
	w.source.Cut(cluster)
	has("a", func(i delivery.Instance) bool { return i.State == "Unknown" && !i.Ready })
	w.source.Heal(cluster)
	has("a", func(i delivery.Instance) bool { return i.State == "Running" })
}
