// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory

import (
	"fmt"
	"time"
)

// State says how far an instance is.
type State string

// The states of an instance.
const (
	// Reserved: its room is held; nothing has been seen on its seat yet.
	Reserved State = "Reserved"
	// Running: it has been seen on its seat. Whether it is well is the monitoring's matter.
	Running State = "Running"
	// Gone: the seat is no instance's any more.
	Gone State = "Gone"
)

// Carrier is what an instance runs on.
type Carrier string

// What instances run on.
const (
	Container      Carrier = "Container"
	VirtualMachine Carrier = "VirtualMachine"
)

// Instance is one seat of an application, as the CMDB learns of it.
type Instance struct {
	// Namespace on the hub, and the Tenant and Environment that it is for.
	Namespace   string `json:"namespace"`
	Tenant      string `json:"tenant"`
	Environment string `json:"environment"`
	// System and Code are the application's own in the CMDB. Empty: the Application is gone
	// from the hub, and nobody had read them before.
	System string `json:"system"`
	Code   string `json:"code"`
	// Application, Component and Seat, "<component>-<number>".
	Application string `json:"application"`
	Component   string `json:"component"`
	Seat        string `json:"seat"`
	// On what it runs, and whether the hosts are Real or Simulated.
	On    Carrier `json:"on"`
	Hosts string  `json:"hosts"`
	// State of the seat.
	State State `json:"state"`
	// DCN that it serves; Cluster, Pool and Zone are empty for virtual machines.
	DCN        string `json:"dcn"`
	DataCenter string `json:"dataCenter"`
	Rack       string `json:"rack"`
	Cluster    string `json:"cluster,omitempty"`
	Pool       string `json:"pool,omitempty"`
	Zone       string `json:"zone,omitempty"`
	// Host and Address, as they were last seen. Empty: never.
	Host    string `json:"host,omitempty"`
	Address string `json:"address,omitempty"`
	// Revision that was last seen to run, or is to; Placement that gave the seat away, and
	// the Release that it was made for. Empty for virtual machines.
	Revision  string `json:"revision,omitempty"`
	Placement string `json:"placement,omitempty"`
	Release   string `json:"release,omitempty"`
	// Source that told of the virtual machine.
	Source string `json:"source,omitempty"`
	// Since is when the seat came to be in the list, and ChangedAt when it last changed.
	Since     time.Time `json:"since"`
	ChangedAt time.Time `json:"changedAt"`
	// Sequence of its last change.
	Sequence int64 `json:"sequence"`

	// number of the seat.
	number int32
}

func seat(component string, number int32) string { return fmt.Sprintf("%s-%d", component, number) }

// key of an instance within its application.
type key struct {
	component string
	number    int32
}

func (i Instance) key() key { return key{i.Component, i.number} }

// same reports whether two tell the same, sequence and times aside.
func (i Instance) same(o Instance) bool {
	i.Since, i.ChangedAt, i.Sequence = o.Since, o.ChangedAt, o.Sequence
	return i == o
}
