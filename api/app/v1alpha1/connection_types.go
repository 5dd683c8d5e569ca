// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

// Reach is how far a dependency goes.
//
// +kubebuilder:validation:Enum=SameDCN;AllDCNs
type Reach string

const (
	// ReachSameDCN calls only instances of the caller's own DCN.
	ReachSameDCN Reach = "SameDCN"
	// ReachAllDCNs may call instances of every DCN.
	ReachAllDCNs Reach = "AllDCNs"
)

// Dependency is something a component calls.
//
// +kubebuilder:validation:XValidation:rule="has(self.component) != has(self.binding)",message="give either component or binding"
// +kubebuilder:validation:XValidation:rule="!has(self.component) || has(self.port)",message="say which port of the component is called"
type Dependency struct {
	// component is another component of this application.
	// +optional
	Component ComponentName `json:"component,omitempty"`

	// port is the name of the port of that component.
	// +optional
	Port PortName `json:"port,omitempty"`

	// binding is one of the application's bindings.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Binding string `json:"binding,omitempty"`

	// reach is SameDCN (default), so that a DCN stands on its own, or AllDCNs.
	// +kubebuilder:default=SameDCN
	// +optional
	Reach Reach `json:"reach,omitempty"`
}

// BindingKind is what a bound service is.
//
// +kubebuilder:validation:Enum=Database;Cache;Queue;Files;ConfigCenter;Application;Other
type BindingKind string

const (
	// BindingDatabase is a database (Oracle, DB2, MySQL …).
	BindingDatabase BindingKind = "Database"
	// BindingCache is a cache such as Redis.
	BindingCache BindingKind = "Cache"
	// BindingQueue is a message queue.
	BindingQueue BindingKind = "Queue"
	// BindingFiles is a file server.
	BindingFiles BindingKind = "Files"
	// BindingConfigCenter is an external configuration centre (R41).
	BindingConfigCenter BindingKind = "ConfigCenter"
	// BindingApplication is another application on this platform.
	BindingApplication BindingKind = "Application"
	// BindingOther is anything else.
	BindingOther BindingKind = "Other"
)

// Binding is a service outside the application (R42).
//
// +kubebuilder:validation:XValidation:rule="(self.kind == 'Application') == has(self.application)",message="application and kind Application belong together: give both or neither"
// +kubebuilder:validation:XValidation:rule="self.kind == 'Application' || (has(self.address) && has(self.networks))",message="give address and the networks it lies in, so that the network can be opened"
type Binding struct {
	// name is how components refer to it; FAIRWAY_DEPENDENCY_<NAME>_URL carries it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name"`

	// kind is Database, Cache, Queue, Files, ConfigCenter, Application or Other.
	// +required
	Kind BindingKind `json:"kind"`

	// address is the host name or IP address that components call.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9]([-.:a-zA-Z0-9]*[a-zA-Z0-9])?$`
	// +optional
	Address string `json:"address,omitempty"`

	// networks are the IP networks, such as "10.8.0.0/28", that the address lies in. Only
	// these are opened.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:items:Pattern=`^[0-9a-fA-F:.]+/[0-9]{1,3}$`
	// +listType=set
	// +optional
	Networks []string `json:"networks,omitempty"`

	// port is the port number.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +required
	Port int32 `json:"port"`

	// protocol is TCP (default) or UDP.
	// +kubebuilder:default=TCP
	// +optional
	Protocol TransportProtocol `json:"protocol,omitempty"`

	// scheme begins the URL, for example "jdbc:oracle:thin" or "redis". Default: tcp.
	// +kubebuilder:default=tcp
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z][-+.:a-z0-9]*$`
	// +optional
	Scheme string `json:"scheme,omitempty"`

	// zone is the NetworkZone it lies in. The zone of the caller must allow the flow.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +required
	Zone string `json:"zone"`

	// secret names the Secret of this namespace with the keys "username" and "password",
	// which become FAIRWAY_DEPENDENCY_<NAME>_USERNAME and _PASSWORD.
	// +kubebuilder:validation:MaxLength=48
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +optional
	Secret string `json:"secret,omitempty"`

	// application is the other application, for kind Application.
	// +optional
	Application *BoundApplication `json:"application,omitempty"`
}

// BoundApplication is a component of another application in the same environment.
type BoundApplication struct {
	// tenant is its tenant. Default: the same. Another tenant must allow the flow too.
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +optional
	Tenant string `json:"tenant,omitempty"`

	// name is its name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=24
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name"`

	// component is the component that is called.
	// +required
	Component ComponentName `json:"component"`
}

// Layer is the layer that an exposure balances at.
//
// +kubebuilder:validation:Enum=L4;L7
type Layer string

const (
	// LayerL4 balances connections.
	LayerL4 Layer = "L4"
	// LayerL7 balances HTTP requests.
	LayerL7 Layer = "L7"
)

// ClientAffinity says whether a client stays with an instance.
//
// +kubebuilder:validation:Enum=None;ClientIP;Cookie
type ClientAffinity string

const (
	// AffinityNone sends each connection or request anywhere.
	AffinityNone ClientAffinity = "None"
	// AffinityClientIP keeps an address with an instance.
	AffinityClientIP ClientAffinity = "ClientIP"
	// AffinityCookie keeps a browser with an instance, L7 only.
	AffinityCookie ClientAffinity = "Cookie"
)

// Balancing is how the next instance is chosen (R23).
//
// +kubebuilder:validation:Enum=RoundRobin;Weighted;LeastConnections;SourceHash
type Balancing string

const (
	// BalanceRoundRobin takes instances in turn.
	BalanceRoundRobin Balancing = "RoundRobin"
	// BalanceWeighted takes them by weight.
	BalanceWeighted Balancing = "Weighted"
	// BalanceLeastConnections takes the one with fewest connections.
	BalanceLeastConnections Balancing = "LeastConnections"
	// BalanceSourceHash takes one by the hash of the client's address.
	BalanceSourceHash Balancing = "SourceHash"
)

// Exposure makes a port reachable from outside (R20, R23, R24).
//
// +kubebuilder:validation:XValidation:rule="self.layer == 'L7' || (!has(self.host) && !has(self.path) && !has(self.tls) && !has(self.routingKeys))",message="host, path, tls and routingKeys need layer L7; remove them or set layer to L7"
// +kubebuilder:validation:XValidation:rule="!has(self.affinity) || self.affinity != 'Cookie' || self.layer == 'L7'",message="affinity Cookie needs layer L7; use ClientIP"
type Exposure struct {
	// name names the exposure within the application.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=12
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name"`

	// component is the component that is exposed.
	// +required
	Component ComponentName `json:"component"`

	// port is the name of its port.
	// +required
	Port PortName `json:"port"`

	// layer is L4 or L7.
	// +required
	Layer Layer `json:"layer"`

	// host is the host name for L7. Default: any.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`
	// +optional
	Host string `json:"host,omitempty"`

	// path is the path prefix for L7. Default: "/".
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/.*$`
	// +optional
	Path string `json:"path,omitempty"`

	// tls ends TLS at the load balancer, for L7.
	// +optional
	TLS *ExposureTLS `json:"tls,omitempty"`

	// affinity is None (default), ClientIP or Cookie.
	// +kubebuilder:default=None
	// +optional
	Affinity ClientAffinity `json:"affinity,omitempty"`

	// balancing is RoundRobin (default), Weighted, LeastConnections or SourceHash.
	// +kubebuilder:default=RoundRobin
	// +optional
	Balancing Balancing `json:"balancing,omitempty"`

	// nodePort opens this port on every host of the cluster, until load balancers are
	// driven by the platform. One cluster can carry it for one DCN only.
	// +kubebuilder:validation:Minimum=30000
	// +kubebuilder:validation:Maximum=32767
	// +optional
	NodePort *int32 `json:"nodePort,omitempty"`

	// sources are the only IP networks that may connect. Default: any.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:items:Pattern=`^[0-9a-fA-F:.]+/[0-9]{1,3}$`
	// +listType=set
	// +optional
	Sources []string `json:"sources,omitempty"`

	// routingKeys say in which HTTP header each business dimension travels, so that a
	// Release can send single outlets, tellers or legal entities to new instances (R56).
	// +kubebuilder:validation:MaxItems=3
	// +listType=map
	// +listMapKey=dimension
	// +optional
	RoutingKeys []RoutingKey `json:"routingKeys,omitempty"`
}

// ExposureTLS ends TLS at the load balancer.
type ExposureTLS struct {
	// secret names the Secret of this namespace with certificate and key.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Secret string `json:"secret"`
}

// Dimension is a business dimension for targeted canaries (R56).
//
// +kubebuilder:validation:Enum=Outlet;Teller;LegalEntity
type Dimension string

const (
	// DimensionOutlet is the outlet (网点, 机构号).
	DimensionOutlet Dimension = "Outlet"
	// DimensionTeller is the teller (柜员).
	DimensionTeller Dimension = "Teller"
	// DimensionLegalEntity is the legal entity (法人).
	DimensionLegalEntity Dimension = "LegalEntity"
)

// RoutingKey says where a dimension travels.
type RoutingKey struct {
	// dimension is Outlet, Teller or LegalEntity.
	// +required
	Dimension Dimension `json:"dimension"`

	// header is the HTTP header.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][-A-Za-z0-9]*$`
	// +required
	Header string `json:"header"`
}
