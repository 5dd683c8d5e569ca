// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli/config"
)

const goodPassword = "correct horse battery 7"

// typed runs a command with something on its standard input.
func typed(t *testing.T, input string, words ...string) (stdout, stderr string, code int) {
	t.Helper()
	root := newRoot()
	out, errOut := &bytes.Buffer{}, &bytes.Buffer{}
	root.SetIn(strings.NewReader(input))
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetArgs(words)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return out.String(), errOut.String(), 0
	}
	return out.String(), errOut.String() + err.Error(), exitCode(err)
}

// addPerson makes a Person on the hub, as Fairway does when two have agreed.
func addPerson(t *testing.T, id string, duty identityv1.Duty, logins ...identityv1.Login) {
	t.Helper()
	person := &identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: id}, Spec: identityv1.PersonSpec{DisplayName: "王 " + id, Duty: duty, Logins: logins}}
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	k, err := client.New(hub.UserConfig(t, "fairway", "fairway:system"), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Create(t.Context(), person); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
}

// From an empty database to kubectl and back out, through the commands alone.
func TestLoginStory(t *testing.T) {
	b := startServer(t)
	addPerson(t, "p90001", identityv1.DutyNone)
	addPerson(t, "p90009", identityv1.DutySecurity)
	own := filepath.Join(b.dir, "own", "config.yaml")
	t.Setenv(config.Variable, filepath.Join(b.dir, "cli.yaml"))
	admin := []string{"--config", filepath.Join(b.dir, "cli.yaml")}
	where := []string{"--config", own, "--server", "https://" + b.address, "--ca-file", filepath.Join(b.dir, "ca.crt")}
	must := func(input string, words ...string) string {
		t.Helper()
		out, errOut, code := typed(t, input, words...)
		if code != 0 {
			t.Fatalf("fairway %s: exit %d\n%s%s", strings.Join(words, " "), code, out, errOut)
		}
		return out
	}
	invitation := strings.TrimSpace(must("", append([]string{"identity", "account", "add", "wang.wu", "--person", "p90001"}, admin...)...))
	must(invitation+"\n"+goodPassword+"\n", append([]string{"password", "--invitation-file", "-", "--new-password-file", "-"}, where...)...)
	if _, errOut, code := typed(t, invitation+"\n"+goodPassword+"x\n", append([]string{"password", "--invitation-file", "-", "--new-password-file", "-"}, where...)...); code != 3 || !strings.Contains(errOut, "no longer good") {
		t.Errorf("an invitation is good once: %d %s", code, errOut)
	}
	if _, errOut, code := typed(t, "wrong password here\n", append([]string{"login", "--user", "wang.wu", "--password-file", "-"}, where...)...); code != 3 || !strings.Contains(errOut, "the name, the password or the code is wrong") {
		t.Errorf("a wrong password: %d %s", code, errOut)
	}
	out := must(goodPassword+"\n", append([]string{"login", "--user", "wang.wu", "--password-file", "-"}, where...)...)
	if !strings.Contains(out, "as p90001 until") {
		t.Errorf("got %s", out)
	}
	tokenFile := filepath.Join(b.dir, "own", "tokens", "p90001.token")
	if info, err := os.Stat(tokenFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("only its owner reads the token: %v %v", info, err)
	}
	here := []string{"--config", own}
	if out := must("", append([]string{"whoami"}, here...)...); !strings.Contains(out, "p90001") || !strings.Contains(out, "local/wang.wu") || !strings.Contains(out, "Until:") {
		t.Errorf("got %s", out)
	}
	t.Run("two accounts side by side", func(t *testing.T) {
		invitation := strings.TrimSpace(must("", append([]string{"identity", "account", "add", "sec.officer", "--person", "p90009"}, admin...)...))
		must(invitation+"\n"+goodPassword+"\n", append([]string{"password", "--invitation-file", "-", "--new-password-file", "-"}, where...)...)
		must(goodPassword+"\n", append([]string{"login", "--user", "sec.officer", "--password-file", "-", "--context", "security"}, where...)...)
		if out := must("", append([]string{"whoami"}, here...)...); !strings.Contains(out, "p90009") || !strings.Contains(out, "fairway:security-administrators") {
			t.Errorf("the last login is the current one: %s", out)
		}
		if out := must("", append([]string{"whoami", "--as-account", "p90001"}, here...)...); !strings.Contains(out, "p90001") {
			t.Errorf("the other is a flag away: %s", out)
		}
		if out := must("", append([]string{"session", "list", "--person", "*", "--context", "security"}, here...)...); !strings.Contains(out, "p90001") || !strings.Contains(out, "this one") {
			t.Errorf("a security administrator sees all: %s", out)
		}
		for _, words := range [][]string{{"session", "list", "--person", "p90009"}, {"identity", "account", "list"}, {"session", "revoke", "--person", "p90009"}} {
			if _, errOut, code := typed(t, "", append(append(words, "--context", "p90001"), here...)...); code != 3 || !strings.Contains(errOut, "security administrator") {
				t.Errorf("nobody else does: %v %d %s", words, code, errOut)
			}
		}
	})
	t.Run("a machine", func(t *testing.T) {
		token := strings.TrimSpace(must("", append([]string{"token", "create", "ci", "--expires", "24h", "--read-only", "--context", "p90001"}, here...)...))
		file := filepath.Join(b.dir, "ci.token")
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		asCI := []string{"--server", "https://" + b.address, "--ca-file", filepath.Join(b.dir, "ca.crt"), "--token-file", file}
		if out := must("", append([]string{"whoami"}, asCI...)...); !strings.Contains(out, "p90001") || !strings.Contains(out, "ci") {
			t.Errorf("a machine is its owner's: %s", out)
		}
		if _, errOut, code := typed(t, "", append([]string{"token", "create", "more", "--expires", "24h"}, asCI...)...); code != 3 || !strings.Contains(errOut, "a machine's token does not act in the room identity") {
			t.Errorf("a machine makes no machines: %d %s", code, errOut)
		}
		if _, errOut, code := typed(t, "", append([]string{"delete", "datacenter", "x", "--yes"}, asCI...)...); code == 0 {
			t.Errorf("a reader writes nothing: %d %s", code, errOut)
		}
	})
	t.Run("a second factor", func(t *testing.T) {
		as := []string{"--config", own, "--context", "p90001"}
		factor := func(words ...string) []string {
			return append(append([]string{"identity", "second-factor"}, words...), as...)
		}
		out, errOut, code := typed(t, "", factor("enrol")...)
		secret, err := otp.NewKeyFromURL(strings.TrimSpace(out))
		if err != nil || code != 0 || secret.AccountName() != "wang.wu" || !strings.Contains(errOut, "shown this once") {
			t.Fatalf("%v %d %s%s", err, code, out, errOut)
		}
		log := append([]string{"login", "--user", "wang.wu", "--password-file", "-", "--context", "with-code"}, where...)
		must(goodPassword+"\n", log...) // an enrolment that nobody confirmed asks for nothing
		if _, errOut, code := typed(t, "", factor("confirm", "--code", "000000")...); code == 0 || !strings.Contains(errOut, "not the code of now") {
			t.Errorf("a wrong code: %d %s", code, errOut)
		}
		if _, errOut, code := typed(t, "", factor("remove", "--code", "000000")...); code == 0 || !strings.Contains(errOut, "not the code of now") {
			t.Errorf("there is none yet: %d %s", code, errOut)
		}
		// Three codes are good now: of the step before, of this one and of the next, in this order.
		var codes []string
		for now, step := time.Now(), time.Duration(-1); step <= 1; step++ {
			code, err := totp.GenerateCode(secret.Secret(), now.Add(step*30*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		if out := must("", factor("confirm", "--code", codes[0])...); !strings.Contains(out, "the second factor is on") {
			t.Errorf("got %s", out)
		}
		if out := must("", "identity", "account", "list", "--config", own, "--context", "security"); !regexp.MustCompile(`wang\.wu\s+p90001\s+Open\s+On`).MatchString(out) {
			t.Errorf("a security administrator sees it: %s", out)
		}
		if _, errOut, code := typed(t, goodPassword+"\n", log...); code == 0 || !strings.Contains(errOut, "code") {
			t.Errorf("the password alone: %d %s", code, errOut)
		}
		if _, _, code := typed(t, "", factor("enrol")...); code == 0 {
			t.Error("nobody puts another one in its place")
		}
		must(goodPassword+"\n", append(log, "--code", codes[1])...)
		if _, errOut, code := typed(t, "", factor("remove", "--code", codes[1])...); code == 0 || !strings.Contains(errOut, "or it was used") {
			t.Errorf("a code is good once: %d %s", code, errOut)
		}
		must("", factor("remove", "--code", codes[2])...)
		must(goodPassword+"\n", log...)
		if _, errOut, code := typed(t, "", append([]string{"identity", "second-factor", "enrol"}, admin...)...); code == 0 || !strings.Contains(errOut, "not logged in with a local account") {
			t.Errorf("whoever has no account has no factor: %d %s", code, errOut)
		}
	})
	t.Run("kubectl", func(t *testing.T) { kubectlStory(t, b, own, must) })
	t.Run("a closed account", func(t *testing.T) {
		addPerson(t, "p90002", identityv1.DutyNone)
		invitation := strings.TrimSpace(must("", append([]string{"identity", "account", "add", "zhao.liu", "--person", "p90002"}, admin...)...))
		must(invitation+"\n"+goodPassword+"\n", append([]string{"password", "--invitation-file", "-", "--new-password-file", "-"}, where...)...)
		must(goodPassword+"\n", append([]string{"login", "--user", "zhao.liu", "--password-file", "-", "--context", "leaving"}, where...)...)
		token, err := os.ReadFile(filepath.Join(b.dir, "own", "tokens", "leaving.token"))
		if err != nil {
			t.Fatal(err)
		}
		ended := b.stream(t, "/api/v1/events", strings.TrimSpace(string(token)))
		must("", append([]string{"identity", "account", "close", "zhao.liu"}, admin...)...)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Error("an open stream still goes on 5 seconds after the account was closed")
		}
	})
	t.Run("the end", func(t *testing.T) {
		must("", append([]string{"logout", "--context", "p90001"}, here...)...)
		if _, err := os.Stat(tokenFile); !os.IsNotExist(err) {
			t.Errorf("the token's file is gone: %v", err)
		}
		if _, errOut, code := typed(t, "", append([]string{"whoami", "--context", "p90001"}, here...)...); code != 2 || !strings.Contains(errOut, "there are: security") {
			t.Errorf("the context is gone: %d %s", code, errOut)
		}
	})
}

func kubectlStory(t *testing.T, b *bench, own string, must func(string, ...string) string) {
	raw := must("", "kubeconfig", "--config", own, "--context", "p90001")
	if strings.Contains(raw, "fws_") || !strings.Contains(raw, "https://"+b.address+"/hub") {
		t.Errorf("the file holds no credential, and leads to /hub:\n%s", raw)
	}
	if _, err := clientcmd.Load([]byte(raw)); err != nil {
		t.Errorf("kubectl reads it: %v", err)
	}
	answer := struct {
		Kind   string
		Status struct {
			Token               string
			ExpirationTimestamp time.Time
		}
	}{}
	if err := json.Unmarshal([]byte(must("", "kubeconfig", "token", "--config", own, "--context", "p90001")), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Kind != "ExecCredential" || !strings.HasPrefix(answer.Status.Token, "fws_") || time.Until(answer.Status.ExpirationTimestamp) > 15*time.Minute {
		t.Errorf("got %s %s", answer.Kind, answer.Status.ExpirationTimestamp)
	}
	c, err := clientcmd.RESTConfigFromKubeConfig([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	c.ExecProvider, c.BearerToken = nil, answer.Status.Token
	k, err := client.New(c, client.Options{Scheme: hub.Client().Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	centres := &metav1.PartialObjectMetadataList{}
	centres.SetGroupVersionKind(identityv1.GroupVersion.WithKind("PersonList"))
	if err := k.List(t.Context(), centres); err == nil || !strings.Contains(err.Error(), `"p90001" cannot list`) {
		t.Errorf("the hub sees the person, and decides: %v", err)
	}
}

// An account that is ready logs in by itself, again where its session has ended.
func TestReadyAccounts(t *testing.T) {
	b := startServer(t)
	addPerson(t, "p96001", identityv1.DutyNone)
	addPerson(t, "p96002", identityv1.DutySecurity)
	own := filepath.Join(b.dir, "own", "config.yaml")
	where := []string{"--config", own, "--server", "https://" + b.address, "--ca-file", filepath.Join(b.dir, "ca.crt")}
	must := func(input string, words ...string) string {
		t.Helper()
		out, errOut, code := typed(t, input, words...)
		if code != 0 {
			t.Fatalf("fairway %s: exit %d\n%s%s", strings.Join(words, " "), code, out, errOut)
		}
		return out
	}
	password := filepath.Join(b.dir, "password")
	if err := os.WriteFile(password, []byte(goodPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, person := range map[string]string{"ready.one": "p96001", "ready.two": "p96002"} {
		invitation := must("", "identity", "account", "add", name, "--person", person)
		must(invitation, append([]string{"password", "--invitation-file", "-", "--new-password-file", password}, where...)...)
		must("", append([]string{"login", "--user", name, "--password-file", password, "--context", name, "--ready"}, where...)...)
	}
	if _, errOut, code := typed(t, goodPassword, append([]string{"login", "--user", "ready.one", "--password-file", "-", "--ready"}, where...)...); code != 2 || !strings.Contains(errOut, "--password-file") {
		t.Errorf("what is typed cannot be typed again: %d %s", code, errOut)
	}
	as := func(name, person string) {
		t.Helper()
		if out := must("", "whoami", "--config", own, "--as-account", name); !strings.Contains(out, person) {
			t.Errorf("%s: %s", name, out)
		}
	}
	as("ready.one", "p96001")
	must("", "session", "revoke", "--person", "p96001", "--config", own, "--as-account", "ready.two")
	as("ready.one", "p96001")
	if err := os.Remove(filepath.Join(b.dir, "own", "tokens", "ready.one.token")); err != nil {
		t.Fatal(err)
	}
	as("ready.one", "p96001")
	if err := os.WriteFile(password, []byte("another password"), 0o600); err != nil {
		t.Fatal(err)
	}
	must("", "session", "revoke", "--person", "p96001", "--config", own, "--as-account", "ready.two")
	if _, errOut, code := typed(t, "", "whoami", "--config", own, "--as-account", "ready.one"); code != 3 || !strings.Contains(errOut, "the name, the password or the code is wrong") {
		t.Errorf("a password that is no longer right is tried once: %d %s", code, errOut)
	}
}

// stream opens a stream that has begun when it returns; what it returns is closed
// when the stream has ended.
func (b *bench) stream(t *testing.T, path, token string) <-chan struct{} {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(b.dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+b.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := response.Body.Read(first); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the stream does not begin: %d %v", response.StatusCode, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}()
	return ended
}
