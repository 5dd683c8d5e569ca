// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package host runs a real host of the sandbox: containerd, kubelet,
// kube-proxy and a DNS server in a network namespace and a control group of
// its own, over one state folder. It also holds what a cluster of such hosts
// needs once: the rights of their DNS servers (DNSObjects) and its shared and
// local storage (Storage).
//
// A host is a value (Config) from which follow files (Prepare), processes
// (Processes), and its end:
//
//	h := host.Host{Config: cfg}
//	err := h.Prepare()               // files, control groups; wipes what a reboot would
//	supervisor.Run(h.Processes())    // containerd, CoreDNS, kubelet, kube-proxy
//	…
//	err = h.PowerOff(ctx, 0)         // like a loss of power; the disk stays
//	err = h.Remove(ctx)              // nothing is left
//
// The supervisor has to let go of the host's processes before PowerOff, else
// it starts them again. The network namespace is made and removed by package
// network. Where a sandbox may have edge hosts, they are a namespace only and
// need nothing of this package.
//
// Pods hang on the host by the CNI plugin "ptp": one veth each with a route,
// no bridge. So each packet between pods, also on one host, passes the forward
// hook of the host's namespace, after kube-proxy's address translation. The
// host's own probes are sent from the first address of its pod network.
//
// Everything of a host lies below three names, by which it is found again:
// its folder, its control group and its namespace. Processes are never looked
// for by name.
package host
