// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// WaitRevision looks at an application until the Revision of what was last
// applied is there. It fails when a person is needed first.
func (c *Client) WaitRevision(ctx context.Context, k Kind, namespace, name string, progress io.Writer) (Object, error) {
	told := ""
	for {
		o, err := c.Get(ctx, k, namespace, name)
		if err != nil {
			return nil, err
		}
		status, _ := o["status"].(map[string]any)
		revised := condition(o, "Revised")
		if current(o) && status["observedGeneration"] != nil {
			if revised.Status == "True" && str(status["latestRevision"]) != "" {
				return o, nil
			}
			if revised.Status == "False" {
				return nil, &Failure{Exit: ExitInvalid, Cause: fmt.Sprintf("%s %q has no revision of what was applied: %s", k.Singular, name, Plain(revised.Message)),
					Code: revised.Reason, Next: "correct it and apply it again, or name an earlier revision with --revision"}
			}
		}
		if told == "" {
			told = "waiting"
			_, _ = fmt.Fprintf(progress, "waiting for the revision of %s %q\n", k.Singular, name)
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return nil, err
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
		{"Reason:", "reason"}, {"Ticket:", "ticket"}, {"Desired:", "desired"}} {
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

// Check runs the go-live checks over an application and shows the findings. An
// error among them is a failure. o nil means the stored application.
func Check(ctx context.Context, c *Client, k Kind, namespace, name string, o Object, output Output, w io.Writer) error {
	if namespace == "" {
		return Usage("could not check application %q: name its namespace with -n", name)
	}
	request := Request{Method: http.MethodPost, Path: k.Path(namespace, name) + "/check"}
	if o != nil {
		request.Body = o
	}
	answer, err := c.Do(ctx, request)
	if err != nil {
		return err
	}
	result := struct {
		Findings []struct {
			Severity  string `json:"severity"`
			Component string `json:"component"`
			Rule      string `json:"rule"`
			Message   string `json:"message"`
		} `json:"findings"`
	}{}
	if err := answer.Decode(&result); err != nil {
		return err
	}
	wrong := 0
	rows := [][]string{{"SEVERITY", "COMPONENT", "RULE", "WHAT TO CHANGE"}}
	for _, f := range result.Findings {
		if f.Severity == "Error" {
			wrong++
		}
		rows = append(rows, []string{Plain(f.Severity), Plain(f.Component), Plain(f.Rule), Plain(f.Message)})
	}
	switch {
	case output == JSON:
		raw := Object{}
		if err := answer.Decode(&raw); err != nil {
			return err
		}
		err = writeJSON(w, raw)
	case output != Table:
		return Usage("could not show as %q: -o takes json", output)
	case len(result.Findings) == 0:
		_, err = fmt.Fprintf(w, "%s %q: nothing to change\n", k.Singular, name)
	default:
		err = WriteTable(w, rows)
	}
	if err == nil && wrong > 0 {
		err = &Failure{Exit: ExitError, Cause: fmt.Sprintf("%s %q may not go live: %d of the findings are errors", k.Singular, name, wrong), Next: "change what the findings name"}
	}
	return err
}
