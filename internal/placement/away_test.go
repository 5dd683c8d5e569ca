// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// What does not answer is named, and left out of what a Rollback asks for: clusters leave
// their numbers to others, DCNs theirs to their partners. What keeps an identity stays.
func TestAway(t *testing.T) {
	cluster := func(name, site, environment, away string) placement.Cluster {
		return placement.Cluster{Name: name, DataCenter: site, Environment: environment, Away: away}
	}
	dcns := []placement.DCN{
		{Name: "east", DataCenter: "dc-east", Environment: "prod", Partner: "west"}, {Name: "west", DataCenter: "dc-west", Environment: "prod", Partner: "east"},
		{Name: "north", DataCenter: "dc-east", Environment: "prod"},
	}
	by := []placement.Count{{DCN: "east", Count: 6, Clusters: []placement.ClusterCount{{Cluster: "e1", Count: 4}, {Cluster: "e2", Count: 2}}}, {DCN: "west", Count: 1}}
	const gone = "it does not answer"
	for name, c := range map[string]struct {
		reason   string
		clusters []placement.Cluster
		ask      placement.Component
		runs     []placement.Assignment
		names    []string
		want     []placement.Count
	}{
		"all well": {"nothing is left out", []placement.Cluster{cluster("e1", "dc-east", "prod", ""), cluster("e2", "dc-east", "prod", ""), cluster("w1", "dc-west", "prod", "")}, placement.Component{Counts: by}, nil, nil, by},
		"a cluster": {
			"the other takes its instances", []placement.Cluster{cluster("e1", "dc-east", "prod", gone), cluster("e2", "dc-east", "prod", ""), cluster("w1", "dc-west", "prod", "")},
			placement.Component{Counts: by}, nil, []string{"cluster e1"},
			[]placement.Count{{DCN: "east", Count: 6, Clusters: []placement.ClusterCount{{Cluster: "e2", Count: 6}}}, {DCN: "west", Count: 1}},
		},
		"a cluster, unnamed": {
			"any other takes them", []placement.Cluster{cluster("e1", "dc-east", "prod", gone), cluster("e2", "dc-east", "prod", "")},
			placement.Component{Counts: []placement.Count{{DCN: "east", Count: 6}}}, nil, nil, []placement.Count{{DCN: "east", Count: 6}},
		},
		"a site": {
			"its partner takes them; clusters of other environments are no matter", []placement.Cluster{cluster("e1", "dc-east", "prod", gone), cluster("e2", "dc-east", "prod", gone), cluster("e3", "dc-east", "sit", ""), cluster("w1", "dc-west", "prod", "")},
			placement.Component{Counts: by}, nil, []string{"data centre dc-east of DCN east"}, []placement.Count{{DCN: "west", Count: 7}},
		},
		"a site without a partner": {
			"nobody takes them", []placement.Cluster{cluster("e1", "dc-east", "prod", gone)}, placement.Component{Counts: []placement.Count{{DCN: "north", Count: 3}}}, nil,
			[]string{"data centre dc-east of DCN north"}, nil,
		},
		"an identity": {
			"it is there, and for a person to move", []placement.Cluster{cluster("e1", "dc-east", "prod", gone), cluster("e2", "dc-east", "prod", ""), cluster("w1", "dc-west", "prod", "")},
			placement.Component{Counts: by, InPlace: true}, []placement.Assignment{{Component: "web", Cell: placement.Cell{Cluster: "e1", DCN: "east"}, Seats: []int32{0}}}, []string{"cluster e1"}, by,
		},
		"an identity that has gone": {
			"a person has moved it already", []placement.Cluster{cluster("e1", "dc-east", "prod", gone), cluster("e2", "dc-east", "prod", ""), cluster("w1", "dc-west", "prod", "")},
			placement.Component{Counts: by, InPlace: true}, []placement.Assignment{{Component: "web", Cell: placement.Cell{Cluster: "e1", DCN: "east"}}}, []string{"cluster e1"},
			[]placement.Count{{DCN: "east", Count: 6, Clusters: []placement.ClusterCount{{Cluster: "e2", Count: 6}}}, {DCN: "west", Count: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.ask.Name = "web"
			r := placement.Request{Application: "retail-prod/pay", Environment: "prod", Components: []placement.Component{c.ask}, Previous: c.runs}
			names, without := placement.Open(placement.Snapshot{Clusters: c.clusters, DCNs: dcns}).Away(r)
			if diff := cmp.Diff(c.names, names); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
			}
			if diff := cmp.Diff(c.want, without.Components[0].Counts); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
			}
			if diff := cmp.Diff(c.ask.Counts, r.Components[0].Counts); diff != "" {
				t.Errorf("the request itself has changed: %s", diff)
			}
		})
	}
}
