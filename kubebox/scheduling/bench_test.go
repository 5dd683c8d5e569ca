// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package scheduling measures kube-scheduler on the fleet that Fairway's own benchmark
// places into: 5,000 nodes of two sites, 10,000 pods of 100 applications.
package scheduling

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/events"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/testing/defaults"
	"k8s.io/kubernetes/pkg/scheduler/profile"
)

const (
	nodes = 5000
	pods  = 10000
)

// BenchmarkKubeScheduler schedules 10,000 pods onto 5,000 nodes with the filters that
// Fairway's decision holds, too: room and node affinity (site and pool). Nothing is
// throttled: the API is a tracker in memory, and a binding is only counted. What is
// measured is the time from the first pod in the queue to the last binding.
func BenchmarkKubeScheduler(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		ctx, cancel := context.WithCancel(context.Background())
		bound, run := start(ctx, b)
		b.StartTimer()
		run()
		for bound.Load() < pods {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		cancel()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*pods), "ns/instance")
}

func start(ctx context.Context, b *testing.B) (*atomic.Int64, func()) {
	var objects []runtime.Object
	for i := range nodes {
		objects = append(objects, node(i))
	}
	for i := range pods {
		objects = append(objects, pod(i))
	}
	client := fake.NewClientset(objects...)
	bound := &atomic.Int64{}
	client.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() == "binding" {
			bound.Add(1)
			return true, nil, nil
		}
		return false, nil, nil
	})
	client.PrependReactor("*", "events", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, nil })
	factory := informers.NewSharedInformerFactory(client, 0)
	recorder := func(string) events.EventRecorderLogger { return &events.FakeRecorder{} }
	made, err := scheduler.New(ctx, client, factory, nil, profile.RecorderFactory(recorder), scheduler.WithProfiles(schedulerProfile()))
	if err != nil {
		b.Fatal(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if err := made.WaitForHandlersSync(ctx); err != nil {
		b.Fatal(err)
	}
	return bound, func() { go made.Run(ctx) }
}

// schedulerProfile holds the filters that are compared, and kube-scheduler's own scores
// of room.
func schedulerProfile() config.KubeSchedulerProfile {
	return config.KubeSchedulerProfile{
		SchedulerName: corev1.DefaultSchedulerName,
		Plugins: &config.Plugins{
			PreEnqueue: config.PluginSet{Enabled: []config.Plugin{{Name: "SchedulingGates"}}},
			QueueSort:  config.PluginSet{Enabled: []config.Plugin{{Name: "PrioritySort"}}},
			PreFilter:  config.PluginSet{Enabled: []config.Plugin{{Name: "NodeAffinity"}, {Name: "NodeResourcesFit"}}},
			Filter:     config.PluginSet{Enabled: []config.Plugin{{Name: "NodeUnschedulable"}, {Name: "NodeAffinity"}, {Name: "NodeResourcesFit"}}},
			PreScore:   config.PluginSet{Enabled: []config.Plugin{{Name: "NodeResourcesFit"}}},
			Score:      config.PluginSet{Enabled: []config.Plugin{{Name: "NodeResourcesFit", Weight: 1}}},
			Bind:       config.PluginSet{Enabled: []config.Plugin{{Name: "DefaultBinder"}}},
		},
		PluginConfig: defaults.PluginConfigsV1,
	}
}

func node(i int) *corev1.Node {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("16"), corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i), Labels: map[string]string{
			"site": []string{"east", "west"}[i%2], "pool": "shared", corev1.LabelHostname: fmt.Sprintf("node-%d", i),
		}},
		Status: corev1.NodeStatus{Capacity: capacity, Allocatable: capacity, Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
	}
}

// pod i belongs to one of 100 applications of 4 components, half of its instances in
// each site.
func pod(i int) *corev1.Pod {
	component := i / 25 % 4
	in := func(key, value string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "retail", Name: fmt.Sprintf("pod-%d", i), UID: types.UID(fmt.Sprintf("pod-%d", i))},
		Spec: corev1.PodSpec{
			SchedulerName: corev1.DefaultSchedulerName,
			Containers: []corev1.Container{{Name: "main", Image: "app", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse(fmt.Sprintf("%dm", 250<<component)), corev1.ResourceMemory: resource.MustParse(fmt.Sprintf("%dMi", 512<<component)),
			}}}},
			Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{in("site", []string{"east", "west"}[i%2]), in("pool", "shared")}}},
			}}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
}
