// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Names of Fairway's own records in a member.
const (
	// InventoryName is the ConfigMap in the application's namespace that holds
	// its inventory.
	InventoryName = "fairway-inventory"
	// EpochName is the ConfigMap in fairway-system that holds the epoch of the
	// last hub that led.
	EpochName = "fairway-epoch"
	// RetiredName is the ConfigMap in fairway-system that remembers the release
	// sequence of applications that were taken out, by member namespace.
	RetiredName = "fairway-retired"
)

// Inventory is what Fairway has made, or intends to make, for one application in
// one member.
type Inventory struct {
	// Application as "<hub namespace>/<name>".
	Application string
	// Release that was last carried out, and its number.
	Release  string
	Sequence int64
	// Objects by identity.
	Objects map[Identity]Record
}

// Record is what the inventory knows about one object.
type Record struct {
	// APIVersion under which it was applied.
	APIVersion string `json:"apiVersion"`
	// UID of the object. Empty: intended, and not yet known to exist.
	UID string `json:"uid,omitempty"`
	// Digest of what was applied. Empty: nothing was, as far as is known.
	Digest string `json:"digest,omitempty"`
	// Fields is the fingerprint of what Fairway owns of the object since. Another
	// one means that somebody wrote.
	Fields string `json:"fields,omitempty"`
	// Replicas that were applied, for workloads.
	Replicas int32 `json:"replicas,omitempty"`
	// Generation of the object after it was applied.
	Generation int64 `json:"generation,omitempty"`
}

type inventoryEntry struct {
	Identity
	Record
}

// Encode returns the inventory as the data of its ConfigMap, the same for the
// same inventory.
func (v Inventory) Encode() map[string]string {
	entries := make([]inventoryEntry, 0, len(v.Objects))
	for _, id := range slices.SortedFunc(maps.Keys(v.Objects), compareIdentities) {
		entries = append(entries, inventoryEntry{id, v.Objects[id]})
	}
	text, _ := json.Marshal(entries)
	return map[string]string{
		"application": v.Application,
		"release":     v.Release,
		"sequence":    strconv.FormatInt(v.Sequence, 10),
		"objects":     string(text),
	}
}

// DecodeInventory reads the data of an inventory's ConfigMap.
func DecodeInventory(data map[string]string) (Inventory, error) {
	sequence, err := strconv.ParseInt(data["sequence"], 10, 64)
	if err != nil || sequence < 0 {
		return Inventory{}, fmt.Errorf("could not read the inventory: its sequence %q is no release number: somebody has changed it; restore ConfigMap %q from evidence", data["sequence"], InventoryName)
	}
	var entries []inventoryEntry
	if err := json.Unmarshal([]byte(data["objects"]), &entries); err != nil {
		return Inventory{}, fmt.Errorf("could not read the inventory: somebody has changed ConfigMap %q: %w", InventoryName, err)
	}
	inventory := Inventory{
		Application: data["application"],
		Release:     data["release"],
		Sequence:    sequence,
		Objects:     make(map[Identity]Record, len(entries)),
	}
	for _, entry := range entries {
		inventory.Objects[entry.Identity] = entry.Record
	}
	return inventory, nil
}

// Clone returns a copy that shares nothing.
func (v Inventory) Clone() Inventory {
	v.Objects = maps.Clone(v.Objects)
	if v.Objects == nil {
		v.Objects = map[Identity]Record{}
	}
	return v
}

// Equal says whether both say the same.
func (v Inventory) Equal(other Inventory) bool {
	return v.Application == other.Application && v.Release == other.Release &&
		v.Sequence == other.Sequence && maps.Equal(v.Objects, other.Objects)
}

// Unwanted lists what the inventory names, the wish does not, and may go, sorted. To
// act on it, the member must first have listed those kinds in full. Volume claims and
// the namespace may go only when the application is retired.
func Unwanted(wish Wish, inventory Inventory) []Identity {
	wanted := make(map[Identity]bool, len(wish.Objects))
	for _, object := range wish.Objects {
		wanted[object.Identity] = true
	}
	var unwanted []Identity
	for id := range inventory.Objects {
		if !wanted[id] && (wish.Retire || !id.holdsData() && !id.isNamespace()) {
			unwanted = append(unwanted, id)
		}
	}
	slices.SortFunc(unwanted, compareIdentities)
	return unwanted
}
