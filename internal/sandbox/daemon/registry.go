// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/sandbox/images"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// PauseImage is the image that holds a pod's namespaces.
const PauseImage = topology.RegistryName + "/fairway/pause:1"

const registryProcess = "registry"

// registryUp starts the registry on loopback and on the machine's address in
// every data centre.
func (s *Sandbox) registryUp(ctx context.Context) error {
	if s.Plan.RegistryPort == 0 {
		return nil
	}
	root := s.Options.Folder.Path("registry")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("could not make the registry's folder: %w", err)
	}
	listen := []string{s.RegistryAddress()}
	if s.network != nil {
		for _, dc := range s.Plan.DataCenters {
			listen = append(listen, fmt.Sprintf("%s:%d", dc.Machine, s.Plan.RegistryPort))
		}
	}
	err := s.Supervise(supervise.Process{
		Name:    registryProcess,
		Argv:    []string{s.Options.Kubebox, "registry", "--root=" + root, "--listen=" + strings.Join(listen, ",")},
		Env:     []string{"GOGC=50", "GOMEMLIMIT=100MiB", "OTEL_TRACES_EXPORTER=none"},
		LogFile: s.LogFile(registryProcess),
		Ready:   func(ctx context.Context) error { return get(ctx, "http://"+s.RegistryAddress()+"/v2/") },
	})
	if err != nil {
		return err
	}
	return s.Await(ctx, registryProcess)
}

// pauseImage builds the pause image and pushes it.
func (s *Sandbox) pauseImage(ctx context.Context) error {
	if s.Plan.RegistryPort == 0 || !s.RealHosts() {
		return nil
	}
	_, err := s.PushImage(ctx, images.Pause(), "fairway/pause:1")
	return err
}

// PushImage builds an image from the checkout's source (or takes it from the
// cache) and pushes it to the sandbox's registry under repository, for example
// "retail/channel:v1". It returns the digest "sha256:…". Hosts pull it as
// topology.RegistryName + "/" + repository.
func (s *Sandbox) PushImage(ctx context.Context, spec images.Spec, repository string) (string, error) {
	root, err := manifests.Root()
	if err != nil {
		return "", err
	}
	image, err := images.Builder{Dir: root}.Build(ctx, spec)
	if err != nil {
		return "", err
	}
	return images.Push(ctx, image, s.RegistryAddress()+"/"+repository)
}

// get asks a server on this machine and returns nil for the status 200.
func get(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}
