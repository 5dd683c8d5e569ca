// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"context"
	"fmt"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// KeyFile is the name of the log's key; its public half has sealing.PublicSuffix.
const KeyFile = "log.key"

// Reader reads a folder that nobody writes, such as a copy. It implements audit.Log.
type Reader struct{ years []*yearLog }

// OpenReader reads the checkpoints of a folder. The key is the log's public one;
// empty: the one that stands in the folder.
func OpenReader(dir, key string) (*Reader, error) {
	if key == "" {
		var err error
		if key, err = sealing.PublicKey(filepath.Join(dir, KeyFile+sealing.PublicSuffix)); err != nil {
			return nil, err
		}
	}
	verifier, err := sealing.Verifier(key)
	if err != nil {
		return nil, err
	}
	years, err := openYears(dir, verifier)
	return &Reader{years}, err
}

func openYears(dir string, key note.Verifier) ([]*yearLog, error) {
	numbers, err := Years(dir)
	if err != nil {
		return nil, err
	}
	var years []*yearLog
	base := uint64(0)
	for _, n := range numbers {
		y, err := openYear(dir, n, base, key)
		if err != nil {
			return years, err
		}
		years, base = append(years, y), base+y.size()
	}
	return years, nil
}

// Size implements audit.Log.
func (r *Reader) Size(context.Context) (uint64, error) { return sizeOf(r.years), nil }

// Read implements audit.Log.
func (r *Reader) Read(ctx context.Context, from uint64, limit int) ([]audit.Entry, error) {
	return readFrom(ctx, r.years, from, limit)
}

// Size implements audit.Log. Of a log that is not as it was written nobody knows how
// many records it has: what was made from it before stays as it is.
func (l *Ledger) Size(context.Context) (uint64, error) {
	if l.wrong != nil {
		return 0, fmt.Errorf("%w: %w", ErrAltered, l.wrong)
	}
	return sizeOf(l.logs()), nil
}

// Read implements audit.Log.
func (l *Ledger) Read(ctx context.Context, from uint64, limit int) ([]audit.Entry, error) {
	return readFrom(ctx, l.logs(), from, limit)
}

func sizeOf(years []*yearLog) uint64 {
	if len(years) == 0 {
		return 0
	}
	last := years[len(years)-1]
	return last.base + last.size()
}

func readFrom(ctx context.Context, years []*yearLog, from uint64, limit int) ([]audit.Entry, error) {
	var out []audit.Entry
	for _, y := range years {
		size := y.size()
		for len(out) < limit && from >= y.base && from < y.base+size {
			if err := ctx.Err(); err != nil {
				return out, err
			}
			entries, err := y.entries((from-y.base)/tiles.Width, size)
			if err != nil {
				return out, err
			}
			for i := int((from - y.base) % tiles.Width); i < len(entries) && len(out) < limit; i++ {
				record, err := audit.ParseRecord(entries[i])
				if err != nil {
					return out, fmt.Errorf("could not read record %d of the evidence log: %w; run fairway audit verify", from, err)
				}
				out = append(out, audit.Entry{Index: from, Record: record})
				from++
			}
		}
	}
	return out, nil
}

// entries are those of one bundle, as far as the checkpoint of the size covers it.
func (y *yearLog) entries(bundle, size uint64) ([][]byte, error) {
	count := min(size-bundle*tiles.Width, tiles.Width)
	raw, err := tiles.ReadBundle(y.dir, bundle, int(count%tiles.Width))
	if err != nil {
		return nil, fmt.Errorf("could not read the evidence log of %d: %w", y.year, err)
	}
	entries, err := tiles.Split(raw, int(count))
	if err != nil {
		return nil, fmt.Errorf("could not read bundle %d of the evidence log of %d: %w", bundle, y.year, err)
	}
	return entries, nil
}
