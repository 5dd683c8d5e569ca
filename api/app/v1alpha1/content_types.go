// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// ConfigurationSet is a folder of configuration files (R41).
type ConfigurationSet struct {
	// name names the set within the component.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name"`

	// mountPath is the folder the files appear in. Nothing else of the image is visible there.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[^:]+$`
	// +required
	MountPath string `json:"mountPath"`

	// reload says what a change of the files does: Restart (default) replaces the instances
	// as a release does; HotReload changes the files in place within about a minute, and the
	// process must notice by itself.
	// +kubebuilder:default=Restart
	// +optional
	Reload Reload `json:"reload,omitempty"`

	// files are the files. All files of an application together may hold 512 KiB.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +required
	Files []ConfigurationFile `json:"files"`
}

// Reload is what a change of configuration does to running instances.
//
// +kubebuilder:validation:Enum=Restart;HotReload
type Reload string

const (
	// ReloadRestart replaces the instances.
	ReloadRestart Reload = "Restart"
	// ReloadHot changes the files under the running process.
	ReloadHot Reload = "HotReload"
)

// ConfigurationFile is one file of a set.
type ConfigurationFile struct {
	// name is the file's name, without folders.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$`
	// +required
	Name string `json:"name"`

	// content is the text of the file. Never put a secret here.
	// +kubebuilder:validation:MaxLength=262144
	// +optional
	Content string `json:"content,omitempty"`
}

// SecretMount mounts a Secret as files.
type SecretMount struct {
	// name is the Secret's name, in the application's namespace on the hub.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=48
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name"`

	// mountPath is the folder its keys appear in, one file each, readable by the owner and
	// group of the process only.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[^:]+$`
	// +required
	MountPath string `json:"mountPath"`
}

// VolumeKind is where the data of a volume lives.
//
// +kubebuilder:validation:Enum=Ephemeral;Local;Shared;Block
type VolumeKind string

const (
	// VolumeEphemeral lives and dies with the instance.
	VolumeEphemeral VolumeKind = "Ephemeral"
	// VolumeLocal lives on one host and belongs to one seat.
	VolumeLocal VolumeKind = "Local"
	// VolumeShared is a file system that all instances of the component in one DCN and
	// cluster share (NFS, the bank's NAS).
	VolumeShared VolumeKind = "Shared"
	// VolumeBlock is a disk from the storage network and belongs to one seat.
	VolumeBlock VolumeKind = "Block"
)

// Volume is a place to write to (R44).
//
// +kubebuilder:validation:XValidation:rule="!has(self.medium) || self.medium == 'Disk' || self.kind == 'Ephemeral'",message="only an Ephemeral volume can be in memory; set medium to Disk"
// +kubebuilder:validation:XValidation:rule="!has(self.nfs) || self.kind == 'Shared'",message="nfs holds only for a Shared volume; remove it or set kind to Shared"
// +kubebuilder:validation:XValidation:rule="has(self.size) || has(self.nfs)",message="give the size of the volume"
type Volume struct {
	// name names the volume within the component.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name"`

	// kind is Ephemeral, Local, Shared or Block.
	// +required
	Kind VolumeKind `json:"kind"`

	// size is how much it holds, for example "10Gi". For Ephemeral it is the bound beyond
	// which the instance is evicted.
	// +optional
	Size *resource.Quantity `json:"size,omitempty"`

	// mountPath is where it appears.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[^:]+$`
	// +required
	MountPath string `json:"mountPath"`

	// access is ReadWrite (default) or ReadOnly.
	// +kubebuilder:default=ReadWrite
	// +optional
	Access VolumeAccess `json:"access,omitempty"`

	// data says what its loss means: Precious (default) is never given up by the platform on
	// its own; Regenerable may be, when that brings an instance back sooner.
	// +kubebuilder:default=Precious
	// +optional
	Data VolumeData `json:"data,omitempty"`

	// medium is Disk (default) or, for Ephemeral only, Memory, which counts against the
	// memory of the instance.
	// +kubebuilder:default=Disk
	// +optional
	Medium VolumeMedium `json:"medium,omitempty"`

	// nfs names an existing export of the bank's NAS instead of a new volume.
	// +optional
	NFS *NFS `json:"nfs,omitempty"`
}

// VolumeAccess is what instances may do with a volume.
//
// +kubebuilder:validation:Enum=ReadWrite;ReadOnly
type VolumeAccess string

const (
	// AccessReadWrite lets instances read and write.
	AccessReadWrite VolumeAccess = "ReadWrite"
	// AccessReadOnly lets instances read only.
	AccessReadOnly VolumeAccess = "ReadOnly"
)

// VolumeData is what the loss of a volume means.
//
// +kubebuilder:validation:Enum=Precious;Regenerable
type VolumeData string

const (
	// DataPrecious may not be lost.
	DataPrecious VolumeData = "Precious"
	// DataRegenerable can be made again by the application.
	DataRegenerable VolumeData = "Regenerable"
)

// VolumeMedium is what an ephemeral volume is made of.
//
// +kubebuilder:validation:Enum=Disk;Memory
type VolumeMedium string

const (
	// MediumDisk is the host's disk.
	MediumDisk VolumeMedium = "Disk"
	// MediumMemory is the instance's memory.
	MediumMemory VolumeMedium = "Memory"
)

// NFS is an existing export.
type NFS struct {
	// server is the name or address of the NAS.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-zA-Z0-9]([-.:a-zA-Z0-9]*[a-zA-Z0-9])?$`
	// +required
	Server string `json:"server"`

	// path is the exported path.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/.*$`
	// +required
	Path string `json:"path"`
}

// Probes tell how an instance fares (R47).
type Probes struct {
	// startup tells when the instance has started; the other probes wait for it. Useful where
	// starting takes long. On members that do not know it, liveness waits for as long.
	// +optional
	Startup *Probe `json:"startup,omitempty"`

	// readiness tells when the instance may get traffic.
	// +optional
	Readiness *Probe `json:"readiness,omitempty"`

	// liveness tells when the instance must be restarted.
	// +optional
	Liveness *Probe `json:"liveness,omitempty"`
}

// Probe is one question to an instance, asked again and again.
//
// +kubebuilder:validation:XValidation:rule="[has(self.http), has(self.tcp), has(self.exec)].filter(x, x).size() == 1",message="give exactly one of http, tcp and exec"
type Probe struct {
	// http asks by an HTTP GET; 200 to 399 is a yes.
	// +optional
	HTTP *HTTPProbe `json:"http,omitempty"`

	// tcp asks by opening a connection.
	// +optional
	TCP *TCPProbe `json:"tcp,omitempty"`

	// exec asks by running a command in the instance; exit code 0 is a yes.
	// +optional
	Exec *ExecProbe `json:"exec,omitempty"`

	// initialDelaySeconds is the wait before the first question. Default: 0.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	// +optional
	InitialDelaySeconds int32 `json:"initialDelaySeconds,omitempty"`

	// periodSeconds is the time between questions. Default: 10.
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +optional
	PeriodSeconds int32 `json:"periodSeconds,omitempty"`

	// timeoutSeconds is how long an answer may take. Default: 1.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	// +optional
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`

	// failureThreshold is how many noes in a row count. Default: 3.
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	FailureThreshold int32 `json:"failureThreshold,omitempty"`

	// successThreshold is how many yeses in a row bring an instance back into traffic; only
	// readiness uses it. Default: 1.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	SuccessThreshold int32 `json:"successThreshold,omitempty"`
}

// HTTPProbe is a question by HTTP.
type HTTPProbe struct {
	// port is the name of one of the component's ports.
	// +required
	Port PortName `json:"port"`

	// path is the path to get, for example "/readyz".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^/.*$`
	// +required
	Path string `json:"path"`
}

// TCPProbe is a question by opening a connection.
type TCPProbe struct {
	// port is the name of one of the component's ports.
	// +required
	Port PortName `json:"port"`
}

// ExecProbe is a question by running a command.
type ExecProbe struct {
	// command is the program and its arguments; no shell is involved.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=1024
	// +listType=atomic
	// +required
	Command []string `json:"command"`
}

// Shutdown is how an instance leaves (R60): out of traffic, drain, stop signal, grace, kill.
type Shutdown struct {
	// drainSeconds is how long the instance goes on serving after it has been taken out of
	// traffic, before it gets the stop signal. Default: 10.
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	// +optional
	DrainSeconds *int32 `json:"drainSeconds,omitempty"`

	// graceSeconds is how long the process may take to end after the stop signal, before it
	// is killed. Default: 30.
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +optional
	GraceSeconds *int32 `json:"graceSeconds,omitempty"`

	// drainCommand is a command in the image that waits out the drain. It is used only on
	// members older than Kubernetes 1.30, which cannot wait by themselves, for example
	// ["/bin/sleep", "10"]. Without it such members skip the drain, and say so.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=1024
	// +listType=atomic
	// +optional
	DrainCommand []string `json:"drainCommand,omitempty"`
}

// LogSource is where a component writes a log.
//
// +kubebuilder:validation:Enum=Stdout;File
type LogSource string

const (
	// LogStdout is the standard output and error.
	LogStdout LogSource = "Stdout"
	// LogFile is a file or several.
	LogFile LogSource = "File"
)

// LogClass separates business logs from the others.
//
// +kubebuilder:validation:Enum=Application;Environment
type LogClass string

const (
	// LogApplication records the application's own business (应用日志).
	LogApplication LogClass = "Application"
	// LogEnvironment records what it runs in (环境日志).
	LogEnvironment LogClass = "Environment"
)

// LogFormat is how a line is read.
//
// +kubebuilder:validation:Enum=JSON;Text
type LogFormat string

const (
	// LogJSON is one JSON object in each line.
	LogJSON LogFormat = "JSON"
	// LogText is free text.
	LogText LogFormat = "Text"
)

// Log declares one log of a component (R78).
//
// +kubebuilder:validation:XValidation:rule="(has(self.source) && self.source == 'File') == has(self.path)",message="path and source File belong together: give both or neither"
type Log struct {
	// name names the log within the component.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Name string `json:"name"`

	// source is Stdout (default) or File.
	// +kubebuilder:default=Stdout
	// +optional
	Source LogSource `json:"source,omitempty"`

	// path is the file, or a pattern such as "/var/log/pay/*.log". Its folder is made
	// writable for the component.
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[^/:]+/[^:]+$`
	// +optional
	Path string `json:"path,omitempty"`

	// class is Application (default) or Environment.
	// +kubebuilder:default=Application
	// +optional
	Class LogClass `json:"class,omitempty"`

	// format is JSON (default) or Text.
	// +kubebuilder:default=JSON
	// +optional
	Format LogFormat `json:"format,omitempty"`
}
