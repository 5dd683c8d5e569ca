// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"fmt"
	"strings"
)

// containerdConfig is containerd's configuration. Everything it would keep in
// places of the machine is moved below the host's folder.
func (h Host) containerdConfig() string {
	return fmt.Sprintf(`version = 2
root = %q
state = %q
# Not needed here: other snapshotters and tracing.
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]

[grpc]
  address = %q

[plugins."io.containerd.internal.v1.opt"]
  path = %q

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # The machine may not lower an OOM score: without this no pod starts.
  restrict_oom_score_adj = true
  # Pods' namespaces are bound below our own folder, so that no other host's end removes them.
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  enable_selinux = false
  # Containers' numbers are asked for rarely.
  stats_collect_period = 60
  stream_server_address = "127.0.0.1"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
    max_conf_num = 1

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = %q

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    discard_unpacked_layers = true

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = %q
`, h.path("images"), h.run("containerd"), h.socket(), h.path("opt"), h.PauseImage,
		cniPlugins, h.path("cni"), h.path("certs.d"), h.run("runc"))
}

// registryFile is the hosts.toml that sends pulls of one registry name to its
// server.
func registryFile(r Registry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "server = %q\n\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", r.URL, r.URL)
	if strings.HasPrefix(r.URL, "https://") {
		b.WriteString("  skip_verify = true\n")
	}
	return b.String()
}

// cniConfig gives each pod a link of its own to the host, and an address of
// the host's pod network from a store below the host's folder.
func (h Host) cniConfig() map[string]any {
	mtu := h.MTU
	if mtu == 0 {
		mtu = 1500
	}
	return map[string]any{
		"cniVersion": "0.4.0",
		"name":       "fairway." + h.Sandbox + "." + h.Name,
		"plugins": []any{
			map[string]any{
				"type":   "ptp",
				"mtu":    mtu,
				"ipMasq": false,
				"ipam": map[string]any{
					"type":    "host-local",
					"dataDir": h.run("addresses"),
					"ranges":  []any{[]any{map[string]any{"subnet": h.PodCIDR.String()}}},
					"routes":  []any{map[string]any{"dst": "0.0.0.0/0"}},
				},
			},
		},
	}
}
