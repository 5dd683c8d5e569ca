// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"encoding/json"
	"fmt"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// What a Placement holds beside its reasons (placementv1.PlacementSpec).
const (
	mostAssignments = 4096
	mostHosts       = 5000
)

// TooLarge says why a Placement cannot be stored, and what to divide; empty: it can.
func TooLarge(spec placementv1.PlacementSpec) (string, error) {
	components, racks := map[string]bool{}, map[[2]string]bool{}
	for _, a := range spec.Assignments {
		components[a.Component], racks[[2]string{a.Cell.Cluster, a.Cell.Rack}] = true, true
	}
	const advice = "divide the application into several, with fewer components each, or name fewer pools for it, so that it lies on fewer racks"
	if n := len(spec.Assignments); n > mostAssignments {
		return fmt.Sprintf("its components (%d) lie in %d cells on %d racks, and a Placement holds %d cells: %s", len(components), n, len(racks), mostAssignments, advice), nil
	}
	for _, r := range spec.Hosts {
		if len(r.Names) > mostHosts {
			return fmt.Sprintf("rack %s of pool %s in cluster %s has %d hosts, and a Placement lists %d of a rack: divide the rack", r.Rack, r.Pool, r.Cluster, len(r.Names), mostHosts), nil
		}
	}
	spec.Reasons = nil // there is always room for some
	bytes, err := bytesOf(spec)
	if err != nil || bytes <= mostBytes {
		return "", err
	}
	return fmt.Sprintf("its components (%d) lie in %d cells on %d racks: that takes %d KiB, and a Placement holds %d: %s", len(components), len(spec.Assignments), len(racks), bytes>>10, mostBytes>>10, advice), nil
}

// bytesOf is how many bytes a Placement takes.
func bytesOf(spec placementv1.PlacementSpec) (int, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return 0, fmt.Errorf("could not measure the placement of %q: %w", spec.Application, err)
	}
	return len(text), nil
}
