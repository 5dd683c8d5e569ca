// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package header_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/header"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

type bank struct {
	mu   sync.Mutex
	gone error
}

func (b *bank) Resolve(_ context.Context, claim identity.Claim) (identity.Person, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone != nil {
		return identity.Person{}, b.gone
	}
	if claim.Login != "zhang.san" {
		return identity.Person{}, identity.ErrNobody
	}
	return identity.Person{ID: "p10023", Groups: claim.Groups}, nil
}

func (b *bank) Current(context.Context, string, []string) (identity.Person, error) {
	return identity.Person{}, identity.ErrNobody
}

func (b *bank) refuse(err error) { b.mu.Lock(); defer b.mu.Unlock(); b.gone = err }

type evidence struct {
	mu    sync.Mutex
	lines []string
}

func (e *evidence) Intent(_ context.Context, act audit.Act) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, act.Person+" "+act.Subject+" "+act.From)
	return "1", nil
}

func (e *evidence) Outcome(_ context.Context, _ string, o audit.Outcome) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines[len(e.lines)-1] += " " + string(o.Result)
	return nil
}

func (e *evidence) take() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	got := strings.Join(e.lines, "\n")
	e.lines = nil
	return got
}

type nobody struct{}

func (nobody) Authenticate(context.Context, string) (identity.Person, error) {
	return identity.Person{}, httpapi.ErrUnknownCredential
}

type site struct {
	url      string
	bank     *bank
	evidence *evidence
	client   *http.Client
	clock    time.Time
}

// newSite serves over TLS behind a front with these settings. pairs are certificates
// that the client shows.
func newSite(t *testing.T, settings identity.FrontSettings, pairs ...tls.Certificate) *site {
	t.Helper()
	s := &site{bank: &bank{}, evidence: &evidence{}, clock: time.Now()}
	front, err := header.New(header.Options{Settings: settings, Directory: s.bank, Recorder: s.evidence, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return s.clock }})
	if err != nil {
		t.Fatal(err)
	}
	chain := &httpapi.Chain{Identity: nobody{}, Front: front, Gate: approval.Unrestricted{}, Recorder: s.evidence, Log: slog.New(slog.DiscardHandler)}
	handler, err := chain.Mount([]httpapi.Route{{Method: "GET", Pattern: "/who", Room: "identity", Verb: "who", Effect: httpapi.Reads, Handler: func(w http.ResponseWriter, r *http.Request) error {
		person, _ := identity.FromContext(r.Context())
		_, err := fmt.Fprint(w, person.ID, " ", person.Groups, " ", r.Header.Get("X-Bank-User"), r.Header.Get("X-Bank-Groups"))
		return err
	}}})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewUnstartedServer(handler)
	listener.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	listener.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if front.WantsCertificates() {
		listener.TLS.ClientAuth = tls.RequestClientCert
	}
	listener.StartTLS()
	t.Cleanup(listener.Close)
	pool := x509.NewCertPool()
	pool.AddCert(listener.Certificate())
	s.url = listener.URL
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: pairs}}}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

func (s *site) ask(t *testing.T, set func(http.Header)) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/who", nil)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(request.Header)
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

func user(values ...string) func(http.Header) {
	return func(h http.Header) { h["X-Bank-User"] = values }
}

func TestTheFrontVouchesByHeader(t *testing.T) {
	s := newSite(t, identity.FrontSettings{Name: "4a", UserHeader: "X-Bank-User", GroupsHeader: "X-Bank-Groups", From: []string{"127.0.0.1"}})
	status, body := s.ask(t, func(h http.Header) { h.Set("X-Bank-User", "zhang.san"); h.Set("X-Bank-Groups", "dev, ops") })
	if status != http.StatusOK || body != "p10023 [dev ops] " {
		t.Errorf("the person comes in, and the headers go no further: %d %q", status, body)
	}
	s.ask(t, user("zhang.san"))
	if got := s.evidence.take(); got != "p10023 Login/4a/zhang.san 127.0.0.1 Done" {
		t.Errorf("that somebody came is recorded once: %s", got)
	}
	s.clock = s.clock.Add(31 * time.Minute)
	s.ask(t, user("zhang.san"))
	if got := s.evidence.take(); got == "" {
		t.Error("and again after half an hour of quiet")
	}
	for reason, set := range map[string]func(http.Header){
		"twice":             user("zhang.san", "zhang.san"),
		"with two people":   user("zhang.san", "li.si"),
		"an underscore":     func(h http.Header) { h["X_bank_user"] = []string{"zhang.san"} },
		"both spellings":    func(h http.Header) { h["X-Bank-User"] = []string{"zhang.san"}; h["X_Bank-User"] = []string{"li.si"} },
		"nobody":            user(""),
		"somebody else":     user("wang.wu"),
		"what is not seen":  user("zhang.san\u202e"),
		"groups alone":      func(h http.Header) { h.Set("X-Bank-Groups", "fairway:administrators") },
		"nothing":           nil,
		"a token of nobody": func(h http.Header) { h.Set("Authorization", "Bearer x") },
	} {
		if status, body := s.ask(t, set); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", reason, status, body)
		}
	}
	s.bank.refuse(identity.ErrDisabled)
	s.clock = s.clock.Add(2 * time.Second)
	if status, body := s.ask(t, user("zhang.san")); status != http.StatusUnauthorized || strings.Contains(body, "zhang.san") {
		t.Errorf("who may not come in any more is out within two seconds: %d %s", status, body)
	}
}

func TestAnybodyElseIsRefusedAndRecorded(t *testing.T) {
	s := newSite(t, identity.FrontSettings{Name: "4a", UserHeader: "X-Bank-User", From: []string{"10.1.2.0/24"}})
	for range 3 {
		if status, body := s.ask(t, user("zhang.san")); status != http.StatusUnauthorized || !strings.Contains(body, "not trusted here") {
			t.Errorf("%d %s", status, body)
		}
	}
	if got := s.evidence.take(); got != " Login/4a/unknown 127.0.0.1 Refused" {
		t.Errorf("once a minute for an address: %q", got)
	}
	// X-Forwarded-For moves nobody into the network that is pinned.
	if status, _ := s.ask(t, func(h http.Header) { h.Set("X-Bank-User", "zhang.san"); h.Set("X-Forwarded-For", "10.1.2.3") }); status != http.StatusUnauthorized {
		t.Errorf("got %d", status)
	}
}

// certificates: an authority's, in a file, and one that it signs for a client.
func certificates(t *testing.T, name string) (ca string, pair tls.Certificate, print string) {
	t.Helper()
	authority, err := pki.New("front")
	if err != nil {
		t.Fatal(err)
	}
	issued, err := authority.Issue(pki.Request{CommonName: name, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	if pair, err = tls.X509KeyPair(issued.Cert, issued.Key); err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, authority.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(issued.Cert)
	sum := sha256.Sum256(block.Bytes)
	return ca, pair, hex.EncodeToString(sum[:])
}

func TestTheFrontIsKnownByItsCertificate(t *testing.T) {
	ca, pair, print := certificates(t, "bastion-1")
	_, evil, _ := certificates(t, "bastion-1")
	colons := strings.ToUpper(print[:2]) + ":" + print[2:]
	for reason, test := range map[string]struct {
		settings identity.FrontSettings
		shown    []tls.Certificate
		status   int
	}{
		"its own":                {identity.FrontSettings{Certificates: []string{colons}}, []tls.Certificate{pair}, 200},
		"signed by its CA":       {identity.FrontSettings{CAFile: ca}, []tls.Certificate{pair}, 200},
		"and from there":         {identity.FrontSettings{CAFile: ca, From: []string{"127.0.0.0/8"}}, []tls.Certificate{pair}, 200},
		"but from elsewhere":     {identity.FrontSettings{CAFile: ca, From: []string{"10.0.0.0/8"}}, []tls.Certificate{pair}, 401},
		"the same name, another": {identity.FrontSettings{CAFile: ca}, []tls.Certificate{evil}, 401},
		"another's print":        {identity.FrontSettings{Certificates: []string{print}}, []tls.Certificate{evil}, 401},
		"none":                   {identity.FrontSettings{Certificates: []string{print}}, nil, 401},
	} {
		test.settings.Name, test.settings.UserHeader = "4a", "X-Bank-User"
		s := newSite(t, test.settings, test.shown...)
		if status, body := s.ask(t, user("zhang.san")); status != test.status {
			t.Errorf("%s: want %d, got %d %s", reason, test.status, status, body)
		}
		s.clock = s.clock.Add(50 * 365 * 24 * time.Hour)
		if status, _ := s.ask(t, user("zhang.san")); status != http.StatusUnauthorized {
			t.Errorf("%s: a certificate has an end, got %d", reason, status)
		}
	}
}

func TestAPersonsOwnCertificate(t *testing.T) {
	ca, pair, _ := certificates(t, "zhang.san")
	_, forged, _ := certificates(t, "zhang.san")
	settings := identity.FrontSettings{Name: "4a", CAFile: ca}
	if status, body := newSite(t, settings, pair).ask(t, nil); status != http.StatusOK || !strings.HasPrefix(body, "p10023") {
		t.Errorf("%d %s", status, body)
	}
	s := newSite(t, settings, forged)
	if status, _ := s.ask(t, nil); status != http.StatusUnauthorized || !strings.Contains(s.evidence.take(), "Refused") {
		t.Errorf("a certificate of anybody else's: %d", status)
	}
	if status, _ := newSite(t, settings).ask(t, user("zhang.san")); status != http.StatusUnauthorized {
		t.Errorf("without one a header says nothing: %d", status)
	}
}
