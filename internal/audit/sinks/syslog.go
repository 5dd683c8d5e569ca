// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sinks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// Syslog sends records as RFC 5424 messages over TLS, counted in octets (RFC
// 5425). The protocol has no receipt; each batch has a connection of its own, and
// counts as received once the receiver has read it to its end and closed its side
// too.
type Syslog struct {
	// Title is the sink's name.
	Title string
	// Address is host:port.
	Address string
	// Sealer of the connection. The receiver's name is checked.
	Sealer *sealing.Dialer
	// Host is this machine as messages name it.
	Host string
	// Timeout bounds one batch. Default: 30 s.
	Timeout time.Duration
}

// Name implements Sink.
func (s *Syslog) Name() string { return s.Title }

// Facility 13 is the log audit; severities of RFC 5424.
const (
	facility = 13
	notice   = 5
	warning  = 4
)

// enterprise numbers the names in structured data; 32473 is the one for documents
// (RFC 5612), until the bank sets its own.
const enterprise = "fairway@32473"

// Send implements Sink.
func (s *Syslog) Send(ctx context.Context, entries []audit.Entry) error {
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	connection, err := s.Sealer.Dial(ctx, s.Address)
	if err != nil {
		return fmt.Errorf("could not reach syslog receiver %q: %w", s.Address, err)
	}
	defer connection.Close() //nolint:errcheck // what counts was read
	stop := context.AfterFunc(ctx, func() { _ = connection.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	out := &bytes.Buffer{}
	for _, e := range entries {
		message := s.message(e)
		out.WriteString(strconv.Itoa(len(message)) + " ")
		out.Write(message)
	}
	if _, err := connection.Write(out.Bytes()); err != nil {
		return fmt.Errorf("could not send to syslog receiver %q: %w", s.Address, err)
	}
	if err := connection.CloseWrite(); err != nil {
		return fmt.Errorf("could not end sending to syslog receiver %q: %w", s.Address, err)
	}
	// A receiver says nothing; that it ends in order says that it has read everything.
	if _, err := io.Copy(io.Discard, connection); err != nil {
		return fmt.Errorf("syslog receiver %q did not take everything: %w", s.Address, err)
	}
	return nil
}

// message writes one record.
func (s *Syslog) message(e audit.Entry) []byte {
	r, severity := e.Record, notice
	params := [][2]string{{"index", strconv.FormatUint(e.Index, 10)}, {"source", r.Source}, {"seq", strconv.FormatInt(r.Sequence, 10)}}
	id := string(r.Kind)
	switch {
	case r.Act != nil:
		a := r.Act
		params = append(params, [][2]string{
			{"verb", a.Verb}, {"person", a.Person}, {"subject", a.Subject}, {"cluster", a.Cluster}, {"environment", a.Environment}, {"from", a.From},
			{"class", string(a.Class)}, {"application", a.Application}, {"release", a.Release}, {"approval", a.Approval}, {"ticket", a.Ticket}, {"trace", a.Trace},
		}...)
	case r.Outcome != nil:
		params = append(params, [2]string{"intent", strconv.FormatInt(r.Intent, 10)}, [2]string{"result", string(r.Outcome.Result)})
		if r.Outcome.Result != audit.Done {
			severity = warning
		}
	}
	out := &bytes.Buffer{}
	fmt.Fprintf(out, "<%d>1 %s %s fairway - %s [%s", facility*8+severity, r.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), header(s.Host), header(id), enterprise)
	for _, p := range params {
		if p[1] != "" {
			out.WriteString(" " + p[0] + `="` + escape.Replace(strings.ToValidUTF8(p[1], "�")) + `"`)
		}
	}
	// The byte order mark says that the text is UTF-8.
	out.WriteString("] \ufeff")
	out.Write(r.Canonical())
	return out.Bytes()
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

// header keeps a field to printable ASCII without blanks.
func header(text string) string {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
	if text == "" {
		return "-"
	}
	return text[:min(len(text), 48)]
}
