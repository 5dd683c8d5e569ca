// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	"github.com/fairway-cloud/fairway/internal/approval/itsm/itsmtest"
	"github.com/fairway-cloud/fairway/internal/approval/notify"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
	"github.com/fairway-cloud/fairway/test/docs"
)

const page = "../../../docs/howto/connect-itsm.md"

// example is the block of the page in that language that holds the words.
func example(t *testing.T, path, language, words string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := docs.Blocks(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if b.Language == language && strings.Contains(b.Text, words) {
			return b.Text
		}
	}
	t.Fatalf("%s has no %s block with %q", path, language, words)
	return ""
}

// python runs a script of the page and returns what it prints, both ways.
func python(t *testing.T, script, stdin string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("Python is not installed: apt-get install python3")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, path, append([]string{"-c", script}, args...)...)
	command.Stdin = strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	return string(out), err
}

// The scripts of the page speak the protocol: one checks what Fairway signed, one
// sends a verdict that Fairway takes.
func TestThePagesScriptsRun(t *testing.T) {
	b := newBank(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	requestKey, verdictKey := write("request.key", itsmtest.RequestSecret+"\n"), write("verdict.key", itsmtest.VerdictSecret+"\n")
	key, err := webhook.NewKey("request-1", itsmtest.RequestSecret)
	if err != nil {
		t.Fatal(err)
	}

	check, body := example(t, page, "python", "check.py"), `{"event":"Asked","summary":"部署"}`
	header := http.Header{}
	key.Sign(header, itsm.PurposeRequest, "0123456789abcdef", []byte(body), time.Now())
	signed := []string{requestKey, header.Get("Fairway-Timestamp"), header.Get("Fairway-Nonce"), header.Get("Fairway-Signature")}
	if out, err := python(t, check, body, signed...); err != nil || out != "ok\n" {
		t.Errorf("check.py refuses what Fairway signed: %v\n%s", err, out)
	}
	if out, err := python(t, check, body+" ", signed...); err == nil || !strings.Contains(out, "does not fit") {
		t.Errorf("check.py takes what was changed: %s", out)
	}
	key.Sign(header, itsm.PurposeRequest, "0123456789abcdef", []byte(body), time.Now().Add(-time.Hour))
	if out, err := python(t, check, body, requestKey, header.Get("Fairway-Timestamp"), header.Get("Fairway-Nonce"), header.Get("Fairway-Signature")); err == nil || !strings.Contains(out, "too old") {
		t.Errorf("check.py takes what is old: %s", out)
	}

	r := b.request("pay-1", "itsm")
	verdict := itsm.Verdict{}
	if err := json.Unmarshal([]byte(example(t, page, "json", `"verdict"`)), &verdict); err != nil {
		t.Fatal(err)
	}
	verdict.Namespace, verdict.Request, verdict.Digest = r.Namespace, r.Name, r.Spec.Digest
	b.clock.SetTime(time.Now()) // the script has no other clock
	server, token := strings.TrimSuffix(b.url, "/api/v1/approval/verdicts"), write("token", account+"\n")
	send := example(t, page, "python", "send.py")
	if out, err := python(t, send, string(must(json.Marshal(verdict))), server, token, "verdict-1", verdictKey); err != nil || !strings.HasPrefix(out, "201 ") {
		t.Errorf("send.py: %v\n%s", err, out)
	}
	if out, err := python(t, send, string(must(json.Marshal(verdict))), server, token, "verdict-1", verdictKey); err != nil || !strings.HasPrefix(out, "200 ") {
		t.Errorf("send.py once more: %v\n%s", err, out)
	}
	if out, err := python(t, send, string(must(json.Marshal(verdict))), server, token, "verdict-1", requestKey); err == nil || !strings.HasPrefix(out, "403 ") {
		t.Errorf("send.py with another key: %v\n%s", err, out)
	}
	if got := b.decisions(); len(got) != 1 || !strings.Contains(got[0], "for p-0203, CHG-0815") {
		t.Errorf("decisions: %v", got)
	}
}

// What the page shows is what Fairway reads and writes.
func TestThePagesExamplesAreRead(t *testing.T) {
	notice := itsm.Notice{}
	decoder := json.NewDecoder(strings.NewReader(example(t, page, "json", `"event"`)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&notice); err != nil {
		t.Error(err)
	}
	var again bytes.Buffer
	if err := json.Indent(&again, must(json.Marshal(notice)), "", "  "); err != nil {
		t.Fatal(err)
	}
	compact := func(text string) string { return strings.Join(strings.Fields(text), "") }
	if compact(again.String()) != compact(example(t, page, "json", `"event"`)) {
		t.Errorf("the message is written otherwise:\n%s", again.String())
	}
	policy := approvalv1.ApprovalPolicy{}
	if err := yaml.UnmarshalStrict([]byte(example(t, page, "yaml", "kind: ApprovalPolicy")), &policy); err != nil || policy.Spec.External.System != "itsm" {
		t.Errorf("%v %+v", err, policy)
	}
	b := newBank(t)
	dir := filepath.Dir(b.itsm.Config(t, account))
	ca := must(os.ReadFile(filepath.Join(dir, "ca.pem")))
	for name, text := range map[string]string{
		"itsm.yaml": example(t, page, "yaml", "systems:"), "notify.yaml": example(t, page, "yaml", "webhooks:"),
		"bank-ca.pem": string(ca), "notice.key": itsmtest.RequestSecret, "mail.password": "x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if systems, err := itsm.ReadConfig(filepath.Join(dir, "itsm.yaml"), b.clock); err != nil || len(systems) != 1 || systems[0].Account != "itsm-robot" {
		t.Errorf("%v %+v", err, systems)
	}
	if settings, err := notify.ReadConfig(filepath.Join(dir, "notify.yaml"), b.clock); err != nil || settings.Mail == nil || len(settings.Hooks) != 1 {
		t.Errorf("%v %+v", err, settings)
	}
	// Both languages show the same code.
	for _, c := range [][2]string{{"python", "check.py"}, {"python", "send.py"}, {"json", `"verdict"`}, {"json", `"event"`}, {"yaml", "systems:"}, {"yaml", "webhooks:"}} {
		if example(t, page, c[0], c[1]) != example(t, strings.Replace(page, "/docs/", "/docs/zh-CN/", 1), c[0], c[1]) {
			t.Errorf("the two pages differ in the %s block with %s", c[0], c[1])
		}
	}
}
