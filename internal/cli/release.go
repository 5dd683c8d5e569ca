// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// application is the kind that a Revision is made from.
const application = "Application"

// asksAgain are reasons of the condition Revised that pass by themselves.
var asksAgain = []string{"RegistryUnreachable"}

// WaitRevision looks at an application until the Revision of what was last
// applied is there. It fails when a person is needed first, and that for longer
// than grace. The application is returned in both cases.
func (c *Client) WaitRevision(ctx context.Context, k Kind, namespace, name string, grace time.Duration, progress io.Writer) (Object, error) {
	told, refused := "", time.Time{}
	for {
		o, err := c.Get(ctx, k, namespace, name)
		if err != nil && !passing(err) {
			return nil, err
		}
		revised := condition(o, "Revised")
		speaks := err == nil && current(o) && revised.Status != ""
		text := "waiting for its revision"
		switch {
		case speaks && revised.Status == "True" && statusText(o, "latestRevision") != "":
			return o, nil
		case speaks && revised.Status == "False" && !slices.Contains(asksAgain, revised.Reason):
			if refused.IsZero() {
				refused = time.Now()
			}
			if time.Since(refused) >= grace {
				return o, &Failure{Exit: ExitInvalid, Cause: fmt.Sprintf("%s %q has no revision of what was applied: %s", k.Singular, name, Plain(revised.Message)),
					Code: revised.Reason, Next: "correct it and apply it again; what runs is not touched"}
			}
		case speaks && revised.Message != "":
			text = revised.Message
		}
		if told != text {
			told = text
			_, _ = fmt.Fprintf(progress, "%s %q: %s\n", k.Singular, name, Plain(text))
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return o, late(err, fmt.Sprintf("%s %q: %s", k.Singular, name, Plain(told)))
		}
	}
}

// DescribeRelease shows how far a release is.
func DescribeRelease(w io.Writer, o Object, now time.Time) error {
	b := &bytes.Buffer{}
	spec, _ := o["spec"].(map[string]any)
	status, _ := o["status"].(map[string]any)
	meta, _ := o["metadata"].(map[string]any)
	rows := [][]string{{"Release:", NameOf(o)}, {"Namespace:", NamespaceOf(o)}}
	for _, line := range [][2]string{{"Application:", "application"}, {"Kind:", "kind"}, {"Revision:", "revision"}, {"Requester:", "requester"},
		{"Reason:", "reason"}, {"Ticket:", "ticket"}, {"Placement:", "placement"}, {"Fenced:", "fenced"}, {"Desired:", "desired"}} {
		if v := str(spec[line[1]]); v != "" {
			rows = append(rows, []string{line[0], Plain(v)})
		}
	}
	rows = append(rows, []string{"Plan:", Plain(str(status["planDigest"]))}, []string{"Age:", Age(str(meta["creationTimestamp"]), now)})
	if err := WriteTable(b, rows); err != nil {
		return err
	}
	if err := cardTable(b, "Clusters", status["clusters"], []string{"cluster", "wanted", "updated", "ready", "old", "message"}, now); err != nil {
		return err
	}
	if err := cardTable(b, "Conditions", status["conditions"], []string{"type", "status", "reason", "message"}, now); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
