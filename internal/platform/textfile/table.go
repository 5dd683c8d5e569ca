// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package textfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// mostName bounds how much of a column's name is repeated, in characters.
const mostName = 48

// Table is a CSV file whose first line names the columns.
type Table struct {
	// Header are the columns in the order of the file, without blanks around them.
	Header []string

	reader *csv.Reader
}

// OpenTable reads the first line.
func OpenTable(text []byte) (*Table, error) {
	reader := csv.NewReader(bytes.NewReader(text))
	reader.FieldsPerRecord, reader.ReuseRecord = -1, true
	first, err := reader.Read()
	if err != nil {
		return nil, err
	}
	t := &Table{Header: make([]string, len(first)), reader: reader}
	for i, name := range first {
		t.Header[i] = strings.TrimSpace(name)
	}
	return t, nil
}

// Odd says of each column what is wrong with its name: it is none of the known ones, or is
// there twice. All of it is about line 1.
func (t *Table) Odd(known []string) []string {
	var faults []string
	for i, name := range t.Header {
		switch {
		case !slices.Contains(known, name):
			faults = append(faults, fmt.Sprintf("there is no column %q: the columns are %s", Shown(name), strings.Join(known, ", ")))
		case slices.Contains(t.Header[:i], name):
			faults = append(faults, fmt.Sprintf("column %q is there twice", name))
		}
	}
	return faults
}

// Row is one line after the first.
type Row struct {
	// Line where it begins.
	Line int
	// Values by column, without blanks around them. Nil: there are none.
	Values map[string]string
	// Fault says what is wrong with the row; empty: nothing.
	Fault string
}

// Next is the next row; false: there is none, or nobody knows any more where rows begin. The
// latter is the fault of the last row.
func (t *Table) Next() (Row, bool) {
	cells, err := t.reader.Read()
	var bad *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return Row{}, false
	case errors.As(err, &bad):
		return Row{Line: bad.StartLine, Fault: fmt.Sprintf("could not read the row: %v; the rows after it were not looked at", bad.Err)}, false
	case err != nil:
		return Row{Fault: fmt.Sprintf("could not read the file: %v", err)}, false
	}
	row := Row{}
	row.Line, _ = t.reader.FieldPos(0)
	if len(cells) != len(t.Header) {
		row.Fault = fmt.Sprintf("the row has %d columns and the header %d", len(cells), len(t.Header))
		return row, true
	}
	row.Values = make(map[string]string, len(cells))
	for i, name := range t.Header {
		row.Values[name] = strings.TrimSpace(cells[i])
	}
	return row, true
}

// Shown is the beginning of a name that somebody handed in, without what cannot be seen.
func Shown(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, name)
	if r := []rune(name); len(r) > mostName {
		return string(r[:mostName]) + "…"
	}
	return name
}
