// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"slices"
)

// domains numbers the racks of the fleet and the availability zones that they lie
// in, and counts which DCN has instances where.
type domains struct {
	declared map[string]map[string]string
	numbers  map[domainKey]int
	racks    []rack
	zones    map[domainKey]int
	zoneName []string
	// serving counts a DCN's instances by rack, machines included.
	serving map[string]map[int]int64
	// tagged counts instances by rack and tag.
	tagged map[int]map[string]int64
}

type domainKey struct{ site, rack string }

type rack struct {
	site, name string
	zone       int
	// listed is how many rooms of pools lie in the rack.
	listed int
}

func newDomains(sites []DataCenter) domains {
	d := domains{declared: map[string]map[string]string{}, numbers: map[domainKey]int{}, zones: map[domainKey]int{}, serving: map[string]map[int]int64{}, tagged: map[int]map[string]int64{}}
	for _, s := range sites {
		d.declared[s.Name] = s.Racks
	}
	return d
}

// rackOf is the number of a rack. A rack without an availability zone is one of its own.
func (d *domains) rackOf(site, name string) int {
	if n, ok := d.numbers[domainKey{site, name}]; ok {
		return n
	}
	n := len(d.racks)
	d.numbers[domainKey{site, name}] = n
	zone := d.declared[site][name]
	label := "zone " + zone
	if zone == "" {
		label = "rack " + name
	}
	z, ok := d.zones[domainKey{site, label}]
	if !ok {
		z = len(d.zoneName)
		d.zones[domainKey{site, label}] = z
		d.zoneName = append(d.zoneName, label)
	}
	d.racks = append(d.racks, rack{site: site, name: name, zone: z})
	return n
}

func (d *domains) serve(dcn string, rack int, n int64) {
	if d.serving[dcn] == nil {
		d.serving[dcn] = map[int]int64{}
	}
	d.serving[dcn][rack] += n
}

// domain is an availability zone or a rack, with the instances of a DCN and of its
// partner in it.
type domain struct {
	name        string
	racks       []int
	mine, other int64
}

// divisible are the domains of a site that a DCN and its partner divide among them, by
// name: availability zones, or racks where the site has but one zone. A rack counts
// while a pool has hosts listed there, or one of the two has instances.
func (d *domains) divisible(dcn, partner, site string) []*domain {
	collect := func(name func(rack) string) []*domain {
		by := map[string]*domain{}
		var all []*domain
		for n, r := range d.racks {
			mine, other := d.serving[dcn][n], d.serving[partner][n]
			if r.site != site || r.listed == 0 && mine == 0 && other == 0 {
				continue
			}
			k := name(r)
			if by[k] == nil {
				by[k] = &domain{name: k}
				all = append(all, by[k])
			}
			by[k].racks = append(by[k].racks, n)
			by[k].mine += mine
			by[k].other += other
		}
		slices.SortFunc(all, func(a, b *domain) int { return cmp.Compare(a.name, b.name) })
		return all
	}
	all := collect(func(r rack) string { return d.zoneName[r.zone] })
	if len(all) < 2 {
		all = collect(func(r rack) string { return r.name })
	}
	return all
}

// divided says which racks of its site a DCN may use that shares the site with its
// partner. Where one of the two has instances the domain is its own; the rest goes
// to whoever has fewer, in the order of names.
func (d *domains) divided(dcn, partner, site string) map[int]bool {
	all := d.divisible(dcn, partner, site)
	var mine, others int
	may := map[int]bool{}
	give := func(x *domain) {
		mine++
		for _, n := range x.racks {
			may[n] = true
		}
	}
	for _, x := range all {
		switch {
		case x.mine > 0 && x.other == 0:
			give(x)
		case x.other > 0:
			others++
		}
	}
	for _, x := range all {
		if x.mine != 0 || x.other != 0 {
			continue
		}
		if mine < others || mine == others && dcn < partner {
			give(x)
		} else {
			others++
		}
	}
	return may
}
