// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bank

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-cloud/fairway/internal/cli/config"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// joinMembers joins each cluster that serves an environment, and waits until
// clusters, tenants and pools are ready to take applications.
func joinMembers(ctx context.Context, s *daemon.Sandbox, t *topology.Sandbox) error {
	for _, c := range t.Spec.Clusters {
		if c.Environment == "" {
			continue
		}
		known, err := get[objectList](ctx, s, "get", "clusters", "-o", "json")
		if err != nil {
			return err
		}
		if _, there := known.find(c.Name); there {
			continue
		}
		s.Say("%s joins", c.Name)
		kubeconfig, err := s.AccountKubeconfig(c.Name, memberAccount, memberGroup)
		if err != nil {
			return err
		}
		if _, err := fairway(ctx, s, "cluster", "join", c.Name, "--kubeconfig", kubeconfig,
			"--data-center", c.DataCenter, "--environment", c.Environment,
			"--storage-class", "Shared=shared", "--storage-class", "Local=local"); err != nil {
			return err
		}
	}
	if err := awaitReady(ctx, s, "clusters"); err != nil {
		return err
	}
	if err := awaitReady(ctx, s, "tenants"); err != nil {
		return err
	}
	if !s.RealHosts() {
		return nil
	}
	return awaitReady(ctx, s, "pools")
}

// describeWorld applies what the bank is made of.
func describeWorld(ctx context.Context, s *daemon.Sandbox, t *topology.Sandbox) error {
	if err := awaitPolicies(ctx, s); err != nil {
		return err
	}
	return apply(ctx, s, t.Spec.Fairway.World)
}

func apply(ctx context.Context, s *daemon.Sandbox, folders []string, more ...string) error {
	root, err := manifests.Root()
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if _, err := fairway(ctx, s, append([]string{"apply", "-R", "-f", filepath.Join(root, folder)}, more...)...); err != nil {
			return err
		}
	}
	return nil
}

// object is what the steps read of an object.
type object struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Status   struct {
		Conditions       []metav1.Condition `json:"conditions"`
		LatestRevision   string             `json:"latestRevision"`
		ReleasedRevision string             `json:"releasedRevision"`
		ActiveRelease    string             `json:"activeRelease"`
	} `json:"status"`
}

type objectList struct {
	Items []object `json:"items"`
}

func (l objectList) find(name string) (object, bool) {
	for _, o := range l.Items {
		if o.Metadata.Name == name {
			return o, true
		}
	}
	return object{}, false
}

// waiting returns the first object that is not ready, and why.
func (l objectList) waiting() string {
	for _, o := range l.Items {
		ready := meta.FindStatusCondition(o.Status.Conditions, "Ready")
		if ready == nil {
			return o.Metadata.Name + " has no status yet"
		}
		if ready.Status != metav1.ConditionTrue {
			return o.Metadata.Name + ": " + ready.Message
		}
	}
	if len(l.Items) == 0 {
		return "there is none yet"
	}
	return ""
}

// awaitReady waits until every object of a kind is ready, and tells what for.
func awaitReady(ctx context.Context, s *daemon.Sandbox, kind string) error {
	return await(ctx, "all "+kind+" to be ready", func() string {
		list, err := get[objectList](ctx, s, "get", kind, "-o", "json")
		if err != nil {
			return err.Error()
		}
		why := list.waiting()
		if why != "" {
			s.Say("%s: %s", kind, why)
		}
		return why
	})
}

// await looks until nothing is waited for any more.
func await(ctx context.Context, what string, look func() (why string)) error {
	for {
		why := look()
		if why == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("could not wait for %s: %s: %w", what, why, context.Cause(ctx))
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// fairway runs the command line as a person would, and returns what it prints.
func fairway(ctx context.Context, s *daemon.Sandbox, args ...string) ([]byte, error) {
	return fairwayWith(ctx, s, nil, args...)
}

// fairwayWith runs it with something on its standard input: a secret is no argument.
func fairwayWith(ctx context.Context, s *daemon.Sandbox, input []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.Options.Self, args...)
	cmd.Env = append(os.Environ(), config.Variable+"="+clientFile(s))
	cmd.Stdin = bytes.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("could not run \"fairway %s\": %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}

// get runs a command that prints JSON and reads it.
func get[T any](ctx context.Context, s *daemon.Sandbox, args ...string) (T, error) {
	var value T
	out, err := fairway(ctx, s, args...)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(out, &value); err != nil {
		return value, fmt.Errorf("could not read what \"fairway %s\" printed: %w", strings.Join(args, " "), err)
	}
	return value, nil
}
