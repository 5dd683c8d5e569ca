// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// FieldOwner is the name under which Delivery writes objects in members. It is its
// own, so that what another room of Fairway writes on the same object (a pool list
// on a namespace, say) is not taken for Delivery's.
const FieldOwner = "fairway-delivery"

// Ownership is what an object's managed fields say about who wrote it.
type Ownership struct {
	// Ours says that Fairway made the object.
	Ours bool
	// Fields is the fingerprint of what Fairway owns. A value changed by anybody
	// moves its ownership, and with it the fingerprint.
	Fields string
	// Foreign names fields that others own and may not, as "<who>: <path>",
	// sorted; at most 5.
	Foreign []string
	// Mixed says that ownership must be gathered (Gather) before server-side
	// apply can take fields away: after a create, or with foreign fields.
	Mixed bool
}

// OwnershipOf reads managed fields. Autoscaled leaves the number of replicas out.
func OwnershipOf(entries []metav1.ManagedFieldsEntry, autoscaled bool) Ownership {
	var result Ownership
	var fingerprint strings.Builder
	for _, entry := range entries {
		if entry.Subresource == "status" {
			continue
		}
		set := setOf(entry)
		if isOurs(entry) {
			result.Ours = true
			result.Mixed = result.Mixed || entry.Operation == metav1.ManagedFieldsOperationUpdate
			if autoscaled {
				set = set.Difference(replicasField)
			}
			text, _ := set.ToJSON()
			fmt.Fprintf(&fingerprint, "%s %s %s %s\n", entry.Operation, entry.APIVersion, timeOf(entry), text)
			continue
		}
		for path := range foreignFields(entry, set, autoscaled).All() {
			result.Foreign = append(result.Foreign, entry.Manager+": "+path.String())
		}
	}
	slices.Sort(result.Foreign)
	if len(result.Foreign) > 5 {
		result.Foreign = result.Foreign[:5]
	}
	result.Mixed = result.Mixed || len(result.Foreign) > 0
	result.Fields = short(Digest(fingerprint.String()))
	return result
}

// Gather returns managed fields in which everything that Fairway or an unwanted
// writer owns belongs to Fairway's applied set. The server-side apply that
// follows removes what the wish does not hold.
func Gather(apiVersion string, entries []metav1.ManagedFieldsEntry, autoscaled bool) []metav1.ManagedFieldsEntry {
	gathered := fieldpath.NewSet()
	var kept []metav1.ManagedFieldsEntry
	ours := metav1.ManagedFieldsEntry{
		Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationApply, APIVersion: apiVersion, FieldsType: "FieldsV1",
	}
	for _, entry := range entries {
		if entry.Subresource == "status" {
			kept = append(kept, entry)
			continue
		}
		set := setOf(entry)
		if isOurs(entry) {
			gathered = gathered.Union(set)
			if ours.Time == nil || entry.Operation == metav1.ManagedFieldsOperationApply {
				ours.Time = entry.Time
			}
			continue
		}
		foreign := foreignFields(entry, set, autoscaled)
		gathered = gathered.Union(foreign)
		if rest := set.Difference(foreign); !rest.Empty() {
			entry.FieldsV1 = &metav1.FieldsV1{}
			setRaw(entry.FieldsV1, rest)
			kept = append(kept, entry)
		}
	}
	if autoscaled {
		gathered = gathered.Difference(replicasField)
	}
	ours.FieldsV1 = &metav1.FieldsV1{}
	setRaw(ours.FieldsV1, gathered)
	return append(kept, ours)
}

var replicasField = fieldpath.NewSet(fieldpath.MakePathOrDie("spec", "replicas"))

func isOurs(entry metav1.ManagedFieldsEntry) bool {
	return entry.Manager == FieldOwner && entry.Subresource == ""
}

func timeOf(entry metav1.ManagedFieldsEntry) string {
	if entry.Time == nil {
		return ""
	}
	return entry.Time.UTC().Format("2006-01-02T15:04:05Z")
}

func setOf(entry metav1.ManagedFieldsEntry) *fieldpath.Set {
	set := fieldpath.NewSet()
	if entry.FieldsV1 != nil {
		// What cannot be read counts as owning nothing: the fingerprint differs then
		// and the object is applied again.
		_ = set.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes()))
	}
	return set
}

func setRaw(fields *metav1.FieldsV1, set *fieldpath.Set) {
	text, _ := set.ToJSON()
	fields.SetRawBytes(text)
}

// foreignFields returns what of another writer's fields is not Kubernetes' own
// bookkeeping.
func foreignFields(entry metav1.ManagedFieldsEntry, set *fieldpath.Set, autoscaled bool) *fieldpath.Set {
	foreign := fieldpath.NewSet()
	for path := range set.All() {
		if !isBookkeeping(path, entry.Manager, autoscaled) {
			foreign.Insert(path.Copy())
		}
	}
	return foreign
}

// isBookkeeping says whether others may write the path on our objects. It goes by
// path rather than by writer, since a writer chooses its own name.
func isBookkeeping(path fieldpath.Path, manager string, autoscaled bool) bool {
	first, second := nameAt(path, 0), nameAt(path, 1)
	if len(path) == 1 {
		return first == "metadata" || first == "spec" || first == "status"
	}
	switch {
	case first == "status":
		return true
	case first == "spec" && second == "replicas":
		return autoscaled
	case first == "spec" && (second == "volumeName" || second == "finalizers"):
		return true // a bound claim, a namespace
	case first == "secrets":
		return true // token secrets of service accounts before Kubernetes 1.24
	case first == "metadata" && second == "finalizers":
		return true
	case first == "metadata" && (second == "annotations" || second == "labels"):
		return len(path) == 2 || isBookkeepingKey(nameAt(path, 2), manager)
	}
	return false
}

// isBookkeepingKey says whether a label or annotation is one that Kubernetes'
// controllers or Fairway's other rooms write.
func isBookkeepingKey(key, manager string) bool {
	domain, _, _ := strings.Cut(key, "/")
	if domain == "kubectl.kubernetes.io" {
		return false
	}
	if strings.HasPrefix(manager, "fairway") && strings.HasSuffix(domain, ".fairway.cloud") {
		return true
	}
	return strings.HasSuffix(domain, ".kubernetes.io") || domain == "kubernetes.io" || strings.HasSuffix(domain, ".k8s.io")
}

func nameAt(path fieldpath.Path, i int) string {
	if i >= len(path) || path[i].FieldName == nil {
		return ""
	}
	return *path[i].FieldName
}
