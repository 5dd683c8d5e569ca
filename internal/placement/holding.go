// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// Hold says what an application holds from now on, in place of what it held.
func (f *Fleet) Hold(application string, reserved []Reservation) {
	now := f.held(application, reserved)
	f.move(f.holding[application], -1)
	if now != nil {
		f.holding[application] = now
		f.move(now, 1)
		return
	}
	delete(f.holding, application)
}

// holding is what one application holds.
type holding struct {
	application, tenant, environment string
	list                             []hold
	// quotas is what counts of it against quotas, by pool: old and new instances of a
	// Release count once, since a quota bounds what is planned to stay.
	quotas map[string]Amount
}

// hold is instances of one component and template in one cell.
type hold struct {
	*kin
	room *room
	n    int64
}

// kin is what the instances of one component and template in one zone and DCN have in common.
// The cells of an application that hold them share it.
type kin struct {
	component, template, zone, dcn string
	lot                            lot
	keepsFrom                      []KeepsFrom
}

// both is what holds for the instances of two that are named alike: the larger size, and all
// that one of them keeps apart from.
func (k *kin) both(o *kin) *kin {
	if k.lot == o.lot && slices.Equal(k.keepsFrom, o.keepsFrom) {
		return k
	}
	all := *k
	all.lot.size = Amount{CPU: max(k.lot.size.CPU, o.lot.size.CPU), Memory: max(k.lot.size.Memory, o.lot.size.Memory), Instances: 1}
	if o.lot.owner > k.lot.owner {
		all.lot.owner, all.lot.bound = o.lot.owner, o.lot.bound
	}
	for _, from := range o.keepsFrom {
		if !slices.Contains(all.keepsFrom, from) {
			all.keepsFrom = append(slices.Clip(all.keepsFrom), from)
		}
	}
	return &all
}

// kins are those of one application.
type kins []*kin

// share returns the one that says the same, a new one if there was none.
func (all *kins) share(k kin) *kin {
	for _, o := range slices.Backward(*all) {
		if k.component == o.component && k.dcn == o.dcn && k.zone == o.zone && k.template == o.template && k.lot == o.lot && slices.Equal(k.keepsFrom, o.keepsFrom) {
			return o
		}
	}
	made := k // k itself stays off the heap where another one says the same
	*all = append(*all, &made)
	return &made
}

// held is what reservations hold; nil: nothing.
func (f *Fleet) held(application string, reserved []Reservation) *holding {
	var h *holding
	var all kins
	for i := range reserved {
		if len(reserved[i].Seats) > 0 {
			f.meet(application, reserved[i].Component, reserved[i].KeepsFrom)
		}
	}
	for i := range reserved {
		r := &reserved[i]
		if len(r.Seats) == 0 {
			continue
		}
		if h == nil {
			h = &holding{application: application, tenant: r.Tenant, environment: r.Environment, list: make([]hold, 0, len(reserved))}
		}
		k := all.share(kin{component: r.Component, template: r.Template, zone: r.Cell.Zone, dcn: r.Cell.DCN, lot: f.lotOf(application, r.Assignment), keepsFrom: r.KeepsFrom})
		h.list = append(h.list, hold{kin: k, room: f.room(r.Cell.room()), n: int64(len(r.Seats))})
	}
	if h == nil {
		return nil
	}
	h.list = together(h.list, true)
	h.count()
	return h
}

// count finds out what counts against the quotas.
func (h *holding) count() {
	h.quotas = make(map[string]Amount, 1)
	list := h.list
	if h.changing() {
		list = together(list, false)
	}
	for _, x := range list {
		h.quotas[x.room.pool] = h.quotas[x.room.pool].Plus(x.lot.size.Times(x.n))
	}
}

// changing reports whether a component is there in two templates.
func (h *holding) changing() bool {
	for i := 1; i < len(h.list); i++ {
		if a, b := &h.list[i-1], &h.list[i]; a.component == b.component && a.template != b.template || a.component > b.component {
			return true
		}
	}
	return false
}

// together merges what holds the same instances: an application's Placements name
// most of its instances again and again. The larger counts. Unless templates matter,
// instances that change count as those that they become.
func together(list []hold, templates bool) []hold {
	type key struct {
		component, template, zone, dcn string
		room                           *room
	}
	seen := make(map[key]int, len(list))
	out := make([]hold, 0, len(list))
	for _, h := range list {
		k := key{h.component, h.template, h.zone, h.dcn, h.room}
		if !templates {
			k.template = ""
		}
		i, there := seen[k]
		if !there {
			seen[k] = len(out)
			out = append(out, h)
			continue
		}
		out[i].n, out[i].kin = max(out[i].n, h.n), out[i].both(h.kin)
	}
	return out
}

// move takes what an application holds into the rooms and quotas, or with -1 out of
// them.
func (f *Fleet) move(h *holding, way int64) {
	if h == nil {
		return
	}
	for i := range h.list {
		f.occupy(h.application, &h.list[i], way)
	}
	f.charge(h, way)
}

// charge counts what an application holds against its quotas, or with -1 no longer.
func (f *Fleet) charge(h *holding, way int64) {
	if h == nil {
		return
	}
	for pool, a := range h.quotas {
		k := share{h.tenant, h.environment, pool}
		f.used[k] = f.used[k].Plus(a.Times(way))
	}
}

func (f *Fleet) occupy(application string, h *hold, way int64) {
	f.put(h.room, h.lot, f.profiles[instanceOf{application, h.component}], h.dcn, way*h.n)
	f.bind(instanceOf{application, h.component}, h.keepsFrom, int(way))
}

// put holds n instances in a room, or gives them back.
func (f *Fleet) put(r *room, l lot, p *Profile, dcn string, n int64) {
	r.take(l, n)
	if f.paired[dcn] {
		f.serve(dcn, r.domain, n)
	}
	f.tag(r, p, n)
}

// tag counts n instances with what is known of them.
func (f *Fleet) tag(r *room, p *Profile, n int64) {
	if p == nil {
		return
	}
	if f.tagged[r.domain] == nil {
		f.tagged[r.domain] = map[string]int64{}
	}
	for _, t := range p.Tags {
		f.tagged[r.domain][t] += n
	}
}

func (f *Fleet) lotOf(application string, a Assignment) lot {
	l := lot{size: a.Size, archs: archsOf(a.Archs), party: f.parties[instanceOf{application, a.Component}]}
	if a.MaxPerHost > 0 {
		k := ownerKey{application, a.Component, a.Template, a.Cell.DCN, a.MaxPerHost}
		if f.owners[k] == 0 {
			f.owners[k] = int32(len(f.owners) + 1) //nolint:gosec // bounded by the fleet's components
		}
		l.owner, l.bound = f.owners[k], a.MaxPerHost
	}
	return l
}
