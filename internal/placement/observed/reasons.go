// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"cmp"
	"fmt"
	"slices"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// A Placement holds so many reasons (placementv1.PlacementSpec), each of so many bytes, and so
// many bytes of them in all, fewer where its assignments take more: the hub's store takes 1.5 MiB.
const (
	mostReasons      = 4096
	mostReason       = 1024
	mostReasonBytes  = 512 << 10
	leastReasonBytes = 64 << 10
	mostBytes        = 1280 << 10
)

// ruleReasons is the rule of the reason that says how many more there were.
const ruleReasons = "Reasons"

// reasonsOf are a decision's reasons as a Placement holds them, in their order. Where there are
// more than it has room for, those stay that say most, and the last one says how many were left
// out (R48). beside is how many bytes the Placement takes without them.
func reasonsOf(all []placement.Reason, beside int) []placementv1.Reason {
	most := min(mostReasonBytes, max(leastReasonBytes, mostBytes-beside))
	out := make([]placementv1.Reason, len(all))
	bytes := 0
	for i, r := range all {
		out[i] = placementv1.Reason{Component: r.Component, DCN: r.DCN, Rule: r.Rule, Message: Bounded(r.Message, mostReason)}
		bytes += sizeOf(out[i])
	}
	if len(out) == 0 {
		return nil
	}
	if len(out) <= mostReasons && bytes <= most {
		return out
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(says(all[a]), says(all[b])) })
	// The last one says how many more there were.
	n, bytes := 0, mostReason
	for n < mostReasons-1 && n < len(order) && bytes+sizeOf(out[order[n]]) <= most {
		bytes += sizeOf(out[order[n]])
		n++
	}
	stay := slices.Sorted(slices.Values(order[:n]))
	bounded := make([]placementv1.Reason, 0, n+1)
	for _, i := range stay {
		bounded = append(bounded, out[i])
	}
	return append(bounded, placementv1.Reason{Rule: ruleReasons, Message: fmt.Sprintf("and %d reasons more, for which a Placement has no room: what was decided comes before why, and both before what is left out", len(all)-n)})
}

// says ranks a reason: what makes the Request impossible first, then what was decided, why each cell
// was taken, and last what is left out.
func says(r placement.Reason) int {
	switch {
	case r.Refusal:
		return 0
	case r.Aside:
		return 3
	case r.Rule == "Chosen" || r.Rule == "Kept":
		return 2
	}
	return 1
}

// sizeOf is about how many bytes a reason takes in the hub's store, its names included.
func sizeOf(r placementv1.Reason) int {
	const names = len(`{"component":"","dcn":"","rule":"","message":""},`)
	return names + len(r.Component) + len(r.DCN) + len(r.Rule) + len(r.Message)
}
