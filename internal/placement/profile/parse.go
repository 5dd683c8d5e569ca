// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/textfile"
)

const (
	// MostBytes and MostRows bound one file.
	MostBytes = 16 << 20
	MostRows  = 100_000
	// mostFaults is how many faults are kept of one file.
	mostFaults = 100
)

// Row is one tag as a file tells it. Without a Tag it says that its source knows of none
// for the component.
type Row struct {
	// Line of the CSV file, or place in the JSON list, from 1.
	Line int
	// Application as "<namespace>/<name>".
	Application string
	placementv1.ImportedTag
}

// Fault is what is wrong with one row.
type Fault struct {
	// Line of the file, from 1; 0: the file as a whole.
	Line int
	// Message says what is wrong and what to write.
	Message string
}

// String tells the fault with its place.
func (f Fault) String() string {
	if f.Line > 0 {
		return fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return f.Message
}

// Faults are those of a file: all are counted, and the first hundred kept.
type Faults struct {
	List []Fault
	// More is how many there are besides.
	More int
}

// Any reports whether there is one.
func (f *Faults) Any() bool { return len(f.List) > 0 }

func (f *Faults) add(line int, format string, args ...any) {
	if len(f.List) == mostFaults {
		f.More++
		return
	}
	f.List = append(f.List, Fault{Line: line, Message: fmt.Sprintf(format, args...)})
}

var columns = []string{"application", "component", "tag", "value", "source", "algorithm", "version", "date"}

// Parse reads a file of tags, "csv" or "json". Source is that of rows that name none. With
// faults the rows are not to be used.
func Parse(raw []byte, format, source string, now time.Time) ([]Row, Faults) {
	var faults Faults
	raw, bad := textfile.Open(raw)
	switch {
	case bad > 0:
		faults.add(bad, textfile.NotUTF8)
	case len(bytes.TrimSpace(raw)) == 0:
		faults.add(0, "the file is empty: nothing was changed")
	}
	if faults.Any() {
		return nil, faults
	}
	p := parser{source: source, now: now}
	if format == "json" {
		p.json(raw)
	} else {
		p.csv(raw)
	}
	if !p.faults.Any() && len(p.rows) == 0 {
		p.faults.add(0, "the file has no rows: nothing was changed")
	}
	return p.rows, p.faults
}

type parser struct {
	source string
	now    time.Time
	rows   []Row
	faults Faults
	places int
}

// full says, once, that the file is too long.
func (p *parser) full() bool {
	if p.places++; p.places <= MostRows {
		return false
	}
	p.faults.add(0, "the file has more than %d rows: divide it, with all rows of an application in one part", MostRows)
	return true
}

func (p *parser) csv(raw []byte) {
	table, err := textfile.OpenTable(raw)
	if err != nil {
		p.faults.add(1, "could not read the header: write %s", strings.Join(columns, ","))
		return
	}
	for i, name := range table.Header {
		table.Header[i] = strings.ToLower(name)
	}
	if p.header(table); p.faults.Any() {
		return
	}
	for more := true; more; {
		var row textfile.Row
		row, more = table.Next()
		switch {
		case !more && row.Fault == "":
		case more && p.full():
			return
		case row.Fault != "":
			p.faults.add(row.Line, "%s", row.Fault)
		default:
			p.take(row.Line, row.Values)
		}
	}
}

func (p *parser) header(table *textfile.Table) {
	for _, odd := range table.Odd(columns) {
		p.faults.add(1, "%s", odd)
	}
	for _, name := range []string{"application", "component", "tag", "date"} {
		if !slices.Contains(table.Header, name) {
			p.faults.add(1, "column %q is missing: the first line names the columns", name)
		}
	}
}

// json reads {"tags": [{…}, …]} row by row.
func (p *parser) json(raw []byte) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	fail := func(err error) {
		p.faults.add(0, `could not read the JSON: %v; write {"tags": [{"application": …}]}`, err)
	}
	for _, want := range []json.Token{json.Delim('{'), "tags", json.Delim('[')} {
		if got, err := decoder.Token(); err != nil || got != want {
			fail(fmt.Errorf("it does not begin with a list of tags"))
			return
		}
	}
	for decoder.More() {
		if p.full() {
			return
		}
		fields := map[string]any{}
		if err := decoder.Decode(&fields); err != nil {
			fail(fmt.Errorf("row %d: %w", p.places, err))
			return
		}
		cells := make(map[string]string, len(columns))
		good := true
		for name, value := range fields {
			switch v := value.(type) {
			case string:
				cells[name] = strings.TrimSpace(v)
			case json.Number:
				cells[name] = v.String()
			case nil:
			default:
				p.faults.add(p.places, "field %q is neither text nor a number", shown(name))
				good = false
			}
			if !slices.Contains(columns, name) {
				p.faults.add(p.places, "there is no field %q: the fields are %s", shown(name), strings.Join(columns, ", "))
				good = false
			}
		}
		if good {
			p.take(p.places, cells)
		}
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if got, err := decoder.Token(); err != nil || got != want {
			fail(errors.New("something other than the list of tags follows, or its end is missing"))
			return
		}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		fail(errors.New("something follows after its end"))
	}
}

var (
	applicationName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z]([-a-z0-9]{0,22}[a-z0-9])?$`)
	componentName   = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,14}[a-z0-9])?$`)
	tagName         = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	sourceName      = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	number          = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
)

// ReadSource checks the name of a source.
func ReadSource(name string) error {
	if !sourceName.MatchString(name) {
		return fmt.Errorf("%q names no source: it has at most 63 lower-case letters, digits and dashes", shown(name))
	}
	return nil
}

// take checks one row and keeps it.
func (p *parser) take(line int, cells map[string]string) {
	for _, name := range columns {
		value := cells[name]
		switch {
		case value == "":
		case strings.ContainsRune("=+@", rune(value[0])) || value[0] == '-' && !number.MatchString(value):
			p.faults.add(line, "column %q begins like a formula (%q): export values, not formulas", name, value[:1])
			return
		case len(value) > 128:
			p.faults.add(line, "column %q has %d bytes: 128 at most", name, len(value))
			return
		case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
			p.faults.add(line, "column %q holds characters that cannot be seen: remove them", name)
			return
		}
	}
	row := Row{Line: line, Application: cells["application"], ImportedTag: placementv1.ImportedTag{
		Component: cells["component"], Tag: cells["tag"], Source: cells["source"], Value: cells["value"], Algorithm: cells["algorithm"], Version: cells["version"],
	}}
	if row.Source == "" {
		row.Source = p.source
	}
	if fault := row.check(); fault != "" {
		p.faults.add(line, "%s", fault)
		return
	}
	if date := cells["date"]; date != "" || row.Tag != "" {
		at, fault := dateOf(date, p.now)
		if fault != "" {
			p.faults.add(line, "%s", fault)
			return
		}
		row.At = metav1.NewTime(at)
	}
	p.rows = append(p.rows, row)
}

func (r Row) check() string {
	switch {
	case !applicationName.MatchString(r.Application):
		return fmt.Sprintf("%q is no application: write <namespace>/<name>, such as retail-prod/mobile-bank", shown(r.Application))
	case !componentName.MatchString(r.Component):
		return fmt.Sprintf("%q is no component's name: it has at most 16 lower-case letters, digits and dashes", shown(r.Component))
	case r.Tag != "" && (len(r.Tag) > 32 || !tagName.MatchString(r.Tag)):
		return fmt.Sprintf("%q is no tag: write at most 32 lower-case letters and digits, with single dashes between, such as io-heavy", shown(r.Tag))
	case !sourceName.MatchString(r.Source):
		return fmt.Sprintf("%q names no source: it has at most 63 lower-case letters, digits and dashes", shown(r.Source))
	case r.Value != "" && (len(r.Value) > 32 || !number.MatchString(r.Value)):
		return fmt.Sprintf("%q is no value: write a number with at most 32 digits, such as 0.82, or leave it empty", shown(r.Value))
	case len(r.Algorithm) > 63 || len(r.Version) > 63:
		return "algorithm and version have at most 63 bytes each"
	}
	return ""
}

// firstYear is before the first container: earlier dates are mistakes of a spreadsheet.
const firstYear = 2000

// dateOf reads a day or a moment.
func dateOf(text string, now time.Time) (time.Time, string) {
	at, err := time.Parse("2006-01-02", text)
	if err != nil {
		at, err = time.Parse(time.RFC3339, text)
	}
	switch {
	case err != nil:
		return at, fmt.Sprintf("could not read the date %q: write it as 2027-03-31 or 2027-03-31T08:00:00+08:00", shown(text))
	case at.After(now.Add(24 * time.Hour)):
		return at, fmt.Sprintf("the date %q lies in the future: look at the clock of the source", text)
	case at.Year() < firstYear:
		return at, fmt.Sprintf("the date %q lies before %d: it is a mistake of the source", text, firstYear)
	}
	return at.UTC().Truncate(time.Second), ""
}

// shown is what of a wrong value is told.
func shown(s string) string {
	if len(s) > 48 {
		s = strings.ToValidUTF8(s[:48], "") + " …"
	}
	return s
}
