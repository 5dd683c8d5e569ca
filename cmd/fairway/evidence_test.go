// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"testing"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
)

// readEvidence counts the records in a folder that no server holds any more, and
// returns them as text.
func readEvidence(t *testing.T, dir string) (intents, outcomes int, text string) {
	t.Helper()
	r, err := ledger.OpenReader(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := r.Read(context.Background(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Record.Kind == audit.KindIntent {
			intents++
		} else {
			outcomes++
		}
		text += string(e.Record.Canonical()) + "\n"
	}
	return intents, outcomes, text
}
