// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/oidc"
	"github.com/fairway-cloud/fairway/internal/identity/server"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

func codeOf(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

const callback = "https://fairway.bank.example/api/v1/identity/oidc/sso/callback"

// withSSO offers a real OpenID Connect provider on loopback beside the local accounts.
func withSSO(t *testing.T) (change, *storage.Storage, string) {
	t.Helper()
	var handler http.Handler
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(listener.Close)
	issuer := strings.Replace(listener.URL, "127.0.0.1", "localhost", 1)
	store := storage.NewStorageWithClients(storage.NewUserStore(issuer), map[string]*storage.Client{
		"fairway": storage.WebClient("fairway", "s3cret", callback), "fairway-cli": storage.DeviceClient("fairway-cli", "s3cret"),
	})
	handler = exampleop.SetupServer(issuer, store, nil, false, op.WithAllowInsecure())
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *server.Config, _ *httpapi.Chain) {
		for name, client := range map[string]string{"sso": "fairway", "cli": "fairway-cli"} {
			settings, err := identity.ReadSettings([]byte("providers: [{name: " + name + ", oidc: {issuer: '" + issuer + "', clientID: " + client + ", clientSecretFile: '" + secret +
				"', redirectURL: '" + strings.Replace(callback, "sso", name, 1) + "'}}]"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := oidc.New(oidc.Options{Name: name, Settings: *settings.Providers[0].OIDC})
			if err != nil {
				t.Fatal(err)
			}
			c.Providers = append(c.Providers, server.Provider{Name: name, DisplayName: name, OIDC: p})
		}
	}, store, issuer
}

// browse is the browser at the provider.
func browse(t *testing.T, issuer, where string) *url.URL {
	t.Helper()
	browser := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) || strings.Contains(r.URL.Path, "/login") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	first, err := browser.Get(where)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	page, err := first.Location()
	if err != nil {
		body, _ := io.ReadAll(first.Body)
		t.Fatalf("%v %s", err, body)
	}
	second, err := browser.PostForm(issuer+"/login/username", url.Values{"id": {page.Query().Get("authRequestID")}, "username": {"test-user2"}, "password": {"verysecure"}})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Body.Close()
	back, err := second.Location()
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestSingleSignOnInTheBrowser(t *testing.T) {
	sso, _, issuer := withSSO(t)
	s := newSite(t, sso)
	s.bank.people["p-test-user2"] = identity.Person{ID: "p-test-user2"}
	start := func(next string) (string, string) {
		got := s.do(http.MethodPost, "/api/v1/identity/oidc/sso/start", `{"next":"`+next+`"}`)
		where, _ := got.body["url"].(string)
		if got.status != http.StatusOK || !strings.HasPrefix(where, issuer) || len(got.cookies) != 1 {
			t.Fatalf("%d %s %v", got.status, got.raw, got.cookies)
		}
		if c := got.cookies[0]; !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Name != "__Host-fairway-login" || c.Path != "/" {
			t.Errorf("got %s", c)
		}
		return where, "__Host-fairway-login=" + got.cookies[0].Value
	}
	where, flow := start("/releases?x=1")
	back := browse(t, issuer, where)
	path := "/api/v1/identity/oidc/sso/callback?" + back.RawQuery
	// A victim's browser that is sent here with the code of somebody else.
	if got := s.do(http.MethodGet, path, ""); got.status != http.StatusUnauthorized || len(got.cookies) != 1 {
		t.Errorf("a browser that did not begin the login: %d %s", got.status, got.raw)
	}
	_, otherFlow := start("/")
	if got := s.do(http.MethodGet, path, "", "Cookie", otherFlow); got.status != http.StatusUnauthorized {
		t.Errorf("a browser that began another: %d %s", got.status, got.raw)
	}
	if got := s.do(http.MethodGet, strings.Replace(path, "/sso/", "/cli/", 1), "", "Cookie", flow); got.status != http.StatusUnauthorized {
		t.Errorf("another provider's login: %d %s", got.status, got.raw)
	}
	s.evidence.take()
	got := s.do(http.MethodGet, path, "", "Cookie", flow)
	if got.status != http.StatusOK || !strings.Contains(got.raw, `content="0;url=/releases?x=1"`) || !strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	session := ""
	for _, c := range got.cookies {
		if c.Name == "__Host-fairway" {
			session = c.Value
		}
	}
	if who := s.do(http.MethodGet, "/api/v1/whoami", "", "Cookie", "__Host-fairway="+session); who.body["id"] != "p-test-user2" {
		t.Errorf("%d %s", who.status, who.raw)
	}
	if e := s.evidence.take(); !strings.HasPrefix(e, "identity.login p-test-user2 Login/sso/test-user2 from 127.0.0.1 login Done") {
		t.Errorf("got %s", e)
	}
	if got := s.do(http.MethodGet, path, "", "Cookie", flow); got.status != http.StatusUnauthorized {
		t.Errorf("a code is good once: %d", got.status)
	}
	if got := s.do(http.MethodGet, "/api/v1/identity/oidc/sso/callback?error=access_denied&state=x", "", "Cookie", flow); got.status != http.StatusUnauthorized {
		t.Errorf("the provider says no: %d", got.status)
	}
	if e := s.evidence.take(); !strings.Contains(e, "Refused") {
		t.Errorf("it is recorded: %s", e)
	}
}

// No page of another site is reached by a login (open redirect).
func TestNextStaysHere(t *testing.T) {
	sso, _, issuer := withSSO(t)
	s := newSite(t, sso)
	s.bank.people["p-test-user2"] = identity.Person{ID: "p-test-user2"}
	for _, next := range []string{"//evil.example", "https://evil.example", "/\\\\evil.example", "/%09/evil.example", "/../..//evil.example", "javascript:alert(1)", "/api/v1/identity/logout",
		"/a\\\" onload=x", "/a?b=<script>", "///evil.example", "/x@evil.example", "/\u202e", "evil.example"} {
		started := s.do(http.MethodPost, "/api/v1/identity/oidc/sso/start", `{"next":"`+next+`"}`)
		if started.status != http.StatusOK {
			t.Fatalf("%q: %d %s", next, started.status, started.raw)
		}
		back := browse(t, issuer, started.body["url"].(string))
		got := s.do(http.MethodGet, "/api/v1/identity/oidc/sso/callback?"+back.RawQuery, "", "Cookie", "__Host-fairway-login="+started.cookies[0].Value)
		if got.status != http.StatusOK || (!strings.Contains(got.raw, `content="0;url=/"`) && next != "/%09/evil.example") {
			t.Errorf("%q: %d %s", next, got.status, got.raw)
		}
	}
}

func TestSingleSignOnOnTheCommandLine(t *testing.T) {
	sso, store, _ := withSSO(t)
	s := newSite(t, sso)
	s.bank.people["p-test-user2"] = identity.Person{ID: "p-test-user2"}
	begun := s.do(http.MethodPost, "/api/v1/identity/oidc/cli/device", "")
	handle, _ := begun.body["handle"].(string)
	if begun.status != http.StatusOK || handle == "" || begun.body["userCode"] == "" {
		t.Fatalf("%d %s", begun.status, begun.raw)
	}
	poll := func(handle string) answer {
		return s.do(http.MethodPost, "/api/v1/identity/oidc/cli/device/poll", `{"handle":"`+handle+`"}`)
	}
	if got := poll(handle); got.status != http.StatusAccepted {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if got := poll(handle[:len(handle)-4] + "AAAA"); got.status != http.StatusUnauthorized {
		t.Errorf("a handle that was changed: %d %s", got.status, got.raw)
	}
	if err := store.CompleteDeviceAuthorization(t.Context(), begun.body["userCode"].(string), "id2"); err != nil {
		t.Fatal(err)
	}
	got := poll(handle)
	token, _ := got.body["token"].(string)
	if got.status != http.StatusOK || got.body["person"] != "p-test-user2" || token == "" {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	s.set(s.now().Add(time.Hour))
	if got := poll(handle); got.status != http.StatusUnauthorized {
		t.Errorf("a handle has an end: %d", got.status)
	}
}
