// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package verify

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
)

const hashSize = 32

// window is how many bundles are looked at in parallel before their sources are
// counted, in order. It bounds the memory.
const window = 128

// bundle is what was found in one bundle.
type bundle struct {
	heads  []audit.Head
	hashes [][]byte
	faults []Fault // Index within the year
	first  audit.Record
	err    error
}

// bundles looks at all records of the year.
func (y *yearCheck) bundles() error {
	count := (y.size + tiles.Width - 1) / tiles.Width
	keep := map[uint64]bool{}
	for _, c := range y.known {
		keep[c.Size/tiles.Width] = true
	}
	y.levels, y.leaves = [][][]byte{nil}, map[uint64][][]byte{}
	for from := uint64(0); from < count; from += window {
		found := make([]bundle, min(window, count-from))
		var wg sync.WaitGroup
		next := make(chan int, len(found))
		for i := range found {
			next <- i
		}
		close(next)
		for range y.v.options.Workers {
			wg.Go(func() {
				for i := range next {
					found[i] = y.bundle(from + uint64(i))
				}
			})
		}
		wg.Wait()
		for i := range found {
			b := &found[i]
			if b.err != nil {
				return b.err
			}
			index := from + uint64(i)
			if index == 0 {
				y.opening = b.first
			}
			for _, f := range b.faults {
				y.bad = append(y.bad, uint64(f.Index))
				y.at(uint64(f.Index), f)
			}
			y.count(index*tiles.Width, b)
			if keep[index] {
				y.leaves[index] = b.hashes
			}
			if len(b.hashes) == tiles.Width {
				y.levels[0] = append(y.levels[0], tiles.TileRoot(b.hashes))
			} else {
				y.edge = b.hashes
			}
		}
	}
	return nil
}

// count takes the records of a bundle into the sources' account. After the first
// that does not follow, what comes next says nothing new.
func (y *yearCheck) count(from uint64, b *bundle) {
	for i, h := range b.heads {
		if !y.v.counting {
			return
		}
		if h.Sequence == 0 {
			y.v.counting = false // it could not be read, and is a fault already
			return
		}
		if y.v.options.From > 0 {
			y.v.adopt(h)
		}
		if err := y.v.account.Take(h); err != nil {
			y.v.counting = false
			y.at(from+uint64(i), Fault{Source: h.Source, Sequence: h.Sequence, What: err.Error() + ": a record was removed, added or moved"})
		}
	}
}

// adopt lets a source begin where the archived years left it.
func (v *verification) adopt(h audit.Head) {
	s := v.account[h.Source]
	if s == nil {
		s = &audit.Source{Last: h.Sequence - 1, Open: map[int64]bool{}}
		v.account[h.Source] = s
		v.report.Sources[h.Source] = h.Sequence // the first one that is here
	}
	if h.Kind == audit.KindOutcome && h.Intent < v.report.Sources[h.Source] {
		s.Open[h.Intent] = true
	}
}

// bundle looks at one bundle by itself.
func (y *yearCheck) bundle(index uint64) bundle {
	b := bundle{}
	count := int(min(y.size-index*tiles.Width, tiles.Width))
	from := index * tiles.Width
	file := y.name(layout.EntriesPath(index, uint8(count%tiles.Width)))
	wrong := func(i int, f Fault) {
		f.Index = int64(from) + int64(i)
		if f.File == "" {
			f.File = file
		}
		b.faults = append(b.faults, f)
	}
	raw, entries, whole := y.entries(index, count)
	tile, err := y.tile(index, count)
	if err != nil {
		wrong(0, Fault{File: y.name(layout.TilePath(0, index, uint8(count%tiles.Width))), What: "the tile with the hash of this record " + err.Error()})
	}
	for i, e := range entries {
		hash := rfc6962.DefaultHasher.HashLeaf(e)
		b.hashes = append(b.hashes, hash)
		record, parseErr := audit.ParseRecord(e)
		if i == 0 {
			b.first = record
		}
		if parseErr != nil {
			b.heads = append(b.heads, audit.Head{})
			wrong(i, Fault{Says: clip(fmt.Sprintf("%q", e)), What: parseErr.Error()})
		} else {
			b.heads = append(b.heads, record.Head())
		}
		if err == nil && !bytes.Equal(hash, tile[i*hashSize:(i+1)*hashSize]) {
			f := Fault{Source: record.Source, Sequence: record.Sequence, Says: says(record, e, parseErr), What: "the record is not the one whose hash stands in the tree"}
			if parseErr == nil && y.parentAgrees(index, entries) {
				f.File, f.What = y.name(layout.TilePath(0, index, uint8(count%tiles.Width))), "the hash of this record in the tree was altered; the record itself fits the level above"
			}
			wrong(i, f)
		}
	}
	if !whole {
		wrong(len(entries), Fault{What: "this record is missing, torn, or not the last of its file"})
		for len(b.hashes) < count { // a place for what is not there, so that the rest is looked at
			b.hashes, b.heads = append(b.hashes, make([]byte, hashSize)), append(b.heads, audit.Head{})
		}
	}
	b.faults = append(b.faults, y.strays(index, count, raw, tile)...)
	return b
}

// entries reads a bundle. whole says that it has exactly so many records.
func (y *yearCheck) entries(index uint64, count int) (raw []byte, entries [][]byte, whole bool) {
	raw, err := os.ReadFile(filepath.Join(y.dir, layout.EntriesPath(index, uint8(count%tiles.Width))))
	if err != nil {
		if raw, err = tiles.ReadBundle(y.dir, index, count%tiles.Width); err != nil {
			return nil, nil, false
		}
	}
	entries, err = tiles.Split(raw, count)
	return raw, entries[:min(len(entries), count)], err == nil
}

// tile reads the hashes of a bundle's records.
func (y *yearCheck) tile(index uint64, count int) ([]byte, error) {
	tile, err := tiles.ReadTile(y.dir, 0, index, count%tiles.Width)
	if err != nil {
		return nil, errors.New("is missing or too short")
	}
	info, err := os.Stat(filepath.Join(y.dir, layout.TilePath(0, index, uint8(count%tiles.Width))))
	if err == nil && info.Size() != int64(len(tile)) {
		return nil, errors.New("has more hashes than records")
	}
	return tile, nil
}

// parentAgrees says that the records of a full bundle give the hash that stands in
// the level above.
func (y *yearCheck) parentAgrees(index uint64, entries [][]byte) bool {
	if len(entries) != tiles.Width {
		return false
	}
	hashes := make([][]byte, len(entries))
	for i, e := range entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(e)
	}
	above := y.size >> 8
	part := 0
	if index/tiles.Width == above/tiles.Width {
		part = int(above % tiles.Width)
	}
	tile, err := tiles.ReadTile(y.dir, 1, index/tiles.Width, part)
	if err != nil {
		return false
	}
	at := int(index%tiles.Width) * hashSize
	return bytes.Equal(tile[at:at+hashSize], tiles.TileRoot(hashes))
}

// strays looks at partly filled files that no checkpoint needs any more: they too
// hold only what the log holds.
func (y *yearCheck) strays(index uint64, count int, raw, tile []byte) []Fault {
	var faults []Fault
	look := func(path string, same func(n int, content []byte) bool) {
		folder := path + ".p"
		files, err := os.ReadDir(filepath.Join(y.dir, folder))
		if err != nil {
			return
		}
		for _, f := range files {
			n, err := strconv.Atoi(f.Name())
			if err != nil || n < 1 || n > count {
				continue // beyond the checkpoint: not evidence yet
			}
			content, err := os.ReadFile(filepath.Join(y.dir, folder, f.Name()))
			if err == nil && !same(n, content) {
				faults = append(faults, Fault{Index: int64(index * tiles.Width), File: y.name(filepath.Join(folder, f.Name())), What: "an earlier file of these records does not hold what the log holds"})
			}
		}
	}
	look(layout.EntriesPath(index, 0), func(n int, content []byte) bool {
		_, err := tiles.Split(content, n)
		return err == nil && bytes.HasPrefix(raw, content)
	})
	look(layout.TilePath(0, index, 0), func(n int, content []byte) bool {
		return len(content) == n*hashSize && bytes.HasPrefix(tile, content)
	})
	return faults
}

// says is a record in a few words.
func says(r audit.Record, raw []byte, err error) string {
	switch {
	case err != nil:
		return clip(fmt.Sprintf("%q", raw))
	case r.Act != nil:
		return clip(fmt.Sprintf("%q did %q on %q at %s", r.Act.Person, r.Act.Verb, r.Act.Subject, r.Time.Format("2006-01-02T15:04:05Z")))
	}
	return clip(fmt.Sprintf("intent %d ended %q at %s: %q", r.Intent, r.Outcome.Result, r.Time.Format("2006-01-02T15:04:05Z"), r.Outcome.Message))
}

func clip(s string) string {
	if len(s) > 300 {
		return s[:300] + " …"
	}
	return s
}

// onDisk is how many records the files hold, where no checkpoint says it.
func onDisk(dir string) uint64 {
	n := uint64(0)
	for {
		if _, err := os.Stat(filepath.Join(dir, layout.EntriesPath(n, 0))); err != nil {
			break
		}
		n++
	}
	last := uint64(0)
	files, _ := os.ReadDir(filepath.Join(dir, layout.EntriesPath(n, 0)+".p"))
	for _, f := range files {
		if part, err := strconv.ParseUint(f.Name(), 10, 8); err == nil {
			last = max(last, part)
		}
	}
	return n*tiles.Width + last
}
