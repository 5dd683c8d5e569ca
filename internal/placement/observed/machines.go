// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// Machines are the instances on virtual machines that imports tell of, each number of a
// component once. Placements, of the same applications, show which numbers containers
// have. What is too old or contradicts itself counts, and is marked stale.
func Machines(imports []placementv1.MachineImport, placements []placementv1.Placement, now time.Time) []placement.Machine {
	sorted := slices.Clone(imports)
	slices.SortFunc(sorted, func(a, b placementv1.MachineImport) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	type number struct {
		application, component string
		seat                   int32
	}
	said := map[number]int{}
	var out []placement.Machine
	source := map[number]string{}
	for _, m := range sorted {
		if !m.DeletionTimestamp.IsZero() {
			continue
		}
		application := m.Namespace + "/" + m.Spec.Application
		stale := Stale(&m, now)
		for _, i := range m.Spec.Instances {
			k := number{application, i.Component, i.Seat}
			if at, twice := said[k]; twice {
				out[at].Stale = fmt.Sprintf("sources %s and %s both name %s-%d", source[k], m.Spec.Source, i.Component, i.Seat)
				continue
			}
			said[k], source[k] = len(out), m.Spec.Source
			out = append(out, placement.Machine{
				Application: application, Component: i.Component, DCN: i.DCN, DataCenter: i.DataCenter, Rack: i.Rack, Seat: i.Seat, Stale: stale,
			})
		}
	}
	if len(out) == 0 {
		return nil
	}
	for i := range placements {
		p := &placements[i]
		if !Holds(p, now) {
			continue
		}
		for _, a := range p.Spec.Assignments {
			for _, seat := range a.Seats {
				if at, ok := said[number{p.Namespace + "/" + p.Spec.Application, a.Component, seat}]; ok {
					out[at].Stale = fmt.Sprintf("%s-%d is a container's number, too: placement %s gave it away", a.Component, seat, p.Name)
				}
			}
		}
	}
	return out
}

// Stale says why what an import tells is too old to be relied on. Empty: it is not.
func Stale(m *placementv1.MachineImport, now time.Time) string {
	if valid := ValidFor(m); !now.Before(m.Spec.ObservedAt.Add(valid)) {
		return fmt.Sprintf("source %s has not confirmed it for %s", m.Spec.Source, short(valid))
	}
	return ""
}

// DefaultValidFor is for how long an import may be relied on that does not say it.
const DefaultValidFor = 24 * time.Hour

// ValidFor is for how long an import may be relied on.
func ValidFor(m *placementv1.MachineImport) time.Duration {
	if m.Spec.ValidFor.Duration <= 0 {
		return DefaultValidFor
	}
	return m.Spec.ValidFor.Duration
}

// Expires is when the next of the imports becomes too old, after now; false: none does.
func Expires(imports []placementv1.MachineImport, now time.Time) (at time.Time, some bool) {
	for i := range imports {
		end := imports[i].Spec.ObservedAt.Add(ValidFor(&imports[i]))
		if end.After(now) && (!some || end.Before(at)) {
			at, some = end, true
		}
	}
	return at, some
}

// short says a duration without what is zero: 24h rather than 24h0m0s.
func short(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
