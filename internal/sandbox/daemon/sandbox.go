// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
	"github.com/fairway-cloud/fairway/internal/sandbox/controlplane"
	"github.com/fairway-cloud/fairway/internal/sandbox/network"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// Options say what to run.
type Options struct {
	// Folder is the sandbox's folder, already created.
	Folder state.Folder
	// Kubebox is the path of the kubebox binary.
	Kubebox string
	// Self is the path of the fairway binary, for processes of our own.
	Self string
	// Steps come after the control planes, in the order of their phases.
	Steps []Step
	// Missing says what the machine lacks; see Preflight.
	Missing Missing
}

// Sandbox is a sandbox while its daemon runs.
type Sandbox struct {
	// Plan is where everything lies.
	Plan *topology.Plan
	// Options it runs with.
	Options Options

	supervisor *supervise.Supervisor
	network    *network.Network // nil without root
	etcd       controlplane.Etcd
	planes     map[string]controlplane.Cluster

	mu     sync.Mutex
	phases []control.Phase
	state  control.State
	urls   control.URLs
	saving sync.Mutex // held while the state file changes
	acts   sync.Mutex // held while hosts, links or sites are switched
	retry  chan struct{}
	down   chan control.DownRequest
}

// open reads the plan and takes over what a former daemon left running.
func open(options Options) (*Sandbox, error) {
	saved, err := options.Folder.Load()
	if err != nil {
		return nil, err
	}
	plan, _, err := options.Folder.Plan()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(options.Folder.Logs(), 0o755); err != nil {
		return nil, fmt.Errorf("could not make the log folder: %w", err)
	}
	s := &Sandbox{
		Plan: plan, Options: options, planes: map[string]controlplane.Cluster{},
		state: control.Starting, retry: make(chan struct{}, 1), down: make(chan control.DownRequest, 1),
	}
	if s.supervisor, err = supervise.New(supervise.Options{StateFile: options.Folder.Processes(), Mark: saved.Mark}); err != nil {
		return nil, err
	}
	if !options.Missing.Network() {
		if s.network, err = network.New(networkConfig(plan, options.Folder)); err != nil {
			return nil, err
		}
	}
	s.layOutPlanes()
	return s, nil
}

// Supervise adds processes that are kept running until the sandbox goes down.
// Those that are kept already are left alone.
func (s *Sandbox) Supervise(processes ...supervise.Process) error {
	for _, p := range processes {
		if s.supervisor.Has(p.Name) {
			continue
		}
		if err := s.supervisor.Add(p); err != nil {
			return err
		}
	}
	return nil
}

// Await returns when the named processes are ready.
func (s *Sandbox) Await(ctx context.Context, names ...string) error {
	return s.supervisor.Wait(ctx, names...)
}

// LogFile is where a process of that name writes.
func (s *Sandbox) LogFile(name string) string {
	return filepath.Join(s.Options.Folder.Logs(), filepath.Base(name)+".log")
}

// AuditLogs is the folder with a folder for each API server's audit log.
func (s *Sandbox) AuditLogs() string {
	return filepath.Join(s.Options.Folder.Logs(), controlplane.AuditDir)
}

// Kubeconfig is the path of the administrator's kubeconfig of a cluster.
func (s *Sandbox) Kubeconfig(cluster string) string { return s.Options.Folder.Kubeconfig(cluster) }

// Config reaches a cluster as its administrator over loopback, whatever links
// are cut.
func (s *Sandbox) Config(cluster string) (*rest.Config, error) {
	plane, ok := s.planes[cluster]
	if !ok {
		return nil, fmt.Errorf("could not reach cluster %q: it is not part of sandbox %q", cluster, s.Plan.Sandbox)
	}
	config, err := clientcmd.BuildConfigFromFlags("", plane.Files().LocalKubeconfig)
	if err != nil {
		return nil, fmt.Errorf("could not read the kubeconfig of cluster %q: %w", cluster, err)
	}
	config.QPS, config.Burst = 200, 400
	return config, nil
}

// Client is a client of a cluster, as Config.
func (s *Sandbox) Client(cluster string) (client.Client, error) {
	config, err := s.Config(cluster)
	if err != nil {
		return nil, err
	}
	made, err := client.New(config, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("could not make a client of cluster %q: %w", cluster, err)
	}
	return made, nil
}

// AccountKubeconfig writes a kubeconfig for an account of a member (for
// example "fairway") and returns its path. The account has no rights but those
// that the cluster's RBAC gives it.
func (s *Sandbox) AccountKubeconfig(cluster, account string, groups ...string) (string, error) {
	plane, ok := s.planes[cluster]
	if !ok {
		return "", fmt.Errorf("could not write a kubeconfig for cluster %q: it is not part of sandbox %q", cluster, s.Plan.Sandbox)
	}
	return plane.Kubeconfig(account, account, groups...)
}

// RegistryAddress is where the registry answers this machine, as "host:port";
// empty when it is off.
func (s *Sandbox) RegistryAddress() string {
	if s.Plan.RegistryPort == 0 {
		return ""
	}
	return fmt.Sprintf("127.0.0.1:%d", s.Plan.RegistryPort)
}

// SetURLs publishes addresses in the status; empty ones are left as they are.
func (s *Sandbox) SetURLs(urls control.URLs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if urls.API != "" {
		s.urls.API = urls.API
	}
	if urls.Console != "" {
		s.urls.Console = urls.Console
	}
	if len(urls.Apps) > 0 {
		s.urls.Apps = urls.Apps
	}
}

// RealHosts tells whether hosts run containers here.
func (s *Sandbox) RealHosts() bool { return !s.Options.Missing.Containers() }

// remember changes what outlives the daemon.
func (s *Sandbox) remember(change func(*state.Saved)) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	saved, err := s.Options.Folder.Load()
	if err != nil {
		return err
	}
	change(&saved)
	return s.Options.Folder.Save(saved)
}

// errDown ends the phases when the sandbox goes down meanwhile.
var errDown = errors.New("the sandbox goes down")
