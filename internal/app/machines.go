// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// machinesHold is for how long an import may be relied on that does not say it.
const machinesHold = 24 * time.Hour

// OnMachines counts the instances of an application that imports tell of, by component and
// source (R50); nil: they tell of none. An import that is being deleted tells of none.
func OnMachines(application string, imports []placementv1.MachineImport) *appv1.OnMachines {
	type seat struct {
		component string
		number    int32
	}
	seats := map[seat]bool{}
	out := &appv1.OnMachines{}
	for i := range imports {
		m := &imports[i]
		if m.Spec.Application != application || !m.DeletionTimestamp.IsZero() {
			continue
		}
		valid := m.Spec.ValidFor.Duration
		if valid <= 0 {
			valid = machinesHold
		}
		for _, x := range m.Spec.Instances {
			seats[seat{x.Component, x.Seat}] = true
			at := slices.IndexFunc(out.Counts, func(c appv1.MachineCount) bool { return c.Component == x.Component && c.Source == m.Spec.Source })
			if at < 0 {
				at = len(out.Counts)
				out.Counts = append(out.Counts, appv1.MachineCount{
					Component: x.Component, Source: m.Spec.Source, ObservedAt: m.Spec.ObservedAt, ValidUntil: metav1.NewTime(m.Spec.ObservedAt.Add(valid)),
				})
			}
			out.Counts[at].Instances++
		}
	}
	if len(seats) == 0 {
		return nil
	}
	out.Instances = int32(len(seats)) //nolint:gosec // an import is bounded
	slices.SortFunc(out.Counts, func(a, b appv1.MachineCount) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Source, b.Source))
	})
	return out
}
