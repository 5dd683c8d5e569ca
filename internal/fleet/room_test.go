// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
)

func requests(cpu, memory string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
	}}
}

// only is how a DaemonSet binds its pods: a term for each host by name.
func only(hosts ...string) *corev1.Affinity {
	selector := &corev1.NodeSelector{}
	for _, h := range hosts {
		selector.NodeSelectorTerms = append(selector.NodeSelectorTerms, corev1.NodeSelectorTerm{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{h}}},
		})
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: selector}}
}

func TestPodOf(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	whole := requests("2", "1Gi")
	cases := map[string]struct {
		reason string
		spec   corev1.PodSpec
		phase  corev1.PodPhase
		labels map[string]string
		want   fleet.Pod
		none   bool
	}{
		"unscheduled": {reason: "it takes no room yet", none: true},
		"waits for its host": {
			reason: "a DaemonSet's pod names the only host that it may run on: its room is taken already",
			spec:   corev1.PodSpec{Affinity: only("h1"), Containers: []corev1.Container{{Resources: requests("100m", "64Mi")}}},
			want:   fleet.Pod{Host: "h1", Reserved: fleet.Amount{CPU: 100, Memory: 64 << 20, Instances: 1}},
		},
		"waits for one of two": {reason: "nobody knows which", spec: corev1.PodSpec{Affinity: only("h1", "h2")}, none: true},
		"ended":                {reason: "it takes no room any more", spec: corev1.PodSpec{NodeName: "h1"}, phase: corev1.PodSucceeded, none: true},
		"two containers": {
			reason: "both run at once",
			spec:   corev1.PodSpec{NodeName: "h1", Containers: []corev1.Container{{Resources: requests("500m", "64Mi")}, {Resources: requests("250m", "64Mi")}}},
			labels: map[string]string{"app.kubernetes.io/managed-by": "fairway"},
			want:   fleet.Pod{Host: "h1", Ours: true, Reserved: fleet.Amount{CPU: 750, Memory: 128 << 20, Instances: 1}},
		},
		"large start": {
			reason: "the largest step of the start counts where it is more, per resource",
			spec: corev1.PodSpec{
				NodeName: "h1", Containers: []corev1.Container{{Resources: requests("500m", "64Mi")}},
				InitContainers: []corev1.Container{{Resources: requests("1", "16Mi")}},
			},
			want: fleet.Pod{Host: "h1", Reserved: fleet.Amount{CPU: 1000, Memory: 64 << 20, Instances: 1}},
		},
		"sidecar": {
			reason: "a sidecar runs beside the steps after it and beside the containers",
			spec: corev1.PodSpec{
				NodeName: "h1", Containers: []corev1.Container{{Resources: requests("500m", "64Mi")}},
				InitContainers: []corev1.Container{{RestartPolicy: &always, Resources: requests("100m", "16Mi")}, {Resources: requests("1", "1Mi")}},
			},
			want: fleet.Pod{Host: "h1", Reserved: fleet.Amount{CPU: 1100, Memory: 80 << 20, Instances: 1}},
		},
		"whole pod and overhead": {
			reason: "what is declared for the pod as a whole goes first; the overhead comes on top",
			spec: corev1.PodSpec{
				NodeName: "h1", Resources: &whole, Overhead: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m")},
				Containers: []corev1.Container{{Resources: requests("500m", "64Mi")}},
			},
			want: fleet.Pod{Host: "h1", Reserved: fleet.Amount{CPU: 2050, Memory: 1 << 30, Instances: 1}},
		},
	}
	for name, tc := range cases {
		got, ok := fleet.PodOf(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: tc.labels}, Spec: tc.spec, Status: corev1.PodStatus{Phase: tc.phase}})
		if ok == tc.none {
			t.Errorf("%s (%s): takes room: %v", name, tc.reason, ok)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (%s): -want +got\n%s", name, tc.reason, diff)
		}
	}
}

func TestHostOf(t *testing.T) {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "h1", Labels: map[string]string{
			"fairway.node-restriction.kubernetes.io/pool": "a", "fleet.fairway.cloud/rack": "east-a", "fleet.fairway.cloud/simulated": "true",
		}},
		Spec: corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{{Key: "fleet.fairway.cloud/pool", Value: "a", Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{
			Capacity:    corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8")},
			Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3500m"), corev1.ResourceMemory: resource.MustParse("16Gi"), corev1.ResourcePods: resource.MustParse("110")},
			Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
	want := fleet.Host{
		Name: "h1", Pool: "a", Tainted: "a", Rack: "east-a", Simulated: true, Ready: true, Cordoned: true,
		Capacity: fleet.Amount{CPU: 3500, Memory: 16 << 30, Instances: 110},
	}
	if diff := cmp.Diff(want, fleet.HostOf(node)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := want.Class(); got != "3.5c16g" {
		t.Errorf("class is %q", got)
	}
}

func TestRoomOf(t *testing.T) {
	size := fleet.Amount{CPU: 4000, Memory: 8 << 30, Instances: 100}
	hosts := []fleet.Host{
		{Name: "h2", Rack: "east-a", Ready: true, Capacity: size},
		{Name: "h1", Rack: "east-a", Ready: true, Capacity: size},
		{Name: "h3", Rack: "east-b", Ready: true, Cordoned: true, Capacity: size},
		{Name: "h4", Rack: "east-b", Capacity: size},
		{Name: "h5", Rack: "nowhere", Ready: true, Capacity: size},
		{Name: "h6", Ready: true, Simulated: true, Capacity: size},
	}
	one := fleet.Amount{CPU: 1000, Memory: 1 << 30, Instances: 1}
	agent := fleet.Amount{CPU: 100, Memory: 128 << 20, Instances: 1}
	pods := []fleet.Pod{
		{Host: "h1", Ours: true, Reserved: one}, {Host: "h1", Ours: true, Reserved: one}, {Host: "h1", Reserved: agent},
		{Host: "h2", Reserved: agent}, {Host: "h4", Ours: true, Reserved: one}, {Host: "elsewhere", Ours: true, Reserved: one},
	}
	got := fleet.RoomOf("east-1", "a", hosts, pods, []string{"east-a", "east-b"})

	amount := func(cpu, memory, instances int64) fleetv1.Resources {
		return fleet.Amount{CPU: cpu, Memory: memory, Instances: instances}.Resources()
	}
	const mi = 1 << 20
	want := fleet.Room{
		Hosts: fleetv1.HostCounts{Total: 6, Ready: 5, Simulated: 1}, Instances: 3,
		Racks: []fleetv1.PoolRack{{
			Cluster: "east-1", Rack: "east-a", Hosts: []string{"h1", "h2"}, Classes: map[string]int32{"4c8g": 2},
			Capacity: amount(8000, 16<<30, 200), Used: amount(2200, 2304*mi, 4), Free: amount(5800, 16<<30-2304*mi, 196),
			Room: []fleetv1.HostRoom{
				{Host: "h1", Resources: amount(3900, 8<<30-128*mi, 99)},
				{Host: "h2", Resources: amount(3900, 8<<30-128*mi, 99)},
			},
		}},
		Findings: []fleet.Finding{
			{Pool: "a", Host: "h3", Rule: "HostNotReady", Message: `host "h3" is cordoned and takes no new instances: uncordon it when its work is done`},
			{Pool: "a", Host: "h4", Rule: "HostNotReady", Message: `host "h4" does not report that it is ready: look at its kubelet`},
			{Pool: "a", Host: "h5", Rule: "HostRack", Message: `host "h5" stands in rack "nowhere", which its data centre does not list: add the rack, or correct the label`},
			{Pool: "a", Host: "h6", Rule: "HostRack", Message: `host "h6" has no label fleet.fairway.cloud/rack: whoever registers it sets the rack`},
		},
	}
	want.Presence = []fleet.Presence{{Rack: "east-a", Hosts: 2, Ready: 2}, {Rack: "east-b", Hosts: 2, Ready: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unready, cordoned and unplaced hosts offer nothing, node agents are counted: -want +got\n%s", diff)
	}
}

// TestJustReady: a host that says it is ready is no room until its cluster has noticed.
func TestJustReady(t *testing.T) {
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		node := &corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}}
		if !fleet.HostOf(node).TakesInstances() {
			t.Fatal("a ready host takes no instances")
		}
		node.Spec.Taints = []corev1.Taint{{Key: key, Effect: corev1.TaintEffectNoSchedule}}
		if fleet.HostOf(node).TakesInstances() {
			t.Errorf("a host with taint %s takes instances", key)
		}
	}
}

// TestNonsenseCapacity: a host that reports what cannot be is told, and neither it nor the
// sum of several spoils what the others offer.
func TestNonsenseCapacity(t *testing.T) {
	node := func(name, cpu, memory, pods string) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"fleet.fairway.cloud/rack": "east-a"}},
			Status: corev1.NodeStatus{
				Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory), corev1.ResourcePods: resource.MustParse(pods)},
				Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			},
		}
	}
	sane := fleet.HostOf(node("sane", "4", "8Gi", "110"))
	want := fleet.RoomOf("east-1", "a", []fleet.Host{sane}, nil, []string{"east-a"}).Racks
	for name, c := range map[string]struct{ cpu, memory, pods, says string }{
		"negative CPU":      {"-1", "8Gi", "110", "less than nothing"},
		"negative memory":   {"4", "-8Gi", "110", "less than nothing"},
		"negative number":   {"4", "8Gi", "-1", "less than nothing"},
		"10^18 cores":       {"1E", "8Gi", "110", "more than 100,000 cores"},
		"cores come around": {"18446744073709552", "8Gi", "110", "more than 100,000 cores"}, // × 1000 is 384 modulo 2^64
		"beyond numbers":    {"1e30", "8Gi", "110", "more than 100,000 cores"},
		"10^18 bytes twice": {"4", "8E", "110", "more than 1 PiB of memory"},
		"10^18 instances":   {"4", "8Gi", "1E", "more than 100,000 instances"},
	} {
		odd := []fleet.Host{fleet.HostOf(node("odd-1", c.cpu, c.memory, c.pods)), fleet.HostOf(node("odd-2", c.cpu, c.memory, c.pods)), sane}
		got := fleet.RoomOf("east-1", "a", odd, nil, []string{"east-a"})
		if diff := cmp.Diff(want, got.Racks); diff != "" {
			t.Errorf("%s: the sane host offers something else: -want +got\n%s", name, diff)
		}
		if len(got.Findings) != 2 || got.Findings[0].Rule != "HostCapacity" || !strings.Contains(got.Findings[0].Message, `host "odd-1" reports that it offers `+c.says+",") {
			t.Errorf("%s: %+v", name, got.Findings)
		}
		if diff := cmp.Diff([]fleet.Presence{{Rack: "east-a", Hosts: 3, Ready: 3}}, got.Presence); diff != "" || got.Hosts.Ready != 3 {
			t.Errorf("%s: they answer, so no rack is lost: -want +got\n%s", name, diff)
		}
	}
	// Pods that reserve what cannot be leave nothing free, and do not come around to something.
	pod := fleet.Pod{Host: "sane", Reserved: fleet.Amount{CPU: 1 << 62, Memory: 1 << 62, Instances: 1}}
	got := fleet.RoomOf("east-1", "a", []fleet.Host{sane}, []fleet.Pod{pod, pod, pod, pod}, []string{"east-a"}).Racks[0]
	if free := got.Room[0].Resources; free.CPU.MilliValue() != 0 || free.Memory.Value() != 0 || got.Used.CPU.Sign() < 0 {
		t.Errorf("%+v", got)
	}
}

// TestForeignTaints: instances tolerate the taints of pools; any other keeps them off, so
// that the host is no room.
func TestForeignTaints(t *testing.T) {
	for name, c := range map[string]struct {
		taint  corev1.Taint
		barred string
	}{
		"of the pool":         {corev1.Taint{Key: "fleet.fairway.cloud/pool", Value: "a", Effect: corev1.TaintEffectNoSchedule}, ""},
		"simulated":           {corev1.Taint{Key: "fleet.fairway.cloud/simulated", Value: "true", Effect: corev1.TaintEffectNoSchedule}, ""},
		"short of memory":     {corev1.Taint{Key: "node.kubernetes.io/memory-pressure", Effect: corev1.TaintEffectNoSchedule}, ""},
		"a wish":              {corev1.Taint{Key: "bank.example/old", Effect: corev1.TaintEffectPreferNoSchedule}, ""},
		"short of disk":       {corev1.Taint{Key: "node.kubernetes.io/disk-pressure", Effect: corev1.TaintEffectNoSchedule}, "node.kubernetes.io/disk-pressure:NoSchedule"},
		"somebody keeps it":   {corev1.Taint{Key: "bank.example/repair", Value: "yes", Effect: corev1.TaintEffectNoSchedule}, "bank.example/repair=yes:NoSchedule"},
		"somebody empties it": {corev1.Taint{Key: "bank.example/repair", Effect: corev1.TaintEffectNoExecute}, "bank.example/repair:NoExecute"},
	} {
		t.Run(name, func(t *testing.T) {
			host := fleet.HostOf(&corev1.Node{
				ObjectMeta: metav1.ObjectMeta{Name: "h1", Labels: map[string]string{"fleet.fairway.cloud/rack": "east-a"}},
				Spec:       corev1.NodeSpec{Taints: []corev1.Taint{c.taint}},
				Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
			})
			if host.Barred != c.barred {
				t.Errorf("barred by %q, want %q", host.Barred, c.barred)
			}
			room := fleet.RoomOf("east-1", "a", []fleet.Host{host}, nil, []string{"east-a"})
			if offers := len(room.Racks) > 0; offers != (c.barred == "") {
				t.Errorf("the host offers room: %v", offers)
			}
			if c.barred != "" && (len(room.Findings) != 1 || !strings.Contains(room.Findings[0].Message, c.barred)) {
				t.Errorf("findings %v do not name the taint", room.Findings)
			}
		})
	}
}
