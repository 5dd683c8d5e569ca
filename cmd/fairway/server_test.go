// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/cli/config"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) {
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithAuditLog()))
}

// bench is a running server with the files that reach it.
type bench struct {
	dir     string
	address string
	stop    context.CancelFunc
	ended   chan error
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startServer starts "fairway server" as the sandbox does, but for the changes, and
// waits until it is ready.
func startServer(t *testing.T, changes ...func(b *bench, o *serverOptions)) *bench {
	t.Helper()
	if hub == nil {
		t.Skip("no cluster under -short")
	}
	b := &bench{dir: t.TempDir(), address: freeAddress(t), ended: make(chan error, 1)}
	prepareHub(t)
	authority, err := pki.New("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Request{CommonName: "fairway", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(b.dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	o := serverOptions{
		kubeconfig: write("hub.kubeconfig", ownKubeconfig(t)), listen: b.address, certFile: write("tls.crt", pair.Cert), keyFile: write("tls.key", pair.Key),
		dataDir: filepath.Join(b.dir, "data"), loopback: true, drain: time.Second, hook: hookOptions{at: notAsked},
		plainRegistries: []string{"registry.bank.example=" + newRegistry(t, "bank/channel:v1", "bank/account:v1", "bank/ledger:v1")},
	}
	write("cli.yaml", []byte("server: https://"+b.address+"\ntokenFile: data/admin.token\ncaFile: ca.crt\n"))
	write("ca.crt", authority.CertPEM())
	for _, change := range changes {
		change(b, &o)
	}
	go func() { b.ended <- runServer(ctx, o) }()
	t.Cleanup(func() { b.end(t) })
	t.Setenv(config.Variable, filepath.Join(b.dir, "cli.yaml"))
	deadline := time.Now().Add(30 * time.Second)
	for {
		words := []string{"get", "clusters", "-o", "json"}
		if o.noBootstrap {
			// Nobody is known yet: that the server says so is enough.
			words = []string{"whoami", "--token-file", write("nobody.token", []byte(strings.Repeat("a", 43)))}
		}
		out, errOut, code := run(t, words...)
		if code == 0 && strings.Contains(out, "items") || o.noBootstrap && strings.Contains(errOut, "code: unauthenticated") {
			return b
		}
		select {
		case err := <-b.ended:
			t.Fatalf("the server ended: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server is not ready: %s", out)
		}
	}
}

func (b *bench) end(t *testing.T) {
	t.Helper()
	b.stop()
	select {
	case err := <-b.ended:
		if err != nil {
			t.Errorf("the server must stop without an error: %v", err)
		}
		b.ended <- nil
	case <-time.After(20 * time.Second):
		t.Error("the server does not stop")
	}
}

func prepareHub(t *testing.T) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "retail-sit"}}
	if err := hub.Client().Create(context.Background(), namespace); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	// A hub that was set up a moment ago learns the kinds for its mutating policies by and by.
	probe := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
	probe.SetGroupVersionKind(appv1.GroupVersion.WithKind("Application"))
	probe.SetNamespace("retail-sit")
	probe.SetName("probe")
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		if err := hub.Client().Create(context.Background(), probe.DeepCopy(), client.DryRunAll); err == nil || !strings.Contains(err.Error(), "not found") {
			return
		}
	}
	t.Fatal("the hub does not learn the kind Application")
}

// ownKubeconfig is the server's own account, with the rights of config/rbac and no others.
func ownKubeconfig(t *testing.T) []byte {
	t.Helper()
	return hub.UserKubeconfig(t, "fairway", "fairway:system")
}

// run runs the command line as a user would, and returns what it prints.
func run(t *testing.T, words ...string) (stdout, stderr string, code int) {
	t.Helper()
	root := newRoot()
	out, errOut := &bytes.Buffer{}, &bytes.Buffer{}
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetArgs(words)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return out.String(), errOut.String(), 0
	}
	return out.String(), errOut.String() + err.Error(), exitCode(err)
}

func TestSecondServerRefuses(t *testing.T) {
	dir := t.TempDir()
	unlock, err := ownFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ownFolder(dir); err == nil || !strings.Contains(err.Error(), "another server uses data folder") {
		t.Errorf("a second server on the same folder must refuse, got %v", err)
	}
	unlock()
	again, err := ownFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestExitCodes(t *testing.T) {
	if got := exitCode(coded(&cli.Failure{Exit: cli.ExitConflict})); got != 5 {
		t.Errorf("want 5, got %d", got)
	}
	if got := exitCode(errors.New("x")); got != 1 {
		t.Errorf("want 1, got %d", got)
	}
}
