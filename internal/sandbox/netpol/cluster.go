// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package netpol

import (
	"net/netip"
	"time"

	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Cluster is all that policies speak about, as seen at one moment.
type Cluster struct {
	// Policies of all namespaces.
	Policies []*networking.NetworkPolicy
	// Namespaces gives each namespace's labels.
	Namespaces map[string]labels.Set
	// Pods with an address of their own: without those of the host network and
	// those that have ended.
	Pods []Pod
}

// Pod is what a rule needs to know of a pod.
type Pod struct {
	Namespace string
	Name      string
	Node      string
	Labels    labels.Set
	// IP is the pod's IPv4 address.
	IP netip.Addr
	// Ports are the named ports of its containers.
	Ports []NamedPort
	// Created decides between two pods that claim one address: the later has it.
	Created time.Time
}

// NamedPort is a container port that policies may call by name.
type NamedPort struct {
	Name     string
	Protocol Protocol
	Number   uint16
}

// Host is where rules are made for.
type Host struct {
	// Node is the host's name in the cluster.
	Node string
	// PodCIDRs are the addresses its pods get.
	PodCIDRs []netip.Prefix
}

// Protocol is as the kernel's rules spell it.
type Protocol string

// The protocols that policies know.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	SCTP Protocol = "sctp"
)

// contains says whether an address lies in one of the ranges.
func contains(ranges []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range ranges {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
