// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Condition is a condition of an object.
type Condition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	Reason             string `json:"reason"`
	Message            string `json:"message"`
	ObservedGeneration int64  `json:"observedGeneration"`
	LastTransitionTime string `json:"lastTransitionTime"`
}

// Conditions reads an object's conditions.
func Conditions(o Object) []Condition {
	status, _ := o["status"].(map[string]any)
	raw, err := json.Marshal(status["conditions"])
	if err != nil {
		return nil
	}
	var conditions []Condition
	if json.Unmarshal(raw, &conditions) != nil {
		return nil
	}
	return conditions
}

func condition(o Object, name string) Condition {
	for _, c := range Conditions(o) {
		if c.Type == name {
			return c
		}
	}
	return Condition{}
}

// current says whether the status speaks of the object as it is now.
func current(o Object) bool {
	meta, _ := o["metadata"].(map[string]any)
	status, _ := o["status"].(map[string]any)
	seen, ok := number(status["observedGeneration"])
	generation, _ := number(meta["generation"])
	return !ok || seen >= generation
}

func number(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// passing says whether a failure may pass while something is waited for: the
// server restarts, or is busy.
func passing(err error) bool { return ExitOf(err) == ExitUnavailable }

// late adds what was waited for to a failure of patience.
func late(err error, told string) error {
	var f *Failure
	if told != "" && errors.As(err, &f) && f.Exit == ExitTimeout {
		f.Cause += ": " + told
	}
	return err
}

// Wait looks at an object until it is Ready. It fails when a person is needed
// (Stalled), and when the context ends. What is waited for is told to progress.
func (c *Client) Wait(ctx context.Context, k Kind, namespace, name string, progress io.Writer) (Object, error) {
	told := map[string]string{}
	last := ""
	for {
		o, err := c.Get(ctx, k, namespace, name)
		if err != nil && !passing(err) {
			return nil, err
		}
		if err == nil && current(o) {
			last = c.tellProgress(o, k, told, progress)
			if condition(o, "Ready").Status == "True" {
				return o, nil
			}
			if spec, _ := o["spec"].(map[string]any); spec["desired"] == "Stop" {
				return o, &Failure{Exit: ExitError, Cause: fmt.Sprintf("%s %q was stopped: %s", k.Singular, name, last), Next: "start another one, or a Rollback"}
			}
			if stalled := condition(o, "Stalled"); stalled.Status == "True" {
				return o, &Failure{Exit: ExitError, Cause: fmt.Sprintf("%s %q needs a person: %s", k.Singular, name, Plain(stalled.Message)),
					Next: "fairway describe " + describeWords(k, namespace, name), Code: stalled.Reason}
			}
		}
		if err := pause(ctx, time.Second); err != nil {
			return nil, late(err, fmt.Sprintf("%s %q: %s", k.Singular, name, last))
		}
	}
}

func describeWords(k Kind, namespace, name string) string {
	if k.Namespaced {
		return fmt.Sprintf("%s %s -n %s", k.Singular, name, namespace)
	}
	return k.Singular + " " + name
}

// tellProgress says what changed: a line per cluster of a release, and what keeps
// the object from being ready, which is returned.
func (c *Client) tellProgress(o Object, k Kind, told map[string]string, progress io.Writer) string {
	status, _ := o["status"].(map[string]any)
	clusters, _ := status["clusters"].([]any)
	for _, entry := range clusters {
		cluster, _ := entry.(map[string]any)
		name := str(cluster["cluster"])
		if cluster["wanted"] == nil || name == "" {
			continue
		}
		text := fmt.Sprintf("%v of %v new, %v ready, %v old", cluster["updated"], cluster["wanted"], cluster["ready"], cluster["old"])
		if message := str(cluster["message"]); message != "" {
			text += " (" + Plain(message) + ")"
		}
		if told["cluster "+name] != text {
			told["cluster "+name] = text
			_, _ = fmt.Fprintf(progress, "%s: %s\n", Plain(name), text)
		}
	}
	ready := condition(o, "Ready")
	text := Plain(ready.Message)
	if ready.Status != "True" && text != "" && told["Ready"] != text && condition(o, "Stalled").Status != "True" {
		told["Ready"] = text
		_, _ = fmt.Fprintf(progress, "%s %q: %s\n", k.Singular, NameOf(o), text)
	}
	return text
}

// WaitGone looks at an object until it is not there any more.
func (c *Client) WaitGone(ctx context.Context, k Kind, namespace, name string) error {
	for {
		_, err := c.Get(ctx, k, namespace, name)
		if ExitOf(err) == ExitNotFound {
			return nil
		}
		if err != nil && !passing(err) {
			return err
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// pause waits for a moment, or until the command ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return &Failure{Exit: ExitTimeout, Cause: "it took longer than --timeout", Next: "what was begun goes on; look again later"}
		}
		return &Failure{Exit: ExitInterrupted, Cause: "ended by you; what was begun goes on"}
	}
}
