// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"fmt"
	"slices"
	"strings"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// Lack says what instances that find no place lack.
type Lack string

const (
	// LackRoom: the places that may take them have too little room, or too small a quota.
	LackRoom Lack = "Room"
	// LackPlace: no other place may take them at all.
	LackPlace Lack = "Place"
	// LackHost: they keep to where they are, and their host does not answer, or none takes them.
	LackHost Lack = "Host"
	// LackProposal: there is room for them, and what would be proposed cannot be stored.
	LackProposal Lack = "Proposal"
	// LackReturn: they run, and the place that they would go back to has no room for them.
	LackReturn Lack = "Return"
)

// Unplaced says what of an application finds no place.
type Unplaced struct {
	// Application as "<namespace>/<name>".
	Application, Environment string
	Priority                 int32
	// Lost are the places that are lost, in words. None: its instances wait for room.
	Lost []string
	// Instances that find no place.
	Instances int
	Lack      Lack
	// Why in sentences, with numbers. It says nothing of times, so that it stays the same
	// while what lacks is the same.
	Why string
}

// String says it for whoever reads the application: what is lost, how many instances find
// no place and why, and what to do. What lacks a place says itself what to do.
func (u Unplaced) String() string {
	what := "instances wait for room"
	switch len(u.Lost) {
	case 0:
	case 1:
		what = u.Lost[0] + " is lost"
	default:
		what = strings.Join(few(u.Lost, mostPlaces, "places"), ", ") + " are lost"
	}
	find := "find"
	if u.Instances == 1 {
		find = "finds"
	}
	told := fmt.Sprintf("%s, and %s %s no place elsewhere: %s", what, instances(u.Instances), find, u.Why)
	switch u.Lack {
	case LackRoom:
		told += "; add hosts, have the quota raised, or take something less important out of service: once they fit it is proposed by itself (fairway placement proposals)"
	case LackHost:
		return fmt.Sprintf("%s %s no place elsewhere: %s", instances(u.Instances), find, u.Why)
	case LackProposal:
		return fmt.Sprintf("%s, and what would be proposed for %s cannot be stored: %s", what, instances(u.Instances), u.Why)
	case LackReturn:
		return fmt.Sprintf("%s would go back to where they were, and find no room there: %s", instances(u.Instances), u.Why)
	}
	return told
}

// unplaced notes that instances of an application find no place. What is said of one
// application is said together: where room would help, that is what it lacks.
func (d *deciding) unplaced(a Application, lost []string, n int, lack Lack, why string) {
	i := slices.IndexFunc(d.Unplaced, func(u Unplaced) bool { return u.Application == a.Request.Application })
	if i < 0 {
		d.Unplaced = append(d.Unplaced, Unplaced{
			Application: a.Request.Application, Environment: a.Request.Environment, Priority: a.Request.Priority,
			Lost: lost, Instances: n, Lack: lack, Why: why,
		})
		return
	}
	u := &d.Unplaced[i]
	for _, l := range lost {
		if !slices.Contains(u.Lost, l) {
			u.Lost = append(u.Lost, l)
		}
	}
	slices.Sort(u.Lost)
	u.Instances += n
	u.Why += "; " + why
	if lack == LackRoom || u.Lack == LackHost {
		u.Lack = lack
	}
}

// Refused notes that what was decided to be proposed cannot be stored, and why.
func (d *Decision) Refused(p Propose, why string) {
	n := 0
	for _, g := range p.Cause.Gains {
		n += int(g.Instances)
	}
	u := Unplaced{
		Application: p.Application.Request.Application, Environment: p.Application.Request.Environment, Priority: p.Application.Request.Priority,
		Lost: hit{places: p.Cause.Places}.words(), Instances: n, Lack: LackProposal, Why: why,
	}
	if p.Cause.Kind == placementv1.CauseRecovered {
		u.Lost, u.Lack = nil, LackReturn
	}
	i := slices.IndexFunc(d.Unplaced, func(x Unplaced) bool { return x.Application == u.Application })
	if i < 0 {
		d.Unplaced = append(d.Unplaced, u)
		return
	}
	d.Unplaced[i].Instances += n
	d.Unplaced[i].Why += "; " + u.Why
}

// nowhere tells of the instances of DCNs whose data centre is lost and that have no partner
// that is left: they run nowhere, whether or not a Release has carried out the rest.
func (d *deciding) nowhere(a Application) {
	g := d.gone(a.Request.Environment)
	heirs, _ := d.heirs(a, g)
	var lost, why []string
	sum := 0
	for _, c := range a.Request.Components {
		if c.Anchored() != "" {
			continue // told with what does not move
		}
		for _, count := range c.Counts {
			heir, gone := heirs[count.DCN]
			if !gone || heir != "" || count.Count == 0 {
				continue
			}
			sum += int(count.Count)
			why = append(why, fmt.Sprintf("%s of component %s in DCN %s, which has no partner that is left", instances(int(count.Count)), c.Name, count.DCN))
			i := slices.IndexFunc(d.seen.Fleet.DCNs, func(x placement.DCN) bool { return x.Name == count.DCN })
			if place := word(placementv1.LostDataCenter) + " " + d.seen.Fleet.DCNs[i].DataCenter; !slices.Contains(lost, place) {
				lost = append(lost, place)
			}
		}
	}
	if sum > 0 {
		slices.Sort(lost)
		d.unplaced(a, lost, sum, LackPlace, strings.Join(few(why, mostNowhere, "DCNs"), "; ")+": they run nowhere until it is back, or the application asks for them in another DCN")
	}
}

// mostNowhere is how many DCNs without a partner are named.
const mostNowhere = 4

// words of the places that are hit, without times.
func (h hit) words() []string {
	var out []string
	for _, p := range h.places {
		out = append(out, word(p.Kind)+" "+p.Name)
	}
	return out
}
