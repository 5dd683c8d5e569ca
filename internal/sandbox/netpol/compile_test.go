// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package netpol

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The world of the tests: two hosts, two tenants.
const (
	bank  = "retail-prod-mobile-bank"
	cards = "cards-prod-points"
)

var east = Host{Node: "east", PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")}}

func pod(namespace, name, node, ip string, ports ...NamedPort) Pod {
	component, _, _ := strings.Cut(name, "-")
	return Pod{
		Namespace: namespace, Name: name, Node: node, IP: netip.MustParseAddr(ip), Ports: ports,
		Labels: labels.Set{"component": component},
	}
}

func world(t *testing.T, policies ...string) Cluster {
	t.Helper()
	web := NamedPort{"web", TCP, 8080}
	c := Cluster{
		Namespaces: map[string]labels.Set{
			bank:         {"tenant": "retail"},
			cards:        {"tenant": "cards"},
			"monitoring": {"allowance": "monitoring"},
		},
		Pods: []Pod{
			pod(bank, "channel-1", "east", "10.1.0.2", web),
			pod(bank, "account-1", "east", "10.1.0.3", web),
			pod(bank, "account-2", "west", "10.2.0.3", NamedPort{"web", TCP, 8081}),
			pod(bank, "ledger-1", "west", "10.2.0.4", web),
			pod(cards, "points-1", "east", "10.1.0.9", web),
			pod("monitoring", "scraper-1", "west", "10.2.0.7"),
		},
	}
	for _, text := range policies {
		p := &networking.NetworkPolicy{}
		if err := yaml.UnmarshalStrict([]byte(text), p); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		p.Namespace = bank
		c.Policies = append(c.Policies, p)
	}
	return c
}

const denyAll = `{metadata: {name: deny}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`

func TestCompile(t *testing.T) {
	type packet struct {
		from, to string
		protocol Protocol
		port     uint16
		want     bool
	}
	const channel, account, account2, ledger, points, scraper = "10.1.0.2", "10.1.0.3", "10.2.0.3", "10.2.0.4", "10.1.0.9", "10.2.0.7"
	for reason, tc := range map[string]struct {
		policies []string
		packets  []packet
	}{
		"without policies everything known is open": {nil, []packet{
			{points, channel, TCP, 8080, true},
			{channel, "192.0.2.1", UDP, 53, true},
			{"192.0.2.1", channel, TCP, 8080, true},
			{channel, channel, TCP, 8080, true},
			{"10.1.0.77", channel, TCP, 8080, false}, // an address no pod is known to have
			{channel, "10.1.0.77", TCP, 8080, false},
		}},
		"default deny closes its namespace and no other": {[]string{denyAll}, []packet{
			{points, channel, TCP, 8080, false},
			{channel, account, TCP, 8080, false},
			{channel, points, TCP, 8080, false},
			{channel, channel, TCP, 8080, true}, // itself, through its service
			{points, scraper, TCP, 8080, true},
		}},
		"a declared dependency opens one port, one way": {[]string{denyAll,
			`{metadata: {name: in}, spec: {podSelector: {matchLabels: {component: account}}, policyTypes: [Ingress],
			  ingress: [{from: [{podSelector: {matchLabels: {component: channel}}}], ports: [{port: 8080}]}]}}`,
			`{metadata: {name: out}, spec: {podSelector: {matchLabels: {component: channel}}, policyTypes: [Egress],
			  egress: [{to: [{podSelector: {matchLabels: {component: account}}}], ports: [{port: 8080, protocol: TCP}]}]}}`,
		}, []packet{
			{channel, account, TCP, 8080, true},
			{channel, account2, TCP, 8080, true}, // its other end is decided on its own host
			{channel, account, TCP, 8081, false},
			{channel, account, UDP, 8080, false},
			{account, channel, TCP, 8080, false},
			{points, account, TCP, 8080, false},
		}},
		"a namespace selector alone means all pods there": {[]string{denyAll,
			`{metadata: {name: m}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {allowance: monitoring}}}]}]}}`,
		}, []packet{
			{scraper, channel, TCP, 9100, true},
			{scraper, channel, UDP, 1, true},
			{ledger, channel, TCP, 9100, false},
		}},
		"both selectors in one peer must both match": {[]string{denyAll,
			`{metadata: {name: m}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [
			  {namespaceSelector: {matchLabels: {tenant: retail}}, podSelector: {matchLabels: {component: ledger}}}]}]}}`,
		}, []packet{
			{ledger, channel, TCP, 1, true},
			{account2, channel, TCP, 1, false},
		}},
		"an ipBlock without what it excepts": {[]string{denyAll,
			`{metadata: {name: b}, spec: {podSelector: {}, policyTypes: [Ingress, Egress],
			  ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25]}}], ports: [{port: 8000, endPort: 8100}]}],
			  egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}], ports: [{port: 53, protocol: UDP}, {protocol: TCP}]}]}}`,
		}, []packet{
			{"192.0.2.5", channel, TCP, 8000, true},
			{"192.0.2.5", channel, TCP, 8100, true},
			{"192.0.2.5", channel, TCP, 8101, false},
			{"192.0.2.200", channel, TCP, 8000, false},
			{channel, "192.0.2.5", UDP, 53, true},
			{channel, "192.0.2.5", TCP, 1, true},
			{channel, account2, UDP, 53, false},
		}},
		"a port's name is what the pod that serves it says": {[]string{denyAll,
			`{metadata: {name: n}, spec: {podSelector: {}, policyTypes: [Ingress, Egress],
			  ingress: [{ports: [{port: web}]}], egress: [{ports: [{port: web}]}]}}`,
		}, []packet{
			{channel, account2, TCP, 8081, true},
			{channel, account2, TCP, 8080, false},
			{scraper, channel, TCP, 8080, true},
			{channel, scraper, TCP, 8080, false}, // has no such name
			{channel, "192.0.2.1", TCP, 8080, false},
		}},
		"an empty rule opens its direction": {[]string{denyAll,
			`{metadata: {name: o}, spec: {podSelector: {matchLabels: {component: channel}}, policyTypes: [Ingress], ingress: [{}]}}`,
		}, []packet{
			{points, channel, TCP, 8080, true},
			{points, account, TCP, 8080, false},
		}},
		"policy types left out: ingress, and egress only with egress rules": {[]string{
			`{metadata: {name: i}, spec: {podSelector: {matchLabels: {component: channel}}}}`,
			`{metadata: {name: e}, spec: {podSelector: {matchLabels: {component: account}}, egress: [{ports: [{port: 1}]}]}}`,
		}, []packet{
			{channel, ledger, TCP, 5, true},
			{ledger, channel, TCP, 5, false},
			{account, ledger, TCP, 5, false},
			{account, ledger, TCP, 1, true},
		}},
		"what cannot be understood opens nothing": {[]string{denyAll,
			`{metadata: {name: x}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [
			  {from: [{ipBlock: {cidr: nonsense}}]}, {from: [{podSelector: {matchExpressions: [{key: a, operator: Odd}]}}]},
			  {from: [{}]}, {ports: [{port: 9, endPort: 3}]}]}}`,
		}, []packet{
			{ledger, channel, TCP, 9, false},
			{"192.0.2.5", channel, TCP, 9, false},
		}},
		"a selector that cannot be understood isolates everybody": {[]string{
			`{metadata: {name: x}, spec: {podSelector: {matchExpressions: [{key: a, operator: Odd}]}, policyTypes: [Ingress], ingress: [{}]}}`,
		}, []packet{
			{ledger, channel, TCP, 9, false},
			{channel, ledger, TCP, 9, true},
		}},
	} {
		t.Run(reason, func(t *testing.T) {
			rules, _ := Compile(world(t, tc.policies...), east)
			for _, p := range tc.packets {
				got := rules.Allows(netip.MustParseAddr(p.from), netip.MustParseAddr(p.to), p.protocol, p.port)
				if got != p.want {
					t.Errorf("%s to %s %s/%d: allowed %v, want %v", p.from, p.to, p.protocol, p.port, got, p.want)
				}
			}
		})
	}
}

func TestCompileNamesWhatItCannotUnderstand(t *testing.T) {
	_, got := Compile(world(t, `{metadata: {name: x}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: nonsense}}]}]}}`), east)
	want := []string{`NetworkPolicy "retail-prod-mobile-bank/x": ipBlock "nonsense": netip.ParsePrefix("nonsense"): no '/'; it selects nobody`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("troubles (-want +got):\n%s", diff)
	}
}

func TestTheLaterPodHasTheAddress(t *testing.T) {
	c := world(t, denyAll)
	heir := pod(cards, "points-2", "east", "10.1.0.2") // once channel-1's
	heir.Created = time.Unix(1, 0)
	c.Pods = append(c.Pods, heir)
	rules, _ := Compile(c, east)
	if !rules.Allows(netip.MustParseAddr("10.2.0.7"), heir.IP, TCP, 1) {
		t.Error("the address is still under the policy of the pod that had it before")
	}
}

func TestClosed(t *testing.T) {
	a, b := netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("192.0.2.1")
	if rules := Closed(east); rules.Allows(a, b, TCP, 1) || rules.Allows(b, a, TCP, 1) {
		t.Error("a host that knows nothing lets something through")
	}
}

func TestScript(t *testing.T) {
	rules, _ := Compile(world(t, denyAll,
		`{metadata: {name: in}, spec: {podSelector: {matchLabels: {component: account}}, policyTypes: [Ingress],
		  ingress: [{from: [{podSelector: {matchLabels: {component: channel}}}], ports: [{port: web}]}]}}`,
		`{metadata: {name: out}, spec: {podSelector: {matchLabels: {component: channel}}, policyTypes: [Egress],
		  egress: [{to: [{podSelector: {matchLabels: {component: account}}}], ports: [{port: web}, {port: 9000, endPort: 9010}, {port: 9005}, {protocol: UDP}]}]}}`,
		`{metadata: {name: block}, spec: {podSelector: {}, policyTypes: [Ingress],
		  ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 192.0.2.0/24]}}]}]}}`,
	), east)
	got := rules.Script()
	golden := filepath.Join("testdata", "script.nft")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("script (-want +got):\n%s", diff)
	}
}
