// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
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
