// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// The cost of a decision is the sum, over its instances and the scores, of weight ×
// what the score says of one instance more. Each score looks at one count of the Spot
// and never falls while that count grows; so the sum does not depend on the order of
// the instances, and taking the cheapest place for each in turn is cheapest in all
// (a greedy choice over a laminar family is optimal for separable convex costs:
// Federgruen and Groenevelt, "The greedy procedure for resource allocation problems",
// Operations Research 34, 1986).

// Score prices places. The place with the lowest price takes the next instance; of
// two with the same price, the one whose cell comes first by name.
type Score struct {
	Name string
	// Weight that the price is multiplied by. It is not negative.
	Weight int64
	// Of is the price of one instance more.
	Of func(s *Spot) int64
}

// Spot is a cell as scores see it, for one component and DCN.
type Spot struct {
	// InRack and InZone count the component's instances of the DCN in the cell's rack
	// and in its availability zone, those on virtual machines included.
	InRack, InZone int64
	// InCell counts those in the cell itself.
	InCell int64
	// Rank of the pool among those that the component prefers: 0 is the best.
	Rank int64
	// Known says that the component owns numbers in the cell.
	Known bool
	// Filled is how much of the cell's hosts is held, in thousandths of the scarcest
	// respect: before the decision, and after InCell instances and one more.
	Filled, FilledThen int64
	// Pack says that the pool fills hosts that are in use first.
	Pack bool
	// Alike is the price of the pairs that one instance more would make with others in
	// the rack, by the policy's rules (Apart).
	Alike int64
	// Hosts is how many hosts the cell has.
	Hosts int64
	// Far is how far the components are that it calls: 0 in the rack, 1 in the
	// availability zone, 2 elsewhere.
	Far int64
}

// spreading are scores with the weights that a component's wishes give those that spread:
// the larger of the policy's two goes to the first step that it names, half of it to the
// second, a quarter to the third, and nothing to what it does not name. Without wishes they
// are the policy's.
func spreading(scores []Score, steps []Scope) []Score {
	if len(steps) == 0 {
		return scores
	}
	of := map[string]Scope{"SpreadOverZones": ScopeZone, "SpreadOverRacks": ScopeRack}
	var most int64
	for i := range scores {
		if _, spreads := of[scores[i].Name]; spreads {
			most = max(most, scores[i].Weight)
		}
	}
	weight := func(s Scope) int64 {
		if i := slices.Index(steps, s); i >= 0 {
			return most >> i
		}
		return 0
	}
	out := make([]Score, 0, len(scores)+1)
	for _, s := range scores {
		if scope, spreads := of[s.Name]; spreads {
			s.Weight = weight(scope)
		}
		out = append(out, s)
	}
	// Hosts are spread over by the member's scheduler inside a cell; between cells, where they
	// are named before racks or zones.
	return append(out, Score{Name: "SpreadOverHosts", Weight: weight(ScopeHost), Of: onEachHost})
}

// onEachHost is how many instances of the component the hosts of a cell have each, on all of
// them at least.
func onEachHost(s *Spot) int64 { return s.InCell / max(s.Hosts, 1) }

// Scores returns the scores with the weights of the default policy.
func Scores() []Score {
	return []Score{
		{Name: "PreferredPool", Weight: 1_000_000, Of: func(s *Spot) int64 { return s.Rank }},
		{Name: "SpreadOverZones", Weight: 100_000, Of: func(s *Spot) int64 { return s.InZone }},
		{Name: "SpreadOverRacks", Weight: 50_000, Of: func(s *Spot) int64 { return s.InRack }},
		{Name: "KnownCell", Weight: 20_000, Of: knownCell},
		{Name: "Profile", Weight: 5_000, Of: func(s *Spot) int64 { return s.Alike }},
		{Name: "NearCalled", Weight: 2_000, Of: func(s *Spot) int64 { return s.Far }},
		{Name: "Room", Weight: 10, Of: roomLeft},
	}
}

func knownCell(s *Spot) int64 {
	if s.Known {
		return 0
	}
	return 1
}

// roomLeft prefers the emptier hosts, or in a pool that packs the fuller ones.
func roomLeft(s *Spot) int64 {
	if s.Pack {
		return 1000 - s.Filled
	}
	return s.FilledThen
}
