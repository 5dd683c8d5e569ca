// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package network

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func twoSites(sandbox string, net byte) Config {
	addr := func(dc, host byte) netip.Addr { return netip.AddrFrom4([4]byte{10, net, dc, host}) }
	pods := func(n byte) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, net + 1, n, 0}), 24)
	}
	return Config{
		Sandbox: sandbox,
		DataCenters: []DataCenter{
			{Name: "dc-east", Subnet: netip.PrefixFrom(addr(1, 0), 24), Router: addr(1, 254), Machine: addr(1, 1), Racks: []string{"east-a", "east-b"}},
			{Name: "dc-west", Subnet: netip.PrefixFrom(addr(2, 0), 24), Router: addr(2, 254), Machine: addr(2, 1), Racks: []string{"west-a"}},
		},
		Hosts: []Host{
			{Name: "east-biz-1", DataCenter: "dc-east", Rack: "east-a", IP: addr(1, 11), PodCIDR: pods(11)},
			{Name: "east-core-1", DataCenter: "dc-east", Rack: "east-b", IP: addr(1, 12), PodCIDR: pods(12)},
			{Name: "west-biz-1", DataCenter: "dc-west", Rack: "west-a", IP: addr(2, 11), PodCIDR: pods(21)},
			{Name: "west-edge-1", DataCenter: "dc-west", Rack: "west-a", IP: addr(2, 12)},
		},
	}
}

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*Config)
		want   string
	}{
		"Good":     {reason: "the layout of the other tests is sound", change: func(*Config) {}},
		"Name":     {reason: "the name goes into namespaces and tables", change: func(c *Config) { c.Sandbox = "a.b" }, want: "sandbox name"},
		"Twice":    {reason: "ends of links are told apart by name alone", change: func(c *Config) { c.Hosts[0].Name = "east-a" }, want: "taken by rack"},
		"Hub":      {reason: "hub is the name of an end", change: func(c *Config) { c.Hosts[0].Name = "hub" }, want: "taken by the hub"},
		"Rack":     {reason: "a rack belongs to one site", change: func(c *Config) { c.Hosts[0].Rack = "west-a" }, want: "has no rack"},
		"Outside":  {reason: "hosts lie on their site's subnet", change: func(c *Config) { c.Hosts[0].IP = c.Hosts[2].IP }, want: "is not in subnet"},
		"Address":  {reason: "an address has one owner", change: func(c *Config) { c.Hosts[0].IP = c.Hosts[1].IP }, want: "is taken by"},
		"Overlap":  {reason: "sites are routed", change: func(c *Config) { c.DataCenters[1].Subnet = netip.MustParsePrefix("10.0.0.0/8") }, want: "overlaps"},
		"NoRouter": {reason: "the router is on the subnet", change: func(c *Config) { c.DataCenters[0].Router = netip.Addr{} }, want: "must lie in"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := twoSites("test", 90)
			tc.change(&c)
			err := c.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: Validate() = %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	cases := map[string]struct{ reason, got, want string }{
		"Short":     {"a name that fits is kept", rackBridge("east-a"), "r-east-a"},
		"Long":      {"a name that does not fit ends in its hash", hostPort("east-business-17"), "h-east-bus" + shortHash("east-business-17", 4)},
		"Root":      {"the machine's link fits with the mark of the sandbox", rootLink("bank", "dc-east"), LinkPrefix("bank") + "dc-east"},
		"Namespace": {"iproute2 finds it", NamespacePath("bank", "east-biz-1"), "/run/netns/fairway.bank.east-biz-1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, tc.got, tc.want)
			}
			if !strings.Contains(tc.got, "/") && len(tc.got) > maxLinkName {
				t.Errorf("%q is too long for the kernel", tc.got)
			}
		})
	}
}

func TestFindLink(t *testing.T) {
	cases := map[string]struct {
		reason, a, b string
		want         Link
		fails        bool
	}{
		"Sites":      {reason: "two sites, in any order", a: "dc-west", b: "dc-east", want: Link{"dc-east", "dc-west"}},
		"Hub":        {reason: "the hub's way to a site", a: "hub", b: "dc-east", want: Link{"dc-east", "hub"}},
		"RackAlone":  {reason: "a rack alone is its uplink", a: "east-b", want: Link{"dc-east", "east-b"}},
		"HostAlone":  {reason: "a host alone is its link to the rack", a: "west-edge-1", want: Link{"west-a", "west-edge-1"}},
		"NoLink":     {reason: "hosts have no link with each other", a: "east-biz-1", b: "west-biz-1", fails: true},
		"OtherRack":  {reason: "a host hangs on its own rack", a: "east-biz-1", b: "east-b", fails: true},
		"Misspelled": {reason: "an unknown name says what there is", a: "dc-eats", b: "dc-west", fails: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := twoSites("test", 90).find(tc.a, tc.b)
			if (err != nil) != tc.fails {
				t.Fatalf("%s: error %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRouterRoutes(t *testing.T) {
	c := twoSites("test", 90)
	west := netip.MustParseAddr("10.90.2.254")
	own := []route{
		{To: netip.MustParsePrefix("10.91.11.0/24"), Via: netip.MustParseAddr("10.90.1.11"), Link: "br0"},
		{To: netip.MustParsePrefix("10.91.12.0/24"), Via: netip.MustParseAddr("10.90.1.12"), Link: "br0"},
	}
	joined := append([]route{
		{To: netip.MustParsePrefix("10.90.2.0/24"), Via: west, Link: "b-dc-west"},
		{To: netip.MustParsePrefix("10.91.21.0/24"), Via: west, Link: "b-dc-west"},
	}, own...)
	parted := append([]route{
		{To: netip.MustParsePrefix("10.90.2.0/24"), Blackhole: true},
		{To: netip.MustParsePrefix("10.91.21.0/24"), Blackhole: true},
	}, own...)
	cases := map[string]struct {
		reason string
		cuts   Cuts
		want   []route
	}{
		"Whole":    {reason: "the other site's hosts and pods lie over the backbone", want: joined},
		"Cut":      {reason: "a cut backbone swallows", cuts: Cuts{{"dc-east", "dc-west"}: true}, want: parted},
		"SiteLost": {reason: "a lost site is cut from all", cuts: Cuts{{"dc-west", ""}: true}, want: parted},
		"HubCut":   {reason: "the hub's link is not the backbone", cuts: Cuts{{"dc-east", "hub"}: true}, want: joined},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, routerRoutes(c, "dc-east", tc.cuts), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("%s:\n%s", tc.reason, diff)
			}
		})
	}
}
