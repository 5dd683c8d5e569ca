// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The bank's people, by their logins.
const (
	developer  = "zhang.wei"
	maker      = "wang.fang"
	operator   = "li.qiang"
	duty       = "liu.yang"
	business   = "chen.jing"
	technology = "yang.fan"
	verifier   = "zhou.tao"
	system     = "zheng.kai"
	security   = "sun.li"
	auditor    = "ma.chao"
	cards      = "lin.xue"
)

// stateFolder is where the sandbox keeps its files.
func stateFolder(parts ...string) string {
	return filepath.Join(append([]string{"/var/lib/fairway", name}, parts...)...)
}

// as runs the binary with one person's account.
func as(t *testing.T, person string, args ...string) string {
	t.Helper()
	return fairway(t, append(args, "--context", person)...)
}

// papers are what a change in production brings.
var papers = []string{"--ticket", "CHG-7", "--attach", "TestReport=DOC-1", "--attach", "BackOutPlan=DOC-2"}

// request has somebody ask for a Release, and returns its name.
func request(t *testing.T, person, application, namespace string, args ...string) string {
	t.Helper()
	out := as(t, person, append(append([]string{"release", "start", application, "-n", namespace, "-o", "name"}, papers...), args...)...)
	_, release, ok := strings.Cut(strings.TrimSpace(out), "/")
	if !ok {
		t.Fatalf("no release was named: %q", out)
	}
	return release
}

// item is a row of the inbox.
type item struct {
	Name, State, Message string
	Subject              struct{ Name string }
	May                  []string
	Decisions            []struct{ Author, Verdict, Counts, Why string }
}

// inbox lists the requests of a namespace that a person may see, newest first.
func inbox(t *testing.T, person, namespace string) []item {
	t.Helper()
	var list struct{ Items []item }
	if err := json.Unmarshal([]byte(as(t, person, "approval", "list", "--tab", "all", "-n", namespace, "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// pending waits for the newest request of a Release that waits for agreement.
func pending(t *testing.T, namespace, release string) string {
	t.Helper()
	name := ""
	until(t, time.Minute, "the approval request of "+release, func() (bool, string) {
		for _, i := range inbox(t, business, namespace) {
			if i.Subject.Name == release {
				name = i.Name
				return i.State == "Waiting", i.State + ": " + i.Message
			}
		}
		return false, "there is none yet"
	})
	return name
}

// agree has business and technology agree to a Release.
func agree(t *testing.T, namespace, release string) {
	t.Helper()
	name := pending(t, namespace, release)
	for _, p := range []string{business, technology} {
		as(t, p, "approve", name, "-n", namespace, "--comment", "seen")
	}
}

// change carries a Release through: asked for, agreed to, waited for.
func change(t *testing.T, person, application, namespace string, args ...string) string {
	t.Helper()
	release := request(t, person, application, namespace, args...)
	agree(t, namespace, release)
	as(t, person, "release", "status", release, "-n", namespace, "--wait", "--timeout", "4m")
	return release
}

// TestNobodyChangesProductionAlone is the bank's own story of a change: nobody who
// asked for or made it agrees to it through any surface, an edit voids it, two
// others agree, and afterwards the log tells who did what.
func TestNobodyChangesProductionAlone(t *testing.T) {
	in(t, &lanes.retail)
	const namespace = "retail-prod"
	before := running(t, namespace)
	file := application(t, "bank/account:v1", "bank/account:v2")
	if code, said := refused(t, "apply", "-f", file, "--context", developer); code != 3 {
		t.Errorf("a developer writes in production: %s", said)
	}
	as(t, maker, "apply", "-f", file, "--wait")
	if _, said := refused(t, "release", "start", "mobile-bank", "-n", namespace, "--context", operator); !strings.Contains(said, "says why") {
		t.Errorf("a change without a reason: %s", said)
	}
	release := request(t, operator, "mobile-bank", namespace, "--reason", "account v2")
	first := pending(t, namespace, release)

	for person, why := range map[string]string{
		operator: "asked for it", maker: "is a maker of it", developer: "belongs to no party", system: "belongs to no party", security: "belongs to no party",
	} {
		if code, said := refused(t, "approve", first, "-n", namespace, "--context", person); code != 3 || !strings.Contains(said, why) {
			t.Errorf("%s: exit %d: %s", person, code, said)
		}
	}
	forgeByKubectl(t, namespace, first)
	as(t, business, "approve", first, "-n", namespace, "--comment", "seen")

	// An edit meanwhile voids what was agreed to, and the next request says why.
	as(t, maker, "apply", "-f", application(t, "displayName: 手机银行", "displayName: 手机银行二"), "--wait")
	until(t, time.Minute, "the edit to void the request", func() (bool, string) {
		list := inbox(t, business, namespace)
		at := slices.IndexFunc(list, func(i item) bool { return i.Name == first })
		return at >= 0 && list[at].State == "Void", fmt.Sprintf("%+v", list[at].Message)
	})
	if _, said := refused(t, "approve", first, "-n", namespace, "--context", technology); !strings.Contains(said, "edited since") {
		t.Errorf("the void request does not say why: %s", said)
	}
	second := pending(t, namespace, release)
	if second == first {
		t.Fatal("no request followed the void one")
	}
	for seat, i := range running(t, namespace) {
		if i.IP != before[seat].IP {
			t.Errorf("%s was replaced without agreement", seat)
		}
	}
	// A freeze holds what was agreed to; its end lets it go.
	fairway(t, "freeze", "start", "e2e", "--kind", "Batch", "--environment", "prod", "--reason", "end-of-day batch runs", "-q")
	for _, p := range []string{business, technology} {
		as(t, p, "approve", second, "-n", namespace, "--comment", "seen again")
	}
	until(t, time.Minute, "the running batch to hold the release", func() (bool, string) {
		said := fairway(t, "release", "status", release, "-n", namespace)
		return strings.Contains(said, "e2e"), said
	})
	fairway(t, "freeze", "end", "e2e")
	as(t, operator, "release", "status", release, "-n", namespace, "--wait", "--timeout", "4m")
	until(t, time.Minute, "the verifier to be asked", func() (bool, string) {
		_, err := command(t.Context(), "approval", "verify", second, "-n", namespace, "--context", verifier, "--comment", "answers as v2")
		return err == nil, fmt.Sprint(err)
	})

	story := ""
	for _, wanted := range []string{"p10003 asked for", "p10005 approved", "p10006 approved", "p10008 verified", "covered by approval " + second} {
		until(t, time.Minute, fmt.Sprintf("the story to tell %q", wanted), func() (bool, string) {
			story = as(t, auditor, "audit", "history", "release/"+release, "-n", namespace)
			return strings.Contains(story, wanted), story
		})
	}
	t.Log(story)
	if strings.Contains(story, "[token]") {
		t.Error("what an act was on is masked away")
	}
	// Back to what the other tests begin with: the plan's own way back needs nobody.
	as(t, operator, "release", "start", "mobile-bank", "-n", namespace, "--kind", "Rollback", "--revision", before["account-0"].Revision, "--reason", "as it was", "--wait")
	as(t, maker, "apply", "-f", "examples/bank/applications/mobile-bank.yaml", "--wait")
}

// forgeByKubectl tries past Fairway, as a member of system:masters, what nobody may.
func forgeByKubectl(t *testing.T, namespace, requestName string) {
	t.Helper()
	digest, err := kubectl(t, "hub", "get", "approvalrequest", requestName, "-n", namespace, "-o", "jsonpath={.spec.digest}")
	if err != nil {
		t.Fatal(err)
	}
	forged := func(author string) string {
		return fmt.Sprintf(`{"apiVersion":"approval.fairway.cloud/v1alpha1","kind":"Decision","metadata":{"generateName":"forged-","namespace":%q},"spec":{"request":%q,"digest":%q,"verdict":"Approve","author":%q,"groups":["bank-technology-approvers"]}}`,
			namespace, requestName, digest, author)
	}
	for _, author := range []string{"p10006", "fairway", "itsm:itsm"} {
		file := write(t, "decision.json", forged(author))
		if out, err := kubectl(t, "hub", "create", "-f", file); err == nil {
			t.Errorf("a cluster administrator decided as %s: %s", author, out)
		}
	}
	for _, attempt := range [][]string{
		{"patch", "approvalrequest", requestName, "-n", namespace, "--subresource=status", "--type=merge", "-p", `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Approved","message":"x","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`},
		{"patch", "approvalrequest", requestName, "-n", namespace, "--type=merge", "-p", `{"spec":{"requester":"p10001","makers":["p10001"]}}`},
		{"delete", "approvalrequest", requestName, "-n", namespace},
	} {
		if out, err := kubectl(t, "hub", attempt...); err == nil {
			t.Errorf("kubectl %s was carried out: %s", strings.Join(attempt, " "), out)
		}
	}
	// As the person himself, with his groups and a login of his that lives, but past Fairway: without a proof the hub
	// refuses it; with a proof that stands readable in something that he did say the server refuses it, which the hub asks.
	himself := []string{"--as", "p10006", "--as-group", "bank-technology-approvers", "--as-group", "system:authenticated"}
	if out, err := kubectl(t, "hub", append([]string{"create", "-f", write(t, "decision.json", forged("p10006"))}, himself...)...); err == nil || !strings.Contains(out+err.Error(), "proof of Fairway's server") {
		t.Errorf("without a proof: %v %s", err, out)
	}
	as(t, technology, "approval", "withdraw", requestName, "-n", namespace, "--comment", "nothing yet")
	own, err := kubectl(t, "hub", "get", "decisions", "-n", namespace, "-o", fmt.Sprintf(`jsonpath={range .items[?(@.spec.request==%q)]}{.spec.author} {.spec.session} {.spec.proof}{"\n"}{end}`, requestName))
	if err != nil {
		t.Fatal(err)
	}
	session, proof := "", ""
	for line := range strings.Lines(own) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "p10006" {
			session, proof = f[1], f[2]
		}
	}
	if proof == "" {
		t.Fatalf("what was said through the server carries no proof: %q", own)
	}
	copied := strings.Replace(forged("p10006"), `"spec":{`, fmt.Sprintf(`"spec":{"session":%q,"proof":%q,`, session, proof), 1)
	if out, err := kubectl(t, "hub", append([]string{"create", "-f", write(t, "decision.json", copied), "--as-user-extra", "fairway.cloud/session=" + session}, himself...)...); err == nil || !strings.Contains(out+err.Error(), "its proof is for something else") {
		t.Errorf("with a copied proof: %v %s", err, out)
	}
	var shown item
	if err := json.Unmarshal([]byte(as(t, business, "approval", "show", requestName, "-n", namespace, "-o", "json")), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.State != "Waiting" {
		t.Errorf("forging brought it to %s: %s", shown.State, shown.Message)
	}
	for _, d := range shown.Decisions {
		if d.Verdict != "Withdraw" {
			t.Errorf("a forged decision is there: %+v", d)
		}
	}
}
