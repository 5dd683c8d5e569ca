// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/transparency-dev/tessera/api/layout"

	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/audit/witness"
)

const witnessSuffix = witness.Suffix

// upper looks at the tiles above the records: every hash is computed from the level
// below. levels[0] holds the hashes of level 1.
func (y *yearCheck) upper() error {
	for l := 0; len(y.levels[l]) > 0; l++ {
		nodes := y.levels[l]
		level, records := uint64(l+1), uint64(1)<<(8*(l+1)) // records under one hash
		for from := 0; from < len(nodes); from += tiles.Width {
			want := nodes[from:min(from+tiles.Width, len(nodes))]
			index, part := uint64(from/tiles.Width), len(want)%tiles.Width
			if err := y.upperTile(level, index, part, want, uint64(from)*records, records); err != nil {
				return err
			}
		}
		var above [][]byte
		for from := 0; from+tiles.Width <= len(nodes); from += tiles.Width {
			above = append(above, tiles.TileRoot(nodes[from:from+tiles.Width]))
		}
		y.levels = append(y.levels, above)
	}
	return nil
}

// upperTile compares a tile, and earlier ones of fewer hashes beside it.
func (y *yearCheck) upperTile(level, index uint64, part int, want [][]byte, first, records uint64) error {
	path := layout.TilePath(level, index, uint8(part))
	got, err := os.ReadFile(filepath.Join(y.dir, path))
	if errors.Is(err, fs.ErrNotExist) {
		got, err = tiles.ReadTile(y.dir, level, index, part)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		y.at(first, Fault{File: y.name(path), What: "a tile over this record and those behind is missing"})
		return nil
	case err != nil:
		return fmt.Errorf("could not verify: %w", err)
	}
	y.sameHashes(path, got, want, first, records)
	folder := layout.TilePath(level, index, 0) + ".p"
	files, _ := os.ReadDir(filepath.Join(y.dir, folder))
	for _, f := range files {
		n, err := strconv.Atoi(f.Name())
		if err != nil || n < 1 || n > len(want) || n == part {
			continue
		}
		earlier, err := os.ReadFile(filepath.Join(y.dir, folder, f.Name()))
		if err == nil {
			y.sameHashes(filepath.Join(folder, f.Name()), earlier, want[:n], first, records)
		}
	}
	return nil
}

// sameHashes compares the hashes of a tile with those that were computed. Where a
// record below was found wrong, it is clear why they differ.
func (y *yearCheck) sameHashes(path string, got []byte, want [][]byte, first, records uint64) {
	for i, hash := range want {
		if len(got) < (i+1)*hashSize || !bytes.Equal(got[i*hashSize:(i+1)*hashSize], hash) {
			from := first + uint64(i)*records
			if slices.ContainsFunc(y.bad, func(n uint64) bool { return n >= from && n < from+records }) {
				continue
			}
			y.at(from, Fault{File: y.name(path), What: fmt.Sprintf("a hash over this record and up to %d behind it does not fit them", records-1)})
			return
		}
	}
	if len(got) != len(want)*hashSize {
		y.at(first, Fault{File: y.name(path), What: "the tile has more hashes than records"})
	}
}

// root of the first so many records.
func (y *yearCheck) root(size uint64) []byte {
	edge := [][][]byte{nil}
	if part := size % tiles.Width; part > 0 {
		leaves := y.leaves[size/tiles.Width]
		if leaves == nil {
			leaves = y.edge
		}
		edge[0] = leaves[:part]
	}
	for l, nodes := range y.levels {
		count := size >> (8 * (l + 1))
		edge = append(edge, nodes[count-count%tiles.Width:count])
	}
	return tiles.Root(edge)
}

// roots compares the log's root with its checkpoint, and with what was confirmed.
func (y *yearCheck) roots() {
	if y.newest != nil && !bytes.Equal(y.root(y.size), y.newest.Hash) && !y.wrong {
		y.fault(Fault{Index: -1, File: y.name(tiles.CheckpointFile), What: fmt.Sprintf("the %d records of %d, hashes and all, are not those that the checkpoint was signed for: they were rewritten; compare with the copy to see where", y.size, y.year)})
	}
	before := uint64(0)
	for _, c := range y.known {
		switch {
		case c.Size > y.size:
			y.at(y.size, Fault{What: fmt.Sprintf("this record is missing: the witness has confirmed %d records of %d and the log has %d", c.Size, y.year, y.size)})
		case !bytes.Equal(y.root(c.Size), c.Hash):
			what := fmt.Sprintf("of the first %d records of %d at least one is not what the witness confirmed: the log was rewritten with its own key", c.Size, y.year)
			if before > 0 {
				what += fmt.Sprintf("; the first %d are as they were", before)
			}
			y.fault(Fault{Index: -1, What: what + "; compare with the copy to see which"})
			return
		default:
			before = max(before, c.Size)
		}
	}
}

// chain holds the year's first record to the last checkpoint of the year before.
func (y *yearCheck) chain() {
	if y.size == 0 {
		if y.v.last == nil || y.newest != nil {
			return
		}
	}
	act := y.opening.Act
	if act == nil || act.Verb != ledger.OpeningVerb {
		y.at(0, Fault{Source: y.opening.Source, Sequence: y.opening.Sequence, What: fmt.Sprintf("the log of %d does not begin with the record that opens it", y.year)})
		return
	}
	want := ""
	switch {
	case y.first && y.v.options.From > 0:
		return
	case y.v.last != nil && y.v.last.newest != nil:
		want = ledger.Chain(y.v.last.newest.Marshal())
	case y.v.last != nil:
		return // the year before has no checkpoint, which is a fault already
	}
	if act.Before != want {
		y.at(0, Fault{Source: y.opening.Source, Sequence: y.opening.Sequence, Says: fmt.Sprintf("%q", act.Details), What: fmt.Sprintf("the log of %d is not chained to the last checkpoint of the year before: that log is missing, or was altered", y.year)})
	}
}
