// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// DropCluster forgets a cluster. What is held in its rooms stays held.
func (f *Fleet) DropCluster(name string) {
	if f.clusters[name] == nil {
		return
	}
	delete(f.clusters, name)
	clear(f.offers)
	f.resettle(name)
}

// DropPool forgets a pool and its hosts. What is held in its rooms stays held.
func (f *Fleet) DropPool(name string) {
	if f.pools[name] == nil {
		return
	}
	f.SetPool(Pool{Name: name})
	delete(f.pools, name)
	delete(f.inPool, name)
}

// SetZone takes over a network zone that is new or has changed.
func (f *Fleet) SetZone(z Zone) {
	f.zones[z.Name] = &z
	clear(f.offers)
}

// DropZone forgets a network zone.
func (f *Fleet) DropZone(name string) {
	delete(f.zones, name)
	clear(f.offers)
}

// SetLevel takes over a security level that is new or has changed.
func (f *Fleet) SetLevel(l Level) {
	f.levels[l.Name] = &l
	clear(f.offers)
}

// DropLevel forgets a security level.
func (f *Fleet) DropLevel(name string) {
	delete(f.levels, name)
	clear(f.offers)
}

// resettle finds the domains anew that a cluster's rooms lie in. What they hold is
// counted there from now on.
func (f *Fleet) resettle(cluster string) {
	f.carry(cluster, -1)
	for key, r := range f.rooms {
		if key.cluster != cluster {
			continue
		}
		listed := r.listed
		if listed {
			f.list(r, -1)
		}
		f.settle(r)
		if listed {
			f.list(r, 1)
		}
	}
	f.carry(cluster, 1)
}

// carry takes what is held in a cluster's rooms into them, or with -1 out of them.
func (f *Fleet) carry(cluster string, way int64) {
	for application, h := range f.holding {
		for i := range h.list {
			if x := &h.list[i]; x.room.cluster == cluster {
				f.occupy(application, x, way)
			}
		}
	}
}

// list notes that a pool lists a room, or with -1 that it does so no longer.
func (f *Fleet) list(r *room, way int) {
	r.listed = way > 0
	f.racks[r.domain].listed += way
}

// Clash says why what an application holds cannot stay beside what everybody else
// holds: what it adds to what it held before overfills a room or a quota, or stands in
// a failure domain of the partner of its DCN. Empty: it can. The Fleet has the
// application hold what is given afterwards. A decision that is compared with what was
// decided elsewhere meanwhile asks this (R48, R49).
func (f *Fleet) Clash(application string, before, now []Reservation, quotas []tenancyv1.Quota, p Policy) string {
	f.Hold(application, before)
	was := f.holding[application]
	spent := map[share]Amount{}
	if was != nil {
		for pool := range was.quotas {
			k := share{was.tenant, was.environment, pool}
			spent[k] = f.used[k]
		}
	}
	f.Hold(application, now)
	h := f.holding[application]
	if h == nil {
		return ""
	}
	for i := range h.list {
		x := &h.list[i]
		if x.n <= was.number(x) {
			continue
		}
		if !x.room.hosts.houses(x.lot) || !x.room.fits(x.lot, 0, p, &f.scratch.held) {
			return fmt.Sprintf("pool %s on rack %s of cluster %s no longer holds %s of component %s beside what others hold",
				x.room.pool, x.room.rack, x.room.cluster, instances(x.n), x.component)
		}
		if why := f.nearOthers(application, x); why != "" {
			return fmt.Sprintf("component %s: %s", x.component, why)
		}
		if partner := f.partnerIn(x.dcn, x.room); partner != "" {
			return fmt.Sprintf("rack %s of cluster %s lies in a failure domain of DCN %s, the partner of %s", x.room.rack, x.room.cluster, partner, x.dcn)
		}
	}
	for pool := range h.quotas {
		k := share{h.tenant, h.environment, pool}
		if _, known := spent[k]; !known {
			spent[k] = f.used[k].Plus(h.quotas[pool].Times(-1))
		}
		if why := exceeds(pool, h.environment, spent[k], f.used[k].Plus(spent[k].Times(-1)), quotas); why != "" {
			return why
		}
	}
	return ""
}

// number is how many instances like these an application held; it may hold none.
func (h *holding) number(like *hold) int64 {
	if h == nil {
		return 0
	}
	i := slices.IndexFunc(h.list, func(x hold) bool {
		return x.component == like.component && x.template == like.template && x.zone == like.zone && x.dcn == like.dcn && x.room == like.room
	})
	if i < 0 {
		return 0
	}
	return h.list[i].n
}

// partnerIn is the partner of a DCN if it has instances in the failure domain of a room.
func (f *Fleet) partnerIn(dcn string, r *room) string {
	d := f.dcns[dcn]
	if d == nil || !f.paired[dcn] || d.Partner == "" {
		return ""
	}
	for _, x := range f.divisible(dcn, d.Partner, d.DataCenter) {
		if x.other > 0 && slices.Contains(x.racks, r.domain) {
			return d.Partner
		}
	}
	return ""
}
