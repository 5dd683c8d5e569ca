// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
)

// An installation that never had a token of an administrator: the first account, a
// login in the browser's stead at a real OpenID Connect provider, and a login at one
// that is away.
func TestWithoutABootstrapToken(t *testing.T) {
	if hub == nil {
		t.Skip("no cluster under -short")
	}
	var handler http.Handler
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer listener.Close()
	issuer := strings.Replace(listener.URL, "127.0.0.1", "localhost", 1)
	provider := storage.NewStorageWithClients(storage.NewUserStore(issuer), map[string]*storage.Client{"fairway": storage.DeviceClient("fairway", "s3cret")})
	handler = exampleop.SetupServer(issuer, provider, nil, false, op.WithAllowInsecure())

	addPerson(t, "p97009", identityv1.DutySecurity)
	addPerson(t, "p97077", identityv1.DutyNone, identityv1.Login{Provider: "sso", Login: "test-user2"})
	b := startServer(t, func(b *bench, o *serverOptions) {
		write := func(name, content string) string {
			path := filepath.Join(b.dir, name)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		secret := write("secret", "s3cret")
		o.noBootstrap, o.firstAccount = true, "founder=p97009"
		o.loginSettings = write("login.yaml", `
sessions: {idle: 15m, absolute: 8h}
providers:
- {name: local, local: {}}
- name: sso
  displayName: 行内统一认证
  oidc: {issuer: '`+issuer+`', clientID: fairway, clientSecretFile: '`+secret+`', redirectURL: 'https://fairway.bank.example/api/v1/identity/oidc/sso/callback'}
- name: ad
  ldap: {url: 'ldap://127.0.0.1:1', plain: true, bindDN: cn=a, passwordFile: '`+secret+`', baseDN: dc=b}
`)
	})
	if _, err := os.Stat(filepath.Join(b.dir, "data", "admin.token")); !os.IsNotExist(err) {
		t.Errorf("there is no token of an administrator: %v", err)
	}
	own := filepath.Join(b.dir, "own", "config.yaml")
	where := []string{"--config", own, "--server", "https://" + b.address, "--ca-file", filepath.Join(b.dir, "ca.crt")}
	invitation := filepath.Join(b.dir, "data", "first-account")
	if info, err := os.Stat(invitation); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the first account's invitation waits in a file of its own: %v", err)
	}
	for _, words := range [][]string{
		append([]string{"password", "--invitation-file", invitation, "--new-password-file", "-"}, where...),
		append([]string{"login", "--user", "founder", "--password-file", "-"}, where...),
	} {
		if out, errOut, code := typed(t, goodPassword+"\n", words...); code != 0 {
			t.Fatalf("%v: %d %s%s", words, code, out, errOut)
		}
	}
	if out, errOut, _ := typed(t, "", "session", "list", "--person", "*", "--config", own); !strings.Contains(out, "local/founder") {
		t.Errorf("the first account administers logins: %s%s", out, errOut)
	}
	t.Run("single sign-on", func(t *testing.T) {
		deviceLogin(t, provider, append([]string{"login", "--provider", "sso"}, where...))
		if out, errOut, _ := typed(t, "", "whoami", "--config", own); !strings.Contains(out, "p97077") || !strings.Contains(out, "sso/test-user2") {
			t.Errorf("got %s%s", out, errOut)
		}
	})
	t.Run("a directory that is away", func(t *testing.T) {
		_, errOut, code := typed(t, goodPassword+"\n", append([]string{"login", "--provider", "ad", "--user", "zhang.san", "--password-file", "-"}, where...)...)
		if code != 9 || !strings.Contains(errOut, "ad does not answer") {
			t.Errorf("it is said, and is no wrong password: %d %s", code, errOut)
		}
	})
	t.Run("a way that is not there", func(t *testing.T) {
		if _, errOut, code := typed(t, "", append([]string{"login", "--provider", "nope"}, where...)...); code != 2 || !strings.Contains(errOut, "there are: [local sso ad]") {
			t.Errorf("%d %s", code, errOut)
		}
	})
}

// deviceLogin logs in, and agrees at the provider once the command says with which code.
func deviceLogin(t *testing.T, provider *storage.Storage, words []string) {
	t.Helper()
	root := newRoot()
	told, tell := io.Pipe()
	out := &strings.Builder{}
	root.SetOut(out)
	root.SetErr(tell)
	root.SetArgs(words)
	agreed := make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(told)
		code := regexp.MustCompile(`type the code (\S+)`)
		for lines.Scan() {
			if m := code.FindStringSubmatch(lines.Text()); m != nil {
				agreed <- provider.CompleteDeviceAuthorization(context.Background(), m[1], "id2")
			}
		}
	}()
	err := root.ExecuteContext(t.Context())
	_ = tell.Close()
	if err != nil || !strings.Contains(out.String(), "as p97077") {
		t.Fatalf("%v %s", err, out)
	}
	if err := <-agreed; err != nil {
		t.Fatal(err)
	}
}
