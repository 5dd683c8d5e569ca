// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/sandbox/netpol"
)

const (
	bank  = "retail-prod-mobile-bank"
	cards = "cards-prod-points"
)

func seated(namespace, name, ip string) *core.Pod {
	return &core.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"component": name}},
		Spec: core.PodSpec{NodeName: "east-1", Containers: []core.Container{
			{Name: "main", Ports: []core.ContainerPort{{Name: "web", ContainerPort: 8080, Protocol: core.ProtocolTCP}}},
		}},
		Status: core.PodStatus{Phase: core.PodRunning, PodIPs: []core.PodIP{{IP: ip}}},
	}
}

func policy(t *testing.T, name, spec string) *networking.NetworkPolicy {
	t.Helper()
	p := &networking.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: bank, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
		t.Fatal(err)
	}
	return p
}

// world is the bank on one host: a channel that customers reach, and that may
// ask account; points of another tenant.
func world(t *testing.T) []runtime.Object {
	return []runtime.Object{
		&core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: bank, Labels: map[string]string{"tenant": "retail"}}},
		&core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: cards, Labels: map[string]string{"tenant": "cards"}}},
		seated(bank, "channel", channel), seated(bank, "account", account), seated(cards, "points", points),
		policy(t, "deny", `{podSelector: {}, policyTypes: [Ingress, Egress]}`),
		policy(t, "customers", `{podSelector: {matchLabels: {component: channel}}, policyTypes: [Ingress],
			ingress: [{from: [{ipBlock: {cidr: 10.78.0.0/16}}], ports: [{port: web}]}]}`),
		policy(t, "ask", `{podSelector: {matchLabels: {component: channel}}, policyTypes: [Egress],
			egress: [{to: [{podSelector: {matchLabels: {component: account}}}], ports: [{port: 8080}]}]}`),
		policy(t, "asked", `{podSelector: {matchLabels: {component: account}}, policyTypes: [Ingress],
			ingress: [{from: [{podSelector: {matchLabels: {component: channel}}}], ports: [{port: 8080}]}]}`),
	}
}

// start runs an agent for the lab and returns once rules were written.
func start(ctx context.Context, t *testing.T, l lab, config Config) func() {
	t.Helper()
	written := make(chan struct{}, 100)
	config.Hosts = []Host{l.asHost()}
	config.Applied = func(string, netpol.RuleSet) { written <- struct{}{} }
	config.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, config) }()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	select {
	case <-written:
	case err := <-ended:
		t.Fatalf("the agent ended: %v", err)
	case <-ctx.Done():
		t.Fatal("no rules were written")
	}
	return stop
}

func TestRealPackets(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	l.expect(t, "before any rules all is open", []path{
		{channel, account + ":8080", true}, {points, account + ":8080", true}, {channel, service + ":80", true},
		{client, channel + ":8080", true}, {client, uplink + ":30080", true}, {account, service + ":80", true},
	})

	// The agent itself must bring bridged packets to the rules.
	run(t, "nsenter", "--net="+l.host, "--", "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0")

	// An API server that never answers: closed, except towards the host.
	away := fake.NewClientset(world(t)...)
	away.PrependReactor("list", "*", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("the API server is away")
	})
	first, endFirst := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- Run(first, Config{Client: away, Hosts: []Host{l.asHost()}, Log: slog.New(slog.DiscardHandler)})
	}()
	l.becomes(ctx, t, path{channel, account + ":8080", false})
	l.expect(t, "before the first sync", []path{
		{channel, account + ":8080", false}, {client, channel + ":8080", false}, {channel, client + ":8080", false},
		{gateway, channel + ":8080", true}, // probes of the kubelet
		{channel, gateway + ":8080", true}, // DNS on the host
	})
	endFirst()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	api := fake.NewClientset(world(t)...)
	stop := start(ctx, t, l, Config{Client: api, Check: 200 * time.Millisecond})
	policied := []path{
		{channel, account + ":8080", true},  // a declared dependency, over the bridge
		{channel, service + ":80", true},    // the same through its service
		{account, service + ":80", true},    // itself, through its service
		{client, channel + ":8080", true},   // customers
		{client, uplink + ":30080", true},   // customers, through a node port
		{gateway, account + ":8080", true},  // probes
		{channel, gateway + ":8080", true},  // DNS
		{points, client + ":8080", true},    // a namespace without policies
		{account, channel + ":8080", false}, // the other way round
		{points, account + ":8080", false},  // another tenant
		{points, service + ":80", false},    // another tenant, through the service
		{points, channel + ":8080", false},
		{client, account + ":8080", false},
		{channel, client + ":8080", false},
		{channel, points + ":8080", false},
	}
	l.expect(t, "with policies", policied)

	// A connection that is open goes on when a policy closes its way.
	lasting, err := l.dial(channel, account+":8080", 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer lasting.Close()
	policies := api.NetworkingV1().NetworkPolicies(bank)
	if err := policies.Delete(ctx, "asked", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if took := l.becomes(ctx, t, path{channel, account + ":8080", false}); took > time.Second {
		t.Errorf("closing took %s, want less than 1 s", took)
	}
	if err := echoes(lasting, 5*time.Second); err != nil {
		t.Errorf("the open connection: %v", err)
	}
	if _, err := policies.Create(ctx, policy(t, "asked", `{podSelector: {matchLabels: {component: account}}, policyTypes: [Ingress],
		ingress: [{from: [{podSelector: {matchLabels: {component: channel}}}]}]}`), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if took := l.becomes(ctx, t, path{channel, account + ":8080", true}); took > time.Second {
		t.Errorf("opening took %s, want less than 1 s", took)
	}

	// Rules that vanish, as in a host that was off, come back.
	if err := (Kernel{NetNS: l.host}).Remove(); err != nil {
		t.Fatal(err)
	}
	l.becomes(ctx, t, path{points, account + ":8080", false})
	l.becomes(ctx, t, path{channel, account + ":8080", true})

	// A pod that ends leaves a closed address.
	gone := seated(cards, "points", points)
	gone.Status.Phase = core.PodFailed
	if _, err := api.CoreV1().Pods(cards).UpdateStatus(ctx, gone, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	l.becomes(ctx, t, path{points, client + ":8080", false})

	// The agent ends; its rules stay, also when another cannot reach the API.
	stop()
	again, endAgain := context.WithCancel(ctx)
	go func() {
		ended <- Run(again, Config{Client: away, Hosts: []Host{l.asHost()}, Log: slog.New(slog.DiscardHandler)})
	}()
	l.expect(t, "with the rules of an agent that has ended", []path{
		{channel, account + ":8080", true}, {client, channel + ":8080", true}, {client, account + ":8080", false},
	})
	endAgain()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestAnEmptyListOpensNothing: all policies seem to be gone, but the API
// server itself still has them when asked directly.
func TestAnEmptyListOpensNothing(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	api := fake.NewClientset(world(t)...)
	var truly atomic.Bool
	var asked atomic.Int32
	stop := start(ctx, t, l, Config{Client: api})
	defer stop()
	api.PrependReactor("list", "networkpolicies", func(k8stesting.Action) (bool, runtime.Object, error) {
		asked.Add(1)
		if truly.Load() {
			return false, nil, nil
		}
		return true, &networking.NetworkPolicyList{Items: []networking.NetworkPolicy{*policy(t, "deny", `{}`)}}, nil
	})
	for _, name := range []string{"deny", "customers", "ask", "asked"} {
		if err := api.NetworkingV1().NetworkPolicies(bank).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for asked.Load() < 2 { // it has looked twice and was told otherwise
		if l.reaches(points, account+":8080", 100*time.Millisecond) {
			t.Fatal("an empty list opened the bank to another tenant")
		}
		if ctx.Err() != nil {
			t.Fatal("the agent never asked")
		}
	}
	truly.Store(true)
	l.becomes(ctx, t, path{points, account + ":8080", true})
}

func TestRunRefuses(t *testing.T) {
	for reason, config := range map[string]Config{
		"no hosts":                 {},
		"a host without addresses": {Client: fake.NewClientset(), Hosts: []Host{{Node: "a"}}},
		"no cluster":               {Hosts: []Host{{Node: "a", PodCIDRs: lab{}.asHost().PodCIDRs}}},
	} {
		if err := Run(t.Context(), config); err == nil {
			t.Errorf("%s: taken", reason)
		}
	}
}
