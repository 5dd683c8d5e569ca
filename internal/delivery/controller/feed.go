// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// Feed tells the read model which instances run, as members report them. Only the
// leader runs it.
type Feed struct {
	// Hub reads Clusters and Deliveries.
	Hub client.Reader
	// Members finds connected members.
	Members members.Source
	// Sink takes the instances.
	Sink delivery.InstanceSink
}

// Start begins to follow members, those that are connected and those to come.
func (f *Feed) Start() { f.Members.OnConnect(f.engage) }

// stream follows one connection to one member.
type stream struct {
	feed   *Feed
	member members.Member
	cache  cache.Cache
	mu     sync.Mutex
	full   bool // the sink knows all instances
	place  delivery.Place
}

func (f *Feed) engage(ctx context.Context, m members.Member) error {
	s := &stream{feed: f, member: m, cache: m.Cache()}
	pods, err := s.cache.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("could not watch the instances of cluster %q: %w", m.Name(), err)
	}
	nodes, err := s.cache.GetInformer(ctx, &corev1.Node{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("could not watch the hosts of cluster %q: %w", m.Name(), err)
	}
	if _, err := pods.AddEventHandler(s.podEvents(ctx)); err != nil {
		return fmt.Errorf("could not watch the instances of cluster %q: %w", m.Name(), err)
	}
	if _, err := nodes.AddEventHandler(s.nodeEvents(ctx)); err != nil {
		return fmt.Errorf("could not watch the hosts of cluster %q: %w", m.Name(), err)
	}
	go s.follow(ctx, pods, nodes)
	return nil
}

// follow says once which instances there are, and in the end that they are no longer
// seen.
func (s *stream) follow(ctx context.Context, synced ...cache.Informer) {
	for _, informer := range synced {
		if !toolscache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			return
		}
	}
	s.mu.Lock()
	s.full = true
	s.replace(ctx, func(*delivery.Instance) {})
	s.mu.Unlock()

	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = false
	s.replace(context.WithoutCancel(ctx), func(instance *delivery.Instance) {
		instance.State, instance.Ready = delivery.StateUnknown, false
		instance.Message = fmt.Sprintf("cluster %q is not connected; this is how it was last seen", s.member.Name())
	})
}

func (s *stream) replace(ctx context.Context, change func(*delivery.Instance)) {
	pods := &corev1.PodList{}
	if err := s.cache.List(ctx, pods, client.MatchingLabels{appv1.LabelManagedBy: appv1.ManagedBy}); err != nil {
		log.FromContext(ctx).Error(err, "could not list instances", "cluster", s.member.Name())
		return
	}
	instances := make([]delivery.Instance, 0, len(pods.Items))
	for i := range pods.Items {
		if !isInstance(&pods.Items[i]) {
			continue
		}
		instance := s.instance(ctx, &pods.Items[i])
		change(&instance)
		instances = append(instances, instance)
	}
	s.feed.Sink.Replace(s.member.Name(), instances)
}

func isInstance(pod *corev1.Pod) bool {
	return pod.Labels[appv1.LabelApplication] != "" && pod.Labels[appv1.LabelComponent] != ""
}

// instance reads a pod. Called with the stream locked.
func (s *stream) instance(ctx context.Context, pod *corev1.Pod) delivery.Instance {
	if _, known := s.place.Cells[pod.Labels[appv1.LabelCell]]; !known {
		s.learn(ctx)
	}
	var node *corev1.Node
	if pod.Spec.NodeName != "" {
		found := &corev1.Node{}
		if s.cache.Get(ctx, client.ObjectKey{Name: pod.Spec.NodeName}, found) == nil {
			node = found
		}
	}
	return delivery.InstanceOf(pod, node, s.place)
}

// learn reads where the member stands and which cells its deliveries name. What
// cannot be read leaves fields empty until the next instance of an unknown cell.
func (s *stream) learn(ctx context.Context) {
	place := delivery.Place{Cluster: s.member.Name(), DataCenter: s.place.DataCenter, Cells: map[string]placementv1.Cell{}}
	cluster := &fleetv1.Cluster{}
	if err := s.feed.Hub.Get(ctx, client.ObjectKey{Name: s.member.Name()}, cluster); err == nil {
		place.DataCenter = string(cluster.Spec.DataCenter)
	}
	for hash, cell := range s.place.Cells {
		place.Cells[hash] = cell
	}
	deliveries := &v1alpha1.DeliveryList{}
	if err := s.feed.Hub.List(ctx, deliveries, client.InNamespace(fleetv1.ClusterNamespacePrefix+s.member.Name())); err == nil {
		for _, d := range deliveries.Items {
			for _, workload := range d.Spec.Workloads {
				place.Cells[delivery.CellHash(workload.Cell)] = workload.Cell
			}
		}
	}
	s.place = place
}

func (s *stream) podEvents(ctx context.Context) toolscache.ResourceEventHandler {
	changed := func(object any) {
		if pod, ok := object.(*corev1.Pod); ok && isInstance(pod) {
			s.upsert(ctx, pod)
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: changed,
		UpdateFunc: func(before, after any) {
			if !sameVersion(before, after) {
				changed(after)
			}
		},
		DeleteFunc: func(object any) {
			if tombstone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}
			if pod, ok := object.(*corev1.Pod); ok {
				s.remove(string(pod.UID))
			}
		},
	}
}

// nodeEvents looks at a host's instances again when it is lost, returns, or is moved.
func (s *stream) nodeEvents(ctx context.Context) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		UpdateFunc: func(before, after any) {
			a, okA := before.(*corev1.Node)
			b, okB := after.(*corev1.Node)
			if !okA || !okB || delivery.IsLost(a) == delivery.IsLost(b) && equality.Semantic.DeepEqual(a.Labels, b.Labels) {
				return
			}
			pods := &corev1.PodList{}
			if err := s.cache.List(ctx, pods, client.MatchingLabels{appv1.LabelManagedBy: appv1.ManagedBy}); err != nil {
				return // the cache is closing
			}
			for i := range pods.Items {
				if pods.Items[i].Spec.NodeName == b.Name && isInstance(&pods.Items[i]) {
					s.upsert(ctx, &pods.Items[i])
				}
			}
		},
	}
}

func (s *stream) upsert(ctx context.Context, pod *corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		s.feed.Sink.Upsert(s.member.Name(), s.instance(ctx, pod))
	}
}

func (s *stream) remove(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		s.feed.Sink.Remove(s.member.Name(), uid)
	}
}
