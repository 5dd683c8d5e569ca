// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// waits are the seats of an application that wait for room, and that a person may have
// placed elsewhere.
func (d *deciding) waits(a Application) []placement.Wait { return d.movable(a, a.Waits) }

// movable are those of the seats that wait for room that do so where their cell answers, and
// that can be placed elsewhere. What waits in a place that is away is that loss's matter.
func (d *deciding) movable(a Application, waits []placement.Wait) []placement.Wait {
	var out []placement.Wait
	for _, w := range waits {
		i := slices.IndexFunc(a.Request.Components, func(c placement.Component) bool { return c.Name == w.Component })
		if i < 0 || len(w.Seats) == 0 || d.away(w.Cell) || a.Request.Components[i].Sole() != "" || a.Request.Components[i].Anchored() != "" {
			continue
		}
		w.Seats = slices.Sorted(slices.Values(w.Seats))
		out = append(out, w)
	}
	slices.SortFunc(out, func(x, y placement.Wait) int {
		return cmp.Or(cmp.Compare(x.Component, y.Component), cmp.Compare(placementv1.Cell(x.Cell).Key(), placementv1.Cell(y.Cell).Key()))
	})
	return out
}

// heldAnew says what keeps automation from having placed anew what waits for room. What
// holds in the whole environment is said already.
func (d *deciding) heldAnew(a Application) {
	waits := d.movable(a, a.Anew)
	if len(waits) == 0 || a.Busy != "" {
		return
	}
	n := 0
	for _, w := range waits {
		n += len(w.Seats)
	}
	held, until := PlaceAnew(d.seen, a.Request.Environment, a.Request.Application, d.seen.Takers(waits), n, d.now)
	d.at(until)
	for _, h := range held {
		if h.Application != "" {
			d.Held = append(d.Held, h)
		}
	}
}

// Takers are the clusters to which instances may go that wait in cells: those of the
// environment in their data centres.
func (s Seen) Takers(waits []placement.Wait) []string {
	var out []string
	for _, w := range waits {
		i := slices.IndexFunc(s.Clusters, func(c Cluster) bool { return c.Name == w.Cell.Cluster })
		if i < 0 {
			continue
		}
		for _, c := range s.Clusters {
			if c.DataCenter == s.Clusters[i].DataCenter && c.Environment == s.Clusters[i].Environment && !slices.Contains(out, c.Name) {
				out = append(out, c.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// anew asks for room elsewhere for what waits for room.
func (d *deciding) anew(a Application) {
	waits := d.waits(a)
	cause := placementv1.Cause{
		Kind: placementv1.CauseNoRoom, Places: []placementv1.LostPlace{}, From: a.Placement, Policy: d.seen.policy(a.Request.Environment).Name,
		ProposedAt: metav1.NewTime(d.now.UTC().Truncate(time.Second)),
	}
	n := 0
	for _, w := range waits {
		n += len(w.Seats)
		cause.Waits = append(cause.Waits, placementv1.RoomWait{Component: w.Component, Cell: placementv1.Cell(w.Cell), Seats: w.Seats})
	}
	d.wanted = append(d.wanted, wanted{Propose: Propose{Application: a, Cause: cause}, instances: n})
	d.requests = append(d.requests, a.Request.Elsewhere(waits))
}

// hosted says why a proposal for what waits for room is of no use any more; empty: it is.
func (d *deciding) hosted(a Application, p Proposal, h hit) string {
	if len(h.places) > 0 {
		return "a place is lost besides"
	}
	now := d.waits(a)
	if len(now) == 0 {
		return "every instance has a host again, or is looked after otherwise"
	}
	if !slices.EqualFunc(now, p.Cause.Waits, func(w placement.Wait, was placementv1.RoomWait) bool {
		return w.Component == was.Component && placementv1.Cell(w.Cell) == was.Cell && slices.Equal(w.Seats, was.Seats)
	}) {
		return "what waits for room is not the same any more"
	}
	return ""
}

// toldWaits says in a line what waits for room.
func toldWaits(waits []placementv1.RoomWait) string {
	var parts []string
	for _, w := range waits {
		parts = append(parts, fmt.Sprintf("%s of %s in rack %s of %s", instances(len(w.Seats)), w.Component, w.Cell.Rack, w.Cell.Cluster))
	}
	return "no host for " + strings.Join(few(parts, mostPlaces, "groups"), ", ")
}
