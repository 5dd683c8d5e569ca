// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package topology

import (
	"fmt"
	"net/netip"
)

// MaxIndex is the highest number a sandbox can have.
const MaxIndex = 15

// RegistryName is the name by which image references call the sandbox's
// registry, for example "registry.bank.example/retail/channel:v1". Hosts
// and Fairway resolve it to the sandbox's own registry.
const RegistryName = "registry.bank.example"

// Plan is a sandbox with every address and port decided.
type Plan struct {
	// Sandbox is the sandbox's name, Index its number on this machine.
	Sandbox string `json:"sandbox"`
	Index   int    `json:"index"`
	// DataCenters, Clusters (the hub first) and Hosts in the order of the file.
	DataCenters []DataCenterPlan `json:"dataCenters"`
	Clusters    []ClusterPlan    `json:"clusters"`
	Hosts       []HostPlan       `json:"hosts"`
	// Cuts are the links that start cut.
	Cuts [][2]string `json:"cuts,omitempty"`
	// PodCIDR holds the pods of all real hosts.
	PodCIDR netip.Prefix `json:"podCIDR"`
	// EtcdPort, EtcdPeerPort, RegistryPort, PrometheusPort, ServerPort, MetricsPort
	// (of the server) and WitnessPort are ports in the root namespace; a port of 0
	// means the part is switched off.
	EtcdPort       int `json:"etcdPort"`
	EtcdPeerPort   int `json:"etcdPeerPort"`
	RegistryPort   int `json:"registryPort"`
	PrometheusPort int `json:"prometheusPort"`
	ServerPort     int `json:"serverPort"`
	MetricsPort    int `json:"metricsPort"`
	WitnessPort    int `json:"witnessPort"`
}

// DataCenterPlan is one site with its addresses.
type DataCenterPlan struct {
	Name             string   `json:"name"`
	AvailabilityZone string   `json:"availabilityZone"`
	Racks            []string `json:"racks"`
	// Subnet holds Router (the gateway of hosts), Machine (this machine's root
	// namespace) and the hosts.
	Subnet  netip.Prefix `json:"subnet"`
	Router  netip.Addr   `json:"router"`
	Machine netip.Addr   `json:"machine"`
}

// ClusterPlan is one control plane with its addresses.
type ClusterPlan struct {
	Name string `json:"name"`
	Hub  bool   `json:"hub,omitempty"`
	// DataCenter the control plane stands in; empty for the hub.
	DataCenter string `json:"dataCenter,omitempty"`
	// Address is how hosts reach the API server: the machine's address in the
	// data centre; loopback for the hub.
	Address        netip.Addr   `json:"address"`
	Port           int          `json:"port"`
	SchedulerPort  int          `json:"schedulerPort"`
	ControllerPort int          `json:"controllerPort"`
	SimulatorPort  int          `json:"simulatorPort"`
	ServiceCIDR    netip.Prefix `json:"serviceCIDR"`
	// SimulatedNodes and SimulatedPods hold the addresses that simulated hosts
	// and their pods claim; nothing answers there.
	SimulatedNodes netip.Prefix `json:"simulatedNodes"`
	SimulatedPods  netip.Prefix `json:"simulatedPods"`
	APIServerFlags []string     `json:"apiServerFlags,omitempty"`
}

// HostPlan is one host with its addresses.
type HostPlan struct {
	Name             string   `json:"name"`
	Kind             HostKind `json:"kind"`
	Cluster          string   `json:"cluster,omitempty"`
	DataCenter       string   `json:"dataCenter"`
	AvailabilityZone string   `json:"availabilityZone"`
	Rack             string   `json:"rack"`
	Zones            []string `json:"zones,omitempty"`
	Pool             string   `json:"pool,omitempty"`
	// IP of the host; Gateway its data centre's router.
	IP      netip.Addr `json:"ip"`
	Gateway netip.Addr `json:"gateway,omitzero"`
	// PodCIDR is the network of a real host's pods.
	PodCIDR netip.Prefix `json:"podCIDR,omitzero"`
	// CgroupRoot is the control group that everything of a real host lives in.
	CgroupRoot string            `json:"cgroupRoot,omitempty"`
	CPU        string            `json:"cpu,omitempty"`
	Memory     string            `json:"memory,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Ports of a sandbox, relative to its first.
const (
	firstPort        = 20000
	portsPerSandbox  = 200
	etcdOffset       = 0
	etcdPeerOffset   = 1
	registryOffset   = 2
	prometheusOffset = 3
	serverOffset     = 4
	metricsOffset    = 5
	witnessOffset    = 6
	clusterOffset    = 10
	portsPerCluster  = 10
	firstHostAddress = 10
)

// FirstPort is the first port of the sandbox with an index, on which its etcd
// listens.
func FirstPort(index int) int { return firstPort + portsPerSandbox*index }

// Layout decides every address and port of a valid sandbox with the given
// index (0 to MaxIndex).
func Layout(s *Sandbox, index int) (*Plan, error) {
	if index < 0 || index > MaxIndex {
		return nil, fmt.Errorf("could not lay out sandbox %q: its number %d is not between 0 and %d; take down another sandbox first", s.Metadata.Name, index, MaxIndex)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("could not lay out sandbox %q: %w", s.Metadata.Name, err)
	}
	l := layout{second: byte(128 + 4*index), port: FirstPort(index)}
	plan := &Plan{
		Sandbox: s.Metadata.Name, Index: index,
		PodCIDR:  l.prefix(1, 0, 16),
		EtcdPort: l.port + etcdOffset, EtcdPeerPort: l.port + etcdPeerOffset, ServerPort: l.port + serverOffset,
		MetricsPort: l.port + metricsOffset, WitnessPort: l.port + witnessOffset,
	}
	if s.Spec.Registry.On() {
		plan.RegistryPort = l.port + registryOffset
	}
	if s.Spec.Prometheus.On() {
		plan.PrometheusPort = l.port + prometheusOffset
	}
	for i, dc := range s.Spec.DataCenters {
		plan.DataCenters = append(plan.DataCenters, l.dataCenter(i, dc))
	}
	plan.Clusters = append(plan.Clusters, l.cluster(0, Cluster{Name: hubName, APIServerFlags: s.Spec.Hub.APIServerFlags}, netip.AddrFrom4([4]byte{127, 0, 0, 1})))
	for i, cluster := range s.Spec.Clusters {
		dc, _ := plan.DataCenter(cluster.DataCenter)
		plan.Clusters = append(plan.Clusters, l.cluster(i+1, cluster, dc.Machine))
	}
	l.hosts(plan, s.Spec.Hosts)
	for _, link := range s.Spec.Links {
		if link.State == Cut {
			plan.Cuts = append(plan.Cuts, [2]string{link.Between[0], link.Between[1]})
		}
	}
	return plan, nil
}

// layout counts addresses out.
type layout struct {
	second byte
	port   int
}

func (l layout) addr(part, third, fourth int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, l.second + byte(part), byte(third), byte(fourth)})
}

func (l layout) prefix(part, third, bits int) netip.Prefix {
	return netip.PrefixFrom(l.addr(part, third, 0), bits)
}

func (l layout) dataCenter(i int, dc DataCenter) DataCenterPlan {
	zone := dc.AvailabilityZone
	if zone == "" {
		zone = dc.Name
	}
	return DataCenterPlan{
		Name: dc.Name, AvailabilityZone: zone, Racks: dc.Racks,
		Subnet: l.prefix(0, i, 24), Router: l.addr(0, i, 1), Machine: l.addr(0, i, 2),
	}
}

func (l layout) cluster(i int, cluster Cluster, address netip.Addr) ClusterPlan {
	port := l.port + clusterOffset + portsPerCluster*i
	return ClusterPlan{
		Name: cluster.Name, Hub: i == 0, DataCenter: cluster.DataCenter, Address: address,
		Port: port, SchedulerPort: port + 1, ControllerPort: port + 2, SimulatorPort: port + 3,
		ServiceCIDR:    l.prefix(2, 16*i, 20),
		SimulatedNodes: l.prefix(3, 16*i, 21), SimulatedPods: l.prefix(3, 16*i+8, 21),
		APIServerFlags: cluster.APIServerFlags,
	}
}

func (l layout) hosts(plan *Plan, hosts []Host) {
	inDataCenter, simulated, realHosts := map[string]int{}, map[string]int{}, 0
	for _, host := range hosts {
		dc, _ := plan.rack(host.Rack)
		index := plan.dataCenterIndex(dc.Name)
		for _, name := range host.names() {
			h := HostPlan{
				Name: name, Kind: host.Kind, Cluster: host.Cluster, DataCenter: dc.Name, AvailabilityZone: dc.AvailabilityZone, Rack: host.Rack,
				Zones: host.Zones, Pool: host.Pool, CPU: host.CPU, Memory: host.Memory, Labels: host.Labels,
			}
			if host.Kind == Simulated {
				n := simulated[host.Cluster] + 1
				simulated[host.Cluster] = n
				cluster, _ := plan.Cluster(host.Cluster)
				base := cluster.SimulatedNodes.Addr().As4()
				h.IP = l.addr(3, int(base[2])+n/256, n%256)
			} else {
				h.IP = l.addr(0, index, firstHostAddress+inDataCenter[dc.Name])
				h.Gateway = dc.Router
				inDataCenter[dc.Name]++
			}
			if host.Kind == Real {
				h.PodCIDR = l.prefix(1, realHosts, 24)
				h.CgroupRoot = "/fairway/" + plan.Sandbox + "/" + name
				realHosts++
			}
			plan.Hosts = append(plan.Hosts, h)
		}
	}
}
