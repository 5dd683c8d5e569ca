// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package register

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	"github.com/fairway-cloud/fairway/internal/identity/imports"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

var importDoc = []httpapi.Parameter{
	{Name: "dryRun", Text: "All: check everything, write nothing.", Schema: map[string]any{"type": "string", "enum": []any{"All"}}},
	{Name: "reason", Text: "Why, for whoever agrees to it. Default: import of list <source>."},
	{Name: "ticket", Text: "Ticket of the bank's process. Default: none."},
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
	// Amendments name what another person agrees to before it is written: of Created and
	// Updated everything but tenants and what only takes rights away. Next says how.
	Amendments []string `json:"amendments,omitempty"`
	Next       string   `json:"next,omitempty"`
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
// if he had written it: all or nothing. What a second person is needed for becomes
// amendments; what only takes away is written at once.
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
	direct, guarded := parted(decision.Actions, seen, identity.Alone(who(req).Groups))
	if faults := imports.Try(req.Context(), as, direct); len(faults) > 0 {
		return refused(faults)
	}
	items, err := r.drafted(req.Context(), guarded)
	if err != nil {
		return err
	}
	shown := told(decision, req.URL.Query().Has("dryRun"))
	if shown.DryRun {
		if len(items) > 0 {
			shown.Next = "another person has to agree to what is created and updated"
		}
		return answer(w, shown)
	}
	// First what people have to agree to: it may be refused as a whole.
	values := req.URL.Query()
	made, err := r.Propose(req.Context(), items, cmp.Or(values.Get("reason"), "import of list "+options.Source), values.Get("ticket"))
	if err != nil {
		return err
	}
	if faults := imports.CarryOut(req.Context(), as, direct); len(faults) > 0 {
		return unfinished(faults, len(direct))
	}
	for _, a := range made {
		shown.Amendments, shown.Next = append(shown.Amendments, a.Name), agreeing(made)
	}
	return answer(w, shown)
}

// parted says what is written at once, and what another person agrees to first: people,
// but for what only takes away.
func parted(actions []imports.Action, seen imports.Seen, alone bool) (direct, guarded []imports.Action) {
	if alone {
		return actions, nil
	}
	before := map[string]identityv1.PersonSpec{}
	for _, p := range seen.People {
		before[p.Name] = p.Spec
	}
	for _, a := range actions {
		was, there := identityv1.PersonSpec{}, false
		if a.Person != nil {
			was, there = before[a.Person.Name]
		}
		if a.Tenant != nil || there && identity.Narrows(was, a.Person.Spec) {
			direct = append(direct, a)
			continue
		}
		guarded = append(guarded, a)
	}
	return direct, guarded
}

// drafted makes items of what another person agrees to, or tells which rows the hub does
// not take.
func (r *Register) drafted(ctx context.Context, actions []imports.Action) ([]identityv1.AmendmentItem, error) {
	wishes := make([]amendments.Wish, 0, len(actions))
	for _, a := range actions {
		raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(a.Person)
		if err != nil {
			return nil, fmt.Errorf("could not write person %q: %w", a.Person.Name, err)
		}
		o := &unstructured.Unstructured{Object: raw}
		o.SetAPIVersion(identityv1.GroupVersion.String())
		o.SetKind("Person")
		wishes = append(wishes, amendments.Wish{Object: o})
	}
	var items []identityv1.AmendmentItem
	var faults []imports.Fault
	person, _ := identity.FromContext(ctx)
	drafts, failed := amendments.Drafts(ctx, r.Own, r.Cases.Direct, wishes)
	for i, item := range drafts {
		var refusal *amendments.Refusal
		switch {
		case item != nil && item.Name == person.ID:
			faults = append(faults, imports.Fault{Line: actions[i].Line, ID: actions[i].Name(), Message: "nobody changes his own Person: ask another security administrator"})
		case errors.As(failed[i], &refusal):
			faults = append(faults, imports.Fault{Line: actions[i].Line, ID: actions[i].Name(), Message: refusal.Message})
		case failed[i] != nil:
			return nil, untaken(failed[i])
		case item != nil:
			items = append(items, *item)
		}
	}
	if len(faults) > 0 {
		return nil, refused(faults)
	}
	return items, nil
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
	return httpapi.WithList(p, faults, mostFaults, 0)
}

func unfinished(faults []imports.Fault, of int) error {
	p := httpapi.NewProblem(httpapi.CodeConflict, "could not finish the import: %d of %d rows were not written", len(faults), of).
		WithNext("Import the same file again: it does what is left.")
	return httpapi.WithList(p, faults, mostFaults, 0)
}
