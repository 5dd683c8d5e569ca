// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// TestAServerWhoseLogWasAltered starts a server on a log whose checkpoint somebody
// changed while it was down: what goes forward is refused, and what was recorded before
// is still found, also after the log is restored.
func TestAServerWhoseLogWasAltered(t *testing.T) {
	hub.Needed(t)
	data := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	start := func() *bench {
		return startServer(t, func(_ *bench, o *serverOptions) {
			if err := os.Symlink(data, o.dataDir); err != nil {
				t.Fatal(err)
			}
		})
	}
	manifest := filepath.Join(t.TempDir(), "site.yaml")
	write := func(name string) (string, int) {
		text := "apiVersion: fleet.fairway.cloud/v1alpha1\nkind: DataCenter\nmetadata: {name: " + name + "}\nspec: {displayName: Altered, city: Shanghai, racks: [{name: east-a, availabilityZone: east-1}]}\n"
		if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errOut, code := run(t, "apply", "-f", manifest)
		return out + errOut, code
	}
	auditor := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "altered-auditor"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"audit.fairway.cloud"}, Resources: []string{"records"}, Verbs: []string{"get", "list", "rebuild"},
	}}}
	bound := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: auditor.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: auditor.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "sandbox-admin"}},
	}
	for _, o := range []client.Object{auditor, bound} {
		if err := hub.Client().Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	found := func(name string) {
		t.Helper()
		indexed(t, "DataCenter/"+name, "audit", "search", "--name", name)
	}
	t.Cleanup(func() {
		objects := []client.Object{bound, auditor}
		for _, name := range []string{"altered-a", "altered-c"} {
			site := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "fleet.fairway.cloud/v1alpha1", "kind": "DataCenter", "metadata": map[string]any{"name": name}}}
			objects = append(objects, site)
		}
		for _, o := range objects {
			if err := hub.Client().Delete(context.Background(), o); err != nil {
				t.Error(err)
			}
		}
	})
	b := start()
	if out, code := write("altered-a"); code != 0 {
		t.Fatal(out)
	}
	found("altered-a")
	b.end(t)

	files, err := filepath.Glob(filepath.Join(data, "evidence", "*", "checkpoint"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v: %v", files, err)
	}
	was, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	spoiled := append([]byte{}, was...)
	spoiled[len(spoiled)/2] ^= 1
	if err := os.WriteFile(files[0], spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	b = start()
	found("altered-a")
	if out, code := write("altered-b"); code == 0 || !strings.Contains(out, "the evidence log was altered") || !strings.Contains(out, "fairway audit verify") {
		t.Errorf("what goes forward is refused, and it is said what to do: exit %d: %s", code, out)
	}
	if out, errOut, code := run(t, "audit", "rebuild"); code == 0 {
		t.Errorf("the index is not made anew from an altered log: %s%s", out, errOut)
	}
	found("altered-a")
	b.end(t)

	if err := os.WriteFile(files[0], was, 0o600); err != nil {
		t.Fatal(err)
	}
	start()
	if out, code := write("altered-c"); code != 0 {
		t.Errorf("the restored log takes records again: %s", out)
	}
	found("altered-c")
	found("altered-a")
}
