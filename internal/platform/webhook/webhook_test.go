// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package webhook_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

const secret = "canary-0123456789abcdef0123456789abcdef"

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func key(t *testing.T, id, text string) webhook.Key {
	t.Helper()
	k, err := webhook.NewKey(id, text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVerify(t *testing.T) {
	k := key(t, "2026-1", secret)
	keys := []webhook.Key{key(t, "2025-1", strings.Repeat("o", 32)), k}
	const nonce, body = "0123456789abcdef", `{"verdict":"Approve"}`
	for name, c := range map[string]struct {
		reason string
		change func(h http.Header)
		body   string
		after  time.Duration
		want   error
	}{
		"Good":           {reason: "as it was signed"},
		"GoodLate":       {reason: "clocks may differ", after: 5 * time.Minute},
		"GoodEarly":      {reason: "either way", after: -5 * time.Minute},
		"Late":           {reason: "an old message", after: 5*time.Minute + time.Second, want: webhook.ErrTime},
		"Early":          {reason: "one of the future", after: -5*time.Minute - time.Second, want: webhook.ErrTime},
		"OtherBody":      {reason: "one byte changed", body: `{"verdict":"Approvf"}`, want: webhook.ErrSignature},
		"OtherNonce":     {reason: "the nonce is signed", change: func(h http.Header) { h.Set("Fairway-Nonce", "0123456789abcdeF") }, want: webhook.ErrSignature},
		"OtherTime":      {reason: "the time is signed", change: func(h http.Header) { h.Set("Fairway-Timestamp", fmt.Sprint(noon.Unix()+1)) }, want: webhook.ErrSignature},
		"OtherKey":       {reason: "another key's name", change: func(h http.Header) { h.Set("Fairway-Key", "2025-1") }, want: webhook.ErrSignature},
		"UnknownKey":     {reason: "a key that nobody knows", change: func(h http.Header) { h.Set("Fairway-Key", "x") }, want: webhook.ErrSignature},
		"OldAndWrong":    {reason: "clocks are told of to who has a key only", body: "x", after: time.Hour, want: webhook.ErrSignature},
		"NoSignature":    {reason: "no signature", change: func(h http.Header) { h.Del("Fairway-Signature") }, want: webhook.ErrUnsigned},
		"TwoSignatures":  {reason: "two are one too many", change: func(h http.Header) { h.Add("Fairway-Signature", h.Get("Fairway-Signature")) }, want: webhook.ErrUnsigned},
		"OtherAlgorithm": {reason: "none is no algorithm", change: func(h http.Header) { h.Set("Fairway-Signature", "none=") }, want: webhook.ErrUnsigned},
		"ShortSignature": {reason: "a shortened signature", change: func(h http.Header) { h.Set("Fairway-Signature", h.Get("Fairway-Signature")[:20]) }, want: webhook.ErrUnsigned},
		"PlusTime":       {reason: "a time spelt otherwise", change: func(h http.Header) { h.Set("Fairway-Timestamp", "+"+h.Get("Fairway-Timestamp")) }, want: webhook.ErrUnsigned},
		"LineInNonce":    {reason: "a nonce that could run into the body", change: func(h http.Header) { h.Set("Fairway-Nonce", "0123456789abcdef\n") }, want: webhook.ErrUnsigned},
		"ShortNonce":     {reason: "a nonce that is guessed", change: func(h http.Header) { h.Set("Fairway-Nonce", "1") }, want: webhook.ErrUnsigned},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			k.Sign(header, "test.v1", nonce, []byte(body), noon)
			if c.change != nil {
				c.change(header)
			}
			if c.body == "" {
				c.body = body
			}
			got, err := webhook.Verify(keys, header, "test.v1", []byte(c.body), noon.Add(c.after))
			if !errors.Is(err, c.want) || (c.want == nil && got != nonce) || (c.want != nil && got != "") {
				t.Errorf("%s: got %q %v", c.reason, got, err)
			}
			if _, err := webhook.Verify(keys, header, "other.v1", []byte(c.body), noon.Add(c.after)); err == nil {
				t.Error("a signature holds for one purpose alone")
			}
		})
	}
}

func TestKeysAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		_ = os.Remove(path)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"Readable": {secret + "\n", 0o644, "chmod 600"}, "Short": {"canary", 0o600, "openssl rand -hex 32"}, "Long": {strings.Repeat("x", 5000), 0o600, "no file with one key"},
	} {
		t.Run(name, func(t *testing.T) {
			write(c.text, c.mode)
			if _, err := webhook.ReadKey("k", path); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
	write(secret+"\n", 0o600)
	k, err := webhook.ReadKey("k", path)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(text, "canary") {
		t.Errorf("a key that is printed tells its secret: %s", text)
	}
	// A file and the same words from elsewhere are the same key.
	h := http.Header{}
	k.Sign(h, "p", "0123456789abcdef", nil, noon)
	if _, err := webhook.Verify([]webhook.Key{key(t, "k", secret)}, h, "p", nil, noon); err != nil {
		t.Error(err)
	}
}

// target posts to a TLS server of the test.
func target(t *testing.T, server *httptest.Server, networks ...string) *webhook.Target {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := webhook.NewTarget(webhook.TargetOptions{
		URL: server.URL + "/in", CAFile: ca, Networks: networks, Key: key(t, "k", secret), Clock: clocktesting.NewFakePassiveClock(noon),
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestPost(t *testing.T) {
	var seen []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, err := webhook.Verify([]webhook.Key{key(t, "k", secret)}, r.Header, "p.v1", body, noon)
		seen = append(seen, fmt.Sprintf("%s %s %s %s %v", r.Method, r.URL.Path, r.Header.Get("Idempotency-Key"), body, err))
		_, _ = w.Write([]byte(`{"ticket":"CHG-1"}`))
	}))
	defer server.Close()
	answer, err := target(t, server, "127.0.0.0/8").Post(t.Context(), "p.v1", "id-1", []byte(`{}`))
	if err != nil || string(answer) != `{"ticket":"CHG-1"}` {
		t.Fatalf("%s %v", answer, err)
	}
	if len(seen) != 1 || seen[0] != "POST /in id-1 {} <nil>" {
		t.Errorf("the other system saw %v", seen)
	}
}

// What the other system may do to us: nothing.
func TestAHostileSystem(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		says    string
	}{
		"Redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "leads elsewhere (307)"},
		"SeeOther": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusSeeOther) }, "leads elsewhere (303)"},
		"No":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "answered 403"},
		"Huge":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 10<<20)) }, "larger than 64 KiB"},
		"Header":   {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "header"},
		"CutShort": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("x"))
		}, "could not read the answer"},
		"HangsUp":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "could not reach"},
		"EarlyDone": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "leads elsewhere (304)"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewTLSServer(c.handler)
			defer server.Close()
			answer, err := target(t, server, "127.0.0.0/8").Post(t.Context(), "p", "id", []byte("{}"))
			if err == nil || answer != nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %q %v", answer, err)
			}
		})
	}
	t.Run("OneByteASecond", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes ten seconds")
		}
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for {
				select {
				case <-r.Context().Done():
					return
				case <-time.After(time.Second):
				}
				_, _ = w.Write([]byte("x"))
				_ = http.NewResponseController(w).Flush()
			}
		}))
		defer server.Close()
		began := time.Now()
		_, err := target(t, server, "127.0.0.0/8").Post(t.Context(), "p", "id", nil)
		if err == nil || !strings.Contains(err.Error(), "no answer within 10s") || time.Since(began) > 12*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
	t.Run("ForeignCertificate", func(t *testing.T) {
		server, other := httptest.NewTLSServer(nil), httptest.NewUnstartedServer(nil)
		defer server.Close()
		defer other.Close()
		made, err := webhook.NewTarget(webhook.TargetOptions{URL: server.URL, Networks: []string{"127.0.0.0/8"}, Key: key(t, "k", secret)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := made.Post(t.Context(), "p", "id", nil); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("a certificate that nobody vouches for: %v", err)
		}
	})
}

// Only the addresses that the configuration means are dialled.
func TestOtherAddressesAreNotDialled(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was dialled") }))
	defer server.Close()
	for name, networks := range map[string][]string{"OwnMachine": nil, "OtherNetwork": {"10.0.0.0/8", "::1/128"}} {
		t.Run(name, func(t *testing.T) {
			if _, err := target(t, server, networks...).Post(t.Context(), "p", "id", nil); err == nil || !strings.Contains(err.Error(), "is not among the networks") {
				t.Errorf("got %v", err)
			}
		})
	}
	for name, c := range map[string]struct{ url, says string }{
		"User":       {"https://user:canary@itsm.bank.example/x", "without user and query"},
		"Query":      {"https://itsm.bank.example/x?token=canary", "without user and query"},
		"File":       {"file:///etc/passwd", "write https://"},
		"NoHost":     {"https:///x", "write https://"},
		"Unreadable": {"https://canary\x7f", "write https://"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := webhook.NewTarget(webhook.TargetOptions{URL: c.url, Key: key(t, "k", secret)})
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("PlainElsewhere", func(t *testing.T) {
		made, err := webhook.NewTarget(webhook.TargetOptions{URL: "http://192.0.2.1/x", Networks: []string{"192.0.2.0/24"}, Key: key(t, "k", secret)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := made.Post(t.Context(), "p", "id", nil); err == nil || !strings.Contains(err.Error(), "is not among the networks") {
			t.Errorf("http leaves this machine: %v", err)
		}
	})
}
