// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/audit/mask"
)

// Format of an export.
type Format string

// The formats.
const (
	// CSV has one line per act, with a heading.
	CSV Format = "csv"
	// JSONL has one JSON object per act and line.
	JSONL Format = "jsonl"
	// Report is one HTML page that needs nothing else.
	Report Format = "report"
)

// Formats lists them.
func Formats() []string { return []string{string(CSV), string(JSONL), string(Report)} }

// Media is the type of a format's content.
func (f Format) Media() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8"
	case JSONL:
		return "application/jsonl; charset=utf-8"
	}
	return "text/html; charset=utf-8"
}

// About says what an export is.
type About struct {
	// Query in words, such as "person=p-7 since=2026-11-01T00:00:00Z".
	Query string
	// By is the person who asked, At the time.
	By string
	At time.Time
	// Covers is how many records of the log the index had read.
	Covers uint64
}

// Next returns the next acts, none at the end.
type Next func() ([]index.Act, error)

// Masked is an act as outsiders see it.
func Masked(a index.Act) index.Act {
	a.Act, a.Message = mask.Act(a.Act), mask.Text(a.Message)
	return a
}

// Write writes the acts and returns how many there were.
func Write(w io.Writer, format Format, about About, next Next) (acts int, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	var write func(index.Act) error
	finish := func() error { return nil }
	switch format {
	case CSV:
		table := csv.NewWriter(out)
		if err := table.Write(heading); err != nil {
			return 0, err
		}
		write = func(a index.Act) error { return table.Write(cells(a)) }
		finish = func() error { table.Flush(); return table.Error() }
	case JSONL:
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		write = func(a index.Act) error { return encoder.Encode(a) }
	case Report:
		if err := page.ExecuteTemplate(out, "head", about); err != nil {
			return 0, err
		}
		write = func(a index.Act) error { return page.ExecuteTemplate(out, "act", row{a, a.Sentence(), acts + 1}) }
		finish = func() error { return page.ExecuteTemplate(out, "foot", acts) }
	default:
		return 0, fmt.Errorf("could not export as %q: there are %s", format, strings.Join(Formats(), ", "))
	}
	for {
		some, err := next()
		if err != nil {
			return acts, err
		}
		if len(some) == 0 {
			break
		}
		for _, a := range some {
			if err := write(Masked(a)); err != nil {
				return acts, fmt.Errorf("could not write the export: %w", err)
			}
			acts++
		}
	}
	if err := finish(); err != nil {
		return acts, fmt.Errorf("could not write the export: %w", err)
	}
	if err := out.Flush(); err != nil {
		return acts, fmt.Errorf("could not write the export: %w", err)
	}
	return acts, nil
}

// heading names the columns of cells.
var heading = []string{"index", "outcomeIndex", "time", "ended", "person", "verb", "subject", "namespace", "environment", "cluster", "from", "class",
	"application", "release", "approval", "ticket", "reason", "verdict", "result", "message", "before", "after", "details", "trace", "source", "sequence"}

func cells(a index.Act) []string {
	outcome, ended := "", ""
	if a.OutcomeIndex != nil {
		outcome, ended = strconv.FormatUint(*a.OutcomeIndex, 10), a.Ended.Format(time.RFC3339Nano)
	}
	row := []string{strconv.FormatUint(a.Index, 10), outcome, a.Time.Format(time.RFC3339Nano), ended, a.Person, a.Verb, a.Subject, a.Namespace, a.Environment,
		a.Cluster, a.From, string(a.Class), a.Application, a.Release, a.Approval, a.Ticket, a.Reason, a.Verdict, string(a.Result), a.Message, a.Before, a.After,
		strings.Join(a.Details, "; "), a.Trace, a.Source, strconv.FormatInt(a.Sequence, 10)}
	for i := range row {
		row[i] = harmless(row[i])
	}
	return row
}

// harmless keeps a spreadsheet from taking a text for a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

type row struct {
	index.Act
	Says   string
	Number int
}

// page is the printed report. Nothing in it comes from elsewhere: no script, no
// style, no picture.
var page = template.Must(template.New("").Funcs(template.FuncMap{
	"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
}).Parse(`{{define "head"}}<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Fairway: evidence</title>
<style>
body { font: 10pt/1.4 system-ui, "Noto Sans CJK SC", sans-serif; margin: 2em auto; max-width: 62em; color: #111; }
h1 { font-size: 16pt; }
dl { display: grid; grid-template-columns: max-content auto; gap: .2em 1em; }
dt { color: #555; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; }
td, th { border-top: 1px solid #ccc; padding: .3em .5em; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
thead { display: table-header-group; } tr { break-inside: avoid; }
.Failed, .Refused, .Unknown, .Open { font-weight: bold; }
small { color: #555; }
</style>
</head>
<body>
<h1>Evidence 审计存证</h1>
<dl>
<dt>Asked for</dt><dd>{{.Query}}</dd>
<dt>By</dt><dd>{{.By}}</dd>
<dt>At</dt><dd>{{when .At}} UTC</dd>
<dt>Rests on</dt><dd>the first {{.Covers}} records of the log</dd>
<dt>Masked</dt><dd>secrets, and what identifies customers</dd>
</dl>
<p>The signed statement that came with this file names its digest and the checkpoint of the log.
<code>fairway audit check-export</code> compares them.</p>
<table>
<thead><tr><th>No</th><th>Time (UTC)</th><th>What happened</th><th>Result</th><th>Records</th></tr></thead>
<tbody>
{{end}}{{define "act"}}<tr><td>{{.Number}}</td><td>{{when .Time}}</td><td>{{.Says}}
{{- range .Details}}<br><small>{{.}}</small>{{end}}
{{- if .Before}}<br><small>before {{.Before}}</small>{{end}}{{if .After}}<br><small>after {{.After}}</small>{{end}}
{{- if .Verdict}}<br><small>{{.Verdict}}</small>{{end}}</td><td class="{{.Result}}">{{.Result}}</td><td>{{.Index}}{{with .OutcomeIndex}}, {{.}}{{end}}</td></tr>
{{end}}{{define "foot"}}</tbody>
</table>
<p>{{.}} acts.</p>
</body>
</html>
{{end}}`))
