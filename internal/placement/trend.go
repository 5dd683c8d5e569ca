// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"time"
)

// Point is what a pool held at a moment.
type Point struct {
	At   time.Time
	Held Amount
}

// Trend is how what a pool holds has grown.
type Trend struct {
	// Days of history that it is drawn from, and Since when it goes.
	Days  float64
	Since time.Time
	// PerDay is the growth in a day, by least squares.
	PerDay Amount
	// Full is in how many days the pool is full if it goes on so, of the respect that is
	// full first; Why says which. Negative: it does not fill up, or nobody can tell.
	Full float64
	Why  string
}

// leastDays is how much history a trend needs.
const leastDays = 7

// TrendOf draws a line through what a pool held. With less than a week of history, or
// fewer than seven points in it, it says so, and no date.
func TrendOf(points []Point, total Amount) Trend {
	t := Trend{Full: -1}
	if len(points) < 2 {
		t.Why = "there is no history yet"
		return t
	}
	first, last := points[0].At, points[len(points)-1].At
	t.Days, t.Since = last.Sub(first).Hours()/24, first
	if t.Days < leastDays {
		t.Why = fmt.Sprintf("%.1f days of history are too few to tell: it takes %d", t.Days, leastDays)
		return t
	}
	if len(points) < leastDays {
		t.Why = fmt.Sprintf("only %d days are recorded, which are too few to tell: it takes %d", len(points), leastDays)
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
		// Counted from the first, so that what does not change is exactly no growth.
		x, y := p.At.Sub(points[0].At).Hours()/24, float64(p.Held.respect(respect)-points[0].Held.respect(respect))
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if d := n*sxx - sx*sx; d > 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}

// Use is what each pool holds in reservations, and 0 where it holds nothing. Instances that
// a Release replaces count as those that they become, as they do against quotas, so that a
// look during a Release is no growth.
func Use(s Snapshot) map[string]Amount {
	f := Open(s)
	use := map[string]Amount{}
	for pool := range f.pools {
		use[pool] = Amount{}
	}
	for _, h := range f.holding {
		for pool, held := range h.quotas {
			use[pool] = use[pool].Plus(held)
		}
	}
	return use
}
