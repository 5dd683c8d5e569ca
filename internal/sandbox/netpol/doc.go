// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package netpol turns NetworkPolicies into packet rules for one host whose
// pods hang on a Linux bridge in a network namespace. It only thinks; package
// agent watches a cluster and puts the rules into the kernel:
//
//	err := agent.Run(ctx, agent.Config{
//		REST: restConfig,            // reads pods, namespaces, networkpolicies
//		Hosts: []agent.Host{{
//			Node:     "east-biz-1",
//			NetNS:    "/var/run/netns/…", // empty: the process's own namespace
//			PodCIDRs: []netip.Prefix{…},
//		}},
//	})
//
// Rules are matched in the forward hook, which comes after the address
// translation of kube-proxy, so services need no attention. Bridged packets
// between pods of one host come through the same hook (br_netfilter); nft's
// bridge family is no help, since kernels may lack its connection tracking.
//
// What follows from that, and holds for every rule set:
//   - Traffic between a pod and its own host does not pass forward: probes of
//     the kubelet and DNS on the host always work.
//   - Replies and related packets pass; a policy that closes lets connections
//     that are open already go on.
//   - A pod reaches itself through its service, whatever the policies.
//   - An address of the host's pod range that no known pod has is closed in
//     both directions. So a new pod is closed until the agent has seen it, and
//     every pod is closed before the first sync.
//   - A connection through a NodePort of another host comes with that host's
//     address; only an ipBlock (or a rule without peers) lets it in.
//   - IPv4 only: forwarded IPv6 is dropped.
//
// Not covered: a pod that forges another pod's address (it gets no answer).
package netpol
