// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package machines

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// Skew is how far the clock of the source may be ahead.
const Skew = 5 * time.Minute

// MostOfOne is how many machines of one application one source may name.
const MostOfOne = 1000

// share is the part of an application's machines, in percent, that may be gone at once
// without anybody confirming it; one always may.
const share = 10

// Options of an import.
type Options struct {
	// Source that the file comes from, such as "cmdb".
	Source string
	// ObservedAt is when the source saw it so, and ValidFor for how long that holds.
	ObservedAt time.Time
	ValidFor   time.Duration
	// None are the applications, "<namespace>/<name>", that have no machines any more.
	None []string
	// Gone is how many machines, in all, the person has confirmed to be gone. 0: nothing
	// was confirmed.
	Gone int
}

// Seen is what the hub has.
type Seen struct {
	Applications []appv1.Application
	DCNs         []fleetv1.DCN
	Sites        []fleetv1.DataCenter
	Imports      []placementv1.MachineImport
	Placements   []placementv1.Placement
}

// Action is one write.
type Action struct {
	// Verb is create or update.
	Verb   string
	Import *placementv1.MachineImport
}

// Name of what is written, "<namespace>/<name>".
func (a Action) Name() string { return a.Import.Namespace + "/" + a.Import.Name }

// Decision is what an import comes to.
type Decision struct {
	Actions []Action
	// Unchanged counts the applications of which the hub knows the same already.
	Unchanged int
	// Gone names the machines that the source told of last time and tells of no more,
	// "<namespace>/<application> <component>-<seat>".
	Gone []string
	// Left are the applications of the source that the file does not name: they stay as
	// they are.
	Left []string
	// Held says why a person has to confirm it first. Empty: nobody has to.
	Held string
	// Faults are what is wrong. With faults there is nothing to do.
	Faults []Fault
}

// plan is a Decision that is being made.
type plan struct {
	Decision
	options Options
	seen    Seen
	apps    map[string]*appv1.Application
	dcns    map[string]*fleetv1.DCN
	sites   map[string]*fleetv1.DataCenter
	imports map[string]*placementv1.MachineImport
	// taken are the numbers that other sources name, and blocks those that containers own.
	taken  map[numberOf]string
	blocks map[blockOf]string
	// highest is the first block above all of a component.
	highest map[componentOf]int32
}

type componentOf struct{ application, component string }

type numberOf struct {
	componentOf
	seat int32
}

type blockOf struct {
	componentOf
	block int32
}

// Plan compares the rows with what the hub has.
func Plan(rows []Row, seen Seen, o Options, now time.Time) Decision {
	p := &plan{options: o, seen: seen}
	o.ObservedAt = o.ObservedAt.Truncate(time.Second)
	p.options = o
	if o.ObservedAt.After(now.Add(Skew)) {
		p.fault(0, "the file was observed at %s, which is in the future: look at the clock of the source", o.ObservedAt.UTC().Format(time.RFC3339))
		return p.Decision
	}
	p.know()
	groups := map[string][]Row{}
	for _, r := range rows {
		name := r.Namespace + "/" + r.Application
		groups[name] = append(groups[name], r)
	}
	p.once(rows)
	for _, r := range rows {
		p.check(r)
	}
	for _, name := range o.None {
		switch {
		case len(groups[name]) > 0:
			p.fault(0, "application %q has no machines any more (none), and the file names %d", name, len(groups[name]))
		case p.imports[name] == nil:
			p.fault(0, "application %q has no machines that source %q told of", name, o.Source)
		default:
			groups[name] = nil
		}
	}
	if len(groups) == 0 && len(p.Faults) == 0 {
		p.fault(0, "the file names no machine: nothing was changed; that an application has none any more is said with none")
	}
	if len(p.Faults) > 0 {
		slices.SortStableFunc(p.Faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
		return Decision{Faults: p.Faults}
	}
	p.write(groups)
	return p.Decision
}

func (p *plan) fault(line int, format string, args ...any) {
	p.Faults = append(p.Faults, Fault{Line: line, Message: fmt.Sprintf(format, args...)})
}

// know arranges what the hub has.
func (p *plan) know() {
	p.apps, p.dcns, p.sites = map[string]*appv1.Application{}, map[string]*fleetv1.DCN{}, map[string]*fleetv1.DataCenter{}
	p.imports, p.taken, p.blocks, p.highest = map[string]*placementv1.MachineImport{}, map[numberOf]string{}, map[blockOf]string{}, map[componentOf]int32{}
	for i := range p.seen.Applications {
		p.apps[p.seen.Applications[i].Namespace+"/"+p.seen.Applications[i].Name] = &p.seen.Applications[i]
	}
	for i := range p.seen.DCNs {
		p.dcns[p.seen.DCNs[i].Name] = &p.seen.DCNs[i]
	}
	for i := range p.seen.Sites {
		p.sites[p.seen.Sites[i].Name] = &p.seen.Sites[i]
	}
	for i := range p.seen.Imports {
		m := &p.seen.Imports[i]
		name := m.Namespace + "/" + m.Spec.Application
		if m.Spec.Source == p.options.Source {
			p.imports[name] = m
			continue
		}
		for _, x := range m.Spec.Instances {
			p.taken[numberOf{componentOf{name, x.Component}, x.Seat}] = m.Spec.Source
		}
	}
	for i := range p.seen.Placements {
		for _, a := range p.seen.Placements[i].Spec.Assignments {
			of := componentOf{p.seen.Placements[i].Namespace + "/" + p.seen.Placements[i].Spec.Application, a.Component}
			p.blocks[blockOf{of, a.Block}] = a.Cell.Key()
			p.highest[of] = max(p.highest[of], a.Block+placement.SeatsPerBlock)
		}
	}
}

// once refuses what the file says twice.
func (p *plan) once(rows []Row) {
	numbers, hosts, runs, count := map[numberOf]int{}, map[string]Row{}, map[[2]string]int{}, map[string]int{}
	for _, r := range rows {
		name := r.Namespace + "/" + r.Application
		n := numberOf{componentOf{name, r.Component}, r.Seat}
		if line, twice := numbers[n]; twice {
			p.fault(r.Line, "%s-%d of %s is on line %d already", r.Component, r.Seat, name, line)
			continue
		}
		numbers[n] = r.Line
		if other, known := hosts[r.Address]; known && other.Host != r.Host {
			p.fault(r.Line, "address %s is %s's on line %d and %s's here: a machine has its own", r.Address, other.Host, other.Line, r.Host)
			continue
		}
		hosts[r.Address] = r
		run := [2]string{r.Address, name + "/" + r.Component}
		if line, twice := runs[run]; twice {
			p.fault(r.Line, "%s of %s on %s is on line %d already, with another number", r.Component, name, r.Address, line)
			continue
		}
		runs[run] = r.Line
		if count[name]++; count[name] == MostOfOne+1 {
			p.fault(r.Line, "application %s has more than %d machines: a source names at most as many", name, MostOfOne)
		}
	}
}

// check holds a row against the bank's world.
func (p *plan) check(r Row) {
	name := r.Namespace + "/" + r.Application
	_, environment, ok := app.SplitNamespace(r.Namespace)
	a := p.apps[name]
	if !ok || a == nil {
		p.fault(r.Line, "there is no application %q in %q: describe it first", r.Application, r.Namespace)
		return
	}
	at := slices.IndexFunc(a.Spec.Components, func(c appv1.Component) bool { return string(c.Name) == r.Component })
	if at < 0 {
		p.fault(r.Line, "application %q has no component %q", name, r.Component)
		return
	}
	if kind := a.Spec.Components[at].Kind; kind == appv1.KindJob || kind == appv1.KindCron {
		p.fault(r.Line, "component %q of %q is a %s, which has no numbered instances", r.Component, name, strings.ToLower(string(kind)))
		return
	}
	dcn, site := p.dcns[r.DCN], p.sites[r.DataCenter]
	switch {
	case dcn == nil:
		p.fault(r.Line, "there is no DCN %q", r.DCN)
	case dcn.Spec.Environment != environment:
		p.fault(r.Line, "DCN %q belongs to environment %s, not to %s", r.DCN, dcn.Spec.Environment, environment)
	case site == nil:
		p.fault(r.Line, "there is no data centre %q", r.DataCenter)
	case dcn.Spec.DataCenter != r.DataCenter:
		p.fault(r.Line, "DCN %q is in data centre %q, not in %q", r.DCN, dcn.Spec.DataCenter, r.DataCenter)
	case !slices.ContainsFunc(site.Spec.Racks, func(k fleetv1.Rack) bool { return k.Name == r.Rack }):
		p.fault(r.Line, "data centre %q has no rack %q: name it in spec.racks of the DataCenter first", r.DataCenter, r.Rack)
	}
	of := componentOf{name, r.Component}
	if source, taken := p.taken[numberOf{of, r.Seat}]; taken {
		p.fault(r.Line, "source %q names %s-%d of %s already: one source speaks for a machine", source, r.Component, r.Seat, name)
	}
	block := r.Seat / placement.SeatsPerBlock * placement.SeatsPerBlock
	if cell, owned := p.blocks[blockOf{of, block}]; owned {
		p.fault(r.Line, "%s-%d cannot be a machine's number: containers in cell %s have the numbers from %d to %d for good; number it from %d on",
			r.Component, r.Seat, cell, block, block+placement.SeatsPerBlock-1, max(p.highest[of], 1))
	}
}

// write makes the actions, and finds out what is gone.
func (p *plan) write(groups map[string][]Row) {
	order := make([]string, 0, len(groups))
	for name := range groups {
		order = append(order, name)
	}
	slices.Sort(order)
	var suspects []string
	for _, name := range order {
		after := p.after(name, groups[name])
		before := p.imports[name]
		if before == nil {
			p.Actions = append(p.Actions, Action{Verb: "create", Import: after})
			continue
		}
		if after.Spec.ObservedAt.Time.Before(before.Spec.ObservedAt.Time) {
			p.fault(0, "the hub knows %s as source %q saw it at %s, and the file is from %s: an older one changes nothing",
				name, p.options.Source, before.Spec.ObservedAt.UTC().Format(time.RFC3339), after.Spec.ObservedAt.UTC().Format(time.RFC3339))
			continue
		}
		gone := missing(name, before, after)
		p.Gone = append(p.Gone, gone...)
		if had := len(before.Spec.Instances); len(gone) > max(1, had*share/100) {
			suspects = append(suspects, fmt.Sprintf("%d of %d of %s", len(gone), had, name))
		}
		if same(before.Spec, after.Spec) {
			p.Unchanged++
			continue
		}
		p.Actions = append(p.Actions, Action{Verb: "update", Import: after})
	}
	for name := range p.imports {
		if _, named := groups[name]; !named {
			p.Left = append(p.Left, name)
		}
	}
	slices.Sort(p.Left)
	if len(p.Faults) > 0 {
		p.Decision = Decision{Faults: p.Faults}
		return
	}
	p.hold(suspects)
}

// hold asks for a confirmation where more machines are gone than one after another goes,
// or where another number was confirmed than is gone. Where the hub has a part of the file
// already, the import broke off and goes on: fewer are left to go than were confirmed.
func (p *plan) hold(suspects []string) {
	switch gone := len(p.Gone); {
	case p.options.Gone > gone && p.Unchanged > 0:
	case p.options.Gone != 0 && p.options.Gone != gone:
		p.Held = fmt.Sprintf("%d machines were confirmed to be gone, and it is %d", p.options.Gone, gone)
	case p.options.Gone == 0 && len(suspects) > 0:
		if more := len(suspects) - 5; more > 0 {
			suspects = append(suspects[:5], fmt.Sprintf("and those of %d applications more", more))
		}
		p.Held = fmt.Sprintf("machines that source %q told of last time are missing from the file: %s", p.options.Source, strings.Join(suspects, ", "))
	}
}

func (p *plan) after(name string, rows []Row) *placementv1.MachineImport {
	namespace, application, _ := strings.Cut(name, "/")
	made := &placementv1.MachineImport{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: application + "." + p.options.Source}}
	if before := p.imports[name]; before != nil {
		made = before.DeepCopy()
	}
	made.Spec = placementv1.MachineImportSpec{
		Application: application, Source: p.options.Source, ObservedAt: metav1.NewTime(p.options.ObservedAt),
		ValidFor: metav1.Duration{Duration: p.options.ValidFor}, Instances: make([]placementv1.MachineInstance, 0, len(rows)),
	}
	for _, r := range rows {
		made.Spec.Instances = append(made.Spec.Instances, r.MachineInstance)
	}
	slices.SortFunc(made.Spec.Instances, func(a, b placementv1.MachineInstance) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Seat, b.Seat))
	})
	return made
}

// same reports whether the hub knows it so already, whatever the order.
func same(before, after placementv1.MachineImportSpec) bool {
	sorted := before.DeepCopy()
	slices.SortFunc(sorted.Instances, func(a, b placementv1.MachineInstance) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Seat, b.Seat))
	})
	if !sorted.ObservedAt.Time.Equal(after.ObservedAt.Time) {
		return false
	}
	sorted.ObservedAt = after.ObservedAt
	return equality.Semantic.DeepEqual(*sorted, after)
}

// missing names the machines of before that are not there any more.
func missing(name string, before, after *placementv1.MachineImport) []string {
	type key struct {
		component string
		seat      int32
	}
	there := map[key]bool{}
	for _, i := range after.Spec.Instances {
		there[key{i.Component, i.Seat}] = true
	}
	var gone []string
	for _, i := range before.Spec.Instances {
		if !there[key{i.Component, i.Seat}] {
			gone = append(gone, fmt.Sprintf("%s %s-%d", name, i.Component, i.Seat))
		}
	}
	return gone
}
