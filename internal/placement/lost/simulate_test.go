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

	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
)

// TestSimulateAgrees loses something of a random fleet in a thought and then in earnest: what
// Simulate says is what is proposed, and what finds no place is the same.
func TestSimulateAgrees(t *testing.T) {
	proposed, unplaced, partly := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		s := newStage(t)
		s.seen.Fleet.DataCenters = []placement.DataCenter{{Name: "dc-east", Racks: map[string]string{"a": "az-1", "b": "az-2", "c": "az-3"}}, {Name: "dc-west", Racks: map[string]string{"d": "az-1", "e": "az-2"}}}
		partner := rapid.SampledFrom([]string{"west", ""}).Draw(r, "partner")
		for _, line := range []string{"cluster east-1 dc-east sit", "cluster east-2 dc-east sit", "cluster west-1 dc-west sit", "dcn east dc-east sit " + partner, "dcn west dc-west sit east"} {
			w := strings.Fields(line)
			s.do(w[0], w[1:])
		}
		for _, rack := range []string{"east-1 a", "east-1 b", "east-2 c", "west-1 d", "west-1 e"} {
			s.do("rack", append(strings.Fields(rack), fmt.Sprint(rapid.IntRange(2, 5).Draw(r, "hosts")), "8"))
		}
		for i := range rapid.IntRange(1, 5).Draw(r, "applications") {
			w := []string{fmt.Sprintf("retail-sit/app-%d", i), "web", fmt.Sprintf("east=%d", rapid.IntRange(1, 8).Draw(r, "east"))}
			if n := rapid.IntRange(0, 6).Draw(r, "west"); n > 0 {
				w = append(w, fmt.Sprintf("west=%d", n))
			}
			w = append(w, fmt.Sprintf("priority=%d", rapid.IntRange(0, 2).Draw(r, "priority")))
			switch rapid.IntRange(0, 5).Draw(r, "sort") {
			case 0:
				w = append(w, "identity", "volume=Local")
			case 1:
				w = append(w, "volume=Shared")
			case 2:
				w = append(w, "identity")
			}
			name := w[0]
			if rapid.IntRange(0, 2).Draw(r, "on machines") == 0 {
				s.seen.Fleet.Machines = append(s.seen.Fleet.Machines, placement.Machine{Application: name, Component: "web", DCN: "east", DataCenter: "dc-east", Rack: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "machine")})
			}
			several := rapid.IntRange(0, 2).Draw(r, "several components") == 0
			if several {
				w = append(w, "and=batch", fmt.Sprintf("east=%d", rapid.IntRange(1, 3).Draw(r, "batch")), fmt.Sprintf("cpu=%d", rapid.IntRange(1, 8).Draw(r, "cpu of batch")))
			}
			if !s.fits(w) {
				continue
			}
			s.do("run", w)
			if len(w) > 4 && rapid.Bool().Draw(r, "over data centers") {
				s.application(name).Request.Components[0].MinDataCenters = 2
			}
		}
		loss := rapid.SampledFrom([]placement.Loss{
			{Kind: "Rack", Name: "dc-east/a"}, {Kind: "Rack", Name: "dc-east/c"}, {Kind: "Rack", Name: "dc-west/d"},
			{Kind: "Cluster", Name: "east-1"}, {Kind: "Cluster", Name: "east-2"}, {Kind: "DataCenter", Name: "dc-east"}, {Kind: "DataCenter", Name: "dc-west"},
		}).Draw(r, "loss")
		s.look()
		before := map[string][]placement.Assignment{}
		var requests []placement.Request
		for _, a := range s.seen.Applications {
			requests = append(requests, a.Request)
			before[a.Request.Application] = a.Request.Previous
		}
		thought, err := placement.Simulate(s.seen.Fleet, requests, placement.WhatIf{Lose: []placement.Loss{loss}}, placement.DefaultPolicy())
		if err != nil {
			r.Fatal(err)
		}
		want := map[string][]string{}
		for _, m := range thought.Moves {
			if m.By > 0 {
				want[m.Application] = append(want[m.Application], fmt.Sprintf("%+d %s in %s", m.By, m.Component, m.Cell.Key()))
			}
		}
		for _, moves := range want {
			slices.Sort(moves)
		}
		var nowhere []string
		for _, u := range thought.Unplaced {
			nowhere = append(nowhere, u.Application)
			if want[u.Application] != nil {
				partly++
			}
		}

		for _, thing := range map[string][]string{
			"dc-east/a": {"rack east-1/a"}, "dc-east/c": {"rack east-2/c"}, "dc-west/d": {"rack west-1/d"},
			"east-1": {"cluster east-1"}, "east-2": {"cluster east-2"}, "dc-east": {"cluster east-1", "cluster east-2"}, "dc-west": {"cluster west-1"},
		}[loss.Name] {
			s.do("lose", strings.Fields(thing))
		}
		// Where a cluster is all that a data centre has, its loss is that of the data centre.
		s.now = s.now.Add(time.Hour)
		s.look()
		d := lost.Decide(s.seen, s.now)
		got := map[string][]string{}
		for _, a := range d.Actions {
			if p, is := a.(lost.Propose); is {
				proposed++
				name := p.Application.Request.Application
				got[name] = gains(before[name], p.Decision.Assignments)
			}
		}
		var real []string
		for _, u := range d.Unplaced {
			unplaced++
			real = append(real, u.Application)
		}
		slices.Sort(nowhere)
		slices.Sort(real)
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatalf("%s lost: -simulated +proposed\n%s", loss.Name, diff)
		}
		if diff := cmp.Diff(nowhere, real); diff != "" {
			r.Fatalf("%s lost: without a place -simulated +decided\n%s", loss.Name, diff)
		}
	})
	if !testing.Short() && (proposed == 0 || unplaced == 0 || partly == 0) {
		t.Errorf("%d proposals, %d without a place and %d of a part: the fleets were too kind to show anything", proposed, unplaced, partly)
	}
}

// TestSimulateAgreesOnHosts loses hosts of a rack in a thought and then in earnest, where instances
// keep to their hosts for their volumes: the same instances are without a place, the others of them
// are not touched, and nothing is proposed.
func TestSimulateAgreesOnHosts(t *testing.T) {
	named := 0
	rapid.Check(t, func(r *rapid.T) {
		s := newStage(t)
		s.do("cluster", strings.Fields("east-1 dc-east sit"))
		s.do("dcn", strings.Fields("east dc-east sit"))
		hosts := rapid.IntRange(2, 4).Draw(r, "hosts")
		s.do("rack", []string{"east-1", "a", fmt.Sprint(hosts), "8"})
		s.do("rack", []string{"east-1", "b", "2", "8"})
		for i := range rapid.IntRange(1, 4).Draw(r, "applications") {
			w := []string{fmt.Sprintf("retail-sit/app-%d", i), "web", fmt.Sprintf("east=%d", rapid.IntRange(1, 8).Draw(r, "east"))}
			w = append(w, rapid.SampledFrom([][]string{nil, {"identity", "volume=Local"}, {"volume=Local"}, {"volume=Shared"}, {"identity", "volume=Block"}}).Draw(r, "sort")...)
			if s.fits(w) {
				s.do("run", w)
			}
		}
		down := rapid.IntRange(1, hosts-1).Draw(r, "lost")
		var change placement.WhatIf
		for i := range down {
			change.Lose = append(change.Lose, placement.Loss{Kind: "Host", Name: fmt.Sprintf("east-1/east-1-a-%d", i)})
		}
		// Each instance sits on some host of its rack, of which it had room for one.
		var requests []placement.Request
		want := map[string]int{}
		room := map[string]int64{}
		for i := range s.seen.Applications {
			a := &s.seen.Applications[i]
			local := a.Request.Components[0].KeepsToHost()
			for _, x := range a.Request.Previous {
				n := map[string]int{"a": hosts, "b": 2}[x.Cell.Rack]
				for _, seat := range x.Seats {
					k := rapid.IntRange(0, n-1).Draw(r, "host")
					for room[fmt.Sprint(x.Cell.Rack, k)] == 8 {
						k = (k + 1) % n
					}
					room[fmt.Sprint(x.Cell.Rack, k)]++
					at := placement.Sits{Component: "web", Seat: seat, Cluster: "east-1", Host: fmt.Sprintf("east-1-%s-%d", x.Cell.Rack, k)}
					a.Request.Sits = append(a.Request.Sits, at)
					if x.Cell.Rack == "a" && k < down {
						a.Silent = append(a.Silent, at)
						if local {
							want[a.Request.Application]++
							named++
						}
					}
				}
			}
			requests = append(requests, a.Request)
		}
		s.look()
		thought, err := placement.Simulate(s.seen.Fleet, requests, change, placement.DefaultPolicy())
		if err != nil {
			r.Fatal(err)
		}
		s.do("lose", []string{"hosts", "east-1/a", fmt.Sprint(down)})
		s.now = s.now.Add(time.Hour)
		s.look()
		earnest := lost.Decide(s.seen, s.now)
		got := map[string]int{}
		for _, u := range earnest.Unplaced {
			got[u.Application] = u.Instances
		}
		if diff := cmp.Diff(want, got); diff != "" || len(earnest.Actions) > 0 {
			r.Fatalf("-on lost hosts +without a place in earnest; %v is done:\n%s", earnest.Actions, diff)
		}
		for _, a := range s.seen.Applications {
			name := a.Request.Application
			if !a.Request.Components[0].KeepsToHost() {
				continue
			}
			text := ""
			for _, u := range thought.Unplaced {
				if u.Application == name {
					text = fmt.Sprint(u.Reasons)
				}
			}
			counted := strings.Contains(text, fmt.Sprintf("%d instance", want[name])) && strings.Contains(text, "comes back with") || strings.Contains(text, fmt.Sprintf("%d instances with Local", want[name]))
			if (want[name] > 0) != (text != "") || want[name] > 0 && !counted {
				r.Fatalf("%d of %s are on lost hosts, and the thought says %q", want[name], name, text)
			}
			if slices.ContainsFunc(thought.Moves, func(m placement.Move) bool { return m.Application == name }) {
				r.Fatalf("%s keeps to its hosts, and moves: %v", name, thought.Moves)
			}
		}
	})
	if !testing.Short() && named < 10 {
		t.Errorf("%d instances were on lost hosts: that says little", named)
	}
}

// fits reports whether an application finds room, as run takes it.
func (s *stage) fits(w []string) bool {
	trial := newStage(s.t)
	trial.seen, trial.racks, trial.now = s.seen, s.racks, s.now
	trial.look()
	r := trial.request(w)
	return !placement.Place(trial.seen.Fleet, []placement.Request{r}, placement.DefaultPolicy())[0].Refused
}

// gains are the cells that have more than before.
func gains(before, after []placement.Assignment) []string {
	var out []string
	for _, a := range after {
		n := len(a.Seats)
		for _, b := range before {
			if b.Component == a.Component && b.Cell == a.Cell {
				n -= len(b.Seats)
			}
		}
		if n > 0 {
			out = append(out, fmt.Sprintf("%+d %s in %s", n, a.Component, a.Cell.Key()))
		}
	}
	slices.Sort(out)
	return out
}
