// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "math"

// A host is covered, for an instance of one lot, when what lies on it leaves no room for
// it in some respect. How many hosts the others can cover at most is a packing problem the
// other way round (dual bin packing, bin covering: Assmann, Johnson, Kleitman and Leung,
// "On a dual version of the one-dimensional bin packing problem", Journal of Algorithms 5,
// 1984). It is bounded from above twice, both times safely, and the lower bound counts:
//
//   - In each respect on its own, the smallest hosts first, and the respects added up.
//   - By prices. Each of the others has a price, such that whatever covers a host of a
//     dearer class costs 1 or more: the largest share that it has, in any respect, of what
//     covers one, and 1 at most. With all the others' prices together that many such hosts
//     can be covered, and each host of a cheaper class takes at least what its own cheapest
//     cover costs, so that it adds no more than what that lacks to 1. (This is a solution of
//     the dual of the linear program over all covers, and so above every solution of that.)
//     Each way to part the classes into cheap and dear ones, by size, gives a bound.
//
// Where a host may hold k of the lot's own owner only, k of them cover any host. In the first
// bound each number of hosts that they cover so is tried, and at most k-1 of them count on
// each of the rest, as what they take. By prices each of them costs 1/k at least, so that
// those covers, too, cost 1 or more.
//
// What covers a host is a multiple of the grain, the largest amount of which all sizes are
// multiples: a host of 8 cores is too full for 4 more with 8, not with 4.001, where all
// others have 4 or 8.

// leaves reports that the others, which come to an amount, cannot cover so many of the
// hosts that a lot may use. Where hosts hold a number of the lot's owner only, its own are
// not in the amount.
func (h hosts) leaves(x held, others Amount, hosts int64, all []held) bool {
	own := x.beside()
	if h.filled(x.lot, others.Plus(x.size.Times(own)), Amount{})+own/max(int64(x.bound), 1) < hosts {
		return true // as almost always
	}
	g := grain(all)
	return h.closed(x, others, g, hosts) < hosts || h.priced(x, g, all) < hosts
}

// beside is how many of its own owner, of which a host may hold several, lie beside an
// instance of the lot.
func (x *held) beside() int64 {
	if x.bound < 2 {
		return 0
	}
	return x.n - 1
}

// closed is how many hosts, of so many, others that come to an amount and those of its own
// owner close to an instance of a lot at most.
func (h hosts) closed(x held, others, grain Amount, hosts int64) int64 {
	own := x.beside()
	if own == 0 {
		return h.filled(x.lot, others, grain)
	}
	var most int64
	bound := int64(x.bound)
	for full := range min(own/bound, hosts) + 1 {
		lying := min(own-full*bound, (hosts-full)*(bound-1))
		if most = max(most, full+h.filled(x.lot, others.Plus(x.size.Times(lying)), grain)); most >= hosts {
			break
		}
	}
	return most
}

// grain is the largest amount of which all sizes are multiples.
func grain(all []held) Amount {
	var g Amount
	for i := range all {
		if s := &all[i].size; all[i].n > 0 {
			g = Amount{divisor(g.CPU, s.CPU), divisor(g.Memory, s.Memory), divisor(g.Instances, s.Instances)}
		}
	}
	return g
}

// divisor is the largest number that divides both.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// limit is how much has to lie on a host, in one respect, for an instance to find too little.
func limit(room, size, grain int64) int64 {
	l := room - size + 1
	if l > 0 && grain > 1 {
		l = (l + grain - 1) / grain * grain
	}
	return l
}

// filled is how many of the hosts that a lot may use a load can fill too far for one more
// instance of it: the smallest hosts first, in each respect on its own, and the respects
// added up.
func (h hosts) filled(l lot, load, grain Amount) int64 {
	var n int64
	for i := range respects {
		left, size := load.respect(i), l.size.respect(i)
		for _, k := range h.by[i] {
			c := &h.classes[k]
			if c.count == 0 || !l.archs.onto(c.arch) {
				continue
			}
			need := limit(c.room.respect(i), size, grain.respect(i))
			if need <= 0 {
				n += c.count
				continue
			}
			most := max(left, 0) / need
			if most < c.count {
				n += most
				break
			}
			n, left = n+c.count, left-need*c.count
		}
	}
	return n
}

// kind is a size of the others and how many have it, at a price.
type kind struct {
	size [respects]float64
	n    float64
	// price is least at least, which is not 0 for those of which a number covers any host.
	price, least float64
}

// step is a class of hosts, and what covers one of them.
type step struct {
	count float64
	need  [respects]float64
}

// priced bounds how many hosts the others can cover by prices.
func (h hosts) priced(x held, grain Amount, all []held) int64 {
	var ofKind [16]kind
	kinds := ofKind[:0]
	for i := range all {
		o := &all[i]
		n, least := o.n, 0.0
		switch {
		case o.lot != x.lot:
		case x.owner == 0:
			n--
		default:
			n, least = x.beside(), 1/float64(x.bound)
		}
		if n <= 0 || !x.archs.meets(o.archs) {
			continue
		}
		size := [respects]float64{float64(o.size.CPU), float64(o.size.Memory), float64(o.size.Instances)}
		k := 0
		for k < len(kinds) && (kinds[k].size != size || kinds[k].least != least) {
			k++
		}
		if k == len(kinds) {
			kinds = append(kinds, kind{size: size, least: least})
		}
		kinds[k].n += float64(n)
	}
	var ofStep [8]step
	steps := ofStep[:0]
	var never int64
	for _, k := range h.by[0] {
		c := &h.classes[k]
		if c.count == 0 || !x.archs.onto(c.arch) {
			continue
		}
		s := step{count: float64(c.count)}
		small := false
		for i := range respects {
			need := limit(c.room.respect(i), x.size.respect(i), grain.respect(i))
			s.need[i] = float64(need)
			small = small || need <= 0
		}
		if small {
			never += c.count
			continue
		}
		steps = append(steps, s)
	}
	best := math.Inf(1)
	for dear := len(steps) - 1; dear >= 0; dear-- {
		best = min(best, bound(kinds, steps, dear))
	}
	// What rounding may have lost is given back: the bound must not be too low.
	if len(steps) == 0 {
		return never
	}
	return never + int64(best*(1+1e-12))
}

// bound is the one with the classes from a number on as dear ones. The kinds have the
// prices for those after it already.
func bound(kinds []kind, steps []step, dear int) float64 {
	var sum float64
	for i := range kinds {
		k := &kinds[i]
		share := 0.0
		for j := range respects {
			share = max(share, k.size[j]/steps[dear].need[j])
		}
		k.price = max(k.price, min(share, 1), k.least)
		sum += k.n * k.price
	}
	for i := range steps[:dear] {
		if lacks := 1 - cheapest(kinds, &steps[i]); lacks > 0 {
			sum += steps[i].count * lacks
		}
	}
	return sum
}

// cheapest is what a cover of a host of a class costs at least: the cheapest instance, and
// in the respect that is cheapest to fill as much as fills it.
func cheapest(kinds []kind, s *step) float64 {
	one, fill := 1.0, 1.0
	for j := range respects {
		each := 1.0
		for i := range kinds {
			one = min(one, kinds[i].price)
			if kinds[i].size[j] > 0 {
				each = min(each, kinds[i].price/kinds[i].size[j])
			}
		}
		fill = min(fill, each*s.need[j])
	}
	return max(one, fill)
}
