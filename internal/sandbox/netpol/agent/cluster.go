// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package agent

import (
	"context"
	"net/netip"
	"sync"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/fairway-cloud/fairway/internal/sandbox/netpol"
)

// cluster watches what policies speak about, and knows whether it can be
// relied on.
type cluster struct {
	client     kubernetes.Interface
	pods       cache.SharedIndexInformer
	namespaces cache.SharedIndexInformer
	policies   cache.SharedIndexInformer
	changed    chan struct{} // something may be new

	mu     sync.Mutex
	broken map[string]error // by kind, the last list or watch that failed
}

func watchCluster(client kubernetes.Interface) (*cluster, error) {
	c := &cluster{client: client, changed: make(chan struct{}, 1), broken: map[string]error{}}
	api := client.CoreV1()
	net := client.NetworkingV1().NetworkPolicies("")
	c.pods = c.informer("pods", &core.Pod{}, trimPod,
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return api.Pods("").List(ctx, o)
		},
		api.Pods("").Watch)
	c.namespaces = c.informer("namespaces", &core.Namespace{}, trimMeta,
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return api.Namespaces().List(ctx, o)
		},
		api.Namespaces().Watch)
	c.policies = c.informer("networkpolicies", &networking.NetworkPolicy{}, trimMeta,
		func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return net.List(ctx, o) },
		net.Watch)
	for _, informer := range c.all() {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { c.poke() },
			UpdateFunc: func(before, after any) {
				if !alike(before, after) {
					c.poke()
				}
			},
			DeleteFunc: func(any) { c.poke() },
		}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *cluster) all() []cache.SharedIndexInformer {
	return []cache.SharedIndexInformer{c.pods, c.namespaces, c.policies}
}

// informer notes the outcome of every list and watch: a kind that cannot be
// read now may have changed without our knowing.
func (c *cluster) informer(kind string, example runtime.Object, trim cache.TransformFunc,
	list func(context.Context, metav1.ListOptions) (runtime.Object, error),
	follow func(context.Context, metav1.ListOptions) (watch.Interface, error),
) cache.SharedIndexInformer {
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			out, err := list(ctx, o)
			c.note(kind, err)
			return out, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			out, err := follow(ctx, o)
			c.note(kind, err)
			return out, err
		},
	}
	informer := cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(source, c.client), example, 0, cache.Indexers{})
	_ = informer.SetTransform(trim) // fails only once started
	return informer
}

func (c *cluster) note(kind string, err error) {
	c.mu.Lock()
	before := c.broken[kind]
	if err != nil {
		c.broken[kind] = err
	} else {
		delete(c.broken, kind)
	}
	c.mu.Unlock()
	if (before == nil) != (err == nil) {
		c.poke()
	}
}

// trouble is a kind that cannot be read now, if there is one.
func (c *cluster) trouble() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for kind, err := range c.broken {
		return kind, err
	}
	return "", nil
}

func (c *cluster) poke() {
	select {
	case c.changed <- struct{}{}:
	default: // already told
	}
}

func (c *cluster) start(ctx context.Context) {
	for _, informer := range c.all() {
		go informer.RunWithContext(ctx)
	}
}

func (c *cluster) synced() bool {
	for _, informer := range c.all() {
		if !informer.HasSynced() {
			return false
		}
	}
	return true
}

// picture is the cluster as the informers have it. Pods outside ranges (none:
// everywhere) are left out: simulated ones have made-up addresses.
func (c *cluster) picture(ranges []netip.Prefix) (netpol.Cluster, counts) {
	out := netpol.Cluster{Namespaces: map[string]labels.Set{}}
	for _, item := range c.namespaces.GetStore().List() {
		if ns, ok := item.(*core.Namespace); ok {
			out.Namespaces[ns.Name] = ns.Labels
		}
	}
	for _, item := range c.policies.GetStore().List() {
		if p, ok := item.(*networking.NetworkPolicy); ok {
			out.Policies = append(out.Policies, p)
		}
	}
	pods := c.pods.GetStore().List()
	for _, item := range pods {
		p, ok := item.(*core.Pod)
		if !ok || p.Spec.HostNetwork || p.Status.Phase == core.PodSucceeded || p.Status.Phase == core.PodFailed {
			continue
		}
		if one, ok := podOf(p, ranges); ok {
			out.Pods = append(out.Pods, one)
		}
	}
	return out, counts{policies: len(out.Policies), namespaces: len(out.Namespaces), pods: len(pods)}
}

func podOf(p *core.Pod, ranges []netip.Prefix) (netpol.Pod, bool) {
	for _, status := range p.Status.PodIPs {
		ip, err := netip.ParseAddr(status.IP)
		if err != nil || !ip.Is4() || !within(ranges, ip) {
			continue
		}
		out := netpol.Pod{
			Namespace: p.Namespace, Name: p.Name, Node: p.Spec.NodeName, Labels: p.Labels,
			IP: ip, Created: p.CreationTimestamp.Time,
		}
		for _, container := range p.Spec.Containers {
			for _, port := range container.Ports {
				protocol := netpol.TCP
				switch port.Protocol {
				case core.ProtocolUDP:
					protocol = netpol.UDP
				case core.ProtocolSCTP:
					protocol = netpol.SCTP
				}
				out.Ports = append(out.Ports, netpol.NamedPort{Name: port.Name, Protocol: protocol, Number: uint16(port.ContainerPort)})
			}
		}
		return out, true
	}
	return netpol.Pod{}, false
}

func within(ranges []netip.Prefix, ip netip.Addr) bool {
	for _, prefix := range ranges {
		if prefix.Contains(ip) {
			return true
		}
	}
	return len(ranges) == 0
}

// look asks the API server itself, past the informers.
func (c *cluster) look(ctx context.Context) (counts, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	one := metav1.ListOptions{Limit: 1}
	policies, err := c.client.NetworkingV1().NetworkPolicies("").List(ctx, one)
	if err != nil {
		return counts{}, err
	}
	namespaces, err := c.client.CoreV1().Namespaces().List(ctx, one)
	if err != nil {
		return counts{}, err
	}
	pods, err := c.client.CoreV1().Pods("").List(ctx, one)
	if err != nil {
		return counts{}, err
	}
	return counts{policies: len(policies.Items), namespaces: len(namespaces.Items), pods: len(pods.Items)}, nil
}

// trimPod keeps what rules need: a host knows thousands of pods elsewhere.
func trimPod(item any) (any, error) {
	p, ok := item.(*core.Pod)
	if !ok {
		return item, nil
	}
	out := &core.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.Namespace, Name: p.Name, UID: p.UID, ResourceVersion: p.ResourceVersion,
			CreationTimestamp: p.CreationTimestamp, Labels: p.Labels,
		},
		Spec:   core.PodSpec{NodeName: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork},
		Status: core.PodStatus{Phase: p.Status.Phase, PodIPs: p.Status.PodIPs},
	}
	for _, container := range p.Spec.Containers {
		if named := namedPorts(container.Ports); len(named) > 0 {
			out.Spec.Containers = append(out.Spec.Containers, core.Container{Ports: named})
		}
	}
	return out, nil
}

func namedPorts(ports []core.ContainerPort) []core.ContainerPort {
	var out []core.ContainerPort
	for _, port := range ports {
		if port.Name != "" {
			out = append(out, port)
		}
	}
	return out
}

// alike says whether two trimmed objects differ in nothing but their version:
// most updates of pods and namespaces are about something else.
func alike(before, after any) bool {
	a, okA := before.(runtime.Object)
	b, okB := after.(runtime.Object)
	if !okA || !okB {
		return false
	}
	a, b = a.DeepCopyObject(), b.DeepCopyObject()
	for _, object := range []runtime.Object{a, b} {
		if about, err := meta.Accessor(object); err == nil {
			about.SetResourceVersion("")
		}
	}
	return equality.Semantic.DeepEqual(a, b)
}

func trimMeta(item any) (any, error) {
	if object, ok := item.(metav1.Object); ok {
		object.SetManagedFields(nil)
		object.SetAnnotations(nil)
	}
	return item, nil
}
