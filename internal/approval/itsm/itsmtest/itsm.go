// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package itsmtest is an ITSM for tests: a server that speaks the protocol of
// docs/howto/connect-itsm.md for real, from the other side.
package itsmtest

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

// The keys that the test's ITSM and Fairway share.
const (
	RequestSecret = "request-canary-0123456789abcdef0123456789"
	VerdictSecret = "verdict-canary-0123456789abcdef0123456789"
)

// ITSM is the system of the bank.
type ITSM struct {
	// Name that policies call it by.
	Name string

	server              *httptest.Server
	requestKey, verdict webhook.Key
	now                 func() time.Time

	mu       sync.Mutex
	away     bool
	received int
	notices  map[string]itsm.Notice
	order    []string
	refused  []string
	verdicts int
}

// New starts an ITSM that ends with the test. now is its clock.
func New(t testing.TB, name string, now func() time.Time) *ITSM {
	t.Helper()
	i := &ITSM{Name: name, now: now, notices: map[string]itsm.Notice{}}
	var err error
	if i.requestKey, err = webhook.NewKey("request-1", RequestSecret); err != nil {
		t.Fatal(err)
	}
	if i.verdict, err = webhook.NewKey("verdict-1", VerdictSecret); err != nil {
		t.Fatal(err)
	}
	i.server = httptest.NewTLSServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.server.Close)
	return i
}

// Config writes the file of fairway server --itsm-config, with its keys beside it,
// and returns its path. account is the person id of the machine account.
func (i *ITSM) Config(t testing.TB, account string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"request.key": RequestSecret + "\n", "verdict.key": VerdictSecret + "\n",
		"ca.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw})),
		"itsm.yaml": fmt.Sprintf(`systems:
- name: %s
  url: %s/fairway/requests
  caFile: ca.pem
  networks: [127.0.0.0/8]
  requestKey: {id: request-1, file: request.key}
  verdictKeys: [{id: verdict-1, file: verdict.key}]
  account: %s
`, i.Name, i.server.URL, account),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "itsm.yaml")
}

// serve takes a message as an ITSM has to: it checks who signed it, and knows one
// that it has had.
func (i *ITSM) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if err == nil {
		_, err = webhook.Verify([]webhook.Key{i.requestKey}, r.Header, itsm.PurposeRequest, body, i.now())
	}
	notice := itsm.Notice{}
	if err == nil {
		err = json.Unmarshal(body, &notice)
	}
	if err != nil || notice.System != i.Name || notice.ID == "" || r.Header.Get("Idempotency-Key") != notice.ID {
		i.refused = append(i.refused, fmt.Sprintf("%v: %s", err, body))
		w.WriteHeader(http.StatusForbidden)
		return
	}
	i.received++
	if _, known := i.notices[notice.ID]; !known {
		i.notices[notice.ID] = notice
		i.order = append(i.order, notice.ID)
	}
	_, _ = fmt.Fprintf(w, `{"ticket":%q}`, Ticket(notice.Request))
}

// Ticket is the ITSM's ticket of a request.
func Ticket(r itsm.Request) string {
	uid := strings.ReplaceAll(r.UID, "-", "")
	return "CHG-" + uid[:min(8, len(uid))]
}

// Away makes the ITSM refuse everything, or serve again.
func (i *ITSM) Away(away bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away = away
}

// Notices are the messages that it has, each once, in the order in which they came.
func (i *ITSM) Notices() []itsm.Notice {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []itsm.Notice
	for _, id := range i.order {
		out = append(out, i.notices[id])
	}
	return out
}

// Received counts the messages that it took, repetitions included, and lists those
// that it had to refuse.
func (i *ITSM) Received() (taken int, refused []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.received, append([]string(nil), i.refused...)
}

// Verdict is what the ITSM says about a request that it was asked about.
func (i *ITSM) Verdict(r itsm.Request, kind approvalv1.VerdictKind, actor string) itsm.Verdict {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.verdicts++
	return itsm.Verdict{
		ID: fmt.Sprintf("%s/%d", Ticket(r), i.verdicts), System: i.Name, Namespace: r.Namespace, Request: r.Name, Digest: r.Digest,
		Verdict: kind, Actor: actor, Ticket: Ticket(r),
	}
}

// Sign makes the body and the headers of a message with a verdict.
func (i *ITSM) Sign(v itsm.Verdict, nonce string) (http.Header, []byte) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // a Verdict is text
	}
	header := http.Header{"Content-Type": {"application/json"}}
	i.verdict.Sign(header, itsm.PurposeVerdict, nonce, body, i.now())
	return header, body
}
