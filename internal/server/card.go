// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/delivery"
)

// Card is all that is known of one instance (R92).
type Card struct {
	listed
	// Message says why the state is what it is.
	Message string `json:"message,omitempty"`
	// Pod that sits on the seat.
	Pod string `json:"pod"`
	// LastSeen is when its cluster last reported.
	LastSeen time.Time `json:"lastSeen"`
	// Note says what is missing from the card, and why.
	Note string `json:"note,omitempty"`
	// Image as it runs.
	Image Image `json:"image"`
	// Ports that it listens on.
	Ports []Port `json:"ports"`
	// Mounts in its file system.
	Mounts []Mount `json:"mounts"`
	// Conditions as the cluster reports them.
	Conditions []map[string]any `json:"conditions"`
	// Events of the last hour or so, newest first, at most 20.
	Events []Event `json:"events"`

	// uid and podNamespace find the pod.
	uid, podNamespace string
}

func newCard(i delivery.Instance) Card {
	return Card{
		listed: listedOf(i), Message: i.Message, Pod: i.Pod, Image: Image{Name: i.Image, Digest: digestOf(i.Image)},
		Ports: []Port{}, Mounts: []Mount{}, Conditions: []map[string]any{}, Events: []Event{},
		uid: i.UID, podNamespace: i.PodNamespace,
	}
}

// Image is what an instance runs.
type Image struct {
	// Name as it was asked for.
	Name string `json:"name"`
	// Digest of what was pulled.
	Digest string `json:"digest"`
}

// Port is a port of a container.
type Port struct {
	Name     string `json:"name"`
	Port     int32  `json:"port"`
	Protocol string `json:"protocol"`
}

// Mount is a volume in an instance's file system.
type Mount struct {
	Path   string `json:"path"`
	Volume string `json:"volume"`
	// Kind of the volume, such as PersistentVolumeClaim.
	Kind     string `json:"kind"`
	ReadOnly bool   `json:"readOnly"`
}

// Event is something that happened to an instance.
type Event struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Count   int32     `json:"count"`
}

// memberTimeout bounds what a card waits for a member.
const memberTimeout = 5 * time.Second

// mostEvents on a card.
const mostEvents = 20

// fill asks the member for what the read model does not hold. A member that does
// not answer leaves a note; the card is shown with what is known.
func (s *Server) fill(ctx context.Context, card *Card) {
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	member, err := s.members.Get(card.Cluster)
	if err != nil {
		card.Note = fmt.Sprintf("cluster %q is not connected; this is what was last seen of the instance", card.Cluster)
		return
	}
	namespace := card.podNamespace
	pod := &corev1.Pod{}
	if err := member.Client().Get(ctx, client.ObjectKey{Namespace: namespace, Name: card.Pod}, pod); err != nil {
		card.Note = fmt.Sprintf("cluster %q did not show the pod; this is what was last seen of the instance", card.Cluster)
		s.log.Debug("a card is not complete", "cluster", card.Cluster, "pod", card.Pod, "cause", err.Error())
		return
	}
	if string(pod.UID) != card.uid {
		// Another pod of that name: it is not the one that sits here.
		card.Note = "the pod has just been replaced; ask again in a moment"
		return
	}
	describePod(card, pod)
	events := &corev1.EventList{}
	if err := member.Client().List(ctx, events, client.InNamespace(namespace), client.MatchingFields{"involvedObject.uid": card.uid}, client.Limit(200)); err != nil {
		card.Note = "the cluster did not show the events"
		s.log.Debug("a card has no events", "cluster", card.Cluster, "pod", card.Pod, "cause", err.Error())
		return
	}
	card.Events = eventsOf(events.Items)
}

func describePod(card *Card, pod *corev1.Pod) {
	kinds := map[string]string{}
	for i := range pod.Spec.Volumes {
		kinds[pod.Spec.Volumes[i].Name] = volumeKind(pod.Spec.Volumes[i].VolumeSource)
	}
	for i := range pod.Spec.Containers {
		container := &pod.Spec.Containers[i]
		if i == 0 {
			card.Image.Name = container.Image
		}
		for _, p := range container.Ports {
			card.Ports = append(card.Ports, Port{Name: p.Name, Port: p.ContainerPort, Protocol: string(p.Protocol)})
		}
		for _, m := range container.VolumeMounts {
			card.Mounts = append(card.Mounts, Mount{Path: m.MountPath, Volume: m.Name, Kind: kinds[m.Name], ReadOnly: m.ReadOnly})
		}
	}
	if len(pod.Status.ContainerStatuses) > 0 {
		card.Image.Digest = digestOf(pod.Status.ContainerStatuses[0].ImageID)
	}
	for _, c := range pod.Status.Conditions {
		card.Conditions = append(card.Conditions, map[string]any{
			"type": c.Type, "status": c.Status, "reason": c.Reason, "message": c.Message, "since": c.LastTransitionTime,
		})
	}
}

// digestOf takes the digest out of "registry/name@sha256:…".
func digestOf(imageID string) string {
	for i := len(imageID) - 1; i >= 0; i-- {
		if imageID[i] == '@' {
			return imageID[i+1:]
		}
	}
	return ""
}

func volumeKind(v corev1.VolumeSource) string {
	switch {
	case v.PersistentVolumeClaim != nil:
		return "PersistentVolumeClaim"
	case v.ConfigMap != nil:
		return "ConfigMap"
	case v.Secret != nil:
		return "Secret"
	case v.EmptyDir != nil:
		return "Ephemeral"
	case v.DownwardAPI != nil:
		return "DownwardAPI"
	case v.Projected != nil:
		return "Projected"
	case v.HostPath != nil:
		return "HostPath"
	}
	return "Other"
}

func eventsOf(items []corev1.Event) []Event {
	events := []Event{}
	for i := range items {
		e := &items[i]
		at := e.LastTimestamp.Time
		if at.IsZero() {
			at = e.EventTime.Time
		}
		count := e.Count
		if e.Series != nil {
			at, count = e.Series.LastObservedTime.Time, e.Series.Count
		}
		if at.IsZero() {
			at = e.CreationTimestamp.Time
		}
		events = append(events, Event{Time: at.UTC(), Type: e.Type, Reason: e.Reason, Message: e.Message, Count: max(count, 1)})
	}
	slices.SortStableFunc(events, func(a, b Event) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Reason, b.Reason))
	})
	return events[:min(len(events), mostEvents)]
}
