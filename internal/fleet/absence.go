// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

const (
	// blink is how short an absence is that does not count among its times.
	blink = time.Minute
	// remembered is how long an absence that is over is told.
	remembered = 2 * time.Hour
)

// absent carries on what is told of something that is away, or is not, now. nil: it is
// there, and has been lately.
func absent(before *fleetv1.Absence, away bool, now time.Time) *fleetv1.Absence {
	at := metav1.NewTime(now.Truncate(time.Second))
	switch {
	case before == nil && !away:
		return nil
	case before == nil:
		return &fleetv1.Absence{Since: at, Times: 1}
	case away && before.Back == nil:
		return before
	case away && now.Sub(before.Back.Time) < remembered:
		return &fleetv1.Absence{Since: at, Times: before.Times + 1}
	case away:
		return &fleetv1.Absence{Since: at, Times: 1}
	case before.Back != nil && now.Sub(before.Back.Time) < remembered:
		return before
	case before.Back != nil:
		return nil
	}
	over := &fleetv1.Absence{Since: before.Since, Back: &at, Times: before.Times}
	if now.Sub(before.Since.Time) < blink {
		over.Times--
	}
	if over.Times < 1 {
		return nil
	}
	return over
}

// awayRacks carries on which racks of a pool are away. Of a cluster that does not answer
// the last that was told stays.
func awayRacks(before []fleetv1.RackAway, seen PoolSeen, now time.Time) []fleetv1.RackAway {
	type key struct{ cluster, rack string }
	last := map[key]*fleetv1.Absence{}
	var out []fleetv1.RackAway
	for i, r := range before {
		if _, away := seen.Away[r.Cluster]; away {
			out = append(out, r)
			continue
		}
		last[key{r.Cluster, r.Rack}] = &before[i].Absence
	}
	for cluster, room := range seen.Rooms {
		for _, r := range room.Presence {
			told := absent(last[key{cluster, r.Rack}], r.Ready == 0, now)
			if told == nil {
				continue
			}
			out = append(out, fleetv1.RackAway{Cluster: cluster, Rack: r.Rack, Hosts: r.Hosts, Absence: *told})
		}
	}
	slices.SortFunc(out, func(a, b fleetv1.RackAway) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Rack, b.Rack))
	})
	return out
}

// Presence is how many hosts of a rack there are, and how many report that they are ready,
// cordoned ones included.
type Presence struct {
	Rack         string
	Hosts, Ready int32
}

// presenceOf counts hosts by the rack that they say.
func presenceOf(hosts []Host, racks []string) []Presence {
	var out []Presence
	for _, h := range hosts {
		if !slices.Contains(racks, h.Rack) {
			continue
		}
		i := slices.IndexFunc(out, func(p Presence) bool { return p.Rack == h.Rack })
		if i < 0 {
			i, out = len(out), append(out, Presence{Rack: h.Rack})
		}
		out[i].Hosts++
		if h.Ready {
			out[i].Ready++
		}
	}
	return out
}
