// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/identity/lockout"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	"github.com/fairway-cloud/fairway/internal/identity/server"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/metricstest"
)

const password = "correct horse battery 7"

// evidence is a Recorder that keeps what it is told, and can be away.
type evidence struct {
	mu       sync.Mutex
	away     bool
	acts     []audit.Act
	outcomes []audit.Outcome
}

func (e *evidence) Intent(_ context.Context, act audit.Act) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.away {
		return "", errors.New("the disk is full")
	}
	e.acts = append(e.acts, act)
	return fmt.Sprint(len(e.acts)), nil
}

func (e *evidence) Outcome(_ context.Context, _ string, outcome audit.Outcome) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.outcomes = append(e.outcomes, outcome)
	return nil
}

func (e *evidence) take() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var lines []string
	for i, act := range e.acts {
		line := act.Verb + " " + act.Person + " " + act.Subject + " from " + act.From + " " + string(act.Class)
		if i < len(e.outcomes) {
			line += " " + string(e.outcomes[i].Result) + ": " + e.outcomes[i].Message
		}
		lines = append(lines, line)
	}
	e.acts, e.outcomes = nil, nil
	return strings.Join(lines, "\n")
}

func (e *evidence) set(away bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.away = away
}

// bank is a Directory in memory: person by login, and what keeps everybody out.
type bank struct {
	mu     sync.Mutex
	people map[string]identity.Person
	gone   map[string]error
}

func (b *bank) Resolve(ctx context.Context, claim identity.Claim) (identity.Person, error) {
	return b.Current(ctx, "p-"+claim.Login, claim.Groups)
}

func (b *bank) Current(_ context.Context, id string, groups []string) (identity.Person, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.gone[id]; err != nil {
		return identity.Person{}, err
	}
	person, ok := b.people[id]
	if !ok {
		return identity.Person{}, identity.ErrNobody
	}
	person.Groups = append(append([]string{}, person.Groups...), groups...)
	return person, nil
}

func (b *bank) refuse(id string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone[id] = err
}

// site is the room behind the chain, on a database of its own.
type site struct {
	t        *testing.T
	url      string
	evidence *evidence
	bank     *bank
	db       *database.DB
	sessions *session.Store
	accounts *local.Accounts
	now      func() time.Time
	set      func(time.Time)
	logged   *bytes.Buffer
}

type change func(*server.Config, *httpapi.Chain)

func newSite(t *testing.T, changes ...change) *site {
	t.Helper()
	var mu sync.Mutex
	at := time.Now()
	s := &site{t: t, evidence: &evidence{}, logged: &bytes.Buffer{}}
	s.now = func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	s.set = func(to time.Time) { mu.Lock(); defer mu.Unlock(); at = to }
	s.bank = &bank{gone: map[string]error{}, people: map[string]identity.Person{
		"p10001": {ID: "p10001", Groups: []string{"retail"}}, "p10009": {ID: "p10009", Groups: []string{"fairway:security-administrators"}},
		"p-zhang.san": {ID: "p-zhang.san"},
	}}
	log := slog.New(slog.NewTextHandler(s.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	dir := t.TempDir()
	var err error
	if s.db, err = database.Open(t.Context(), filepath.Join(dir, "fairway.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Close() })
	key, err := seal.Ensure(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	if s.sessions, err = session.New(t.Context(), s.db, session.Options{Directory: s.bank, Log: log, Now: s.now}); err != nil {
		t.Fatal(err)
	}
	if s.accounts, err = local.New(t.Context(), s.db, local.Options{Key: key, Log: log, Now: s.now, Cost: local.Cost{Memory: 64, Passes: 1, Lanes: 1}}); err != nil {
		t.Fatal(err)
	}
	attempts, err := lockout.New(t.Context(), s.db, s.now)
	if err != nil {
		t.Fatal(err)
	}
	config := server.Config{
		Providers: []server.Provider{{Name: "local", DisplayName: "Fairway", Passwords: s.accounts}}, Sessions: s.sessions, Accounts: s.accounts,
		Lockout: attempts, Directory: s.bank, Recorder: s.evidence, Key: key, Log: log, Now: s.now,
	}
	chain := &httpapi.Chain{Identity: s.sessions, Gate: approval.Unrestricted{}, Recorder: s.evidence, Log: log}
	for _, c := range changes {
		c(&config, chain)
	}
	room := server.New(config)
	handler, err := chain.Mount(append(room.Routes(), httpapi.Route{
		Method: http.MethodGet, Pattern: "/api/v1/whoami", Room: "identity", Verb: "whoami", Effect: httpapi.Reads,
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			person, _ := identity.FromContext(r.Context())
			_, err := fmt.Fprintf(w, `{"id":%q,"machine":%q}`, person.ID, person.Machine)
			return err
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(handler)
	t.Cleanup(listener.Close)
	s.url = listener.URL
	for name, person := range map[string]string{"wang.wu": "p10001", "sec.officer": "p10009"} {
		invite, _, err := s.accounts.Add(t.Context(), name, person)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.accounts.Accept(t.Context(), invite, password); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

type answer struct {
	status  int
	body    map[string]any
	raw     string
	header  http.Header
	cookies []*http.Cookie
}

func (a answer) code() string { code, _ := a.body["code"].(string); return code }

func (s *site) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body == "" {
		request.Body, request.ContentLength = http.NoBody, 0
	} else {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, raw: string(raw), header: response.Header, body: map[string]any{}, cookies: response.Cookies()}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

func (s *site) login(name, with string) answer {
	s.t.Helper()
	body, _ := json.Marshal(map[string]any{"login": name, "password": with})
	return s.do(http.MethodPost, "/api/v1/identity/login", string(body))
}

func (s *site) token(name string) string {
	s.t.Helper()
	a := s.login(name, password)
	token, _ := a.body["token"].(string)
	if a.status != http.StatusOK || token == "" {
		s.t.Fatalf("%s does not get in: %d %s", name, a.status, a.raw)
	}
	return token
}

func TestLoginAndLogout(t *testing.T) {
	s := newSite(t)
	a := s.login("wang.wu", password)
	if a.status != http.StatusOK || a.body["person"] != "p10001" || a.header.Get("Cache-Control") != "no-store" || len(a.cookies) != 0 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	token, _ := a.body["token"].(string)
	if got := s.evidence.take(); got != "identity.login p10001 Login/local/wang.wu from 127.0.0.1 login Done: session "+a.body["session"].(map[string]any)["id"].(string) {
		t.Errorf("got %s", got)
	}
	if who := s.do(http.MethodGet, "/api/v1/whoami", "", "Authorization", "Bearer "+token); who.body["id"] != "p10001" {
		t.Errorf("%d %s", who.status, who.raw)
	}
	if out := s.do(http.MethodPost, "/api/v1/identity/logout", "", "Authorization", "Bearer "+token); out.status != http.StatusNoContent {
		t.Errorf("%d %s", out.status, out.raw)
	}
	if got := s.evidence.take(); !strings.HasPrefix(got, "identity.logout p10001 Session//s-") || !strings.HasSuffix(got, " login Done: ") {
		t.Errorf("got %s", got)
	}
	if who := s.do(http.MethodGet, "/api/v1/whoami", "", "Authorization", "Bearer "+token); who.status != http.StatusUnauthorized {
		t.Errorf("the token is dead at once: %d", who.status)
	}
}

// Nothing tells an account that is there from one that is not, and nothing that was
// typed is kept: it may be a password in the wrong field.
func TestWhatIsWrongIsSaidInOneWay(t *testing.T) {
	s := newSite(t)
	known, unknown := s.login("wang.wu", "canary-wrong-password"), s.login("canary-in-the-wrong-field", "canary-x")
	delete(known.body, "trace")
	delete(unknown.body, "trace")
	if fmt.Sprint(known.body) != fmt.Sprint(unknown.body) || known.status != http.StatusUnauthorized {
		t.Errorf("%v\n%v", known.body, unknown.body)
	}
	for reason, name := range map[string]string{"too long": strings.Repeat("a", 300), "control": "a\x00b", "bidi": "a\u202eb", "empty": ""} {
		if got := s.login(name, "canary-y-password"); got.status != http.StatusUnauthorized && got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", reason, got.status, got.raw)
		}
	}
	kept := s.evidence.take() + s.logged.String()
	if strings.Contains(kept, "canary") || !strings.Contains(kept, "Login/local/wang.wu from 127.0.0.1 login Refused") || strings.Count(kept, "Login/local/unknown-") != 5 {
		t.Errorf("got %s", kept)
	}
}

func TestBodiesThatAreNone(t *testing.T) {
	s := newSite(t)
	for reason, test := range map[string]struct {
		body   string
		status int
	}{
		"10 MiB":        {`{"login":"` + strings.Repeat("a", 10<<20) + `"}`, http.StatusRequestEntityTooLarge},
		"a little more": {`{"login":"` + strings.Repeat("a", 8<<10) + `"}`, http.StatusRequestEntityTooLarge},
		"deep":          {strings.Repeat("[", 4000), http.StatusBadRequest},
		"unknown field": {`{"login":"a","password":"b","admin":true}`, http.StatusBadRequest},
		"two":           {`{"login":"a","password":"b"}{}`, http.StatusBadRequest},
		"null":          {`null`, http.StatusUnauthorized},
		"number":        {`{"login":1,"password":"canary"}`, http.StatusBadRequest},
		"GBK":           {"{\"login\":\"\xd6\xd0\xb9\xfa\",\"password\":\"canary-password\"}", http.StatusUnauthorized},
		"provider":      {`{"provider":"nope","login":"a","password":"b"}`, http.StatusUnprocessableEntity},
	} {
		if got := s.do(http.MethodPost, "/api/v1/identity/login", test.body); got.status != test.status || strings.Contains(got.raw, "canary") {
			t.Errorf("%s: %d %s", reason, got.status, got.raw)
		}
	}
	if got := s.do(http.MethodPost, "/api/v1/identity/login", `{}`, "Content-Type", "text/plain"); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("a form of another site cannot send JSON: %d", got.status)
	}
}

// Abuse case 42: guessing, with an address that the client makes up.
func TestGuessingIsSlowedDown(t *testing.T) {
	s := newSite(t)
	try := func(i int, with string) answer {
		body, _ := json.Marshal(map[string]any{"login": "wang.wu", "password": with})
		return s.do(http.MethodPost, "/api/v1/identity/login", string(body), "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i), "Forwarded", "for=1.2.3.4")
	}
	for i := range 5 {
		if got := try(i, "wrong password 1"); got.status != http.StatusUnauthorized {
			t.Fatalf("attempt %d: %d %s", i, got.status, got.raw)
		}
	}
	if got := try(6, password); got.status != http.StatusTooManyRequests || !strings.Contains(got.raw, "Wait for 30s") {
		t.Errorf("after five the right password does not help either: %d %s", got.status, got.raw)
	}
	if strings.Contains(s.evidence.take(), "203.0.113") {
		t.Error("what a client says of its address is believed by nobody")
	}
	s.set(s.now().Add(31 * time.Second))
	if got := try(7, password); got.status != http.StatusOK {
		t.Errorf("a lock ends: %d %s", got.status, got.raw)
	}
	// A name that nobody has locks in the same way.
	for range 5 {
		s.login("nobody.here", "wrong password 1")
	}
	if got := s.login("nobody.here", "wrong password 1"); got.status != http.StatusTooManyRequests {
		t.Errorf("a lock tells nothing: %d", got.status)
	}
	if got := s.login("sec.officer", password); got.status != http.StatusOK {
		t.Errorf("others come in: %d %s", got.status, got.raw)
	}
	for i := range 25 {
		s.login(fmt.Sprintf("guess-%d", i), "wrong password 1")
	}
	if got := s.login("sec.officer", password); got.status != http.StatusTooManyRequests {
		t.Errorf("an address that guesses many names is slowed down: %d", got.status)
	}
}

func TestOnlyAPinnedProxyNamesAddresses(t *testing.T) {
	s := newSite(t, func(_ *server.Config, c *httpapi.Chain) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/24")}
	})
	for header, want := range map[string]string{
		"198.51.100.7":                     "198.51.100.7",
		"1.2.3.4, 198.51.100.7, 10.0.0.9":  "198.51.100.7",
		"1.2.3.4, nonsense, 198.51.100.7":  "198.51.100.7",
		"nonsense":                         "127.0.0.1",
		"2001:db8::1":                      "2001:db8::1",
		"::ffff:198.51.100.8":              "198.51.100.8",
		"198.51.100.7\u202e, 198.51.100.9": "198.51.100.9",
	} {
		body, _ := json.Marshal(map[string]any{"login": "wang.wu", "password": password})
		s.do(http.MethodPost, "/api/v1/identity/login", string(body), "X-Forwarded-For", header)
		if got := s.evidence.take(); !strings.Contains(got, " from "+want+" ") {
			t.Errorf("%q: want %s, got %s", header, want, got)
		}
	}
}

func TestAttemptsSideBySideAreNotMore(t *testing.T) {
	s := newSite(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	looked := 0
	for range 40 {
		all.Go(func() {
			if got := s.login("wang.wu", "wrong password 1"); got.status == http.StatusUnauthorized {
				mu.Lock()
				looked++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if looked > 5 {
		t.Errorf("%d guesses were looked at before the lock", looked)
	}
}

func TestKnockingIsCounted(t *testing.T) {
	s := newSite(t)
	refused := 0
	for range 400 {
		// A way that is not there costs the server nothing, so that a busy machine is quick enough, too.
		if got := s.do(http.MethodPost, "/api/v1/identity/oidc/none/start", ""); got.status == http.StatusTooManyRequests {
			refused++
			if got.header.Get("Retry-After") == "" {
				t.Fatal("it says when to come back")
			}
		}
	}
	if refused < 10 {
		t.Errorf("of 400 at once %d were refused", refused)
	}
}

func TestWhoMayNotComeIn(t *testing.T) {
	s := newSite(t)
	for err, word := range map[error]string{identity.ErrDisabled: "no longer", identity.ErrExclusive: "exclude each other", identity.ErrNobody: "do not hold you"} {
		s.bank.refuse("p10001", err)
		got := s.login("wang.wu", password)
		if got.status != http.StatusForbidden || !strings.Contains(got.raw, word) || got.body["token"] != nil {
			t.Errorf("%v: %d %s", err, got.status, got.raw)
		}
		if e := s.evidence.take(); !strings.Contains(e, "Login/local/wang.wu") || !strings.Contains(e, "Refused") {
			t.Errorf("it is recorded: %s", e)
		}
	}
	s.bank.refuse("p10001", errors.New("the hub is away: canary"))
	if got := s.login("wang.wu", password); got.status != http.StatusServiceUnavailable || strings.Contains(got.raw, "canary") {
		t.Errorf("where nobody can tell, nobody comes in: %d %s", got.status, got.raw)
	}
}

func TestTheDatabaseIsAway(t *testing.T) {
	s := newSite(t)
	token := s.token("wang.wu")
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	s.set(s.now().Add(3 * time.Second))
	for what, got := range map[string]answer{
		"login":   s.login("wang.wu", password),
		"session": s.do(http.MethodGet, "/api/v1/whoami", "", "Authorization", "Bearer "+token),
		"list":    s.do(http.MethodGet, "/api/v1/identity/sessions", "", "Authorization", "Bearer "+token),
	} {
		if got.status != http.StatusServiceUnavailable || strings.Contains(got.raw, "sql") || strings.Contains(got.raw, "closed") {
			t.Errorf("%s: %d %s", what, got.status, got.raw)
		}
	}
	if got := s.login("canary-name", "canary-pass-1"); strings.Contains(s.logged.String(), "canary") || got.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", got.status, s.logged)
	}
}

// Who cannot come in cannot take the way back either.
func TestTheEvidenceIsAway(t *testing.T) {
	s := newSite(t)
	s.evidence.set(true)
	token := s.token("wang.wu")
	if !strings.Contains(s.logged.String(), "somebody comes in without a record") {
		t.Error("the log says so loudly")
	}
	if got := s.do(http.MethodPost, "/api/v1/identity/tokens", `{"name":"ci","expires":"`+s.now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`, "Authorization", "Bearer "+token); got.code() != "evidence-away" {
		t.Errorf("no token is made without a record: %d %s", got.status, got.raw)
	}
	if got := s.do(http.MethodPost, "/api/v1/identity/logout", "", "Authorization", "Bearer "+token); got.status != http.StatusNoContent {
		t.Errorf("but logins end: %d %s", got.status, got.raw)
	}
}

func TestTheConsolesCookie(t *testing.T) {
	s := newSite(t)
	a := s.do(http.MethodPost, "/api/v1/identity/login", `{"login":"wang.wu","password":"`+password+`","cookie":true}`)
	if a.status != http.StatusOK || a.body["token"] != nil || strings.Contains(a.raw, "fws_") {
		t.Fatalf("the credential is in the cookie alone: %d %s", a.status, a.raw)
	}
	values := map[string]string{}
	for _, c := range a.cookies {
		values[c.Name] = c.Value
		if !c.Secure || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteStrictMode || (c.Name == "__Host-fairway") != c.HttpOnly {
			t.Errorf("got %s", c)
		}
	}
	cookie := "__Host-fairway=" + values["__Host-fairway"]
	csrf := values["__Host-fairway-csrf"]
	if csrf == "" || csrf != a.body["csrf"] {
		t.Fatalf("the console's script knows its word: %v", values)
	}
	if got := s.do(http.MethodGet, "/api/v1/whoami", "", "Cookie", cookie); got.body["id"] != "p10001" {
		t.Errorf("%d %s", got.status, got.raw)
	}
	for reason, headers := range map[string][]string{
		"without the word":     {"Cookie", cookie},
		"with another":         {"Cookie", cookie, "X-Fairway-Csrf", strings.Repeat("0", 32)},
		"from another site":    {"Cookie", cookie, "X-Fairway-Csrf", csrf, "Origin", "https://evil.example"},
		"from nowhere":         {"Cookie", cookie, "X-Fairway-Csrf", csrf, "Origin", "null"},
		"with a planted twin":  {"Cookie", cookie + "; __Host-fairway=other", "X-Fairway-Csrf", csrf},
		"with an empty bearer": {"Cookie", cookie, "X-Fairway-Csrf", csrf, "Authorization", ""},
	} {
		if got := s.do(http.MethodPost, "/api/v1/identity/kubectl", "", headers...); got.status != http.StatusForbidden && got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", reason, got.status, got.raw)
		}
	}
	got := s.do(http.MethodPost, "/api/v1/identity/logout", "", "Cookie", cookie, "X-Fairway-Csrf", csrf, "Origin", s.url)
	if got.status != http.StatusNoContent || len(got.cookies) != 2 || got.cookies[0].MaxAge >= 0 {
		t.Errorf("%d %s %v", got.status, got.raw, got.cookies)
	}
}

func TestTokensAndSessionsOfOthers(t *testing.T) {
	s := newSite(t)
	mine, officer := s.token("wang.wu"), s.token("sec.officer")
	as := func(token, method, path, body string) answer {
		return s.do(method, path, body, "Authorization", "Bearer "+token)
	}
	made := as(mine, http.MethodPost, "/api/v1/identity/tokens", `{"name":"ci","scope":{"readOnly":true},"expires":"`+s.now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
	token, _ := made.body["token"].(string)
	id, _ := made.body["metadata"].(map[string]any)["id"].(string)
	if made.status != http.StatusCreated || !strings.HasPrefix(token, "fwt_") {
		t.Fatalf("%d %s", made.status, made.raw)
	}
	if got := as(token, http.MethodGet, "/api/v1/whoami", ""); got.body["id"] != "p10001" || got.body["machine"] != "ci" {
		t.Errorf("%d %s", got.status, got.raw)
	}
	for _, path := range []string{"/api/v1/identity/tokens", "/api/v1/identity/kubectl", "/api/v1/identity/logout"} {
		if got := as(token, http.MethodPost, path, ""); got.status != http.StatusForbidden {
			t.Errorf("a machine lets nobody in: %s %d %s", path, got.status, got.raw)
		}
	}
	if got := as(officer, http.MethodDelete, "/api/v1/identity/tokens/t-0000000000000000", ""); got.status != http.StatusNotFound {
		t.Errorf("%d", got.status)
	}
	sessions := as(mine, http.MethodGet, "/api/v1/identity/sessions", "")
	own := sessions.body["items"].([]any)[0].(map[string]any)["id"].(string)
	officers := as(officer, http.MethodGet, "/api/v1/identity/sessions", "").body["current"].(string)
	// Somebody else's answers as one that is not there.
	foreign, missing := as(mine, http.MethodDelete, "/api/v1/identity/sessions/"+officers, ""), as(mine, http.MethodDelete, "/api/v1/identity/sessions/s-0123456789abcdef", "")
	if foreign.status != http.StatusNotFound || foreign.status != missing.status || foreign.code() != missing.code() {
		t.Errorf("%d %d", foreign.status, missing.status)
	}
	s.evidence.take()
	if got := as(officer, http.MethodDelete, "/api/v1/identity/tokens/"+id, ""); got.status != http.StatusNoContent {
		t.Errorf("a security administrator revokes: %d %s", got.status, got.raw)
	}
	if got := as(officer, http.MethodDelete, "/api/v1/identity/sessions/"+own, ""); got.status != http.StatusNoContent {
		t.Errorf("a security administrator ends: %d %s", got.status, got.raw)
	}
	if got := s.evidence.take(); !strings.Contains(got, "identity.revokeToken p10009 Token//"+id) || !strings.Contains(got, "identity.endSession p10009 Session//"+own) {
		t.Errorf("got %s", got)
	}
	for _, dead := range []string{mine, token} {
		if got := as(dead, http.MethodGet, "/api/v1/whoami", ""); got.status != http.StatusUnauthorized {
			t.Errorf("dead at once: %d", got.status)
		}
	}
	for _, path := range []string{"/api/v1/identity/sessions?person=*", "/api/v1/identity/tokens?person=p10009", "/api/v1/identity/accounts"} {
		if got := as(s.token("wang.wu"), http.MethodGet, path, ""); got.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", path, got.status, got.raw)
		}
	}
}

func TestASecondFactorByTheAPI(t *testing.T) {
	s := newSite(t)
	token := s.token("wang.wu")
	enrolled := s.do(http.MethodPost, "/api/v1/identity/second-factor", "", "Authorization", "Bearer "+token)
	secret, _ := enrolled.body["secret"].(string)
	if enrolled.status != http.StatusOK || secret == "" {
		t.Fatalf("%d %s", enrolled.status, enrolled.raw)
	}
	confirm := func(code string) answer {
		return s.do(http.MethodPost, "/api/v1/identity/second-factor/confirm", `{"code":"`+code+`"}`, "Authorization", "Bearer "+token)
	}
	if got := confirm("000000"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if got := confirm(codeOf(t, secret, s.now())); got.status != http.StatusNoContent {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	needs := s.login("wang.wu", password)
	if needs.status != http.StatusUnauthorized || !strings.Contains(needs.raw, "CodeNeeded") {
		t.Errorf("%d %s", needs.status, needs.raw)
	}
	s.set(s.now().Add(time.Minute))
	if got := s.do(http.MethodPost, "/api/v1/identity/login", `{"login":"wang.wu","password":"`+password+`","code":"`+codeOf(t, secret, s.now())+`"}`); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if kept := s.evidence.take() + s.logged.String(); strings.Contains(kept, secret) {
		t.Error("the secret is shown once and kept nowhere")
	}
}

func TestANewPasswordEndsTheSessions(t *testing.T) {
	s := newSite(t)
	token := s.token("wang.wu")
	s.evidence.take()
	change := func(old, next string) answer {
		return s.do(http.MethodPost, "/api/v1/identity/password", `{"login":"wang.wu","password":"`+old+`","newPassword":"`+next+`"}`)
	}
	if got := change("wrong password 1", "another horse battery 8"); got.status != http.StatusUnauthorized {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if got := change(password, "short"); got.status != http.StatusUnprocessableEntity || strings.Contains(got.raw, `"short"`) {
		t.Errorf("%d %s", got.status, got.raw)
	}
	if got := change(password, "another horse battery 8"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	if got := s.do(http.MethodGet, "/api/v1/whoami", "", "Authorization", "Bearer "+token); got.status != http.StatusUnauthorized {
		t.Errorf("who stole a session has it no longer: %d", got.status)
	}
	kept := s.evidence.take() + s.logged.String()
	if strings.Contains(kept, "horse") || !strings.Contains(kept, "identity.setPassword p10001 Account//wang.wu") {
		t.Errorf("got %s", kept)
	}
	for range 12 { // an invitation cannot be guessed
		s.do(http.MethodPost, "/api/v1/identity/password", `{"invitation":"fwi_guess","newPassword":"another horse battery 8"}`)
	}
	if got := s.do(http.MethodPost, "/api/v1/identity/password", `{"invitation":"fwi_guess","newPassword":"another horse battery 8"}`); got.status != http.StatusTooManyRequests {
		t.Errorf("%d %s", got.status, got.raw)
	}
}

func TestAttemptsAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := newSite(t, func(c *server.Config, _ *httpapi.Chain) {
		for range 2 { // a second server in one process counts on
			metrics, err := server.NewMetrics(registry)
			if err != nil {
				t.Fatal(err)
			}
			c.Metrics = metrics
		}
	})
	s.login("wang.wu", password)
	s.login("canary-name", "canary password")
	for range 6 {
		s.login("sec.officer", "wrong password 1")
	}
	s.bank.refuse("p10001", identity.ErrDisabled)
	s.login("wang.wu", password)
	got := metricstest.Read(t, registry)
	want := map[string]float64{
		"fairway_identity_logins_total local done": 1, "fairway_identity_logins_total local refused": 6,
		"fairway_identity_logins_total local locked": 1, "fairway_identity_logins_total local stranger": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Accounts are a security administrator's matter: nobody else opens, lists or changes
// one, and nothing happens when he tries.
func TestWhoManagesAccounts(t *testing.T) {
	s := newSite(t)
	mine, officer := s.token("wang.wu"), s.token("sec.officer")
	for _, r := range []struct{ method, path, body string }{
		{http.MethodGet, "/api/v1/identity/accounts", ""},
		{http.MethodPost, "/api/v1/identity/accounts", `{"name":"mine.too","person":"p10001"}`},
		{http.MethodPost, "/api/v1/identity/accounts/sec.officer/invite", ""},
		{http.MethodPost, "/api/v1/identity/accounts/sec.officer/unlock", ""},
		{http.MethodDelete, "/api/v1/identity/accounts/sec.officer", ""},
	} {
		if got := s.do(r.method, r.path, r.body, "Authorization", "Bearer "+mine); got.status != http.StatusForbidden {
			t.Errorf("%s %s: want 403, got %d %s", r.method, r.path, got.status, got.raw)
		}
	}
	if got := s.do(http.MethodGet, "/api/v1/identity/accounts", "", "Authorization", "Bearer "+officer); got.status != http.StatusOK || strings.Contains(got.raw, "mine.too") || !strings.Contains(got.raw, "sec.officer") {
		t.Errorf("%d %s", got.status, got.raw)
	}
}

// Nobody ends all logins of another; a security administrator does.
func TestWhoEndsAllOfAnothersLogins(t *testing.T) {
	s := newSite(t)
	mine, officer := s.token("wang.wu"), s.token("sec.officer")
	const path = "/api/v1/identity/people/p10009/sessions"
	if got := s.do(http.MethodDelete, path, "", "Authorization", "Bearer "+mine); got.status != http.StatusForbidden {
		t.Errorf("want 403, got %d %s", got.status, got.raw)
	}
	if got := s.do(http.MethodGet, "/api/v1/whoami", "", "Authorization", "Bearer "+officer); got.status != http.StatusOK {
		t.Errorf("the other's login has ended: %d %s", got.status, got.raw)
	}
	if got := s.do(http.MethodDelete, "/api/v1/identity/people/p10001/sessions", "", "Authorization", "Bearer "+officer); got.status != http.StatusOK {
		t.Errorf("a security administrator ends them: %d %s", got.status, got.raw)
	}
}

// withoutLogin is somebody who came in by no login, such as the founder by his token.
type withoutLogin struct{}

func (withoutLogin) Authenticate(context.Context, string) (identity.Person, error) {
	return identity.Person{ID: "p10001", Provider: identity.Bootstrap}, nil
}

// A token is made in a login: whoever came in otherwise makes none that outlives it,
// and is told so.
func TestOnlyALoginMakesTokens(t *testing.T) {
	s := newSite(t, func(_ *server.Config, c *httpapi.Chain) { c.Identity = withoutLogin{} })
	got := s.do(http.MethodPost, "/api/v1/identity/tokens", `{"name":"ci","scope":{},"expires":"`+s.now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`, "Authorization", "Bearer x")
	if got.status != http.StatusForbidden || got.code() != "denied" {
		t.Errorf("want 403, got %d %s", got.status, got.raw)
	}
}
