// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// Sight keeps, of every connected member, what the fleet room needs of its
// hosts and pods: a few numbers each, kept up by watches.
type Sight struct {
	mu      sync.Mutex
	members map[string]*view
	tells   []func(cluster string)
}

// view is what one member shows.
type view struct {
	mu     sync.Mutex
	hosts  map[string]fleet.Host
	ours   map[types.UID]fleet.Pod
	others map[types.UID]fleet.Pod
	ready  bool
}

// NewSight returns a Sight that looks through source.
func NewSight(source members.Source) *Sight {
	s := &Sight{members: map[string]*view{}}
	source.OnConnect(s.engage)
	return s
}

// OnChange has tell called with a cluster's name when something there changed.
// tell returns at once.
func (s *Sight) OnChange(tell func(cluster string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tells = append(s.tells, tell)
}

func (s *Sight) tell(cluster string) {
	s.mu.Lock()
	tells := append([]func(string){}, s.tells...)
	s.mu.Unlock()
	for _, tell := range tells {
		tell(cluster)
	}
}

// Look returns the hosts and pods of a cluster; ok is false while they are not
// known in full.
func (s *Sight) Look(cluster string) (hosts []fleet.Host, pods []fleet.Pod, ok bool) {
	s.mu.Lock()
	v := s.members[cluster]
	s.mu.Unlock()
	if v == nil {
		return nil, nil, false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, host := range v.hosts {
		hosts = append(hosts, host)
	}
	for _, some := range []map[types.UID]fleet.Pod{v.ours, v.others} {
		for _, pod := range some {
			pods = append(pods, pod)
		}
	}
	return hosts, pods, v.ready
}

// engage begins to look at a member. It returns once all is known.
func (s *Sight) engage(ctx context.Context, m members.Member) error {
	if err := readable(ctx, m); err != nil {
		return err
	}
	waiting, done := context.WithTimeout(ctx, syncTimeout)
	defer done()
	v := &view{hosts: map[string]fleet.Host{}, ours: map[types.UID]fleet.Pod{}, others: map[types.UID]fleet.Pod{}}
	others, err := foreignPods(ctx, m)
	if err != nil {
		return err
	}
	changed := func() { s.tell(m.Name()) }
	sources := []struct {
		from cache.Cache
		of   client.Object
		tell toolscache.ResourceEventHandler
	}{
		{m.Cache(), &corev1.Node{}, v.onHosts(changed)},
		{m.Cache(), &corev1.Pod{}, v.onPods(v.ours, changed)},
		{others, &corev1.Pod{}, v.onPods(v.others, changed)},
	}
	if m.Served().Kind("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy") {
		for _, kind := range []client.Object{&admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}} {
			sources = append(sources, struct {
				from cache.Cache
				of   client.Object
				tell toolscache.ResourceEventHandler
			}{m.Cache(), kind, onAny(changed)})
		}
	}
	var synced []toolscache.InformerSynced
	for _, source := range sources {
		informer, err := source.from.GetInformer(waiting, source.of)
		if err != nil {
			return fmt.Errorf("could not watch the %T of cluster %q: %w", source.of, m.Name(), err)
		}
		registration, err := informer.AddEventHandler(source.tell)
		if err != nil {
			return fmt.Errorf("could not watch the %T of cluster %q: %w", source.of, m.Name(), err)
		}
		synced = append(synced, registration.HasSynced)
	}
	if !toolscache.WaitForCacheSync(waiting.Done(), synced...) {
		return fmt.Errorf("could not watch cluster %q: %w", m.Name(), context.Cause(waiting))
	}
	v.mu.Lock()
	v.ready = true
	v.mu.Unlock()
	s.mu.Lock()
	s.members[m.Name()] = v
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		if s.members[m.Name()] == v {
			delete(s.members, m.Name())
		}
		s.mu.Unlock()
		changed()
	})
	changed()
	return nil
}

// syncTimeout bounds how long a member takes to tell what it holds.
const syncTimeout = time.Minute

// readable asks for one object of each kind that is watched. A watch that lacks
// its right only waits: this says so.
func readable(ctx context.Context, m members.Member) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	lists := []client.ObjectList{&corev1.PodList{}}
	if m.Served().Kind("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy") {
		lists = append(lists, &admissionv1.ValidatingAdmissionPolicyList{}, &admissionv1.ValidatingAdmissionPolicyBindingList{})
	}
	for _, list := range lists {
		if err := m.Client().List(ctx, list, client.Limit(1)); err != nil {
			return fmt.Errorf("could not read the %T of cluster %q: %w", list, m.Name(), err)
		}
	}
	return nil
}

// foreignPods watches the pods that are not Fairway's, keeping of each only
// what it reserves.
func foreignPods(ctx context.Context, m members.Member) (cache.Cache, error) {
	other, err := labels.NewRequirement(appv1.LabelManagedBy, selection.NotEquals, []string{appv1.ManagedBy})
	if err != nil {
		return nil, err
	}
	made, err := cache.New(m.Config(), cache.Options{
		Scheme: scheme.Scheme,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}: {Label: labels.NewSelector().Add(*other), Transform: leanPod},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("could not watch the pods of cluster %q: %w", m.Name(), err)
	}
	go func() { _ = made.Start(ctx) }()
	return made, nil
}

func leanPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	lean := &corev1.Pod{
		TypeMeta:   pod.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion},
		Spec:       corev1.PodSpec{NodeName: pod.Spec.NodeName, Overhead: pod.Spec.Overhead, Resources: pod.Spec.Resources},
		Status:     corev1.PodStatus{Phase: pod.Status.Phase},
	}
	if pod.Spec.NodeName == "" {
		lean.Spec.Affinity = pod.Spec.Affinity
	}
	for _, c := range pod.Spec.Containers {
		lean.Spec.Containers = append(lean.Spec.Containers, corev1.Container{Resources: corev1.ResourceRequirements{Requests: c.Resources.Requests}})
	}
	for _, c := range pod.Spec.InitContainers {
		lean.Spec.InitContainers = append(lean.Spec.InitContainers, corev1.Container{
			RestartPolicy: c.RestartPolicy, Resources: corev1.ResourceRequirements{Requests: c.Resources.Requests},
		})
	}
	return lean, nil
}

func (v *view) onHosts(changed func()) toolscache.ResourceEventHandler {
	set := func(object any) {
		node, ok := object.(*corev1.Node)
		if !ok {
			return
		}
		now := fleet.HostOf(node)
		v.mu.Lock()
		before, known := v.hosts[node.Name]
		v.hosts[node.Name] = now
		v.mu.Unlock()
		if !known || before != now {
			changed()
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, object any) { set(object) },
		DeleteFunc: func(object any) {
			if node, ok := last(object).(*corev1.Node); ok {
				v.mu.Lock()
				delete(v.hosts, node.Name)
				v.mu.Unlock()
				changed()
			}
		},
	}
}

// onPods keeps one of the two maps. A pod that changes sides is seen by both
// watches, in any order.
func (v *view) onPods(pods map[types.UID]fleet.Pod, changed func()) toolscache.ResourceEventHandler {
	set := func(object any) {
		pod, ok := object.(*corev1.Pod)
		if !ok {
			return
		}
		now, takes := fleet.PodOf(pod)
		v.mu.Lock()
		before, known := pods[pod.UID]
		if takes {
			pods[pod.UID] = now
		} else {
			delete(pods, pod.UID)
		}
		v.mu.Unlock()
		if known != takes || before != now {
			changed()
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, object any) { set(object) },
		DeleteFunc: func(object any) {
			if pod, ok := last(object).(*corev1.Pod); ok {
				v.mu.Lock()
				_, known := pods[pod.UID]
				delete(pods, pod.UID)
				v.mu.Unlock()
				if known {
					changed()
				}
			}
		},
	}
}

func onAny(changed func()) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(_, _ any) { changed() }, DeleteFunc: func(any) { changed() },
	}
}

// last returns the last known state of a deleted object.
func last(object any) any {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		return unknown.Obj
	}
	return object
}
