// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"cmp"
	"fmt"
	"strings"
)

// Identity names an object in a member, whatever version of its API is used.
type Identity struct {
	// Group of the API, empty for the core.
	Group string `json:"group,omitempty"`
	// Kind of the object.
	Kind string `json:"kind"`
	// Namespace of the object, empty where the kind has none.
	Namespace string `json:"namespace,omitempty"`
	// Name of the object.
	Name string `json:"name"`
}

// String gives the identity as people read it: "Deployment retail-prod-x/web".
func (i Identity) String() string {
	if i.Namespace == "" {
		return i.Kind + " " + i.Name
	}
	return i.Kind + " " + i.Namespace + "/" + i.Name
}

func compareIdentities(a, b Identity) int {
	return cmp.Or(
		cmp.Compare(a.Group, b.Group),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
	)
}

// isWorkload says whether objects of the kind make pods. They are removed before
// what their pods need.
func (i Identity) isWorkload() bool {
	switch i.Group + "/" + i.Kind {
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "batch/Job", "batch/CronJob",
		"autoscaling/HorizontalPodAutoscaler":
		return true
	}
	return false
}

// holdsData says whether removing the object loses data.
func (i Identity) holdsData() bool {
	return i.Group == "" && (i.Kind == "PersistentVolumeClaim" || i.Kind == "PersistentVolume")
}

func (i Identity) isNamespace() bool {
	return i.Group == "" && i.Kind == "Namespace"
}

// groupOf returns the group of an apiVersion: "apps" of "apps/v1", "" of "v1".
func groupOf(apiVersion string) string {
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return group
}

// short returns the first 8 hex digits of a digest "sha256:…", as labels carry it.
func short(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	if len(hex) > 8 {
		return hex[:8]
	}
	return hex
}

// SeatName gives the seat of a component's number: "account-1".
func SeatName(component string, number int32) string {
	return fmt.Sprintf("%s-%d", component, number)
}
