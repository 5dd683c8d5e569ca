// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/platform/admission"
)

const auditWorld = `apiVersion: fleet.fairway.cloud/v1alpha1
kind: DataCenter
metadata: {name: dc-evidence}
spec: {city: 上海, displayName: 上海临港二号, role: Active}
---
apiVersion: release.fairway.cloud/v1alpha1
kind: Release
metadata: {name: ev-1, namespace: retail-sit}
spec: {application: evidenced, kind: Retire, reason: "客户卡 4111111111111111 报障", ticket: CHG-EV-1}
`

// indexed repeats a question until the index, which follows the log, answers it.
func indexed(t *testing.T, what string, words ...string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out, errOut, code := run(t, words...)
		if code == 0 && strings.Contains(out, what) {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("fairway %s: never says %q:\n%s%s", strings.Join(words, " "), what, out, errOut)
		}
	}
}

// auditStory is what an auditor does, and what he sees of somebody who comes
// past the server.
func auditStory(t *testing.T, b *bench) {
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "test-auditor"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"audit.fairway.cloud"}, Resources: []string{"records"}, Verbs: []string{"get", "list", "export", "rebuild"},
	}}}
	auditor := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "test-auditor"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "sandbox-admin"}},
	}
	if out, errOut, code := run(t, "audit", "search", "-o", "json"); code != 0 || !strings.Contains(out, `"items": []`) {
		t.Errorf("the founder reads no evidence: %d %s %s", code, out, errOut)
	}
	for _, o := range []client.Object{role, auditor} {
		if err := hub.Client().Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(b.dir, "evidence.yaml")
	if err := os.WriteFile(file, []byte(auditWorld), 0o600); err != nil {
		t.Fatal(err)
	}
	tell(t, []step{{"something happens", "apply -f " + file, 0, []string{"dc-evidence created", "release.release.fairway.cloud/ev-1 created"}, nil}})

	out := indexed(t, "DataCenter/dc-evidence", "audit", "search", "--name", "dc-evidence")
	if !strings.Contains(out, "fleet.apply") || !strings.Contains(out, "Done") {
		t.Errorf("who did what, and how it ended:\n%s", out)
	}
	out = indexed(t, "release ev-1", "audit", "history", "application/evidenced", "-n", "retail-sit")
	if !strings.Contains(out, "CHG-EV-1") || strings.Contains(out, "4111111111111111") {
		t.Errorf("an application's story has its releases, without a customer's card:\n%s", out)
	}
	csv, page := filepath.Join(b.dir, "e.csv"), filepath.Join(b.dir, "e.html")
	key := filepath.Join(b.dir, "data", "export.key.pub")
	tell(t, []step{
		{"by words", "audit search --text 报障 --from 1h", 0, []string{"ev-1"}, nil},
		{"as JSON", "audit search --ticket CHG-EV-1 -o json", 0, []string{`"ticket": "CHG-EV-1"`, `"says":`}, nil},
		{"as CSV", "audit search --ticket CHG-EV-1 -o csv", 0, []string{"index,outcomeIndex", "CHG-EV-1"}, nil},
		{"a release's own story", "audit history release/ev-1 -n retail-sit", 0, []string{"WHAT HAPPENED", "release ev-1 in retail-sit"}, nil},
		{"of what is not there nothing is told", "audit history release/ev-404 -n retail-sit", 0, []string{"nothing that you may read is recorded"}, nil},
		{"a namespaced kind wants a namespace", "audit history release/ev-1", 2, nil, []string{"name its namespace with -n"}},
		{"a time that is none", "audit search --from yesterday", 2, nil, []string{"24h, 7d"}},
		{"an export", "audit export -A --out " + csv, 0, []string{"e.csv.statement written"}, nil},
		{"is not written over", "audit export -A --out " + csv, 2, nil, []string{"is there already"}},
		{"and is what was exported", "audit check-export " + csv + " --key " + key, 0, []string{"is what was exported", "records of the log"}, nil},
		{"a page to print", "audit export -n retail-sit --format report --out " + page, 0, []string{"e.html.statement written"}, nil},
		{"the index is made anew", "audit rebuild", 0, []string{"is being made anew"}, nil},
	})
	raw, err := os.ReadFile(csv)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "4111111111111111") || !strings.Contains(string(raw), "CHG-EV-1") {
		t.Errorf("an export is whole and masked:\n%s", raw)
	}
	if err := os.WriteFile(csv, []byte(strings.Replace(string(raw), "CHG-EV-1", "CHG-EV-2", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	tell(t, []step{{"one that was changed is found", "audit check-export " + csv + " --key " + key, 1, nil, []string{"not what was exported"}}})
	indexed(t, "audit.export", "audit", "search", "--verb", "audit.export")
	canaries(t, b)
	comePast(t, b)
}

// canaries are put into what people write, and then nothing that the server wrote
// has them.
func canaries(t *testing.T, b *bench) {
	marks := []string{"Canary-Pw-77123", "canaryTokenValue77123", "4539578763621486", "Canary-Url-77123", "CanaryKubeconfig77123"}
	file := filepath.Join(b.dir, "canary.yaml")
	content := `apiVersion: release.fairway.cloud/v1alpha1
kind: Release
metadata: {name: canary-1, namespace: retail-sit, annotations: {note: "password=Canary-Pw-77123"}}
spec: {application: canary, kind: Retire, ticket: "4539578763621486", reason: "password=Canary-Pw-77123 Bearer canaryTokenValue77123 https://u:Canary-Url-77123@h/"}
`
	kubeconfig := filepath.Join(b.dir, "canary.kubeconfig")
	for path, text := range map[string]string{file: content, kubeconfig: "apiVersion: v1\nkind: Config\nusers: [{name: u, user: {token: CanaryKubeconfig77123}}]\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tell(t, []step{
		{"secrets in what people write", "apply -f " + file, 0, []string{"canary-1 created"}, nil},
		{"a kubeconfig that does not do", "cluster join canary --kubeconfig " + kubeconfig + " --data-center dc-evidence --environment sit", 8, nil, nil},
	})
	indexed(t, "canary-1", "audit", "history", "release/canary-1", "-n", "retail-sit")
	export := filepath.Join(b.dir, "data", "canary.csv")
	tell(t, []step{{"an export has them neither", "audit export -A --out " + export, 0, nil, nil}})
	looked := 0
	err := filepath.WalkDir(filepath.Join(b.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, mark := range marks {
			if strings.Contains(string(raw), mark) {
				t.Errorf("%q is in %s", mark, path)
			}
		}
		looked++
		return err
	})
	if err != nil || looked < 10 {
		t.Errorf("looked into %d files: %v", looked, err)
	}
}

// comePast has a cluster administrator write with kubectl's own credential.
func comePast(t *testing.T, b *bench) {
	out, errOut, code := run(t, "hub", "install-hooks", "--url", "https://"+b.address, "--token-file", filepath.Join(b.dir, "data", "hook.token"), "--ca-file", filepath.Join(b.dir, "ca.crt"))
	if code != 0 {
		t.Fatal(errOut)
	}
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := yaml.UnmarshalStrict([]byte(out), configuration); err != nil || configuration.Name != admission.Name {
		t.Fatal(err, out)
	}
	if err := hub.Client().Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := hub.Client().Delete(context.Background(), configuration); err != nil {
			t.Error(err)
		}
	}()
	past := func(name string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "fleet.fairway.cloud/v1alpha1", "kind": "DataCenter", "metadata": map[string]any{"name": name},
			"spec": map[string]any{"city": "上海", "displayName": "上海", "role": "Active"},
		}}
	}
	// The hub takes a moment until it asks.
	for i := 0; ; i++ {
		name := fmt.Sprintf("dc-probe-%d", i)
		if err := hub.Client().Create(t.Context(), past(name)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if out, _, _ := run(t, "audit", "search", "--name", name); strings.Contains(out, "fleet.create") {
			break
		}
		if i == 20 {
			t.Fatal("nobody sees the administrator")
		}
	}
	if err := hub.Client().Create(t.Context(), past("dc-past")); err != nil {
		t.Fatal(err)
	}
	indexed(t, "made datacenter dc-past: done", "audit", "history", "datacenter/dc-past")
	// What comes through the server is recorded once, though the hub asks.
	tell(t, []step{{"through the server", "delete datacenter dc-past", 0, nil, nil}})
	indexed(t, "fleet.delete", "audit", "search", "--name", "dc-past", "--person", "sandbox-admin")
	if out := indexed(t, "fleet.delete", "audit", "search", "--name", "dc-past", "--verb", "fleet.delete", "--person", "sandbox-admin"); strings.Count(out, "fleet.delete") != 1 {
		t.Errorf("recorded twice:\n%s", out)
	}
}
