// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package topology

import "slices"

// HubName is the name of the hub cluster in every sandbox.
const HubName = hubName

// DataCenter finds a data centre by its name.
func (p *Plan) DataCenter(name string) (DataCenterPlan, bool) {
	return find(p.DataCenters, func(dc DataCenterPlan) bool { return dc.Name == name })
}

// Cluster finds a cluster by its name.
func (p *Plan) Cluster(name string) (ClusterPlan, bool) {
	return find(p.Clusters, func(c ClusterPlan) bool { return c.Name == name })
}

// Host finds a host by its name.
func (p *Plan) Host(name string) (HostPlan, bool) {
	return find(p.Hosts, func(h HostPlan) bool { return h.Name == name })
}

// HostsOf lists the hosts of a kind in a cluster, or in all when cluster is
// empty.
func (p *Plan) HostsOf(kind HostKind, cluster string) []HostPlan {
	var found []HostPlan
	for _, h := range p.Hosts {
		if h.Kind == kind && (cluster == "" || h.Cluster == cluster) {
			found = append(found, h)
		}
	}
	return found
}

// Hub is the hub cluster.
func (p *Plan) Hub() ClusterPlan { return p.Clusters[0] }

// Members are all clusters but the hub.
func (p *Plan) Members() []ClusterPlan { return p.Clusters[1:] }

func (p *Plan) rack(name string) (DataCenterPlan, bool) {
	return find(p.DataCenters, func(dc DataCenterPlan) bool { return slices.Contains(dc.Racks, name) })
}

func (p *Plan) dataCenterIndex(name string) int {
	return slices.IndexFunc(p.DataCenters, func(dc DataCenterPlan) bool { return dc.Name == name })
}

func find[T any](list []T, match func(T) bool) (T, bool) {
	i := slices.IndexFunc(list, match)
	if i < 0 {
		var none T
		return none, false
	}
	return list[i], true
}
