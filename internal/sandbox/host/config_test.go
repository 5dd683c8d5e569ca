// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func exampleHost(t *testing.T) Host {
	t.Helper()
	authority, err := pki.New("east-1")
	must(t, err)
	return Host{Config{
		Sandbox: "bank", Name: "east-biz-1", Dir: "/state/hosts/east-biz-1", LogDir: "/state/logs",
		NetNS: "/run/netns/fairway.bank.east-biz-1", IP: netip.MustParseAddr("10.128.0.11"), PodCIDR: netip.MustParsePrefix("10.129.1.0/24"),
		Labels:  map[string]string{"fleet.fairway.cloud/rack": "east-a", "topology.kubernetes.io/zone": "dc-east"},
		Taints:  []corev1.Taint{{Key: "fleet.fairway.cloud/pool", Value: "none", Effect: corev1.TaintEffectNoSchedule}},
		Machine: Size{MilliCPU: 2000, Memory: 24 << 30}, Share: Size{MilliCPU: 200, Memory: 2 << 30},
		Kubebox: "/cache/kubebox", PauseImage: "registry.fairway.local/fairway/pause:1",
		Registries: []Registry{{Name: "registry.fairway.local", URL: "http://10.128.0.2:20002"}},
		Cluster:    Cluster{Name: "east-1", Server: "https://10.128.0.2:20020", Authority: authority},
	}}
}

func TestFilesOfAHost(t *testing.T) {
	h := exampleHost(t)
	storage := Storage{SharedDir: "/state/shared/east-1", Shared: 2, Hosts: []Host{h}, Local: 1}
	objects := func(list []*unstructured.Unstructured, err error) string {
		must(t, err)
		var b strings.Builder
		for _, o := range list {
			b.WriteString("---\n" + asYAML(t, o.Object))
		}
		return b.String()
	}
	var processes strings.Builder
	for _, p := range h.Processes() {
		processes.WriteString(p.Name + " after " + strings.Join(p.After, ",") + " in " + p.NetNS + " " + p.Cgroup + " log " + p.LogFile + "\n  " + strings.Join(p.Argv, "\n  ") + "\n")
	}
	for name, got := range map[string]string{
		"containerd.toml": h.containerdConfig(),
		"hosts.toml":      registryFile(h.Registries[0]),
		"network.yaml":    asYAML(t, h.cniConfig()),
		"kubelet.yaml":    asYAML(t, h.kubeletConfig()),
		"proxy.yaml":      asYAML(t, h.proxyConfig()),
		"processes.txt":   processes.String(),
		"Corefile":        h.corefile(),
		"dns.yaml":        objects(DNSObjects()),
		"storage.yaml":    objects(storage.Objects()),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "golden", name)
			if *update {
				must(t, os.MkdirAll(filepath.Dir(file), 0o755))
				must(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			must(t, err)
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got; -update rewrites):\n%s", file, diff)
			}
		})
	}
}

func asYAML(t *testing.T, v any) string {
	t.Helper()
	data, err := yaml.Marshal(v)
	must(t, err)
	return string(data)
}

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*Host)
		want   string
	}{
		"Good":     {reason: "the example is sound", change: func(*Host) {}},
		"NoName":   {reason: "a host is found by its name", change: func(h *Host) { h.Name = "" }, want: "name are needed"},
		"Relative": {reason: "processes run elsewhere", change: func(h *Host) { h.Dir = "hosts/x" }, want: "must be an absolute path"},
		"Root":     {reason: "a host's folder is removed whole", change: func(h *Host) { h.Dir = "/." }, want: "must be an absolute path"},
		"Long":     {reason: "sockets have short names", change: func(h *Host) { h.Dir = "/" + strings.Repeat("x", 80) }, want: "too long for the sockets"},
		"NoServer": {reason: "a kubelet talks to its API server", change: func(h *Host) { h.Cluster.Server = "" }, want: "API server"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := exampleHost(t)
			tc.change(&h)
			err := h.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: Validate() = %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

func TestReserved(t *testing.T) {
	cases := map[string]struct {
		reason         string
		machine, share Size
		want           Size
	}{
		"Part":  {reason: "what is not offered is kept", machine: Size{2000, 100}, share: Size{500, 30}, want: Size{1500, 70}},
		"All":   {reason: "no share named: all is offered", machine: Size{2000, 100}},
		"Above": {reason: "a share beyond the machine keeps nothing", machine: Size{2000, 100}, share: Size{3000, 30}, want: Size{0, 70}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			h := Host{Config{Machine: tc.machine, Share: tc.share}}
			if diff := cmp.Diff(tc.want, h.Reserved()); diff != "" {
				t.Errorf("%s:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestUnescapeMount(t *testing.T) {
	if got, want := unescapeMount(`/a\040b\134c`), `/a b\c`; got != want {
		t.Errorf("the kernel's escapes are undone: got %q, want %q", got, want)
	}
}
