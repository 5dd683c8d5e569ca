// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package verify

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
)

// compare names the first record that differs from the second copy.
func (y *yearCheck) compare() error {
	if y.v.options.Copy == "" {
		return nil
	}
	dir := filepath.Join(y.v.options.Copy, filepath.Base(y.dir))
	there := onDisk(dir)
	for from := uint64(0); from < min(y.size, there); from += tiles.Width {
		count := int(min(y.size-from, there-from, tiles.Width))
		theirs, err := tiles.ReadBundle(dir, from/tiles.Width, count%tiles.Width)
		if err != nil {
			return fmt.Errorf("could not compare with the copy: %w", err)
		}
		ours, err := tiles.ReadBundle(y.dir, from/tiles.Width, count%tiles.Width)
		if err == nil && bytes.Equal(ours, theirs) {
			continue
		}
		other, err := tiles.Split(theirs, count)
		if err != nil {
			return fmt.Errorf("could not compare with the copy: bundle %d: %w", from/tiles.Width, err)
		}
		_, own, _ := y.entries(from/tiles.Width, count)
		for i, e := range other {
			if i >= len(own) || !bytes.Equal(own[i], e) {
				record, err := audit.ParseRecord(e)
				y.at(from+uint64(i), Fault{Source: record.Source, Sequence: record.Sequence, What: "the record differs from the one in the copy, where " + says(record, e, err)})
				return nil
			}
		}
	}
	if there > y.size {
		y.at(y.size, Fault{What: fmt.Sprintf("the copy has %d records of %d and the log has %d: records were removed", there, y.year, y.size)})
	}
	return nil
}

// pending looks at what no checkpoint covers yet. It is no proof, but it must fit.
func (y *yearCheck) pending(last bool) {
	records, damaged, err := ledger.Pending(y.dir)
	if err != nil {
		y.fault(Fault{Index: -1, What: fmt.Sprintf("the pending records of %d cannot be read: %v", y.year, err)})
		return
	}
	if damaged != nil && damaged.Index < y.size {
		y.at(damaged.Index, Fault{File: y.name(filepath.Base(damaged.File)), What: "the record among the pending ones is damaged"})
	}
	for _, p := range records {
		if p.Index < y.size {
			if entries := y.entryAt(p.Index); entries == nil || !bytes.Equal(entries, p.Record) {
				record, err := audit.ParseRecord(p.Record)
				y.at(p.Index, Fault{Source: record.Source, Sequence: record.Sequence, Says: says(record, p.Record, err), What: "the record in the log is not the one that was pending"})
				return
			}
			continue
		}
		record, err := audit.ParseRecord(p.Record)
		if err == nil && y.v.counting {
			err = y.v.account.Take(record.Head())
		}
		if err != nil {
			y.at(p.Index, Fault{Source: record.Source, Sequence: record.Sequence, What: "a pending record is wrong: " + err.Error()})
			return
		}
		y.v.report.Pending++
	}
	if damaged != nil && damaged.Index >= y.size && last {
		y.v.note("behind record %d, which no checkpoint covers yet, the pending file ends in the middle of a record, as after a crash", damaged.Index)
	}
}

func (y *yearCheck) entryAt(index uint64) []byte {
	count := int(min(y.size-index/tiles.Width*tiles.Width, tiles.Width))
	if y.cached != index/tiles.Width+1 {
		_, y.cache, _ = y.entries(index/tiles.Width, count)
		y.cached = index/tiles.Width + 1
	}
	if i := int(index % tiles.Width); i < len(y.cache) {
		return y.cache[i]
	}
	return nil
}
