// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// drawApart has components keep apart from each other and from another application's, which
// may keep apart from them, too.
func drawApart(t *rapid.T, s *placement.Snapshot, components []placement.Component) {
	const other = "retail-prod/other"
	scopes := []placement.Scope{placement.ScopeZone, placement.ScopeRack, placement.ScopeHost}
	for i := range components {
		c := &components[i]
		c.KeepsFrom = nil
		if rapid.IntRange(0, 2).Draw(t, "keeps apart") > 0 {
			continue
		}
		k := placement.KeepsFrom{Application: "retail-prod/pay", Component: rapid.SampledFrom([]string{"c0", "c1", "c2"}).Draw(t, "from"), Scope: rapid.SampledFrom(scopes).Draw(t, "scope")}
		if rapid.IntRange(0, 2).Draw(t, "from another") == 0 {
			k.Application, k.Component = other, "x"
		}
		if k.Application == other || k.Component != c.Name {
			c.KeepsFrom = append(c.KeepsFrom, k)
		}
	}
	if len(s.Reserved) > 0 || rapid.Bool().Draw(t, "alone") {
		return
	}
	pool := rapid.SampledFrom(s.Pools).Draw(t, "pool of another")
	rack := rapid.SampledFrom(pool.Racks).Draw(t, "rack of another")
	a := placement.Assignment{
		Component: "x", Template: "t", Size: placement.Amount{CPU: 250, Memory: 1 << 28, Instances: 1}, Seats: []int32{0, 1}[:rapid.IntRange(1, 2).Draw(t, "others")],
		Cell: placement.Cell{Cluster: rack.Cluster, Pool: pool.Name, Zone: "core", Rack: rack.Name, DCN: "dcn-elsewhere"},
	}
	if rapid.Bool().Draw(t, "keeps apart itself") {
		a.KeepsFrom = []placement.KeepsFrom{{Application: "retail-prod/pay", Component: "c0", Scope: rapid.SampledFrom(scopes).Draw(t, "scope")}}
	}
	s.Reserved = append(s.Reserved, placement.Reservation{Application: other, Tenant: "retail", Environment: "prod", Assignment: a})
}

// lying is instances of one component in one place.
type lying struct {
	application, component string
	site, rack             string
	// n of them, of which so many are new there.
	n, more int
	from    []placement.KeepsFrom
	// old ones stand beside their successors until those serve.
	old bool
}

// keptApart wants that nobody new shares a zone or rack with whom he keeps apart from, or who
// keeps apart from him; and that who names another one has left where that one is.
func keptApart(t *rapid.T, s placement.Snapshot, r placement.Request, d placement.Decision) {
	var all []lying
	component := func(name string) placement.Component {
		return r.Components[slices.IndexFunc(r.Components, func(c placement.Component) bool { return c.Name == name })]
	}
	for _, a := range d.Assignments {
		if !slices.Equal(a.KeepsFrom, component(a.Component).KeepsFrom) {
			t.Fatalf("the assignment of %s does not say from whom it keeps apart: %+v", a.Component, a)
		}
		if len(a.Seats) > 0 {
			all = append(all, lying{application: r.Application, component: a.Component, site: siteOf(s, a.Cell.Cluster), rack: a.Cell.Rack, n: len(a.Seats), more: len(a.Seats) - before(r, a), from: a.KeepsFrom})
		}
	}
	for _, p := range r.Previous {
		if c := component(p.Component); len(p.Seats) > 0 && p.Template != c.Template && !c.InPlace {
			all = append(all, lying{application: r.Application, component: p.Component, site: siteOf(s, p.Cell.Cluster), rack: p.Cell.Rack, n: len(p.Seats), old: true, from: p.KeepsFrom})
		}
	}
	for _, h := range s.Reserved {
		if h.Application != r.Application {
			all = append(all, lying{application: h.Application, component: h.Component, site: siteOf(s, h.Cell.Cluster), rack: h.Cell.Rack, n: len(h.Seats), from: h.KeepsFrom})
		}
	}
	for _, m := range s.Machines {
		all = append(all, lying{application: m.Application, component: m.Component, site: m.DataCenter, rack: m.Rack, n: 1})
	}
	for _, x := range all {
		for _, o := range all {
			if x.application != r.Application || x.old || x.application == o.application && x.component == o.component {
				continue
			}
			for _, named := range []bool{true, false} {
				from, who := x.from, o
				if !named {
					from, who = o.from, x
				}
				for _, k := range from {
					if k.Application != who.application || k.Component != who.component || k.Scope == placement.ScopeHost {
						continue
					}
					near := x.site == o.site && x.rack == o.rack
					if k.Scope == placement.ScopeZone {
						near = domainOf(s, x.site, x.rack) == domainOf(s, o.site, o.rack)
					}
					if near && (x.more > 0 || named && !o.old) {
						t.Fatalf("%+v lies in the %s of %+v", x, k.Scope, o)
					}
				}
			}
		}
	}
}

// mustLeave says that one is, or was until now, in the zone or rack of a cell from whom a
// component keeps apart there.
func mustLeave(s placement.Snapshot, r placement.Request, c placement.Component, d placement.Decision, cell placement.Cell) bool {
	site := siteOf(s, cell.Cluster)
	for _, k := range c.KeepsFrom {
		near := func(application, component, theirSite, rack string) bool {
			if k.Application != application || k.Component != component {
				return false
			}
			return k.Scope == placement.ScopeRack && theirSite == site && rack == cell.Rack ||
				k.Scope == placement.ScopeZone && domainOf(s, theirSite, rack) == domainOf(s, site, cell.Rack)
		}
		for _, m := range s.Machines {
			if near(m.Application, m.Component, m.DataCenter, m.Rack) {
				return true
			}
		}
		for _, h := range s.Reserved {
			if near(h.Application, h.Component, siteOf(s, h.Cell.Cluster), h.Cell.Rack) && len(h.Seats) > 0 {
				return true
			}
		}
		for _, a := range slices.Concat(r.Previous, d.Assignments) {
			if near(r.Application, a.Component, siteOf(s, a.Cell.Cluster), a.Cell.Rack) && len(a.Seats) > 0 {
				return true
			}
		}
	}
	return false
}

// offHosts names the components that share no host of a room with one, whoever says so: what
// the application said before holds where it still has instances that say it.
func offHosts(s placement.Snapshot, r placement.Request, in roomName, application, component string) []string {
	var off []string
	note := func(app, name string, from []placement.KeepsFrom) {
		for _, k := range from {
			if k.Scope != placement.ScopeHost {
				continue
			}
			if app == application && name == component {
				off = append(off, k.Application+"/"+k.Component)
			}
			if k.Application == application && k.Component == component {
				off = append(off, app+"/"+name)
			}
		}
	}
	for _, c := range r.Components {
		note(r.Application, c.Name, c.KeepsFrom)
	}
	for _, p := range r.Previous {
		if (roomName{p.Cell.Cluster, p.Cell.Pool, p.Cell.Rack}) == in {
			note(r.Application, p.Component, p.KeepsFrom)
		}
	}
	for _, h := range s.Reserved {
		if h.Application != r.Application {
			note(h.Application, h.Component, h.KeepsFrom)
		}
	}
	return slices.DeleteFunc(off, func(o string) bool { return o == application+"/"+component })
}

// lyingOn is an instance that looks for a host, for the search through all that may happen.
type lyingOn struct {
	size int64
	side int // of two that share no host: 1 or 2; 0: neither
}

// mayBeLeft tries every way in which some may lie, and says whether one more may find no
// host. The others may wait as well: whoever finds none does not help another.
func mayBeLeft(hosts []int64, all []lyingOn) bool {
	for left := range all {
		others := slices.Delete(slices.Clone(all), left, left+1)
		free, on := slices.Clone(hosts), make([][3]int, len(hosts))
		takes := func(h int, x lyingOn) bool { return free[h] >= x.size && (x.side == 0 || on[h][3-x.side] == 0) }
		var try func(i int) bool
		try = func(i int) bool {
			if i == len(others) {
				for h := range hosts {
					if takes(h, all[left]) {
						return false
					}
				}
				return true
			}
			if try(i + 1) { // it waits
				return true
			}
			x := others[i]
			for h := range hosts {
				if !takes(h, x) {
					continue
				}
				free[h] -= x.size
				on[h][x.side]++
				stuck := try(i + 1)
				free[h] += x.size
				on[h][x.side]--
				if stuck {
					return true
				}
			}
			return false
		}
		if try(0) {
			return true
		}
	}
	return false
}

// TestHostsApart compares decisions about two components that share no host, beside a third
// that nobody keeps apart from, with every way in which the member's scheduler may lay
// them: what is granted is certain, and little of what is certain is refused.
func TestHostsApart(t *testing.T) {
	var certain, refused, wrongly int
	for range 10 {
		rapid.Check(t, func(t *rapid.T) {
			s := placement.Snapshot{
				DCNs: []placement.DCN{{Name: "dcn", DataCenter: "east", Environment: "prod"}}, Zones: []placement.Zone{{Name: "business", Levels: []string{"basic"}}},
				Levels: []placement.Level{{Name: "basic"}}, Clusters: []placement.Cluster{{Name: "c0", DataCenter: "east", Environment: "prod"}},
			}
			rack := placement.Rack{Cluster: "c0", Name: "rack"}
			var hosts []int64
			for i := range rapid.IntRange(2, 4).Draw(t, "hosts") {
				cores := int64(rapid.IntRange(1, 4).Draw(t, "cores"))
				hosts = append(hosts, cores*1000)
				rack.Hosts = append(rack.Hosts, placement.Host{Name: string(rune('a' + i)), Room: placement.Amount{CPU: cores * 1000, Memory: 64 << 30, Instances: 100}})
			}
			s.Pools = []placement.Pool{{Name: "pool", Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts, Racks: []placement.Rack{rack}}}
			r := placement.Request{Application: "retail-prod/pay", Tenant: "retail", Environment: "prod"}
			r.Quotas = []tenancyv1.Quota{{Environment: "prod", Pool: "pool", Instances: 100, CPU: resource.MustParse("1000"), Memory: resource.MustParse("1Ti")}}
			var all []lyingOn
			for i, name := range []string{"c", "a", "b"} {
				count := rapid.IntRange(min(i, 1), 2).Draw(t, "count of "+name)
				size := int64(rapid.SampledFrom([]int{500, 1000, 2000}).Draw(t, "size of "+name))
				c := placement.Component{Name: name, Template: "t", Zone: "business", Level: "basic", Size: placement.Amount{CPU: size, Memory: 1 << 20, Instances: 1}, Counts: []placement.Count{{DCN: "dcn", Count: int32(count)}}}
				if name == "a" {
					c.KeepsFrom = []placement.KeepsFrom{{Application: r.Application, Component: "b", Scope: placement.ScopeHost}}
				}
				r.Components = append(r.Components, c)
				all = append(all, slices.Repeat([]lyingOn{{size, i}}, count)...)
			}
			d := placement.Place(s, []placement.Request{r}, placement.DefaultPolicy())[0]
			switch left := mayBeLeft(hosts, all); {
			case left && !d.Refused:
				t.Fatalf("granted, but one of %v may find no host of %v: %v", all, hosts, d.Assignments)
			case left:
				refused++
			default:
				certain++
				if d.Refused {
					wrongly++
				}
			}
		})
	}
	t.Logf("%d certain, of which %d were refused; %d refused by both", certain, wrongly, refused)
	if !testing.Short() && (certain < 100 || refused < 100) {
		t.Errorf("%d certain and %d uncertain cases say little", certain, refused)
	}
	if wrongly*25 > certain {
		t.Errorf("%d of %d that are certain were refused: more than one in 25", wrongly, certain)
	}
}

// TestRacksApart compares the placing of two components that share no rack with every way to
// lay both over the racks: what is possible and refused is rare.
func TestRacksApart(t *testing.T) {
	var possible, wrongly int
	often(t, 10, func(t *rapid.T) {
		s, r, w := small(t)
		s.Machines, w.machines = nil, map[string]int64{}
		w.minRacks, w.minZones = 0, 0
		c := &r.Components[0]
		c.MinRacks, c.MinZones = 0, 0
		c.Counts[0] = placement.Count{DCN: "dcn", Count: min(c.Counts[0].Count, 3)}
		w.clusters = nil
		second := *c
		second.Name, second.Counts = "c1", []placement.Count{{DCN: "dcn", Count: int32(rapid.IntRange(1, 3).Draw(t, "second count"))}}
		second.KeepsFrom = []placement.KeepsFrom{{Application: r.Application, Component: "c0", Scope: placement.ScopeRack}}
		r.Components = append(r.Components, second)
		policy := placement.DefaultPolicy()
		policy.SpareFrom, policy.Surge = w.spare, w.surge
		d := placement.Place(s, []placement.Request{r}, policy)[0]
		can := false
		w.each(int(c.Counts[0].Count), func(n []int) {
			if _, ok := w.cost(n, c.Size); !ok || can {
				return
			}
			taken := map[string]bool{}
			for i, room := range w.rooms {
				taken[room.rack] = taken[room.rack] || n[i] > 0
			}
			then := w.with(n, c.Size)
			then.each(int(second.Counts[0].Count), func(m []int) {
				for i, room := range then.rooms {
					if m[i] > 0 && taken[room.rack] {
						return
					}
				}
				_, ok := then.cost(m, c.Size)
				can = can || ok
			})
		})
		switch {
		case !can && !d.Refused:
			t.Fatalf("granted what is not possible: %v", d.Assignments)
		case can:
			possible++
			if d.Refused {
				wrongly++
			}
		}
	})
	t.Logf("%d of %d that were possible were refused", wrongly, possible)
	if wrongly*50 > possible || !testing.Short() && possible < 50 {
		t.Errorf("%d of %d that were possible were refused: more than one in 50", wrongly, possible)
	}
}

// TestClashOfNeighbours has two servers place two applications at once, one of which keeps
// apart from the other: whoever is seen second gives way, whichever of the two it is, and
// what it had before stays.
func TestClashOfNeighbours(t *testing.T) {
	shy := func(rack string, scope placement.Scope) placement.Reservation {
		r := held("retail-prod/shy", "staying", rack, "dcn-else", 1)
		r.KeepsFrom = []placement.KeepsFrom{{Application: "retail-prod/pay", Component: "account", Scope: scope}}
		return r
	}
	pay := func(rack string) placement.Reservation {
		return held("retail-prod/pay", "staying", rack, "dcn-else", 1)
	}
	cases := map[string]struct {
		reason      string
		there       placement.Reservation
		before, now placement.Reservation
		want        string
	}{
		"NamesIt":   {"it names who is there", pay("rack-1"), placement.Reservation{}, shy("rack-1", placement.ScopeRack), "component account: rack rack-1 of east has 1 instance of component account of retail-prod/pay, which the component keeps apart from by rack"},
		"IsNamed":   {"who is there names it", shy("rack-1", placement.ScopeRack), placement.Reservation{}, pay("rack-1"), "component account: rack rack-1 of east has 1 instance of component account of retail-prod/shy, which keeps apart from the component by rack"},
		"Elsewhere": {"another rack is far enough", shy("rack-1", placement.ScopeRack), placement.Reservation{}, pay("rack-2"), ""},
		"Zone":      {"but not in the same zone", shy("rack-1", placement.ScopeZone), placement.Reservation{}, pay("rack-2"), "component account: zone az of east has 1 instance of component account of retail-prod/shy, which keeps apart from the component by availability zone"},
		"Host":      {"the only host of a rack holds one of the two", shy("rack-1", placement.ScopeHost), placement.Reservation{}, pay("rack-1"), "pool shared on rack rack-1 of cluster staying no longer holds 1 instance of component account beside what others hold"},
		"Before":    {"what it had it keeps", shy("rack-1", placement.ScopeRack), pay("rack-1"), pay("rack-1"), ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := partners()
			s.DCNs, s.Reserved = nil, []placement.Reservation{tc.there}
			s.DataCenters = []placement.DataCenter{{Name: "east", Racks: map[string]string{"rack-1": "az", "rack-2": "az"}}}
			var before []placement.Reservation
			if tc.before.Application != "" {
				before = append(before, tc.before)
			}
			got := placement.Open(s).Clash(tc.now.Application, before, []placement.Reservation{tc.now}, plenty, placement.DefaultPolicy())
			if got != tc.want {
				t.Errorf("%s: %q, wanted %q", tc.reason, got, tc.want)
			}
		})
	}
}

// TestWhoNamesTheOtherGoes has two components lie in one rack, of which the first by name
// keeps apart from the second from now on, and that from another application: the first goes,
// although both keep apart from somebody.
func TestWhoNamesTheOtherGoes(t *testing.T) {
	s := placement.Snapshot{
		DCNs: []placement.DCN{{Name: "dcn", DataCenter: "east", Environment: "prod"}}, Zones: []placement.Zone{{Name: "business", Levels: []string{"basic"}}},
		Levels: []placement.Level{{Name: "basic"}}, Clusters: []placement.Cluster{{Name: "c0", DataCenter: "east", Environment: "prod"}},
	}
	pool := placement.Pool{Name: "pool", Tenants: []string{"retail"}, Level: "basic", Zones: []string{"business"}, Kind: placement.RealHosts}
	for _, rack := range []string{"rack-0", "rack-1"} {
		pool.Racks = append(pool.Racks, placement.Rack{Cluster: "c0", Name: rack, Hosts: []placement.Host{{Name: rack + "-0", Room: placement.Amount{CPU: 4000, Memory: 64 << 30, Instances: 100}}}})
	}
	s.Pools = []placement.Pool{pool}
	r := placement.Request{Application: "retail-prod/pay", Tenant: "retail", Environment: "prod"}
	r.Quotas = []tenancyv1.Quota{{Environment: "prod", Pool: "pool", Instances: 100, CPU: resource.MustParse("1000"), Memory: resource.MustParse("1Ti")}}
	size := placement.Amount{CPU: 500, Memory: 1 << 20, Instances: 1}
	for name, from := range map[string]placement.KeepsFrom{
		"a": {Application: r.Application, Component: "b", Scope: placement.ScopeRack}, "b": {Application: "retail-prod/other", Component: "x", Scope: placement.ScopeRack},
	} {
		r.Components = append(r.Components, placement.Component{Name: name, Template: "t", Zone: "business", Level: "basic", Size: size, Counts: []placement.Count{{DCN: "dcn", Count: 1}}, KeepsFrom: []placement.KeepsFrom{from}})
		was := placement.Assignment{Component: name, Template: "t", Size: size, Seats: []int32{0}, Cell: placement.Cell{Cluster: "c0", Pool: "pool", Zone: "business", Rack: "rack-0", DCN: "dcn"}}
		r.Previous = append(r.Previous, was)
		s.Reserved = append(s.Reserved, placement.Reservation{Application: r.Application, Tenant: "retail", Environment: "prod", Assignment: was})
	}
	racks := map[string]string{}
	for _, a := range placement.Place(s, []placement.Request{r}, placement.DefaultPolicy())[0].Assignments {
		if len(a.Seats) > 0 {
			racks[a.Component] = a.Cell.Rack
		}
	}
	if racks["a"] != "rack-1" || racks["b"] != "rack-0" {
		t.Errorf("they lie in %v: a keeps apart from b, and goes", racks)
	}
}
