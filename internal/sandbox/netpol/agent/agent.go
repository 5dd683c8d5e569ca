// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package agent watches one cluster and keeps the NetworkPolicy rules of its
// hosts in the kernel. One agent may serve one host, inside that host's
// network namespace, or all hosts of a cluster from outside, which takes less
// memory; the API server must be reachable from where it runs.
//
// A change reaches the kernel within a second. Whatever goes wrong, the rules
// that are there stay: while a kind cannot be read, while a list is suspiciously
// empty, and when the agent ends. A host without rules gets closed ones first.
//
// A namespace that is made anew while the agent runs is found within
// Config.Check. Who makes it can close it at once, before any pod starts:
//
//	err := agent.Kernel{NetNS: path}.Apply(ctx, netpol.Closed(netpol.Host{Node: n, PodCIDRs: c}))
package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fairway-cloud/fairway/internal/sandbox/netpol"
)

// Config says what to watch and where to write.
type Config struct {
	// REST reaches the cluster; it may list and watch pods, namespaces and
	// networkpolicies everywhere, and needs nothing else.
	REST *rest.Config
	// Client is used instead of REST when set.
	Client kubernetes.Interface
	// Hosts to keep rules for.
	Hosts []Host
	// PodRanges, when given, are the only addresses that count as a pod's:
	// those of simulated pods are made up and may lie anywhere.
	PodRanges []netip.Prefix
	// Log is told what changes; slog.Default() when nil.
	Log *slog.Logger
	// Applied, when set, is told after each host's rules were written.
	Applied func(node string, rules netpol.RuleSet)
	// Check is how often to look whether the rules are still there, 5 s when
	// 0: a host that was stopped and started has a new, empty namespace.
	Check time.Duration
}

// Host is one node whose pods hang on a bridge in a namespace.
type Host struct {
	// Node is its name in the cluster.
	Node string
	// NetNS is the path of its network namespace; the agent's own when empty.
	NetNS string
	// PodCIDRs are the addresses its pods get.
	PodCIDRs []netip.Prefix
}

// settle gathers changes that come together into one compilation.
const settle = 50 * time.Millisecond

// pause lies between two direct looks at the API server.
const pause = time.Second

// Run keeps the rules until ctx ends, and leaves them in place then. It
// returns an error only for a configuration that cannot work; everything else
// is logged and tried again.
func Run(ctx context.Context, config Config) error {
	a, err := newAgent(config)
	if err != nil {
		return fmt.Errorf("could not start the network policy agent: %w", err)
	}
	a.closeUnknown(ctx)
	a.cluster.start(ctx)
	check := time.NewTicker(a.config.Check)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.cluster.changed:
			select { // others follow within moments
			case <-ctx.Done():
				return nil
			case <-time.After(settle):
			}
		case <-a.again:
		case <-check.C:
			a.forgetLost(ctx)
		}
		a.step(ctx)
	}
}

// agent is the state between two steps.
type agent struct {
	config  Config
	log     *slog.Logger
	cluster *cluster
	scripts map[string]string // by node, as last written
	before  *counts           // of the picture last acted on
	belief  believed
	looked  time.Time // when the API server was last asked directly
	said    string    // why nothing is done, to say it once
	again   <-chan time.Time
	trouble map[string]bool // parts of policies already complained about
}

func newAgent(config Config) (*agent, error) {
	if len(config.Hosts) == 0 {
		return nil, errors.New("no hosts are named")
	}
	for _, host := range config.Hosts {
		if host.Node == "" || len(host.PodCIDRs) == 0 {
			return nil, fmt.Errorf("host %q has no name or no pod addresses: without them nothing could be closed", host.Node)
		}
	}
	client := config.Client
	if client == nil {
		if config.REST == nil {
			return nil, errors.New("no cluster is named")
		}
		var err error
		if client, err = kubernetes.NewForConfig(config.REST); err != nil {
			return nil, err
		}
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Check == 0 {
		config.Check = 5 * time.Second
	}
	watched, err := watchCluster(client)
	if err != nil {
		return nil, err
	}
	return &agent{
		config: config, log: config.Log, cluster: watched,
		scripts: map[string]string{}, trouble: map[string]bool{},
	}, nil
}

// closeUnknown closes hosts that have no rules. Rules of an earlier agent stay
// until the first sync: they are older, but running applications need them.
func (a *agent) closeUnknown(ctx context.Context) {
	for _, host := range a.config.Hosts {
		there, err := host.kernel().Present()
		if err == nil && !there {
			err = host.kernel().Apply(ctx, netpol.Closed(host.pure()))
			a.log.Info("closed until the cluster is known", "node", host.Node)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			a.log.Error("rules unknown", "node", host.Node, "error", err)
		}
	}
}

// forgetLost notices hosts whose rules are gone, so that the next step writes
// them again.
func (a *agent) forgetLost(ctx context.Context) {
	for _, host := range a.config.Hosts {
		if _, written := a.scripts[host.Node]; !written {
			continue
		}
		there, err := host.kernel().Present()
		if err == nil && there {
			continue
		}
		delete(a.scripts, host.Node)
		if errors.Is(err, fs.ErrNotExist) {
			a.log.Info("host is away", "node", host.Node)
			continue
		}
		if err == nil {
			a.log.Warn("rules are gone, writing them again", "node", host.Node)
			err = host.kernel().Apply(ctx, netpol.Closed(host.pure()))
		}
		if err != nil {
			a.log.Error("rules unknown", "node", host.Node, "error", err)
		}
	}
}

// step brings every host's rules up to date, if the cluster's picture can be
// relied on.
func (a *agent) step(ctx context.Context) {
	a.again = nil
	if !a.cluster.synced() {
		a.hold("the cluster is not known yet")
		return
	}
	if kind, err := a.cluster.trouble(); err != nil {
		a.hold(fmt.Sprintf("could not read %s: %v", kind, err))
		return
	}
	picture, now := a.cluster.picture(a.config.PodRanges)
	if why := doubt(a.before, now); why != "" {
		a.hold(why)
		if time.Since(a.looked) < pause {
			a.again = time.After(pause)
			return
		}
		a.looked = time.Now()
		look, err := a.cluster.look(ctx)
		if !a.belief.hear(now, look, err) {
			a.again = time.After(pause)
			return
		}
	}
	a.belief = believed{}
	a.hold("")
	failed := false
	for _, host := range a.config.Hosts {
		switch err := a.write(ctx, host, picture); {
		case errors.Is(err, fs.ErrNotExist): // a host that is off; looked for again
		case err != nil:
			a.log.Error("rules not written, the last ones stay", "node", host.Node, "error", err)
			failed = true
		}
	}
	if failed {
		a.again = time.After(time.Second)
	}
	a.before = &now
}

// hold says once why the rules stay as they are; "" when they need not.
func (a *agent) hold(why string) {
	switch {
	case why == a.said:
	case why == "":
		a.log.Info("rules follow the cluster")
	default:
		a.log.Warn("rules stay as they are", "reason", why)
	}
	a.said = why
}

func (a *agent) write(ctx context.Context, host Host, picture netpol.Cluster) error {
	rules, troubles := netpol.Compile(picture, host.pure())
	for _, text := range troubles {
		if !a.trouble[text] {
			a.trouble[text] = true
			a.log.Warn(text)
		}
	}
	script := rules.Script()
	if a.scripts[host.Node] == script {
		return nil
	}
	if err := host.kernel().Apply(ctx, rules); err != nil {
		delete(a.scripts, host.Node)
		return err
	}
	a.scripts[host.Node] = script
	a.log.Info("rules written", "node", host.Node, "pods", len(rules.Known), "isolated", len(rules.Ingress)+len(rules.Egress))
	if a.config.Applied != nil {
		a.config.Applied(host.Node, rules)
	}
	return nil
}

func (h Host) kernel() Kernel    { return Kernel{NetNS: h.NetNS} }
func (h Host) pure() netpol.Host { return netpol.Host{Node: h.Node, PodCIDRs: h.PodCIDRs} }
