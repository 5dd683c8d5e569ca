// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// TestNamedTwice: of a component or a DCN that a Request names twice nobody can tell which number
// is meant. It is refused with a reason, in whatever order they come, and the fleet is as before.
func TestNamedTwice(t *testing.T) {
	component := func(name string, counts ...placement.Count) placement.Component {
		return placement.Component{Name: name, Template: "t", Zone: "business", Level: "basic", Size: placement.Amount{CPU: 500, Memory: 1 << 30, Instances: 1}, Counts: counts}
	}
	three, two := placement.Count{DCN: "dcn-east", Count: 3}, placement.Count{DCN: "dcn-east", Count: 2}
	west := placement.Count{DCN: "dcn-west", Count: 1}
	fleet := placement.Open(bigFleet())
	for name, c := range map[string]struct {
		components []placement.Component
		want       []string
	}{
		"a DCN":           {[]placement.Component{component("web", three, west, two)}, []string{"component web in dcn-east: the DCN is named twice, with 2 and 3 instances: name it once, with its number"}},
		"a DCN, reversed": {[]placement.Component{component("web", two, west, three)}, []string{"component web in dcn-east: the DCN is named twice, with 2 and 3 instances: name it once, with its number"}},
		"three times":     {[]placement.Component{component("web", two, two, three)}, []string{"component web in dcn-east: the DCN is named twice, with 2 and 2 instances: name it once, with its number"}},
		"a component":     {[]placement.Component{component("web", three), component("web", west)}, []string{"component web: the component is named twice: name it once"}},
		"nothing":         {[]placement.Component{component("web", three, west), component("api", two)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := hundred()[0]
			r.Components = c.components
			d := fleet.Place([]placement.Request{r}, placement.DefaultPolicy())[0]
			var got []string
			for _, why := range d.Reasons {
				if why.Refusal {
					got = append(got, why.String())
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" || d.Refused != (c.want != nil) {
				t.Errorf("refused %v, -want +got\n%s", d.Refused, diff)
			}
			fleet.Hold(r.Application, nil)
		})
	}
}
