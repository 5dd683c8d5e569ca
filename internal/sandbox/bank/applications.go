// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bank

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
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
// service, unless it is there already: as the bank's people do it, each with an
// account of his own.
func releaseApplications(ctx context.Context, s *daemon.Sandbox, t *topology.Sandbox) error {
	if !s.RealHosts() {
		s.Say("left out: no host here runs containers")
		return nil
	}
	applications, err := described(t)
	if err != nil {
		return err
	}
	as := []string{"--wait", "--timeout", "2m"}
	if maker := t.Spec.Fairway.Maker; maker != "" {
		as = append(as, "--context", maker)
	}
	if err := apply(ctx, s, t.Spec.Fairway.Applications, as...); err != nil {
		return err
	}
	for i, a := range applications {
		s.Progress(i, len(applications))
		if err := releaseApplication(ctx, s, t, a); err != nil {
			return err
		}
	}
	return nil
}

// releaseApplication has one application released, agreed to and brought into service.
func releaseApplication(ctx context.Context, s *daemon.Sandbox, t *topology.Sandbox, a *unstructured.Unstructured) error {
	at := slices.IndexFunc(t.Spec.Fairway.Changes, func(c topology.Change) bool { return c.Namespace == a.GetNamespace() })
	if at < 0 {
		return nil
	}
	people := t.Spec.Fairway.Changes[at]
	s.Say("release of %s", a.GetName())
	now, err := get[object](ctx, s, "get", "application", a.GetName(), "-n", a.GetNamespace(), "-o", "json")
	if err != nil {
		return err
	}
	if now.Status.ReleasedRevision != "" && now.Status.ActiveRelease == "" {
		return nil
	}
	if now.Status.ActiveRelease == "" {
		if _, err := fairway(ctx, s, "release", "start", a.GetName(), "-n", a.GetNamespace(), "--context", people.Requester,
			"--reason", "the sandbox comes up", "--ticket", "CHG-1", "--attach", "TestReport=DOC-1", "--attach", "BackOutPlan=DOC-2"); err != nil {
			return err
		}
	}
	if err := agree(ctx, s, a, people); err != nil {
		return err
	}
	return awaitRelease(ctx, s, a)
}

// waitingRequest is what the steps read of an approval request.
type waitingRequest struct {
	Name  string   `json:"name"`
	State string   `json:"state"`
	May   []string `json:"may"`
	Scope struct {
		Application string `json:"application"`
	} `json:"scope"`
}

// agree has each approver read his inbox and agree to what waits for him.
func agree(ctx context.Context, s *daemon.Sandbox, a *unstructured.Unstructured, people topology.Change) error {
	for _, approver := range people.Approvers {
		s.Say("release of %s: waits for %s", a.GetName(), approver)
		name := ""
		err := await(ctx, "the approval request for "+a.GetName(), func() string {
			inbox, err := get[struct {
				Items []waitingRequest `json:"items"`
			}](ctx, s, "approval", "list", "--tab", "all", "-n", a.GetNamespace(), "--context", approver, "-o", "json")
			if err != nil {
				return err.Error()
			}
			for _, r := range inbox.Items {
				if r.Scope.Application != a.GetName() {
					continue
				}
				if slices.Contains(r.May, "Approve") {
					name = r.Name
				}
				if name != "" || r.State == "Approved" || slices.Contains(r.May, "Withdraw") {
					return "" // he has it before him, or has agreed in an earlier attempt
				}
			}
			return "there is none yet"
		})
		if err != nil || name == "" {
			return errors.Join(err)
		}
		if _, err := fairway(ctx, s, "approve", name, "-n", a.GetNamespace(), "--context", approver, "--comment", "the sandbox comes up"); err != nil {
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
