// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package control is how commands talk to the daemon of a sandbox: HTTP with
// JSON over a unix socket that only its owner may open.
package control

import (
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/network"
)

// State says where a sandbox, a phase or a component stands.
type State string

// The states.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Failed   State = "failed"
	Stopping State = "stopping"
	Stopped  State = "stopped"
	Waiting  State = "waiting"
	Done     State = "done"
	// Gone: the sandbox's folder is there, its daemon is not.
	Gone State = "gone"
)

// URLs are the addresses a user begins with.
type URLs struct {
	// API of Fairway's server.
	API string `json:"apiURL,omitempty"`
	// Console in the browser.
	Console string `json:"consoleURL,omitempty"`
	// Apps of the example, one per data centre.
	Apps []AppURL `json:"appURLs,omitempty"`
}

// AppURL is one entry to an application.
type AppURL struct {
	// Application it leads to.
	Application string `json:"application"`
	// DataCenter it leads into.
	DataCenter string `json:"dataCenter"`
	// URL to open.
	URL string `json:"url"`
}

// Status is everything there is to know about a sandbox.
type Status struct {
	// Name and Index of the sandbox.
	Name  string `json:"name"`
	Index int    `json:"index"`
	// State of the sandbox as a whole; Message says why it is not ready.
	State   State  `json:"state"`
	Message string `json:"message,omitempty"`
	URLs
	// Phases of coming up, in their order.
	Phases []Phase `json:"phases,omitempty"`
	// Components are all processes.
	Components []Component `json:"components"`
	// Clusters, Hosts, Links and LostSites of the topology.
	Clusters  []Cluster           `json:"clusters"`
	Hosts     []Host              `json:"hosts"`
	Links     []network.LinkState `json:"links,omitempty"`
	LostSites []string            `json:"lostSites,omitempty"`
	// Missing says what the machine lacks and what is left out for it.
	Missing []string `json:"missing,omitempty"`
	// Registry is where images are pushed to from this machine.
	Registry string `json:"registry,omitempty"`
	// LogDir holds all logs.
	LogDir string `json:"logDir"`
	// MemoryBytes is what all processes occupy together, shared memory split.
	MemoryBytes int64 `json:"memoryBytes,omitempty"`
	// CPUSeconds is what all processes have used together since their start.
	CPUSeconds float64 `json:"cpuSeconds,omitempty"`
}

// Phase is one phase of coming up.
type Phase struct {
	Name    string    `json:"name"`
	State   State     `json:"state"`
	Message string    `json:"message,omitempty"`
	Started time.Time `json:"started"`
	// Seconds it took, once it is over.
	Seconds float64 `json:"seconds,omitempty"`
	// Done of Total parts, where the phase counts.
	Done  int `json:"done,omitempty"`
	Total int `json:"total,omitempty"`
}

// Component is one supervised process.
type Component struct {
	// Name, for example "east-1/kube-apiserver" or "east-biz-1/kubelet".
	Name string `json:"name"`
	// State and since when; Message says why it is not ready.
	State   State     `json:"state"`
	Since   time.Time `json:"since"`
	Message string    `json:"message,omitempty"`
	// PID of the process; Restarts counts how often it was started again.
	PID      int `json:"pid,omitempty"`
	Restarts int `json:"restarts"`
	// LogFile holds its output.
	LogFile string `json:"logFile,omitempty"`
	// MemoryBytes and CPUSeconds of the process.
	MemoryBytes int64   `json:"memoryBytes,omitempty"`
	CPUSeconds  float64 `json:"cpuSeconds,omitempty"`
}

// Cluster is one cluster with its address.
type Cluster struct {
	Name       string `json:"name"`
	DataCenter string `json:"dataCenter,omitempty"`
	State      State  `json:"state"`
	Server     string `json:"server"`
	Kubeconfig string `json:"kubeconfig"`
}

// Host is one host.
type Host struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"`
	Cluster    string   `json:"cluster,omitempty"`
	DataCenter string   `json:"dataCenter"`
	Rack       string   `json:"rack"`
	Zones      []string `json:"zones,omitempty"`
	Pool       string   `json:"pool,omitempty"`
	IP         string   `json:"ip"`
	State      State    `json:"state"`
}

// LinkRequest names the two ends of a link.
type LinkRequest struct {
	A string `json:"a"`
	B string `json:"b"`
}

// DownRequest asks to take the sandbox down.
type DownRequest struct{}
