// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// Pod is what the room needs to know of a pod.
type Pod struct {
	// Name and UID of the pod.
	Name, UID string
	// Component, Cell (hash) and Template (hash) as its labels say.
	Component, Cell, Template string
	// OwnerKind and OwnerName are its controller's.
	OwnerKind, OwnerName string
	// Seat and Revision are the labels that it carries now.
	Seat, Revision string
	// Cost is its pod-deletion-cost annotation.
	Cost string
	// Host that it runs on. Empty: none yet.
	Host string
	// CreatedAt is when it was made.
	CreatedAt time.Time
	// Ready says that it answers its probes.
	Ready bool
	// Leaving says that it is being removed, has ended, or sits on a lost host.
	Leaving bool
	// Ended says that it has run to its end and stays only for people to look at, as
	// pods of jobs and evicted pods do: nothing of it is waited for.
	Ended bool
	// NoHostSince is since when its cluster's scheduler finds no host for it. Zero: it does
	// not look for one.
	NoHostSince time.Time
	// State in one word and Message why, see StateOf.
	State, Message string
}

// annotationCost is the annotation by which a ReplicaSet chooses what goes first.
const annotationCost = "controller.kubernetes.io/pod-deletion-cost"

// PodOf reads a pod. Lost says that its host does not answer.
func PodOf(pod *corev1.Pod, lost bool) Pod {
	result := Pod{
		Name:      pod.Name,
		UID:       string(pod.UID),
		Component: pod.Labels[appv1.LabelComponent],
		Cell:      pod.Labels[appv1.LabelCell],
		Template:  pod.Labels[appv1.LabelTemplate],
		Seat:      pod.Labels[appv1.LabelSeat],
		Revision:  pod.Labels[appv1.LabelRevision],
		Cost:      pod.Annotations[annotationCost],
		Host:      pod.Spec.NodeName,
		CreatedAt: pod.CreationTimestamp.Time, NoHostSince: noHostSince(pod),
	}
	if owner := metav1.GetControllerOf(pod); owner != nil {
		result.OwnerKind, result.OwnerName = owner.Kind, owner.Name
	}
	ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	result.Leaving = pod.DeletionTimestamp != nil || ended || lost
	result.Ended = ended && pod.DeletionTimestamp == nil
	result.Ready = !result.Leaving && isReady(pod)
	result.State, result.Message = StateOf(pod, lost)
	return result
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// CellHash returns the value of the cell label: the first 8 hex digits of the
// SHA-256 of the cell's key.
func CellHash(cell placementv1.Cell) string {
	sum := sha256.Sum256([]byte(cell.Key()))
	return hex.EncodeToString(sum[:4])
}

// belongsTo says whether the pod is an instance of the workload.
func (p Pod) belongsTo(w *v1alpha1.Workload) bool {
	if p.Component != w.Component || p.Cell != CellHash(w.Cell) {
		return false
	}
	switch w.Kind {
	case "StatefulSet", "Job":
		return p.OwnerKind == w.Kind && p.OwnerName == w.Name
	case "CronJob":
		return p.OwnerKind == "Job" && strings.HasPrefix(p.OwnerName, w.Name+"-")
	}
	return p.OwnerKind == "ReplicaSet" && strings.HasPrefix(p.OwnerName, w.Name+"-")
}

// ordinal returns the number at the end of a stateful pod's name.
func (p Pod) ordinal() (int32, bool) {
	i := strings.LastIndexByte(p.Name, '-')
	number, err := strconv.ParseInt(p.Name[i+1:], 10, 32)
	return int32(number), err == nil && number >= 0
}

// SeatNumber returns the number of a seat "<component>-<number>" of the component.
func SeatNumber(component, seat string) (int32, bool) {
	digits, found := strings.CutPrefix(seat, component+"-")
	if !found {
		return 0, false
	}
	number, err := strconv.ParseInt(digits, 10, 32)
	return int32(number), err == nil && number >= 0 && strconv.FormatInt(number, 10) == digits
}
