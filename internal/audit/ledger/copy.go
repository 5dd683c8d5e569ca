// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// copyAll follows the checkpoints and copies what they cover.
func (l *Ledger) copyAll() {
	defer l.running.Done()
	var last error
	for {
		select {
		case <-l.live.Done():
			return
		case <-l.copying:
		}
		err := l.copyOnce()
		l.copyFailing.Store(err != nil)
		if (err == nil) != (last == nil) {
			if err != nil {
				l.log.Error("the second copy of the evidence does not follow; it is tried again", "cause", err.Error())
			} else {
				l.log.Info("the second copy of the evidence follows again")
			}
		}
		pause := l.options.Interval
		if last = err; err != nil {
			pause = 5 * time.Second
			signal(l.copying)
		}
		select {
		case <-l.live.Done():
			return
		case <-time.After(pause):
		}
	}
}

// copyOnce copies what is not in the second place yet. What is there already is
// never written again: where it differs, somebody altered one of the two.
func (l *Ledger) copyOnce() error {
	keys, err := filepath.Glob(filepath.Join(l.options.Dir, KeyFile+"*"+sealing.PublicSuffix))
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := copyFile(key, filepath.Join(l.options.Copy, filepath.Base(key))); err != nil {
			return err
		}
	}
	for _, y := range l.logs() {
		err = errors.Join(err, y.copyTo(filepath.Join(l.options.Copy, filepath.Base(y.dir)), l))
	}
	return err
}

func (y *yearLog) copyTo(dir string, l *Ledger) error {
	newest := y.newest.Load()
	before := uint64(0)
	switch c, err := (&yearLog{year: y.year, dir: dir, origin: y.origin}).read(tiles.CheckpointFile, l.verifier); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("could not go on with the copy in %q: %w", dir, err)
	case c.Size > newest.Size:
		return fmt.Errorf("could not go on with the copy in %q: it has %d records and the log has %d; records were removed from the log", dir, c.Size, newest.Size)
	case c.Size == newest.Size && !bytes.Equal(c.Hash, newest.Hash):
		return fmt.Errorf("could not go on with the copy in %q: at %d records it has another root than the log; one of the two was altered", dir, c.Size)
	default:
		before = c.Size
	}
	for _, r := range tiles.Resources(before, newest.Size) {
		if err := copyFile(filepath.Join(y.dir, r.Path), filepath.Join(dir, r.Path)); err != nil {
			return err
		}
	}
	if before < newest.Size || newest.Size == 0 {
		if err := tiles.WriteFile(filepath.Join(dir, tiles.CheckpointFile), newest.signed); err != nil {
			return err
		}
		_ = tiles.Forget(dir, before, newest.Size) // a place that lets nothing be removed keeps more
	}
	cosigned := y.cosigned.Load()
	if cosigned == nil || cosigned.Size > newest.Size {
		return nil // it comes with the next checkpoint
	}
	there, err := os.ReadFile(filepath.Join(dir, CosignedFile))
	if err == nil && bytes.Equal(there, cosigned.signed) {
		return nil
	}
	return tiles.WriteFile(filepath.Join(dir, CosignedFile), cosigned.signed)
}

// copyFile copies a file that never changes.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("could not copy evidence: %w", err)
	}
	there, err := os.ReadFile(to)
	switch {
	case err == nil && bytes.Equal(there, content):
		return nil
	case err == nil:
		return fmt.Errorf("could not copy evidence: %q is there with other content than %q; one of the two was altered", to, from)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("could not copy evidence: %w", err)
	}
	if err := tiles.WriteFile(to, content); err != nil {
		return fmt.Errorf("could not copy evidence: %w", err)
	}
	return nil
}
