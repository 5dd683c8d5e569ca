// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/witness"
)

// TestWhoActsInProductionHasAReceipt starts a release on a running server with a
// witness, fetches the receipt of the record that the answer named, and proves it with
// two public keys and no server.
func TestWhoActsInProductionHasAReceipt(t *testing.T) {
	dir := t.TempDir()
	evidence := filepath.Join(dir, "evidence")
	key, err := ledger.EnsureKey(evidence)
	if err != nil {
		t.Fatal(err)
	}
	second, err := witness.Open(witness.Options{Dir: filepath.Join(dir, "witness"), Logs: []string{key.Public}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	seen := httptest.NewServer(second)
	t.Cleanup(seen.Close)
	b := startServer(t, func(_ *bench, o *serverOptions) {
		o.evidence.dir, o.evidence.witness, o.evidence.witnessKey = evidence, seen.URL, second.PublicKey()
	})
	w := newWall(t, b, "slip", []tenancyv1.RoleBinding{
		{Role: tenancyv1.RoleReleaser, Groups: []string{"slip-dev", "slip-ops"}}, {Role: tenancyv1.RoleViewer, Groups: []string{"slip-biz"}},
		{Role: tenancyv1.RoleBusinessApprover, Groups: []string{"slip-biz"}}, {Role: tenancyv1.RoleTechnologyApprover, Groups: []string{"slip-tech"}},
	}, []approvalv1.ApprovalPolicySpec{{Order: 1, Stages: joint()}}, "dev", "ops", "biz", "tech", "other")
	said := w.must("ops", "release", "start", "mobile-bank", "-n", w.namespace(), "--revision", w.revision, "--reason", "forward", "--ticket", "CHG-2", "--attach", "TestReport=1", "--attach", "BackOutPlan=2")
	told := regexp.MustCompile(`evidence: record ([0-9]+), confirmed by the witness`).FindStringSubmatch(said)
	if told == nil {
		t.Fatalf("the answer names its record: %s", said)
	}
	file := filepath.Join(dir, "receipt.txt")
	w.must("biz", "audit", "receipt", told[1], "--file", file)
	if out, code := w.fairway("biz", "audit", "receipt", told[1], "--file", file); code != 2 || !strings.Contains(out, "there already") {
		t.Errorf("a receipt is not written over: exit %d: %s", code, out)
	}
	if out, code := w.fairway("other", "audit", "receipt", told[1]); code == 0 || !strings.Contains(out, "could not find record") {
		t.Errorf("whoever may not see the record has no receipt: exit %d: %s", code, out)
	}
	keys := []string{"--log-key", filepath.Join(evidence, "log.key.pub"), "--witness-key", filepath.Join(dir, "witness", "witness.key.pub")}
	check := func(wantCode int, wanted ...string) {
		t.Helper()
		out, errOut, code := run(t, append([]string{"audit", "check-receipt", file}, keys...)...)
		for _, words := range wanted {
			if code != wantCode || !strings.Contains(out+errOut, words) {
				t.Errorf("exit %d, want %q: %s%s", code, words, out, errOut)
			}
		}
	}
	check(0, "PROVED: record", "confirmed by the witness at", `did "release.createIn" on "Release/`+w.namespace()+"/mobile-bank-")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(raw), "index ", "index 1", 1)
	if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	check(1, "does not stand at index 1")
}
