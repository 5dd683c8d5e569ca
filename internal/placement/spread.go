// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"slices"
)

// priced is a spot at a price.
type priced struct {
	price int64
	spot  int
}

func comparePriced(a, b priced) int {
	return cmp.Or(cmp.Compare(a.price, b.price), cmp.Compare(a.spot, b.spot))
}

// queue is a heap of spots, the cheapest first.
type queue []priced

func (q queue) sink(i int) {
	for {
		small := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(q) && (q[child].price < q[small].price || q[child].price == q[small].price && q[child].spot < q[small].spot) {
				small = child
			}
		}
		if small == i {
			return
		}
		q[i], q[small] = q[small], q[i]
		i = small
	}
}

func (q queue) heapify() {
	for i := len(q)/2 - 1; i >= 0; i-- {
		q.sink(i)
	}
}

// drop takes the cheapest out.
func (q queue) drop() queue {
	last := len(q) - 1
	q[0] = q[last]
	q = q[:last]
	q.sink(0)
	return q
}

// zoned are the spots of one availability zone, at the prices that they had with base
// instances in the zone. One instance more in the zone makes all of them dearer by
// the same, so that their order stays.
type zoned struct {
	zone  int
	base  int64
	spots queue
}

// spread puts instances where each costs least, and returns how many found no place.
func (k *look) spread(missing int64) int64 {
	if missing <= 0 {
		return 0
	}
	zones, tops := k.byZone(), queue{}
	// A zone stands in the queue of zones as its cheapest spot.
	for i := range zones {
		if p, ok := k.cheapest(&zones[i], missing); ok {
			tops = append(tops, p)
		}
	}
	tops.heapify()
	for missing > 0 && len(tops) > 0 {
		// Nothing that was given in another zone made it dearer; but the quota of its pool
		// may have been used up there.
		s := &k.spots[tops[0].spot]
		if k.quotaOf(tops[0].spot) > 0 {
			k.give(tops[0].spot)
			missing--
		}
		if p, ok := k.cheapest(&zones[s.queue], missing); ok {
			tops[0] = p
			tops.sink(0)
		} else {
			tops = tops.drop()
		}
	}
	return missing
}

// byZone queues the spots by availability zone.
func (k *look) byZone() []zoned {
	zones, at := k.zones[:0], k.zoneAt
	clear(at)
	for i := range k.spots {
		z, ok := at[k.spots[i].zone]
		if !ok {
			z = len(zones)
			at[k.spots[i].zone] = z
			zones = slices.Grow(zones, 1)[:z+1]
			zones[z].zone, zones[z].base, zones[z].spots = k.spots[i].zone, k.inZone.at(k.spots[i].zone), zones[z].spots[:0]
		}
		k.spots[i].queue = z
		zones[z].spots = append(zones[z].spots, priced{k.price(i, zones[z].base), i})
	}
	for i := range zones {
		zones[i].spots.heapify()
	}
	k.zones = zones
	return zones
}

// cheapest is a zone's cheapest spot that takes one more, at today's price.
func (k *look) cheapest(z *zoned, missing int64) (priced, bool) {
	for len(z.spots) > 0 {
		top := z.spots[0].spot
		// Prices only rise while others are placed: who is still cheapest at today's price is.
		if now := k.price(top, z.base); now > z.spots[0].price {
			z.spots[0].price = now
			z.spots.sink(0)
			continue
		}
		if k.roomFor(top, max(missing, 1)) > 0 {
			return priced{k.price(top, k.inZone.at(z.zone)), top}, true
		}
		k.stoodInTheWay(top)
		z.spots = z.spots.drop()
	}
	return priced{}, false
}

// give puts one instance into a spot.
func (k *look) give(i int) {
	s := &k.spots[i]
	if s.cell == nil {
		s.cell = k.at(s.room, cellOf(s.room, k.component.Zone, k.dcn))
	}
	k.add(s.cell)
	s.left--
	k.pools[s.pool].quota--
	if s.share != nil {
		*s.share--
	}
	k.count(s.room.domain, 1)
}
