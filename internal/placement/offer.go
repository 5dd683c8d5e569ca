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
	// size matters where a pool lists sizes.
	size Amount
}

// offer is which rooms may take new instances, by key, and why others may not.
type offer struct {
	open   []*room
	closed []closed
	// told says that closed has been found out.
	told bool
}

// closed is cells that a rule keeps instances away from, for one cause.
type closed struct {
	rule, why string
	cells     int
}

func (b *board) keyOf(c *Component, dcn string) offerKey {
	key := offerKey{
		tenant: b.request.Tenant, environment: b.request.Environment, dcn: dcn, zone: c.Zone, level: c.Level,
		kind: b.request.HostKind, volumes: strings.Join(c.Volumes, " "),
	}
	if b.fleet.sized {
		key.size = c.Size
	}
	return key
}

// offered are the rooms that may take new instances of a component in a DCN.
func (b *board) offered(c *Component, dcn string) []*room {
	return b.request.notFull(b.offeredToAll(c, dcn))
}

// offeredToAll are those that may, whatever waits.
func (b *board) offeredToAll(c *Component, dcn string) []*room {
	f, key := b.fleet, b.keyOf(c, dcn)
	if found := f.offers[key]; found != nil {
		return found.open
	}
	made := &offer{}
	for _, pool := range f.byTenant[b.request.Tenant] {
		b.eachCluster(pool, func(rooms []*room) {
			if rule, _ := b.refusedBy(b.candidate(c, cellOf(rooms[0], c.Zone, dcn)), false); rule == "" {
				made.open = append(made.open, rooms...)
			}
		})
	}
	slices.SortFunc(made.open, func(a, b *room) int { return a.compare(b.roomKey) })
	f.offers[key] = made
	return made.open
}

// eachCluster goes through a pool's rooms cluster by cluster: no filter tells the racks
// of a cluster apart.
func (b *board) eachCluster(pool string, do func([]*room)) {
	for rooms := b.fleet.inPool[pool]; len(rooms) > 0; {
		n := 1
		for n < len(rooms) && rooms[n].cluster == rooms[0].cluster {
			n++
		}
		do(rooms[:n])
		rooms = rooms[n:]
	}
}

func cellOf(r *room, zone, dcn string) Cell {
	return Cell{Cluster: r.cluster, Pool: r.pool, Zone: zone, Rack: r.rack, DCN: dcn}
}

// closed says which cells of the fleet take no instances of a component in a DCN, and
// which rule keeps them away.
func (b *board) closed(c *Component, dcn string) []closed {
	f := b.fleet
	open := b.offeredToAll(c, dcn)
	made := f.offers[b.keyOf(c, dcn)]
	if !made.told {
		made.told = true
		for _, pool := range slices.Sorted(maps.Keys(f.inPool)) {
			b.eachCluster(pool, func(rooms []*room) {
				if rule, why := b.refusedBy(b.candidate(c, cellOf(rooms[0], c.Zone, dcn)), false); rule != "" {
					made.closed = append(made.closed, closed{rule, why, len(rooms)})
				}
			})
		}
	}
	return append(slices.Clip(made.closed), b.numbersOf(c).closedBeside(open, dcn)...)
}

// closedBeside are the cells of rooms which filters leave open that are closed for the rest:
// for what is in them, or for who is near.
func (n *numbers) closedBeside(open []*room, dcn string) []closed {
	var out []closed
	var partners []string
	d := n.door(dcn)
	for _, r := range open {
		switch rule, why := d.shut(r); rule {
		case "":
		case "Partners":
			partners = append(partners, r.rack)
		default:
			out = append(out, closed{rule, why, 1})
		}
	}
	if len(partners) > 0 {
		out = append(out, closed{"Partners", n.ofPartner(partners, dcn), len(partners)})
	}
	return out
}

// ofPartner says that racks are the partner's of a DCN.
func (n *numbers) ofPartner(racks []string, dcn string) string {
	belong := "belong"
	if racks = slices.Compact(slices.Sorted(slices.Values(racks))); len(racks) == 1 {
		belong = "belongs"
	}
	return fmt.Sprintf("%s %s to %s, the partner of DCN %s", racksCalled(racks), belong, n.fleet.dcns[dcn].Partner, dcn)
}

// door is what keeps new instances of a component in a DCN out of rooms that filters leave open.
type door struct {
	*numbers
	dcn  string
	may  map[int]bool
	bars []bar
}

func (n *numbers) door(dcn string) door { return door{n, dcn, n.fleet.mayUse(dcn), n.bars(false)} }

// shut says which rule keeps new instances out of a room, and why; "": none.
func (d door) shut(r *room) (rule, why string) {
	switch {
	case d.request.full(r):
		return "RoomWaits", r.waiting()
	case !r.takesSome(d.archs):
		return r.idle(d.component.Archs)
	case d.may != nil && !d.may[r.domain]:
		return "Partners", d.ofPartner([]string{r.rack}, d.dcn)
	case d.ownRacks != nil && !d.ownRacks[r.domain]:
		return "KeepApart", fmt.Sprintf("rack %s is left to components that keep apart", r.rack)
	}
	if why := d.barred(d.bars, r); why != "" {
		return "KeepApart", why
	}
	return "", ""
}

// shutOut says which rule keeps new instances out of a room that is no spot, and why.
func (k *look) shutOut(r *room) (rule, why string) {
	if !r.listed {
		return "HostsReady", fmt.Sprintf("pool %s lists no host on rack %s of cluster %s any more", r.pool, r.rack, r.cluster)
	}
	if rule, why = k.refusedBy(k.candidate(k.component, cellOf(r, k.component.Zone, k.dcn)), false); rule != "" {
		return rule, why
	}
	if rule, why = k.door(k.dcn).shut(r); rule != "" {
		return rule, why
	}
	return "ClusterCount", fmt.Sprintf("no instance is for cluster %s", r.cluster)
}

// besideFilters are the rules that close cells which filters leave open, in the order in which they
// are asked.
var besideFilters = []string{"HostsReady", "Processor", "RoomWaits", "Partners", "KeepApart", "RoomHostByHost", "Quota"}

// order numbers the rules that close cells in the order in which they are asked.
func (b *board) order() map[string]int {
	order := map[string]int{}
	for i, name := range besideFilters {
		order[name] = len(b.policy.Filters) + i
	}
	for i, f := range b.policy.Filters {
		order[f.Name] = i
	}
	return order
}

// nowhere says why a DCN has no cell at all for a component: each cause once,
// those last in the order of the filters first, since they are the nearest misses.
func (b *board) nowhere(c *Component, dcn string, missing int64) {
	if b.again {
		b.refuse(c, dcn, "NoPool", "no cell")
		return
	}
	order := b.order()
	all := slices.Clone(b.closed(c, dcn))
	slices.SortStableFunc(all, func(x, y closed) int {
		return cmp.Or(cmp.Compare(order[y.rule], order[x.rule]), cmp.Compare(x.why, y.why))
	})
	var causes []string
	said := map[string]bool{}
	for _, r := range all {
		if !said[r.why] {
			said[r.why] = true
			causes = append(causes, r.why)
		}
	}
	rule := "NoPool"
	if len(all) > 0 {
		rule = all[0].rule
	}
	const most = 6
	if rest := len(causes) - most; rest > 0 {
		causes = append(causes[:most], fmt.Sprintf("and %d causes more", rest))
	}
	if len(causes) == 0 {
		causes = []string{"no pool lists any host: add a Pool"}
	}
	b.refuse(c, dcn, rule, "no cell takes %s: %s%s", instances(missing), strings.Join(causes, "; "), wouldDo(rule, c))
}
