// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

// ComponentName names a component within its application: at most 16 characters, so that
// every name built from it fits.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
type ComponentName string

// ComponentKind is how a component runs.
//
// +kubebuilder:validation:Enum=Service;Stateful;Job;Cron
type ComponentKind string

const (
	// KindService runs for ever; any instance is as good as another.
	KindService ComponentKind = "Service"
	// KindStateful runs for ever; each instance keeps its seat number and its own volumes.
	KindStateful ComponentKind = "Stateful"
	// KindJob runs once to its end, in exactly one cell of the fleet.
	KindJob ComponentKind = "Job"
	// KindCron runs on a schedule, in exactly one cell of the fleet (R90).
	KindCron ComponentKind = "Cron"
)

// InstanceIdentity says whether an instance keeps who it is over a restart.
//
// +kubebuilder:validation:Enum=Replaceable;Fixed
type InstanceIdentity string

const (
	// IdentityReplaceable instances get a free seat when they start.
	IdentityReplaceable InstanceIdentity = "Replaceable"
	// IdentityFixed instances keep their seat, name and volumes over restart and release.
	IdentityFixed InstanceIdentity = "Fixed"
)

// Component is one part of an application: one image, one size, a number of instances.
//
// +kubebuilder:validation:XValidation:rule="(has(self.kind) && self.kind == 'Cron') == has(self.schedule)",message="schedule and kind Cron belong together: give both or neither"
// +kubebuilder:validation:XValidation:rule="!has(self.job) || (has(self.kind) && self.kind in ['Job', 'Cron'])",message="job holds only for kinds Job and Cron; remove it"
// +kubebuilder:validation:XValidation:rule="!has(self.kind) || !(self.kind in ['Job', 'Cron']) || has(self.instances) && size(self.instances) == 1",message="a Job or Cron component runs in exactly one cell of the fleet: name one DCN in instances"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.kind) || self.kind == 'Service'",message="only a component of kind Service can be autoscaled; remove autoscaling or change the kind"
// +kubebuilder:validation:XValidation:rule="!has(self.autoscaling) || !has(self.identity) || self.identity == 'Replaceable'",message="a component whose instances have a fixed identity cannot be autoscaled; remove autoscaling or set identity to Replaceable"
// +kubebuilder:validation:XValidation:rule="!has(self.kind) || self.kind != 'Stateful' || !has(self.identity) || self.identity == 'Fixed'",message="a component of kind Stateful has fixed identity; set identity to Fixed or leave it out"
// +kubebuilder:validation:XValidation:rule="!has(self.volumes) || (has(self.kind) && self.kind == 'Stateful') || (has(self.identity) && self.identity == 'Fixed') || self.volumes.all(v, !(v.kind in ['Local', 'Block']) || (has(v.data) && v.data == 'Regenerable'))",message="a Local or Block volume belongs to one instance: use kind Stateful or identity Fixed, or say data Regenerable"
// +kubebuilder:validation:XValidation:rule="!has(self.split) || !has(self.instances) || size(self.instances) == 0",message="give either instances, DCN by DCN, or split, a total that is divided by weight"
type Component struct {
	// name is the component's name within the application.
	// +required
	Name ComponentName `json:"name"`

	// displayName is the name that people read. Default: name.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	DisplayName string `json:"displayName,omitempty"`

	// kind is how it runs: Service (default), Stateful, Job or Cron.
	// +kubebuilder:default=Service
	// +optional
	Kind ComponentKind `json:"kind,omitempty"`

	// identity says whether an instance keeps its seat, name and volumes when it is replaced.
	// Default: Fixed for kind Stateful and where fixedIP is PerSeat, else Replaceable.
	// +optional
	Identity InstanceIdentity `json:"identity,omitempty"`

	// image is the container image with a tag or digest. The Revision holds the digest that
	// the registry gave for it, so later pushes to the tag change nothing that runs.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Image string `json:"image"`

	// command replaces the image's entrypoint. Default: the image's own.
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	// +listType=atomic
	// +optional
	Command []string `json:"command,omitempty"`

	// args replaces the image's arguments. Default: the image's own.
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=4096
	// +listType=atomic
	// +optional
	Args []string `json:"args,omitempty"`

	// workingDirectory is where the process starts. Default: the image's own.
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/.*$`
	// +optional
	WorkingDirectory string `json:"workingDirectory,omitempty"`

	// user is the numeric user and group the process runs as. Default: the image's own.
	// +optional
	User *User `json:"user,omitempty"`

	// zone is the NetworkZone that the instances attach to, for example "dmz" (R13).
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +required
	Zone string `json:"zone"`

	// securityLevel names the component's own SecurityLevel. Default: the application's.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	SecurityLevel string `json:"securityLevel,omitempty"`

	// instances is the exact number of instances in each DCN (R49). DCNs that are not
	// listed get none.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=dcn
	// +optional
	Instances []InstanceCount `json:"instances,omitempty"`

	// split gives a total and how it is divided by weight, instead of instances.
	// +optional
	Split *Split `json:"split,omitempty"`

	// resources is the size of one instance (R09).
	// +optional
	Resources *Resources `json:"resources,omitempty"`

	// jvm sizes the Java virtual machine after the memory limit (R09). Leave it out for
	// components that are not Java.
	// +optional
	JVM *JVM `json:"jvm,omitempty"`

	// ports are the ports the component listens on. Other components reach only these.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Ports []Port `json:"ports,omitempty"`

	// env sets environment variables. Names that begin with FAIRWAY_ are the platform's.
	// +kubebuilder:validation:MaxItems=128
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []EnvVar `json:"env,omitempty"`

	// configuration is sets of files that belong to the Revision (R41).
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	Configuration []ConfigurationSet `json:"configuration,omitempty"`

	// secrets are Secrets of this namespace that are mounted as files. Their content is
	// never part of a Revision.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Secrets []SecretMount `json:"secrets,omitempty"`

	// volumes are the places the component may write to besides /tmp (R44).
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Volumes []Volume `json:"volumes,omitempty"`

	// probes tell when an instance has started, may get traffic, and must be restarted.
	// +optional
	Probes *Probes `json:"probes,omitempty"`

	// shutdown says how an instance leaves: out of traffic first, then stopped (R60).
	// +optional
	Shutdown *Shutdown `json:"shutdown,omitempty"`

	// logs declares where the component writes its logs (R47, R78).
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	Logs []Log `json:"logs,omitempty"`

	// autoscaling lets the number of instances move between bounds. The bounds are part of
	// the Revision; room for the maximum is reserved (R45).
	// +optional
	Autoscaling *Autoscaling `json:"autoscaling,omitempty"`

	// schedule is when a component of kind Cron runs.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty"`

	// job bounds a run of a component of kind Job or Cron.
	// +optional
	Job *JobBounds `json:"job,omitempty"`

	// dependsOn names the components and bindings this component calls. It opens the network
	// for exactly these, and sets FAIRWAY_DEPENDENCY_<NAME>_URL for each.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	DependsOn []Dependency `json:"dependsOn,omitempty"`

	// interfaces are network interfaces besides the first one (R17).
	// +kubebuilder:validation:MaxItems=4
	// +listType=map
	// +listMapKey=name
	// +optional
	Interfaces []Interface `json:"interfaces,omitempty"`

	// fixedIP says whether a seat keeps its address over restart and release (R16):
	// None (default) or PerSeat, which implies identity Fixed.
	// +kubebuilder:default=None
	// +optional
	FixedIP FixedIP `json:"fixedIP,omitempty"`

	// dns adjusts name resolution inside the instances.
	// +optional
	DNS *DNS `json:"dns,omitempty"`

	// maxPerHost is the most instances of this component on one host, in each cell. Default: no
	// limit; instances are still spread. The cluster's scheduler puts no more on a host, and
	// the Placement grants only what finds hosts in any order with that bound. While a Release
	// replaces instances, the new ones are counted for themselves. From 2 on, those that are
	// shutting down do not count, and clusters before Kubernetes 1.27 do not keep the bound:
	// the Placement leaves room for it there, and the Release says so.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	MaxPerHost *int32 `json:"maxPerHost,omitempty"`

	// unreachableSeconds is how long an instance on an unreachable host is waited for before
	// it is replaced inside its cell. Default: what the availability class says (R86).
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	// +optional
	UnreachableSeconds *int64 `json:"unreachableSeconds,omitempty"`

	// profile says what is known of the component's ways. The scheduler keeps look-alikes
	// apart by it; changing it restarts nothing and moves nothing that runs (R51).
	// +optional
	Profile *ComponentProfile `json:"profile,omitempty"`
}

// ComponentProfile is what whoever describes the application knows of a component's ways.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tags) || !has(self.without) || self.tags.all(t, !(t in self.without))",message="a tag is either in tags or in without: take it out of one of them"
type ComponentProfile struct {
	// tags are words for what the component is like, such as cpu-bound, io-heavy,
	// latency-sensitive or peak-morning. Words are free; placement policies say which of
	// them keep apart.
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:Pattern=`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`
	// +listType=set
	// +optional
	Tags []string `json:"tags,omitempty"`

	// without are tags that the component does not have, whatever imports and measurements
	// say.
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:Pattern=`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`
	// +listType=set
	// +optional
	Without []string `json:"without,omitempty"`
}

// User is the numeric identity a process runs as.
type User struct {
	// uid is the user id; 0 is root, which go-live checks refuse.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	// +optional
	UID *int64 `json:"uid,omitempty"`

	// gid is the group id. Default: the image's own.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	// +optional
	GID *int64 `json:"gid,omitempty"`

	// volumeGID is the group that owns the volumes. Default: gid.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	// +optional
	VolumeGID *int64 `json:"volumeGID,omitempty"`
}

// InstanceCount is an exact number of instances in one DCN.
//
// +kubebuilder:validation:XValidation:rule="!has(self.clusters) || size(self.clusters) == 0 || self.clusters.map(c, c.count).sum() == self.count",message="the counts of clusters must add up to count: correct one of them, or leave clusters out"
type InstanceCount struct {
	// dcn names the DCN.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	DCN string `json:"dcn"`

	// count is the number of instances there; for Job and Cron the number that run at once.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5000
	// +required
	Count int32 `json:"count"`

	// clusters are the exact numbers in the clusters in which the DCN runs; they add up to
	// count, and clusters that are not listed get none. Default: any cluster of the DCN's data
	// centre that serves the environment takes them.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=cluster
	// +optional
	Clusters []ClusterCount `json:"clusters,omitempty"`
}

// ClusterCount is an exact number of a DCN's instances in one cluster.
type ClusterCount struct {
	// cluster names the Cluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Cluster string `json:"cluster"`

	// count is the number of instances there.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5000
	// +required
	Count int32 `json:"count"`
}

// EnvVar is one environment variable.
//
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.secret)",message="give either value or secret"
// +kubebuilder:validation:XValidation:rule="!self.name.startsWith('FAIRWAY_')",message="names that begin with FAIRWAY_ are set by the platform; choose another name"
type EnvVar struct {
	// name is the variable's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	// +required
	Name string `json:"name"`

	// value is the literal value. It is part of the Revision and readable by everyone who
	// may read the application: never put a secret here.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Value *string `json:"value,omitempty"`

	// secret takes the value from a Secret of this namespace.
	// +optional
	Secret *SecretKey `json:"secret,omitempty"`
}

// SecretKey points at one key of a Secret.
type SecretKey struct {
	// name is the Secret's name, in the application's namespace on the hub.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name"`

	// key is the key within it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	// +required
	Key string `json:"key"`
}
