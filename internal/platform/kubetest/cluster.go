// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kubetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/sandbox/controlplane"
	"github.com/fairway-cloud/fairway/internal/sandbox/kubebox"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// Cluster is one running API server.
type Cluster struct {
	// Name is the cluster's name in its fleet; "hub" when alone.
	Name string

	plane      controlplane.Cluster
	scheme     *runtime.Scheme
	config     *rest.Config
	client     client.Client
	kubeconfig []byte
	apiServer  *process
	env        []string
	namespaces atomic.Int64
}

// Main starts one cluster for a package's tests, runs them and stops it; give
// its result to os.Exit. Under -short the tests run without a cluster.
func Main(m *testing.M, into **Cluster, opts ...Option) int {
	var fleet map[string]*Cluster
	return mainFleet(m, []string{"hub"}, &fleet, func() { *into = fleet["hub"] }, opts)
}

// MainFleet is Main for an API server for each name, all on one etcd.
func MainFleet(m *testing.M, names []string, into *map[string]*Cluster, opts ...Option) int {
	return mainFleet(m, names, into, func() {}, opts)
}

func mainFleet(m *testing.M, names []string, into *map[string]*Cluster, started func(), opts []Option) int {
	if short() {
		return m.Run()
	}
	f, err := start(names, collect(opts))
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer f.stop()
	*into = f.clusters
	started()
	return m.Run()
}

// Start starts one cluster for the test t.
func Start(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	return StartFleet(t, []string{"hub"}, opts...)["hub"]
}

// StartFleet starts an API server for each name, all on one etcd.
func StartFleet(t testing.TB, names []string, opts ...Option) map[string]*Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("a real API server is left out under -short")
	}
	f, err := start(names, collect(opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	return f.clusters
}

// Config reaches the cluster as a member of system:masters. It is a copy with
// generous rate limits.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// Needed skips the test t where there is no cluster: Main starts none under -short. Whatever is given
// t calls it itself.
func (c *Cluster) Needed(t testing.TB) {
	t.Helper()
	if c == nil {
		t.Skip("a real API server is left out under -short")
	}
}

// Client is a client without a cache.
func (c *Cluster) Client() client.Client { return c.client }

// Kubeconfig is a kubeconfig with the certificates inside.
func (c *Cluster) Kubeconfig() []byte { return c.kubeconfig }

// AuditLog is the file of the API server's audit log, in a folder named as the
// cluster; "" without WithAuditLog.
func (c *Cluster) AuditLog() string { return c.plane.Files().AuditLog }

// UserConfig reaches the cluster as the given person in the given groups, to
// whom RBAC and admission apply.
func (c *Cluster) UserConfig(t testing.TB, user string, groups ...string) *rest.Config {
	t.Helper()
	c.Needed(t)
	authority, err := c.plane.Authority()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Request{CommonName: user, Organizations: groups})
	if err != nil {
		t.Fatal(err)
	}
	config := c.Config()
	config.CertData, config.KeyData = pair.Cert, pair.Key
	return config
}

// UserKubeconfig is UserConfig as a file.
func (c *Cluster) UserKubeconfig(t testing.TB, user string, groups ...string) []byte {
	t.Helper()
	config := c.UserConfig(t, user, groups...)
	raw, err := pki.Kubeconfig(c.Name, user, config.Host, config.CAData, pki.Pair{Cert: config.CertData, Key: config.KeyData})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Apply applies the manifests of a file or folder, relative to the checkout's root.
func (c *Cluster) Apply(t testing.TB, path string) {
	t.Helper()
	c.Needed(t)
	root, err := manifests.Root()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifests.Load(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := manifests.Apply(t.Context(), c.client, objects); err != nil {
		t.Fatal(err)
	}
}

// UserClient is a client for UserConfig.
func (c *Cluster) UserClient(t testing.TB, user string, groups ...string) client.Client {
	t.Helper()
	made, err := client.New(c.UserConfig(t, user, groups...), client.Options{Scheme: c.scheme})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Namespace makes a namespace of its own for the test and returns its name.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	c.Needed(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("test-%d", c.namespaces.Add(1))}}
	if err := c.client.Create(t.Context(), namespace); err != nil {
		t.Fatalf("could not make a namespace for the test: %v", err)
	}
	return namespace.Name
}

// StopAPIServer ends the API server as a crash would; etcd keeps the objects.
func (c *Cluster) StopAPIServer() { c.apiServer.kill() }

// StartAPIServer starts it again at the same address and waits until it serves.
func (c *Cluster) StartAPIServer(t testing.TB) {
	t.Helper()
	again, err := run(c.server())
	if err != nil {
		t.Fatal(err)
	}
	c.apiServer = again
	t.Cleanup(again.kill)
	if err := again.wait(t.Context(), startTimeout); err != nil {
		t.Fatal(err)
	}
}

// startTimeout bounds the start of one process.
const startTimeout = 90 * time.Second

type fleet struct {
	clusters  map[string]*Cluster
	processes []*process
	dir       string
}

func start(names []string, o options) (_ *fleet, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	box, err := kubebox.Ensure(ctx, kubebox.Options{Progress: os.Stderr})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "kubetest-")
	if err != nil {
		return nil, fmt.Errorf("could not make a folder for the test cluster: %w", err)
	}
	f := &fleet{clusters: map[string]*Cluster{}, dir: dir}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	ports, err := freePorts(2 + 3*len(names))
	if err != nil {
		return nil, err
	}
	etcd := controlplane.Etcd{Dir: filepath.Join(dir, "etcd"), LogDir: filepath.Join(dir, "logs"), Kubebox: box, Port: ports[0], PeerPort: ports[1], Lean: true}
	if err := etcd.Prepare(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(etcd.LogDir, 0o755); err != nil {
		return nil, fmt.Errorf("could not make the log folder: %w", err)
	}
	store, err := run(etcd.Process())
	if err != nil {
		return nil, err
	}
	f.processes = append(f.processes, store)
	for i, name := range names {
		c := &Cluster{Name: name, scheme: o.scheme, env: o.apiServerEnv, plane: controlplane.Cluster{
			Name: name, Dir: filepath.Join(dir, name), LogDir: etcd.LogDir, Kubebox: box, Etcd: etcd,
			Bind: "127.0.0.1", Address: netip.MustParseAddr("127.0.0.1"),
			Port: ports[2+3*i], SchedulerPort: ports[3+3*i], ControllerPort: ports[4+3*i],
			ServiceCIDR: netip.MustParsePrefix("10.254.0.0/16"), PodCIDR: netip.MustParsePrefix("10.253.0.0/16"),
			APIServerFlags: o.apiServerFlags, ControllerManager: o.controllerManager, Scheduler: o.scheduler, Lean: true, Audited: o.audited,
		}}
		if err := c.open(); err != nil {
			return nil, err
		}
		f.clusters[name] = c
	}
	if err := store.wait(ctx, startTimeout); err != nil {
		return nil, err
	}
	if err := f.startAll(ctx); err != nil {
		return nil, err
	}
	return f, f.install(ctx, o)
}

// open writes the cluster's files and prepares its clients.
func (c *Cluster) open() error {
	files, err := c.plane.Prepare()
	if err != nil {
		return err
	}
	if c.kubeconfig, err = os.ReadFile(files.AdminKubeconfig); err != nil {
		return fmt.Errorf("could not read the test cluster's kubeconfig: %w", err)
	}
	if c.config, err = clientcmd.RESTConfigFromKubeConfig(c.kubeconfig); err != nil {
		return fmt.Errorf("could not read the test cluster's kubeconfig: %w", err)
	}
	c.config.QPS, c.config.Burst = 1000, 2000
	return nil
}

// seldom has a server collect garbage less often than the sandbox's: one of a test
// lives for seconds, and would spend a fifth of its time on that.
const seldom = "GOGC=200"

// server is the API server, to be run.
func (c *Cluster) server() supervise.Process {
	p := c.plane.Processes()[0]
	p.Env = append(append(slices.Clone(p.Env), seldom), c.env...)
	return p
}

// startAll starts the API servers together, and then together what works with them.
func (f *fleet) startAll(ctx context.Context) error {
	var servers, rest []supervise.Process
	for _, c := range f.clusters {
		servers = append(servers, c.server())
		rest = append(rest, c.plane.Processes()[1:]...)
	}
	running, err := f.runAll(ctx, servers)
	for _, c := range f.clusters {
		c.apiServer = running[c.plane.APIServerName()]
	}
	if err != nil {
		return err
	}
	_, err = f.runAll(ctx, rest)
	return err
}

// runAll starts processes and waits until each is ready. It returns them by name.
func (f *fleet) runAll(ctx context.Context, specs []supervise.Process) (map[string]*process, error) {
	running := map[string]*process{}
	for _, spec := range specs {
		p, err := run(spec)
		if err != nil {
			return running, err
		}
		f.processes = append(f.processes, p)
		running[spec.Name] = p
	}
	for _, p := range running {
		if err := p.wait(ctx, startTimeout); err != nil {
			return running, err
		}
	}
	return running, nil
}

func (f *fleet) install(ctx context.Context, o options) error {
	for name, c := range f.clusters {
		made, err := client.New(c.config, client.Options{Scheme: o.scheme})
		if err != nil {
			return fmt.Errorf("could not make a client for test cluster %q: %w", name, err)
		}
		c.client = made
		if o.simulator {
			if err := f.simulate(ctx, c); err != nil {
				return err
			}
		}
		for _, folder := range o.folders(name) {
			root, err := manifests.Root()
			if err != nil {
				return err
			}
			objects, err := manifests.Load(filepath.Join(root, folder))
			if err != nil {
				return err
			}
			if err := manifests.Apply(ctx, c.client, objects); err != nil {
				return err
			}
		}
		if len(o.folders(name)) > 0 {
			// The kinds are new: a fresh client has discovered them.
			if c.client, err = client.New(c.config, client.Options{Scheme: o.scheme}); err != nil {
				return errors.Join(errors.New("could not renew the test cluster's client"), err)
			}
		}
	}
	return nil
}

func (f *fleet) stop() {
	for i := len(f.processes) - 1; i >= 0; i-- {
		f.processes[i].kill()
	}
	_ = os.RemoveAll(f.dir)
}
