// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// The server reads what the hub's API server noted. What came through it has its
// record; exactly what came past it is named, as a status, an event and evidence.
func TestTheServerReadsTheHubsAuditLog(t *testing.T) {
	b := startServer(t, func(_ *bench, o *serverOptions) {
		o.hook.auditLogs = filepath.Dir(filepath.Dir(hub.AuditLog()))
	})
	itself := hub.UserClient(t, "fairway", "fairway:system")
	cluster := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": fleetv1.GroupVersion.String(), "kind": "Cluster", "metadata": map[string]any{"name": "quiet-1"},
		"spec": map[string]any{"dataCenter": "dc-seen", "environment": "sit", "connection": map[string]any{}},
	}}
	site := &unstructured.Unstructured{Object: map[string]any{"apiVersion": fleetv1.GroupVersion.String(), "kind": "DataCenter", "metadata": map[string]any{"name": "dc-seen"}}}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "test-crosscheck"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"audit.fairway.cloud"}, Resources: []string{"records"}, Verbs: []string{"get", "list"},
	}}}
	auditor := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "sandbox-admin"}},
	}
	for _, o := range []client.Object{role, auditor} {
		if err := hub.Client().Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, o := range []client.Object{role, auditor, cluster, site} {
			if err := itself.Delete(context.Background(), o); err != nil && hub.Client().Delete(context.Background(), o) != nil {
				t.Error(err)
			}
		}
	})
	indexed(t, "Audited", "audit", "crosscheck")

	file := filepath.Join(b.dir, "site.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: fleet.fairway.cloud/v1alpha1\nkind: DataCenter\nmetadata: {name: dc-seen}\nspec: {city: 上海, role: Active}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tell(t, []step{{"through Fairway", "apply -f " + file, 0, []string{"dc-seen created"}, nil}})
	if err := itself.Create(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	indexed(t, "Unaudited", "get", "clusters")

	if err := hub.Client().Patch(t.Context(), site.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"city":"北京"}}`))); err != nil {
		t.Fatal(err)
	}
	out := indexed(t, "audit.unaccounted", "audit", "search", "--class", "crosscheck")
	if strings.Count(out, "audit.unaccounted") != 1 || !strings.Contains(out, "dc-seen") || !strings.Contains(out, "admin") {
		t.Errorf("exactly what came past the server is evidence:\n%s", out)
	}
	out, errOut, code := run(t, "audit", "crosscheck")
	if code != 1 || !strings.Contains(errOut, "1 writes have no record") || strings.Count(out, "\nhub: ") != 1 || !strings.Contains(out, "patch of datacenter//dc-seen by admin") {
		t.Errorf("%d %s\n%s", code, errOut, out)
	}
	if !strings.Contains(out, "quiet-1") || !strings.Contains(out, "Unaudited") {
		t.Errorf("a cluster without a log is named:\n%s", out)
	}
}
