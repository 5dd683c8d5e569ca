// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Diff shows what applying a document would change, field by field, and for an
// application what a Release of it would change in what runs and restart.
func (c *Client) Diff(ctx context.Context, d Document, w io.Writer) (differs bool, err error) {
	namespace, name := NamespaceOf(d.Object), NameOf(d.Object)
	before, err := c.Get(ctx, d.Kind, namespace, name)
	if err != nil && ExitOf(err) != ExitNotFound {
		return false, at(d, err)
	}
	answer, err := c.Do(ctx, Request{
		Method: http.MethodPatch, Path: d.Kind.Path(namespace, name), Body: d.Object, Media: "application/apply-patch+yaml",
		Query: url.Values{"fieldManager": {Manager}, "dryRun": {"All"}, "force": {"true"}},
	})
	if err != nil {
		return false, at(d, err)
	}
	would := Object{}
	if err := answer.Decode(&would); err != nil {
		return false, err
	}
	lines := []string{}
	for _, difference := range Compare(before, would) {
		lines = append(lines, "  "+difference.String())
	}
	if d.Kind.Kind == application {
		running, err := c.diffRunning(ctx, d)
		if err != nil {
			return false, at(d, err)
		}
		lines = append(lines, running...)
	}
	if len(lines) == 0 {
		return false, nil
	}
	note := ""
	if before == nil {
		note = " (new)"
	}
	_, err = fmt.Fprintf(w, "%s%s\n%s\n", d.Kind.FullName(name), note, strings.Join(lines, "\n"))
	return true, err
}

// running is what the server says of an application that differs from what runs.
type running struct {
	Against  string   `json:"against"`
	Restarts []string `json:"restarts"`
	Note     string   `json:"note"`
	Changes  []struct {
		Path     string   `json:"path"`
		Before   string   `json:"before"`
		After    string   `json:"after"`
		Restarts []string `json:"restarts"`
	} `json:"changes"`
}

// diffRunning says what a release would change in what runs; nothing where it
// would change nothing.
func (c *Client) diffRunning(ctx context.Context, d Document) ([]string, error) {
	answer, err := c.Do(ctx, Request{Method: http.MethodPost, Path: d.Kind.Path(NamespaceOf(d.Object), NameOf(d.Object)) + "/diff", Body: d.Object})
	if err != nil {
		return nil, err
	}
	result := running{}
	if err := answer.Decode(&result); err != nil {
		return nil, err
	}
	if len(result.Changes) == 0 {
		return nil, nil
	}
	against := "nothing runs yet"
	if result.Against != "" {
		against = "against " + Plain(result.Against) + ", which runs"
	}
	lines := []string{fmt.Sprintf("  a release would change (%s):", against)}
	restarts := map[string]any{}
	for _, change := range result.Changes {
		line := Difference{Path: change.Path}
		if change.Before != "" {
			line.Before = change.Before
		}
		if change.After != "" {
			line.After = change.After
		}
		for _, r := range change.Restarts {
			restarts[r] = true
		}
		lines = append(lines, "    "+line.String())
	}
	for _, r := range result.Restarts {
		restarts[r] = true
	}
	if len(restarts) > 0 {
		lines = append(lines, "  it would restart: "+Plain(strings.Join(keysOf(restarts), ", ")))
	} else {
		lines = append(lines, "  it would restart nothing")
	}
	if result.Note != "" {
		lines = append(lines, "  "+Plain(result.Note))
	}
	return lines, nil
}
