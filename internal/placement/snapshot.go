// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placement

import "slices"

// Amount is an amount of what hosts offer.
type Amount struct {
	// CPU in thousandths of a core.
	CPU int64
	// Memory in bytes.
	Memory int64
	// Instances by number.
	Instances int64
}

// Plus returns the sum of two amounts.
func (a Amount) Plus(b Amount) Amount {
	return Amount{CPU: a.CPU + b.CPU, Memory: a.Memory + b.Memory, Instances: a.Instances + b.Instances}
}

// Times returns the amount n times.
func (a Amount) Times(n int64) Amount {
	return Amount{CPU: a.CPU * n, Memory: a.Memory * n, Instances: a.Instances * n}
}

// atLeast returns in each respect the larger of two amounts.
func (a Amount) atLeast(b Amount) Amount {
	return Amount{CPU: max(a.CPU, b.CPU), Memory: max(a.Memory, b.Memory), Instances: max(a.Instances, b.Instances)}
}

// Within reports whether the amount fits into another.
func (a Amount) Within(b Amount) bool {
	return a.CPU <= b.CPU && a.Memory <= b.Memory && a.Instances <= b.Instances
}

// HostKind says whether hosts run containers.
type HostKind string

// The kinds of hosts.
const (
	RealHosts      HostKind = "Real"
	SimulatedHosts HostKind = "Simulated"
)

// Snapshot is the fleet at one moment, as far as the scheduler needs it.
type Snapshot struct {
	DataCenters []DataCenter
	Clusters    []Cluster
	Pools       []Pool
	DCNs        []DCN
	Zones       []Zone
	Levels      []Level
	// Reserved is every reservation that holds, of every application, the
	// requesting one included.
	Reserved []Reservation
	// Machines are instances that still run on virtual machines.
	Machines []Machine
	// Profiles say what is known of components, of every application.
	Profiles []Profile
}

// DataCenter is a site.
type DataCenter struct {
	Name string
	// Racks names the availability zone of each rack. A rack that is not named, or
	// whose zone is empty, is a domain of its own.
	Racks map[string]string
}

// Profile is what is known of a component's ways (R51).
type Profile struct {
	// Application as "<namespace>/<name>", and its component.
	Application string
	Component   string
	// Tags, such as "io-heavy".
	Tags []string
	// Calls names the components of the same application that it calls.
	Calls []string
}

// Cluster is a member as the scheduler sees it.
type Cluster struct {
	Name        string
	DataCenter  string
	Environment string
	// Away says why the cluster takes no new instances now. Empty: it does.
	Away string
	// GuardsPools says whether the cluster keeps foreign pods off pools.
	GuardsPools bool
	// Volumes lists the kinds of volume that the cluster provides.
	Volumes []string
}

// Pool is a set of hosts with one owner and one level.
type Pool struct {
	Name    string
	Tenants []string
	Level   string
	Zones   []string
	Kind    HostKind
	// Pack fills hosts that are in use first; otherwise instances go where most is free.
	Pack bool
	// Sizes that it takes instances of. None: every size.
	Sizes []NamedSize
	Racks []Rack
}

// Rack is a pool's hosts in one rack of one cluster.
type Rack struct {
	Cluster string
	Name    string
	// Hosts that are ready.
	Hosts []Host
}

// Host is one host.
type Host struct {
	Name string
	// Room is what Fairway's instances may reserve on it in all.
	Room Amount
	// Arch of its processor, as Kubernetes names it: "amd64", "arm64", "loong64".
	// Empty: not known; it then takes only what runs anywhere.
	Arch string
}

// DCN is a set of customers' cell of applications.
type DCN struct {
	Name        string
	DataCenter  string
	Environment string
	// Partner takes over its customers. The two never share a failure domain.
	Partner string
}

// Zone is a security domain of the network.
type Zone struct {
	Name   string
	Levels []string
}

// Level is a security level.
type Level struct {
	Name string
	// NeedsGuard says that the level runs only on clusters that keep foreign
	// pods off pools.
	NeedsGuard bool
}

// Cell is the smallest unit that is counted.
type Cell struct {
	Cluster string
	Pool    string
	Zone    string
	Rack    string
	DCN     string
}

// Key returns "cluster/pool/zone/rack/dcn".
func (c Cell) Key() string {
	return c.Cluster + "/" + c.Pool + "/" + c.Zone + "/" + c.Rack + "/" + c.DCN
}

func (c Cell) appendKey(out []byte) []byte {
	for i, part := range [...]string{c.Cluster, c.Pool, c.Zone, c.Rack, c.DCN} {
		if i > 0 {
			out = append(out, '/')
		}
		out = append(out, part...)
	}
	return out
}

// Assignment puts seats of one component into one cell.
type Assignment struct {
	Component string
	Template  string
	Cell      Cell
	Block     int32
	Seats     []int32
	Hosts     []string
	// Size is what one instance reserves.
	Size Amount
	// MaxPerHost is how many of these one host may hold, as their pods say and the member's
	// scheduler obeys. 0: no bound.
	MaxPerHost int32
	// Archs are the processors that they run on. None: any.
	Archs []string
	// KeepsFrom are the components that they share no failure domain with.
	KeepsFrom []KeepsFrom
}

// Reservation is an Assignment that holds room.
type Reservation struct {
	// Application as "<namespace>/<name>".
	Application string
	// Tenant and Environment of the application.
	Tenant      string
	Environment string
	// Placement that reserved it.
	Placement string
	Assignment
}

func find[T any](items []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(items, is); i >= 0 {
		return items[i], true
	}
	var none T
	return none, false
}
