// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package network builds the wires of a sandbox out of network namespaces,
// veth pairs and bridges, and cuts and heals them.
//
// Every data centre is a namespace of its own: a router with one bridge, a
// bridge per rack behind it, and the racks' hosts (again a namespace each)
// on the rack bridges. Data centres are joined pairwise by backbone links.
// The machine itself (its root namespace, where the API servers, the registry
// and the DNS servers listen) is plugged into every data centre with one
// address, so it reaches each host and each pod by IP and they reach it.
//
//	root namespace ── machine address ──┐
//	                                    │
//	   fairway.<sandbox>.dc-east:  [ br0 ]──(uplink)──[ rack east-a ]── hosts
//	        │ router                    └───(uplink)──[ rack east-b ]── hosts
//	        │ backbone link
//	   fairway.<sandbox>.dc-west:  [ br0 ] …
//
// Nothing in the root namespace is changed except one link per data centre
// with its routes and, while a hub link is cut, one nftables table named
// after the sandbox. No address translation and no forwarding by the root
// namespace is needed. Everything is found again by name, so that Up is safe
// to repeat after a kill -9 and Down needs nothing but the sandbox's name.
//
// Pods are routed (host-gw): each host owns one pod network, hosts of one data
// centre know each other's, the routers know the rest. Hosts do not bridge
// their pods (the CNI plugin "ptp" is used), so that every packet between two
// pods passes the forward hook of the host's namespace, where kube-proxy and
// the NetworkPolicy enforcer sit.
package network
