// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Finding is what a go-live check says (R47).
type Finding struct {
	// Severity is Error or Warning.
	Severity string `json:"severity"`
	// Component that it is about; "" is the whole application.
	Component string `json:"component,omitempty"`
	// Rule is the check's name.
	Rule string `json:"rule"`
	// Message says what to change.
	Message string `json:"message"`
}

// Check runs the go-live checks over an application; o nil means the stored one.
func (c *Client) Check(ctx context.Context, k Kind, namespace, name string, o Object) ([]Finding, error) {
	if namespace == "" {
		return nil, Usage("could not check application %q: name its namespace with -n", name)
	}
	request := Request{Method: http.MethodPost, Path: k.Path(namespace, name) + "/check"}
	if o != nil {
		request.Body = o
	}
	answer, err := c.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	result := struct {
		Findings []Finding `json:"findings"`
	}{}
	return result.Findings, answer.Decode(&result)
}

// findingsOf are the findings that an application's status tells.
func findingsOf(o Object) []Finding {
	status, _ := o["status"].(map[string]any)
	raw, err := json.Marshal(status["findings"])
	if err != nil {
		return nil
	}
	var findings []Finding
	if json.Unmarshal(raw, &findings) != nil {
		return nil
	}
	return findings
}

// writeFindings writes a line per finding. None is none.
func writeFindings(w io.Writer, findings []Finding) error {
	if len(findings) == 0 {
		return nil
	}
	rows := [][]string{{"SEVERITY", "COMPONENT", "RULE", "WHAT TO CHANGE"}}
	for _, f := range findings {
		rows = append(rows, []string{Plain(f.Severity), Plain(f.Component), Plain(f.Rule), Plain(f.Message)})
	}
	return WriteTable(w, rows)
}

// errorsAmong counts the findings that keep an application from going live.
func errorsAmong(findings []Finding) int {
	wrong := 0
	for _, f := range findings {
		if f.Severity == "Error" {
			wrong++
		}
	}
	return wrong
}

// ShowFindings shows what the checks find of an application. An error among them
// is a failure.
func ShowFindings(w io.Writer, k Kind, name string, findings []Finding, output Output) error {
	wrong := errorsAmong(findings)
	var err error
	switch {
	case output == JSON:
		err = writeJSON(w, map[string]any{"application": name, "findings": append([]Finding{}, findings...)})
	case output != Table:
		return Usage("could not show as %q: -o takes json", output)
	case len(findings) == 0:
		_, err = fmt.Fprintf(w, "%s %q: nothing to change\n", k.Singular, name)
	default:
		err = writeFindings(w, findings)
	}
	if err == nil && wrong > 0 {
		err = &Failure{Exit: ExitError, Cause: fmt.Sprintf("%s %q may not go live: %d of the findings are errors", k.Singular, name, wrong), Next: "change what the findings name"}
	}
	return err
}
