// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package register

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity/imports"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

var importDoc = []httpapi.Parameter{
	{Name: "dryRun", Text: "All: check everything, write nothing.", Schema: map[string]any{"type": "string", "enum": []any{"All"}}},
	{Name: "source", Text: "Name of the list, such as hr. Default: import."},
	{Name: "disableMissing", Text: "true: disable active people of the list who are not on it any more. Default: false.", Schema: map[string]any{"type": "boolean"}},
	{Name: "disableAtMost", Text: "Most people who are disabled at once. Default: a tenth of the list's active people, and five at least.", Schema: map[string]any{"type": "integer", "minimum": 1}},
}

// Imported is what an import did.
type Imported struct {
	// DryRun says that nothing was written.
	DryRun bool `json:"dryRun"`
	// Created, Updated and Disabled name whom and what, and Unchanged counts the rest.
	Created   []string `json:"created"`
	Updated   []string `json:"updated"`
	Disabled  []string `json:"disabled"`
	Unchanged int      `json:"unchanged"`
}

var sourceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func importOptions(values url.Values) (imports.Options, error) {
	o := imports.Options{Source: "import"}
	if given := values.Get("source"); given != "" {
		o.Source = given
	}
	if !sourceName.MatchString(o.Source) {
		return o, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read source: a list's name has at most 63 lower-case letters, digits and dashes")
	}
	switch given := values.Get("disableMissing"); given {
	case "", "false":
	case "true":
		o.DisableMissing = true
	default:
		return o, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read disableMissing: it is true or false")
	}
	if given := values.Get("disableAtMost"); given != "" {
		most, err := strconv.Atoi(given)
		if err != nil || most < 1 {
			return o, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read disableAtMost: it is a number from 1 on")
		}
		o.DisableAtMost = most
	}
	return o, nil
}

// importPeople writes as the person who asks, after the hub has checked every row as
// if he had written it: all or nothing.
func (r *Register) importPeople(w http.ResponseWriter, req *http.Request) error {
	options, err := importOptions(req.URL.Query())
	if err != nil {
		return err
	}
	batch, faults := imports.Parse(httpapi.Body(req))
	if len(faults) > 0 {
		return refused(faults)
	}
	if err := r.mayImport(req, batch); err != nil {
		return err
	}
	seen, err := r.seen(req.Context())
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look people up now").Because(err)
	}
	decision := imports.Plan(batch, seen, options)
	if len(decision.Faults) > 0 {
		return refused(decision.Faults)
	}
	as, err := r.As(req.Context())
	if err != nil {
		return err
	}
	if faults := imports.Try(req.Context(), as, decision.Actions); len(faults) > 0 {
		return refused(faults)
	}
	dry := req.URL.Query().Has("dryRun")
	if !dry {
		if faults := imports.CarryOut(req.Context(), as, decision.Actions); len(faults) > 0 {
			return unfinished(faults, len(decision.Actions))
		}
	}
	return answer(w, told(decision, dry))
}

// mayImport turns away whoever may make nobody, before he learns who is there.
func (r *Register) mayImport(req *http.Request, batch imports.Batch) error {
	for _, part := range []struct {
		rows                       int
		group, resource, what, who string
	}{
		{len(batch.People), "identity.fairway.cloud", "people", "people", "security"}, {len(batch.Units), "tenancy.fairway.cloud", "tenants", "tenants", "system"},
	} {
		if part.rows == 0 {
			continue
		}
		allowed, _, err := r.may(req.Context(), who(req), rights.Question{Verb: "create", Group: part.group, Resource: part.resource})
		if err != nil {
			return err
		}
		if !allowed {
			return httpapi.NewProblem(httpapi.CodeDenied, "could not import %s: a %s administrator does it", part.what, part.who).WithNext("Ask a %s administrator.", part.who)
		}
	}
	return nil
}

func told(d imports.Decision, dry bool) Imported {
	shown := Imported{DryRun: dry, Created: []string{}, Updated: []string{}, Disabled: []string{}, Unchanged: d.Unchanged}
	into := map[string]*[]string{"create": &shown.Created, "update": &shown.Updated, "disable": &shown.Disabled}
	for _, a := range d.Actions {
		*into[a.Verb] = append(*into[a.Verb], a.Name())
	}
	return shown
}

func (r *Register) seen(ctx context.Context) (imports.Seen, error) {
	people, tenants := &identityv1.PersonList{}, &tenancyv1.TenantList{}
	if err := r.Hub.List(ctx, people); err != nil {
		return imports.Seen{}, fmt.Errorf("could not list the people: %w", err)
	}
	if err := r.Hub.List(ctx, tenants); err != nil {
		return imports.Seen{}, fmt.Errorf("could not list the tenants: %w", err)
	}
	return imports.Seen{People: people.Items, Tenants: tenants.Items}, nil
}

// mostFaults bounds what one answer tells.
const mostFaults = 100

func refused(faults []imports.Fault) error {
	p := httpapi.NewProblem(httpapi.CodeInvalid, "could not import: %d rows are wrong; nothing was written", len(faults)).
		WithNext("Correct the rows and import the whole file again.")
	return withFaults(p, faults)
}

func unfinished(faults []imports.Fault, of int) error {
	p := httpapi.NewProblem(httpapi.CodeConflict, "could not finish the import: %d of %d rows were not written", len(faults), of).
		WithNext("Import the same file again: it does what is left.")
	return withFaults(p, faults)
}

func withFaults(p *httpapi.Problem, faults []imports.Fault) error {
	for i, f := range faults {
		if i == mostFaults {
			p.Causes = append(p.Causes, httpapi.Cause{Message: fmt.Sprintf("and %d more", len(faults)-mostFaults)})
			break
		}
		p.Causes = append(p.Causes, httpapi.Cause{Message: f.String()})
	}
	return p
}
