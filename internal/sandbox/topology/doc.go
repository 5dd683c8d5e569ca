// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package topology reads the file that describes a sandbox (data centres,
// racks, member clusters, hosts, links) and lays out every name, address and
// port from it. It is pure: the same file and the same index give the same
// plan. Two sandboxes with different indexes share no address and no port.
//
// Addresses of sandbox number i (0 to 15) lie in 10.(128+4i).0.0/14:
//
//	10.(128+4i).d.0/24       data centre d: router .1, this machine .2, hosts from .10
//	10.(129+4i).h.0/24       pods of the h-th real host
//	10.(130+4i).(16c).0/20   Services of cluster c (0 is the hub)
//	10.(131+4i).(16c).0/20   simulated hosts (first half) and their pods (second half)
//
// Ports in the machine's root namespace start at 20000+200i: etcd +0 and +1,
// registry +2, Prometheus +3, Fairway's server +4 to +9, and ten for cluster c
// from +10+10c.
package topology
