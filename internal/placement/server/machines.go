// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/machines"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

const (
	// importLimit is the most bytes of one file.
	importLimit = 4 << 20
	// mostFaults bounds what one answer tells, and mostNamed the names in it.
	mostFaults, mostNamed = 100, 200
	// mostMachines is the most machines of one page.
	mostMachines = 500
)

func (d *Desk) machineRoutes() []httpapi.Route {
	return []httpapi.Route{
		{Method: http.MethodPost, Pattern: "/api/v1/placement/machines", Room: "placement", Verb: "importMachines", Kind: "MachineImport", Effect: httpapi.Writes, DryRun: true,
			BodyLimit: importLimit, Describe: describeImport, Handler: d.importMachines,
			Doc: httpapi.Doc{
				Summary: "Brings in from a CSV or JSON file which instances run on virtual machines: all or nothing.", Response: "placement.MachinesImported",
				Query: []httpapi.Parameter{
					{Name: "dryRun", Text: "All: check everything, write nothing.", Schema: map[string]any{"type": "string", "enum": []any{"All"}}},
					{Name: "source", Text: "Where the file comes from, such as cmdb. Default: cmdb."},
					{Name: "observedAt", Text: "When the source saw it so, RFC 3339. Required: how old a file is decides what it is worth."},
					{Name: "validFor", Text: "For how long it may be relied on, such as 24h; from 1m to 2160h. Default: 24h."},
					{Name: "namespace", Text: "Namespace of rows that name none; no row names another then. Default: each row names its own."},
					{Name: "none", Text: "An application, <namespace>/<name>, that has no machines any more; repeatable."},
					{Name: "gone", Text: "How many machines, in all, a person has confirmed to be gone. Default: none.", Schema: map[string]any{"type": "integer", "minimum": 1}},
				},
			}},
		{Method: http.MethodGet, Pattern: "/api/v1/placement/machines", Room: "placement", Verb: "listMachines", Kind: "MachineImport", Effect: httpapi.Reads, Handler: d.listMachines,
			Doc: httpapi.Doc{
				Summary: "Lists the instances of a namespace that run on virtual machines, and says whether what is known of them may be relied on.", Response: "placement.MachineList",
				Query: []httpapi.Parameter{
					{Name: "namespace", Text: "Namespace. Required."},
					{Name: "application", Text: "Only this application. Default: all."},
					{Name: "limit", Text: "Most machines per page. Default: 100.", Schema: map[string]any{"type": "integer", "minimum": 1, "maximum": mostMachines}},
					{Name: "continue", Text: "continue of the previous page."},
				},
			}},
	}
}

// known refuses parameters that a route does not have: one that is misspelt would be left
// out quietly.
func known(values url.Values, names ...string) error {
	for name := range values {
		if !slices.Contains(names, name) {
			return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the query: no such parameter %q", name)
		}
	}
	return nil
}

// describeImport says for Gate and evidence what the import is about.
func describeImport(r *http.Request) (httpapi.Act, error) {
	act := httpapi.Act{Subject: "MachineImport"}
	if namespace := r.URL.Query().Get("namespace"); namespace != "" {
		act.Subject += "/" + namespace
		_, act.Environment, _ = app.SplitNamespace(namespace)
	}
	return act, nil
}

var sourceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

func importOptions(values url.Values) (machines.Options, error) {
	o := machines.Options{Source: cmp.Or(values.Get("source"), "cmdb"), ValidFor: observed.DefaultValidFor, None: values["none"]}
	if !sourceName.MatchString(o.Source) {
		return o, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read source: it has at most 32 lower-case letters, digits and dashes")
	}
	var err error
	if o.ObservedAt, err = time.Parse(time.RFC3339, values.Get("observedAt")); err != nil {
		return o, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read observedAt: say when the source saw it so, such as 2027-03-01T08:00:00+08:00")
	}
	if given := values.Get("validFor"); given != "" {
		if o.ValidFor, err = time.ParseDuration(given); err != nil || o.ValidFor < time.Minute || o.ValidFor > 90*24*time.Hour {
			return o, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read validFor: write it like 24h, from 1m to 2160h")
		}
	}
	if given := values.Get("gone"); given != "" {
		if o.Gone, err = strconv.Atoi(given); err != nil || o.Gone < 1 {
			return o, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read gone: it is a number from 1 on")
		}
	}
	if len(o.None) > mostNamed {
		return o, httpapi.NewProblem(httpapi.CodeBadRequest, "could not take more than %d applications without machines at once", mostNamed)
	}
	return o, nil
}

// Imported is what an import of machines did.
type Imported struct {
	// DryRun says that nothing was written.
	DryRun bool `json:"dryRun"`
	// Created and Updated name the MachineImports, and Unchanged counts the rest.
	Created   []string `json:"created"`
	Updated   []string `json:"updated"`
	Unchanged int      `json:"unchanged"`
	// Machines counts those of the file.
	Machines int `json:"machines"`
	// Gone are machines that the source tells of no more, and Left applications of the
	// source that the file does not name: they stay.
	Gone []string `json:"gone"`
	Left []string `json:"left"`
	// Held says why a person has to confirm it first. Only in a dry run: it is refused else.
	Held string `json:"held,omitempty"`
	// Stale says that the data are too old already to be relied on.
	Stale string `json:"stale,omitempty"`
}

// importMachines writes as the person who asks, after the hub has checked every object as
// if he had written it: all or nothing.
func (d *Desk) importMachines(w http.ResponseWriter, r *http.Request) error {
	if d == nil || d.As == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not import machines now")
	}
	values := r.URL.Query()
	if err := known(values, "dryRun", "source", "observedAt", "validFor", "namespace", "none", "gone"); err != nil {
		return err
	}
	options, err := importOptions(values)
	if err != nil {
		return err
	}
	rows, faults := machines.Parse(httpapi.Body(r), values.Get("namespace"))
	if len(faults) > 0 {
		return refused(faults)
	}
	namespaces := namespacesOf(rows, options.None)
	for _, n := range namespaces {
		if err := d.mayImport(r, n); err != nil {
			return err
		}
	}
	seen, err := d.seenMachines(r.Context(), namespaces)
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look the bank's applications up now").Because(err)
	}
	now := d.Clock.Now()
	decision := machines.Plan(rows, seen, options, now)
	if len(decision.Faults) > 0 {
		return refused(decision.Faults)
	}
	as, err := d.As(r.Context())
	if err != nil {
		return err
	}
	if faults := machines.Try(r.Context(), as, decision.Actions); len(faults) > 0 {
		return refused(faults)
	}
	told := Imported{Created: []string{}, Updated: []string{}, Unchanged: decision.Unchanged, Machines: len(rows), Gone: bounded(decision.Gone), Left: bounded(decision.Left)}
	for _, a := range decision.Actions {
		if a.Verb == "create" {
			told.Created = append(told.Created, a.Name())
		} else {
			told.Updated = append(told.Updated, a.Name())
		}
	}
	told.Created, told.Updated = bounded(told.Created), bounded(told.Updated)
	if !now.Before(options.ObservedAt.Add(options.ValidFor)) {
		told.Stale = "the file is older than it is valid: its machines count, and nothing acts by itself on these applications"
	}
	if values.Has("dryRun") {
		told.DryRun, told.Held = true, decision.Held
		return httpapi.WriteJSON(w, http.StatusOK, told)
	}
	if decision.Held != "" {
		p := httpapi.NewProblem(httpapi.CodeConflict, "could not import: %s; nothing was written", decision.Held).
			WithNext("See whether the file is complete. If they are gone indeed, import it with gone=%d (--gone %d).", len(decision.Gone), len(decision.Gone))
		for _, name := range bounded(decision.Gone) {
			p.Causes = append(p.Causes, httpapi.Cause{Message: name})
		}
		return p
	}
	if faults := machines.CarryOut(r.Context(), as, decision.Actions); len(faults) > 0 {
		p := httpapi.NewProblem(httpapi.CodeConflict, "could not finish the import: %d of %d applications were not written", len(faults), len(decision.Actions)).
			WithNext("Import the same file again: it does what is left.")
		return httpapi.WithList(p, faults, mostFaults, 0)
	}
	return httpapi.WriteJSON(w, http.StatusOK, told)
}

// bounded is the beginning of a list of names, and how many follow.
func bounded(names []string) []string {
	if len(names) <= mostNamed {
		return append([]string{}, names...)
	}
	return append(slices.Clone(names[:mostNamed]), fmt.Sprintf("and %d more", len(names)-mostNamed))
}

func refused(faults []machines.Fault) error {
	return httpapi.WithList(httpapi.NewProblem(httpapi.CodeInvalid, "could not import: %d rows are wrong; nothing was written", len(faults)).
		WithNext("Correct the rows and import the whole file again."), faults, mostFaults, 0)
}

func namespacesOf(rows []machines.Row, none []string) []string {
	set := map[string]bool{}
	for _, r := range rows {
		set[r.Namespace] = true
	}
	for _, name := range none {
		namespace, _, _ := strings.Cut(name, "/")
		set[namespace] = true
	}
	var out []string
	for n := range set {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// mayImport turns away whoever may not write there, before he learns what is there.
func (d *Desk) mayImport(r *http.Request, namespace string) error {
	person, _ := identity.FromContext(r.Context())
	for _, verb := range []string{"create", "update"} {
		may, err := d.Authority.May(r.Context(), person, server.Question{Verb: verb, Group: placementv1.GroupVersion.Group, Resource: "machineimports", Namespace: namespace})
		if err != nil {
			return unavailable(err)
		}
		if !may {
			return httpapi.NewProblem(httpapi.CodeDenied, "could not import machines of namespace %q: your roles do not allow to %s machineimports there", namespace, verb)
		}
	}
	return nil
}

// seenMachines gathers what an import is compared with.
func (d *Desk) seenMachines(ctx context.Context, namespaces []string) (machines.Seen, error) {
	var seen machines.Seen
	var dcns fleetv1.DCNList
	var sites fleetv1.DataCenterList
	for _, list := range []client.ObjectList{&dcns, &sites} {
		if err := d.Hub.List(ctx, list); err != nil {
			return seen, fmt.Errorf("could not read the fleet: %w", err)
		}
	}
	seen.DCNs, seen.Sites = dcns.Items, sites.Items
	for _, n := range namespaces {
		var applications appv1.ApplicationList
		var imports placementv1.MachineImportList
		var placements placementv1.PlacementList
		if err := d.Hub.List(ctx, &applications, client.InNamespace(n)); err != nil {
			return seen, fmt.Errorf("could not read the applications of %q: %w", n, err)
		}
		// What was imported or placed a moment ago counts.
		for _, list := range []client.ObjectList{&imports, &placements} {
			if err := d.Direct.List(ctx, list, client.InNamespace(n)); err != nil {
				return seen, fmt.Errorf("could not read what is placed in %q: %w", n, err)
			}
		}
		seen.Applications, seen.Imports, seen.Placements = append(seen.Applications, applications.Items...), append(seen.Imports, imports.Items...), append(seen.Placements, placements.Items...)
	}
	return seen, nil
}

// Machine is an instance on a virtual machine as a list shows it.
type Machine struct {
	Application string    `json:"application"`
	Component   string    `json:"component"`
	Seat        string    `json:"seat"`
	DCN         string    `json:"dcn"`
	DataCenter  string    `json:"dataCenter"`
	Rack        string    `json:"rack"`
	Host        string    `json:"host"`
	Address     string    `json:"address"`
	Source      string    `json:"source"`
	ObservedAt  time.Time `json:"observedAt"`
	// Stale says why it may not be so any more.
	Stale string `json:"stale,omitempty"`

	number int32
}

// Doubt is an application on which nothing acts by itself.
type Doubt struct {
	Application string `json:"application"`
	// Automation is Blocked.
	Automation string `json:"automation"`
	Why        string `json:"why"`
}

func (d *Desk) listMachines(w http.ResponseWriter, r *http.Request) error {
	if d == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not list machines now")
	}
	values := r.URL.Query()
	if err := known(values, "namespace", "application", "limit", "continue"); err != nil {
		return err
	}
	namespace, application := values.Get("namespace"), values.Get("application")
	if namespace == "" {
		return httpapi.NewProblem(httpapi.CodeBadRequest, "could not list machines: name the namespace")
	}
	limit := 100
	if given := values.Get("limit"); given != "" {
		var err error
		if limit, err = strconv.Atoi(given); err != nil || limit < 1 || limit > mostMachines {
			return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read limit: it is a number from 1 to %d", mostMachines)
		}
	}
	person, _ := identity.FromContext(r.Context())
	may, err := d.Authority.May(r.Context(), person, server.Question{Verb: "list", Group: placementv1.GroupVersion.Group, Resource: "machineimports", Namespace: namespace})
	if err != nil {
		return unavailable(err)
	}
	all, doubts := []Machine{}, []Doubt{}
	if may { // where nothing may be seen nothing is there
		if all, doubts, err = d.machines(r.Context(), namespace, application); err != nil {
			return unavailable(err)
		}
	}
	after, err := parsePosition(values.Get("continue"))
	if err != nil {
		return err
	}
	from, _ := slices.BinarySearchFunc(all, after, func(m Machine, p Machine) int { return cmp.Or(m.compare(p), -1) })
	if values.Get("continue") == "" {
		from = 0
	}
	page := all[from:]
	next := ""
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].position()
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"items": page, "doubts": doubts, "continue": next, "total": len(all)})
}

func (m Machine) compare(o Machine) int {
	return cmp.Or(cmp.Compare(m.Application, o.Application), cmp.Compare(m.Component, o.Component), cmp.Compare(m.number, o.number), cmp.Compare(m.Source, o.Source))
}

func (m Machine) position() string {
	return strings.Join([]string{m.Application, m.Component, strconv.Itoa(int(m.number)), m.Source}, "/")
}

// parsePosition reads where the previous page ended.
func parsePosition(text string) (Machine, error) {
	if text == "" {
		return Machine{}, nil
	}
	parts := strings.Split(text, "/")
	if len(parts) == 4 {
		if n, err := strconv.ParseInt(parts[2], 10, 32); err == nil {
			return Machine{Application: parts[0], Component: parts[1], number: int32(n), Source: parts[3]}, nil
		}
	}
	return Machine{}, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read continue: pass on what the previous page said")
}

// machines are those of a namespace, and the applications that are in doubt.
func (d *Desk) machines(ctx context.Context, namespace, application string) ([]Machine, []Doubt, error) {
	var imports placementv1.MachineImportList
	var placements placementv1.PlacementList
	for _, list := range []client.ObjectList{&imports, &placements} {
		if err := d.Hub.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, nil, fmt.Errorf("could not read the machines of %q: %w", namespace, err)
		}
	}
	now := d.Clock.Now()
	known := observed.Machines(imports.Items, placements.Items, now)
	stale := map[string]string{}
	for _, m := range known {
		stale[fmt.Sprintf("%s %s-%d", m.Application, m.Component, m.Seat)] = m.Stale
	}
	all, doubts := []Machine{}, []Doubt{}
	seen := map[string]bool{}
	for _, i := range imports.Items {
		if application != "" && i.Spec.Application != application || !i.DeletionTimestamp.IsZero() {
			continue
		}
		name := namespace + "/" + i.Spec.Application
		if why := placement.Unsure(known, name); why != "" && !seen[name] {
			seen[name] = true
			doubts = append(doubts, Doubt{Application: i.Spec.Application, Automation: "Blocked", Why: why})
		}
		for _, x := range i.Spec.Instances {
			all = append(all, Machine{
				Application: i.Spec.Application, Component: x.Component, Seat: fmt.Sprintf("%s-%d", x.Component, x.Seat), number: x.Seat, DCN: x.DCN, DataCenter: x.DataCenter,
				Rack: x.Rack, Host: x.Host, Address: x.Address, Source: i.Spec.Source, ObservedAt: i.Spec.ObservedAt.Time,
				Stale: cmp.Or(observed.Stale(&i, now), stale[fmt.Sprintf("%s %s-%d", name, x.Component, x.Seat)]),
			})
		}
	}
	slices.SortFunc(all, Machine.compare)
	slices.SortFunc(doubts, func(a, b Doubt) int { return cmp.Compare(a.Application, b.Application) })
	return all, doubts, nil
}

// machineSchemas say what these routes answer.
func machineSchemas() map[string]any {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	number := func(description string) map[string]any {
		return map[string]any{"type": "integer", "description": description}
	}
	list := func(of map[string]any) map[string]any { return map[string]any{"type": "array", "items": of} }
	return map[string]any{
		"placement.MachinesImported": map[string]any{"type": "object", "required": []any{"dryRun", "created", "updated", "unchanged", "machines", "gone", "left"}, "properties": map[string]any{
			"dryRun":  map[string]any{"type": "boolean", "description": "Whether nothing was written."},
			"created": list(text("A MachineImport, <namespace>/<name>.")), "updated": list(text("A MachineImport, <namespace>/<name>.")),
			"unchanged": number("How many applications the hub knew so already."), "machines": number("How many machines the file names."),
			"gone": list(text("A machine that the source told of last time and does not any more.")), "left": list(text("An application of the source that the file does not name: it stays as it is.")),
			"held": text("Why a person has to confirm it first."), "stale": text("That the file is too old already to be relied on."),
		}},
		"placement.MachineList": map[string]any{"type": "object", "required": []any{"items", "doubts", "continue", "total"}, "properties": map[string]any{
			"items": list(map[string]any{"type": "object", "properties": map[string]any{
				"application": text("Application."), "component": text("Component."), "seat": text("Its number, <component>-<number>."), "dcn": text("DCN that it serves."),
				"dataCenter": text("Data centre."), "rack": text("Rack."), "host": text("The virtual machine."), "address": text("Its address."), "source": text("Who says so."),
				"observedAt": text("When the source saw it so."), "stale": text("Why it may not be so any more."),
			}}),
			"doubts": list(map[string]any{"type": "object", "required": []any{"application", "automation", "why"}, "properties": map[string]any{
				"application": text("Application."), "automation": map[string]any{"type": "string", "enum": []any{"Blocked"}, "description": "Nothing acts by itself on the application."}, "why": text("Why."),
			}}),
			"continue": text("Where the next page begins. Empty: this is the last one."), "total": number("How many there are in all."),
		}},
	}
}
