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
	Clusters []Cluster
	Pools    []Pool
	DCNs     []DCN
	Zones    []Zone
	Levels   []Level
	// Reserved is every reservation that holds, of every application, the
	// requesting one included.
	Reserved []Reservation
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
	Racks   []Rack
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
}

// DCN is a set of customers' cell of applications.
type DCN struct {
	Name        string
	DataCenter  string
	Environment string
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

func (s Snapshot) cluster(name string) (Cluster, bool) {
	return find(s.Clusters, func(c Cluster) bool { return c.Name == name })
}

func (s Snapshot) pool(name string) (Pool, bool) {
	return find(s.Pools, func(p Pool) bool { return p.Name == name })
}

func (s Snapshot) dcn(name string) (DCN, bool) {
	return find(s.DCNs, func(d DCN) bool { return d.Name == name })
}

func (s Snapshot) zone(name string) (Zone, bool) {
	return find(s.Zones, func(z Zone) bool { return z.Name == name })
}

func (s Snapshot) level(name string) (Level, bool) {
	return find(s.Levels, func(l Level) bool { return l.Name == name })
}

// hosts returns the ready hosts of a cell.
func (s Snapshot) hosts(c Cell) []Host {
	pool, _ := s.pool(c.Pool)
	for _, r := range pool.Racks {
		if r.Cluster == c.Cluster && r.Name == c.Rack {
			return r.Hosts
		}
	}
	return nil
}

func find[T any](items []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(items, is); i >= 0 {
		return items[i], true
	}
	var none T
	return none, false
}
