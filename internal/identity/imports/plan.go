// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package imports

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
)

// AnnotationSource names the list that a Person was imported from. Only those of the
// same list are disabled when they are missing from it.
const AnnotationSource = "identity.fairway.cloud/source"

// fewest people may always be disabled at once, and share is the part of a list's
// active people that may: a list that came only half is not taken for a day on which
// half of the bank left.
const (
	fewest = 5
	share  = 10 // percent
)

// Seen is what the hub holds.
type Seen struct {
	People  []identityv1.Person
	Tenants []tenancyv1.Tenant
}

// Options of an import.
type Options struct {
	// Source names the list.
	Source string
	// DisableMissing disables active people of the list who are not on it any more.
	DisableMissing bool
	// DisableAtMost is how many may be disabled at once. 0: a tenth, and five at least.
	DisableAtMost int
	// Present are further ids that are not missing, though they are no rows.
	Present map[string]bool
}

// Action is one write on the hub.
type Action struct {
	// Verb is create, update or disable.
	Verb string
	// Line of the file that asks for it; 0: none.
	Line int
	// Person or Tenant as it is to be; the other one is nil.
	Person *identityv1.Person
	Tenant *tenancyv1.Tenant
}

// Name tells who or what is written.
func (a Action) Name() string {
	if a.Tenant != nil {
		return a.Tenant.Name
	}
	return a.Person.Name
}

// String tells the action in a few words.
func (a Action) String() string {
	kind := "person"
	if a.Tenant != nil {
		kind = "tenant"
	}
	return fmt.Sprintf("%s %s %s", a.Verb, kind, a.Name())
}

// Decision is what an import does. With faults it does nothing.
type Decision struct {
	// Actions in the order in which they are done: tenants from the top of the tree, then people.
	Actions []Action
	// Unchanged counts the rows that are on the hub as they are.
	Unchanged int
	// Faults of rows.
	Faults []Fault
}

// Plan decides what an import does.
func Plan(b Batch, seen Seen, o Options) Decision {
	p := plan{options: o}
	p.units(b.Units, seen.Tenants)
	p.people(b.People, seen.People)
	if o.DisableMissing && len(b.People) > 0 {
		p.missing(b.People, seen.People)
	}
	p.shared(seen.People)
	if len(p.Faults) > 0 {
		p.Actions = nil
	}
	return p.Decision
}

type plan struct {
	Decision
	options Options
}

func (p *plan) fault(line int, id, format string, args ...any) {
	p.Faults = append(p.Faults, Fault{Line: line, ID: id, Message: fmt.Sprintf(format, args...)})
}

var identifier = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (p *plan) people(rows []Row, has []identityv1.Person) {
	lines, known := map[string]int{}, map[string]*identityv1.Person{}
	for i := range has {
		known[has[i].Name] = &has[i]
	}
	for _, row := range rows {
		switch first := lines[row.ID]; {
		case !identifier.MatchString(row.ID):
			p.fault(row.Line, row.ID, "%q is no person's id: it has at most 63 lower-case letters, digits and dashes, and begins with a letter", row.ID)
			continue
		case first > 0:
			p.fault(row.Line, row.ID, "person %q is on line %d already", row.ID, first)
			continue
		}
		lines[row.ID] = max(row.Line, 1)
		before, exists := known[row.ID]
		if !exists {
			made := &identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: row.ID, Annotations: map[string]string{AnnotationSource: p.options.Source}}}
			row.apply(&made.Spec)
			p.Actions = append(p.Actions, Action{Verb: "create", Line: row.Line, Person: made})
			continue
		}
		after := before.DeepCopy()
		row.apply(&after.Spec)
		if after.Annotations[AnnotationSource] == p.options.Source && equality.Semantic.DeepEqual(before.Spec, after.Spec) {
			p.Unchanged++
			continue
		}
		if after.Annotations == nil {
			after.Annotations = map[string]string{}
		}
		after.Annotations[AnnotationSource] = p.options.Source
		p.Actions = append(p.Actions, Action{Verb: "update", Line: row.Line, Person: after})
	}
}

// apply writes the columns that the row has, and no others.
func (r Row) apply(to *identityv1.PersonSpec) {
	from := r.Spec.DeepCopy()
	for column, set := range map[string]func(){
		"displayName": func() { to.DisplayName = from.DisplayName }, "staffNumber": func() { to.StaffNumber = from.StaffNumber },
		"unit": func() { to.Unit = from.Unit }, "mail": func() { to.Mail = from.Mail },
		"state": func() { to.State = from.State }, "duty": func() { to.Duty = from.Duty }, "validUntil": func() { to.ValidUntil = from.ValidUntil },
		"groups": func() { to.Groups = from.Groups }, "logins": func() { to.Logins = r.logins(to.Logins, from.Logins) }, "aliases": func() { to.Aliases = from.Aliases },
	} {
		if r.Columns[column] {
			set()
		}
	}
	to.State = cmp.Or(to.State, identityv1.StateActive)
	to.Duty = cmp.Or(to.Duty, identityv1.DutyNone)
	for i := range to.Aliases {
		to.Aliases[i].Use = cmp.Or(to.Aliases[i].Use, identityv1.UseHuman)
	}
}

// logins are those that the person has afterwards.
func (r Row) logins(before, given []identityv1.Login) []identityv1.Login {
	if r.Provider == "" {
		return given
	}
	others := slices.DeleteFunc(slices.Clone(before), func(l identityv1.Login) bool { return l.Provider == r.Provider })
	return append(others, given...)
}

// missing disables active people of the list who are not on it any more.
func (p *plan) missing(rows []Row, has []identityv1.Person) {
	listed := map[string]bool{}
	for _, row := range rows {
		listed[row.ID] = true
	}
	active := 0
	var gone []Action
	for i := range has {
		person := &has[i]
		if person.Annotations[AnnotationSource] != p.options.Source || person.Spec.State == identityv1.StateDisabled {
			continue
		}
		active++
		if listed[person.Name] || p.options.Present[person.Name] {
			continue
		}
		after := person.DeepCopy()
		after.Spec.State = identityv1.StateDisabled
		gone = append(gone, Action{Verb: "disable", Person: after})
	}
	most := cmp.Or(p.options.DisableAtMost, max(fewest, active*share/100))
	if len(gone) > most {
		p.fault(0, "", "%d of %d active people of list %q are missing from it, and at most %d are disabled at once: see whether the list is complete, or say how many may go (--disable-at-most)", len(gone), active, p.options.Source, most)
		return
	}
	p.Actions = append(p.Actions, gone...)
}

// shared refuses what would make two people one: a login or an alias that two have.
func (p *plan) shared(has []identityv1.Person) {
	after := map[string]identityv1.Person{}
	for _, person := range has {
		after[person.Name] = person
	}
	line := map[string]int{}
	for _, action := range p.Actions {
		if action.Person != nil {
			after[action.Person.Name] = *action.Person
			line[action.Person.Name] = action.Line
		}
	}
	var all []identityv1.Person
	for _, person := range after {
		all = append(all, person)
	}
	people := identity.NewPeople(all, nil)
	for _, action := range p.Actions {
		if action.Person == nil {
			continue
		}
		if said := people.Shared(action.Person.Name); said != "" {
			p.fault(line[action.Person.Name], action.Person.Name, "%s", said)
		}
	}
}

var tenantName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$`)

func (p *plan) units(units []Unit, has []tenancyv1.Tenant) {
	byName := map[string]Unit{}
	for _, u := range units {
		switch other, twice := byName[u.Name]; {
		case !tenantName.MatchString(u.Name):
			p.fault(u.Line, u.Name, "%q is no tenant's name: it has at most 20 lower-case letters, digits and dashes", u.Name)
		case twice:
			p.fault(u.Line, u.Name, "tenant %q is on line %d already", u.Name, other.Line)
		default:
			byName[u.Name] = u
		}
	}
	done := map[string]bool{}
	for _, u := range units {
		if _, good := byName[u.Name]; good {
			p.unit(u, byName, has, done, nil)
		}
	}
}

// unit writes a tenant after those above it.
func (p *plan) unit(u Unit, byName map[string]Unit, has []tenancyv1.Tenant, done map[string]bool, below []string) {
	if done[u.Name] {
		return
	}
	if slices.Contains(below, u.Name) {
		p.fault(u.Line, u.Name, "the tenant is above itself: %s", strings.Join(append(below, u.Name), " under "))
		done[u.Name] = true
		return
	}
	at := slices.IndexFunc(has, func(t tenancyv1.Tenant) bool { return t.Name == u.Name })
	after := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: u.Name}, Spec: tenancyv1.TenantSpec{Kind: "BusinessUnit"}}
	if at >= 0 {
		after = has[at].DeepCopy()
	}
	for column, set := range map[string]func(){
		"displayName": func() { after.Spec.DisplayName = u.Spec.DisplayName }, "kind": func() { after.Spec.Kind = cmp.Or(u.Spec.Kind, "BusinessUnit") },
		"parent": func() { after.Spec.Parent = u.Spec.Parent }, "environments": func() { after.Spec.Environments = u.Spec.Environments },
		"quotas": func() { after.Spec.Quotas = u.Spec.Quotas }, "roles": func() { after.Spec.Roles = u.Spec.Roles },
		"allowances": func() { after.Spec.Allowances = u.Spec.Allowances },
	} {
		if u.Columns[column] {
			set()
		}
	}
	if above := after.Spec.Parent; above != "" {
		parent, inFile := byName[above]
		switch {
		case inFile:
			p.unit(parent, byName, has, done, append(below, u.Name))
		case !slices.ContainsFunc(has, func(t tenancyv1.Tenant) bool { return t.Name == above }):
			p.fault(u.Line, u.Name, "the tenant above, %q, is neither in the file nor on the hub", above)
		}
	}
	if done[u.Name] {
		return
	}
	done[u.Name] = true
	switch {
	case at < 0:
		p.Actions = append(p.Actions, Action{Verb: "create", Line: u.Line, Tenant: after})
	case equality.Semantic.DeepEqual(has[at].Spec, after.Spec):
		p.Unchanged++
	default:
		p.Actions = append(p.Actions, Action{Verb: "update", Line: u.Line, Tenant: after})
	}
}
