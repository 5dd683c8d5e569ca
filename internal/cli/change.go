// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Manager is the name under which the command line manages fields.
const Manager = "fairway-cli"

// ApplyOptions say how objects are applied.
type ApplyOptions struct {
	// DryRun checks and changes nothing.
	DryRun bool
	// Force takes fields over that others manage.
	Force bool
	// Patience is how long a namespace that is being made is waited for.
	Patience time.Duration
}

// Applied is what applying did.
type Applied struct {
	Object Object
	// Word is created, configured or unchanged.
	Word string
}

// Apply applies one object.
func (c *Client) Apply(ctx context.Context, d Document, o ApplyOptions) (Applied, error) {
	namespace, name := NamespaceOf(d.Object), NameOf(d.Object)
	before, err := c.Get(ctx, d.Kind, namespace, name)
	if err != nil && ExitOf(err) != ExitNotFound {
		return Applied{}, at(d, err)
	}
	query := url.Values{"fieldManager": {Manager}}
	if o.DryRun {
		query.Set("dryRun", "All")
	}
	if o.Force {
		query.Set("force", "true")
	}
	request := Request{Method: http.MethodPatch, Path: d.Kind.Path(namespace, name), Query: query, Body: d.Object, Media: "application/apply-patch+yaml"}
	answer, err := c.Do(ctx, request)
	for deadline := time.Now().Add(o.Patience); err != nil && ExitOf(err) == ExitNotFound && time.Now().Before(deadline); {
		if waited := pause(ctx, time.Second); waited != nil {
			return Applied{}, waited
		}
		answer, err = c.Do(ctx, request)
	}
	if err != nil {
		return Applied{}, at(d, err)
	}
	result := Applied{Word: "configured"}
	if err := answer.Decode(&result.Object); err != nil {
		return result, err
	}
	switch {
	case answer.Status == http.StatusCreated:
		result.Word = "created"
	case o.DryRun && len(Compare(before, result.Object)) == 0, !o.DryRun && version(before) == version(result.Object):
		result.Word = "unchanged"
	}
	return result, nil
}

// at says which document a failure belongs to.
func at(d Document, err error) error {
	var f *Failure
	if errors.As(err, &f) {
		named := *f
		named.Cause = d.Where + ": " + f.Cause
		return &named
	}
	return fmt.Errorf("%s: %w", d.Where, err)
}

func version(o Object) string {
	meta, _ := o["metadata"].(map[string]any)
	return str(meta["resourceVersion"])
}

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
		return &Failure{Exit: ExitError, Cause: "interrupted"}
	}
}

// Difference is one field that differs.
type Difference struct {
	Path          string
	Before, After any
}

// String is the difference in one line.
func (d Difference) String() string {
	switch {
	case d.Before == nil:
		return fmt.Sprintf("+ %s: %s", d.Path, brief(d.After))
	case d.After == nil:
		return fmt.Sprintf("- %s: %s", d.Path, brief(d.Before))
	}
	return fmt.Sprintf("~ %s: %s -> %s", d.Path, brief(d.Before), brief(d.After))
}

func brief(v any) string {
	text := Plain(fmt.Sprint(v))
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + " …"
	}
	return text
}

// Compare lists what people set that differs between two states of an object:
// everything but status and what the hub keeps itself.
func Compare(before, after Object) []Difference {
	var found []Difference
	compare("", clean(before), clean(after), &found)
	slices.SortStableFunc(found, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return found
}

func clean(o Object) any {
	if o == nil {
		return map[string]any{}
	}
	kept := map[string]any{}
	for k, v := range o {
		if k != "status" && k != "metadata" && k != "apiVersion" && k != "kind" {
			kept[k] = v
		}
	}
	if meta, ok := o["metadata"].(map[string]any); ok {
		for _, k := range []string{"labels", "annotations"} {
			if v, ok := meta[k]; ok {
				kept["metadata."+k] = v
			}
		}
	}
	return kept
}

func compare(path string, before, after any, into *[]Difference) {
	if reflect.DeepEqual(before, after) {
		return
	}
	b, bMap := before.(map[string]any)
	a, aMap := after.(map[string]any)
	if (bMap || before == nil) && (aMap || after == nil) && (bMap || aMap) {
		for _, k := range keysOf(b, a) {
			compare(join(path, k), b[k], a[k], into)
		}
		return
	}
	bl, bList := before.([]any)
	al, aList := after.([]any)
	if (bList || before == nil) && (aList || after == nil) && (bList || aList) {
		compareLists(path, bl, al, into)
		return
	}
	*into = append(*into, Difference{Path: path, Before: before, After: after})
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func keysOf(maps ...map[string]any) []string {
	seen := map[string]bool{}
	var keys []string
	for _, m := range maps {
		for k := range m {
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

// compareLists compares lists of named things by name, others by place.
func compareLists(path string, before, after []any, into *[]Difference) {
	b, bNamed := byName(before)
	a, aNamed := byName(after)
	if bNamed && aNamed {
		for _, k := range keysOf(b, a) {
			compare(path+"["+k+"]", b[k], a[k], into)
		}
		return
	}
	for i := range max(len(before), len(after)) {
		var x, y any
		if i < len(before) {
			x = before[i]
		}
		if i < len(after) {
			y = after[i]
		}
		compare(fmt.Sprintf("%s[%d]", path, i), x, y, into)
	}
}

func byName(list []any) (map[string]any, bool) {
	named := map[string]any{}
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, false
		}
		name := str(m["name"])
		if name == "" || named[name] != nil {
			return nil, false
		}
		named[name] = m
	}
	return named, true
}
