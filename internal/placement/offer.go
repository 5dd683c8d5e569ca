// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// offerKey is everything that filters look at. Components that share it are offered
// the same rooms.
type offerKey struct {
	tenant, environment, dcn, zone, level string
	kind                                  HostKind
	volumes                               string
}

// offered are the rooms that may take new instances of a component in a DCN, by key.
func (b *board) offered(c *Component, dcn string) []*room {
	f := b.fleet
	key := offerKey{
		tenant: b.request.Tenant, environment: b.request.Environment, dcn: dcn, zone: c.Zone, level: c.Level,
		kind: b.request.HostKind, volumes: strings.Join(c.Volumes, " "),
	}
	if found, ok := f.offers[key]; ok {
		return found
	}
	var open []*room
	for _, pool := range f.byTenant[b.request.Tenant] {
		// Nearly all rooms of a pool fall to the same filters in the same cluster.
		last, verdict := "", false
		for _, r := range f.inPool[pool] {
			if r.cluster != last {
				rule, _ := b.refusedBy(b.candidate(c, cellOf(r, c.Zone, dcn)), false)
				last, verdict = r.cluster, rule == ""
			}
			if verdict {
				open = append(open, r)
			}
		}
	}
	slices.SortFunc(open, func(a, b *room) int { return a.compare(b.roomKey) })
	f.offers[key] = open
	return open
}

func cellOf(r *room, zone, dcn string) Cell {
	return Cell{Cluster: r.cluster, Pool: r.pool, Zone: zone, Rack: r.rack, DCN: dcn}
}

// closed says, for every room of the fleet that takes no instances of a component in
// a DCN, which filter keeps them away.
func (b *board) closed(c *Component, dcn string) []Reason {
	f := b.fleet
	var out []Reason
	for _, pool := range slices.Sorted(maps.Keys(f.inPool)) {
		for _, r := range f.inPool[pool] {
			rule, why := b.refusedBy(b.candidate(c, cellOf(r, c.Zone, dcn)), false)
			if rule == "" && r.hosts.number(archsOf(c.Archs)) == 0 {
				rule, why = "HostsReady", fmt.Sprintf("no host of pool %s on rack %s of cluster %s is ready%s", r.pool, r.rack, r.cluster, forArchs(c.Archs))
			}
			if rule != "" {
				out = append(out, Reason{Component: c.Name, DCN: dcn, Rule: rule, Message: why})
			}
		}
	}
	return out
}

func forArchs(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " for " + sorted(names)
}

// order numbers the rules that close cells in the order in which they are asked.
func (b *board) order() map[string]int {
	order := map[string]int{"HostsReady": len(b.policy.Filters)}
	for i, f := range b.policy.Filters {
		order[f.Name] = i
	}
	return order
}

// nowhere says why a DCN has no cell at all for a component: each cause once,
// those last in the order of the filters first, since they are the nearest misses.
func (b *board) nowhere(c *Component, dcn string, missing int64) {
	order := b.order()
	closed := b.closed(c, dcn)
	slices.SortStableFunc(closed, func(x, y Reason) int {
		return cmp.Or(cmp.Compare(order[y.Rule], order[x.Rule]), cmp.Compare(x.Message, y.Message))
	})
	var causes []string
	said := map[string]bool{}
	for _, r := range closed {
		if !said[r.Message] {
			said[r.Message] = true
			causes = append(causes, r.Message)
		}
	}
	rule := "NoPool"
	if len(closed) > 0 {
		rule = closed[0].Rule
	}
	const most = 6
	if rest := len(causes) - most; rest > 0 {
		causes = append(causes[:most], fmt.Sprintf("and %d causes more", rest))
	}
	if len(causes) == 0 {
		causes = []string{"no pool lists any host: add a Pool"}
	}
	b.refuse(c, dcn, rule, "no cell takes %s: %s", instances(missing), strings.Join(causes, "; "))
}

// noRoom says what each room that is open lacks for the missing instances. What
// several lack in the same words is said once.
func (b *board) noRoom(c *Component, dcn string, missing int64, open []*room, l lot) {
	said := map[string]bool{}
	once := func(rule, why string) {
		if !said[why] {
			said[why] = true
			b.refuse(c, dcn, rule, "%s", why)
		}
	}
	for _, r := range open {
		if why := b.overQuota(r.pool, c.Size, missing); why != "" {
			once("Quota", why)
			continue
		}
		once("RoomHostByHost", fmt.Sprintf("pool %s in %s %s", r.pool, b.fleet.racks[r.domain].site, b.lack(c, r, l, missing)))
	}
}

// lack says in numbers what a room lacks, and how many hosts would do.
func (b *board) lack(c *Component, r *room, l lot, missing int64) string {
	free, want := r.free(), c.Size.Times(missing)
	over := want.Plus(free.Times(-1))
	what := fmt.Sprintf("has %s free on rack %s, but no host is certain to have %s in one piece for %s",
		Amount{CPU: free.CPU, Memory: free.Memory}.words(), r.rack, Amount{CPU: c.Size.CPU, Memory: c.Size.Memory}.words(), instances(missing))
	if lacks := over.words(); lacks != "" {
		what = fmt.Sprintf("lacks %s on rack %s for %s", lacks, r.rack, instances(missing))
	}
	host, ok := r.largest()
	if !ok || perHost(host.room, c.Size) == 0 {
		return what + "; no host there is large enough for a single one"
	}
	for more := int64(1); more <= missing; more++ {
		wider := *r
		wider.hosts = r.hosts.with(host, more)
		wider.names = append(slices.Clone(r.names), make([]string, more)...)
		wider.lean = nil
		for k := range wider.hosts.classes {
			wider.lean = append(wider.lean, wider.hosts.without(k))
		}
		if wider.fits(l, missing, b.policy, &b.fleet.scratch.held) {
			return what + "; " + hostsMore(more)
		}
	}
	return what
}
