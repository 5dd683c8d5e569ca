// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package verify proves that an evidence log is whole and as it was written, from
// its files and public keys alone: every hash is computed again, every record is
// read, every source counted, every year chained to the one before, and what a
// witness has confirmed is compared. It names the first record that is wrong.
package verify

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	flog "github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// Options of a verification. Every field without "Default" is needed.
type Options struct {
	// Dir holds the log, or a copy of it.
	Dir string
	// LogKey is the log's public key.
	LogKey string
	// CounterKeys are the public keys of countersignatures by other algorithms, such
	// as SM2. Default: they are not looked at.
	CounterKeys []string
	// WitnessKey is the witness's public key. Default: what the witness confirmed is
	// not looked at, and somebody with the log's key could have rewritten everything.
	WitnessKey string
	// WitnessDir is the witness's own folder, or a copy of its checkpoints.
	// Default: only the countersigned checkpoints beside the log are compared.
	WitnessDir string
	// Checkpoints are countersigned checkpoints that were kept elsewhere.
	Checkpoints [][]byte
	// Copy is a second copy of the log, with which records are compared. Default: none.
	Copy string
	// From is the first year; what came before was archived. Default: the log begins
	// with the first record there ever was.
	From int
	// Workers work in parallel. Default: one for each processor.
	Workers int
}

// Fault is one thing that is wrong.
type Fault struct {
	// File in which it shows, within the folder. Empty: it shows in no single one.
	File string `json:"file,omitempty"`
	// Index of the first record that is wrong, over all years. -1: it cannot be said.
	Index int64 `json:"index"`
	// Source and Sequence of that record, where it can be read.
	Source   string `json:"source,omitempty"`
	Sequence int64  `json:"seq,omitempty"`
	// Says is what the record says, as far as it can be read.
	Says string `json:"says,omitempty"`
	// What is wrong.
	What string `json:"what"`
}

// String is the fault in a sentence.
func (f Fault) String() string {
	var b strings.Builder
	if f.Index >= 0 {
		fmt.Fprintf(&b, "record %d", f.Index)
		if f.Source != "" {
			fmt.Fprintf(&b, " (number %d of source %q)", f.Sequence, f.Source)
		}
		b.WriteString(": ")
	}
	b.WriteString(f.What)
	if f.File != "" {
		fmt.Fprintf(&b, "; file %q", f.File)
	}
	if f.Says != "" {
		fmt.Fprintf(&b, "; it says %s", f.Says)
	}
	return b.String()
}

// Year is what was found in the log of one year.
type Year struct {
	Year    int    `json:"year"`
	Records uint64 `json:"records"`
	// Root in base64, as in the checkpoint.
	Root string `json:"root"`
	// Confirmed is how many records a witness has confirmed.
	Confirmed uint64 `json:"confirmed"`
}

// Report is the result.
type Report struct {
	Records uint64 `json:"records"`
	Years   []Year `json:"years"`
	// Sources is how many records each source has.
	Sources map[string]int64 `json:"sources"`
	// Open is how many acts have no outcome yet.
	Open int `json:"open"`
	// Pending is how many durable records no checkpoint covers yet.
	Pending int `json:"pending"`
	// Faults, the first wrong record first; at most 100. None: the log is whole.
	Faults []Fault `json:"faults"`
	// Notes say what could not be looked at.
	Notes []string `json:"notes,omitempty"`
}

// mostFaults bounds the report; the first is what counts.
const mostFaults = 100

// verification is one under way.
type verification struct {
	options  Options
	log      note.Verifier
	counter  []note.Verifier
	witness  note.Verifier
	report   *Report
	account  audit.Account
	counting bool // no source was found wrong yet
	base     uint64
	last     *yearCheck // the year before
}

// Verify looks at everything. The error says that it could not look; what is wrong
// with the log stands in the report.
func Verify(o Options) (*Report, error) {
	v := &verification{options: o, report: &Report{Sources: map[string]int64{}, Faults: []Fault{}}, account: audit.Account{}, counting: true}
	var err error
	if v.log, err = sealing.Verifier(o.LogKey); err != nil {
		return nil, err
	}
	for _, text := range o.CounterKeys {
		counter, err := sealing.Verifier(text)
		if err != nil {
			return nil, err
		}
		v.counter = append(v.counter, counter)
	}
	if o.WitnessKey != "" {
		if v.witness, err = sealing.CosignatureVerifier(o.WitnessKey); err != nil {
			return nil, err
		}
	} else {
		v.note("no witness's key was given: whoever holds the log's key could have rewritten all of it")
	}
	v.options.Workers = cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	years, err := ledger.Years(o.Dir)
	if err != nil {
		return nil, err
	}
	years = slices.DeleteFunc(years, func(y int) bool { return y < o.From })
	if len(years) == 0 {
		return nil, fmt.Errorf("could not find a log in %q: it has no folder of a year; name the folder that holds %s", o.Dir, ledger.KeyFile+sealing.PublicSuffix)
	}
	confirmed, err := v.confirmed()
	if err != nil {
		return nil, err
	}
	for i, number := range years {
		y := &yearCheck{v: v, year: number, dir: filepath.Join(o.Dir, fmt.Sprintf("%04d", number)), base: v.base, first: i == 0}
		y.origin = ledger.Origin(v.log.Name(), number)
		y.known = confirmed[y.origin]
		delete(confirmed, y.origin)
		if err := y.run(i == len(years)-1); err != nil {
			return nil, err
		}
		v.base += y.size
		v.last = y
	}
	for origin, left := range confirmed {
		if year := yearOf(origin); year >= o.From {
			v.fault(Fault{Index: int64(v.base), What: fmt.Sprintf("a witness has confirmed %d records of the log %q, which is not here", left[len(left)-1].Size, origin)})
		}
	}
	v.finish()
	return v.report, nil
}

func yearOf(origin string) int {
	n := 0
	_, _ = fmt.Sscanf(origin[strings.LastIndex(origin, "/")+1:], "%d", &n)
	return n
}

func (v *verification) finish() {
	r := v.report
	r.Records = v.base
	for name, s := range v.account {
		r.Sources[name] = s.Last
		r.Open += len(s.Open)
	}
	slices.SortStableFunc(r.Faults, func(a, b Fault) int { return cmp.Compare(uint64(a.Index), uint64(b.Index)) }) // -1 last
}

func (v *verification) note(format string, args ...any) {
	v.report.Notes = append(v.report.Notes, fmt.Sprintf(format, args...))
}

func (v *verification) fault(f Fault) {
	if len(v.report.Faults) < mostFaults {
		v.report.Faults = append(v.report.Faults, f)
	}
}

// confirmed reads the countersigned checkpoints that were kept elsewhere, by
// origin, smallest first.
func (v *verification) confirmed() (map[string][]*flog.Checkpoint, error) {
	found := map[string][]*flog.Checkpoint{}
	all := slices.Clone(v.options.Checkpoints)
	if dir := v.options.WitnessDir; dir != "" {
		files, err := filepath.Glob(filepath.Join(dir, "*"+witnessSuffix))
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("could not read the witness's folder: %w", err)
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				return nil, fmt.Errorf("could not read a checkpoint of the witness: %w", err)
			}
			all = append(all, raw)
		}
	}
	if len(all) > 0 && v.witness == nil {
		return nil, errors.New("could not compare with what the witness confirmed: its public key is needed")
	}
	for _, raw := range all {
		origin, _, _ := strings.Cut(string(raw), "\n")
		if !strings.HasPrefix(origin, v.log.Name()+"/") {
			continue // of another log
		}
		c, _, _, err := flog.ParseCheckpoint(raw, origin, v.witness)
		if err != nil {
			v.fault(Fault{Index: -1, What: fmt.Sprintf("a checkpoint of %q that is said to be the witness's is not signed by it", origin)})
			continue
		}
		found[origin] = append(found[origin], c)
	}
	for _, list := range found {
		slices.SortFunc(list, func(a, b *flog.Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	}
	return found, nil
}

// yearCheck is the look at one year's log.
type yearCheck struct {
	v      *verification
	year   int
	dir    string
	origin string
	base   uint64
	first  bool

	size    uint64
	newest  *flog.Checkpoint // nil: it is not to be believed
	known   []*flog.Checkpoint
	levels  [][][]byte // levels[l] are the hashes of the full tiles below, from level 1 on
	edge    [][]byte   // hashes of the last bundle
	opening audit.Record
	// leaves keeps the hashes of bundles within which somebody confirmed a size.
	leaves map[uint64][][]byte
	// wrong says that some record or hash of the year was found wrong.
	wrong bool
	// bad are records that were found wrong by themselves.
	bad []uint64

	// cache holds the records of bundle cached-1.
	cache  [][]byte
	cached uint64
}

func (y *yearCheck) name(path string) string { return filepath.Join(filepath.Base(y.dir), path) }

// run looks at the year.
func (y *yearCheck) run(last bool) error {
	y.checkpoints()
	if err := y.bundles(); err != nil {
		return err
	}
	if err := y.upper(); err != nil {
		return err
	}
	y.roots()
	y.chain()
	if err := y.compare(); err != nil {
		return err
	}
	y.pending(last)
	root := ""
	if y.newest != nil {
		root = fmt.Sprintf("%x", y.newest.Hash)
	}
	confirmed := uint64(0)
	for _, c := range y.known {
		confirmed = max(confirmed, c.Size)
	}
	y.v.report.Years = append(y.v.report.Years, Year{Year: y.year, Records: y.size, Root: root, Confirmed: confirmed})
	return nil
}

func (y *yearCheck) fault(f Fault) {
	y.wrong = true
	y.v.fault(f)
}

// at is the fault of a record of the year.
func (y *yearCheck) at(index uint64, f Fault) {
	f.Index = int64(y.base + index)
	y.fault(f)
}

// checkpoints reads the newest one, and the newest that the witness signed too.
// Without either the files say how large the log is. In a folder that was copied
// while the log grew, the countersigned one may be ahead.
func (y *yearCheck) checkpoints() {
	keys := append([]note.Verifier{y.v.log}, y.v.counter...)
	newest, err := y.signed(tiles.CheckpointFile, keys...)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		y.fault(Fault{File: y.name(tiles.CheckpointFile), Index: -1, What: fmt.Sprintf("the checkpoint of %d is missing", y.year)})
	case err != nil:
		y.fault(Fault{File: y.name(tiles.CheckpointFile), Index: -1, What: fmt.Sprintf("the checkpoint of %d is not as the log's key signed it (%v): it was altered, or the key is another one", y.year, err)})
	}
	y.newest = newest
	if y.v.witness != nil {
		keys = append(keys, y.v.witness)
	}
	cosigned, err := y.signed(ledger.CosignedFile, keys...)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if y.v.witness != nil && y.newest != nil && y.newest.Size > 0 {
			y.fault(Fault{File: y.name(ledger.CosignedFile), Index: -1, What: fmt.Sprintf("the log of %d has no checkpoint that the witness confirmed", y.year)})
		}
	case err != nil:
		y.fault(Fault{File: y.name(ledger.CosignedFile), Index: -1, What: fmt.Sprintf("the countersigned checkpoint of %d is not as log and witness signed it (%v): it was altered, or a key is another one", y.year, err)})
	default:
		if y.v.witness != nil {
			y.known = append(y.known, cosigned)
		}
		if y.newest == nil || cosigned.Size > y.newest.Size {
			y.newest = cosigned
		}
	}
	if y.newest == nil {
		y.size = onDisk(y.dir)
		return
	}
	y.size = y.newest.Size
}

// signed reads a checkpoint that all the keys signed. It takes only the bytes that
// they signed, and no other way to say the same.
func (y *yearCheck) signed(name string, keys ...note.Verifier) (*flog.Checkpoint, error) {
	raw, err := os.ReadFile(filepath.Join(y.dir, name))
	if err != nil {
		return nil, err
	}
	var c *flog.Checkpoint
	names := map[string]bool{}
	for _, key := range keys {
		if c, _, _, err = flog.ParseCheckpoint(raw, y.origin, key); err != nil {
			return nil, err
		}
		names[key.Name()] = true
	}
	signatures, ok := strings.CutPrefix(string(raw), string(c.Marshal())+"\n")
	if !ok || !strings.HasSuffix(signatures, "\n") {
		return nil, errors.New("it is written otherwise")
	}
	for _, line := range strings.Split(strings.TrimSuffix(signatures, "\n"), "\n") {
		rest, ok := strings.CutPrefix(line, "— ")
		signer, encoded, also := strings.Cut(rest, " ")
		_, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || !also || err != nil || len(keys) > 1 && !names[signer] {
			return nil, errors.New("a line of its signatures is written otherwise")
		}
	}
	return c, nil
}
