// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controlplane

import (
	"context"
	"fmt"
	"net"
	"path/filepath"

	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// Etcd is the one etcd that all clusters of a sandbox share. It listens on
// loopback only and wants a client certificate.
type Etcd struct {
	// Dir holds its data and certificates.
	Dir string
	// LogDir receives its log.
	LogDir string
	// Kubebox is the path of the kubebox binary.
	Kubebox string
	// Port serves clients; PeerPort is needed although there are no peers.
	Port     int
	PeerPort int
	// Lean gives up syncing to disk for the speed of tests.
	Lean bool
}

// EtcdName is the name of etcd's process.
const EtcdName = "etcd"

func (e Etcd) file(name string) string { return filepath.Join(e.Dir, "pki", name) }

func (e Etcd) url(port int) string { return fmt.Sprintf("https://127.0.0.1:%d", port) }

// Prepare writes etcd's certificates.
func (e Etcd) Prepare() error {
	authority, err := pki.Open(filepath.Join(e.Dir, "pki"), "ca")
	if err != nil {
		return err
	}
	_, err = authority.IssueFile(filepath.Join(e.Dir, "pki"), "server", pki.Request{
		CommonName: "etcd", DNSNames: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
	if err != nil {
		return err
	}
	_, err = authority.IssueFile(filepath.Join(e.Dir, "pki"), "client", pki.Request{CommonName: "kube-apiserver"})
	return err
}

// Process is etcd, ready to be run.
func (e Etcd) Process() supervise.Process {
	argv := []string{
		e.Kubebox, "etcd",
		"--name=sandbox",
		"--data-dir=" + filepath.Join(e.Dir, "data"),
		"--listen-client-urls=" + e.url(e.Port),
		"--advertise-client-urls=" + e.url(e.Port),
		"--listen-peer-urls=" + e.url(e.PeerPort),
		"--initial-advertise-peer-urls=" + e.url(e.PeerPort),
		"--initial-cluster=sandbox=" + e.url(e.PeerPort),
		"--cert-file=" + e.file("server.crt"), "--key-file=" + e.file("server.key"),
		"--trusted-ca-file=" + e.file("ca.crt"), "--client-cert-auth",
		"--peer-cert-file=" + e.file("server.crt"), "--peer-key-file=" + e.file("server.key"),
		"--peer-trusted-ca-file=" + e.file("ca.crt"), "--peer-client-cert-auth",
		"--quota-backend-bytes=4294967296",
		"--snapshot-count=20000",
		"--log-level=warn",
	}
	if e.Lean {
		argv = append(argv, "--unsafe-no-fsync")
	}
	return supervise.Process{
		Name: EtcdName, Argv: argv, Env: []string{"GOGC=50"},
		LogFile: logFile(e.LogDir, EtcdName),
		Ready: func(ctx context.Context) error {
			return getOK(ctx, e.url(e.Port)+"/readyz", e.file("ca.crt"), e.file("client.crt"), e.file("client.key"))
		},
	}
}

// flags tell an API server how to reach this etcd.
func (e Etcd) flags(cluster string) []string {
	return []string{
		"--etcd-servers=" + e.url(e.Port),
		"--etcd-cafile=" + e.file("ca.crt"),
		"--etcd-certfile=" + e.file("client.crt"),
		"--etcd-keyfile=" + e.file("client.key"),
		"--etcd-prefix=/" + cluster,
	}
}
