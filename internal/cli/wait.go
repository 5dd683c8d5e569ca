// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"encoding/json"
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

// Wait looks at an object until it is Ready. It fails when a person is needed
// (Stalled), and when the context ends. What is waited for is told to progress.
func (c *Client) Wait(ctx context.Context, k Kind, namespace, name string, progress io.Writer) (Object, error) {
	told := ""
	for {
		o, err := c.Get(ctx, k, namespace, name)
		if err != nil && ExitOf(err) != ExitUnavailable {
			return nil, err
		}
		if err == nil && current(o) {
			if ready := condition(o, "Ready"); ready.Status == "True" {
				return o, nil
			} else if text := ready.Message; text != "" && text != told {
				told = text
				_, _ = fmt.Fprintf(progress, "%s %q: %s\n", k.Singular, name, Plain(text))
			}
			if stalled := condition(o, "Stalled"); stalled.Status == "True" {
				return o, &Failure{Exit: ExitError, Cause: fmt.Sprintf("%s %q needs a person: %s", k.Singular, name, Plain(stalled.Message)),
					Next: fmt.Sprintf("fairway describe %s %s", k.Singular, name), Code: stalled.Reason}
			}
		}
		if err := pause(ctx, time.Second); err != nil {
			if told != "" {
				if f, ok := err.(*Failure); ok && f.Exit == ExitTimeout {
					f.Cause += fmt.Sprintf(": %s %q: %s", k.Singular, name, told)
				}
			}
			return nil, err
		}
	}
}

// WaitGone looks at an object until it is not there any more.
func (c *Client) WaitGone(ctx context.Context, k Kind, namespace, name string) error {
	for {
		_, err := c.Get(ctx, k, namespace, name)
		if ExitOf(err) == ExitNotFound {
			return nil
		}
		if err != nil && ExitOf(err) != ExitUnavailable {
			return err
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}
