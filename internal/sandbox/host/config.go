// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package host

import (
	"fmt"
	"net/netip"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// maxDir bounds the length of a host's folder, in bytes: the sockets below it
// must stay under the kernel's 107.
const maxDir = 80

// Config describes one real host. All paths are absolute.
type Config struct {
	// Sandbox and Name of the host; the name is the node's name too.
	Sandbox, Name string
	// Dir is the host's disk: everything it writes lies below, except logs.
	Dir string
	// LogDir receives one log file per process.
	LogDir string
	// NetNS is the path of the host's network namespace.
	NetNS string
	// IP is the host's address, PodCIDR the network of its pods.
	IP      netip.Addr
	PodCIDR netip.Prefix
	// MTU of the pods' links; 1500 when 0.
	MTU int
	// Labels and Taints the node registers with. The kubelet may set no
	// label below kubernetes.io but the well-known ones.
	Labels map[string]string
	Taints []corev1.Taint
	// MaxPods bounds the pods; 110 when 0.
	MaxPods int
	// Machine is what the machine has, Share what this host offers of it to
	// pods; the rest is reserved, so that the hosts of a machine together
	// offer no more than there is. The zero Share offers everything.
	Machine, Share Size
	// Kubebox is the path of the kubebox binary.
	Kubebox string
	// PauseImage is the reference of the image that holds a pod's namespaces;
	// it is pulled from one of the Registries.
	PauseImage string
	// Registries by the name image references bear.
	Registries []Registry
	// FirstRules are nftables commands that Prepare loads into the namespace at
	// each boot, before anything runs there: what closes the pods until an
	// enforcer of NetworkPolicies has seen the host. None when empty.
	FirstRules string
	// Cluster the host belongs to.
	Cluster Cluster
}

// Size is an amount of compute.
type Size struct {
	// MilliCPU in thousandths of a processor.
	MilliCPU int64
	// Memory in bytes.
	Memory int64
}

// Registry says where images of a registry are really pulled from.
type Registry struct {
	// Name as references bear it, for example "registry.fairway.local:5000".
	Name string
	// URL of the server, for example "http://10.90.0.1:5000"; plain HTTP is
	// allowed.
	URL string
}

// Cluster is what hosts need to know of their cluster.
type Cluster struct {
	// Name of the cluster.
	Name string
	// Server is the URL of the API server as hosts reach it.
	Server string
	// Authority signs the certificates of the hosts' components.
	Authority *pki.Authority
	// Domain of the cluster's names; "cluster.local" when empty.
	Domain string
}

// Host is a real host of the sandbox.
type Host struct {
	Config
}

// Where the parts of a host lie.
const (
	containerdBinary = "containerd"
	cniPlugins       = "/usr/lib/cni" // Debian's containernetworking-plugins
)

func (h Host) path(parts ...string) string {
	return filepath.Join(append([]string{h.Dir}, parts...)...)
}

// run is what a reboot empties: sockets, mounts, the runtime's state, pod
// addresses. The rest of the folder is the disk.
func (h Host) run(parts ...string) string {
	return filepath.Join(append([]string{h.Dir, "run"}, parts...)...)
}

func (h Host) socket() string     { return h.run("containerd.sock") }
func (h Host) kubeletDir() string { return h.path("kubelet") }

// CgroupRoot is the host's control group: "kubepods" below it holds the pods,
// "system" the host's own processes.
func (h Host) CgroupRoot() string {
	return filepath.Join("/", cgroupTop, h.Sandbox, h.Name)
}

func (h Host) cgroupSystem() string { return filepath.Join(h.CgroupRoot(), "system") }

func (c Cluster) domain() string {
	if c.Domain == "" {
		return "cluster.local"
	}
	return c.Domain
}

// Reserved is what the host keeps from its pods.
func (h Host) Reserved() Size {
	if h.Share == (Size{}) {
		return Size{}
	}
	return Size{
		MilliCPU: max(h.Machine.MilliCPU-h.Share.MilliCPU, 0),
		Memory:   max(h.Machine.Memory-h.Share.Memory, 0),
	}
}

// Validate says what is wrong with the configuration, or nil.
func (h Host) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("host %q: %s", h.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case h.Sandbox == "" || h.Name == "":
		return bad("sandbox and name are needed")
	case !filepath.IsAbs(h.Dir) || filepath.Clean(h.Dir) == "/":
		return bad("folder %q must be an absolute path", h.Dir)
	case len(h.Dir) > maxDir:
		return bad("folder %q is longer than %d bytes, too long for the sockets below it: choose a shorter state folder", h.Dir, maxDir)
	case !h.IP.IsValid() || !h.PodCIDR.IsValid():
		return bad("address and pod network are needed")
	case h.NetNS == "" || h.Kubebox == "" || h.PauseImage == "":
		return bad("namespace, kubebox and pause image are needed")
	case h.Cluster.Server == "" || h.Cluster.Authority == nil:
		return bad("API server and authority of cluster %q are needed", h.Cluster.Name)
	}
	return nil
}
