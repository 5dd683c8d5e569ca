// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Canonical returns the record as the log holds it: RFC 8785 canonical JSON, with
// empty fields left out. It is written here by hand because verification writes
// every record of the log again; a test holds it to the general writer.
func (r Record) Canonical() []byte { return r.AppendCanonical(make([]byte, 0, 512)) }

// AppendCanonical appends the record's canonical JSON to b.
func (r Record) AppendCanonical(b []byte) []byte {
	o := object{b: b, start: len(b)}
	if r.Act != nil {
		o.key("act")
		o.b = r.Act.appendCanonical(o.b)
	}
	if r.Intent != 0 {
		o.key("intent")
		o.b = strconv.AppendInt(o.b, r.Intent, 10)
	}
	o.must("kind", string(r.Kind))
	if r.Outcome != nil {
		o.key("outcome")
		inner := object{b: o.b, start: len(o.b)}
		inner.text("after", r.Outcome.After)
		inner.text("message", r.Outcome.Message)
		inner.must("result", string(r.Outcome.Result))
		o.b = inner.end()
	}
	o.key("seq")
	o.b = strconv.AppendInt(o.b, r.Sequence, 10)
	o.must("source", r.Source)
	o.key("time")
	o.b = append(o.b, '"')
	o.b = r.Time.AppendFormat(o.b, time.RFC3339Nano)
	o.b = append(o.b, '"')
	return o.end()
}

func (a Act) appendCanonical(b []byte) []byte {
	o := object{b: b, start: len(b)}
	o.text("after", a.After)
	o.text("application", a.Application)
	o.text("approval", a.Approval)
	o.text("before", a.Before)
	o.text("class", string(a.Class))
	o.text("cluster", a.Cluster)
	if len(a.Details) > 0 {
		o.key("details")
		o.b = append(o.b, '[')
		for i, d := range a.Details {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			o.b = appendText(o.b, d)
		}
		o.b = append(o.b, ']')
	}
	o.text("environment", a.Environment)
	o.text("from", a.From)
	o.must("person", a.Person)
	o.text("reason", a.Reason)
	o.text("release", a.Release)
	o.must("subject", a.Subject)
	o.text("ticket", a.Ticket)
	o.text("trace", a.Trace)
	o.must("verb", a.Verb)
	o.text("verdict", a.Verdict)
	return o.end()
}

// object writes one JSON object whose keys come in order.
type object struct {
	b     []byte
	start int
}

func (o *object) key(name string) {
	if len(o.b) == o.start {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

func (o *object) must(name, value string) {
	o.key(name)
	o.b = appendText(o.b, value)
}

func (o *object) text(name, value string) {
	if value != "" {
		o.must(name, value)
	}
}

func (o *object) end() []byte {
	if len(o.b) == o.start {
		o.b = append(o.b, '{')
	}
	return append(o.b, '}')
}

const hexDigits = "0123456789abcdef"

func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\t':
			b = append(b, '\\', 't')
		case '\n':
			b = append(b, '\\', 'n')
		case '\f':
			b = append(b, '\\', 'f')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		from = i + 1
	}
	return append(append(b, s[from:]...), '"')
}

// ErrNoRecord says that bytes of the log are no record: they were altered, or
// something else than Fairway wrote them.
var ErrNoRecord = errors.New("no record")

// ParseRecord reads a record back from the log. It takes only what Canonical
// writes, byte for byte.
func ParseRecord(raw []byte) (Record, error) {
	r := Record{}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("%w: %w", ErrNoRecord, err)
	}
	if !bytes.Equal(r.AppendCanonical(make([]byte, 0, len(raw))), raw) || !utf8.Valid(raw) {
		return r, fmt.Errorf("%w: it is not in canonical form (RFC 8785)", ErrNoRecord)
	}
	return r, r.check()
}

// check holds what one record by itself must fulfil.
func (r Record) check() error {
	switch {
	case r.Source == "" || r.Sequence < 1:
		return fmt.Errorf("%w: it has no source or no number", ErrNoRecord)
	case r.Kind == KindIntent && (r.Act == nil || r.Outcome != nil || r.Intent != 0):
		return fmt.Errorf("%w: an intent needs its act and nothing else", ErrNoRecord)
	case r.Kind == KindOutcome && (r.Outcome == nil || r.Act != nil || r.Intent < 1 || r.Intent >= r.Sequence):
		return fmt.Errorf("%w: an outcome needs the number of an earlier intent", ErrNoRecord)
	case r.Kind != KindIntent && r.Kind != KindOutcome:
		return fmt.Errorf("%w: there is no kind of record %q", ErrNoRecord, r.Kind)
	}
	return nil
}
