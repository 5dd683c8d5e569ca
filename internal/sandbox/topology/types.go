// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package topology

// APIVersion and Kind are what a topology file begins with.
const (
	APIVersion = "sandbox.fairway.cloud/v1alpha1"
	Kind       = "Sandbox"
)

// Sandbox is a topology file.
type Sandbox struct {
	// apiVersion is "sandbox.fairway.cloud/v1alpha1".
	APIVersion string `json:"apiVersion"`
	// kind is "Sandbox".
	Kind string `json:"kind"`
	// metadata holds the sandbox's name.
	Metadata Metadata `json:"metadata"`
	// spec describes what stands in the sandbox.
	Spec Spec `json:"spec"`
}

// Metadata names a sandbox.
type Metadata struct {
	// name of the sandbox: at most 32 lower-case letters, digits and dashes.
	// Sandboxes of different names run side by side.
	Name string `json:"name"`
}

// Spec describes what stands in a sandbox.
type Spec struct {
	// dataCenters are the sites, each with its racks. At least one, at most 8.
	DataCenters []DataCenter `json:"dataCenters"`
	// hub is the cluster that holds Fairway's own objects. It has no hosts.
	Hub Hub `json:"hub,omitempty"`
	// clusters are the members. At most 15.
	Clusters []Cluster `json:"clusters,omitempty"`
	// hosts of the member clusters, and edge hosts.
	Hosts []Host `json:"hosts,omitempty"`
	// links lists the links that do not start connected; all others do.
	Links []Link `json:"links,omitempty"`
	// registry serves container images to the hosts.
	Registry Service `json:"registry,omitempty"`
	// prometheus scrapes API servers, kubelets and Fairway.
	Prometheus Service `json:"prometheus,omitempty"`
	// fairway is what runs on the hub. Left out: an empty hub.
	Fairway *Fairway `json:"fairway,omitempty"`
}

// Fairway says what its server is given, once it runs on the hub and the
// members have joined. Folders are relative to the checkout.
type Fairway struct {
	// world are folders of objects that describe the bank: places, tenants, pools.
	World []string `json:"world,omitempty"`
	// applications are folders of Applications to bring into service.
	Applications []string `json:"applications,omitempty"`
	// images are the versions of the example's images that are built and pushed,
	// for example ["v1", "v2"].
	Images []string `json:"images,omitempty"`
	// maker is the login of who writes the applications. Default: whoever holds the
	// server's token.
	Maker string `json:"maker,omitempty"`
	// changes says, per namespace, which of the world's people carry the first
	// releases through. Default: nobody; applications are then left to whoever tries
	// the sandbox.
	Changes []Change `json:"changes,omitempty"`
}

// Change names the people of one namespace's changes by their logins.
type Change struct {
	// namespace on the hub, <tenant>-<environment>.
	Namespace string `json:"namespace"`
	// requester asks for the releases.
	Requester string `json:"requester"`
	// approvers agree to them.
	Approvers []string `json:"approvers"`
	// verifier confirms the result.
	Verifier string `json:"verifier"`
}

// DataCenter is one site.
type DataCenter struct {
	// name of the data centre, for example "dc-east".
	Name string `json:"name"`
	// availabilityZone is what its hosts carry as topology.kubernetes.io/zone;
	// the data centre's name by default.
	AvailabilityZone string `json:"availabilityZone,omitempty"`
	// racks of the site, for example ["east-a","east-b"]; unique in the sandbox.
	Racks []string `json:"racks"`
}

// Hub is the cluster Fairway runs on.
type Hub struct {
	// apiServerFlags are added to its kube-apiserver, each as "--name=value".
	APIServerFlags []string `json:"apiServerFlags,omitempty"`
}

// Cluster is a member.
type Cluster struct {
	// name of the cluster, for example "east-1".
	Name string `json:"name"`
	// dataCenter its control plane stands in. Its hosts may stand anywhere.
	DataCenter string `json:"dataCenter"`
	// environment that the cluster serves once it joins Fairway, for example
	// "prod". A cluster without one does not join.
	Environment string `json:"environment,omitempty"`
	// apiServerFlags are added to its kube-apiserver, each as "--name=value".
	APIServerFlags []string `json:"apiServerFlags,omitempty"`
}

// HostKind says what a host is made of.
type HostKind string

const (
	// Real hosts run containers: a network namespace with kubelet and containerd.
	Real HostKind = "real"
	// Simulated hosts exist only as objects; their pods run nothing.
	Simulated HostKind = "simulated"
	// Edge hosts are network namespaces without a kubelet, for load balancers
	// and clients.
	Edge HostKind = "edge"
)

// Host is one host, or count hosts of a numbered name.
type Host struct {
	// name of the host, for example "east-biz-1". With count it is a prefix:
	// "east-sim" and count 10 give east-sim-01 to east-sim-10.
	Name string `json:"name"`
	// kind is real, simulated or edge.
	Kind HostKind `json:"kind"`
	// cluster the host belongs to; none for an edge host.
	Cluster string `json:"cluster,omitempty"`
	// rack the host stands in, which also says its data centre.
	Rack string `json:"rack"`
	// count makes that many hosts. Default: one host of just this name.
	Count int `json:"count,omitempty"`
	// zones are the network zones the host can attach instances to; shown, and
	// checked by whoever makes the pool.
	Zones []string `json:"zones,omitempty"`
	// pool the host is meant for; shown. Only Fairway puts hosts into pools.
	Pool string `json:"pool,omitempty"`
	// cpu is how many cores the host offers, for example "4". Default: the
	// machine's cores for a real host (they share them), 16 for a simulated one.
	CPU string `json:"cpu,omitempty"`
	// memory the host offers, for example "8Gi". Default: an equal share of
	// the machine for a real host, 64Gi for a simulated one.
	Memory string `json:"memory,omitempty"`
	// labels are added to the node.
	Labels map[string]string `json:"labels,omitempty"`
}

// LinkState is connected or cut.
type LinkState string

// The states of a link.
const (
	Connected LinkState = "connected"
	Cut       LinkState = "cut"
)

// Link is the connection between two ends.
type Link struct {
	// between names the two ends: two data centres, "hub" and a data centre, a
	// data centre and one of its racks, or a rack and one of its hosts.
	Between []string `json:"between"`
	// state at the first start: connected or cut. Default: connected.
	State LinkState `json:"state,omitempty"`
}

// Service switches a part of the sandbox on or off.
type Service struct {
	// state is on or off. Default: on.
	State string `json:"state,omitempty"`
}

// On tells whether the part runs.
func (s Service) On() bool { return s.State != "off" }
