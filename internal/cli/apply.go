// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Manager is the name under which the command line manages fields.
const Manager = "fairway-cli"

// patience is how long a namespace that is being made is waited for: its tenant
// was applied just now.
const patience = 30 * time.Second

// settling is how long a refusal is not believed after what it rests on was applied
// just now: the world that an application is checked against, or kinds that the
// hub is still learning (it looks every five seconds).
const settling = 15 * time.Second

// Apply says how files are applied.
type Apply struct {
	// DryRun checks and changes nothing.
	DryRun bool
	// Force takes fields over that others manage.
	Force bool
	// Wait waits until what was applied is ready; of an application, until its
	// Revision is there.
	Wait bool
	// Reason and Ticket go with what needs a second person and is proposed therefore.
	Reason, Ticket string
	// Output is "", Name, JSON or YAML.
	Output Output
	// Patience is how long a hub is asked again that is not available. Default: 15 s.
	Patience time.Duration
	// Out takes the data, Progress what is said beside it.
	Out, Progress io.Writer
}

// Run applies the documents in their order. One that fails does not keep the
// others from being tried; all failures are told at the end.
func (a Apply) Run(ctx context.Context, c *Client, documents []Document) error {
	switch a.Output {
	case Table, Name, JSON, YAML:
	default:
		return Usage("could not show as %q: -o takes name, json or yaml", a.Output)
	}
	applied := []Object{}
	var failed []error
	var waiting []Document
	var wait time.Duration
	for _, d := range documents {
		if !d.Kind.Namespaced {
			wait = patience
		}
		if a.DryRun || len(failed) > 0 {
			wait = 0
		}
		done, err := a.one(ctx, c, d, wait)
		var f *Failure
		if errors.As(err, &f) && f.Code == needsTwo {
			waiting = append(waiting, d)
			continue
		}
		if err != nil {
			failed = append(failed, err)
			if hopeless(err) {
				break
			}
			continue
		}
		applied = append(applied, done.Object)
		if err := a.tell(d, done); err != nil {
			return err
		}
	}
	if a.Output == JSON || a.Output == YAML {
		if err := (View{Output: a.Output}).ShowList(a.Out, applied); err != nil {
			return err
		}
	}
	if err := together(failed, len(documents)); err != nil {
		return err
	}
	if err := a.propose(ctx, c, waiting); err != nil {
		return err
	}
	return a.afterwards(ctx, c, documents)
}

// hopeless says that the next object would fail alike.
func hopeless(err error) bool {
	var f *Failure
	return !errors.As(err, &f) || f.Code == "" || f.Exit == ExitTimeout || f.Exit == ExitUnavailable || f.Code == "unauthenticated"
}

// together is one failure made of several.
func together(failed []error, of int) error {
	if len(failed) <= 1 {
		return errors.Join(failed...)
	}
	all := &Failure{Exit: ExitOf(failed[0]), Cause: fmt.Sprintf("could not apply %d of %d objects", len(failed), of)}
	for _, err := range failed {
		all.Details = append(all.Details, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return all
}

// done is what applying one object did.
type done struct {
	Object Object
	// Word is created, configured or unchanged.
	Word string
}

func (a Apply) tell(d Document, done done) error {
	var err error
	switch a.Output {
	case Table:
		word := done.Word
		if a.DryRun {
			word += " (server dry run)"
		}
		_, err = fmt.Fprintf(a.Out, "%s %s\n", d.Kind.FullName(NameOf(d.Object)), word)
	case Name:
		_, err = fmt.Fprintln(a.Out, d.Kind.FullName(NameOf(d.Object)))
	}
	return err
}

func (a Apply) one(ctx context.Context, c *Client, d Document, wait time.Duration) (done, error) {
	namespace, name := NamespaceOf(d.Object), NameOf(d.Object)
	before, err := c.Get(ctx, d.Kind, namespace, name)
	if err != nil && ExitOf(err) != ExitNotFound {
		return done{}, at(d, err)
	}
	query := url.Values{"fieldManager": {Manager}}
	if a.DryRun {
		query.Set("dryRun", "All")
	}
	if a.Force {
		query.Set("force", "true")
	}
	request := Request{Method: http.MethodPatch, Path: d.Kind.Path(namespace, name), Query: query, Body: d.Object, Media: "application/apply-patch+yaml"}
	answer, err := c.Do(ctx, request)
	for begun := time.Now(); comes(err, d, wait-time.Since(begun), cmp.Or(a.Patience, settling)-time.Since(begun)); {
		if waited := pause(ctx, 500*time.Millisecond); waited != nil {
			return done{}, waited
		}
		answer, err = c.Do(ctx, request)
	}
	if err != nil {
		return done{}, at(d, err)
	}
	result := done{Word: "configured"}
	if err := answer.Decode(&result.Object); err != nil {
		return result, err
	}
	switch {
	case before == nil || answer.Status == http.StatusCreated:
		result.Word = "created"
	case len(Compare(before, result.Object)) == 0:
		result.Word = "unchanged"
	}
	return result, nil
}

// comes says that a refusal ends by itself: a namespace is still being made, or
// a hub on which kinds were installed just now has not learned them everywhere.
// Applying again is safe.
func comes(err error, d Document, namespace, kinds time.Duration) bool {
	var f *Failure
	if !errors.As(err, &f) {
		return false
	}
	return d.Kind.Namespaced && f.Exit == ExitNotFound && namespace > 0 || f.Code == "unavailable" && kinds > 0
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

// afterwards tells what the go-live checks find, and waits where that is asked.
func (a Apply) afterwards(ctx context.Context, c *Client, documents []Document) error {
	var grace time.Duration
	wrong := 0
	for _, d := range documents {
		if !d.Kind.Namespaced {
			grace = settling
		}
		name, namespace := NameOf(d.Object), NamespaceOf(d.Object)
		var err error
		switch {
		case d.Kind.Kind == application && a.Wait && !a.DryRun:
			err = a.awaitRevision(ctx, c, d, grace)
		case d.Kind.Kind == application:
			var n int
			n, err = a.tellFindings(ctx, c, d)
			wrong += n
		case a.Wait && !a.DryRun && d.Kind.tellsReady():
			_, err = c.Wait(ctx, d.Kind, namespace, name, a.Progress)
		}
		if err != nil {
			return err
		}
	}
	if a.DryRun && wrong > 0 {
		return &Failure{Exit: ExitError, Cause: fmt.Sprintf("the hub would take what the files say, and no Revision would come of it: %d of the findings are errors", wrong), Next: "change what the findings name"}
	}
	return nil
}

// tellsReady says whether objects of the kind say when they are ready: their
// table shows it.
func (k Kind) tellsReady() bool {
	for _, c := range k.Columns {
		if strings.Contains(c.JSONPath, `"Ready"`) {
			return true
		}
	}
	return false
}

// tellFindings says what the go-live checks find, and how many of it are errors. That
// they cannot be asked does not make the apply fail.
func (a Apply) tellFindings(ctx context.Context, c *Client, d Document) (wrong int, err error) {
	var sent Object
	if a.DryRun {
		sent = d.Object
	}
	findings, err := c.Check(ctx, d.Kind, NamespaceOf(d.Object), NameOf(d.Object), sent)
	if err != nil {
		_, err = fmt.Fprintf(a.Progress, "%s %q: the go-live checks did not answer: %v\n", d.Kind.Singular, NameOf(d.Object), err)
		return 0, err
	}
	return errorsAmong(findings), writeFindings(a.Progress, findings)
}

// awaitRevision waits for the Revision of an application and says what to do with it.
func (a Apply) awaitRevision(ctx context.Context, c *Client, d Document, grace time.Duration) error {
	namespace, name := NamespaceOf(d.Object), NameOf(d.Object)
	o, err := c.WaitRevision(ctx, d.Kind, namespace, name, grace, a.Progress)
	if findings := findingsOf(o); err == nil || len(findings) > 0 {
		if err := writeFindings(a.Progress, findings); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	out := a.Progress
	if a.Output == Table {
		out = a.Out
	}
	_, err = fmt.Fprintf(out, "revision.%s/%s: %s\n", d.Kind.Group, Plain(statusText(o, "latestRevision")), whatNow(o, namespace, name))
	return err
}

// whatNow says what the newest Revision of an application needs.
func whatNow(o Object, namespace, name string) string {
	latest, released, active := statusText(o, "latestRevision"), statusText(o, "releasedRevision"), statusText(o, "activeRelease")
	start := fmt.Sprintf("start a release with: fairway release start %s -n %s", name, namespace)
	switch {
	case active != "":
		return fmt.Sprintf("release %q is under way; follow it with: fairway release status %s -n %s --wait", Plain(active), Plain(active), namespace)
	case released == "":
		return "nothing runs yet; " + start
	case released == latest:
		return "it is in service"
	}
	return fmt.Sprintf("%s stays in service; %s", Plain(released), start)
}

func statusText(o Object, field string) string {
	status, _ := o["status"].(map[string]any)
	return str(status[field])
}
