// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
)

// TestGuardsHold plays random nights in a small fleet and judges each act of automation by
// rules of its own: it shares no code with Decide.
func TestGuardsHold(t *testing.T) {
	starts, proposals, trips, rooms, unroomed := 0, 0, 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		s := newStage(t)
		for _, line := range strings.Split(`cluster east-1 dc-east sit
cluster east-2 dc-east sit
cluster west-1 dc-west sit
dcn east dc-east sit west
dcn west dc-west sit east
rack east-1 a 3 8
rack east-1 b 3 8
rack east-2 c 4 8
rack west-1 d 4 8
rack west-1 e 4 8
run retail-sit/pay web east=6 west=4 priority=5 and=batch east=2 cpu=3
run retail-sit/card web east=4 west=4
run retail-sit/ledger db east=3 identity volume=Shared
run retail-sit/fund web east=3`, "\n") {
			w := strings.Fields(line)
			s.do(w[0], w[1:])
		}
		budget := rapid.IntRange(2, 12).Draw(r, "budget")
		s.do("policy", []string{"sit", "release", fmt.Sprintf("budget=%d", budget)})
		things := []string{"cluster east-1", "cluster east-2", "cluster west-1", "rack east-1/a", "rack east-1/b", "rack east-2/c", "rack west-1/d", "rack west-1/e"}
		for range rapid.IntRange(4, 14).Draw(r, "steps") {
			switch what := rapid.IntRange(0, 12).Draw(r, "what"); what {
			case 0:
				s.do("brake", []string{fmt.Sprintf("b%d", len(s.seen.Brakes)), "sit", "x"})
			case 1:
				for i := range s.seen.Brakes {
					s.seen.Brakes[i].Released = s.now
				}
			case 2:
				s.do("stale", []string{"retail-sit/fund"})
			case 3:
				s.do("busy", []string{"retail-sit/card", rapid.SampledFrom([]string{"", "card-7"}).Draw(r, "by")})
			case 4, 5, 6:
				s.do("lose", strings.Fields(rapid.SampledFrom(things).Draw(r, "lost")))
			case 7:
				s.do("back", strings.Fields(rapid.SampledFrom(things).Draw(r, "back")))
			case 8:
				if len(s.seen.Proposals) > 0 {
					s.do("start", []string{s.seen.Proposals[0].Application})
				}
			case 9, 10:
				if n := s.waits(r, rapid.SampledFrom([]string{"retail-sit/pay", "retail-sit/card"}).Draw(r, "waits")); n > 0 {
					if s.anew(r, n, budget) {
						rooms++
					} else {
						unroomed++
					}
				}
			}
			s.now = s.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(r, "minutes")) * time.Minute)
			for range 10 {
				s.look()
				d := lost.Decide(s.seen, s.now)
				again := s.seen
				again.Clusters, again.Applications, again.Proposals = turned(again.Clusters), turned(again.Applications), turned(again.Proposals)
				again.Racks, again.Brakes, again.Started = turned(again.Racks), turned(again.Brakes), turned(again.Started)
				if diff := cmp.Diff(words(d), words(lost.Decide(again, s.now))); diff != "" {
					r.Fatalf("another order, another decision:\n%s", diff)
				}
				if len(d.Actions) == 0 {
					break
				}
				a := d.Actions[0] // one at a time, so that each is judged against what it is taken in
				judge(r, s, a, budget)
				switch a.(type) {
				case lost.Start:
					starts++
				case lost.Propose:
					proposals++
				case lost.Trip:
					trips++
				}
				s.carryOut(a)
			}
		}
	})
	if starts == 0 || proposals == 0 || trips == 0 || rooms == 0 || unroomed == 0 {
		t.Errorf("%d starts, %d proposals, %d trips, %d times placed anew and %d times not: the nights were too quiet to show anything", starts, proposals, trips, rooms, unroomed)
	}
}

// waits has some instances of an application wait for room, and says how many.
func (s *stage) waits(r *rapid.T, name string) int {
	a := s.application(name)
	a.Anew = nil
	for _, x := range a.Request.Previous {
		if n := rapid.IntRange(0, len(x.Seats)).Draw(r, "waiting"); n > 0 && len(a.Anew) == 0 {
			a.Anew = []placement.Wait{{Component: x.Component, Cell: x.Cell, Seats: x.Seats[:n]}}
			return n
		}
	}
	return 0
}

// anew has automation place anew what waits, if it may, and judges that by rules of its own.
func (s *stage) anew(r *rapid.T, n, budget int) bool {
	before := len(s.seen.Started)
	s.look()
	for i := range s.seen.Applications {
		if a := &s.seen.Applications[i]; len(a.Anew) > 0 {
			s.room(a.Request.Application)
			a.Anew = nil
		}
	}
	if len(s.seen.Started) == before {
		return false
	}
	for _, b := range s.seen.Brakes {
		if b.Released.IsZero() {
			r.Fatalf("%d instances placed anew while brake %s holds", n, b.Name)
		}
	}
	for _, c := range s.seen.Clusters {
		sum := 0
		for _, x := range s.seen.Started {
			for _, y := range x.Gains {
				if y.Cluster == c.Name && s.now.Sub(x.At) < time.Hour {
					sum += int(y.Instances)
				}
			}
		}
		came := 0
		for _, y := range s.seen.Started[before].Gains {
			if y.Cluster == c.Name {
				came += int(y.Instances)
			}
		}
		if came > 0 && sum > budget {
			r.Fatalf("%d instances to %s within an hour, the budget is %d", sum, c.Name, budget)
		}
	}
	return true
}

func turned[T any](list []T) []T {
	out := slices.Clone(list)
	slices.Reverse(out)
	return out
}

func words(d lost.Decision) []string {
	var out []string
	for _, a := range d.Actions {
		out = append(out, a.String())
	}
	for _, h := range d.Held {
		out = append(out, fmt.Sprintf("%v", h))
	}
	for _, u := range d.Unplaced {
		out = append(out, fmt.Sprintf("%v", u))
	}
	return append(out, d.Next.String())
}

func judge(r *rapid.T, s *stage, a lost.Action, budget int) {
	sick, hosts, answering := 0, 0, 0
	down := map[string]bool{} // "<cluster>/<rack>"
	for _, c := range s.seen.Clusters {
		if !c.Away {
			answering++
		}
		for _, k := range s.racks {
			if k.cluster != c.Name {
				continue
			}
			hosts += k.hosts
			if c.Away {
				sick += k.hosts
			} else {
				sick += k.down
			}
			down[k.cluster+"/"+k.name] = c.Away || k.down == k.hosts
		}
	}
	switch a := a.(type) {
	case lost.Start:
		for _, b := range s.seen.Brakes {
			if b.Released.IsZero() {
				r.Fatalf("%s: while brake %s holds", a, b.Name)
			}
		}
		if answering == 0 || sick*100 >= 55*hosts {
			r.Fatalf("%s: while %d of %d hosts are sick", a, sick, hosts)
		}
		app := s.application(a.Proposal.Application)
		if app.Busy != "" || app.Request.Components[0].InPlace || a.Proposal.Cause.Kind != placementv1.CauseLost {
			r.Fatalf("%s: it is busy, keeps an identity or goes back", a)
		}
		if a.Proposal.Application == "retail-sit/fund" && len(s.seen.Fleet.Machines) > 0 {
			r.Fatalf("%s: its machines are in doubt", a)
		}
		for _, g := range a.Proposal.Cause.Gains {
			n := int(g.Instances)
			for _, x := range s.seen.Started {
				for _, y := range x.Gains {
					if y.Cluster == g.Cluster && s.now.Sub(x.At) < time.Hour {
						n += int(y.Instances)
					}
				}
			}
			if n > budget {
				r.Fatalf("%s: %d instances to %s within an hour, the budget is %d", a, n, g.Cluster, budget)
			}
		}
	case lost.Propose:
		name := a.Application.Request.Application
		for _, p := range s.seen.Proposals {
			if p.Application == name {
				r.Fatalf("%s: %s is proposed already", a, p.Name)
			}
		}
		judgeRoom(r, s, a, down)
		if a.Cause.Kind == placementv1.CauseLost {
			for _, p := range a.Cause.Places {
				if p.Kind == placementv1.LostRack && s.now.Sub(p.Since.Time) < 5*time.Minute || p.Kind != placementv1.LostRack && s.now.Sub(p.Since.Time) < 10*time.Minute {
					r.Fatalf("%s: too early", a)
				}
			}
			judgeWhole(r, s, a)
		}
	}
}

// judgeWhole wants of each component all instances to leave what is lost, or none to come or go.
func judgeWhole(r *rapid.T, s *stage, a lost.Propose) {
	site := map[string]string{}
	for _, c := range s.seen.Clusters {
		site[c.Name] = c.DataCenter
	}
	gone := func(c placement.Cell) bool {
		return slices.ContainsFunc(a.Cause.Places, func(p placementv1.LostPlace) bool {
			return p.Name == c.Cluster || p.Name == site[c.Cluster] || p.Name == site[c.Cluster]+"/"+c.Rack
		})
	}
	left := 0
	for _, c := range a.Application.Request.Components {
		count := func(list []placement.Assignment) (lost int, all string) {
			for _, x := range list {
				if x.Component == c.Name && len(x.Seats) > 0 {
					all += fmt.Sprint(x.Cell.Key(), x.Seats, " ")
					if gone(x.Cell) {
						lost += len(x.Seats)
					}
				}
			}
			return lost, all
		}
		before, was := count(a.Application.Request.Previous)
		after, is := count(a.Decision.Assignments)
		switch {
		case after > 0 && is != was:
			r.Fatalf("%s: of component %s %d of %d instances stay in what is lost: %s becomes %s", a, c.Name, after, before, was, is)
		case after > 0:
			left += after
		}
	}
	if said := slices.ContainsFunc(a.Cause.Check, func(c string) bool { return strings.Contains(c, "they are left out") }); said != (left > 0) {
		r.Fatalf("%s: leaves %d instances, and says %q", a, left, a.Cause.Check)
	}
}

// judgeRoom counts what the racks would hold, seat by seat.
func judgeRoom(r *rapid.T, s *stage, a lost.Propose, down map[string]bool) {
	name := a.Application.Request.Application
	type at struct{ application, rack string }
	held := map[at]int{}
	count := func(application string, list []placement.Assignment) {
		mine := map[at]int{}
		for _, x := range list {
			mine[at{application, x.Cell.Cluster + "/" + x.Cell.Rack}] += len(x.Seats) * int(x.Size.CPU/1000)
		}
		for k, n := range mine {
			held[k] = max(held[k], n)
		}
	}
	for _, x := range s.seen.Applications {
		count(x.Request.Application, x.Request.Previous)
	}
	for _, p := range s.seen.Proposals {
		count(p.Application, p.Assignments)
	}
	before := map[string]int{}
	for k, n := range held {
		if k.application == name {
			before[k.rack] = n
		}
	}
	count(name, a.Decision.Assignments)
	for _, k := range s.racks {
		rack := k.cluster + "/" + k.name
		if held[at{name, rack}] <= before[rack] {
			continue
		}
		if down[rack] {
			r.Fatalf("%s: instances come to %s, which is down", a, rack)
		}
		sum := 0
		for x, n := range held {
			if x.rack == rack {
				sum += n
			}
		}
		if room := (k.hosts - k.down) * int(k.cpu); sum > room {
			r.Fatalf("%s: %d cores in rack %s, which holds %d", a, sum, rack, room)
		}
	}
}
