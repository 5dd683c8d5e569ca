// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sinks_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
	"github.com/fairway-cloud/fairway/internal/audit/sinks"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

var quiet = slog.New(slog.DiscardHandler)

// trust is a certificate for 127.0.0.1, and who signed it.
func trust(t *testing.T) (tls.Certificate, *pki.Authority) {
	t.Helper()
	authority, err := pki.New("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Request{CommonName: "receiver", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, authority
}

// receiver is a syslog server that reads counted messages. mood says how it
// treats its next connection.
type receiver struct {
	t           *testing.T
	certificate tls.Certificate
	address     string
	listener    net.Listener
	mood        atomic.Int32

	mu       sync.Mutex
	messages []string
}

const (
	well int32 = iota
	resets
	readsHalf
	hangs
)

func (r *receiver) listen() {
	r.t.Helper()
	address := r.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{r.certificate}, MinVersion: tls.VersionTLS12})
	if err != nil {
		r.t.Fatal(err)
	}
	r.listener, r.address = l, l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
}

func (r *receiver) serve(c net.Conn) {
	defer c.Close()
	mood := r.mood.Load()
	if mood == hangs {
		_, _ = io.Copy(io.Discard, io.LimitReader(c, 1))
		time.Sleep(time.Minute)
		return
	}
	in := bufio.NewReader(c)
	var got []string
	for {
		count, err := in.ReadString(' ')
		if err != nil {
			break
		}
		n, err := strconv.Atoi(strings.TrimSpace(count))
		if err != nil {
			r.t.Errorf("no count of octets: %q", count)
			return
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		got = append(got, string(message))
		if mood != well && len(got) == 3 {
			if mood == readsHalf { // it keeps what it has and dies
				r.keep(got)
			}
			if tcp, ok := c.(*tls.Conn); ok {
				_ = tcp.NetConn().(*net.TCPConn).SetLinger(0)
				_ = tcp.NetConn().Close()
			}
			return
		}
	}
	r.keep(got)
}

func (r *receiver) keep(messages []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, messages...)
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.messages...)
}

func until(t *testing.T, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ask(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// knows makes connections to those whose certificate the authority signed.
func knows(t *testing.T, authority *pki.Authority) *sealing.Dialer {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, authority.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	dialer, err := sealing.Client{CAFile: file}.Open()
	if err != nil {
		t.Fatal(err)
	}
	return dialer
}

// run feeds a sink until stop is called.
func run(t *testing.T, p *sinks.Pump) (stop func()) {
	t.Helper()
	p.Logger, p.Every, p.Retry, p.MostRetry = quiet, 5*time.Millisecond, 5*time.Millisecond, 20*time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

var indexOf = regexp.MustCompile(`\[fairway@32473 index="(\d+)"`)

// allOf says whether all records up to size have arrived, the first time in order.
func allOf(t *testing.T, messages []string, size int) bool {
	t.Helper()
	next := 0
	for _, m := range messages {
		found := indexOf.FindStringSubmatch(m)
		if found == nil {
			t.Fatalf("no structured data: %q", m)
		}
		n, _ := strconv.Atoi(found[1])
		if n > next {
			t.Fatalf("record %d arrives before record %d", n, next)
		}
		if n == next {
			next++
		}
	}
	return next == size
}

func acts(log *audittest.Log, n int) {
	for i := range n {
		log.Act(audit.Act{Verb: "release.step", Person: "p-7", Subject: "Release/retail-prod/r", Reason: fmt.Sprintf("step %d ] \" \\ password=hunter2", i)}, audit.Outcome{Result: audit.Failed})
	}
}

func TestSyslogArrivesWhateverTheReceiverDoes(t *testing.T) {
	certificate, authority := trust(t)
	r := &receiver{t: t, certificate: certificate}
	r.listen()
	defer func() { _ = r.listener.Close() }()
	log, dir := audittest.New("server", audittest.Clock(time.Unix(0, 0))), t.TempDir()
	pump := func() *sinks.Pump {
		return &sinks.Pump{Log: log, Dir: dir, Batch: 10, Sink: &sinks.Syslog{
			Title: "soc", Address: r.address, Host: "hub 1", Sealer: knows(t, authority), Timeout: 300 * time.Millisecond,
		}}
	}
	first := pump()
	stop := run(t, first)
	acts(log, 20)
	until(t, "40 records arrive", func() bool { return allOf(t, r.got(), 40) })
	for _, mood := range []int32{resets, readsHalf, hangs} {
		r.mood.Store(mood)
		acts(log, 10)
		until(t, "the sink is away", func() bool { return first.State().Away })
		r.mood.Store(well)
		until(t, "what was missed follows", func() bool { return allOf(t, r.got(), len(log.Entries())) })
	}
	_ = r.listener.Close() // the receiver ends
	acts(log, 5)
	until(t, "the sink is away", func() bool { return first.State().Away })
	stop() // and Fairway ends meanwhile
	r.listen()
	run(t, pump())
	until(t, "what was missed follows", func() bool { return allOf(t, r.got(), len(log.Entries())) })

	all := r.got()
	shape := regexp.MustCompile(`^<10[89]>1 1970-01-01T00:\d\d:\d\d\.000000Z hub1 fairway - (intent|outcome) \[fairway@32473 index="\d+" source="server" seq="\d+"[^]]*\] \x{feff}\{`)
	for _, m := range all {
		if !shape.MatchString(m) || strings.Contains(m, "hunter2") {
			t.Fatalf("not RFC 5424, or not masked: %q", m)
		}
	}
}

func TestAReceiverWithAForeignCertificateGetsNothing(t *testing.T) {
	certificate, _ := trust(t)
	_, other := trust(t)
	r := &receiver{t: t, certificate: certificate}
	r.listen()
	defer func() { _ = r.listener.Close() }()
	log := audittest.New("s", time.Now)
	acts(log, 1)
	sink := &sinks.Syslog{Title: "soc", Address: r.address, Sealer: knows(t, other)}
	if err := sink.Send(t.Context(), log.Entries()); err == nil || len(r.got()) > 0 {
		t.Errorf("%v %v", err, r.got())
	}
}

func TestAWebhookGetsSignedRecords(t *testing.T) {
	secret := []byte("a-secret-of-both-sides")
	var answer atomic.Int32
	answer.Store(http.StatusOK)
	var mu sync.Mutex
	var got []audit.Entry
	certificate, authority := trust(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		signature := r.Header.Get("Fairway-Signature")
		seconds, _, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",")
		at, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil || sinks.Sign(secret, time.Unix(at, 0), body) != signature || time.Since(time.Unix(at, 0)) > time.Minute {
			t.Errorf("not signed: %q", signature)
		}
		if status := int(answer.Load()); status != http.StatusOK {
			w.Header().Set("Location", "https://127.0.0.1:1/elsewhere")
			w.WriteHeader(status)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for line := range bytes.Lines(body) {
			e := audit.Entry{}
			if err := json.Unmarshal(line, &e); err != nil {
				t.Error(err)
			}
			if e.Index == uint64(len(got)) {
				got = append(got, e)
			}
			if strings.Contains(string(line), "hunter2") {
				t.Errorf("not masked: %s", line)
			}
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()
	arrived := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	log := audittest.New("server", time.Now)
	dir := t.TempDir()
	ca, secretFile, file := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "secret"), filepath.Join(dir, "sinks.yaml")
	for path, content := range map[string]string{ca: string(authority.CertPEM()), secretFile: string(secret), file: fmt.Sprintf("sinks:\n- name: siem\n  webhook: {url: %q, secretFile: %q, caFile: %q}\n", server.URL, secretFile, ca)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := sinks.Load(file)
	if err != nil || len(loaded) != 1 {
		t.Fatal(err)
	}
	p := &sinks.Pump{Sink: loaded[0], Log: log, Dir: filepath.Join(dir, "positions"), Batch: 7}
	run(t, p)
	acts(log, 30)
	until(t, "60 records arrive", func() bool { return arrived() == 60 })
	for _, status := range []int32{500, 503, 429, 302, 401} {
		answer.Store(status)
		acts(log, 3)
		until(t, "the sink is away", func() bool { return p.State().Away })
		answer.Store(http.StatusOK)
		until(t, "what was missed follows", func() bool { return arrived() == len(log.Entries()) })
	}
	if state := p.State(); state.Name != "siem" || state.Next != uint64(len(log.Entries())) && arrived() != len(log.Entries()) {
		t.Errorf("%+v", state)
	}
}

// A receiver that never answers keeps neither the log nor another sink waiting.
func TestADeadSinkBlocksNobody(t *testing.T) {
	certificate, authority := trust(t)
	dead := &receiver{t: t, certificate: certificate}
	dead.mood.Store(hangs)
	dead.listen()
	defer func() { _ = dead.listener.Close() }()
	alive := &receiver{t: t, certificate: certificate}
	alive.listen()
	defer func() { _ = alive.listener.Close() }()
	log, dir := audittest.New("server", time.Now), t.TempDir()
	var pumps []*sinks.Pump
	for name, r := range map[string]*receiver{"dead": dead, "alive": alive} {
		pumps = append(pumps, &sinks.Pump{Log: log, Dir: dir, Logger: quiet, Every: time.Millisecond, Sink: &sinks.Syslog{
			Title: name, Address: r.address, Sealer: knows(t, authority),
		}})
	}
	// One whose position was destroyed does not run, and says so.
	if err := os.WriteFile(filepath.Join(dir, "lost.position"), []byte("many"), 0o600); err != nil {
		t.Fatal(err)
	}
	lost := &sinks.Pump{Log: log, Dir: dir, Logger: quiet, Sink: &sinks.Syslog{Title: "lost", Address: alive.address}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- sinks.Feed(ctx, append(pumps, lost)) }()
	began := time.Now()
	acts(log, 100)
	if took := time.Since(began); took > time.Second {
		t.Errorf("the log waits %s for a sink", took)
	}
	until(t, "the other sink has everything", func() bool { return allOf(t, alive.got(), 200) })
	until(t, "the one without a position says so", func() bool { return lost.State().Away })
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("a dead sink keeps the server from ending")
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, open, short := write("secret", "s3cret-of-some-length", 0o600), write("open", "s3cret-of-some-length", 0o644), write("short", "s3cret", 0o600)
	for name, test := range map[string]struct{ text, want string }{
		"Name":     {"sinks: [{name: A/B, syslog: {address: 'x:1'}}]", "small letters"},
		"Twice":    {"sinks: [{name: a, syslog: {address: 'x:1'}}, {name: a, syslog: {address: 'x:1'}}]", "is taken"},
		"Neither":  {"sinks: [{name: a}]", "syslog or webhook"},
		"Both":     {"sinks: [{name: a, syslog: {address: 'x:1'}, webhook: {url: 'https://x'}}]", "one of them"},
		"Port":     {"sinks: [{name: a, syslog: {address: x}}]", "host:port"},
		"Plain":    {"sinks: [{name: a, webhook: {url: 'http://siem.bank.example', secretFile: " + secret + "}}]", "https://"},
		"Userinfo": {"sinks: [{name: a, webhook: {url: 'https://u:hidden-pw@x', secretFile: " + secret + "}}]", "secretFile"},
		"Open":     {"sinks: [{name: a, webhook: {url: 'https://x', secretFile: " + open + "}}]", "0600"},
		"Short":    {"sinks: [{name: a, webhook: {url: 'https://x', secretFile: " + short + "}}]", "16 characters"},
		"Unknown":  {"sinks: [{name: a, sislog: {}}]", "sislog"},
		"CA":       {"sinks: [{name: a, syslog: {address: 'x:1', caFile: " + secret + "}}]", "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sinks.Load(write("sinks.yaml", test.text, 0o600))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "hidden-pw") {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}
