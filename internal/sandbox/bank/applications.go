// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bank

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// described are the example's applications, as their files say.
func described(t *topology.Sandbox) ([]*unstructured.Unstructured, error) {
	root, err := manifests.Root()
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, folder := range t.Spec.Fairway.Applications {
		objects, err := manifests.Load(filepath.Join(root, folder))
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if o.GetKind() == "Application" {
				out = append(out, o)
			}
		}
	}
	return out, nil
}

// releaseApplications makes a Revision of each application and brings it into
// service, unless it is there already.
func releaseApplications(ctx context.Context, s *daemon.Sandbox, t *topology.Sandbox) error {
	if !s.RealHosts() {
		s.Say("left out: no host here runs containers")
		return nil
	}
	if err := apply(ctx, s, t.Spec.Fairway.Applications, "--wait", "--timeout", "2m"); err != nil {
		return err
	}
	applications, err := described(t)
	if err != nil {
		return err
	}
	for i, a := range applications {
		s.Progress(i, len(applications))
		s.Say("release of %s", a.GetName())
		now, err := get[object](ctx, s, "get", "application", a.GetName(), "-n", a.GetNamespace(), "-o", "json")
		if err != nil {
			return err
		}
		if now.Status.ReleasedRevision != "" && now.Status.ActiveRelease == "" {
			continue
		}
		if now.Status.ActiveRelease == "" {
			if _, err := fairway(ctx, s, "release", "start", a.GetName(), "-n", a.GetNamespace(), "--reason", "the sandbox comes up", "--wait", "--timeout", "5m"); err != nil {
				return err
			}
			continue
		}
		if err := awaitRelease(ctx, s, a); err != nil {
			return err
		}
	}
	return nil
}

// awaitRelease waits for a Release that an earlier attempt has started.
func awaitRelease(ctx context.Context, s *daemon.Sandbox, a *unstructured.Unstructured) error {
	return await(ctx, "the release of "+a.GetName(), func() string {
		now, err := get[object](ctx, s, "get", "application", a.GetName(), "-n", a.GetNamespace(), "-o", "json")
		switch {
		case err != nil:
			return err.Error()
		case now.Status.ActiveRelease != "":
			return "release " + now.Status.ActiveRelease + " goes on"
		case now.Status.ReleasedRevision == "":
			return "nothing is released yet"
		}
		return ""
	})
}

// publishEntries finds where each exposed application answers, one address per
// data centre, and waits until each does.
func publishEntries(ctx context.Context, s *daemon.Sandbox, t *topology.Sandbox) error {
	if !s.RealHosts() {
		return nil
	}
	applications, err := described(t)
	if err != nil {
		return err
	}
	var urls []control.AppURL
	for _, a := range applications {
		entries, err := entriesOf(ctx, s, a)
		if err != nil {
			return err
		}
		urls = append(urls, entries...)
	}
	s.SetURLs(control.URLs{Apps: urls})
	return nil
}

// instance is what the steps read of the list of instances.
type instance struct {
	Component  string `json:"component"`
	DataCenter string `json:"dataCenter"`
	Host       string `json:"host"`
	State      string `json:"state"`
}

type instanceList struct {
	Items []instance `json:"items"`
}

func entriesOf(ctx context.Context, s *daemon.Sandbox, a *unstructured.Unstructured) ([]control.AppURL, error) {
	exposures, _, err := unstructured.NestedSlice(a.Object, "spec", "exposure")
	if err != nil {
		return nil, fmt.Errorf("could not read the exposure of %q: %w", a.GetName(), err)
	}
	list, err := get[instanceList](ctx, s, "get", "instances", "-n", a.GetNamespace(), "-o", "json")
	if err != nil {
		return nil, err
	}
	var urls []control.AppURL
	for _, e := range exposures {
		exposure, _ := e.(map[string]any)
		port, ok := exposure["nodePort"]
		if !ok {
			continue
		}
		seen := map[string]bool{}
		for _, in := range list.Items {
			if in.Component != exposure["component"] || seen[in.DataCenter] {
				continue
			}
			for _, h := range s.Plan.Hosts {
				if h.Name == in.Host {
					seen[in.DataCenter] = true
					urls = append(urls, control.AppURL{Application: a.GetName(), DataCenter: in.DataCenter, URL: fmt.Sprintf("http://%s:%v/", h.IP, port)})
				}
			}
		}
	}
	for _, u := range urls {
		if err := answers(ctx, u.URL); err != nil {
			return nil, err
		}
	}
	return urls, nil
}

// answers waits until an address answers.
func answers(ctx context.Context, url string) error {
	client := &http.Client{Timeout: 3 * time.Second}
	return await(ctx, url, func() string {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err.Error()
		}
		response, err := client.Do(request)
		if err != nil {
			return err.Error()
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return "it answers " + response.Status
		}
		return ""
	})
}
