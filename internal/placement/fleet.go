// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"maps"
	"slices"
)

// Fleet is a Snapshot made ready for decisions. It is kept up to date by what
// changes, and then decides as one that was opened anew would. Not for use by
// several goroutines at a time.
type Fleet struct {
	clusters map[string]*Cluster
	pools    map[string]*Pool
	dcns     map[string]*DCN
	zones    map[string]*Zone
	levels   map[string]*Level
	// byTenant are the names of the pools that a tenant may use, sorted.
	byTenant map[string][]string

	rooms map[roomKey]*room
	// inPool are a pool's rooms by key.
	inPool map[string][]*room
	domains

	// holding is what each application holds, merged.
	holding map[string]*holding
	used    map[share]Amount
	// machines by application and component.
	machines map[instanceOf][]Machine
	profiles map[instanceOf]*Profile
	// parties are the components that keep apart from others, or others from them.
	parties map[instanceOf]*party

	offers map[offerKey]*offer
	// sized says that some pool lists sizes, or did.
	sized  bool
	owners map[ownerKey]int32
	// kept is which share of their hosts pools keep for successors.
	kept map[keptOf]int32
	// paired are the DCNs that share their site with their partner.
	paired  map[string]bool
	scratch scratch
}

// instanceOf names a component of an application.
type instanceOf struct{ application, component string }

// ownerKey names the instances of which a host may hold so many only.
type ownerKey struct {
	application, component, template, dcn string
	bound                                 int32
}

// Open makes a Fleet of a Snapshot.
func Open(s Snapshot) *Fleet {
	f := &Fleet{
		clusters: byName(s.Clusters, func(c Cluster) string { return c.Name }),
		pools:    map[string]*Pool{},
		dcns:     byName(s.DCNs, func(d DCN) string { return d.Name }),
		zones:    byName(s.Zones, func(z Zone) string { return z.Name }),
		levels:   byName(s.Levels, func(l Level) string { return l.Name }),
		byTenant: map[string][]string{}, rooms: map[roomKey]*room{}, inPool: map[string][]*room{},
		domains: newDomains(s.DataCenters),
		holding: map[string]*holding{}, used: map[share]Amount{},
		machines: map[instanceOf][]Machine{}, profiles: map[instanceOf]*Profile{},
		parties: map[instanceOf]*party{},
		offers:  map[offerKey]*offer{}, owners: map[ownerKey]int32{}, kept: map[keptOf]int32{}, paired: map[string]bool{}, scratch: scratch{known: map[*room]*numbered{}, zoneAt: map[int]int{}},
	}
	for _, d := range s.DCNs {
		if p := f.dcns[d.Partner]; p != nil && p.DataCenter == d.DataCenter {
			f.paired[d.Name], f.paired[p.Name] = true, true
		}
	}
	for _, p := range s.Profiles {
		f.profiles[instanceOf{p.Application, p.Component}] = &p
	}
	for _, p := range s.Pools {
		f.SetPool(p)
	}
	for _, m := range s.Machines {
		f.addMachine(m)
	}
	reserved := map[string][]Reservation{}
	for _, r := range s.Reserved {
		reserved[r.Application] = append(reserved[r.Application], r)
	}
	for _, application := range slices.Sorted(maps.Keys(reserved)) {
		f.Hold(application, reserved[application])
	}
	return f
}

func byName[T any](list []T, name func(T) string) map[string]*T {
	all := make(map[string]*T, len(list))
	for i := range list {
		all[name(list[i])] = &list[i]
	}
	return all
}

// SetCluster takes over a cluster that is new or has changed. Where it has moved to
// another data centre, what its rooms hold moves with them.
func (f *Fleet) SetCluster(c Cluster) {
	before := f.clusters[c.Name]
	f.clusters[c.Name] = &c
	clear(f.offers)
	clear(f.kept)
	if before == nil || before.DataCenter != c.DataCenter {
		f.resettle(c.Name)
	}
}

// SetPool takes over a pool that is new or has changed, with all of its racks.
func (f *Fleet) SetPool(p Pool) {
	if before := f.pools[p.Name]; before != nil {
		for _, t := range before.Tenants {
			f.byTenant[t] = slices.DeleteFunc(f.byTenant[t], func(name string) bool { return name == p.Name })
		}
	}
	f.pools[p.Name] = &p
	f.sized = f.sized || len(p.Sizes) > 0
	clear(f.offers)
	f.unreserve(p.Name)
	for _, t := range p.Tenants {
		if i, there := slices.BinarySearch(f.byTenant[t], p.Name); !there {
			f.byTenant[t] = slices.Insert(f.byTenant[t], i, p.Name)
		}
	}
	there := map[roomKey][]Host{}
	for _, rack := range p.Racks {
		key := roomKey{rack.Cluster, p.Name, rack.Name}
		there[key] = append(there[key], rack.Hosts...)
	}
	for _, r := range f.inPool[p.Name] {
		f.list(r, -1)
		if _, still := there[r.roomKey]; !still {
			r.furnish(nil)
		}
	}
	f.inPool[p.Name] = nil
	for key, hosts := range there {
		r := f.room(key)
		r.furnish(sane(hosts))
		f.list(r, 1)
		f.inPool[p.Name] = append(f.inPool[p.Name], r)
	}
	slices.SortFunc(f.inPool[p.Name], func(a, b *room) int { return a.compare(b.roomKey) })
}

// SetRack takes over the hosts of a pool in one rack of one cluster.
func (f *Fleet) SetRack(pool string, rack Rack) {
	key := roomKey{rack.Cluster, pool, rack.Name}
	r := f.room(key)
	r.furnish(sane(rack.Hosts))
	f.unreserve(pool)
	if i, there := slices.BinarySearchFunc(f.inPool[pool], key, func(a *room, k roomKey) int { return a.compare(k) }); !there {
		f.list(r, 1)
		f.inPool[pool] = slices.Insert(f.inPool[pool], i, r)
		clear(f.offers)
	}
}

// mostSane is the largest host that is believed: 100,000 cores, 1 PiB, 100,000 instances.
var mostSane = Amount{CPU: 100_000_000, Memory: 1 << 50, Instances: 100_000}

// sane leaves hosts out that report what cannot be.
func sane(hosts []Host) []Host {
	odd := func(h Host) bool {
		return h.Room.CPU < 0 || h.Room.Memory < 0 || h.Room.Instances < 0 || !h.Room.Within(mostSane)
	}
	if !slices.ContainsFunc(hosts, odd) {
		return hosts
	}
	return slices.DeleteFunc(slices.Clone(hosts), odd)
}

// room returns a room, an empty one if nothing is known of it.
func (f *Fleet) room(key roomKey) *room {
	if r := f.rooms[key]; r != nil {
		return r
	}
	r := &room{roomKey: key}
	f.settle(r)
	f.rooms[key] = r
	return r
}

// settle finds the domains that a room lies in.
func (f *Fleet) settle(r *room) {
	site := ""
	if c := f.clusters[r.cluster]; c != nil {
		site = c.DataCenter
	}
	r.domain = f.rackOf(site, r.rack)
	r.zone = f.racks[r.domain].zone
}

// SetProfile takes over what is known of a component that is new or has changed. Without
// tags and calls nothing is known of it.
func (f *Fleet) SetProfile(p Profile) {
	key := instanceOf{p.Application, p.Component}
	before := f.profiles[key]
	if len(p.Tags)+len(p.Calls) == 0 {
		delete(f.profiles, key)
	} else {
		f.profiles[key] = &p
	}
	h := f.holding[p.Application]
	if h == nil {
		return
	}
	for i := range h.list {
		if x := &h.list[i]; x.component == p.Component {
			f.tag(x.room, before, -x.n)
			f.tag(x.room, f.profiles[key], x.n)
		}
	}
}

func (c Cell) compare(o Cell) int {
	return cmp.Or(cmp.Compare(c.Cluster, o.Cluster), cmp.Compare(c.Pool, o.Pool), cmp.Compare(c.Zone, o.Zone), cmp.Compare(c.Rack, o.Rack), cmp.Compare(c.DCN, o.DCN))
}
