// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package machines brings in from a file of the bank's CMDB which instances still run on
// virtual machines (R50). It reads and plans; whoever asked for the import writes.
//
// Absence of data deletes nothing: an application that a file does not name stays as it
// was, and a file that lacks more machines than a migration takes away is held until a
// person has confirmed how many are gone.
package machines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/textfile"
)

// MostRows is the most machines that one import may name.
const MostRows = 20000

// Row is one instance on a virtual machine as a file tells it.
type Row struct {
	// Line of the file, from 1; in JSON the place in the list.
	Line int
	// Namespace and Application that it belongs to.
	Namespace, Application string
	placementv1.MachineInstance
}

// Fault is what is wrong with one row.
type Fault struct {
	// Line of the file, from 1; 0: the file as a whole.
	Line int `json:"line,omitempty"`
	// Message says what is wrong and what to write.
	Message string `json:"message"`
}

// String tells the fault with its place.
func (f Fault) String() string {
	if f.Line > 0 {
		return fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return f.Message
}

// columns of a file, in the order in which people are told of them.
var columns = []string{"namespace", "application", "component", "seat", "dcn", "dataCenter", "rack", "host", "address"}

// Parse reads a file: CSV with a header, or JSON when it begins with a brace. namespace
// holds for rows that name none; where it is given, rows name no other. With faults the
// rows are not to be used.
func Parse(raw []byte, namespace string) ([]Row, []Fault) {
	raw, bad := textfile.Open(raw)
	if bad > 0 {
		return nil, []Fault{{Line: bad, Message: textfile.NotUTF8}}
	}
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 {
		return nil, []Fault{{Message: "the file is empty: nothing was changed; that an application has no machines any more is said with none"}}
	}
	p := &parser{namespace: namespace}
	if trimmed[0] == '{' {
		p.json(raw)
	} else {
		p.csv(raw)
	}
	return p.rows, p.faults
}

type parser struct {
	namespace string
	rows      []Row
	faults    []Fault
}

func (p *parser) fault(line int, format string, args ...any) {
	p.faults = append(p.faults, Fault{Line: line, Message: fmt.Sprintf(format, args...)})
}

// full reports, once, that the file is too long to be read on.
func (p *parser) full(line int) bool {
	if len(p.rows)+len(p.faults) < MostRows {
		return false
	}
	p.fault(line, "the file has more than %d rows: divide it by applications", MostRows)
	return true
}

func (p *parser) csv(raw []byte) {
	table, err := textfile.OpenTable(raw)
	if err != nil {
		p.fault(1, "could not read the header: %v", err)
		return
	}
	if !p.header(table) {
		return
	}
	for more := true; more; {
		var row textfile.Row
		row, more = table.Next()
		switch {
		case !more && row.Fault == "":
		case more && p.full(row.Line):
			return
		case row.Fault != "":
			p.fault(row.Line, "%s", row.Fault)
		default:
			p.add(row.Line, row.Values)
		}
	}
}

func (p *parser) header(table *textfile.Table) bool {
	good := len(p.faults)
	for _, odd := range table.Odd(columns) {
		p.fault(1, "%s", odd)
	}
	for _, name := range columns {
		if !slices.Contains(table.Header, name) && (name != "namespace" || p.namespace == "") {
			p.fault(1, "column %q is missing: the first line names the columns %s", name, strings.Join(columns, ", "))
		}
	}
	return len(p.faults) == good
}

// json reads {"machines": [{…}]}; a machine has the columns as its fields.
func (p *parser) json(raw []byte) {
	file := struct {
		Machines []map[string]json.RawMessage `json:"machines"`
	}{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&file)
	if err == nil {
		if _, after := decoder.Token(); !errors.Is(after, io.EOF) {
			err = errors.New("something follows after its end")
		}
	}
	if err != nil {
		p.fault(0, "could not read the JSON: %v; write {\"machines\": [{…}]}", err)
		return
	}
	for i, fields := range file.Machines {
		if p.full(i + 1) {
			return
		}
		values := make(map[string]string, len(fields))
		good := true
		for name, value := range fields {
			text, err := scalar(value)
			if err != nil || !slices.Contains(columns, name) {
				p.fault(i+1, "could not read field %q: a machine has the fields %s, each a text or a number", clean(name), strings.Join(columns, ", "))
				good = false
				break
			}
			values[name] = text
		}
		if good {
			p.add(i+1, values)
		}
	}
}

// scalar is the text of a JSON string, or the digits of a number.
func scalar(raw json.RawMessage) (string, error) {
	text := ""
	if err := json.Unmarshal(raw, &text); err == nil {
		return strings.TrimSpace(text), nil
	}
	number := json.Number("")
	err := json.Unmarshal(raw, &number)
	return number.String(), err
}

var (
	label  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	host   = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	number = regexp.MustCompile(`^[1-9][0-9]{0,5}$`)
)

// names bounds what names a row may hold.
var names = []struct {
	column string
	most   int
	shape  *regexp.Regexp
	words  string
}{
	{"namespace", 29, label, "lower-case letters, digits and dashes, such as retail-prod"},
	{"application", 24, label, "lower-case letters, digits and dashes"},
	{"component", 16, label, "lower-case letters, digits and dashes"},
	{"dcn", 32, label, "lower-case letters, digits and dashes"},
	{"dataCenter", 32, label, "lower-case letters, digits and dashes"},
	{"rack", 32, label, "lower-case letters, digits and dashes"},
	{"host", 253, host, "letters, digits, dashes, dots and underscores"},
}

// add takes one row in.
func (p *parser) add(line int, values map[string]string) {
	if values["namespace"] == "" {
		values["namespace"] = p.namespace
	}
	for _, name := range columns {
		switch value := values[name]; {
		case value == "":
			p.fault(line, "%s is missing", name)
			return
		case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }):
			p.fault(line, "column %q holds characters that cannot be seen: remove them", name)
			return
		}
	}
	for _, n := range names {
		if value := values[n.column]; len(value) > n.most || !n.shape.MatchString(value) {
			p.fault(line, "%s %q cannot be: it has at most %d %s", n.column, clean(value), n.most, n.words)
			return
		}
	}
	if p.namespace != "" && values["namespace"] != p.namespace {
		p.fault(line, "the row belongs to %q, and the import to %q alone", values["namespace"], p.namespace)
		return
	}
	if !number.MatchString(values["seat"]) {
		p.fault(line, "seat %q is no number of an instance: write it from 1 to 999999, with the digits 0 to 9, without zeros before it", clean(values["seat"]))
		return
	}
	address, why := addressOf(values["address"])
	if why != "" {
		p.fault(line, "address %q cannot be: %s", clean(values["address"]), why)
		return
	}
	seat, _ := strconv.ParseInt(values["seat"], 10, 32) // the pattern has at most six digits
	p.rows = append(p.rows, Row{Line: line, Namespace: values["namespace"], Application: values["application"], MachineInstance: placementv1.MachineInstance{
		Component: values["component"], Seat: int32(seat), DCN: values["dcn"], DataCenter: values["dataCenter"], Rack: values["rack"], Host: values["host"], Address: address,
	}})
}

// addressOf is an address as everybody writes it, or why it is none that a machine has.
func addressOf(text string) (address, why string) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return "", "write it as 10.1.2.3 or 2001:db8::7, with the digits 0 to 9"
	case a.Is4In6():
		return "", fmt.Sprintf("it is an IPv4 address within IPv6: write %s", a.Unmap())
	case a.Zone() != "":
		return "", "it names an interface: leave out what follows the %"
	case a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast():
		return "", "no machine is reached there from elsewhere"
	}
	return a.String(), ""
}

// clean is what a message repeats of a file: bounded, and nothing that cannot be seen.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
	if r := []rune(s); len(r) > 64 {
		return string(r[:64]) + "…"
	}
	return s
}
