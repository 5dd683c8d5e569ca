// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// keptToHosts tells of instances that lost their host and that nobody places elsewhere, where
// their place answers: those whose volumes are on a host that does not, and those that wait for
// room and cannot move. While a Release is under way what waits may be its own.
func (d *deciding) keptToHosts(a Application) {
	var why []string
	n, unknown := 0, false
	for _, c := range a.Request.Components {
		for _, cluster := range d.seen.Clusters {
			var hosts []string
			for _, s := range a.Silent {
				if s.Component != c.Name || s.Cluster != cluster.Name || !c.KeepsToHost() {
					continue
				}
				switch cell := cellOf(a, s); {
				case cell == nil: // it is on its way out
				case d.away(*cell):
					unknown = true
				default:
					hosts = append(hosts, s.Host)
				}
			}
			if len(hosts) > 0 {
				n += len(hosts)
				why = append(why, fmt.Sprintf("component %s: %s", c.Name, placement.OnHosts(hosts, cluster.Name, "does not answer", "do not answer")))
			}
		}
		for _, w := range d.rooted(a, c) {
			n += len(w.Seats)
			wait := "wait for a host, and stay"
			if len(w.Seats) == 1 {
				wait = "waits for a host, and stays"
			}
			why = append(why, fmt.Sprintf("%s of component %s in rack %s of cluster %s %s there: the component %s", instances(len(w.Seats)), c.Name, w.Cell.Rack, w.Cell.Cluster, wait, roots(c)))
		}
	}
	if n == 0 && unknown {
		d.Undecided = append(d.Undecided, a.Request.Application) // until it counts as lost
	}
	if n > 0 {
		slices.Sort(why)
		d.unplaced(a, nil, n, LackHost, strings.Join(few(why, mostRooted, "groups"), "; "))
	}
}

// mostRooted is how many groups of instances are told that keep to where they are.
const mostRooted = 4

// cellOf is where a seat belongs; nil: no more.
func cellOf(a Application, s placement.Sits) *placement.Cell {
	for _, x := range a.Request.Previous {
		if x.Component == s.Component && x.Cell.Cluster == s.Cluster && slices.Contains(x.Seats, s.Seat) {
			return &x.Cell
		}
	}
	return nil
}

// rooted are the seats of a component that wait for room where their cell answers, and that nobody
// places elsewhere.
func (d *deciding) rooted(a Application, c placement.Component) []placement.Wait {
	if a.Busy != "" || roots(c) == "" {
		return nil
	}
	var out []placement.Wait
	for _, w := range slices.Concat(a.Waits, a.Anew) {
		if w.Component == c.Name && len(w.Seats) > 0 && !d.away(w.Cell) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(x, y placement.Wait) int {
		return cmp.Or(cmp.Compare(x.Cell.Cluster, y.Cell.Cluster), cmp.Compare(x.Cell.Pool, y.Cell.Pool), cmp.Compare(x.Cell.Rack, y.Cell.Rack), cmp.Compare(x.Cell.DCN, y.Cell.DCN))
	})
	return out
}

// roots says what keeps a component's instances where they are; empty: nothing.
func roots(c placement.Component) string {
	if kind := c.Anchored(); kind != "" {
		return fmt.Sprintf("has %s volumes, which do not move", kind)
	}
	return c.Sole()
}
