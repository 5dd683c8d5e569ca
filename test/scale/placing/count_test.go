// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// free is what is left on a host.
type room struct{ cpu, memory, instances int64 }

func (r room) less(o room) room {
	return room{r.cpu - o.cpu, r.memory - o.memory, r.instances - o.instances}
}

func (r room) over() bool { return r.cpu < 0 || r.memory < 0 || r.instances < 0 }

// held is an instance that was placed, and the hosts that it may go to.
type held struct {
	what  string
	size  room
	hosts []string
}

// count counts what was placed against what the members' own hosts offer, without a word
// of the scheduler's: racks in which more is held than there is, and instances that find
// no host when all of them come in a random order and take any host that has room.
func (s *scene) count(all []placementv1.Placement) (instances, racks, homeless int) {
	s.t.Helper()
	offered, rackOf := map[string]room{}, map[string]string{}
	for _, m := range s.members {
		var nodes corev1.NodeList
		stage.Must(s.t, m.Cluster.Client().List(s.t.Context(), &nodes))
		for i := range nodes.Items {
			o := nodes.Items[i].Status.Allocatable
			offered[m.Name+"/"+nodes.Items[i].Name] = room{o.Cpu().MilliValue(), o.Memory().Value(), o.Pods().Value()}
		}
	}
	inRack, there := map[string]room{}, []held{}
	for i := range all {
		if !observed.Holds(&all[i], time.Now()) {
			continue
		}
		for _, a := range all[i].Spec.Assignments {
			h := held{what: fmt.Sprintf("%s/%s in %s", all[i].Namespace, all[i].Spec.Application, a.Cell.Key()), size: room{a.CPU.MilliValue(), a.Memory.Value(), 1}}
			rack := a.Cell.Cluster + "/" + a.Cell.Pool + "/" + a.Cell.Rack
			for _, host := range all[i].Spec.HostsOf(a) {
				name := a.Cell.Cluster + "/" + host
				if before, known := rackOf[name]; known && before != rack {
					s.t.Errorf("host %q is counted in %q and in %q", name, before, rack)
				}
				if _, is := offered[name]; !is {
					s.t.Errorf("%s is placed on host %q, which is not there", h.what, name)
				}
				rackOf[name] = rack
				h.hosts = append(h.hosts, name)
			}
			for range a.Seats {
				there = append(there, h)
				inRack[rack] = room{inRack[rack].cpu - h.size.cpu, inRack[rack].memory - h.size.memory, inRack[rack].instances - 1}
			}
		}
	}
	for host, rack := range rackOf {
		o := offered[host]
		inRack[rack] = room{inRack[rack].cpu + o.cpu, inRack[rack].memory + o.memory, inRack[rack].instances + o.instances}
	}
	for rack, left := range inRack {
		if left.over() {
			racks++
			s.t.Errorf("rack %s is over-committed: %+v is left", rack, left)
		}
	}
	dice := rand.New(rand.NewPCG(4, 5000)) //nolint:gosec // a test's fixed dice
	for range 5 {
		homeless += settle(s, dice, there, offered)
	}
	return len(there), racks, homeless
}

// settle gives each instance, in a random order, a random one of its hosts that has room,
// and counts those that find none.
func settle(s *scene, dice *rand.Rand, there []held, offered map[string]room) int {
	left := make(map[string]room, len(offered))
	for host, o := range offered {
		left[host] = o
	}
	homeless := 0
	for _, i := range dice.Perm(len(there)) {
		h, found := there[i], false
		for _, k := range dice.Perm(len(h.hosts)) {
			if after := left[h.hosts[k]].less(h.size); !after.over() {
				left[h.hosts[k]], found = after, true
				break
			}
		}
		if !found {
			if homeless++; homeless <= 10 {
				s.t.Errorf("an instance of %s finds no host", h.what)
			}
		}
	}
	return homeless
}
