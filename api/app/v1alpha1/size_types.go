// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
)

// SizingClass is a ready-made size of an instance (R09).
//
// +kubebuilder:validation:Enum=XSmall;Small;Medium;Large;XLarge;XXLarge
type SizingClass string

// The sizing classes, each twice the one before: 250m CPU and 512Mi memory for XSmall up to
// 8 CPU and 16Gi for XXLarge.
const (
	SizeXSmall  SizingClass = "XSmall"
	SizeSmall   SizingClass = "Small"
	SizeMedium  SizingClass = "Medium"
	SizeLarge   SizingClass = "Large"
	SizeXLarge  SizingClass = "XLarge"
	SizeXXLarge SizingClass = "XXLarge"
)

// Resources is the size of one instance. What is asked for is also the limit, unless a
// larger limit is named: a bank's neighbours shall not take each other's room.
//
// +kubebuilder:validation:XValidation:rule="has(self.class) || (has(self.cpu) && has(self.memory))",message="give either class, or both cpu and memory"
type Resources struct {
	// class is a ready-made size: XSmall (250m, 512Mi), Small (500m, 1Gi), Medium (1, 2Gi),
	// Large (2, 4Gi), XLarge (4, 8Gi), XXLarge (8, 16Gi). cpu and memory go before it.
	// +optional
	Class SizingClass `json:"class,omitempty"`

	// cpu is what one instance gets, for example "500m" or "2".
	// +optional
	CPU *resource.Quantity `json:"cpu,omitempty"`

	// memory is what one instance gets, for example "1Gi". Using more ends the instance.
	// +optional
	Memory *resource.Quantity `json:"memory,omitempty"`

	// cpuLimit is the most CPU an instance may take while others leave it idle. Default: cpu.
	// +optional
	CPULimit *resource.Quantity `json:"cpuLimit,omitempty"`

	// memoryLimit is the most memory an instance may take. Default: memory.
	// +optional
	MemoryLimit *resource.Quantity `json:"memoryLimit,omitempty"`

	// diskIO bounds what an instance reads from and writes to each disk of its host (R53): Low
	// (20 MiB and 500 operations a second, each way), Medium (100 MiB, 2,500) or High (400 MiB,
	// 10,000). It holds on clusters whose hosts limit disk IO; checks and releases name those
	// that do not. Volumes that come over the network are not bounded. Default: no bound.
	// +optional
	DiskIO DiskIOClass `json:"diskIO,omitempty"`

	// ephemeralStorage bounds what an instance writes to its own disk, logs included.
	// Default: no bound of its own.
	// +optional
	EphemeralStorage *resource.Quantity `json:"ephemeralStorage,omitempty"`
}

// DiskIOClass is a ready-made bound of disk IO.
//
// +kubebuilder:validation:Enum=Low;Medium;High
type DiskIOClass string

const (
	// DiskIOLow is 20 MiB and 500 operations a second, each way.
	DiskIOLow DiskIOClass = "Low"
	// DiskIOMedium is 100 MiB and 2,500 operations a second, each way.
	DiskIOMedium DiskIOClass = "Medium"
	// DiskIOHigh is 400 MiB and 10,000 operations a second, each way.
	DiskIOHigh DiskIOClass = "High"
)

// JVM sizes the Java virtual machine. It is carried out through the environment variable
// JAVA_TOOL_OPTIONS, which every JVM from version 8u191 on reads.
type JVM struct {
	// heapPercent is the share of the memory limit that the heap may take, so that the heap
	// follows the limit when the instance is resized. Default: 70.
	// +kubebuilder:default=70
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=90
	// +optional
	HeapPercent int32 `json:"heapPercent,omitempty"`

	// maxMetaspace bounds class metadata, for example "256Mi". Default: no bound.
	// +optional
	MaxMetaspace *resource.Quantity `json:"maxMetaspace,omitempty"`

	// maxDirectMemory bounds buffers outside the heap. Default: the JVM's own (the heap size).
	// +optional
	MaxDirectMemory *resource.Quantity `json:"maxDirectMemory,omitempty"`

	// onOutOfMemory is what happens when the heap is full: Exit (default), so that the
	// instance is restarted, or Continue.
	// +kubebuilder:default=Exit
	// +optional
	OnOutOfMemory OnOutOfMemory `json:"onOutOfMemory,omitempty"`

	// options are further options, each without spaces, for example "-XX:+UseG1GC".
	// Heap sizes (-Xmx, -Xms, MaxRAMPercentage) are refused: heapPercent says them.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:Pattern=`^-[^\s]+$`
	// +listType=atomic
	// +optional
	Options []string `json:"options,omitempty"`
}

// OnOutOfMemory is what the JVM does when the heap is full.
//
// +kubebuilder:validation:Enum=Exit;Continue
type OnOutOfMemory string

const (
	// OutOfMemoryExit ends the process.
	OutOfMemoryExit OnOutOfMemory = "Exit"
	// OutOfMemoryContinue leaves it to the application.
	OutOfMemoryContinue OnOutOfMemory = "Continue"
)
