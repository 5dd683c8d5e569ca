// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bank

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/fairway-cloud/fairway/internal/cli/config"
	"github.com/fairway-cloud/fairway/internal/sandbox/control"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/images"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

const (
	hub           = "hub"
	serverProcess = "fairway"
	// hubAccount is the server's own account on the hub, and memberAccount the one
	// bounded account through which it writes in members; config/ says their rights.
	hubAccount, hubGroup       = "fairway", "fairway:system"
	memberAccount, memberGroup = "fairway", "fairway:hub"
)

// pushImages builds the example's images from source and pushes them.
func pushImages(ctx context.Context, s *daemon.Sandbox, t *topology.Sandbox) error {
	if s.RegistryAddress() == "" {
		return nil
	}
	for _, version := range t.Spec.Fairway.Images {
		for _, spec := range images.Bank(version) {
			repository := "bank/" + spec.Name + ":" + spec.Tag
			s.Say("image %s", repository)
			if _, err := s.PushImage(ctx, spec, repository); err != nil {
				return err
			}
		}
	}
	return nil
}

// installHub applies what Fairway installs on its hub, and in each member the
// rights of its account there.
func installHub(ctx context.Context, s *daemon.Sandbox, t *topology.Sandbox) error {
	for _, folder := range []string{"crd", "rbac", "admission"} {
		if err := install(ctx, s, hub, folder); err != nil {
			return err
		}
	}
	for _, c := range t.Spec.Clusters {
		if err := install(ctx, s, c.Name, "member"); err != nil {
			return err
		}
	}
	return nil
}

func install(ctx context.Context, s *daemon.Sandbox, cluster, folder string) error {
	root, err := manifests.Root()
	if err != nil {
		return err
	}
	objects, err := manifests.Load(filepath.Join(root, "config", folder))
	if err != nil {
		return err
	}
	client, err := s.Client(cluster)
	if err != nil {
		return err
	}
	return manifests.Apply(ctx, client, objects)
}

// startServer runs "fairway server" under the supervisor and writes the file by
// which the command line finds it.
func startServer(ctx context.Context, s *daemon.Sandbox, _ *topology.Sandbox) error {
	dir := s.Options.Folder.Path("server")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("could not make the server's folder: %w", err)
	}
	authority, err := pki.Open(dir, "ca")
	if err != nil {
		return err
	}
	if _, err := authority.IssueFile(dir, "server", pki.Request{CommonName: "fairway", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}); err != nil {
		return err
	}
	kubeconfig, err := s.AccountKubeconfig(hub, hubAccount, hubGroup)
	if err != nil {
		return err
	}
	witness, err := startWitness(ctx, s, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	more, err := knowPrometheus(s, dir)
	if err != nil {
		return err
	}
	address := fmt.Sprintf("127.0.0.1:%d", s.Plan.ServerPort)
	err = s.Supervise(supervise.Process{
		Name: serverProcess,
		Argv: append([]string{
			s.Options.Self, "server", "--kubeconfig=" + kubeconfig, "--listen=" + address,
			"--tls-cert=" + filepath.Join(dir, "server.crt"), "--tls-key=" + filepath.Join(dir, "server.key"),
			"--data-dir=" + filepath.Join(dir, "data"), "--token-file=" + filepath.Join(dir, "admin.token"),
			"--plain-http-registry=" + topology.RegistryName + "=" + s.RegistryAddress(),
			"--hooks=https://" + address, "--hooks-ca=" + filepath.Join(dir, "ca.crt"),
			"--allow-loopback-members", fmt.Sprintf("--metrics-address=127.0.0.1:%d", s.Plan.MetricsPort),
			"--audit-logs=" + s.AuditLogs(), "--audit-known-account=" + daemon.SimulatorUser,
		}, append(witness, more...)...),
		Env:     []string{"GOMEMLIMIT=600MiB"},
		LogFile: s.LogFile(serverProcess),
		Ready:   supervise.Answers("https://"+address+"/readyz", authority.CertPEM()),
	})
	if err != nil {
		return err
	}
	if err := s.Await(ctx, serverProcess); err != nil {
		return err
	}
	if err := installHooks(ctx, s, address, filepath.Join(dir, "data"), authority.CertPEM()); err != nil {
		return err
	}
	s.SetURLs(control.URLs{API: "https://" + address})
	return config.Write(clientFile(s), config.Client{Server: "https://" + address, CAFile: "server/ca.crt", TokenFile: "server/admin.token"})
}

// knowPrometheus writes the file by which the server finds the sandbox's Prometheus, and
// is the flag that names it.
func knowPrometheus(s *daemon.Sandbox, dir string) ([]string, error) {
	address := s.PrometheusURL()
	if address == "" {
		return nil, nil
	}
	file := filepath.Join(dir, "prometheus.yaml")
	text := fmt.Sprintf("# Which Prometheus the tag rules of profiles ask: one for all clusters.\nprometheus:\n- {name: sandbox, url: %q}\n", address)
	return []string{"--prometheus-config=" + file}, pki.WriteFile(file, []byte(text))
}

func clientFile(s *daemon.Sandbox) string { return s.Options.Folder.Path(config.SandboxFile) }
