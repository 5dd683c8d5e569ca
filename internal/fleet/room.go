// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// Room is what a pool's hosts in one cluster hold and could hold.
type Room struct {
	// Racks by name.
	Racks []fleetv1.PoolRack
	// Hosts counts all of the pool's hosts there.
	Hosts fleetv1.HostCounts
	// Instances counts Fairway's instances on them.
	Instances int64
	// Findings about hosts that take no instances, by host.
	Findings []Finding
	// Presence says rack by rack whether hosts answer.
	Presence []Presence
}

// RoomOf counts the room of one pool in one cluster, rack by rack and host by
// host. hosts are the pool's own; pods are all pods of the cluster, node agents
// included; racks are those of the cluster's data centre. Hosts that are not
// ready, are cordoned, bear a foreign taint, report what no host has or stand in an unknown rack are
// counted and reported, and offer no room.
func RoomOf(cluster, pool string, hosts []Host, pods []Pod, racks []string) Room {
	used, foreign := map[string]Amount{}, map[string]Amount{}
	room := Room{Presence: presenceOf(hosts, racks)}
	mine := map[string]bool{}
	for _, host := range hosts {
		mine[host.Name] = true
	}
	for _, pod := range pods {
		used[pod.Host] = used[pod.Host].Plus(pod.Reserved)
		if !pod.Ours {
			foreign[pod.Host] = foreign[pod.Host].Plus(pod.Reserved)
		} else if mine[pod.Host] {
			room.Instances++
		}
	}
	byRack := map[string][]Host{}
	for _, host := range slices.SortedFunc(slices.Values(hosts), func(a, b Host) int { return cmp.Compare(a.Name, b.Name) }) {
		room.Hosts.Total++
		if host.Simulated {
			room.Hosts.Simulated++
		}
		if host.Ready {
			room.Hosts.Ready++
		}
		if rule, message := unfit(host, racks); rule != "" {
			room.Findings = append(room.Findings, Finding{Pool: pool, Host: host.Name, Rule: rule, Message: message})
			continue
		}
		byRack[host.Rack] = append(byRack[host.Rack], host)
	}
	for _, name := range slices.Sorted(maps.Keys(byRack)) {
		room.Racks = append(room.Racks, rackOf(cluster, name, byRack[name], used, foreign))
	}
	return room
}

func unfit(host Host, racks []string) (rule, message string) {
	switch {
	case !host.Ready:
		return RuleHostNotReady, fmt.Sprintf("host %q does not report that it is ready: look at its kubelet", host.Name)
	case host.Cordoned:
		return RuleHostNotReady, fmt.Sprintf("host %q is cordoned and takes no new instances: uncordon it when its work is done", host.Name)
	case host.Barred != "":
		return RuleHostNotReady, fmt.Sprintf("host %q has the taint %s, which instances do not tolerate: take it off when its cause is gone", host.Name, host.Barred)
	case host.Capacity.odd() != "":
		return RuleHostCapacity, fmt.Sprintf("host %q reports that it offers %s, which is not believed: look at what its kubelet reports", host.Name, host.Capacity.odd())
	case host.Rack == "":
		return RuleHostRack, fmt.Sprintf("host %q has no label %s: whoever registers it sets the rack", host.Name, fleetv1.LabelRack)
	case !slices.Contains(racks, host.Rack):
		return RuleHostRack, fmt.Sprintf("host %q stands in rack %q, which its data centre does not list: add the rack, or correct the label", host.Name, host.Rack)
	}
	return "", ""
}

func rackOf(cluster, name string, hosts []Host, used, foreign map[string]Amount) fleetv1.PoolRack {
	rack := fleetv1.PoolRack{Cluster: cluster, Rack: name, Classes: map[string]int32{}}
	var capacity, taken, free Amount
	for _, host := range hosts {
		rack.Hosts = append(rack.Hosts, host.Name)
		rack.Classes[host.Class()]++
		capacity = capacity.Plus(host.Capacity)
		taken = taken.Plus(used[host.Name])
		free = free.Plus(host.Capacity.Less(used[host.Name]))
		rack.Room = append(rack.Room, fleetv1.HostRoom{Host: host.Name, Architecture: host.Arch, Resources: host.Capacity.Less(foreign[host.Name]).Resources()})
	}
	rack.Capacity, rack.Used, rack.Free = capacity.Resources(), taken.Resources(), free.Resources()
	return rack
}
