// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// PoolCapacity is what a pool holds and could hold (R06).
type PoolCapacity struct {
	Pool  string
	Hosts int
	// Pack says that it fills hosts that are in use first.
	Pack bool
	// Spare is how many hosts' worth of room it keeps free for lost hosts, and Kept how many
	// for successors.
	Spare, Kept int
	// Total is what its hosts could hold in all, Held what Placements reserve of it.
	Total, Held Amount
	// Classes counts hosts by size and processor, such as "4 CPU and 16 GiB, amd64".
	Classes map[string]int64
	// More is how many instances more of each size fit, host by host, each size on its own,
	// beside what is kept free.
	More []More
	// Losses say what is left free, for the whole pool, when its largest rack or data
	// centre is lost and what it held has come to the rest. Negative: that much lacks.
	Losses []Left
}

// More is how many instances more of a size fit.
type More struct {
	// Size by name.
	Size      string
	Instances int64
}

// Left is what is left after a loss.
type Left struct {
	// Kind is "Rack" or "DataCenter", and Name is its name, a rack's as
	// "<data centre>/<rack>".
	Kind, Name string
	Free       Amount
}

// NamedSize is a size of instances that capacity is counted in.
type NamedSize struct {
	Name string
	Size Amount
}

// Capacity says, for each pool by name, what it holds and could hold.
func Capacity(s Snapshot, sizes []NamedSize, policy func(environment string) Policy) []PoolCapacity {
	f := Open(s)
	var out []PoolCapacity
	policies := map[string]Policy{}
	for _, r := range f.clusters {
		if _, known := policies[r.Environment]; !known {
			policies[r.Environment] = policy(r.Environment)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.pools)) {
		c := PoolCapacity{Pool: name, Pack: f.pools[name].Pack, Classes: map[string]int64{}}
		for environment, p := range policies {
			f.reserve([]string{name}, environment, p.Surge)
		}
		for _, r := range f.inPool[name] {
			c.Hosts += len(r.names)
			p := policies[f.environmentOf(r)]
			if p.Surge > 0 && r.kept != nil {
				c.Kept += int(r.kept.n)
			}
			if p.SpareFrom > 0 && len(r.names) >= p.SpareFrom {
				c.Spare++
			}
			c.Total, c.Held = c.Total.Plus(r.total), c.Held.Plus(r.load)
			for _, k := range r.hosts.classes {
				c.Classes[k.words()] += k.count
			}
		}
		takes := f.pools[name].Sizes
		for _, size := range sizes {
			if len(takes) > 0 && !slices.Contains(takes, size) {
				continue
			}
			more := More{Size: size.Name}
			for _, r := range f.inPool[name] {
				p := policies[f.environmentOf(r)]
				more.Instances += r.most(lot{size: size.Size}, r.hosts.capacity(lot{size: size.Size}), p, &f.scratch.held)
			}
			c.More = append(c.More, more)
		}
		c.Losses = f.losses(name, c)
		out = append(out, c)
	}
	return out
}

func (f *Fleet) environmentOf(r *room) string {
	if c := f.clusters[r.cluster]; c != nil {
		return c.Environment
	}
	return ""
}

func (c class) words() string {
	text := Amount{CPU: c.room.CPU, Memory: c.room.Memory}.words()
	if c.arch == unknownArch {
		return text
	}
	return text + ", " + c.arch.words()
}

// losses finds the largest rack and data centre of a pool, by what they could hold.
func (f *Fleet) losses(pool string, c PoolCapacity) []Left {
	by := map[[2]string]Amount{}
	for _, r := range f.inPool[pool] {
		d := f.racks[r.domain]
		by[[2]string{"Rack", d.site + "/" + d.name}] = by[[2]string{"Rack", d.site + "/" + d.name}].Plus(r.total)
		by[[2]string{"DataCenter", d.site}] = by[[2]string{"DataCenter", d.site}].Plus(r.total)
	}
	largest := map[string][2]string{}
	for _, k := range slices.SortedFunc(maps.Keys(by), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		if now, ok := largest[k[0]]; !ok || by[k].CPU > by[now].CPU || by[k].CPU == by[now].CPU && by[k].Memory > by[now].Memory {
			largest[k[0]] = k
		}
	}
	var out []Left
	for _, kind := range []string{"Rack", "DataCenter"} {
		if k, ok := largest[kind]; ok {
			out = append(out, Left{Kind: kind, Name: k[1], Free: c.Total.Plus(by[k].Times(-1)).Plus(c.Held.Times(-1))})
		}
	}
	return out
}

// Point is what a pool held at a moment.
type Point struct {
	At   time.Time
	Held Amount
}

// Trend is how what a pool holds has grown.
type Trend struct {
	// Days of history that it is drawn from.
	Days float64
	// PerDay is the growth in a day, by least squares.
	PerDay Amount
	// Full is in how many days the pool is full if it goes on so, of the respect that is
	// full first; Why says which. Negative: it does not fill up, or nobody can tell.
	Full float64
	Why  string
}

// leastDays is how much history a trend needs.
const leastDays = 7

// TrendOf draws a line through what a pool held. With less than a week of history it
// says so, and no date.
func TrendOf(points []Point, total Amount) Trend {
	t := Trend{Full: -1}
	if len(points) < 2 {
		t.Why = "there is no history yet"
		return t
	}
	first, last := points[0].At, points[len(points)-1].At
	t.Days = last.Sub(first).Hours() / 24
	if t.Days < leastDays {
		t.Why = fmt.Sprintf("%.1f days of history are too few to tell: it takes %d", t.Days, leastDays)
		return t
	}
	now := points[len(points)-1].Held
	t.Why = "it does not grow"
	for i, what := range []string{"CPU", "memory", "instances"} {
		perDay := slope(points, i)
		switch i {
		case 0:
			t.PerDay.CPU = int64(perDay)
		case 1:
			t.PerDay.Memory = int64(perDay)
		default:
			t.PerDay.Instances = int64(perDay)
		}
		if perDay <= 0 {
			continue
		}
		if days := max(float64(total.respect(i)-now.respect(i))/perDay, 0); t.Full < 0 || days < t.Full {
			t.Full, t.Why = days, what+" is full first"
		}
	}
	return t
}

// slope is the growth of one respect in a day, by least squares.
func slope(points []Point, respect int) float64 {
	var n, sx, sy, sxx, sxy float64
	for _, p := range points {
		x, y := p.At.Sub(points[0].At).Hours()/24, float64(p.Held.respect(respect))
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if d := n*sxx - sx*sx; d > 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}
