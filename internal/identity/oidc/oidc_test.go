// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/oidc"
)

const callback = "https://fairway.bank.example/api/v1/identity/oidc/sso/callback"

// bankSSO is a real OpenID Connect provider on loopback.
type bankSSO struct {
	url     string
	storage *storage.Storage
}

func startSSO(t *testing.T) *bankSSO {
	t.Helper()
	s := &bankSSO{}
	var handler http.Handler
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(listener.Close)
	s.url = strings.Replace(listener.URL, "127.0.0.1", "localhost", 1)
	s.storage = storage.NewStorageWithClients(storage.NewUserStore(s.url), map[string]*storage.Client{
		"fairway":     storage.WebClient("fairway", "s3cret", callback),
		"fairway-cli": storage.DeviceClient("fairway-cli", "s3cret"),
	})
	handler = exampleop.SetupServer(s.url, s.storage, nil, false, op.WithAllowInsecure())
	return s
}

func secretFile(t *testing.T, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newProvider(t *testing.T, issuer, client string, now func() time.Time) *oidc.Provider {
	t.Helper()
	settings, err := identity.ReadSettings([]byte("providers: [{name: sso, oidc: {issuer: '" + issuer + "', clientID: " + client +
		", redirectURL: '" + callback + "', clientSecretFile: '" + secretFile(t, "s3cret") + "'}}]"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := oidc.New(oidc.Options{Name: "sso", Settings: *settings.Providers[0].OIDC, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// browse logs in at the provider as a browser would, and returns where the provider
// sends the browser back to.
func (s *bankSSO) browse(t *testing.T, where, user, password string) *url.URL {
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
		t.Fatalf("the provider shows no login page: %v %s", err, body)
	}
	form := url.Values{"id": {page.Query().Get("authRequestID")}, "username": {user}, "password": {password}}
	second, err := browser.PostForm(s.url+"/login/username", form)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Body.Close()
	back, err := second.Location()
	if err != nil {
		t.Fatalf("the provider sends the browser nowhere: %v", err)
	}
	return back
}

func TestLoginInTheBrowserAtARealProvider(t *testing.T) {
	sso := startSSO(t)
	p := newProvider(t, sso.url, "fairway", nil)
	where, flow, err := p.Start(t.Context(), "/releases")
	if err != nil {
		t.Fatal(err)
	}
	asked, _ := url.Parse(where)
	if q := asked.Query(); q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("nonce") != flow.Nonce || q.Get("redirect_uri") != callback ||
		strings.Contains(where, flow.Verifier) {
		t.Errorf("the code is bound to this login: %s", where)
	}
	back := sso.browse(t, where, "test-user@localhost", "verysecure")
	code, state := back.Query().Get("code"), back.Query().Get("state")
	if _, err := p.Finish(t.Context(), flow, state+"x", code); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("another state is another login: %v", err)
	}
	if _, err := p.Finish(t.Context(), oidc.Flow{}, "", code); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("no state matches no state: %v", err)
	}
	stolen := flow
	stolen.Verifier = strings.Repeat("a", 43)
	if _, err := p.Finish(t.Context(), stolen, state, code); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("a code that was stolen is of no use without its verifier (PKCE): %v", err)
	}
	where, flow, err = p.Start(t.Context(), "/releases")
	if err != nil {
		t.Fatal(err)
	}
	back = sso.browse(t, where, "test-user@localhost", "verysecure")
	code, state = back.Query().Get("code"), back.Query().Get("state")
	vouched, err := p.Finish(t.Context(), flow, state, code)
	if err != nil {
		t.Fatal(err)
	}
	if c := vouched.Claim; c.Provider != "sso" || c.Subject != "id1" || c.Login != "test-user@localhost" || c.Mail != "test-user@zitadel.ch" {
		t.Errorf("got %+v", c)
	}
	if _, err := p.Finish(t.Context(), flow, state, code); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("a code is good once: %v", err)
	}
}

func TestLoginOnTheCommandLineAtARealProvider(t *testing.T) {
	sso := startSSO(t)
	p := newProvider(t, sso.url, "fairway-cli", nil)
	device, err := p.StartDevice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if device.UserCode == "" || !strings.HasPrefix(device.URL, sso.url) {
		t.Errorf("got %+v", device)
	}
	if _, err := p.Poll(t.Context(), device.Code); !errors.Is(err, identity.ErrPending) {
		t.Errorf("nobody has agreed yet: %v", err)
	}
	if err := sso.storage.CompleteDeviceAuthorization(t.Context(), device.UserCode, "id2"); err != nil {
		t.Fatal(err)
	}
	vouched, err := p.Poll(t.Context(), device.Code)
	if err != nil || vouched.Claim.Subject != "id2" || vouched.Claim.Login != "test-user2" {
		t.Fatalf("got %+v %v", vouched, err)
	}
	denied, err := p.StartDevice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := sso.storage.DenyDeviceAuthorization(t.Context(), denied.UserCode); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Poll(t.Context(), denied.Code); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("who says no is not let in: %v", err)
	}
	if _, err := p.Poll(t.Context(), "made-up"); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("a code that the provider does not know: %v", err)
	}
}

// liar is a provider that answers with any ID token.
type liar struct {
	mu     sync.Mutex
	url    string
	keys   jose.JSONWebKeySet
	answer func(form url.Values) string
	asked  int
}

func startLiar(t *testing.T) *liar {
	t.Helper()
	l := &liar{}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": l.url, "authorization_endpoint": l.url + "/auth", "token_endpoint": l.url + "/token",
				"jwks_uri": l.url + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}})
		case "/keys":
			l.asked++
			_ = json.NewEncoder(w).Encode(l.keys)
		case "/token":
			_ = r.ParseForm()
			_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": l.answer(r.Form)})
		}
	}))
	t.Cleanup(listener.Close)
	l.url = listener.URL
	return l
}

func (l *liar) set(keys jose.JSONWebKeySet, answer func(url.Values) string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys, l.answer = keys, answer
}

func sign(t *testing.T, key any, alg jose.SignatureAlgorithm, id string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(claims)
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func public(id string, key any) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: id, Use: "sig", Algorithm: ""}
}

// Abuse case 42: tokens that must not let anybody in.
func TestTokensThatDoNotHold(t *testing.T) {
	l := startLiar(t)
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public("k1", own.Public()), public("e1", curve.Public())}}
	p := newProvider(t, l.url, "fairway", nil)
	now := time.Now()
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"iss": l.url, "aud": "fairway", "sub": "u1", "preferred_username": "li.si", "groups": []string{"dev"},
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
		for k, v := range change {
			c[k] = v
			if v == nil {
				delete(c, k)
			}
		}
		return c
	}
	unsigned := func(c map[string]any) string {
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
		body, _ := json.Marshal(c)
		return head + "." + base64.RawURLEncoding.EncodeToString(body) + "."
	}
	modulus, _ := json.Marshal(public("k1", own.Public()))
	rs := func(change map[string]any) func(map[string]any) string {
		return func(nonce map[string]any) string {
			c := claims(nonce)
			for k, v := range change {
				c[k] = v
				if v == nil {
					delete(c, k)
				}
			}
			return sign(t, own, jose.RS256, "k1", c)
		}
	}
	tests := map[string]struct {
		reason string
		token  func(nonce map[string]any) string
		fine   bool
	}{
		"Good":  {"signed by its key for us", rs(nil), true},
		"Curve": {"an elliptic curve does too", func(n map[string]any) string { return sign(t, curve, jose.ES256, "e1", claims(n)) }, true},
		"None":  {"anybody could have written it", func(n map[string]any) string { return unsigned(claims(n)) }, false},
		"HSbySecret": {"who knows the client's secret could sign", func(n map[string]any) string {
			return sign(t, []byte(strings.Repeat("s3cret", 8)), jose.HS256, "k1", claims(n))
		}, false},
		"HSbyKey":     {"everybody knows the public key", func(n map[string]any) string { return sign(t, modulus, jose.HS256, "k1", claims(n)) }, false},
		"OtherKey":    {"somebody else signed it", func(n map[string]any) string { return sign(t, other, jose.RS256, "k1", claims(n)) }, false},
		"UnknownKey":  {"a key that the provider does not show", func(n map[string]any) string { return sign(t, other, jose.RS256, "k9", claims(n)) }, false},
		"Audience":    {"it is for another client", rs(map[string]any{"aud": "other"}), false},
		"Party":       {"it was made for another client", rs(map[string]any{"aud": []string{"fairway", "other"}, "azp": "other"}), false},
		"Issuer":      {"another provider wrote it", rs(map[string]any{"iss": "https://evil.example"}), false},
		"Expired":     {"it has expired", rs(map[string]any{"exp": now.Add(-time.Minute).Unix()}), false},
		"NoEnd":       {"it never ends", rs(map[string]any{"exp": nil}), false},
		"Future":      {"it comes from the future", rs(map[string]any{"iat": now.Add(time.Hour).Unix(), "exp": now.Add(2 * time.Hour).Unix()}), false},
		"LittleAhead": {"clocks differ by a minute", rs(map[string]any{"iat": now.Add(time.Minute).Unix()}), true},
		"Nonce":       {"it is of another login", rs(map[string]any{"nonce": "other"}), false},
		"NoNonce":     {"it could be of any login", rs(map[string]any{"nonce": nil}), false},
		"Nobody":      {"it names nobody", rs(map[string]any{"sub": ""}), false},
		"Garbage":     {"it is none", func(map[string]any) string { return "a.b.c" }, false},
		"Missing":     {"there is none", func(map[string]any) string { return "" }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, flow, err := p.Start(t.Context(), "/")
			if err != nil {
				t.Fatal(err)
			}
			token := test.token(map[string]any{"nonce": flow.Nonce})
			l.set(keys, func(url.Values) string { return token })
			vouched, err := p.Finish(t.Context(), flow, flow.State, "code")
			if test.fine {
				if err != nil || vouched.Claim.Login != "li.si" || vouched.Claim.Subject != "u1" {
					t.Errorf("%s: %+v %v", test.reason, vouched, err)
				}
				return
			}
			if !errors.Is(err, identity.ErrRefused) {
				t.Errorf("%s: got %v", test.reason, err)
			}
			if err != nil && token != "" && strings.Contains(err.Error(), token) {
				t.Error("the error must not hold the token")
			}
		})
	}
}

func TestLoginNamesThatAreNotSeen(t *testing.T) {
	l := startLiar(t)
	own, _ := rsa.GenerateKey(rand.Reader, 2048)
	p := newProvider(t, l.url, "fairway", nil)
	for _, name := range []string{"admin\u202e", "a\x00b", "a\u200bdmin"} {
		_, flow, err := p.Start(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		l.set(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public("k1", own.Public())}}, func(url.Values) string {
			return sign(t, own, jose.RS256, "k1", map[string]any{"iss": l.url, "aud": "fairway", "sub": "u1", "preferred_username": name, "nonce": flow.Nonce,
				"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
		})
		if vouched, err := p.Finish(t.Context(), flow, flow.State, "c"); err != nil || vouched.Claim.Login != "" {
			t.Errorf("a name with what is not seen is nobody's: %q %v", vouched.Claim.Login, err)
		}
	}
}

// The provider changes its keys between two logins, and in the middle of one.
func TestTheProviderChangesItsKeys(t *testing.T) {
	l := startLiar(t)
	p := newProvider(t, l.url, "fairway", nil)
	login := func(shown, by *rsa.PrivateKey, id string) error {
		_, flow, err := p.Start(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		token := sign(t, by, jose.RS256, id, map[string]any{"iss": l.url, "aud": "fairway", "sub": "u1", "nonce": flow.Nonce,
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
		l.set(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public(id, shown.Public())}}, func(url.Values) string { return token })
		_, err = p.Finish(t.Context(), flow, flow.State, "c")
		return err
	}
	old, _ := rsa.GenerateKey(rand.Reader, 2048)
	next, _ := rsa.GenerateKey(rand.Reader, 2048)
	if err := login(old, old, "k1"); err != nil {
		t.Fatal(err)
	}
	if err := login(next, next, "k2"); err != nil {
		t.Errorf("a key that is new is fetched: %v", err)
	}
	if err := login(next, old, "k1"); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("a key that was taken away signs nothing: %v", err)
	}
	if err := login(next, next, "k2"); err != nil {
		t.Errorf("and the new one goes on: %v", err)
	}
}

func TestAProviderThatIsAway(t *testing.T) {
	listener := httptest.NewServer(http.NotFoundHandler())
	address := listener.URL
	listener.Close()
	p := newProvider(t, address, "fairway", nil)
	if _, _, err := p.Start(t.Context(), "/"); !errors.Is(err, identity.ErrAway) {
		t.Errorf("got %v", err)
	}
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	p = newProvider(t, slow.URL, "fairway", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := p.StartDevice(ctx); !errors.Is(err, identity.ErrAway) || time.Since(began) > 11*time.Second {
		t.Errorf("a slow provider is away: %v after %s", err, time.Since(began))
	}
	// An issuer that names another, or sends elsewhere, is none.
	liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "hop") {
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(`{"issuer":"https://evil.example","authorization_endpoint":"https://evil.example/a","token_endpoint":"https://evil.example/t","jwks_uri":"https://evil.example/k"}`))
	}))
	defer liar.Close()
	for _, issuer := range []string{liar.URL, liar.URL + "/hop"} {
		if _, _, err := newProvider(t, issuer, "fairway", nil).Start(t.Context(), "/"); !errors.Is(err, identity.ErrAway) {
			t.Errorf("%s: got %v", issuer, err)
		}
	}
}
