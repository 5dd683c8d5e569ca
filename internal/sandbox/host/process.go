// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// Memory the Go runtimes aim at: bounds for garbage, above what is used.
const (
	containerdMemory = "GOMEMLIMIT=96MiB"
	kubeletMemory    = "GOMEMLIMIT=128MiB"
	proxyMemory      = "GOMEMLIMIT=64MiB"
	dnsMemory        = "GOMEMLIMIT=64MiB"
	frugal           = "GOGC=50"
)

// Processes are the host's processes in the order they start: containerd,
// CoreDNS, kubelet, kube-proxy. All live in the host's namespace and control group.
func (h Host) Processes() []supervise.Process {
	process := func(name string, argv []string, memory string) supervise.Process {
		return supervise.Process{
			Name:        h.ProcessName(name),
			Argv:        argv,
			Env:         []string{memory, frugal, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			Dir:         h.Dir,
			NetNS:       h.NetNS,
			Cgroup:      h.cgroupSystem(),
			LogFile:     filepath.Join(h.LogDir, h.Name+"-"+name+".log"),
			StopSeconds: 5,
		}
	}
	containerd := process("containerd", []string{containerdBinary, "--config", h.path("containerd.toml"), "--log-level", "warn"}, containerdMemory)
	containerd.Ready = func(ctx context.Context) error { return accepts(ctx, "unix", h.socket()) }

	kubelet := process("kubelet", h.kubeletArgs(), kubeletMemory)
	kubelet.After = []string{containerd.Name}
	kubelet.Ready = answers(fmt.Sprintf("http://%s:%d/healthz", h.IP, KubeletHealthPort))

	proxy := process("kube-proxy", []string{h.Kubebox, "kube-proxy", "--config=" + h.path("proxy.yaml")}, proxyMemory)
	proxy.Ready = answers(fmt.Sprintf("http://%s:%d/healthz", h.IP, ProxyHealthPort))

	dns := process("dns", []string{h.Kubebox, "coredns", "-conf", h.path("Corefile")}, dnsMemory)
	dns.Ready = answers(fmt.Sprintf("http://%s:%d/ready", h.IP, DNSHealthPort))
	return []supervise.Process{containerd, dns, kubelet, proxy}
}

// ProcessName is the name under which a component of the host is supervised.
func (h Host) ProcessName(component string) string { return h.Name + "/" + component }

// answers asks a component for its health over the host's address.
func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error { return getOK(ctx, url) }
}

func getOK(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s: %s", url, response.Status, body)
	}
	return nil
}

func accepts(ctx context.Context, network, address string) error {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	return conn.Close()
}
