// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet

import (
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// Amount is an amount of what hosts offer.
type Amount struct {
	// CPU in thousandths of a core.
	CPU int64
	// Memory in bytes.
	Memory int64
	// Instances by number.
	Instances int64
}

// Plus returns the sum of two amounts. What members report may be anything: a sum that is
// too large stays the largest there is.
func (a Amount) Plus(b Amount) Amount {
	return Amount{CPU: sum(a.CPU, b.CPU), Memory: sum(a.Memory, b.Memory), Instances: sum(a.Instances, b.Instances)}
}

func sum(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// largest is more than any host offers: 100,000 cores, 1 PiB, 100,000 instances.
var largest = Amount{CPU: 100_000_000, Memory: 1 << 50, Instances: 100_000}

// odd says what of a host's capacity cannot be; empty: nothing.
func (a Amount) odd() string {
	switch {
	case a.CPU < 0 || a.Memory < 0 || a.Instances < 0:
		return "less than nothing"
	case a.CPU > largest.CPU:
		return "more than 100,000 cores"
	case a.Memory > largest.Memory:
		return "more than 1 PiB of memory"
	case a.Instances > largest.Instances:
		return "more than 100,000 instances"
	}
	return ""
}

// Less returns a without b, nowhere below zero.
func (a Amount) Less(b Amount) Amount {
	return Amount{CPU: max(0, a.CPU-b.CPU), Memory: max(0, a.Memory-b.Memory), Instances: max(0, a.Instances-b.Instances)}
}

// Resources returns the amount as the API shows it.
func (a Amount) Resources() fleetv1.Resources {
	return fleetv1.Resources{
		CPU:       *resource.NewMilliQuantity(a.CPU, resource.DecimalSI),
		Memory:    *resource.NewQuantity(a.Memory, resource.BinarySI),
		Instances: a.Instances,
	}
}

// Host is what Fairway reads from a node.
type Host struct {
	// Name of the node.
	Name string
	// Pool is the pool that the host's label names; empty: none.
	Pool string
	// Tainted is the pool that the host's taint names; empty: none.
	Tainted string
	// Rack of the host; empty: whoever registered it did not say.
	Rack string
	// Arch of its processor, as Kubernetes names it; empty: not known.
	Arch string
	// Simulated hosts run no containers.
	Simulated bool
	// Ready says that the kubelet reports so.
	Ready bool
	// Cordoned hosts take no new instances.
	Cordoned bool
	// Barred is a taint of somebody else's that keeps instances off, as "key=value:effect";
	// empty: there is none.
	Barred string
	// Capacity is what pods can reserve on it in all.
	Capacity Amount
}

// HostOf reads a node.
func HostOf(node *corev1.Node) Host {
	host := Host{
		Name: node.Name, Pool: node.Labels[fleetv1.LabelPool], Rack: node.Labels[fleetv1.LabelRack], Arch: node.Labels[corev1.LabelArchStable],
		Simulated: node.Labels[fleetv1.LabelSimulated] == "true", Cordoned: node.Spec.Unschedulable,
		Capacity: amountOf(node.Status.Allocatable),
	}
	host.Capacity.Instances = whole(node.Status.Allocatable.Pods())
	for _, taint := range node.Spec.Taints {
		if taint.Key == fleetv1.TaintPool && taint.Effect == corev1.TaintEffectNoSchedule {
			host.Tainted = taint.Value
		}
		if bars(taint) && host.Barred == "" {
			host.Barred = taint.ToString()
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			// A host that has just become ready takes nothing until its cluster has noticed.
			host.Ready = condition.Status == corev1.ConditionTrue && !slices.ContainsFunc(node.Spec.Taints, unready)
		}
	}
	return host
}

// bars reports whether a taint keeps instances off that the host's readiness does not
// speak of already. Kubernetes has every pod that reserves memory tolerate that a host is
// short of it.
func bars(taint corev1.Taint) bool {
	if taint.Effect == corev1.TaintEffectPreferNoSchedule {
		return false
	}
	switch taint.Key {
	case fleetv1.TaintPool, fleetv1.LabelSimulated, corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable, corev1.TaintNodeUnschedulable, corev1.TaintNodeMemoryPressure:
		return false
	}
	return true
}

// unready is a taint by which a cluster says that a host is not ready.
func unready(taint corev1.Taint) bool {
	return taint.Key == corev1.TaintNodeNotReady || taint.Key == corev1.TaintNodeUnreachable
}

// Class names the host's size, for example "4c16g".
func (h Host) Class() string {
	const giga = 1 << 30
	cores := fmt.Sprintf("%.1f", float64(h.Capacity.CPU)/1000)
	return fmt.Sprintf("%sc%dg", strings.TrimSuffix(cores, ".0"), (h.Capacity.Memory+giga/2)/giga)
}

// TakesInstances says whether the host can be given new instances.
func (h Host) TakesInstances() bool { return h.Ready && !h.Cordoned && h.Barred == "" }

// Pod is what Fairway reads from a pod that takes room on a host.
type Pod struct {
	// Host that the pod runs on.
	Host string
	// Ours says that the pod is an instance of Fairway's.
	Ours bool
	// Reserved is what it takes.
	Reserved Amount
}

// PodOf reads a pod. ok is false where the pod takes no room: nobody knows its host
// yet, or it has ended.
func PodOf(pod *corev1.Pod) (p Pod, ok bool) {
	host := hostOf(&pod.Spec)
	if host == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return Pod{}, false
	}
	return Pod{
		Host: host, Ours: pod.Labels[appv1.LabelManagedBy] == appv1.ManagedBy, Reserved: reserved(&pod.Spec),
	}, true
}

// hostOf is the host that a pod runs on, or the only one that it may: a DaemonSet's pod
// that waits for its host has it in its affinity.
func hostOf(spec *corev1.PodSpec) string {
	if spec.NodeName != "" || spec.Affinity == nil || spec.Affinity.NodeAffinity == nil || spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return spec.NodeName
	}
	terms := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	host := ""
	for i := range terms {
		for _, f := range terms[i].MatchFields {
			if f.Key != metav1.ObjectNameField || f.Operator != corev1.NodeSelectorOpIn || len(f.Values) != 1 || host != "" && host != f.Values[0] {
				return ""
			}
			host = f.Values[0]
		}
		if len(terms[i].MatchFields) == 0 {
			return ""
		}
	}
	return host
}

// reserved is what the scheduler counts for a pod: its containers together with
// the sidecars, or the largest step of its start, whichever is more; what is
// declared for the pod as a whole instead of either; and the overhead.
func reserved(spec *corev1.PodSpec) Amount {
	var running, sidecars, starting Amount
	for i := range spec.Containers {
		running = running.Plus(amountOf(spec.Containers[i].Resources.Requests))
	}
	for i := range spec.InitContainers {
		container := &spec.InitContainers[i]
		asked := amountOf(container.Resources.Requests)
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			sidecars = sidecars.Plus(asked)
			asked = Amount{}
		}
		starting = most(starting, sidecars.Plus(asked))
	}
	total := most(running.Plus(sidecars), starting)
	if spec.Resources != nil {
		whole := amountOf(spec.Resources.Requests)
		if _, ok := spec.Resources.Requests[corev1.ResourceCPU]; ok {
			total.CPU = whole.CPU
		}
		if _, ok := spec.Resources.Requests[corev1.ResourceMemory]; ok {
			total.Memory = whole.Memory
		}
	}
	total = total.Plus(amountOf(spec.Overhead))
	total.Instances = 1
	return total
}

func most(a, b Amount) Amount {
	return Amount{CPU: max(a.CPU, b.CPU), Memory: max(a.Memory, b.Memory)}
}

func amountOf(list corev1.ResourceList) Amount {
	out := Amount{CPU: math.MaxInt64, Memory: whole(list.Memory())}
	if cores := whole(list.Cpu()); cores <= math.MaxInt64/1000 {
		out.CPU = list.Cpu().MilliValue()
	}
	return out
}

// whole is a quantity as a number. One that is too large for that, such as 10^30, would come
// around as any number, and is the largest there is.
func whole(q *resource.Quantity) int64 {
	if q.CmpInt64(math.MaxInt64) >= 0 {
		return math.MaxInt64
	}
	return q.Value()
}
