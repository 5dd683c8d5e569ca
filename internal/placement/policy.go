// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// Policy is how cells are ruled out and preferred.
type Policy struct {
	Filters []Filter
	Scores  []Score
	// SpareFrom says from how many hosts on a cell keeps one host's worth free for
	// new instances' sake: whichever host is lost, its instances come back on the
	// others. 0: never.
	SpareFrom int
	// Surge is how many of each hundred hosts of a pool in a data centre keep their worth
	// free for successors of what runs there. 0: none.
	Surge int32
	// Explain has decisions say why each cell was chosen, and which cells were excluded
	// by which rule. It costs a look at the whole fleet for each component and DCN.
	Explain bool
	// Apart says which tags do not go well together.
	Apart []Apart
}

// Apart is the price of each pair of instances in one rack of which one carries
// Tag and the other carries Other. With both the same, look-alikes keep away from
// each other.
type Apart struct {
	Tag, Other string
	// Price per pair. The weight of the score Profile multiplies it.
	Price int64
}

// Weighted is the policy with other weights for the scores that are named.
func (p Policy) Weighted(weights map[string]int64) Policy {
	p.Scores = slices.Clone(p.Scores)
	for i := range p.Scores {
		if w, ok := weights[p.Scores[i].Name]; ok {
			p.Scores[i].Weight = w
		}
	}
	return p
}

// DefaultPolicy has the filters, scores and pairs that hold unless somebody says otherwise,
// and keeps no room free.
func DefaultPolicy() Policy {
	return Policy{Filters: Filters(), Scores: Scores(), Apart: []Apart{
		{Tag: "cpu-bound", Other: "cpu-bound", Price: 1}, {Tag: "io-heavy", Other: "io-heavy", Price: 2},
		{Tag: "latency-sensitive", Other: "io-heavy", Price: 1},
	}}
}
