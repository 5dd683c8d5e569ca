// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import (
	"fmt"
	"slices"
)

// Sits is where a seat was seen last.
type Sits struct {
	Component string
	Seat      int32
	// Host and its Cluster.
	Cluster, Host string
}

// KeepsToHost reports whether a component's instances have volumes of their own that live on one
// host: they find no other one.
func (c Component) KeepsToHost() bool { return c.InPlace && slices.Contains(c.Volumes, "Local") }

// hostOf is the host of a component's seat in a cluster; empty: nobody has seen it there.
func (r *Request) hostOf(component string, seat int32, cluster string) string {
	i := slices.IndexFunc(r.Sits, func(s Sits) bool { return s.Component == component && s.Seat == seat && s.Cluster == cluster })
	if i < 0 {
		return ""
	}
	return r.Sits[i].Host
}

// OnHosts says of instances that keep to hosts of a cluster that they come back with them. There is
// a host for each instance; is and are say what is known of one host, and of several.
func OnHosts(hosts []string, cluster, is, are string) string {
	n := len(hosts)
	hosts = slices.Compact(slices.Sorted(slices.Values(hosts)))
	which, host, hostIs := "host", "the host", is
	if len(hosts) > 1 {
		which, host, hostIs = "hosts", "the hosts", are
	}
	they := "they come back with " + host + ", or are restored"
	if n == 1 {
		they = "it comes back with " + host + ", or is restored"
	}
	return fmt.Sprintf("%s with Local volumes on %s %s of cluster %s, which %s: %s", instances(int64(n)), which, list(fewOf(hosts, mostCalled)), cluster, hostIs, they)
}

// keepTo parts the seats of an assignment that keep to hosts in a room that has lost some: those of
// which nobody knows the host, and the hosts of those that are left. Of the others it says that they
// come back with theirs.
func (l losses) keepTo(r *Request, a Assignment, say *crowded) (unseen []int32, on []string) {
	var lost []string
	for _, seat := range a.Seats {
		switch host := r.hostOf(a.Component, seat, a.Cell.Cluster); {
		case host == "":
			unseen = append(unseen, seat)
		case l.hosts[[2]string{a.Cell.Cluster, host}]:
			lost = append(lost, host)
		default:
			on = append(on, host)
		}
	}
	if len(lost) > 0 {
		say.stay = append(say.stay, Reason{Component: a.Component, DCN: a.Cell.DCN, Rule: "HostsLost", Refusal: true, Message: OnHosts(lost, a.Cell.Cluster, "is lost", "are lost")})
	}
	if len(unseen) > 0 {
		say.unseen = append(say.unseen, fmt.Sprintf("%s of component %s of %s with Local volumes on rack %s of pool %s in cluster %s: nobody has seen on which hosts; what is on a lost one comes back with it, or is restored",
			instances(int64(len(unseen))), a.Component, r.Application, a.Cell.Rack, a.Cell.Pool, a.Cell.Cluster))
	}
	return unseen, on
}

// settled takes what keeps to hosts off them, by room and host, so that the rest of each room is
// what others share.
func (f *Fleet) settled(s Snapshot, taken map[roomKey]map[string]Amount) {
	for key, hosts := range taken {
		var left []Host
		for _, p := range s.Pools {
			for _, rack := range p.Racks {
				if (roomKey{rack.Cluster, p.Name, rack.Name}) == key {
					left = append(left, rack.Hosts...)
				}
			}
		}
		left = slices.Clone(sane(left))
		for i := range left {
			left[i].Room = left[i].Room.Plus(hosts[left[i].Name].Times(-1)).atLeast(Amount{})
		}
		f.room(key).furnish(left)
	}
}
