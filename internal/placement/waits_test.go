// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"slices"
	"testing"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// What keeps an identity, runs once, or has volumes that stay is not placed elsewhere, and
// the Request that it is asked of does not change.
func TestElsewhere(t *testing.T) {
	cell := placement.Cell{Cluster: "east-1", Pool: "p", Zone: "z", Rack: "r", DCN: "d"}
	for name, c := range map[string]struct {
		component placement.Component
		moves     bool
	}{
		"a service":        {placement.Component{Name: "a"}, true},
		"a shared volume":  {placement.Component{Name: "a", Volumes: []string{"Shared"}}, true},
		"a local volume":   {placement.Component{Name: "a", Volumes: []string{"Local"}, InPlace: true}, false},
		"a local cache":    {placement.Component{Name: "a", Volumes: []string{"Local"}}, true},
		"an identity":      {placement.Component{Name: "a", InPlace: true}, false},
		"a job":            {placement.Component{Name: "a", OneCell: true}, false},
		"a component gone": {placement.Component{Name: "b"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := placement.Request{Components: []placement.Component{c.component}, Previous: []placement.Assignment{
				{Component: "a", Cell: cell, Seats: []int32{1, 2, 3}}, {Component: "x", Cell: cell, Seats: []int32{1, 2, 3}},
			}}
			got := r.Elsewhere([]placement.Wait{{Component: "a", Cell: cell, Seats: []int32{2}}})
			want := []int32{1, 2, 3}
			if c.moves {
				want = []int32{1, 3}
			}
			if !slices.Equal(got.Previous[0].Seats, want) || !slices.Equal(got.Previous[1].Seats, []int32{1, 2, 3}) || len(got.Full) > 0 != c.moves {
				t.Errorf("it becomes %+v", got)
			}
			if !slices.Equal(r.Previous[0].Seats, []int32{1, 2, 3}) || len(r.Full) > 0 {
				t.Errorf("the request itself has changed: %+v", r)
			}
		})
	}
}
