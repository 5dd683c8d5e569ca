// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// Decision is what follows.
type Decision struct {
	// Losses are the places that are away, whether they count as lost yet or not.
	Losses []Loss
	// Actions in their order.
	Actions []Action
	// Held is what does not happen, and why.
	Held []Held
	// Unplaced are instances that are lost and find no place.
	Unplaced []Unplaced
	// Undecided are applications ("<namespace>/<name>") of which nobody can say now whether
	// their instances find a place: what was said of them stands.
	Undecided []string
	// Next is when something becomes due by the clock alone. Zero: nothing does.
	Next time.Time
}

// Action is one thing to do. Its text is for people.
type Action interface{ String() string }

// Propose stores a Placement that no Release asked for.
type Propose struct {
	Application Application
	Cause       placementv1.Cause
	Decision    placement.Decision
}

// Withdraw gives the room of a proposal back.
type Withdraw struct {
	Proposal Proposal
	Why      string
}

// Start starts a Release with a proposal.
type Start struct {
	Proposal Proposal
	Why      string
	// Ticket of the standing change.
	Ticket string
}

// Stop stops a Release that automation started.
type Stop struct {
	Release Started
	Why     string
}

// Trip sets a Brake.
type Trip struct{ Environment, Why string }

func (a Propose) String() string {
	return fmt.Sprintf("propose %s: %s", a.Application.Request.Application, told(a.Cause))
}
func (a Withdraw) String() string {
	return fmt.Sprintf("withdraw %s of %s: %s", a.Proposal.Name, a.Proposal.Application, a.Why)
}
func (a Start) String() string {
	return fmt.Sprintf("start a release of %s with %s: %s", a.Proposal.Application, a.Proposal.Name, a.Why)
}
func (a Stop) String() string {
	return fmt.Sprintf("stop release %s of %s: %s", a.Release.Name, a.Release.Application, a.Why)
}
func (a Trip) String() string { return fmt.Sprintf("set a brake in %s: %s", a.Environment, a.Why) }

// Decide says what follows of what was seen. The same is said whatever the order of what
// is given.
func Decide(s Seen, now time.Time) Decision {
	d := &deciding{seen: s, now: now, site: map[string]string{}, held: map[string][]Held{}}
	for _, c := range s.Clusters {
		d.site[c.Name] = c.DataCenter
	}
	d.Losses = losses(s, now)
	for _, l := range d.Losses {
		d.wait(l)
	}
	for _, environment := range environments(s) {
		d.environment(environment)
	}
	apps := slices.SortedFunc(slices.Values(s.Applications), func(a, b Application) int {
		return cmp.Or(cmp.Compare(b.Request.Priority, a.Request.Priority), cmp.Compare(a.Request.Application, b.Request.Application))
	})
	d.strays(apps)
	for i := range apps {
		d.application(apps[i])
	}
	d.propose()
	slices.SortStableFunc(d.Unplaced, func(a, b Unplaced) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Application, b.Application))
	})
	return d.Decision
}

// deciding is the state of one decision.
type deciding struct {
	Decision
	seen Seen
	now  time.Time
	site map[string]string
	// held by environment is what holds all of it.
	held map[string][]Held
	// wanted are the proposals to be made, and requests what they ask for.
	wanted   []wanted
	requests []placement.Request
	// moving is what was started in this decision, by cluster.
	moving map[string]int
}

// wanted is a proposal to be made.
type wanted struct {
	Propose
	// instances are how many it is about.
	instances int
	// hit is what is lost, where that is why, and may are the components that move or stay, each as a
	// whole. moving counts their instances that move, left says of each what numbers of clusters do
	// without, and notes what else is otherwise than the Application says.
	hit    hit
	may    []string
	moving map[string]int
	left   map[string][]string
	notes  []string
	// kept is a proposal that stands and leaves some of them; nil: there is none.
	kept *Proposal
}

func (d *deciding) do(a Action) { d.Actions = append(d.Actions, a) }

// at notes when to look again.
func (d *deciding) at(t time.Time) {
	if t.After(d.now) && (d.Next.IsZero() || t.Before(d.Next)) {
		d.Next = t
	}
}

// wait says of what is away and not lost yet when it will be.
func (d *deciding) wait(l Loss) {
	if l.Lost {
		return
	}
	d.at(l.Due)
	policy := d.seen.policy(l.Environment)
	after := map[placementv1.LostKind]time.Duration{placementv1.LostRack: policy.Rack, placementv1.LostCluster: policy.Cluster, placementv1.LostDataCenter: policy.DataCenter}[l.Kind]
	if l.Times > 1 && !d.now.Before(l.Since.Add(after)) {
		d.Held = append(d.Held, Held{Environment: l.Environment, Guard: GuardFlapping, Why: fmt.Sprintf("%s comes and goes, it went away %d times lately: it counts as lost from %s on", l, l.Times, clock(l.Due))})
	}
}

// environment holds automation where it has to, and stops what it started.
func (d *deciding) environment(name string) {
	held := guards(d.seen, name)
	if trips(d.seen, name, held, d.now) {
		i := slices.IndexFunc(held, func(h Held) bool { return h.Guard == GuardSick })
		d.do(Trip{Environment: name, Why: held[i].Why})
	}
	d.held[name] = held
	d.Held = append(d.Held, held...)
	if !has(held, GuardBrake) && !has(held, GuardSick) {
		return
	}
	going := slices.SortedFunc(slices.Values(d.seen.Started), func(a, b Started) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Name, b.Name))
	})
	for _, r := range going {
		if r.Going && !r.ForRoom && r.Environment == name {
			d.do(Stop{Release: r, Why: held[0].Why})
		}
	}
}

// strays withdraws what is proposed for applications that run no more. Of those that run and that
// nobody can read, nobody can tell.
func (d *deciding) strays(apps []Application) {
	d.Undecided = append(d.Undecided, slices.Sorted(slices.Values(d.seen.Unread))...)
	for _, p := range d.proposals("") {
		if !slices.Contains(d.seen.Unread, p.Application) && !slices.ContainsFunc(apps, func(a Application) bool { return a.Request.Application == p.Application }) {
			d.do(Withdraw{Proposal: p, Why: "the application runs no more"})
		}
	}
}

// proposals of one application, or of all, by name.
func (d *deciding) proposals(application string) []Proposal {
	var out []Proposal
	for _, p := range d.seen.Proposals {
		if application == "" || p.Application == application {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Proposal) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// application decides about one.
func (d *deciding) application(a Application) {
	environment := a.Request.Environment
	open := d.proposals(a.Request.Application)
	if has(d.held[environment], GuardCutOff) {
		d.Undecided = append(d.Undecided, a.Request.Application)
		return
	}
	hit := d.hit(a)
	if len(hit.stays) > 0 {
		d.unplaced(a, hit.stayed, hit.staying, LackPlace, strings.Join(hit.stays, "; "))
	}
	d.nowhere(a)
	d.keptToHosts(a)
	d.heldAnew(a)
	var kept *Proposal
	for i, p := range open {
		switch why := d.obsolete(a, p, hit); {
		case why != "":
			d.do(Withdraw{Proposal: p, Why: why})
		case kept != nil:
			d.do(Withdraw{Proposal: p, Why: "the same is proposed twice"})
		default:
			kept = &open[i]
		}
	}
	switch {
	case kept != nil && kept.Cause.Kind == placementv1.CauseLost:
		d.start(a, *kept, hit)
		if len(kept.leaves(hit, d.gone(environment))) > 0 {
			d.want(a, hit, kept)
		}
	case kept != nil:
	case len(hit.places) > 0:
		d.want(a, hit, nil)
	case a.Busy != "" && len(a.Waits)+len(a.Anew) > 0:
		d.Undecided = append(d.Undecided, a.Request.Application) // the Release may be what they wait for
	case len(d.waits(a)) > 0:
		d.anew(a)
	default:
		d.comeBack(a)
	}
}

// obsolete says why a proposal is of no use any more; empty: it is of use.
func (d *deciding) obsolete(a Application, p Proposal, h hit) string {
	if p.Cause.From != a.Placement || p.Revision != a.Revision {
		return fmt.Sprintf("it starts from placement %s, and %s is in force", p.Cause.From, a.Placement)
	}
	switch p.Cause.Kind {
	case placementv1.CauseNoRoom:
		if why := d.hosted(a, p, h); why != "" {
			return why
		}
	case placementv1.CauseRecovered:
		for _, place := range p.Cause.Places {
			if _, well := d.wellSince(place); !well {
				return fmt.Sprintf("%s %s is away again", word(place.Kind), place.Name)
			}
		}
	default:
		if same(p.Cause.Places, h.places) {
			break
		}
		for _, place := range p.Cause.Places {
			if since, well := d.wellSince(place); well {
				return fmt.Sprintf("%s %s is back%s", word(place.Kind), place.Name, from(since))
			}
		}
		if len(h.places) > 0 {
			return "what is lost is not the same any more"
		}
		// Nobody knows how the places are: they may be lost still.
	}
	for _, x := range p.Assignments {
		if len(x.Seats) <= len(seatsIn(a.Request.Previous, x)) {
			continue
		}
		if l := d.gone(a.Request.Environment).of(x.Cell); l != nil {
			return fmt.Sprintf("%s, to which instances would come, is lost too", l)
		}
		if i := slices.IndexFunc(d.seen.Clusters, func(c Cluster) bool { return c.Name == x.Cell.Cluster }); i < 0 || d.seen.Clusters[i].Away {
			return fmt.Sprintf("cluster %s, to which instances would come, does not answer", x.Cell.Cluster)
		}
	}
	return ""
}

// seatsIn are the seats that a list has of x's component in its cell.
func seatsIn(list []placement.Assignment, x placement.Assignment) []int32 {
	var out []int32
	for _, a := range list {
		if a.Component == x.Component && a.Cell == x.Cell {
			out = append(out, a.Seats...)
		}
	}
	return out
}

// away says that a cell does not answer now, whether it counts as lost yet or not.
func (d *deciding) away(c placement.Cell) bool {
	return slices.ContainsFunc(d.seen.Clusters, func(x Cluster) bool { return x.Name == c.Cluster && x.Away }) ||
		slices.ContainsFunc(d.seen.Racks, func(x Rack) bool { return x.Cluster == c.Cluster && x.Name == c.Rack && x.Away })
}

// same compares places by kind and name.
func same(a, b []placementv1.LostPlace) bool {
	return slices.EqualFunc(a, b, func(x, y placementv1.LostPlace) bool { return x.Kind == y.Kind && x.Name == y.Name })
}

// gone is what is lost in an environment.
func (d *deciding) gone(environment string) gone {
	g := gone{site: d.site}
	for _, l := range d.Losses {
		if l.Lost && l.Environment == environment {
			g.losses = append(g.losses, l)
		}
	}
	return g
}

// wellSince is since when a place is well again; zero: for longer than anybody remembers.
// It is not well while nobody knows.
func (d *deciding) wellSince(place placementv1.LostPlace) (since time.Time, well bool) {
	is := func(c Cluster) bool {
		switch place.Kind {
		case placementv1.LostCluster:
			return c.Name == place.Name
		case placementv1.LostDataCenter:
			return c.DataCenter == place.Name
		}
		site, _ := cut(place.Name)
		return c.DataCenter == site && slices.ContainsFunc(d.seen.Racks, func(r Rack) bool {
			_, rack := cut(place.Name)
			return r.Cluster == c.Name && r.Name == rack
		})
	}
	found := place.Kind == placementv1.LostRack
	for _, c := range d.seen.Clusters {
		if !is(c) {
			continue
		}
		if c.Away {
			return time.Time{}, false
		}
		found = true
		if place.Kind != placementv1.LostRack && c.Back.After(since) {
			since = c.Back
		}
	}
	if place.Kind == placementv1.LostRack {
		site, rack := cut(place.Name)
		for _, r := range d.seen.Racks {
			if d.site[r.Cluster] != site || r.Name != rack {
				continue
			}
			if r.Away {
				return time.Time{}, false
			}
			if r.Back.After(since) {
				since = r.Back
			}
		}
	}
	return since, found
}
