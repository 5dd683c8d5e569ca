// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// scene is a hub, members, and a server between them, each a process of its own.
type scene struct {
	*stage.Fairway
	t       *testing.T
	size    size
	members []*stage.Member
}

// open starts everything, and waits until the pools have the room of their hosts.
func open(t *testing.T, z size) *scene {
	t.Helper()
	s := &scene{t: t, size: z}
	s.Fairway = stage.Open(t, stage.Options{
		Hub:      []kubetest.Option{kubetest.WithAPIServerFlags("--profiling=true"), kubetest.WithAPIServerEnv("GOMEMLIMIT=8GiB", "GOGC=100")},
		Registry: stage.Registry(t, map[string][]string{"bank/app:v1": nil}),
		Meanwhile: func() {
			var names []string
			for i := range z.members {
				names = append(names, fmt.Sprintf("%s-%d", []string{"east", "west"}[i%2], i/2+1))
			}
			clusters := kubetest.StartFleet(t, names, kubetest.WithManifests("config/member"), kubetest.WithSimulator())
			for i, name := range names {
				s.members = append(s.members, &stage.Member{Name: name, Site: []string{"dc-east", "dc-west"}[i%2], Environment: environment, Cluster: clusters[name]})
			}
		},
	})
	s.describe()
	s.Join(s.members, z.allHosts(), s.raise)
	s.Say("%d members have joined, %d hosts in %d pools offer their room", z.members, z.allHosts(), z.tenants)
	return s
}

// keepProfiles keeps profiles in the folder that FAIRWAY_SCALE_PROFILES names, one after
// another until the run ends: of 20 seconds of CPU of the server and of the hub's API
// server, then of the server's memory.
func (s *scene) keepProfiles(end <-chan struct{}) {
	folder := os.Getenv("FAIRWAY_SCALE_PROFILES")
	if folder == "" {
		return
	}
	api, err := kubernetes.NewForConfig(s.Hub.Config())
	stage.Must(s.t, errors.Join(err, os.MkdirAll(folder, 0o750)))
	for i := 0; ; i++ {
		select {
		case <-end:
			return
		default:
		}
		keep := func(what string, content []byte, err error) error {
			return errors.Join(err, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%03d.pprof", what, i)), content, 0o600))
		}
		var all errgroup.Group
		all.Go(func() error {
			content, err := s.ask("/debug/pprof/profile?seconds=20")
			return keep("server", content, err)
		})
		all.Go(func() error {
			content, err := api.RESTClient().Get().AbsPath("/debug/pprof/profile").Param("seconds", "20").DoRaw(s.t.Context())
			return keep("hub", content, err)
		})
		err := all.Wait()
		content, failed := s.ask("/debug/pprof/heap")
		if err := errors.Join(err, keep("memory", content, failed)); err != nil {
			s.t.Logf("could not keep a profile: %v", err)
			return
		}
	}
}

// ask asks the server at the address of its profiles.
func (s *scene) ask(path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.Profile+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(response.Body)
	return content, errors.Join(err, response.Body.Close())
}
