// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/platform/storytest"
)

// TestStories plays testdata/*.txt: lines that begin in the first column are
// said to the scheduler, indented lines are what it answers.
func TestStories(t *testing.T) {
	storytest.Play(t, func(t *testing.T) storytest.Stage {
		return (&stage{t: t, requests: map[string]*placement.Request{}, inForce: map[string][]placement.Assignment{}, waits: map[string][]placement.Wait{}, policy: placement.DefaultPolicy()}).do
	})
}

type stage struct {
	t        *testing.T
	snapshot placement.Snapshot
	quotas   []tenancyv1.Quota
	requests map[string]*placement.Request
	inForce  map[string][]placement.Assignment
	policy   placement.Policy
	waits    map[string][]placement.Wait
}

func (s *stage) do(verb string, w []string) []string {
	switch verb {
	case "cluster": // cluster NAME DATACENTER ENVIRONMENT
		s.snapshot.Clusters = append(s.snapshot.Clusters, placement.Cluster{Name: w[0], DataCenter: w[1], Environment: w[2], GuardsPools: true, Volumes: []string{"Shared", "Local"}})
	case "away": // away CLUSTER WHY…
		s.cluster(w[0]).Away = strings.Join(w[1:], " ")
	case "forget": // forget cluster|pool|dcn|zone NAME: nobody knows it any more
		s.forget(w[0], w[1])
	case "unguarded": // unguarded CLUSTER
		s.cluster(w[0]).GuardsPools = false
	case "dcn": // dcn NAME DATACENTER ENVIRONMENT [PARTNER]
		s.snapshot.DCNs = append(s.snapshot.DCNs, placement.DCN{Name: w[0], DataCenter: w[1], Environment: w[2], Partner: strings.Join(w[3:], "")})
	case "racks": // racks DATACENTER RACK=ZONE…
		d := placement.DataCenter{Name: w[0], Racks: map[string]string{}}
		for _, r := range w[1:] {
			rack, zone, _ := strings.Cut(r, "=")
			d.Racks[rack] = zone
		}
		s.snapshot.DataCenters = append(s.snapshot.DataCenters, d)
	case "machine": // machine TENANT/APP COMPONENT DCN DATACENTER RACK [SEAT]: an instance on a virtual machine
		seat, _ := strconv.ParseInt(strings.Join(w[5:], ""), 10, 32)
		s.snapshot.Machines = append(s.snapshot.Machines, placement.Machine{Application: w[0], Component: w[1], DCN: w[2], DataCenter: w[3], Rack: w[4], Seat: int32(seat)})
	case "stale": // stale TENANT/APP WHY…: nobody is sure of its virtual machines any more
		for i := range s.snapshot.Machines {
			if s.snapshot.Machines[i].Application == w[0] {
				s.snapshot.Machines[i].Stale = strings.Join(w[1:], " ")
			}
		}
	case "unsure": // unsure TENANT/APP: what keeps automation off it
		if why := placement.Unsure(s.snapshot.Machines, w[0]); why != "" {
			return []string{why}
		}
		return []string{"nothing is in doubt"}
	case "shut": // shut TENANT/APP COMPONENT RACK: a virtual machine is shut down
		i := slices.IndexFunc(s.snapshot.Machines, func(m placement.Machine) bool { return m.Application == w[0] && m.Component == w[1] && m.Rack == w[2] })
		s.snapshot.Machines = slices.Delete(s.snapshot.Machines, i, i+1)
	case "tags": // tags TENANT/APP COMPONENT TAG…
		s.snapshot.Profiles = append(s.snapshot.Profiles, placement.Profile{Application: w[0], Component: w[1], Tags: w[2:]})
	case "calls": // calls TENANT/APP COMPONENT OTHER…
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				c.Calls = w[2:]
			}
		}
	case "described": // described TENANT/APP COMPONENT TAG… -TAG…: tags of the Revision, and those that it is without
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				for _, tag := range w[2:] {
					if without, ok := strings.CutPrefix(tag, "-"); ok {
						c.Without = append(c.Without, without)
					} else {
						c.Tags = append(c.Tags, tag)
					}
				}
			}
		}
	case "spread": // spread TENANT/APP COMPONENT RACKS [ZONES [DATACENTERS]]
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				for j, least := range []*int32{&c.MinRacks, &c.MinZones, &c.MinDataCenters} {
					n, _ := strconv.ParseInt(slices.Concat(w[2:], []string{"0", "0"})[j], 10, 32)
					*least = int32(n)
				}
			}
		}
	case "apart": // apart TENANT/APP COMPONENT SCOPE [TENANT/APP] OTHER: it keeps apart from another; SCOPE none: from nobody
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				c.KeepsFrom = nil
				if w[2] != "none" {
					k := placement.KeepsFrom{Application: w[0], Component: w[len(w)-1], Scope: placement.Scope(w[2])}
					if len(w) == 5 {
						k.Application = w[3]
					}
					c.KeepsFrom = append(c.KeepsFrom, k)
				}
			}
		}
	case "most": // most TENANT/APP COMPONENT N [cell]: N on one host, or for each host of a cell where its pods do not say it
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				n, _ := strconv.ParseInt(w[2], 10, 32)
				if c.MaxPerHost, c.MaxOfCell = int32(n), 0; len(w) > 3 {
					c.MaxPerHost, c.MaxOfCell = 0, int32(n)
				}
			}
		}
	case "over": // over TENANT/APP COMPONENT STEP…: what its instances spread over, most important first
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				for _, step := range w[2:] {
					c.Spread = append(c.Spread, placement.Scope(step))
				}
			}
		}
	case "bound": // bound TENANT/APP COMPONENT TENANT/APP OTHER: it calls a component of another application
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				c.CallsOutside = append(c.CallsOutside, placement.Callee{Application: w[2], Component: w[3]})
			}
		}
	case "prefer": // prefer TENANT/APP COMPONENT POOL…
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				c.Pools = w[2:]
			}
		}
	case "waits": // waits TENANT/APP COMPONENT CELL SEAT…: seats that wait in a cell for room, from now on
		i := slices.IndexFunc(s.inForce[w[0]], func(a placement.Assignment) bool { return a.Component == w[1] && a.Cell.Key() == w[2] })
		wait := placement.Wait{Component: w[1], Cell: s.inForce[w[0]][i].Cell}
		for _, seat := range w[3:] {
			n, _ := strconv.ParseInt(seat, 10, 32)
			wait.Seats = append(wait.Seats, int32(n))
		}
		s.waits[w[0]] = append(s.waits[w[0]], wait)
	case "sits": // sits TENANT/APP COMPONENT CLUSTER SEAT=HOST…: where its instances were seen last
		for _, word := range w[3:] {
			seat, host, _ := strings.Cut(word, "=")
			n, _ := strconv.ParseInt(seat, 10, 32)
			s.request(w[0]).Sits = append(s.request(w[0]).Sits, placement.Sits{Component: w[1], Seat: int32(n), Cluster: w[2], Host: host})
		}
	case "volumes": // volumes TENANT/APP COMPONENT KIND…
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				c.Volumes = w[2:]
			}
		}
	case "hosted": // hosted TENANT/APP: nothing of it waits any more
		delete(s.waits, w[0])
	case "resize": // resize HOST CPU MEMORY
		s.resize(w)
	case "priority": // priority TENANT/APP N
		n, _ := strconv.ParseInt(w[1], 10, 32)
		s.request(w[0]).Priority = int32(n)
	case "spare": // spare N: cells of N hosts and more keep one host's worth free
		s.policy.SpareFrom, _ = strconv.Atoi(w[0])
	case "weigh": // weigh SCORE WEIGHT: what a score counts for from now on
		i := slices.IndexFunc(s.policy.Scores, func(x placement.Score) bool { return x.Name == w[0] })
		s.policy.Scores[i].Weight, _ = strconv.ParseInt(w[1], 10, 64)
	case "surge": // surge N: N of each hundred hosts are kept for successors
		n, _ := strconv.ParseInt(w[0], 10, 32)
		s.policy.Surge = int32(n)
	case "sizes": // sizes POOL NAME CPU MEMORY: it takes instances of these sizes alone
		for i := range s.snapshot.Pools {
			if p := &s.snapshot.Pools[i]; p.Name == w[0] {
				p.Sizes = append(p.Sizes, placement.NamedSize{Name: w[1], Size: size(s.t, w[2], w[3])})
			}
		}
	case "packs": // packs POOL: it fills hosts that are in use first
		for i := range s.snapshot.Pools {
			if s.snapshot.Pools[i].Name == w[0] {
				s.snapshot.Pools[i].Pack = true
			}
		}
	case "explain": // explain: decisions say why from now on
		s.policy.Explain = true
	case "together": // together TENANT/APP…
		return s.placeAll(w)
	case "capacity": // capacity POOL NAME CPU MEMORY…: what it holds of sizes and could hold
		return s.capacity(w)
	case "simulate": // simulate lose KIND|- NAME … add POOL CLUSTER RACK N [new] …
		return s.simulate(w)
	case "level": // level NAME [guarded]
		s.snapshot.Levels = append(s.snapshot.Levels, placement.Level{Name: w[0], NeedsGuard: len(w) > 1})
	case "zone": // zone NAME LEVEL…
		s.snapshot.Zones = append(s.snapshot.Zones, placement.Zone{Name: w[0], Levels: w[1:]})
	case "pool": // pool NAME TENANTS LEVEL ZONES [Simulated]
		p := placement.Pool{Name: w[0], Tenants: strings.Split(w[1], ","), Level: w[2], Zones: strings.Split(w[3], ","), Kind: placement.RealHosts}
		if len(w) > 4 {
			p.Kind = placement.HostKind(w[4])
		}
		s.snapshot.Pools = append(s.snapshot.Pools, p)
	case "runs": // runs TENANT/APP COMPONENT PROCESSOR…: what its image runs on
		for i := range s.request(w[0]).Components {
			if c := &s.request(w[0]).Components[i]; c.Name == w[1] {
				c.Archs = w[2:]
			}
		}
	case "host": // host POOL CLUSTER RACK NAME CPU MEMORY [PROCESSOR]
		s.host(w)
	case "lose": // lose HOST
		for i := range s.snapshot.Pools {
			for j := range s.snapshot.Pools[i].Racks {
				r := &s.snapshot.Pools[i].Racks[j]
				r.Hosts = slices.DeleteFunc(r.Hosts, func(h placement.Host) bool { return h.Name == w[0] })
			}
		}
	case "relabel": // relabel HOST POOL RACK: its labels say something else from now on
		s.relabel(w)
	case "quota": // quota POOL INSTANCES CPU MEMORY
		n, _ := strconv.ParseInt(w[1], 10, 64)
		s.quotas = slices.DeleteFunc(s.quotas, func(q tenancyv1.Quota) bool { return q.Pool == w[0] })
		s.quotas = append(s.quotas, tenancyv1.Quota{Environment: "prod", Pool: w[0], Instances: n, CPU: resource.MustParse(w[2]), Memory: resource.MustParse(w[3])})
	case "component": // component TENANT/APP NAME KIND ZONE LEVEL TEMPLATE CPU MEMORY DCN=N…
		s.component(w)
	case "clusters": // clusters TENANT/APP COMPONENT DCN CLUSTER=N|CLUSTER:WEIGHT…: what each cluster gets of a DCN
		s.clusters(w)
	case "remove": // remove TENANT/APP COMPONENT
		r := s.request(w[0])
		r.Components = slices.DeleteFunc(r.Components, func(c placement.Component) bool { return c.Name == w[1] })
	case "place": // place TENANT/APP
		return s.placeAll(w[:1])
	case "release": // release TENANT/APP: the placement in force is the only one from now on
		s.supersede(w[0])
	default:
		s.t.Fatalf("the story says %q, which nobody understands", verb)
	}
	return nil
}

func (s *stage) cluster(name string) *placement.Cluster {
	for i := range s.snapshot.Clusters {
		if s.snapshot.Clusters[i].Name == name {
			return &s.snapshot.Clusters[i]
		}
	}
	s.t.Fatalf("no cluster %q", name)
	return nil
}

func (s *stage) host(w []string) {
	for i := range s.snapshot.Pools {
		p := &s.snapshot.Pools[i]
		if p.Name != w[0] {
			continue
		}
		room := size(s.t, w[4], w[5])
		room.Instances = 110
		h := placement.Host{Name: w[3], Room: room, Arch: strings.Join(w[6:], "")}
		for j := range p.Racks {
			if p.Racks[j].Cluster == w[1] && p.Racks[j].Name == w[2] {
				p.Racks[j].Hosts = append(p.Racks[j].Hosts, h)
				return
			}
		}
		p.Racks = append(p.Racks, placement.Rack{Cluster: w[1], Name: w[2], Hosts: []placement.Host{h}})
	}
}

// resize has a host offer something else from now on.
func (s *stage) resize(w []string) {
	for i := range s.snapshot.Pools {
		for _, rack := range s.snapshot.Pools[i].Racks {
			for k := range rack.Hosts {
				if rack.Hosts[k].Name == w[0] {
					rack.Hosts[k].Room = size(s.t, w[1], w[2])
					rack.Hosts[k].Room.Instances = 110
				}
			}
		}
	}
}

// relabel has a host lie in another pool and rack of its cluster from now on.
func (s *stage) relabel(w []string) {
	for _, p := range s.snapshot.Pools {
		for _, rack := range p.Racks {
			for _, h := range rack.Hosts {
				if h.Name == w[0] {
					s.do("lose", w[:1])
					s.host([]string{w[1], rack.Cluster, w[2], h.Name, fmt.Sprintf("%dm", h.Room.CPU), strconv.FormatInt(h.Room.Memory, 10), h.Arch})
					return
				}
			}
		}
	}
}

func (s *stage) request(name string) *placement.Request {
	if s.requests[name] == nil {
		tenant, _, _ := strings.Cut(name, "/")
		s.requests[name] = &placement.Request{Application: name, Tenant: tenant, Environment: "prod"}
	}
	return s.requests[name]
}

func (s *stage) component(w []string) {
	r := s.request(w[0])
	c := placement.Component{Name: w[1], Zone: w[3], Level: w[4], Template: w[5], Size: size(s.t, w[6], w[7])}
	c.InPlace = w[2] == "Stateful"
	c.OneCell = w[2] == "Cron" || w[2] == "Job"
	for _, count := range w[8:] {
		dcn, n, _ := strings.Cut(count, "=")
		number, err := strconv.ParseInt(n, 10, 32)
		if err != nil {
			s.t.Fatal(err)
		}
		c.Counts = append(c.Counts, placement.Count{DCN: dcn, Count: int32(number)})
	}
	r.Components = slices.DeleteFunc(r.Components, func(x placement.Component) bool { return x.Name == c.Name })
	r.Components = append(r.Components, c)
}

func (s *stage) clusters(w []string) {
	for i := range s.request(w[0]).Components {
		c := &s.request(w[0]).Components[i]
		if c.Name != w[1] {
			continue
		}
		count := &c.Counts[slices.IndexFunc(c.Counts, func(n placement.Count) bool { return n.DCN == w[2] })]
		count.Clusters = nil
		var parts []placement.Weighted
		var of int32
		for _, word := range w[3:] {
			cluster, weight, byWeight := strings.Cut(word, ":")
			if !byWeight {
				cluster, weight, _ = strings.Cut(word, "=")
			}
			n, err := strconv.ParseInt(weight, 10, 32)
			if err != nil {
				s.t.Fatal(err)
			}
			x := placement.ClusterCount{Cluster: cluster, Count: int32(n)}
			if byWeight {
				x.Weight, of = int32(n), of+int32(n)
			}
			count.Clusters = append(count.Clusters, x)
			parts = append(parts, placement.Weighted{Name: cluster, Weight: n})
		}
		if of == 0 {
			continue
		}
		for j, n := range placement.Divide(int64(count.Count), parts) {
			count.Clusters[j].Count, count.Clusters[j].Of = int32(n), of
		}
	}
}

func (s *stage) asked(name string) placement.Request {
	r := *s.request(name)
	r.Previous, r.Quotas = s.inForce[name], s.quotas
	return r.Elsewhere(s.waits[name])
}

func (s *stage) placeAll(names []string) []string {
	var requests []placement.Request
	for _, name := range names {
		requests = append(requests, s.asked(name))
	}
	var out []string
	for i, d := range placement.Place(s.snapshot, requests, s.policy) {
		if len(names) > 1 {
			out = append(out, names[i]+":")
		}
		out = append(out, s.tell(requests[i], d)...)
	}
	return out
}

func reasons(all []placement.Reason) []string {
	var out []string
	for _, reason := range all {
		mark := "-"
		if reason.Refusal {
			mark = "!"
		}
		out = append(out, fmt.Sprintf("%s %s in %s: %s: %s", mark, reason.Component, reason.DCN, reason.Rule, reason.Message))
	}
	return out
}

func (s *stage) tell(r placement.Request, d placement.Decision) []string {
	out := reasons(d.Reasons)
	if d.Refused {
		return append(out, "refused")
	}
	s.inForce[r.Application] = d.Assignments
	for _, a := range d.Assignments {
		s.snapshot.Reserved = append(s.snapshot.Reserved, placement.Reservation{
			Application: r.Application, Tenant: r.Tenant, Environment: r.Environment,
			Placement: fmt.Sprintf("%s-%d", r.Application, len(s.snapshot.Reserved)), Assignment: a,
		})
		out = append(out, fmt.Sprintf("= %s block %d seats %v template %s cell %s hosts %v", a.Component, a.Block, a.Seats, a.Template, a.Cell.Key(), a.Hosts))
	}
	return out
}

func (s *stage) capacity(w []string) []string {
	var sizes []placement.NamedSize
	for of := w[1:]; len(of) > 0; of = of[3:] {
		sizes = append(sizes, placement.NamedSize{Name: of[0], Size: size(s.t, of[1], of[2])})
	}
	var out []string
	more := func(where string, all []placement.More) {
		for _, m := range all {
			out = append(out, fmt.Sprintf("%s: %d %s more, %d if sizes had hosts of their own", where, m.Instances, m.Size, m.Separate))
		}
	}
	for _, c := range placement.Capacity(s.snapshot, sizes, func(string) placement.Policy { return s.policy }) {
		if c.Pool != w[0] {
			continue
		}
		more("in all", c.More)
		for _, site := range c.Sites {
			more(fmt.Sprintf("%s, %.1f CPU free", site.DataCenter, float64(site.Free.CPU)/1000), site.More)
		}
		if c.Advice != "" {
			out = append(out, c.Advice)
		}
	}
	return out
}

func (s *stage) simulate(w []string) []string {
	var change placement.WhatIf
	for len(w) > 0 {
		if w[0] == "lose" {
			change.Lose = append(change.Lose, placement.Loss{Kind: strings.Trim(w[1], "-"), Name: w[2]})
			w = w[3:]
			continue
		}
		n, _ := strconv.Atoi(w[4])
		one := placement.Addition{Pool: w[1], Cluster: w[2], Rack: w[3], Count: n}
		if w = w[5:]; len(w) > 0 && w[0] == "new" {
			one.NewRack, w = true, w[1:]
		}
		change.Add = append(change.Add, one)
	}
	var requests []placement.Request
	for _, name := range slices.Sorted(maps.Keys(s.inForce)) {
		requests = append(requests, s.asked(name))
	}
	outcome, err := placement.Simulate(s.snapshot, requests, change, s.policy)
	if err != nil {
		return []string{err.Error()}
	}
	out := outcome.Taken
	for _, m := range outcome.Moves {
		out = append(out, fmt.Sprintf("%+d %s %s in cell %s", m.By, m.Application, m.Component, m.Cell.Key()))
	}
	for _, u := range outcome.Unplaced {
		out = append(out, u.Application+" would not fit:")
		out = append(out, reasons(u.Reasons)...)
	}
	return out
}

func (s *stage) supersede(name string) {
	s.snapshot.Reserved = slices.DeleteFunc(s.snapshot.Reserved, func(h placement.Reservation) bool { return h.Application == name })
	for _, a := range s.inForce[name] {
		s.snapshot.Reserved = append(s.snapshot.Reserved, placement.Reservation{Application: name, Tenant: s.request(name).Tenant, Environment: "prod", Assignment: a})
	}
}

func size(t *testing.T, cpu, memory string) placement.Amount {
	t.Helper()
	c, err := resource.ParseQuantity(cpu)
	if err != nil {
		t.Fatal(err)
	}
	m, err := resource.ParseQuantity(memory)
	if err != nil {
		t.Fatal(err)
	}
	return placement.Amount{CPU: c.MilliValue(), Memory: m.Value(), Instances: 1}
}

// forget takes an object out of what is known.
func (s *stage) forget(kind, name string) {
	switch kind {
	case "cluster":
		s.snapshot.Clusters = slices.DeleteFunc(s.snapshot.Clusters, func(c placement.Cluster) bool { return c.Name == name })
	case "pool":
		s.snapshot.Pools = slices.DeleteFunc(s.snapshot.Pools, func(p placement.Pool) bool { return p.Name == name })
	case "dcn":
		s.snapshot.DCNs = slices.DeleteFunc(s.snapshot.DCNs, func(d placement.DCN) bool { return d.Name == name })
	case "zone":
		s.snapshot.Zones = slices.DeleteFunc(s.snapshot.Zones, func(z placement.Zone) bool { return z.Name == name })
	default:
		s.t.Fatalf("no such kind: %s", kind)
	}
}
