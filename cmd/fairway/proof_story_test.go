// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// sends sends bytes to the server as somebody, as any client of its may.
func (w *wall) sends(who, method, path, media, body string) (int, string) {
	w.t.Helper()
	token, err := os.ReadFile(filepath.Join(w.dir, "tokens", w.tenant+"-"+who+".token"))
	if err != nil {
		w.t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(w.dir, "ca.crt"))
	if err != nil {
		w.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	request, err := http.NewRequestWithContext(w.t.Context(), method, "https://"+w.address+path, bytes.NewBufferString(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Content-Type", media)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	read, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(read)
}

// counts says whether a decision counts, as "fairway approval show" tells it.
func (w *wall) counts(request, author, comment string) (counts bool, why string) {
	w.t.Helper()
	// What is written past the server reaches what it shows a moment later.
	w.eventually("the inbox shows "+comment, func() error {
		var shown struct {
			Decisions []struct{ Author, Comment, Counts, Why string }
		}
		if err := json.Unmarshal([]byte(w.must("ops", "approval", "show", request, "-n", w.namespace(), "-o", "json")), &shown); err != nil {
			return err
		}
		for _, d := range shown.Decisions {
			if d.Author == author && d.Comment == comment {
				counts, why = d.Counts == "True", d.Why
				return nil
			}
		}
		return errors.New("it is not there")
	})
	return counts, why
}

// What somebody says counts by whatever client he says it, and nothing counts that a
// cluster administrator writes in his name.
func TestOnlyWhatTheServerProvedCounts(t *testing.T) {
	w := newWall(t, startServer(t), "proof", []tenancyv1.RoleBinding{
		{Role: tenancyv1.RoleReleaser, Groups: []string{"proof-dev", "proof-ops"}}, {Role: tenancyv1.RoleTechnologyApprover, Groups: []string{"proof-tech", "proof-tech2"}},
	}, []approvalv1.ApprovalPolicySpec{{Order: 1, Stages: []approvalv1.Stage{{Name: "technology", Parties: []approvalv1.Party{
		{Name: "technology", Roles: []tenancyv1.Role{tenancyv1.RoleTechnologyApprover}, Approvers: 2},
	}}}}}, "dev", "ops", "tech", "tech2")
	w.asks("every-way")
	q := w.request("every-way-1", "Waiting")
	const path = "/apis/approval.fairway.cloud/v1alpha1/namespaces/proof-live/decisions"
	spec := func(comment string) string {
		return fmt.Sprintf(`{"request":%q,"digest":%q,"verdict":"Withdraw","comment":%q}`, q.Name, q.Spec.Digest, comment)
	}
	json := func(meta, comment string) string {
		return fmt.Sprintf(`{"apiVersion":"approval.fairway.cloud/v1alpha1","kind":"Decision","metadata":{%s},"spec":%s}`, meta, spec(comment))
	}
	yaml := func(meta, comment string) string {
		return fmt.Sprintf("apiVersion: approval.fairway.cloud/v1alpha1\nkind: Decision\nmetadata: {%s}\nspec:\n  request: %s\n  digest: %s\n  verdict: Withdraw\n  comment: %s\n", meta, q.Name, q.Spec.Digest, comment)
	}
	for name, way := range map[string]struct {
		path, method, media string
		body                func(meta, comment string) string
		meta                string
	}{
		"json":             {"/hub" + path, http.MethodPost, "application/json", json, `"generateName":"by-"`},
		"named":            {"/hub" + path, http.MethodPost, "application/json", json, `"name":"by-name"`},
		"yaml":             {"/hub" + path, http.MethodPost, "application/yaml", yaml, `generateName: by-`},
		"rest":             {"/api/v1/approval/decisions/proof-live", http.MethodPost, "application/json", json, `"generateName":"by-"`},
		"rest, everywhere": {"/api/v1/approval/decisions", http.MethodPost, "application/json", json, `"namespace":"proof-live","generateName":"by-"`},
	} {
		code, said := w.sends("tech", way.method, way.path, way.media, way.body(way.meta, name))
		if code != http.StatusCreated {
			t.Errorf("%s: %d %s", name, code, said)
			continue
		}
		if counts, why := w.counts(q.Name, "proof-tech", name); !counts {
			t.Errorf("%s does not count: %s", name, why)
		}
	}
	// A trial leaves nothing that somebody could use, and nobody gives a proof himself.
	for name, way := range map[string]string{"hub": "/hub" + path + "?dryRun=All", "rest": "/api/v1/approval/decisions/proof-live?dryRun=All"} {
		if code, said := w.sends("tech", http.MethodPost, way, "application/json", json(`"name":"trial"`, "trial")); code != http.StatusCreated || strings.Contains(said, `"proof"`) {
			t.Errorf("a trial by %s: %d %s", name, code, said)
		}
	}
	given := strings.Replace(json(`"name":"given"`, "given"), `"verdict"`, `"proof":"v1.x","verdict"`, 1)
	for name, way := range map[string]struct{ method, path string }{
		"hub": {http.MethodPost, "/hub" + path}, "hub, applied": {http.MethodPatch, "/hub" + path + "/given?fieldManager=x"}, "rest": {http.MethodPost, "/api/v1/approval/decisions/proof-live"},
	} {
		media := "application/json"
		if way.method == http.MethodPatch {
			media = "application/apply-patch+yaml"
		}
		if code, said := w.sends("tech", way.method, way.path, media, given); code != http.StatusUnprocessableEntity || !strings.Contains(said, "is made by the server") {
			t.Errorf("a proof is taken by %s: %d %s", name, code, said)
		}
	}
	if code, said := w.sends("tech", http.MethodPost, "/hub"+path, "application/cbor", "\xd9\xd9\xf7\xa0"); code != http.StatusUnsupportedMediaType {
		t.Errorf("what the server cannot read: %d %s", code, said)
	}

	// Within one second the hub's stamps do not tell what was taken back and what was said anew.
	for second := time.Now().Unix(); time.Now().Unix() <= second+1; <-time.After(50 * time.Millisecond) {
	}
	w.must("tech", "approve", q.Name, "-n", w.namespace(), "--comment", "by cli")
	if counts, why := w.counts(q.Name, "proof-tech", "by cli"); !counts {
		t.Errorf("the CLI: %s", why)
	}
	w.delegates()
	w.forges(q)
	if w.began("every-way") {
		t.Fatal("it began with one person's agreement")
	}
	for second := time.Now().Unix(); time.Now().Unix() <= second+1; <-time.After(50 * time.Millisecond) {
	}
	w.must("tech2", "approve", q.Name, "-n", w.namespace())
	w.eventually("it begins", func() error {
		if !w.began("every-way") {
			return fmt.Errorf("%+v", w.release("every-way").Status.Conditions)
		}
		return nil
	})
}

// forges has a member of system:masters write in tech2's name, in a login of his that
// lives, which stands readable in what he said before.
func (w *wall) forges(q *approvalv1.ApprovalRequest) {
	w.t.Helper()
	w.must("tech2", "approval", "withdraw", q.Name, "-n", w.namespace(), "--comment", "nothing to take back")
	list := &approvalv1.DecisionList{}
	if err := w.masters.List(w.t.Context(), list, client.InNamespace(w.namespace())); err != nil {
		w.t.Fatal(err)
	}
	var said *approvalv1.Decision
	for i := range list.Items {
		if list.Items[i].Spec.Author == "proof-tech2" && list.Items[i].Spec.Request == q.Name {
			said = &list.Items[i]
		}
	}
	if said == nil || said.Spec.Session == "" || said.Spec.Proof == "" {
		w.t.Fatalf("nothing to copy: %+v", said)
	}
	config := rest.CopyConfig(hub.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: "proof-tech2", Groups: said.Spec.Groups, Extra: map[string][]string{
		"fairway.cloud/session": {said.Spec.Session}, "fairway.cloud/proof": {said.Spec.Proof},
	}}
	as, err := client.New(config, client.Options{Scheme: w.own.Scheme()})
	if err != nil {
		w.t.Fatal(err)
	}
	forged := func(name string, change func(*approvalv1.DecisionSpec)) *approvalv1.Decision {
		d := &approvalv1.Decision{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace(), Name: name}, Spec: *said.Spec.DeepCopy()}
		d.Spec.Comment = name
		change(&d.Spec)
		return d
	}
	if err := as.Create(w.t.Context(), forged("bare", func(s *approvalv1.DecisionSpec) { s.Verdict, s.Proof = approvalv1.VerdictApprove, "" })); err == nil ||
		!strings.Contains(err.Error(), "with the proof of Fairway's server only") {
		w.t.Errorf("without a proof: %v", err)
	}
	for name, change := range map[string]func(*approvalv1.DecisionSpec){
		"copied": func(s *approvalv1.DecisionSpec) { s.Verdict = approvalv1.VerdictApprove },
		"made-up": func(s *approvalv1.DecisionSpec) {
			s.Verdict, s.Proof = approvalv1.VerdictApprove, "v1.00000000.1795867260000.0011223344556677.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		},
	} {
		if err := as.Create(w.t.Context(), forged(name, change)); err != nil {
			w.t.Fatalf("%s does not reach what it is about: %v", name, err)
		}
		if counts, why := w.counts(q.Name, "proof-tech2", name); counts || !strings.Contains(why, "its proof") {
			w.t.Errorf("%s: counts=%v %q", name, counts, why)
		}
	}
	w.eventually("the report says what does not count", func() error {
		for _, u := range w.request(q.Name, "Waiting").Status.Uncounted {
			if u.Decision == "copied" && strings.Contains(u.Reason, "its proof is for something else") {
				return nil
			}
		}
		return errors.New("not yet")
	})
}

// delegates has tech delegate to tech2 and shorten it, with the same file as people do,
// and tech2 stand in for him.
func (w *wall) delegates() {
	w.t.Helper()
	w.asks("stand-in")
	q := w.request("stand-in-1", "Waiting")
	file := filepath.Join(w.dir, "leave.yaml")
	proofs, from := map[string]bool{}, time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	for _, hours := range []time.Duration{48, 24} {
		text := fmt.Sprintf("apiVersion: approval.fairway.cloud/v1alpha1\nkind: Delegation\nmetadata: {name: proof-leave}\nspec:\n  principal: proof-tech\n  delegate: proof-tech2\n  from: %q\n  until: %q\n  groups: [proof-tech]\n  reason: annual leave\n",
			from.Format(time.RFC3339), from.Add(hours*time.Hour).Format(time.RFC3339))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
		w.must("tech", "apply", "-f", file)
		d := &approvalv1.Delegation{}
		if err := w.own.Get(w.t.Context(), client.ObjectKey{Name: "proof-leave"}, d); err != nil {
			w.t.Fatal(err)
		}
		if want := from.Add(hours * time.Hour); !d.Spec.Until.Time.Equal(want) || !strings.HasPrefix(d.Spec.Proof, "v1.") {
			w.t.Fatalf("until %s with proof %q, want until %s", d.Spec.Until, d.Spec.Proof, want)
		}
		proofs[d.Spec.Proof] = true
	}
	if len(proofs) != 1 {
		w.t.Errorf("shortening asks for another proof: %v", proofs)
	}
	w.must("tech2", "approve", q.Name, "-n", w.namespace(), "--on-behalf-of", "proof-tech", "--comment", "for tech")
	if counts, why := w.counts(q.Name, "proof-tech2", "for tech"); !counts {
		w.t.Errorf("who stands in does not count: %s", why)
	}
}
