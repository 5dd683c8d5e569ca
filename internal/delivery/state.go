// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// States of an instance, in one word. A container that waits or ended for another
// reason shows that reason, as Kubernetes names it (ImagePullBackOff,
// CrashLoopBackOff, OOMKilled, CreateContainerConfigError …).
const (
	// StateRunning: it runs and answers its probes.
	StateRunning = "Running"
	// StateNotReady: it runs and does not answer its readiness probe.
	StateNotReady = "NotReady"
	// StateStarting: its containers are being started or have not answered yet.
	StateStarting = "Starting"
	// StatePending: no host has been found for it yet.
	StatePending = "Pending"
	// StateStopping: it is being removed.
	StateStopping = "Stopping"
	// StateSucceeded: it ended well (jobs).
	StateSucceeded = "Succeeded"
	// StateFailed: it ended badly.
	StateFailed = "Failed"
	// StateLost: its host does not answer.
	StateLost = "Lost"
	// StateUnknown: its cluster is not connected.
	StateUnknown = "Unknown"
)

// StateOf returns the state of a pod and why. Lost says that its host does not answer.
func StateOf(pod *corev1.Pod, lost bool) (state, message string) {
	if lost && pod.Spec.NodeName != "" {
		return StateLost, fmt.Sprintf("host %q does not answer", pod.Spec.NodeName)
	}
	if pod.DeletionTimestamp != nil {
		return StateStopping, ""
	}
	switch pod.Status.Phase {
	case corev1.PodSucceeded:
		return StateSucceeded, pod.Status.Message
	case corev1.PodFailed:
		if pod.Status.Reason != "" {
			return pod.Status.Reason, pod.Status.Message
		}
		state, message = troubleOf(pod)
		if state == "" {
			state = StateFailed
		}
		return state, message
	}
	if state, message = troubleOf(pod); state != "" {
		return state, message
	}
	if isReady(pod) {
		return StateRunning, ""
	}
	if pod.Spec.NodeName == "" {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
				return StatePending, condition.Message
			}
		}
		return StatePending, ""
	}
	return notReady(pod)
}

// notReady tells a pod that has not started yet from one that stopped answering.
func notReady(pod *corev1.Pod) (state, message string) {
	if len(pod.Status.ContainerStatuses) == 0 {
		return StateStarting, ""
	}
	for _, container := range pod.Status.ContainerStatuses {
		if container.State.Running == nil || (container.Started != nil && !*container.Started) {
			return StateStarting, ""
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return StateNotReady, condition.Message
		}
	}
	return StateNotReady, ""
}

// troubleOf returns the first reason for which a container does not run.
func troubleOf(pod *corev1.Pod) (state, message string) {
	all := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
	for _, container := range all {
		waiting, ended := container.State.Waiting, container.State.Terminated
		switch {
		case waiting != nil && waiting.Reason != "" && waiting.Reason != "ContainerCreating" && waiting.Reason != "PodInitializing":
			message = waiting.Message
			if last := container.LastTerminationState.Terminated; last != nil && waiting.Reason == "CrashLoopBackOff" {
				message = fmt.Sprintf("container %q ended with exit code %d (%s), %d times", container.Name, last.ExitCode, last.Reason, container.RestartCount)
			}
			return waiting.Reason, message
		case ended != nil && ended.ExitCode != 0:
			state = ended.Reason
			if state == "" {
				state = StateFailed
			}
			return state, fmt.Sprintf("container %q ended with exit code %d", container.Name, ended.ExitCode)
		}
	}
	return "", ""
}
