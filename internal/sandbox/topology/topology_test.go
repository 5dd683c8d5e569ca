// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package topology

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const small = `
apiVersion: sandbox.fairway.cloud/v1alpha1
kind: Sandbox
metadata: {name: bank}
spec:
  dataCenters:
    - {name: dc-east, racks: [east-a, east-b]}
    - {name: dc-west, racks: [west-a], availabilityZone: az-2}
  clusters:
    - {name: east-1, dataCenter: dc-east, apiServerFlags: ["--v=2"]}
    - {name: west-1, dataCenter: dc-west}
  hosts:
    - {name: east-biz-1, kind: real, cluster: east-1, rack: east-a, zones: [business], pool: retail-business}
    - {name: west-biz-1, kind: real, cluster: west-1, rack: west-a}
    - {name: east-edge-1, kind: edge, rack: east-b}
    - {name: east-sim, kind: simulated, cluster: east-1, rack: east-a, count: 3}
  links:
    - {between: [dc-east, dc-west], state: cut}
  prometheus: {state: "off"}
`

func TestParseSaysWhatIsWrong(t *testing.T) {
	cases := map[string]struct {
		reason   string
		old, new string
		want     string
	}{
		"unknown field":  {reason: "a typing error must not be ignored", old: "racks: [west-a]", new: "rack: [west-a]", want: `unknown field "spec.dataCenters[1].rack"`},
		"version":        {reason: "a file for another reader", old: "v1alpha1", new: "v9", want: "apiVersion and kind must be"},
		"name":           {reason: "names become file and namespace names", old: "name: bank", new: "name: ../bank", want: "metadata.name"},
		"taken name":     {reason: "ends of links need unique names", old: "name: west-1", new: "name: east-1", want: "is taken by cluster east-1"},
		"hub":            {reason: "the hub is always there", old: "name: west-1,", new: "name: hub,", want: "is taken by the hub"},
		"rack":           {reason: "a host stands in a known rack", old: "rack: west-a", new: "rack: north-a", want: `spec.hosts[1].rack "north-a" is not a rack`},
		"cluster":        {reason: "a host belongs to a known cluster", old: "cluster: west-1", new: "cluster: north-1", want: `spec.hosts[1].cluster "north-1"`},
		"edge cluster":   {reason: "an edge host has no kubelet", old: "kind: edge", new: "kind: edge, cluster: east-1", want: "an edge host belongs to no cluster"},
		"kind":           {reason: "there are three kinds", old: "kind: edge", new: "kind: virtual", want: "must be real, simulated or edge"},
		"data centre":    {reason: "a control plane stands somewhere", old: "dataCenter: dc-west", new: "dataCenter: dc-north", want: "is not one of spec.dataCenters"},
		"count":          {reason: "the address range ends", old: "count: 3", new: "count: 3000", want: "must be 0 to 2000"},
		"flag":           {reason: "flags are flags", old: `"--v=2"`, new: `"v=2"`, want: "must be written as --name=value"},
		"link end":       {reason: "a link has known ends", old: "between: [dc-east", new: "between: [dc-north", want: `names "dc-north"`},
		"link to itself": {reason: "a link joins two", old: "between: [dc-east, dc-west]", new: "between: [dc-east, dc-east]", want: "two different ends"},
		"bare off":       {reason: "YAML reads off as false", old: `"off"`, new: `never`, want: "must be on or off"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(small, tc.old, tc.new, 1)
			if changed == small {
				t.Fatalf("the case changes nothing")
			}
			_, err := Parse([]byte(changed))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: Parse() = %v, want an error with %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestLayout(t *testing.T) {
	sandbox, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Layout(sandbox, 1)
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ Name, DataCenter, Zone, IP, Gateway, Pods string }
	var got []row
	for _, h := range plan.Hosts {
		r := row{Name: h.Name, DataCenter: h.DataCenter, Zone: h.AvailabilityZone, IP: h.IP.String()}
		if h.Gateway.IsValid() {
			r.Gateway = h.Gateway.String()
		}
		if h.PodCIDR.IsValid() {
			r.Pods = h.PodCIDR.String()
		}
		got = append(got, r)
	}
	want := []row{
		{"east-biz-1", "dc-east", "dc-east", "10.132.0.10", "10.132.0.1", "10.133.0.0/24"},
		{"west-biz-1", "dc-west", "az-2", "10.132.1.10", "10.132.1.1", "10.133.1.0/24"},
		{"east-edge-1", "dc-east", "dc-east", "10.132.0.11", "10.132.0.1", ""},
		{"east-sim-01", "dc-east", "dc-east", "10.135.16.1", "", ""},
		{"east-sim-02", "dc-east", "dc-east", "10.135.16.2", "", ""},
		{"east-sim-03", "dc-east", "dc-east", "10.135.16.3", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	east, _ := plan.Cluster("east-1")
	if got, want := fmt.Sprint(east.Address, east.Port, east.ServiceCIDR), "10.132.0.2 20220 10.134.16.0/20"; got != want {
		t.Errorf("east-1 is at %q, want %q", got, want)
	}
	if plan.PrometheusPort != 0 || plan.RegistryPort != 20202 {
		t.Errorf("prometheus is off and the registry on, got ports %d and %d", plan.PrometheusPort, plan.RegistryPort)
	}
	if diff := cmp.Diff([][2]string{{"dc-east", "dc-west"}}, plan.Cuts); diff != "" {
		t.Errorf("cuts (-want +got):\n%s", diff)
	}
}

func TestTwoSandboxesShareNothing(t *testing.T) {
	sandbox, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for index := range MaxIndex + 1 {
		plan, err := Layout(sandbox, index)
		if err != nil {
			t.Fatal(err)
		}
		for _, claim := range claims(plan) {
			if other, taken := seen[claim]; taken {
				t.Errorf("%s is claimed by sandboxes %d and %d", claim, other, index)
			}
			seen[claim] = index
		}
	}
	if _, err := Layout(sandbox, MaxIndex+1); err == nil {
		t.Error("there is no room for one more sandbox, and it must be said")
	}
}

// claims are all addresses and ports of a plan, written out.
func claims(p *Plan) []string {
	var claims []string
	for _, dc := range p.DataCenters {
		claims = append(claims, dc.Router.String(), dc.Machine.String())
	}
	ports := []int{p.EtcdPort, p.EtcdPeerPort, p.ServerPort, p.MetricsPort, p.WitnessPort, p.RegistryPort, p.PrometheusPort}
	for _, c := range p.Clusters {
		claims = append(claims, "services "+c.ServiceCIDR.String(), "simulated "+c.SimulatedPods.String())
		ports = append(ports, c.Port, c.SchedulerPort, c.ControllerPort, c.SimulatorPort)
	}
	for _, h := range p.Hosts {
		claims = append(claims, h.IP.String())
		if h.PodCIDR.IsValid() {
			claims = append(claims, "pods "+h.PodCIDR.String())
		}
	}
	for _, port := range ports {
		if port != 0 {
			claims = append(claims, fmt.Sprint("port ", port))
		}
	}
	return claims
}

func TestExampleBank(t *testing.T) {
	content, err := os.ReadFile("../../../examples/bank/sandbox.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sandbox, err := Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := Layout(sandbox, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[HostKind]int{}
	for _, h := range plan.Hosts {
		got[h.Kind]++
	}
	if diff := cmp.Diff(map[HostKind]int{Real: 10, Simulated: 20, Edge: 2}, got); diff != "" {
		t.Errorf("the example's hosts (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("spec: {hosts: [{count: 7}]}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		sandbox, err := Parse(content)
		if err != nil {
			return
		}
		plan, err := Layout(sandbox, MaxIndex)
		if err != nil {
			t.Fatalf("what Parse accepts must have a layout: %v", err)
		}
		all := netip.MustParsePrefix("10.188.0.0/14")
		seen := map[string]bool{}
		for _, claim := range claims(plan) {
			if seen[claim] {
				t.Errorf("%s is given out twice", claim)
			}
			seen[claim] = true
		}
		for _, h := range plan.Hosts {
			if !all.Contains(h.IP) {
				t.Errorf("host %s has address %s outside of the sandbox", h.Name, h.IP)
			}
		}
	})
}
