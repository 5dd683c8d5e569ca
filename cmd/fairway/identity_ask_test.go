// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// peopleStory asks who may do what in the example bank, and imports people.
func peopleStory(t *testing.T, b *bench) {
	file := func(name, content string) string {
		path := filepath.Join(b.dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const header = "id,displayName,unit,groups\n"
	tell(t, []step{
		{"the people of the bank", "get people", 0, []string{"p10001", "张伟", "p10010", "System"}, nil},
		{"who decides in production", "identity who-can create decisions -n retail-prod", 0, []string{"group retail-business-approvers", "p10005 陈静", "fairway-business-approver", "group bank-technology-approvers", "p10006 杨帆"}, nil},
		{"the business approver decides", "identity can-i create decisions -n retail-prod --as p10005", 0, []string{"yes: ", "fairway-business-approver"}, nil},
		{"and changes nothing", "identity can-i create releases -n retail-prod --as p10005", 1, []string{"no: "}, nil},
		{"a developer has no rights in production", "identity can-i create releases -n retail-prod --as p10001", 1, []string{"no: "}, nil},
		{"nor has one of another tenant", "identity can-i get applications -n retail-prod --as p10014", 1, []string{"no: "}, nil},
		{"a system administrator makes no people", "identity can-i create people --as p10010", 1, []string{"no: "}, nil},
		{"a security administrator does", "identity can-i create people --as p10011", 0, []string{"yes: "}, nil},
		{"an audit administrator exports evidence", "identity can-i export records --as p10012", 0, []string{"yes: "}, nil},
		{"the founder decides nothing", "identity can-i create decisions -n retail-prod", 1, []string{"no: "}, nil},
		{"nobody of that id", "identity can-i create decisions -n retail-prod --as p99999", 6, nil, []string{`could not find person "p99999"`}},
		{"a kind that there is not", "identity can-i get pods", 8, nil, []string{`there is no kind "pods"`}},
		{"the policies hold", "identity policies", 0, []string{"whole: nothing differs"}, nil},
		{"people come in, checked first", "identity import --dry-run -f " + file("new.csv", header+"p20001,新人甲,零售银行部,retail-viewers\n"), 0, []string{"p20001 created (server dry run)", "1 created, 0 updated"}, nil},
		{"people come in", "identity import -f " + file("new.csv", header+"p20001,新人甲,零售银行部,retail-viewers\n"), 0, []string{"p20001 created", "1 created, 0 updated, 0 disabled, 0 unchanged"}, nil},
		{"a file with two wrong rows", "identity import -f " + file("bad.csv", header+"p20002,新人乙,零售银行部,\nP3,x,y,z\np20001,a,b,c\np20001,a,b,c\n"), 8, nil,
			[]string{"2 rows are wrong; nothing was written", `line 3, P3: "P3" is no person's id`, `line 5, p20001: person "p20001" is on line 4 already`}},
		{"nothing of it was written", "get person p20002", 6, nil, []string{"p20002"}},
		{"a file of another encoding", "identity import -f " + file("gbk.csv", "id,displayName\np20003,\xd0\xc2\n"), 8, nil, []string{"line 2: the file is not UTF-8 (it may be GBK)"}},
		{"a person stays", "delete person p20001", 3, nil, []string{"a Person stays, because evidence names people for good"}},
	})
	policiesStory(t)
}

// policiesStory takes a policy away by hand, as whoever keeps the hub could.
func policiesStory(t *testing.T) {
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: "fairway-release"}, policy); err != nil {
		t.Fatal(err)
	}
	if err := hub.Client().Delete(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	until := func(code int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) {
			out, errOut, got := run(t, "identity", "policies")
			if got == code {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("wanted exit %d, got %d\n%s%s", code, got, out, errOut)
			}
		}
	}
	until(1)
	const why = `ValidatingAdmissionPolicy "fairway-release" is missing`
	tell(t, []step{
		{"it is told", "identity policies", 1, []string{why}, []string{"production acts are refused"}},
		{"nothing is started in production", "release start mobile-bank -n retail-prod --reason x --ticket C-1", 3, nil, []string{why, "applies config/crd, config/rbac and config/admission"}},
		{"nobody becomes somebody else", "identity import -f " + os.DevNull, 3, nil, []string{why}},
		{"reading goes on", "get applications -n retail-prod", 0, []string{"mobile-bank"}, nil},
		{"and the way back", "release stop mobile-bank -n retail-prod", 0, []string{"stopped"}, nil},
	})
	policy.ResourceVersion, policy.UID = "", ""
	if err := hub.Client().Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	until(0)
	tell(t, []step{{"back to what was", "identity import --dry-run -f " + os.DevNull, 8, nil, []string{"the file is empty"}}})
}
