// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"testing"

	desk "github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// sight says what everybody may see.
type sight struct {
	sees bool
	err  error
}

func (s sight) MayRead(context.Context, identity.Person, string) (bool, error) { return s.sees, s.err }

// Whoever may not see requests learns nothing of them by deciding: the hub refuses
// him, the same for one that is there and one that is not.
func TestEarlyRefusalHidesWhatIsForeign(t *testing.T) {
	decision := map[string]any{"metadata": map[string]any{"namespace": "retail-prod"}, "spec": map[string]any{"request": "x-1", "verdict": "Approve"}}
	// A desk without a hub: it would not live through a look.
	before := refuseEarly(&desk.Desk{Authority: sight{}})
	if err := before(t.Context(), "Decision", decision); err != nil {
		t.Errorf("the hub says no, got %v", err)
	}
	before = refuseEarly(&desk.Desk{Authority: sight{err: errors.New("away")}})
	var p *httpapi.Problem
	if err := before(t.Context(), "Decision", decision); !errors.As(err, &p) || p.Code != httpapi.CodeUnavailable {
		t.Errorf("while nobody knows who may look, nobody is told, got %v", err)
	}
	if err := before(t.Context(), "Release", decision); err != nil {
		t.Errorf("other kinds are not asked about, got %v", err)
	}
}
