// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package spool keeps the records of the way back while the evidence log cannot be
// written: signed lines, each chained to the one before, in a folder on another
// disk; and where even that is impossible, in memory. Its records have a source of
// their own, so that they can be told from what the log took at once.
package spool

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

const (
	// mostFile is how large a file of spooled records grows, and mostRing how many
	// records are kept in memory beyond it.
	mostFile = 64 << 20
	mostRing = 10000
	// SourcePrefix begins the names of spools as sources.
	SourcePrefix = "spool-"
	fileSuffix   = ".jsonl"
)

// ErrBroken says that a spooled record was altered. The file is set aside.
var ErrBroken = errors.New("the spool was altered")

// Spool keeps records. It is safe for use by several goroutines.
type Spool struct {
	dir      string
	source   string
	key      *sealing.Key
	verifier note.Verifier

	mu       sync.Mutex
	sequence int64
	files    []*file // oldest first; the last one may still grow
	growing  *os.File
	begun    int // files
	ring     []audit.Record
	dropped  int
}

// file is one file of lines.
type file struct {
	path string
	// size is how many bytes are whole lines, and previous the digest of the last one.
	size     int64
	previous string
	// read bytes are in the log already; seen is the digest of the last line read.
	read int64
	seen string
}

// line is one line of a file.
type line struct {
	// Previous is the digest of the line before, or of the file's name.
	Previous string `json:"previous"`
	// Record that is kept. The outcome of an act whose intent is in the log has the
	// log's source and no number yet.
	Record audit.Record `json:"record"`
	// Signature of the log's key over both.
	Signature string `json:"signature"`
}

// Open opens the spool in a folder and finds what earlier processes left there.
// dir "": it keeps records in memory only. now names the source.
func Open(dir string, key *sealing.Key, now time.Time) (*Spool, error) {
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	verifier, err := sealing.Verifier(key.Public)
	if err != nil {
		return nil, err
	}
	s := &Spool{dir: dir, key: key, verifier: verifier, source: SourcePrefix + now.UTC().Format("20060102t150405") + "-" + hex.EncodeToString(random)}
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("could not make spool folder %q: %w", dir, err)
	}
	names, err := filepath.Glob(filepath.Join(dir, SourcePrefix+"*"+fileSuffix))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("could not open the spool: %w", err)
		}
		s.files = append(s.files, &file{path: name, size: info.Size(), seen: begin(name)})
	}
	return s, nil
}

// begin is what the first line of a file is chained to.
func begin(path string) string { return sealing.Sum([]byte(filepath.Base(path))) }

// Source of the records that this process keeps.
func (s *Spool) Source() string { return s.source }

// Keep keeps a record, durably if it can, and returns its number. An outcome that
// has a source belongs to an intent of the log, and gets its number there. An error
// says that the record is in memory only: it is kept all the same.
func (s *Spool) Keep(r audit.Record) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Source == "" {
		s.sequence++
		r.Source, r.Sequence = s.source, s.sequence
	}
	if len(s.ring) >= mostRing {
		// What came first says how it began; what comes last is lost.
		s.dropped++
		return r.Sequence, fmt.Errorf("could not keep a record: %d wait in memory already", mostRing)
	}
	s.ring = append(s.ring, r)
	return r.Sequence, s.drain()
}

// drain moves records from memory to the disk, in order.
func (s *Spool) drain() error {
	for len(s.ring) > 0 {
		if err := s.store(s.ring[0]); err != nil {
			return err
		}
		s.ring = s.ring[1:]
	}
	return nil
}

// store appends one record to the file that grows.
func (s *Spool) store(r audit.Record) error {
	if s.dir == "" {
		return errors.New("no folder for spooled records is set; see --evidence-spool")
	}
	if err := s.grow(); err != nil {
		return err
	}
	f := s.files[len(s.files)-1]
	l := line{Previous: f.previous, Record: r}
	signature, err := s.key.Sign(l.message())
	if err != nil {
		return err
	}
	l.Signature = base64.StdEncoding.EncodeToString(signature)
	raw, err := json.Marshal(l)
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	if f.size+int64(len(raw)) > mostFile {
		return fmt.Errorf("could not spool a record: %q has its %d bytes", f.path, mostFile)
	}
	_, err = s.growing.WriteAt(raw, f.size)
	if err = errors.Join(err, unless(err, s.growing.Sync)); err != nil {
		// The half line is cut off, or the next record goes to another file.
		if cut := s.growing.Truncate(f.size); cut != nil {
			_ = s.growing.Close()
			s.growing = nil
		}
		return fmt.Errorf("could not spool a record: %w", err)
	}
	f.size, f.previous = f.size+int64(len(raw)), sealing.Sum(raw)
	return nil
}

// unless runs f where nothing failed before.
func unless(before error, f func() error) error {
	if before != nil {
		return nil
	}
	return f()
}

// grow sees to a file to append to.
func (s *Spool) grow() error {
	if s.growing != nil {
		_, err := os.Stat(s.files[len(s.files)-1].path)
		if err == nil {
			return nil
		}
		if !s.gone(err) {
			return fmt.Errorf("could not reach the spool: %w", err)
		}
		_ = s.growing.Close()
		s.growing = nil
	}
	s.begun++
	path := filepath.Join(s.dir, fmt.Sprintf("%s-%06d%s", s.source, s.begun, fileSuffix))
	opened, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = tiles.SyncFolder(s.dir)
	}
	if err != nil {
		return fmt.Errorf("could not begin a file of spooled records: %w", err)
	}
	s.growing = opened
	s.files = append(s.files, &file{path: path, previous: begin(path), seen: begin(path)})
	return nil
}

// gone says that a file was taken from the folder, rather than the folder itself,
// which may come back.
func (s *Spool) gone(err error) bool {
	_, folder := os.Stat(s.dir)
	return errors.Is(err, os.ErrNotExist) && folder == nil
}

func (l line) message() []byte {
	return append([]byte(l.Previous+"\n"), l.Record.Canonical()...)
}

// Next returns up to most records, oldest first, that are not in the log yet.
// ErrBroken names a line that was altered; SetAside then puts its file away.
func (s *Spool) Next(most int) ([]audit.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(s.files); {
		records, err := s.lines(s.files[i], most)
		if s.gone(err) && (i < len(s.files)-1 || s.growing == nil) {
			s.files = slices.Delete(s.files, i, i+1)
			continue
		}
		if err != nil || len(records) > 0 {
			return records, err
		}
		i++
	}
	return slices.Clone(s.ring[:min(most, len(s.ring))]), nil
}

// lines reads on in a file. An error comes only once everything before it is done.
func (s *Spool) lines(f *file, most int) ([]audit.Record, error) {
	opened, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("could not read %q: %w", f.path, err)
	}
	defer opened.Close()
	in := bufio.NewReader(io.NewSectionReader(opened, f.read, f.size-f.read))
	var records []audit.Record
	previous := f.seen
	for len(records) < most {
		raw, err := in.ReadBytes('\n')
		if err != nil {
			break // the end, or what a crash tore
		}
		record, err := s.parse(raw, previous)
		if err != nil {
			if len(records) > 0 {
				break
			}
			return nil, fmt.Errorf("line at byte %d of %q: %w", f.read, f.path, err)
		}
		records, previous = append(records, record), sealing.Sum(raw)
	}
	return records, nil
}

func (s *Spool) parse(raw []byte, previous string) (audit.Record, error) {
	l := line{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return l.Record, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	signature, err := base64.StdEncoding.DecodeString(l.Signature)
	switch {
	case err != nil || !s.verifier.Verify(l.message(), signature):
		return l.Record, fmt.Errorf("%w: its signature does not fit", ErrBroken)
	case l.Previous != previous:
		return l.Record, fmt.Errorf("%w: it does not follow the line before", ErrBroken)
	}
	return l.Record, nil
}

// Done says that the first n records of Next are in the log.
func (s *Spool) Done(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n > 0 && len(s.files) > 0 {
		f := s.files[0]
		done, err := f.skip(n)
		if err != nil {
			return err
		}
		n -= done
		if !s.whole(f) {
			break
		}
		if err := s.remove(); err != nil {
			return err
		}
	}
	s.ring = s.ring[min(n, len(s.ring)):]
	return nil
}

// skip goes on by up to n lines.
func (f *file) skip(n int) (done int, err error) {
	opened, err := os.Open(f.path)
	if err != nil {
		return 0, fmt.Errorf("could not read %q: %w", f.path, err)
	}
	defer opened.Close()
	in := bufio.NewReader(io.NewSectionReader(opened, f.read, f.size-f.read))
	for done < n {
		raw, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		f.read, f.seen = f.read+int64(len(raw)), sealing.Sum(raw)
		done++
	}
	return done, nil
}

// whole says that a file has nothing left but what a crash tore.
func (s *Spool) whole(f *file) bool {
	raw, err := os.ReadFile(f.path)
	return err == nil && int64(len(raw)) >= f.read && !strings.Contains(string(raw[f.read:]), "\n")
}

// remove takes the first file away: what it held is in the log.
func (s *Spool) remove() error {
	if err := s.leave(os.Remove(s.files[0].path)); err != nil {
		return fmt.Errorf("could not remove spooled records that are in the log: %w", err)
	}
	return nil
}

// leave drops the first file from the list, unless it is still there.
func (s *Spool) leave(err error) error {
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(s.files) == 1 && s.growing != nil {
		_ = s.growing.Close()
		s.growing = nil
	}
	s.files = s.files[1:]
	return nil
}

// SetAside renames the oldest file, which holds a line that was altered, so that a
// person can look at it.
func (s *Spool) SetAside() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files) == 0 {
		return nil
	}
	return s.leave(os.Rename(s.files[0].path, s.files[0].path+".broken"))
}

// Empty says that everything that was kept is in the log.
func (s *Spool) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files {
		if f.read < f.size {
			return false
		}
	}
	return len(s.ring) == 0
}

// Dropped returns how many records could not even be kept in memory, and forgets
// the number.
func (s *Spool) Dropped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.dropped
	s.dropped = 0
	return n
}

// Flush writes what is in memory to the disk, as far as it takes it. A spool without a
// folder has nowhere to.
func (s *Spool) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		return nil
	}
	return s.drain()
}

// InMemory are the records that no disk has taken.
func (s *Spool) InMemory() []audit.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ring)
}

// Close writes what is in memory, if it can.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.drain()
	if s.growing != nil {
		err = errors.Join(err, s.growing.Close())
		s.growing = nil
	}
	if err != nil {
		return fmt.Errorf("%d spooled records could not be stored: %w", len(s.ring), err)
	}
	return nil
}
