// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package obey

import (
	"time"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
)

// clusterCounts divides a component over two clusters by weight, and gives another exact
// numbers (R49): exactly so many instances run in each member, and other weights move
// exactly the difference.
func clusterCounts(s *scene) {
	began := time.Now()
	shop := func(total, one, two int32) *appv1.Application {
		web := component("web", anyImage, 0)
		web.Instances = nil
		web.Split = &appv1.Split{Total: total, DCNs: []appv1.DCNShare{{DCN: dcn, Weight: 1, Clusters: []appv1.ClusterShare{{Cluster: "east-1", Weight: one}, {Cluster: "east-2", Weight: two}}}}}
		teller := component("teller", anyImage, 5)
		teller.Instances[0].Clusters = []appv1.ClusterCount{{Cluster: "east-1", Count: 1}, {Cluster: "east-2", Count: 4}}
		return s.application("shop", web, teller)
	}
	look := func(one, two int) (webs, tellers map[string]map[string]bool) {
		s.t.Helper()
		webs = map[string]map[string]bool{"east-1": uids(s.answer("east-1", "shop", "web", one)), "east-2": uids(s.answer("east-2", "shop", "web", two))}
		tellers = map[string]map[string]bool{"east-1": uids(s.answer("east-1", "shop", "teller", 1)), "east-2": uids(s.answer("east-2", "shop", "teller", 4))}
		return webs, tellers
	}
	s.serve(shop(9, 2, 1), "shop-1")
	webs, tellers := look(6, 3)
	s.Say("counts: 9 by 2 and 1 run as 6 and 3 after %s", took(began))

	for _, step := range []struct {
		release    string
		total      int32
		weights    [2]int32
		want, stay [2]int
	}{
		{"shop-2", 9, [2]int32{1, 2}, [2]int{3, 6}, [2]int{3, 3}},
		{"shop-3", 12, [2]int32{1, 2}, [2]int{4, 8}, [2]int{3, 6}},
	} {
		s.serve(shop(step.total, step.weights[0], step.weights[1]), step.release)
		nowWebs, nowTellers := look(step.want[0], step.want[1])
		for i, member := range []string{"east-1", "east-2"} {
			if n := same(webs[member], nowWebs[member]); n != step.stay[i] {
				s.t.Errorf("%s: %d of the webs in %s are the same, want %d: the others were moved for nothing", step.release, n, member, step.stay[i])
			}
			if n := same(tellers[member], nowTellers[member]); n != len(tellers[member]) {
				s.t.Errorf("%s: %d of %d tellers in %s are the same, and nobody asked them to move", step.release, n, len(tellers[member]), member)
			}
		}
		webs, tellers = nowWebs, nowTellers
		s.Say("counts: %d by %d and %d run as %d and %d after %s", step.total, step.weights[0], step.weights[1], step.want[0], step.want[1], took(began))
	}
	s.nobodyWaited()
}
