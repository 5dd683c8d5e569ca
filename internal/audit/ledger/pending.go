// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fairway-cloud/fairway/internal/audit/tiles"
)

const (
	pendingPrefix, pendingSuffix = "pending-", ".log"
	// pendingBytes is how large a pending file grows before another one is begun.
	pendingBytes = 4 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pending is the files of records that are durable. Each line is a checksum, a
// space and a record. Several files follow each other; the last one grows.
type pending struct {
	dir  string
	file *os.File
	path string
	// next is the index, within the year's log, of the next record.
	next uint64
	// size is how many bytes of the file are whole lines.
	size int64
	// spoiled says that the file holds something behind size, or that nobody knows.
	spoiled bool
}

// pendingFile is one file and the index of its first record.
type pendingFile struct {
	path  string
	first uint64
}

func pendingFiles(dir string) ([]pendingFile, error) {
	names, err := filepath.Glob(filepath.Join(dir, pendingPrefix+"*"+pendingSuffix))
	if err != nil {
		return nil, err
	}
	var files []pendingFile
	for _, path := range names {
		digits := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), pendingPrefix), pendingSuffix)
		first, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("could not read the number in the name of %q", path)
		}
		files = append(files, pendingFile{path, first})
	}
	slices.SortFunc(files, func(a, b pendingFile) int { return int(int64(a.first) - int64(b.first)) })
	return files, nil
}

// openPending reads the records from index published on, which the tree does not
// have yet, and opens the last file to go on. What a crash tore off the end was
// acknowledged to nobody; it is kept beside.
func openPending(dir string, published uint64) (*pending, [][]byte, error) {
	files, err := pendingFiles(dir)
	if err != nil {
		return nil, nil, err
	}
	p := &pending{dir: dir, next: published}
	var records [][]byte
	for i, f := range files {
		raw, err := os.ReadFile(f.path)
		if err != nil {
			return nil, nil, fmt.Errorf("could not read pending records: %w", err)
		}
		lines, good := parsePending(raw)
		last := i == len(files)-1
		if good < len(raw) && !last {
			return nil, nil, fmt.Errorf("could not read pending records: %q is damaged at byte %d; keep a copy and look at it before anything is changed", f.path, good)
		}
		if f.first > p.next {
			return nil, nil, fmt.Errorf("could not read pending records: %q begins at record %d, but the log ends at %d; a file is missing", f.path, f.first, p.next)
		}
		for k, line := range lines {
			if f.first+uint64(k) >= p.next {
				records = append(records, line)
				p.next++
			}
		}
		if !last {
			continue
		}
		if good < len(raw) {
			// Where there is no room to keep it, nothing is lost that anybody relies on.
			_ = os.WriteFile(f.path+".torn", raw[good:], 0o600)
		}
		if f.first+uint64(len(lines)) != p.next {
			continue // all in the tree long ago: another file is begun
		}
		p.path, p.size, p.spoiled = f.path, int64(good), true
	}
	return p, records, nil
}

// parsePending returns the whole lines and how many bytes they take.
func parsePending(raw []byte) (records [][]byte, good int) {
	for {
		end := bytes.IndexByte(raw[good:], '\n')
		if end < 9 {
			return records, good
		}
		line := raw[good : good+end]
		if string(line[:9]) != checksum(line[9:]) {
			return records, good
		}
		records = append(records, line[9:])
		good += end + 1
	}
}

// checksum is what stands before a record, with its space.
func checksum(record []byte) string {
	return fmt.Sprintf("%08x ", crc32.Checksum(record, castagnoli))
}

// append makes records durable. After an error none of them is.
func (p *pending) append(records [][]byte) error {
	if err := p.ready(); err != nil {
		return err
	}
	var lines []byte
	for _, r := range records {
		lines = append(append(append(lines, checksum(r)...), r...), '\n')
	}
	p.spoiled = true // until it is known to be whole again
	if _, err := p.file.WriteAt(lines, p.size); err != nil {
		return errors.Join(fmt.Errorf("could not write pending records: %w", err), p.repair())
	}
	if err := p.file.Sync(); err != nil {
		return errors.Join(fmt.Errorf("could not sync pending records: %w", err), p.repair())
	}
	if err := p.inPlace(); err != nil {
		return err
	}
	p.spoiled = false
	p.size += int64(len(lines))
	p.next += uint64(len(records))
	return nil
}

// ready sees to a file that can be appended to.
func (p *pending) ready() error {
	if p.file != nil && !p.spoiled && p.size < pendingBytes && p.inPlace() == nil {
		return nil
	}
	if p.spoiled && p.path != "" {
		return p.repair()
	}
	return p.begin()
}

// begin makes the next file. The one before stays until the tree holds its records.
func (p *pending) begin() error {
	path := filepath.Join(p.dir, fmt.Sprintf("%s%020d%s", pendingPrefix, p.next, pendingSuffix))
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("could not begin a file of pending records: %w", err)
	}
	if err := tiles.SyncFolder(p.dir); err != nil {
		return errors.Join(fmt.Errorf("could not begin a file of pending records: %w", err), file.Close(), os.Remove(path))
	}
	if p.file != nil {
		_ = p.file.Close() // synced to its last byte
	}
	p.file, p.path, p.size, p.spoiled = file, path, 0, false
	return nil
}

// repair opens the file anew and cuts off what is not known to be whole. Whatever
// was acknowledged lies before.
func (p *pending) repair() error {
	file, err := os.OpenFile(p.path, os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("could not open pending records again: %w", err)
	}
	info, err := file.Stat()
	if err != nil || info.Size() < p.size {
		return errors.Join(fmt.Errorf("could not go on with %q: it is shorter than what was acknowledged; put the right file back", p.path), err, file.Close())
	}
	if err := errors.Join(file.Truncate(p.size), file.Sync()); err != nil {
		return errors.Join(fmt.Errorf("could not cut off a half-written record: %w", err), file.Close())
	}
	if p.file != nil {
		_ = p.file.Close()
	}
	p.file, p.spoiled = file, false
	return nil
}

// inPlace refuses to write into a file that was taken from its place: it would be
// gone with the process.
func (p *pending) inPlace() error {
	held, err := p.file.Stat()
	there, missing := os.Stat(p.path)
	if err != nil || missing != nil || !os.SameFile(held, there) {
		p.spoiled = true
		return fmt.Errorf("could not write pending records: %q is no longer the file that was opened; put it back", p.path)
	}
	return nil
}

// tidy removes files whose records are all in the tree.
func (p *pending) tidy(published uint64) error {
	files, err := pendingFiles(p.dir)
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(files) && files[i+1].first <= published; i++ {
		if e := os.Remove(files[i].path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

func (p *pending) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// PendingRecord is a durable record and its place within the year's log.
type PendingRecord struct {
	Index  uint64
	Record []byte
}

// Damage is where a pending file holds something that is no whole record.
type Damage struct {
	File  string
	Index uint64
}

// Pending reads the pending records of a year's folder, for those who verify it.
func Pending(dir string) ([]PendingRecord, *Damage, error) {
	files, err := pendingFiles(dir)
	if err != nil {
		return nil, nil, err
	}
	var records []PendingRecord
	for _, f := range files {
		raw, err := os.ReadFile(f.path)
		if err != nil {
			return nil, nil, err
		}
		lines, good := parsePending(raw)
		for i, line := range lines {
			records = append(records, PendingRecord{f.first + uint64(i), line})
		}
		if good < len(raw) {
			return records, &Damage{f.path, f.first + uint64(len(lines))}, nil
		}
	}
	return records, nil, nil
}
