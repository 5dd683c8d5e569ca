// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit/export"
	"github.com/fairway-cloud/fairway/internal/audit/index"
)

// Evidence is an act as the server shows it.
type Evidence struct {
	index.Act
	Says string `json:"says"`
}

// evidencePage is how many acts are asked for at once.
const evidencePage = 500

// Evidence reads the acts of a route, page by page, up to limit (0: all). behind
// is how many records of the log the index has not read yet.
func (c *Client) Evidence(ctx context.Context, path string, query url.Values, limit int) (acts []Evidence, behind uint64, err error) {
	acts = []Evidence{}
	for {
		size := evidencePage
		if limit > 0 {
			size = min(size, limit-len(acts))
		}
		query.Set("limit", strconv.Itoa(size))
		answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: path, Query: query})
		if err != nil {
			return nil, 0, err
		}
		page := struct {
			Items    []Evidence `json:"items"`
			Metadata struct {
				Continue string `json:"continue"`
				Covers   uint64 `json:"covers"`
				Size     uint64 `json:"size"`
			} `json:"metadata"`
		}{}
		if err := answer.Decode(&page); err != nil {
			return nil, 0, err
		}
		acts = append(acts, page.Items...)
		if behind = page.Metadata.Size - page.Metadata.Covers; page.Metadata.Size < page.Metadata.Covers {
			behind = 0
		}
		if page.Metadata.Continue == "" || (limit > 0 && len(acts) >= limit) {
			return acts, behind, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

// ShowEvidence writes acts: as a table, or as the whole of what is known of them.
// story tells them in sentences, in the time of the reader.
func ShowEvidence(w io.Writer, output string, story bool, acts []Evidence) error {
	switch output {
	case "json":
		return writeJSON(w, map[string]any{"items": acts})
	case "yaml":
		return writeYAML(w, map[string]any{"items": acts})
	case "csv":
		plain := make([]index.Act, 0, len(acts))
		for _, a := range acts {
			plain = append(plain, a.Act)
		}
		_, err := export.Write(w, export.CSV, export.About{}, func() ([]index.Act, error) {
			some := plain
			plain = nil
			return some, nil
		})
		return err
	case "":
	default:
		return Usage("could not show as %q: -o takes json, yaml or csv", output)
	}
	rows := [][]string{{"TIME", "RECORD", "WHO", "DID", "WHAT", "RESULT", "TICKET"}}
	if story {
		rows = [][]string{{"TIME", "RECORD", "WHAT HAPPENED"}}
	}
	for _, a := range acts {
		row := []string{a.Time.Local().Format("2006-01-02 15:04:05"), strconv.FormatUint(a.Index, 10)}
		if story {
			row = append(row, a.Says)
		} else {
			row = append(row, a.Person, a.Verb, a.Subject, string(a.Result), a.Ticket)
		}
		for i := range row {
			row[i] = Plain(row[i])
		}
		rows = append(rows, row)
	}
	return WriteTable(w, rows)
}

// Moment reads a time as people give it: RFC 3339, a day, a day and a time of the
// reader's zone, or how long ago: 90m, 24h, 7d.
func Moment(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return now, Usage("could not read time %q: write 2026-11-28, \"2026-11-28 08:00\", 2026-11-28T08:00:00+08:00, or how long ago: 24h, 7d", text)
}

// StatementSuffix is added to the name of an exported file for its statement.
const StatementSuffix = ".statement"

// Export writes an export to a file, and its signed statement beside it. A file
// that is there is not written over.
func (c *Client) Export(ctx context.Context, query url.Values, path string) (err error) {
	body, err := c.Stream(ctx, Request{Method: http.MethodGet, Path: "/api/v1/audit/export", Query: query})
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // only read
	in := bufio.NewReader(body)
	first, err := in.Peek(200)
	line, _, found := strings.Cut(string(first), "\r\n")
	if !found || !strings.HasPrefix(line, "--") {
		return &Failure{Exit: ExitUnavailable, Cause: fmt.Sprintf("could not read the server's export: it is not in parts (%v)", err), Next: "check that --server names a Fairway server"}
	}
	parts := multipart.NewReader(in, strings.TrimPrefix(line, "--"))
	var made []string
	defer func() {
		if err != nil { // half an export is none
			for _, name := range made {
				_ = os.Remove(name)
			}
		}
	}()
	for _, name := range []string{path, path + StatementSuffix} {
		part, err := parts.NextPart()
		if err != nil {
			return c.torn(ctx, err)
		}
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return Usage("could not export to %q: it is there already; name another file", name)
		}
		if err != nil {
			return Usage("could not export to %q: %v", name, err)
		}
		made = append(made, name)
		_, copied := io.Copy(file, part)
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return Usage("could not export to %q: %v", name, err)
		}
		if copied != nil {
			return c.torn(ctx, copied)
		}
	}
	return nil
}

func (c *Client) torn(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return c.unreachable(ctx, err)
	}
	return &Failure{Exit: ExitUnavailable, Cause: "the server ended the export early: nothing is kept of it", Next: "try again; give the trace to whoever runs Fairway if it stays"}
}

// HistoryPath is where the story of an object is told.
func HistoryPath(kind Kind, namespace, name string) string {
	path := "/api/v1/audit/history/" + url.PathEscape(kind.Singular)
	if kind.Namespaced {
		path += "/" + url.PathEscape(namespace)
	}
	return path + "/" + url.PathEscape(name)
}

// EvidenceFields are the names of the fields to search by.
func EvidenceFields() []string { return slices.Sorted(slices.Values(index.Fields())) }
