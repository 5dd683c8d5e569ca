// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// Score prefers cells. Of returns a larger number for a better cell; the first
// score in which two cells differ decides, and the cell's key at last.
type Score struct {
	Name string
	Of   func(v View, cell Cell) int64
}

// View is what scores may look at.
type View struct {
	Component Component
	// Taken counts the component's instances of the DCN by cell.
	Taken map[Cell]int32
	// Blocks are the cells in which the component owns numbers.
	Blocks map[Cell]int32
	// Free is what is left in a cell's hosts.
	Free func(Cell) Amount
}

// Scores returns the scores in the order in which they decide.
func Scores() []Score {
	return []Score{
		{Name: "PreferredPool", Of: preferredPool},
		{Name: "SpreadOverRacks", Of: spreadOverRacks},
		{Name: "KnownCell", Of: knownCell},
		{Name: "MostRoom", Of: mostRoom},
	}
}

func preferredPool(v View, cell Cell) int64 {
	if i := slices.Index(v.Component.Pools, cell.Pool); i >= 0 {
		return int64(-i)
	}
	return int64(-len(v.Component.Pools))
}

func spreadOverRacks(v View, cell Cell) int64 {
	var n int64
	for c, taken := range v.Taken {
		if c.Cluster == cell.Cluster && c.Rack == cell.Rack {
			n -= int64(taken)
		}
	}
	return n
}

func knownCell(v View, cell Cell) int64 {
	if _, ok := v.Blocks[cell]; ok {
		return 1
	}
	return 0
}

// mostRoom counts how many more instances of the component the cell could hold.
func mostRoom(v View, cell Cell) int64 {
	return perHost(Host{Room: v.Free(cell)}, v.Component.Size)
}
