// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
	"github.com/fairway-cloud/fairway/internal/platform/storytest"
)

// TestStories plays testdata/*.txt: lines that begin in the first column say what happens,
// indented lines are what follows.
func TestStories(t *testing.T) {
	storytest.Play(t, func(t *testing.T) storytest.Stage { return newStage(t).do })
}

// stage is a fleet to which things happen.
type stage struct {
	t     *testing.T
	now   time.Time
	seen  lost.Seen
	racks []rack
	// made counts the proposals, for their names, and used are the Placements by which applications
	// ran before.
	made int
	used []lost.Proposal
	// unread are the applications of which nobody can read what they ask for.
	unread []lost.Application
}

// rack is one of pool p, as it is when its hosts answer.
type rack struct {
	cluster, name string
	hosts         int
	cpu           int64
	// down counts the hosts that do not answer.
	down int
}

func newStage(t *testing.T) *stage {
	return &stage{t: t, now: time.Date(2026, 3, 10, 3, 0, 0, 0, time.UTC), seen: lost.Seen{
		Policies: map[string]lost.Policy{},
		Fleet: placement.Snapshot{
			Zones: []placement.Zone{{Name: "business", Levels: []string{"l3"}}}, Levels: []placement.Level{{Name: "l3"}},
			Pools: []placement.Pool{{Name: "p", Tenants: []string{"retail"}, Level: "l3", Zones: []string{"business"}, Kind: placement.RealHosts}},
		},
	}}
}

func (s *stage) do(verb string, w []string) []string {
	switch verb {
	case "cluster": // cluster NAME DATACENTER ENVIRONMENT
		s.seen.Clusters = append(s.seen.Clusters, lost.Cluster{Name: w[0], DataCenter: w[1], Environment: w[2]})
	case "dcn": // dcn NAME DATACENTER ENVIRONMENT [PARTNER]
		s.seen.Fleet.DCNs = append(s.seen.Fleet.DCNs, placement.DCN{Name: w[0], DataCenter: w[1], Environment: w[2], Partner: strings.Join(w[3:], "")})
	case "rack": // rack CLUSTER RACK HOSTS CPU
		s.racks = append(s.racks, rack{cluster: w[0], name: w[1], hosts: s.number(w[2]), cpu: int64(s.number(w[3]))})
	case "policy": // policy ENVIRONMENT WORD=VALUE…
		s.policy(w[0], w[1:])
	case "run": // run NAMESPACE/APP COMPONENT DCN=N[/CLUSTER:WEIGHT…] [WORD…] [and=COMPONENT …]: an application runs
		return s.run(w)
	case "lose": // lose RACK|CLUSTER NAME | lose hosts CLUSTER/RACK N
		s.lose(w, true)
	case "back": // back RACK|CLUSTER NAME
		s.lose(w, false)
	case "stale": // stale NAMESPACE/APP: its virtual machines are in doubt
		s.seen.Fleet.Machines = append(s.seen.Fleet.Machines, placement.Machine{Application: w[0], Component: "vm", DCN: "none", Stale: "cmdb has not confirmed it"})
	case "busy": // busy NAMESPACE/APP RELEASE
		s.application(w[0]).Busy = strings.Join(w[1:], "")
	case "wait": // wait NAMESPACE/APP COMPONENT CLUSTER/RACK N: so many have no host there
		s.wait(w)
	case "anew": // anew NAMESPACE/APP COMPONENT CLUSTER/RACK N: so many wait there, and automation has them placed anew
		s.wait(w)
		a := s.application(w[0])
		a.Waits, a.Anew = nil, a.Waits
	case "room": // room NAMESPACE/APP: automation has placed anew what waits, if it may
		return s.room(w[0])
	case "hosted": // hosted NAMESPACE/APP: every instance has a host, and that answers
		a := s.application(w[0])
		a.Waits, a.Anew, a.Silent = nil, nil, nil
	case "silent": // silent NAMESPACE/APP COMPONENT SEAT=CLUSTER/HOST…: the hosts do not answer on which these were seen
		a := s.application(w[0])
		for _, word := range w[2:] {
			seat, at, _ := strings.Cut(word, "=")
			cluster, host, _ := strings.Cut(at, "/")
			a.Silent = append(a.Silent, placement.Sits{Component: w[1], Seat: int32(s.number(seat)), Cluster: cluster, Host: host})
		}
	case "unread": // unread NAMESPACE/APP: nobody can read what it asks for
		s.unread = append(s.unread, *s.application(w[0]))
		s.seen.Unread = append(s.seen.Unread, w[0])
		s.stop(w[0])
	case "read": // read NAMESPACE/APP: it can be read again
		s.seen.Applications = append(s.seen.Applications, s.unread...)
		s.seen.Unread, s.unread = nil, nil
	case "gone": // gone NAMESPACE/APP: it runs no more
		s.stop(w[0])
	case "brake": // brake NAME ENVIRONMENT REASON…
		s.seen.Brakes = append(s.seen.Brakes, lost.Brake{Name: w[0], Environments: []string{w[1]}, By: "li.na", Reason: strings.Join(w[2:], " ")})
	case "release": // release BRAKE
		i := slices.IndexFunc(s.seen.Brakes, func(b lost.Brake) bool { return b.Name == w[0] })
		s.seen.Brakes[i].Released = s.now
	case "start": // start NAMESPACE/APP: a person starts a Release with what is proposed
		i := slices.IndexFunc(s.seen.Proposals, func(p lost.Proposal) bool { return p.Application == w[0] })
		s.use(s.seen.Proposals[i])
	case "expire": // expire NAMESPACE/APP: nobody used what was proposed
		s.seen.Proposals = slices.DeleteFunc(s.seen.Proposals, func(p lost.Proposal) bool { return p.Application == w[0] })
	case "tick": // tick DURATION: time goes by, and what follows is done
		d, err := time.ParseDuration(w[0])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
		return s.tick()
	default:
		s.t.Fatalf("no such line: %s %v", verb, w)
	}
	return nil
}

func (s *stage) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *stage) policy(environment string, words []string) {
	p := lost.PolicyOf("bank", nil)
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		length, _ := time.ParseDuration(v)
		switch k {
		case "release":
			p.Release = true
		case "never":
			p.Return = false
		case "rack":
			p.Rack = length
		case "cluster":
			p.Cluster = length
		case "site":
			p.DataCenter = length
		case "sick":
			p.SickShare = s.number(v)
		case "budget":
			p.Budget = s.number(v)
		case "return":
			p.ReturnAfter = length
		default:
			s.t.Fatalf("no such word of a policy: %s", w)
		}
	}
	s.seen.Policies[environment] = p
}

func (s *stage) application(name string) *lost.Application {
	i := slices.IndexFunc(s.seen.Applications, func(a lost.Application) bool { return a.Request.Application == name })
	if i < 0 {
		s.t.Fatalf("no application %s", name)
	}
	return &s.seen.Applications[i]
}

// stop has an application be none of those that run.
func (s *stage) stop(name string) {
	s.seen.Applications = slices.DeleteFunc(s.seen.Applications, func(a lost.Application) bool { return a.Request.Application == name })
}

// wait has the first instances of a component in a rack wait for room.
func (s *stage) wait(w []string) {
	a := s.application(w[0])
	cluster, name, _ := strings.Cut(w[2], "/")
	for _, x := range a.Request.Previous {
		if x.Component == w[1] && x.Cell.Cluster == cluster && x.Cell.Rack == name {
			a.Waits = []placement.Wait{{Component: x.Component, Cell: x.Cell, Seats: x.Seats[:s.number(w[3])]}}
		}
	}
}

// room starts a Release for what waits of an application, if it may. Half of it goes to each
// of the clusters that take it, the rest to the last.
func (s *stage) room(name string) []string {
	a := s.application(name)
	n := 0
	for _, wait := range a.Anew {
		n += len(wait.Seats)
	}
	takers := s.seen.Takers(a.Anew)
	held, _ := lost.PlaceAnew(s.seen, a.Request.Environment, name, takers, n, s.now)
	if n == 0 || len(held) > 0 {
		var out []string
		for _, h := range held {
			out = append(out, fmt.Sprintf("held by %s: %s", h.Guard, h.Why))
		}
		return out
	}
	started := lost.Started{Application: name, Name: fmt.Sprintf("room-%d", len(s.seen.Started)), Environment: a.Request.Environment, At: s.now, Going: true, ForRoom: true}
	left := n
	for i, cluster := range takers {
		part := left / 2
		if i == len(takers)-1 {
			part = left
		}
		left -= part
		started.Gains = append(started.Gains, placementv1.ClusterGain{Cluster: cluster, Instances: int32(part)})
	}
	s.seen.Started = append(s.seen.Started, started)
	a.Anew = nil
	return []string{fmt.Sprintf("started for %s: %v", name, started.Gains)}
}

// request asks for what a line says that an application runs.
func (s *stage) request(w []string) placement.Request {
	namespace, _, _ := strings.Cut(w[0], "/")
	tenant, environment, _ := strings.Cut(namespace, "-")
	component := func(name string) placement.Component {
		return placement.Component{Name: name, Template: "t1", Zone: "business", Level: "l3", Size: placement.Amount{CPU: 1000, Memory: 1 << 30, Instances: 1}}
	}
	r := placement.Request{Application: w[0], Tenant: tenant, Environment: environment, Components: []placement.Component{component(w[1])}}
	for _, word := range w[2:] {
		k, v, is := strings.Cut(word, "=")
		c := &r.Components[len(r.Components)-1]
		switch {
		case k == "and":
			r.Components = append(r.Components, component(v))
		case k == "cpu":
			c.Size.CPU = int64(s.number(v)) * 1000
		case k == "volume":
			c.Volumes = append(c.Volumes, v)
		case k == "priority":
			r.Priority = int32(s.number(v))
		case is:
			c.Counts = append(c.Counts, s.count(k, v))
		case k == "identity":
			c.InPlace = true
		case k == "once":
			c.OneCell = true
		}
	}
	r.Quotas = []tenancyv1.Quota{{Environment: environment, Pool: "p", Instances: 10000, CPU: resource.MustParse("10000"), Memory: resource.MustParse("100Ti")}}
	return r
}

func (s *stage) run(w []string) []string {
	r := s.request(w)
	s.look()
	d := placement.Place(s.seen.Fleet, []placement.Request{r}, placement.DefaultPolicy())[0]
	if d.Refused {
		s.t.Fatalf("%s does not fit: %v", w[0], d.Reasons)
	}
	r.Previous = d.Assignments
	s.seen.Applications = append(s.seen.Applications, lost.Application{Request: r, Revision: "r1", Placement: "first"})
	s.reserve()
	return cells(d.Assignments)
}

// count reads N or N/CLUSTER:WEIGHT/CLUSTER:WEIGHT.
func (s *stage) count(dcn, text string) placement.Count {
	parts := strings.Split(text, "/")
	out := placement.Count{DCN: dcn, Count: int32(s.number(parts[0]))}
	var by []placement.Weighted
	var of int32
	for _, part := range parts[1:] {
		cluster, weight, _ := strings.Cut(part, ":")
		w := int32(s.number(weight))
		out.Clusters = append(out.Clusters, placement.ClusterCount{Cluster: cluster, Weight: w})
		by = append(by, placement.Weighted{Name: cluster, Weight: int64(w)})
		of += w
	}
	for i, n := range placement.Divide(int64(out.Count), by) {
		out.Clusters[i].Count, out.Clusters[i].Of = int32(n), of
	}
	return out
}

func cells(list []placement.Assignment) []string {
	var out []string
	for _, a := range list {
		if len(a.Seats) > 0 {
			out = append(out, fmt.Sprintf("%d %s in %s, rack %s, for %s", len(a.Seats), a.Component, a.Cell.Cluster, a.Cell.Rack, a.Cell.DCN))
		}
	}
	return out
}

// lose has things go away or come back.
func (s *stage) lose(w []string, away bool) {
	change := func(a *lost.Absence) {
		switch {
		case away && !a.Away:
			*a = lost.Absence{Away: true, Since: s.now, Times: a.Times + 1}
		case !away && a.Away:
			a.Away, a.Back = false, s.now
		}
	}
	switch w[0] {
	case "cluster":
		for i := range s.seen.Clusters {
			if s.seen.Clusters[i].Name == w[1] {
				change(&s.seen.Clusters[i].Absence)
			}
		}
		return
	case "broken": // Fairway's own credentials are
		for i := range s.seen.Clusters {
			if s.seen.Clusters[i].Name == w[1] {
				s.seen.Clusters[i].Broken = away
				change(&s.seen.Clusters[i].Absence)
			}
		}
		return
	}
	cluster, name, _ := strings.Cut(w[1], "/")
	i := slices.IndexFunc(s.racks, func(r rack) bool { return r.cluster == cluster && r.name == name })
	r := &s.racks[i]
	switch {
	case w[0] == "hosts":
		r.down = s.number(w[2])
	case away:
		r.down = r.hosts
	default:
		r.down = 0
	}
	j := slices.IndexFunc(s.seen.Racks, func(x lost.Rack) bool { return x.Cluster == cluster && x.Name == name })
	if j < 0 {
		j, s.seen.Racks = len(s.seen.Racks), append(s.seen.Racks, lost.Rack{Cluster: cluster, Name: name})
	}
	away = r.down == r.hosts
	change(&s.seen.Racks[j].Absence)
}

// look brings what the scheduler sees up to date.
func (s *stage) look() {
	f := &s.seen.Fleet
	f.Clusters, f.Pools[0].Racks = nil, nil
	for i, c := range s.seen.Clusters {
		seen := placement.Cluster{Name: c.Name, DataCenter: c.DataCenter, Environment: c.Environment, GuardsPools: true, Volumes: []string{"Shared", "Local"}}
		if c.Away {
			seen.Away = "it does not answer"
		}
		f.Clusters = append(f.Clusters, seen)
		total, ready := 0, 0
		for _, r := range s.racks {
			if r.cluster != c.Name {
				continue
			}
			total, ready = total+r.hosts, ready+r.hosts-r.down
			if r.down == r.hosts {
				continue
			}
			out := placement.Rack{Cluster: r.cluster, Name: r.name}
			for n := r.down; n < r.hosts; n++ {
				out.Hosts = append(out.Hosts, placement.Host{Name: fmt.Sprintf("%s-%s-%d", r.cluster, r.name, n), Room: placement.Amount{CPU: r.cpu * 1000, Memory: r.cpu << 30, Instances: 100}})
			}
			f.Pools[0].Racks = append(f.Pools[0].Racks, out)
		}
		s.seen.Clusters[i].Hosts, s.seen.Clusters[i].Ready = total, ready
	}
	s.reserve()
}

// reserve has the room held that Placements hold.
func (s *stage) reserve() {
	f := &s.seen.Fleet
	f.Reserved = nil
	hold := func(application string, list []placement.Assignment, name string) {
		namespace, _, _ := strings.Cut(application, "/")
		tenant, environment, _ := strings.Cut(namespace, "-")
		for _, a := range list {
			f.Reserved = append(f.Reserved, placement.Reservation{Application: application, Tenant: tenant, Environment: environment, Placement: name, Assignment: a})
		}
	}
	for _, a := range slices.Concat(s.seen.Applications, s.unread) {
		hold(a.Request.Application, a.Request.Previous, a.Placement)
	}
	for _, p := range s.seen.Proposals {
		hold(p.Application, p.Assignments, p.Name)
	}
}

// use has an application run by a proposal.
func (s *stage) use(p lost.Proposal) {
	a := s.application(p.Application)
	s.used = append(s.used, lost.Proposal{Application: p.Application, Name: a.Placement, Assignments: a.Request.Previous})
	if a.Cause != nil {
		s.used[len(s.used)-1].Cause = *a.Cause
	}
	a.Request.Previous = p.Assignments
	a.Placement, a.Cause = p.Name, &p.Cause
	*a = a.From(func(name string) *lost.Proposal {
		i := slices.IndexFunc(s.used, func(u lost.Proposal) bool { return u.Application == p.Application && u.Name == name })
		if i < 0 {
			return nil
		}
		return &s.used[i]
	})
	s.seen.Proposals = slices.DeleteFunc(s.seen.Proposals, func(x lost.Proposal) bool { return x.Name == p.Name })
}

// tick decides and carries out, until nothing is left to do.
func (s *stage) tick() []string {
	out := []string{s.now.Format("15:04:05")}
	for range 10 {
		s.look()
		d := lost.Decide(s.seen, s.now)
		if len(d.Actions) > 0 {
			for _, a := range d.Actions {
				out = append(out, s.carryOut(a)...)
			}
			continue
		}
		for _, l := range d.Losses {
			if !l.Lost {
				out = append(out, fmt.Sprintf("%s is away, and counts as lost from %s on", l, l.Due.Format("15:04:05")))
			}
		}
		for _, h := range d.Held {
			out = append(out, fmt.Sprintf("held by %s: %s%s", h.Guard, prefixed(h.Application), h.Why))
		}
		for _, name := range slices.Compact(slices.Sorted(slices.Values(d.Undecided))) {
			out = append(out, "nobody can tell of "+name)
		}
		for _, u := range d.Unplaced {
			out = append(out, fmt.Sprintf("no place for %s: %s", u.Application, u))
		}
		if !d.Next.IsZero() {
			out = append(out, "looks again at "+d.Next.Format("15:04:05"))
		}
		return out
	}
	s.t.Fatal("it does not come to an end")
	return nil
}

func prefixed(application string) string {
	if application == "" {
		return ""
	}
	return application + ": "
}

func (s *stage) carryOut(a lost.Action) []string {
	out := []string{a.String()}
	switch a := a.(type) {
	case lost.Propose:
		s.made++
		_, name, _ := strings.Cut(a.Application.Request.Application, "/")
		p := lost.Proposal{
			Application: a.Application.Request.Application, Name: fmt.Sprintf("%s-%d", name, s.made),
			Revision: a.Application.Revision, Cause: a.Cause, Assignments: a.Decision.Assignments,
		}
		s.seen.Proposals = append(s.seen.Proposals, p)
		for _, c := range a.Cause.Check {
			out = append(out, "  check: "+c)
		}
		for _, c := range cells(p.Assignments) {
			out = append(out, "  "+c)
		}
	case lost.Withdraw:
		s.seen.Proposals = slices.DeleteFunc(s.seen.Proposals, func(p lost.Proposal) bool { return p.Name == a.Proposal.Name })
	case lost.Start:
		_, environment, _ := strings.Cut(strings.Split(a.Proposal.Application, "/")[0], "-")
		s.seen.Started = append(s.seen.Started, lost.Started{
			Application: a.Proposal.Application, Name: a.Proposal.Name + "-lost", Environment: environment, Placement: a.Proposal.Name,
			At: s.now, Gains: a.Proposal.Cause.Gains, Going: true,
		})
		s.use(a.Proposal)
	case lost.Stop:
		for i := range s.seen.Started {
			if s.seen.Started[i].Name == a.Release.Name {
				s.seen.Started[i].Going = false
			}
		}
	case lost.Trip:
		s.seen.Brakes = append(s.seen.Brakes, lost.Brake{Name: fmt.Sprintf("sick-%s", a.Environment), Environments: []string{a.Environment}, By: "fairway", Reason: a.Why})
	}
	return out
}
