// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// second is the bank's other security administrator.
const second = "qian.jiang"

// amendment finds the name of the one that a command printed.
func amendment(t *testing.T, out string) string {
	t.Helper()
	for _, word := range strings.Fields(out) {
		if strings.HasPrefix(word, "am-") {
			return word
		}
	}
	t.Fatalf("no amendment is named: %s", out)
	return ""
}

// throughHub writes past the client: kubectl with one's own token through /hub.
func throughHub(t *testing.T, person string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	as(t, person, "kubeconfig", "--file", file)
	return kubectl(t, "hub", append(args, "--kubeconfig", file)...)
}

// TestNobodyChangesWhoIsWhoAlone is the story of an accomplice: one security
// administrator hands himself no approver's name through any surface; two people make a
// Person and his account, and neither of the two gets into it.
func TestNobodyChangesWhoIsWhoAlone(t *testing.T) {
	in(t, &lanes.identity)
	id := fmt.Sprintf("e2e-%d", time.Now().Unix())
	text := fmt.Sprintf("apiVersion: identity.fairway.cloud/v1alpha1\nkind: Person\nmetadata: {name: %s}\nspec: {displayName: 同伙, groups: [bank-business-approvers], logins: [{provider: local, login: %s}]}\n", id, id)
	file := write(t, "person.yaml", text)

	code, said := refused(t, "apply", "-f", file, "--reason", "helps me", "--context", security)
	if code != 4 {
		t.Errorf("apply by one: exit %d: %s", code, said)
	}
	name := amendment(t, said)
	for how, args := range map[string][]string{
		"create": {"create", "-f", file}, "server-side apply": {"apply", "--server-side", "-f", file},
	} {
		if out, err := kubectl(t, "hub", args...); err == nil || !strings.Contains(out+fmt.Sprint(err), "nobody changes alone") {
			t.Errorf("the hub's administrator, %s: %v %s", how, err, out)
		}
		if out, err := throughHub(t, security, args...); err == nil {
			t.Errorf("kubectl through /hub, %s: %s", how, out)
		}
	}
	status := []string{"patch", "amendment", name, "--subresource=status", "--type=merge", "-p", `{"status":{"agreedBy":"p10015","startedAt":"2026-01-01T00:00:00Z"}}`}
	if out, err := kubectl(t, "hub", status...); err == nil {
		t.Errorf("a status says that it was agreed to: %s", out)
	}
	var parts []string
	until(t, time.Minute, "the amendment to have its digest", func() (bool, string) {
		said, err := kubectl(t, "hub", "get", "amendment", name, "-o", "jsonpath={.status.digest} {.metadata.uid}")
		parts = strings.Fields(said)
		return err == nil && len(parts) == 2, fmt.Sprint(said, err)
	})
	forged := write(t, "confirmation.json", fmt.Sprintf(`{"apiVersion":"identity.fairway.cloud/v1alpha1","kind":"Confirmation","metadata":{"generateName":"forged-"},"spec":{"amendment":%q,"uid":%q,"digest":%q,"verdict":"Agree","author":"p10015","groups":["fairway:security-administrators"],"proof":"v1.a.b.c.d"}}`,
		name, parts[1], parts[0]))
	if out, err := kubectl(t, "hub", "create", "-f", forged); err == nil {
		t.Errorf("a cluster administrator agrees as another: %s", out)
	}
	if out, err := kubectl(t, "hub", "create", "-f", forged, "--as", "p10015", "--as-group", "fairway:security-administrators", "--as-group", "system:authenticated"); err != nil {
		t.Logf("impersonated: %v %s", err, out)
	}
	for person, why := range map[string]string{security: "proposed it himself", system: "", business: ""} {
		if code, said := refused(t, "identity", "agree", name, "--context", person); code == 0 || !strings.Contains(said, why) {
			t.Errorf("%s agrees: exit %d: %s", person, code, said)
		}
	}
	if out, err := kubectl(t, "hub", "get", "person", id); err == nil {
		t.Fatalf("one person made a Person: %s", out)
	}

	as(t, second, "identity", "agree", name, "--comment", "is hired")
	until(t, time.Minute, "the amendment to be carried out", func() (bool, string) {
		out, err := kubectl(t, "hub", "get", "person", id)
		return err == nil, out
	})
	account := amendment(t, as(t, security, "identity", "account", "add", id, "--person", id, "--reason", "is hired"))
	as(t, auditor, "identity", "agree", account)
	var codes []string
	for _, one := range []string{security, auditor} {
		until(t, time.Minute, "the code of "+one, func() (bool, string) {
			out, err := command(t.Context(), "identity", "account", "code", id, "-q", "--context", one)
			if err == nil {
				codes = append(codes, strings.TrimSpace(out))
			}
			return err == nil, out
		})
	}
	password := write(t, "password", "correct horse battery 7\n")
	for _, invitation := range []string{codes[0], codes[1]} {
		if code, said := refused(t, "password", "--invitation-file", write(t, "code", invitation+"\n"), "--new-password-file", password); code != 3 {
			t.Errorf("one of the two codes: exit %d: %s", code, said)
		}
	}
	if out, err := command(t.Context(), "password", "--invitation-file", write(t, "codes", codes[1]+"\n"+codes[0]+"\n"), "--new-password-file", password); err != nil {
		t.Errorf("both codes: %v %s", err, out)
	}
	until(t, time.Minute, "the story to name both", func() (bool, string) {
		story := as(t, auditor, "audit", "history", "person/"+id)
		return strings.Contains(story, "proposed by p10011, agreed to by p10015"), story
	})
	// The way to safety needs one.
	if out, err := throughHub(t, second, "patch", "person", id, "--type=merge", "-p", `{"spec":{"state":"Disabled"}}`); err != nil {
		t.Errorf("one keeps somebody out: %v %s", err, out)
	}
}
