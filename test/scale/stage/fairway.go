// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package stage is what tests at scale play on: Fairway as an installation runs it, a
// process of its own on a real hub that asks it before it stores something; simulated
// hosts; and what members' schedulers say.
package stage

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/server/hooked"
)

// Fairway is a hub and a server on it.
type Fairway struct {
	Hub *kubetest.Cluster
	// Process is the server's. Address (host and port) is where people reach it, Profile that
	// of its profiles, Metrics that of its metrics.
	Process                   *kubetest.Child
	Address, Profile, Metrics string
	// Dir holds the command line (fairway), the certificate of who signed the server's
	// (ca.crt), and what the server writes (data).
	Dir string
	// API is what people use: REST, as the administrator. Own is Fairway's own account on
	// the hub, which tests describe the bank with. Raw is the hub's administrator.
	API      *cli.Client
	Own, Raw client.Client

	t     *testing.T
	began time.Time
	hooks client.Object
}

// Options of what is opened.
type Options struct {
	// Hub are options of the hub beside those of an installation.
	Hub []kubetest.Option
	// Registry is the address that answers for registry.bank.example.
	Registry string
	// Meanwhile is called while the server is compiled: to start members. Nil: nothing is.
	Meanwhile func()
}

// Open starts a hub and a server, and ends them with the test.
func Open(t *testing.T, o Options) *Fairway {
	t.Helper()
	if testing.Short() {
		t.Skip("a real hub and a real server are left out under -short")
	}
	f := &Fairway{t: t, began: time.Now(), Dir: t.TempDir()}
	var building errgroup.Group
	building.Go(f.build)
	options := []kubetest.Option{kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(placementtest.Scheme(t))}
	f.Hub = kubetest.Start(t, append(options, o.Hub...)...)
	if o.Meanwhile != nil {
		o.Meanwhile()
	}
	Must(t, building.Wait())
	f.connect()
	f.serve(o)
	f.Say("the server answers")
	return f
}

// build compiles the server.
func (f *Fairway) build() error {
	out, err := exec.CommandContext(f.t.Context(), "go", "build", "-o", filepath.Join(f.Dir, "fairway"), "github.com/fairway-cloud/fairway/cmd/fairway").CombinedOutput()
	if err != nil {
		return fmt.Errorf("could not build the server: %w\n%s", err, out)
	}
	return nil
}

// connect makes the clients of the hub, which nothing throttles.
func (f *Fairway) connect() {
	f.t.Helper()
	for into, config := range map[*client.Client]*rest.Config{&f.Own: f.Hub.UserConfig(f.t, "fairway", "fairway:system"), &f.Raw: f.Hub.Config()} {
		config.QPS = -1
		made, err := client.New(config, client.Options{Scheme: placementtest.Scheme(f.t)})
		Must(f.t, err)
		*into = made
	}
}

// serve starts "fairway server" as an installation does: with its own account, and with
// the hub asking it before it stores something.
func (f *Fairway) serve(o Options) {
	f.t.Helper()
	authority, err := pki.New("test")
	Must(f.t, err)
	pair, err := authority.Issue(pki.Request{CommonName: "fairway", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	Must(f.t, err)
	f.Address, f.Profile, f.Metrics = free(f.t), free(f.t), free(f.t)
	kubeconfig := f.file("hub.kubeconfig", f.Hub.UserKubeconfig(f.t, "fairway", "fairway:system"))
	certificate, key, ca := f.file("tls.crt", pair.Cert), f.file("tls.key", pair.Key), f.file("ca.crt", authority.CertPEM())
	data := filepath.Join(f.Dir, "data")
	f.Process = kubetest.Run(f.t, supervise.Process{
		Name: "fairway", LogFile: f.Log(), Ready: supervise.Answers("https://"+f.Address+"/readyz", authority.CertPEM()),
		Argv: []string{
			filepath.Join(f.Dir, "fairway"), "server", "--kubeconfig=" + kubeconfig, "--listen=" + f.Address, "--tls-cert=" + certificate, "--tls-key=" + key,
			"--data-dir=" + data, "--hooks=https://" + f.Address, "--hooks-ca=" + ca, "--allow-loopback-members", "--pprof-address=" + f.Profile, "--metrics-address=" + f.Metrics,
			"--plain-http-registry=registry.bank.example=" + o.Registry,
		},
	})
	f.API, err = cli.NewClient(cli.Access{Server: "https://" + f.Address, TokenFile: filepath.Join(data, "admin.token"), CAFile: ca})
	Must(f.t, err)
	token, err := tokenfile.Read(filepath.Join(data, "hook.token"))
	Must(f.t, err)
	hooks, err := hooked.Configuration(admission.Server{URL: "https://" + f.Address, Token: token, CA: authority.CertPEM()})
	Must(f.t, err)
	Must(f.t, f.Raw.Create(f.t.Context(), hooks))
	f.hooks = hooks
}

// CloseServer ends the server; the hub asks nobody any more.
func (f *Fairway) CloseServer() {
	f.t.Helper()
	f.Process.Stop()
	Must(f.t, f.Raw.Delete(f.t.Context(), f.hooks))
}

// Log is the file of the server's log.
func (f *Fairway) Log() string { return filepath.Join(f.Dir, "fairway.log") }

// LastWords are the last lines of the server's log.
func (f *Fairway) LastWords(lines int) string {
	content, _ := os.ReadFile(f.Log())
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func (f *Fairway) file(name string, content []byte) string {
	f.t.Helper()
	path := filepath.Join(f.Dir, name)
	Must(f.t, os.WriteFile(path, content, 0o600))
	return path
}

// Say logs what has happened, and how long after the beginning.
func (f *Fairway) Say(format string, args ...any) {
	f.t.Helper()
	f.t.Logf("%6s  %s", time.Since(f.began).Round(time.Second/10), fmt.Sprintf(format, args...))
}

func free(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	Must(t, err)
	defer l.Close() //nolint:errcheck // its address is all that is wanted
	return l.Addr().String()
}

// Must ends the test on an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
