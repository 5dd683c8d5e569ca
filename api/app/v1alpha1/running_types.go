// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Autoscaling lets the number of instances in each DCN move between bounds (R45).
//
// +kubebuilder:validation:XValidation:rule="self.min <= self.max",message="min may not be greater than max"
type Autoscaling struct {
	// min is the least number of instances in each DCN that the component runs in.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5000
	// +required
	Min int32 `json:"min"`

	// max is the most; room for it is reserved.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5000
	// +required
	Max int32 `json:"max"`

	// metrics are what is measured; the one that asks for most instances wins.
	// +kubebuilder:validation:MaxItems=8
	// +listType=atomic
	// +optional
	Metrics []ScalingMetric `json:"metrics,omitempty"`

	// schedules raise the bounds at known times, such as salary day.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Schedules []ScalingSchedule `json:"schedules,omitempty"`

	// speed is Steady (default), or Fast, which doubles the instances every 15 seconds
	// while the metrics ask for it.
	// +kubebuilder:default=Steady
	// +optional
	Speed ScalingSpeed `json:"speed,omitempty"`
}

// ScalingMetricKind is what is measured.
//
// +kubebuilder:validation:Enum=CPU;Memory;Custom
type ScalingMetricKind string

const (
	// MetricCPU is CPU use in percent of what was asked for.
	MetricCPU ScalingMetricKind = "CPU"
	// MetricMemory is memory use in percent of what was asked for.
	MetricMemory ScalingMetricKind = "Memory"
	// MetricCustom is a metric of the application, averaged over its instances.
	MetricCustom ScalingMetricKind = "Custom"
)

// ScalingMetric is one measure with the value it shall be kept at.
//
// +kubebuilder:validation:XValidation:rule="self.kind == 'Custom' ? (has(self.name) && has(self.average)) : has(self.percent)",message="kind Custom needs name and average; CPU and Memory need percent"
type ScalingMetric struct {
	// kind is CPU, Memory or Custom.
	// +required
	Kind ScalingMetricKind `json:"kind"`

	// percent is the target for CPU and Memory, in percent of what one instance asks for.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Percent int32 `json:"percent,omitempty"`

	// name is the metric's name for Custom.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Name string `json:"name,omitempty"`

	// average is the target value per instance for Custom.
	// +optional
	Average *resource.Quantity `json:"average,omitempty"`
}

// ScalingSpeed is how quickly instances are added.
//
// +kubebuilder:validation:Enum=Steady;Fast
type ScalingSpeed string

const (
	// SpeedSteady adds instances as Kubernetes does by itself.
	SpeedSteady ScalingSpeed = "Steady"
	// SpeedFast doubles them every 15 seconds.
	SpeedFast ScalingSpeed = "Fast"
)

// ScalingSchedule raises the bounds for a time.
type ScalingSchedule struct {
	// name names the schedule within the component.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +required
	Name string `json:"name"`

	// cron is when it begins, as five cron fields, for example "30 8 10 * *".
	// +required
	Cron CronLine `json:"cron"`

	// timeZone is the IANA zone of cron. Default: Asia/Shanghai.
	// +kubebuilder:default="Asia/Shanghai"
	// +kubebuilder:validation:MaxLength=64
	// +optional
	TimeZone string `json:"timeZone,omitempty"`

	// durationMinutes is how long it holds.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10080
	// +required
	DurationMinutes int32 `json:"durationMinutes"`

	// min is the least number of instances in each DCN meanwhile.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=5000
	// +required
	Min int32 `json:"min"`
}

// CronLine is five cron fields: minute, hour, day of month, month, day of week.
//
// +kubebuilder:validation:MinLength=9
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^(\S+\s+){4}\S+$`
type CronLine string

// Schedule is when a Cron component runs (R90).
type Schedule struct {
	// cron is five cron fields, for example "0 2 * * *".
	// +required
	Cron CronLine `json:"cron"`

	// timeZone is the IANA zone of cron. Default: Asia/Shanghai.
	// +kubebuilder:default="Asia/Shanghai"
	// +kubebuilder:validation:MaxLength=64
	// +optional
	TimeZone string `json:"timeZone,omitempty"`

	// overlap says what happens when the last run has not ended: Skip (default) leaves the
	// new run out, Allow runs both, Replace ends the old one.
	// +kubebuilder:default=Skip
	// +optional
	Overlap Overlap `json:"overlap,omitempty"`

	// lateSeconds is how late a run may begin; later than that it is left out. Default: 300.
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=86400
	// +optional
	LateSeconds int64 `json:"lateSeconds,omitempty"`
}

// Overlap is what happens to a run that would begin while the last one runs.
//
// +kubebuilder:validation:Enum=Skip;Allow;Replace
type Overlap string

const (
	// OverlapSkip leaves the new run out.
	OverlapSkip Overlap = "Skip"
	// OverlapAllow runs both.
	OverlapAllow Overlap = "Allow"
	// OverlapReplace ends the old run.
	OverlapReplace Overlap = "Replace"
)

// JobBounds bounds one run of a Job or Cron component.
type JobBounds struct {
	// completions is how many instances must end well. Default: 1.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	Completions int32 `json:"completions,omitempty"`

	// retries is how many failures are retried before the run counts as failed. Default: 3.
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	Retries *int32 `json:"retries,omitempty"`

	// deadlineSeconds ends a run that takes longer. Default: no deadline.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	// +optional
	DeadlineSeconds *int64 `json:"deadlineSeconds,omitempty"`
}

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

// FixedIP says whether a seat keeps its address.
//
// +kubebuilder:validation:Enum=None;PerSeat
type FixedIP string

const (
	// FixedIPNone lets each new instance have a new address.
	FixedIPNone FixedIP = "None"
	// FixedIPPerSeat gives each seat an address for life.
	FixedIPPerSeat FixedIP = "PerSeat"
)

// Interface is a network interface besides the first one (R17).
type Interface struct {
	// name is the interface's name in the instance, for example "net1".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*$`
	// +required
	Name string `json:"name"`

	// zone is the NetworkZone it attaches to.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +required
	Zone string `json:"zone"`

	// routes are the IP networks reached through it. The default route stays on the first.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:items:Pattern=`^[0-9a-fA-F:.]+/[0-9]{1,3}$`
	// +listType=set
	// +optional
	Routes []string `json:"routes,omitempty"`
}

// DNS adjusts name resolution inside the instances.
type DNS struct {
	// servers are name servers asked besides the cluster's own.
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:MaxLength=39
	// +kubebuilder:validation:items:Pattern=`^[0-9a-fA-F:.]+$`
	// +listType=atomic
	// +optional
	Servers []string `json:"servers,omitempty"`

	// searches are domains tried after the cluster's own.
	// +kubebuilder:validation:MaxItems=3
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=atomic
	// +optional
	Searches []string `json:"searches,omitempty"`

	// hosts are fixed names, as in /etc/hosts.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=ip
	// +optional
	Hosts []HostAlias `json:"hosts,omitempty"`

	// record is the name the bank's DNS shall carry for the component (R25).
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Record string `json:"record,omitempty"`
}

// HostAlias gives names to an address.
type HostAlias struct {
	// ip is the address.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=39
	// +kubebuilder:validation:Pattern=`^[0-9a-fA-F:.]+$`
	// +required
	IP string `json:"ip"`

	// names are its names.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=atomic
	// +required
	Names []string `json:"names"`
}

// ApplicationStatus is what Fairway observed.
type ApplicationStatus struct {
	// conditions are the facts: Ready sums up, Stalled needs a person, Revised says that the
	// spec has become a Revision, Released says that the latest Revision is in service.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// latestRevision is the newest Revision made from the spec.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	LatestRevision string `json:"latestRevision,omitempty"`

	// releasedRevision is the Revision that the last finished Release brought into service.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	ReleasedRevision string `json:"releasedRevision,omitempty"`

	// activeRelease is the Release that holds the application now; there is at most one.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	ActiveRelease string `json:"activeRelease,omitempty"`

	// releaseSequence counts the Releases of this application; it only grows.
	// +optional
	ReleaseSequence int64 `json:"releaseSequence,omitempty"`

	// running counts instances per component and DCN.
	// +kubebuilder:validation:MaxItems=2048
	// +listType=atomic
	// +optional
	Running []RunningCount `json:"running,omitempty"`

	// findings are what the go-live checks say about the spec (R47).
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	// +optional
	Findings []Finding `json:"findings,omitempty"`

	// notCarriedOut lists fields that are stored and checked, but which this version of
	// Fairway does not carry out yet.
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	// +optional
	NotCarriedOut []NotCarriedOut `json:"notCarriedOut,omitempty"`
}

// RunningCount counts the instances of one component in one DCN.
type RunningCount struct {
	// component is the component's name.
	// +required
	Component ComponentName `json:"component"`

	// dcn is the DCN's name.
	// +kubebuilder:validation:MaxLength=32
	// +required
	DCN string `json:"dcn"`

	// wanted is how many instances the released Revision and Placement ask for.
	// +required
	Wanted int32 `json:"wanted"`

	// ready is how many are ready.
	// +required
	Ready int32 `json:"ready"`
}

// Severity is how heavy a finding is.
//
// +kubebuilder:validation:Enum=Error;Warning
type Severity string

const (
	// SeverityError prevents a Revision.
	SeverityError Severity = "Error"
	// SeverityWarning is shown and prevents nothing.
	SeverityWarning Severity = "Warning"
)

// Finding is something that a go-live check found.
type Finding struct {
	// severity is Error or Warning.
	// +required
	Severity Severity `json:"severity"`

	// rule is the check's name, for example "MissingProbe".
	// +kubebuilder:validation:MaxLength=63
	// +required
	Rule string `json:"rule"`

	// component is the component concerned; empty for the whole application.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	Component string `json:"component,omitempty"`

	// message says what to change.
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Message string `json:"message"`
}

// NotCarriedOut is a field that waits for a later version.
type NotCarriedOut struct {
	// field is the path within spec.
	// +kubebuilder:validation:MaxLength=256
	// +required
	Field string `json:"field"`

	// reason says what will carry it out, and what happens meanwhile.
	// +kubebuilder:validation:MaxLength=512
	// +required
	Reason string `json:"reason"`
}
