// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// Ports of a host, on its own address.
const (
	// KubeletHealthPort answers /healthz without asking who is there.
	KubeletHealthPort = 10248
	// KubeletPort serves logs, exec and, to the authorised, /metrics.
	KubeletPort = 10250
	// ProxyMetricsPort serves /metrics of kube-proxy.
	ProxyMetricsPort = 10249
	// DNSHealthPort answers /ready once names are known.
	DNSHealthPort = 8181
	// ProxyHealthPort answers /healthz once services are programmed.
	ProxyHealthPort = 10256
)

// podLinkPrefix begins the host's end of each pod's link (the plugin's choice).
const podLinkPrefix = "veth"

// kubeletConfig is the KubeletConfiguration. Periods are long and collectors
// off where an idle host would only burn the machine's time.
func (h Host) kubeletConfig() map[string]any {
	reserved := h.Reserved()
	maxPods := h.MaxPods
	if maxPods == 0 {
		maxPods = 110
	}
	taints := make([]map[string]any, 0, len(h.Taints))
	for _, t := range h.Taints {
		taints = append(taints, map[string]any{"key": t.Key, "value": t.Value, "effect": string(t.Effect)})
	}
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",

		"address":            h.IP.String(),
		"port":               KubeletPort,
		"healthzBindAddress": h.IP.String(),
		"healthzPort":        KubeletHealthPort,
		"tlsCertFile":        h.path("pki", "kubelet.crt"),
		"tlsPrivateKeyFile":  h.path("pki", "kubelet.key"),
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": h.path("pki", "ca.crt")},
		},
		"authorization": map[string]any{"mode": "Webhook"},

		"registerNode":              true,
		"registerWithTaints":        taints,
		"nodeStatusUpdateFrequency": "10s",
		"nodeStatusReportFrequency": "5m",
		"nodeLeaseDurationSeconds":  40,

		"containerRuntimeEndpoint": "unix://" + h.socket(),
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               h.CgroupRoot(),
		"cgroupsPerQOS":            true,
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"oomScoreAdj":              0,
		"enforceNodeAllocatable":   []string{"pods"},
		"systemReserved": map[string]string{
			"cpu":    fmt.Sprintf("%dm", reserved.MilliCPU),
			"memory": fmt.Sprintf("%d", reserved.Memory),
		},
		// All hosts see the one disk and memory of the machine: a host that
		// evicted for it would punish its pods for the neighbours.
		"evictionHard": map[string]string{
			"memory.available": "0%", "pid.available": "0%",
			"nodefs.available": "0%", "nodefs.inodesFree": "0%",
			"imagefs.available": "0%", "imagefs.inodesFree": "0%",
		},
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,

		"clusterDNS":    []string{h.IP.String()},
		"clusterDomain": h.Cluster.domain(),
		"resolvConf":    h.path("resolv.conf"),

		"maxPods":                maxPods,
		"podLogsDir":             h.path("log"),
		"containerLogMaxSize":    "10Mi",
		"containerLogMaxFiles":   2,
		"volumePluginDir":        h.path("kubelet", "volume-plugins"),
		"makeIPTablesUtilChains": false,
		"serializeImagePulls":    false,
		"volumeStatsAggPeriod":   "-1s",
		"logging":                map[string]any{"verbosity": 1},
	}
}

// kubeletArgs are the kubelet's arguments; what is not in its configuration
// file can only be given so.
func (h Host) kubeletArgs() []string {
	labels := make([]string, 0, len(h.Labels))
	for key, value := range h.Labels {
		labels = append(labels, key+"="+value)
	}
	slices.Sort(labels)
	args := []string{
		h.Kubebox, "kubelet",
		"--config=" + h.path("kubelet.yaml"),
		"--kubeconfig=" + h.path("pki", "kubelet.kubeconfig"),
		"--root-dir=" + h.kubeletDir(),
		"--cert-dir=" + h.path("pki"),
		"--hostname-override=" + h.Name,
		"--node-ip=" + h.IP.String(),
		// A host has an identity and boots of its own, though it shares the machine.
		"--machine-id-file=" + h.path("machine-id"),
		"--boot-id-file=" + h.run("boot-id"),
		"--housekeeping-interval=60s",
	}
	if len(labels) > 0 {
		args = append(args, "--node-labels="+strings.Join(labels, ","))
	}
	return args
}

// proxyConfig is the KubeProxyConfiguration: nftables in the host's namespace.
func (h Host) proxyConfig() map[string]any {
	return map[string]any{
		"apiVersion":       "kubeproxy.config.k8s.io/v1alpha1",
		"kind":             "KubeProxyConfiguration",
		"mode":             "nftables",
		"clientConnection": map[string]any{"kubeconfig": h.path("pki", "proxy.kubeconfig")},
		// Own pods are told by their link, not by an address: pods of another
		// cluster are strangers, and so are those of another host.
		"detectLocalMode":    "InterfaceNamePrefix",
		"detectLocal":        map[string]any{"interfaceNamePrefix": podLinkPrefix},
		"hostnameOverride":   h.Name,
		"bindAddress":        "0.0.0.0",
		"nodePortAddresses":  []string{"primary"},
		"healthzBindAddress": fmt.Sprintf("%s:%d", h.IP, ProxyHealthPort),
		"metricsBindAddress": fmt.Sprintf("%s:%d", h.IP, ProxyMetricsPort),
		"oomScoreAdj":        0,
		// The kernel's table of connections is the machine's; it is not ours to size.
		"conntrack": map[string]any{"maxPerCore": 0, "min": 0},
		// An endpoint that leaves must be gone from the rules at once.
		"nftables": map[string]any{"minSyncPeriod": "100ms", "syncPeriod": "5m"},
	}
}

// writeCredentials issues what kubelet, proxy and DNS server show to their API server and
// to those who call them.
func (h Host) writeCredentials() error {
	dir, ca := h.path("pki"), h.Cluster.Authority
	if err := pki.WriteFile(h.path("pki", "ca.crt"), ca.CertPEM()); err != nil {
		return err
	}
	if _, err := ca.IssueFile(dir, "kubelet", pki.Request{
		CommonName: h.Name, DNSNames: []string{h.Name}, IPs: []net.IP{h.IP.AsSlice()},
	}); err != nil {
		return err
	}
	for name, request := range map[string]pki.Request{
		"kubelet-client": {CommonName: "system:node:" + h.Name, Organizations: []string{"system:nodes"}},
		"proxy":          {CommonName: "system:kube-proxy", Organizations: []string{"system:node-proxier"}},
		"dns":            {CommonName: dnsUser},
	} {
		pair, err := ca.IssueFile(dir, name, request)
		if err != nil {
			return err
		}
		content, err := pki.Kubeconfig(h.Cluster.Name, request.CommonName, h.Cluster.Server, ca.CertPEM(), pair)
		if err != nil {
			return err
		}
		file := strings.TrimSuffix(name, "-client") + ".kubeconfig"
		if err := pki.WriteFile(h.path("pki", file), content); err != nil {
			return err
		}
	}
	return nil
}
