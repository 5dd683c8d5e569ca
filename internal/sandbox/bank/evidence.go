// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package bank

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	fairwayconfig "github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/audit/hooks"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
)

// installEvidence has the hub ask the server before writes that come past it. It
// needs a server that answers: the hub refuses what nobody records.
func installEvidence(ctx context.Context, s *daemon.Sandbox, address, dataDir string, ca []byte) error {
	token, err := tokenfile.Read(filepath.Join(dataDir, "hook.token"))
	if err != nil {
		return err
	}
	kinds, err := httpapi.Kinds(fairwayconfig.CRDs)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(hooks.Configuration("https://"+address+hooks.Path+token, ca, kinds))
	if err != nil {
		return fmt.Errorf("could not write the evidence configuration: %w", err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(raw); err != nil {
		return fmt.Errorf("could not write the evidence configuration: %w", err)
	}
	client, err := s.Client(hub)
	if err != nil {
		return err
	}
	return manifests.Apply(ctx, client, []*unstructured.Unstructured{object})
}
