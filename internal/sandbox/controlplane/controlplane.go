// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controlplane describes the control plane of one cluster of the
// sandbox: its certificates, kubeconfigs, audit policy and processes (API
// server, controller manager, scheduler) on an etcd that several clusters
// share, each below its own key prefix.
//
// Prepare writes the files; Processes returns what to run:
//
//	etcd := controlplane.Etcd{Dir: dir + "/etcd", Kubebox: box, Port: 2379, PeerPort: 2380}
//	_ = etcd.Prepare()
//	hub := controlplane.Cluster{Name: "hub", Dir: dir + "/hub", Kubebox: box, Etcd: etcd, Port: 6443, …}
//	files, _ := hub.Prepare()
//	run(append([]supervise.Process{etcd.Process()}, hub.Processes()...))
package controlplane

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

// Cluster is one control plane.
type Cluster struct {
	// Name is the cluster's name, for example "hub" or "east-1".
	Name string
	// Dir holds certificates, kubeconfigs and the audit policy.
	Dir string
	// LogDir receives one log file per process, and the audit log in AuditDir.
	LogDir string
	// Kubebox is the path of the kubebox binary.
	Kubebox string
	// Etcd is where the cluster keeps its objects, below "/<Name>".
	Etcd Etcd
	// Bind is the address the API server listens on: "127.0.0.1" when no one
	// outside this machine's root namespace needs it, else "0.0.0.0".
	Bind string
	// Port is the API server's port.
	Port int
	// SchedulerPort and ControllerPort serve their health and metrics on
	// loopback.
	SchedulerPort  int
	ControllerPort int
	// Address is what hosts and other clusters reach the API server by; it is
	// also advertised to pods. Loopback when nobody else needs it.
	Address netip.Addr
	// ServiceCIDR is the range of ClusterIPs; its first address is the
	// Service "kubernetes".
	ServiceCIDR netip.Prefix
	// PodCIDR is the range of all pods; hosts get their parts from the
	// topology, not from the controller manager.
	PodCIDR netip.Prefix
	// APIServerFlags are added after our own and so win.
	APIServerFlags []string
	// ControllerManager and Scheduler say what runs beside the API server.
	ControllerManager bool
	Scheduler         bool
	// Controllers bounds the controller manager's controllers; all that make
	// sense without a cloud when empty.
	Controllers []string
	// Lean gives up durability and auditing for the speed of tests, and Audited keeps
	// the auditing all the same: each line is written before the request is answered.
	Lean, Audited bool
}

// Files are what Prepare wrote for others to use.
type Files struct {
	// AdminKubeconfig reaches the cluster as a member of system:masters over
	// Address; LocalKubeconfig does so over loopback.
	AdminKubeconfig string
	LocalKubeconfig string
	// AuthorityFile is the PEM certificate of the cluster's authority.
	AuthorityFile string
	// AuditLog is the API server's audit log, in a folder of its own within AuditDir;
	// empty when there is none.
	AuditLog string
}

// AuditDir is the folder in a log folder that holds a folder for each cluster's
// audit log, as "fairway server --audit-logs" reads it.
const AuditDir = "audit"

func (c Cluster) pki() string { return filepath.Join(c.Dir, "pki") }

// URL is the API server's address for others.
func (c Cluster) URL() string { return c.url(c.Address.String()) }

func (c Cluster) url(host string) string {
	return "https://" + net.JoinHostPort(host, fmt.Sprint(c.Port))
}

// Files says where Prepare puts things.
func (c Cluster) Files() Files {
	files := Files{
		AdminKubeconfig: filepath.Join(c.Dir, "admin.kubeconfig"),
		LocalKubeconfig: filepath.Join(c.Dir, "local.kubeconfig"),
		AuthorityFile:   filepath.Join(c.pki(), "ca.crt"),
	}
	if c.audited() {
		files.AuditLog = filepath.Join(c.LogDir, AuditDir, c.Name, "audit.log")
	}
	return files
}

// Authority opens the cluster's certificate authority.
func (c Cluster) Authority() (*pki.Authority, error) { return pki.Open(c.pki(), "ca") }

// Prepare writes certificates, kubeconfigs and the audit policy. What is there
// and still holds stays as it is.
func (c Cluster) Prepare() (Files, error) {
	authority, err := c.Authority()
	if err != nil {
		return Files{}, err
	}
	if err := c.prepareServer(authority); err != nil {
		return Files{}, err
	}
	files := c.Files()
	for path, access := range map[string]struct {
		user, server string
		groups       []string
	}{
		files.AdminKubeconfig:              {user: "admin", groups: []string{"system:masters"}, server: c.URL()},
		files.LocalKubeconfig:              {user: "admin", groups: []string{"system:masters"}, server: c.url("127.0.0.1")},
		c.kubeconfig("controller-manager"): {user: "system:kube-controller-manager", server: c.url("127.0.0.1")},
		c.kubeconfig("scheduler"):          {user: "system:kube-scheduler", server: c.url("127.0.0.1")},
	} {
		if err := c.writeKubeconfig(authority, path, access.user, access.groups, access.server); err != nil {
			return Files{}, err
		}
	}
	return files, c.writeAuditPolicy()
}

// Kubeconfig writes the access of one user (a component, a host, Fairway
// itself) over Address to <Dir>/<name>.kubeconfig and returns its path.
func (c Cluster) Kubeconfig(name, user string, groups ...string) (string, error) {
	authority, err := c.Authority()
	if err != nil {
		return "", err
	}
	path := c.kubeconfig(name)
	return path, c.writeKubeconfig(authority, path, user, groups, c.URL())
}

// LocalKubeconfig does as Kubeconfig for a component in the root namespace that
// reaches the API server over loopback, whatever links are cut.
func (c Cluster) LocalKubeconfig(name, user string, groups ...string) (string, error) {
	authority, err := c.Authority()
	if err != nil {
		return "", err
	}
	path := c.kubeconfig(name)
	return path, c.writeKubeconfig(authority, path, user, groups, c.url("127.0.0.1"))
}

func (c Cluster) kubeconfig(name string) string { return filepath.Join(c.Dir, name+".kubeconfig") }

func (c Cluster) writeKubeconfig(authority *pki.Authority, path, user string, groups []string, server string) error {
	name := filepath.Base(path)
	pair, err := authority.IssueFile(c.pki(), "client-"+name, pki.Request{CommonName: user, Organizations: groups})
	if err != nil {
		return err
	}
	content, err := pki.Kubeconfig(c.Name, user, server, authority.CertPEM(), pair)
	if err != nil {
		return err
	}
	return pki.WriteFile(path, content)
}

// frontProxyName is who the API server is to API servers behind it.
const frontProxyName = "front-proxy-client"

func (c Cluster) prepareServer(authority *pki.Authority) error {
	if _, err := pki.OpenServiceAccountKey(c.pki()); err != nil {
		return err
	}
	ips := []net.IP{net.IPv4(127, 0, 0, 1), c.ServiceCIDR.Masked().Addr().Next().AsSlice()}
	if c.Address.IsValid() && !c.Address.IsLoopback() {
		ips = append(ips, c.Address.AsSlice())
	}
	_, err := authority.IssueFile(c.pki(), "apiserver", pki.Request{
		CommonName: "kube-apiserver",
		DNSNames:   []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPs:        ips,
	})
	if err != nil {
		return err
	}
	// The front proxy's own authority: who it signs may say who a person is.
	front, err := pki.Open(c.pki(), "front-proxy-ca")
	if err != nil {
		return err
	}
	if _, err := front.IssueFile(c.pki(), "front-proxy-client", pki.Request{CommonName: frontProxyName}); err != nil {
		return err
	}
	_, err = authority.IssueFile(c.pki(), "kubelet-client", pki.Request{CommonName: "kube-apiserver-kubelet-client", Organizations: []string{"system:masters"}})
	return err
}
