// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	"github.com/fairway-cloud/fairway/internal/approval/proof"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

// A Decision that somebody wrote in the system's name before it spoke is not taken for
// its word: the system learns that it has to say it under another id.
func TestAForgedVerdictDoesNotStandForTheSystems(t *testing.T) {
	b := newBank(t)
	b.request("forged", "itsm")
	keys := func(name string) *proof.Keys {
		db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), name+".db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		key, err := seal.Ensure(filepath.Join(t.TempDir(), name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		made, err := proof.New(t.Context(), db, key, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	verdict := itsm.Verdict{
		ID: "V-1", System: "itsm", Namespace: b.namespace, Request: "forged", Digest: "sha256:plan", Verdict: approvalv1.VerdictApprove, Actor: "p-1", Ticket: "CHG-1",
	}
	forger, own := itsm.Decisions{Hub: b.system, Proofs: keys("forger")}, itsm.Decisions{Hub: b.system, Proofs: keys("own")}
	if _, again, err := forger.Deliver(t.Context(), verdict); err != nil || again {
		t.Fatal(again, err)
	}
	if _, _, err := own.Deliver(t.Context(), verdict); !errors.Is(err, itsm.ErrOtherVerdict) {
		t.Errorf("the forged one is taken for the system's: %v", err)
	}
	verdict.ID = "V-2"
	for _, again := range []bool{false, true} {
		if _, before, err := own.Deliver(t.Context(), verdict); err != nil || before != again {
			t.Errorf("under another id: again=%v %v, want %v", before, err, again)
		}
	}
}
