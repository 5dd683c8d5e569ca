// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/outbox"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

const (
	password = "mail-canary-password"
	hookKey  = "hook-canary-0123456789abcdef0123456789"
)

// mailServer is a mail server on a socket of its own. It speaks SMTP with STARTTLS
// and asks for a login.
type mailServer struct {
	t       *testing.T
	address string
	tls     *tls.Config

	mu sync.Mutex
	// plain: it offers no TLS. refuse: what it answers to a recipient.
	plain  bool
	refuse map[string]string
	mails  []string
}

func newMailServer(t *testing.T, certificate tls.Certificate) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{t: t, address: listener.Addr().String(), tls: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, refuse: map[string]string{}}
	var open sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); open.Wait() })
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { s.talk(conn) })
		}
	})
	return s
}

func (s *mailServer) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	say("220 mail.test")
	encrypted, known, to := false, false, ""
	for {
		request, err := in.ReadString('\n')
		if err != nil {
			return
		}
		request = strings.TrimSpace(request)
		s.mu.Lock()
		plain := s.plain
		s.mu.Unlock()
		switch verb, rest, _ := strings.Cut(request, " "); strings.ToUpper(verb) {
		case "EHLO":
			if encrypted || plain {
				say("250-mail.test\r\n250 AUTH PLAIN")
				continue
			}
			say("250-mail.test\r\n250 STARTTLS")
		case "STARTTLS":
			if plain {
				say("502 no")
				continue
			}
			say("220 go on")
			upgraded := tls.Server(conn, s.tls)
			conn, in, encrypted = upgraded, bufio.NewReader(upgraded), true
		case "AUTH":
			given, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			if !encrypted {
				s.t.Error("a password came without TLS")
			}
			if known = string(given) == "\x00fairway\x00"+password; !known {
				say("535 not " + string(given)) // a server that repeats what it heard
				continue
			}
			say("235 ok")
		case "MAIL":
			say("250 ok")
		case "RCPT":
			to = strings.Trim(strings.TrimPrefix(rest, "TO:"), "<>")
			s.mu.Lock()
			answer := s.refuse[to]
			s.mu.Unlock()
			if !known {
				answer = "530 log in"
			}
			if answer == "" {
				answer = "250 ok"
			}
			say(answer)
		case "DATA":
			say("354 go on")
			var data strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				data.WriteString(line)
			}
			s.mu.Lock()
			s.mails = append(s.mails, to+"\n"+data.String())
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 what")
		}
	}
}

// received are the mails, as "<to>: <subject>".
func (s *mailServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, raw := range s.mails {
		to, data, _ := strings.Cut(raw, "\n")
		m, err := mail.ReadMessage(strings.NewReader(data))
		if err != nil {
			s.t.Fatal(err)
		}
		subject, err := (&mime.WordDecoder{}).DecodeHeader(m.Header.Get("Subject"))
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, m.Body))
		if err != nil || !strings.Contains(string(text), "retail-prod/pay-1") || m.Header.Get("To") != "<"+to+">" || m.Header.Get("Message-Id") == "" {
			s.t.Errorf("%v %v\n%s", err, m.Header, text)
		}
		out = append(out, to+": "+subject)
	}
	return out
}

// office is people, a mail server, a webhook and what tells one of the other.
type office struct {
	mail    *mailServer
	telling *Telling
	clock   *clocktesting.FakeClock
	logged  *strings.Builder
	posted  func() []string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	var mu sync.Mutex
	var bodies []string
	clock := clocktesting.NewFakeClock(noon)
	key, err := webhook.NewKey("k", hookKey)
	if err != nil {
		t.Fatal(err)
	}
	hook := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, err := webhook.Verify([]webhook.Key{key}, r.Header, "fairway.notice.v1", body, clock.Now()); err != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, string(body))
	}))
	t.Cleanup(hook.Close)
	o := &office{mail: newMailServer(t, hook.TLS.Certificates[0]), clock: clock, logged: &strings.Builder{}}
	o.posted = func() []string { mu.Lock(); defer mu.Unlock(); return append([]string(nil), bodies...) }

	dir := t.TempDir()
	for name, text := range map[string]string{
		"ca.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hook.Certificate().Raw})), "password": password, "hook.key": hookKey,
		"notify.yaml": fmt.Sprintf(`language: zh
timeZone: Asia/Shanghai
mail: {server: %q, caFile: ca.pem, from: "Fairway <fairway@bank.example>", user: fairway, passwordFile: password}
webhooks:
- name: duty
  url: %s/in
  caFile: ca.pem
  networks: [127.0.0.0/8]
  key: {id: k, file: hook.key}
  kinds: [Waiting]
  body: '{"msgtype":"text","text":{"content":{{json .Subject}}}}'
groups:
  biz: [biz@bank.example]
`, o.mail.address, hook.URL),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settings, err := ReadConfig(filepath.Join(dir, "notify.yaml"), clock)
	if err != nil {
		t.Fatal(err)
	}
	db, err := database.Open(t.Context(), dir+"/fairway.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	box, err := outbox.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{approvalv1.AddToScheme, identityv1.AddToScheme, tenancyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	person := func(id, mail, state string, groups ...string) *identityv1.Person {
		return &identityv1.Person{ObjectMeta: metav1.ObjectMeta{Name: id}, Spec: identityv1.PersonSpec{Mail: mail, State: identityv1.PersonState(state), Groups: groups}}
	}
	hub := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		person("p-1", "requester@bank.example", "Active"), person("p-2", "maker@bank.example", "Disabled"), person("p-3", "tech@bank.example", "Active", "tech"),
		person("p-4", "other@bank.example", "Active", "other"), person("p-5", "biz@bank.example", "Active", "biz"), person("p-6", "", "Active", "tech"),
		&tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "retail"}, Spec: tenancyv1.TenantSpec{Roles: []tenancyv1.RoleBinding{
			{Role: "TechnologyApprover", Groups: []string{"tech"}, Environments: []string{"prod"}}, {Role: "TechnologyApprover", Groups: []string{"other"}, Environments: []string{"uat"}},
		}}},
	).Build()
	o.telling = &Telling{Hub: hub, Outbox: box, Settings: settings, Clock: clock, Log: slog.New(slog.NewTextHandler(o.logged, nil))}
	return o
}

// round looks at the request and works on the outbox once.
func (o *office) round(t *testing.T, r *approvalv1.ApprovalRequest) {
	t.Helper()
	if _, err := o.telling.Reconcile(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, w := range o.telling.Workers() {
		if err := w.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPeopleAreToldOnce(t *testing.T) {
	o := newOffice(t)
	for range 3 {
		o.round(t, request(t))
	}
	want := []string{"biz@bank.example: [待审批] prod pay release.Deploy：等待 business", "tech@bank.example: [待审批] prod pay release.Deploy：等待 technology"}
	got := o.mail.received()
	if len(got) == 2 && got[0] > got[1] {
		got[0], got[1] = got[1], got[0] // put in at the same time
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
	if posted := o.posted(); len(posted) != 2 || !json.Valid([]byte(posted[0])) || !strings.HasPrefix(posted[0], `{"msgtype":"text","text":{"content":"[待审批]`) {
		t.Errorf("posted: %v", posted)
	}
	// The end is told to those who asked, and who may come in; the webhook did not ask for it.
	o.round(t, request(t, with("Ready", "True", "Approved", noon)))
	if got := o.mail.received(); len(got) != 3 || got[2] != "requester@bank.example: [已批准] prod pay release.Deploy" {
		t.Errorf("mails: %v", got)
	}
	if len(o.posted()) != 2 {
		t.Errorf("posted: %v", o.posted())
	}
}

// One mailbox that is gone, one that is full, and a server that is away hold up
// nobody else, and no address and no password gets into the log.
func TestMailsThatAreNotTaken(t *testing.T) {
	o := newOffice(t)
	o.mail.refuse["biz@bank.example"] = "550 5.1.1 <biz@bank.example> unknown"
	o.mail.refuse["tech@bank.example"] = "452 4.2.2 <tech@bank.example> full"
	o.round(t, request(t))
	o.mail.mu.Lock()
	o.mail.refuse = map[string]string{}
	o.mail.mu.Unlock()
	for range 3 {
		o.clock.Step(time.Minute)
		o.round(t, request(t))
	}
	if diff := cmp.Diff([]string{"tech@bank.example: [待审批] prod pay release.Deploy：等待 technology"}, o.mail.received()); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
	if log := o.logged.String(); strings.Contains(log, "@bank.example") || strings.Contains(log, "canary") || !strings.Contains(log, "the server answered 550") {
		t.Errorf("the log:\n%s", log)
	}
}

func TestAMailServerIsNotTrusted(t *testing.T) {
	letter := letter{To: "tech@bank.example", Subject: "s", Text: "t"}
	for name, c := range map[string]struct {
		change func(o *office, m *Mail)
		to     string
		says   string
	}{
		"NoTLS":         {func(o *office, _ *Mail) { o.mail.plain = true }, "", "does not speak TLS"},
		"Foreign":       {func(_ *office, m *Mail) { m.sealer, _ = (sealing.Client{Name: m.host}).Open() }, "", "certificate"},
		"WrongPassword": {func(_ *office, m *Mail) { m.password = "wrong-canary" }, "", "does not take user and password"},
		"Away":          {func(_ *office, m *Mail) { m.server = "127.0.0.1:1" }, "", "could not reach the mail server"},
		"TwoInOne":      {nil, "tech@bank.example>\r\nRCPT TO:<x@y.example", "could not read the mail address"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			m := *o.telling.Settings.Mail
			if c.change != nil {
				c.change(o, &m)
			}
			l := letter
			if c.to != "" {
				l.To = c.to
			}
			err := m.Send(t.Context(), "id", l)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
			if got := o.mail.received(); len(got) != 0 {
				t.Errorf("mails: %v", got)
			}
		})
	}
	// A server that says nothing does not hold anybody for longer than he waits.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	o := newOffice(t)
	m := *o.telling.Settings.Mail
	m.server = silent.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := m.Send(ctx, "id", letter); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"Unknown":    {"langage: zh", "unknown field"},
		"Language":   {"language: fr", "the languages are zh and en"},
		"Zone":       {"timeZone: Asia/Atlantis", "write an IANA name"},
		"Soon":       {"expiresSoon: 0s", "write a time"},
		"Address":    {"groups: {g: [nobody]}", "could not read the mail address"},
		"Server":     {"mail: {server: smtp, from: a@b.example}", "write host:port"},
		"Sender":     {"mail: {server: 'smtp:25', from: nobody}", "could not read the sender"},
		"NoPassword": {"mail: {server: 'smtp:25', from: a@b.example, user: u}", "belong together"},
		"Open":       {"mail: {server: 'smtp:25', from: a@b.example, user: u, passwordFile: open}", "chmod 600"},
		"Kind":       {"webhooks: [{name: a, url: 'https://h/x', key: {id: k, file: key}, kinds: [Other]}]", "the kinds are"},
		"Body":       {"webhooks: [{name: a, url: 'https://h/x', key: {id: k, file: key}, body: '{\"t\":\"{{.Text}}\"}'}]", "write each field as {{json .Text}}"},
		"Field":      {"webhooks: [{name: a, url: 'https://h/x', key: {id: k, file: key}, body: '{{.Secret}}'}]", "can't evaluate field Secret"},
		"Twice":      {"webhooks: [{name: a, url: 'https://h/x', key: {id: k, file: key}}, {name: a, url: 'https://h/x', key: {id: k, file: key}}]", "another has that name"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, f := range map[string]struct {
				text string
				mode os.FileMode
			}{"notify.yaml": {c.text, 0o600}, "key": {hookKey, 0o600}, "open": {password, 0o644}} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(f.text), f.mode); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := ReadConfig(filepath.Join(dir, "notify.yaml"), clocktesting.NewFakePassiveClock(noon)); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
}
