// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	flog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// CosignedFile is the name of the file that holds the newest checkpoint that the
// witness signed too.
const CosignedFile = "cosigned"

// Origin names the log of a year, by the name of the log's key.
func Origin(key string, year int) string { return fmt.Sprintf("%s/%04d", key, year) }

// Years lists the years whose logs a folder holds, in order.
func Years(dir string) ([]int, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("could not list the logs in %q: %w", dir, err)
	}
	var years []int
	for _, f := range files {
		if n, err := strconv.Atoi(f.Name()); err == nil && f.IsDir() && len(f.Name()) == 4 && n > 0 {
			years = append(years, n)
		}
	}
	return years, nil
}

// yearLog is the log of one year.
type yearLog struct {
	year   int
	dir    string
	origin string
	// base is the number of records in the logs before.
	base uint64
	// newest is the newest checkpoint, and cosigned the newest that the witness signed.
	newest, cosigned atomic.Pointer[checkpoint]

	tree *tiles.Tree // owned by whoever publishes
}

// checkpoint is a signed one.
type checkpoint struct {
	flog.Checkpoint
	signed []byte
}

// size is how many records the newest checkpoint covers.
func (y *yearLog) size() uint64 { return y.newest.Load().Size }

// cosignedSize is how many the witness has confirmed.
func (y *yearLog) cosignedSize() uint64 {
	if c := y.cosigned.Load(); c != nil {
		return c.Size
	}
	return 0
}

// openYear reads a year's checkpoints.
func openYear(dir string, year int, base uint64, key note.Verifier) (*yearLog, error) {
	y := &yearLog{year: year, dir: filepath.Join(dir, fmt.Sprintf("%04d", year)), origin: Origin(key.Name(), year), base: base}
	newest, err := y.read(tiles.CheckpointFile, key)
	if err != nil {
		return nil, err
	}
	y.newest.Store(newest)
	cosigned, err := y.read(CosignedFile, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case cosigned.Size > newest.Size:
		return nil, fmt.Errorf("could not open the log of %d: the witness has confirmed %d records and the log has %d; records were removed, restore them from the copy", year, cosigned.Size, newest.Size)
	default:
		y.cosigned.Store(cosigned)
	}
	return y, nil
}

func (y *yearLog) read(name string, key note.Verifier) (*checkpoint, error) {
	signed, err := os.ReadFile(filepath.Join(y.dir, name))
	if err != nil {
		return nil, fmt.Errorf("could not read the checkpoint of the log of %d: %w", y.year, err)
	}
	c, _, _, err := flog.ParseCheckpoint(signed, y.origin, key)
	if err != nil {
		return nil, fmt.Errorf("could not read the checkpoint of the log of %d: %w; the file %q was altered, or belongs to another key", y.year, err, name)
	}
	return &checkpoint{*c, signed}, nil
}

// grow takes the records behind the newest checkpoint into the tree, and signs and
// stores a checkpoint over them.
func (y *yearLog) grow(records [][]byte, key *sealing.Key) error {
	before := y.newest.Load().Size
	// The tree may have grown already, and only the checkpoint found no room.
	if err := y.tree.Grow(records[y.tree.Size()-before:]); err != nil {
		return err
	}
	c, err := y.sign(y.tree.Size(), y.tree.Root(), key)
	if err != nil {
		return err
	}
	if err := tiles.WriteFile(filepath.Join(y.dir, tiles.CheckpointFile), c.signed); err != nil {
		return err
	}
	y.newest.Store(c)
	// What cannot be removed now is removed when its tile is filled.
	_ = tiles.Forget(y.dir, before, c.Size)
	return nil
}

func (y *yearLog) sign(size uint64, root []byte, key *sealing.Key) (*checkpoint, error) {
	c := flog.Checkpoint{Origin: y.origin, Size: size, Hash: root}
	signed, err := note.Sign(&note.Note{Text: string(c.Marshal())}, key.Signers()...)
	if err != nil {
		return nil, fmt.Errorf("could not sign a checkpoint: %w", err)
	}
	return &checkpoint{c, signed}, nil
}

// beginYear makes the log of a year, empty.
func beginYear(dir string, year int, base uint64, key *sealing.Key) (*yearLog, error) {
	y := &yearLog{year: year, dir: filepath.Join(dir, fmt.Sprintf("%04d", year)), origin: Origin(key.Name(), year), base: base}
	root := rfc6962.DefaultHasher.EmptyRoot()
	tree, err := tiles.Open(y.dir, 0, root)
	if err != nil {
		return nil, err
	}
	y.tree = tree
	c, err := y.sign(0, root, key)
	if err != nil {
		return nil, err
	}
	if err := tiles.WriteFile(filepath.Join(y.dir, tiles.CheckpointFile), c.signed); err != nil {
		return nil, fmt.Errorf("could not begin the log of %d: %w", year, err)
	}
	y.newest.Store(c)
	return y, nil
}
