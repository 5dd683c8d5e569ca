// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tiles

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/transparency-dev/tessera/api/layout"
)

// ReadTile returns the first count hashes of a tile; count 0 means all.
func ReadTile(dir string, level, index uint64, count int) ([]byte, error) {
	raw, err := readPart(dir, func(p uint8) string { return layout.TilePath(level, index, p) }, count)
	if err != nil {
		return nil, fmt.Errorf("could not read tile %d of level %d: %w", index, level, err)
	}
	if count == 0 {
		count = Width
	}
	if len(raw) < count*hashSize {
		return nil, fmt.Errorf("could not read tile %d of level %d: it has %d bytes, not %d", index, level, len(raw), count*hashSize)
	}
	return raw[:count*hashSize], nil
}

// ReadBundle returns the first count entries of a bundle, each behind its length
// in two bytes; count 0 means all.
func ReadBundle(dir string, index uint64, count int) ([]byte, error) {
	raw, err := readPart(dir, func(p uint8) string { return layout.EntriesPath(index, p) }, count)
	if err != nil {
		return nil, fmt.Errorf("could not read bundle %d: %w", index, err)
	}
	if count == 0 {
		count = Width
	}
	end := 0
	for i := range count {
		if len(raw) < end+2 || len(raw) < end+2+int(binary.BigEndian.Uint16(raw[end:])) {
			return nil, fmt.Errorf("could not read bundle %d: it ends within entry %d of %d", index, i, count)
		}
		end += 2 + int(binary.BigEndian.Uint16(raw[end:]))
	}
	return raw[:end], nil
}

// Split returns the entries of a bundle, of which there must be count.
func Split(raw []byte, count int) ([][]byte, error) {
	entries := make([][]byte, 0, count)
	for len(raw) > 0 {
		if len(raw) < 2 || len(raw) < 2+int(binary.BigEndian.Uint16(raw)) {
			return entries, fmt.Errorf("it ends within entry %d of %d", len(entries), count)
		}
		end := 2 + int(binary.BigEndian.Uint16(raw))
		entries, raw = append(entries, raw[2:end:end]), raw[end:]
	}
	if len(entries) != count {
		return entries, fmt.Errorf("it has %d entries, not %d", len(entries), count)
	}
	return entries, nil
}

// readPart reads the file with so many elements, or one that has them and more:
// the whole one, or a partly filled one that was written later.
func readPart(dir string, path func(p uint8) string, count int) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, path(uint8(count%Width))))
	if err == nil || count == 0 || !errors.Is(err, fs.ErrNotExist) {
		return raw, err
	}
	for _, p := range later(filepath.Join(dir, filepath.Dir(path(1))), count) {
		if raw, e := os.ReadFile(filepath.Join(dir, path(p))); e == nil {
			return raw, nil
		}
	}
	if raw, e := os.ReadFile(filepath.Join(dir, path(0))); e == nil {
		return raw, nil
	}
	return nil, err
}

// later lists the partly filled files in a folder with more than count elements.
func later(folder string, count int) []uint8 {
	var found []uint8
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	for _, f := range files {
		if n, err := strconv.Atoi(f.Name()); err == nil && n > count && n < Width {
			found = append(found, uint8(n))
		}
	}
	return found
}
