// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
	"github.com/fairway-cloud/fairway/internal/server"
)

// Desk takes imports.
type Desk struct {
	// Hub reads Applications, through a cache, and Direct Profiles past it.
	Hub, Direct client.Reader
	// As acts on the hub as the person who asks.
	As func(ctx context.Context) (client.Client, error)
	// Authority says who may write Profiles.
	Authority server.Authority
	Clock     clock.PassiveClock
}

// Routes of imports. desk may be nil where only the document is made.
func Routes(desk *Desk) []httpapi.Route {
	return []httpapi.Route{{
		Method: http.MethodPost, Pattern: "/api/v1/placement/profiles/import", Room: "placement", Verb: "importProfiles", Effect: httpapi.Writes, DryRun: true,
		BodyLimit: profile.MostBytes, Handler: desk.take,
		Describe: func(*http.Request) (httpapi.Act, error) { return httpapi.Act{Subject: "Profile/*"}, nil },
		Doc: httpapi.Doc{
			Summary: "Brings tags of applications in from a CSV or JSON file, all or nothing. Of each component in it, what the source says replaces what it said before.", Response: "placement.Imported",
			Query: []httpapi.Parameter{
				{Name: "format", Text: "csv or json. Default: csv.", Schema: map[string]any{"type": "string", "enum": []any{"csv", "json"}}},
				{Name: "source", Text: "Source of rows that name none. Default: cmdb."},
				{Name: "dryRun", Text: "All: check everything, write nothing.", Schema: map[string]any{"type": "string", "enum": []any{"All"}}},
			},
		},
	}}
}

// Schemas of what the route answers.
func Schemas() map[string]any {
	names := func(text string) map[string]any {
		return map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "description": text}
	}
	return map[string]any{"placement.Imported": map[string]any{
		"type": "object", "required": []any{"dryRun", "rows", "created", "updated", "unchanged"}, "properties": map[string]any{
			"dryRun":  map[string]any{"type": "boolean", "description": "Nothing was written."},
			"rows":    map[string]any{"type": "integer", "description": "Rows of the file."},
			"created": names("Profiles that are new, as <namespace>/<name>."), "updated": names("Profiles that say something else now."),
			"unchanged": map[string]any{"type": "integer", "description": "Applications of which the file says what is there already."},
		},
	}}
}

// Imported is what an import did.
type Imported struct {
	DryRun    bool     `json:"dryRun"`
	Rows      int      `json:"rows"`
	Created   []string `json:"created"`
	Updated   []string `json:"updated"`
	Unchanged int      `json:"unchanged"`
}

// take writes as the person who asks, after the hub has checked every Profile as if he
// had written it: all or nothing.
func (d *Desk) take(w http.ResponseWriter, r *http.Request) error {
	if d == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not take an import now")
	}
	format, source, err := options(r)
	if err != nil {
		return err
	}
	rows, faults := profile.Parse(httpapi.Body(r), format, source, d.Clock.Now())
	if faults.Any() {
		return refused(faults)
	}
	if err := d.may(r, rows); err != nil {
		return err
	}
	hub, err := d.read(r.Context(), rows)
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look up applications and profiles now").Because(err)
	}
	actions, unchanged, faults := profile.Plan(rows, hub)
	if faults.Any() {
		return refused(faults)
	}
	as, err := d.As(r.Context())
	if err != nil {
		return err
	}
	shown := Imported{DryRun: r.URL.Query().Has("dryRun"), Rows: len(rows), Created: []string{}, Updated: []string{}, Unchanged: unchanged}
	for _, a := range actions {
		into := &shown.Updated
		if a.New {
			into = &shown.Created
		}
		*into = append(*into, a.Profile.Namespace+"/"+a.Profile.Name)
	}
	if faults := carryOut(r.Context(), as, actions, true); len(faults) > 0 {
		return refused(profile.Faults{List: faults})
	}
	if !shown.DryRun {
		if faults := carryOut(r.Context(), as, actions, false); len(faults) > 0 {
			return httpapi.WithList(httpapi.NewProblem(httpapi.CodeConflict, "could not finish the import: %d of %d profiles were not written", len(faults), len(actions)).
				WithNext("Import the same file again: it does what is left."), faults, mostTold, 0)
		}
	}
	return httpapi.WriteJSON(w, http.StatusOK, shown)
}

func options(r *http.Request) (format, source string, err error) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains([]string{"format", "source", "dryRun"}, name) {
			return "", "", httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the query: no such parameter %q", identity.Shown(name, 64))
		}
	}
	format, source = "csv", "cmdb"
	switch given := query.Get("format"); given {
	case "", "csv":
	case "json":
		format = given
	default:
		return "", "", httpapi.NewProblem(httpapi.CodeBadRequest, "could not read format: it is csv or json")
	}
	if given := query.Get("source"); given != "" {
		if err := profile.ReadSource(given); err != nil {
			return "", "", httpapi.NewProblem(httpapi.CodeBadRequest, "could not read source: %s", err.Error())
		}
		source = given
	}
	return format, source, nil
}

// may turns away whoever may not write the Profiles, before he learns what is there.
func (d *Desk) may(r *http.Request, rows []profile.Row) error {
	person, _ := identity.FromContext(r.Context())
	question := server.Question{Verb: "update", Group: placementv1.GroupVersion.Group, Resource: "profiles"}
	allowed, err := d.Authority.May(r.Context(), person, question)
	if err != nil {
		return unavailable(err)
	}
	if allowed {
		return nil
	}
	namespaces := map[string]bool{}
	for _, row := range rows {
		namespace, _, _ := strings.Cut(row.Application, "/")
		namespaces[namespace] = true
	}
	for _, namespace := range slices.Sorted(maps.Keys(namespaces)) {
		question.Namespace = namespace
		allowed, err := d.Authority.May(r.Context(), person, question)
		if err != nil {
			return unavailable(err)
		}
		if !allowed {
			return httpapi.NewProblem(httpapi.CodeDenied, "could not import profiles of namespace %q: a system administrator does it", namespace).WithNext("Ask a system administrator.")
		}
	}
	return nil
}

func unavailable(err error) error {
	return httpapi.NewProblem(httpapi.CodeUnavailable, "the hub does not say who may").Because(err)
}

// read gathers what the rows are about, a namespace at a time.
func (d *Desk) read(ctx context.Context, rows []profile.Row) (profile.Hub, error) {
	hub := profile.Hub{Applications: map[string]*appv1.Application{}, Profiles: map[string]*placementv1.Profile{}}
	known := map[string]bool{}
	for _, row := range rows {
		namespace, _, _ := strings.Cut(row.Application, "/")
		if known[namespace] {
			continue
		}
		known[namespace] = true
		applications, profiles := &appv1.ApplicationList{}, &placementv1.ProfileList{}
		if err := d.Hub.List(ctx, applications, client.InNamespace(namespace)); err != nil {
			return hub, fmt.Errorf("could not list the applications: %w", err)
		}
		if err := d.Direct.List(ctx, profiles, client.InNamespace(namespace)); err != nil {
			return hub, fmt.Errorf("could not list the profiles: %w", err)
		}
		for i := range applications.Items {
			hub.Applications[namespace+"/"+applications.Items[i].Name] = &applications.Items[i]
		}
		for i := range profiles.Items {
			hub.Profiles[namespace+"/"+profiles.Items[i].Name] = &profiles.Items[i]
		}
	}
	return hub, nil
}

const (
	// atOnce is how many writes are under way at a time.
	atOnce = 16
	// owner is the field manager of what is imported.
	owner = client.FieldOwner("fairway-import")
	// mostTold bounds the faults of one answer.
	mostTold = 100
)

// carryOut writes the Profiles, or has the hub check them. It tells each that failed.
func carryOut(ctx context.Context, as client.Client, actions []profile.Action, dry bool) []profile.Fault {
	faults := make([]*profile.Fault, len(actions))
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, a := range actions {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			if err := (patch.Put{New: a.New, Dry: dry, Owner: owner}).Object(ctx, as, a.Profile); err != nil {
				faults[i] = &profile.Fault{Line: a.Line, Message: fmt.Sprintf("%s/%s: %s", a.Profile.Namespace, a.Profile.Name, said(err))}
			}
		})
	}
	wait.Wait()
	var out []profile.Fault
	for _, f := range faults {
		if f != nil {
			out = append(out, *f)
		}
	}
	return out
}

// said is what the hub said to one write; what went wrong inside stays there.
func said(err error) string {
	var status apierrors.APIStatus
	switch {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return "somebody else wrote it meanwhile: import again"
	case errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)):
		return status.Status().Message
	}
	return "the hub did not take it: import again"
}

func refused(faults profile.Faults) error {
	return httpapi.WithList(httpapi.NewProblem(httpapi.CodeInvalid, "could not import: %d rows are wrong; nothing was written", len(faults.List)+faults.More).
		WithNext("Correct the rows and import the whole file again."), faults.List, mostTold, faults.More)
}
