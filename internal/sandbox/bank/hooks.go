// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bank

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/server/hooked"
)

// installHooks has the hub ask the server before it stores something. It needs a
// server that answers: the hub refuses what nobody records.
func installHooks(ctx context.Context, s *daemon.Sandbox, address, dataDir string, ca []byte) error {
	token, err := tokenfile.Read(filepath.Join(dataDir, "hook.token"))
	if err != nil {
		return err
	}
	configuration, err := hooked.Configuration(admission.Server{URL: "https://" + address, Token: token, CA: ca})
	if err != nil {
		return err
	}
	raw, err := json.Marshal(configuration)
	if err != nil {
		return fmt.Errorf("could not write how the hub asks the server: %w", err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(raw); err != nil {
		return fmt.Errorf("could not write how the hub asks the server: %w", err)
	}
	client, err := s.Client(hub)
	if err != nil {
		return err
	}
	return manifests.Apply(ctx, client, []*unstructured.Unstructured{object})
}

// awaitPolicies waits until the server has seen that the hub's policies are those that it
// was built with: before, it refuses what relies on them.
func awaitPolicies(ctx context.Context, s *daemon.Sandbox) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		_, err := fairway(ctx, s, "identity", "policies")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not find the hub's policies whole: %w", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
