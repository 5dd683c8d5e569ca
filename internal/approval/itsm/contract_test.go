// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm_test

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
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	"github.com/fairway-cloud/fairway/internal/approval/itsm/itsmtest"
	"github.com/fairway-cloud/fairway/internal/approval/proof"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
	"github.com/fairway-cloud/fairway/internal/platform/outbox"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, approvalv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	os.Exit(kubetest.Main(m, &hub, kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithScheme(scheme)))
}

const account = "itsm-robot"

// bank is a hub, an ITSM, and Fairway's API between them.
type bank struct {
	t         *testing.T
	itsm      *itsmtest.ITSM
	clock     *clocktesting.FakeClock
	db        string
	asking    *itsm.Asking
	receiver  *itsm.Receiver
	url       string
	recorder  *recorder
	namespace string
	nonces    int
	// system is Fairway's own account on the hub, with its rights and no others.
	system client.Client
	// foreseen is what the room says of a decision before it is made.
	foreseen    string
	foreseenErr error
}

func (b *bank) foresee(context.Context, *approvalv1.Decision) (string, error) {
	return b.foreseen, b.foreseenErr
}

// people know two machine accounts and a person by their tokens.
type people struct{}

func (people) Authenticate(_ context.Context, credential string) (identity.Person, error) {
	if credential == account || credential == "p-1" {
		return identity.Person{ID: credential}, nil
	}
	return identity.Person{}, httpapi.ErrUnknownCredential
}

// recorder keeps the evidence.
type recorder struct {
	mu  sync.Mutex
	all []string
}

func (r *recorder) Intent(_ context.Context, act audit.Act) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", act.Person, act.Verb, act.Subject, act.Ticket)))
	return "1", nil
}

func (r *recorder) Outcome(_ context.Context, _ string, o audit.Outcome) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, string(o.Result))
	return nil
}

func (r *recorder) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.all[max(0, len(r.all)-2):], " → ")
}

func newBank(t *testing.T) *bank {
	t.Helper()
	b := &bank{t: t, clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)), db: t.TempDir() + "/fairway.db", namespace: hub.Namespace(t), recorder: &recorder{}, system: hub.UserClient(t, "fairway", "fairway:system")}
	b.itsm = itsmtest.New(t, "itsm", b.clock.Now)
	b.start()
	return b
}

// start is what a server does when it starts, also after it was killed.
func (b *bank) start() {
	t := b.t
	t.Helper()
	systems, err := itsm.ReadConfig(b.itsm.Config(t, account), b.clock)
	if err != nil {
		t.Fatal(err)
	}
	db, err := database.Open(t.Context(), b.db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	box, err := outbox.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	nonces, err := itsm.OpenNonces(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.Ensure(b.db + ".key")
	if err != nil {
		t.Fatal(err)
	}
	// The hub stamps by the machine's clock.
	proofs, err := proof.New(t.Context(), db, key, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	b.asking = &itsm.Asking{Hub: b.system, Outbox: box, Systems: systems, Clock: b.clock, Log: log}
	b.receiver = &itsm.Receiver{Systems: systems, Nonces: nonces, Requests: b.system, Deliver: itsm.Decisions{Hub: b.system, Refusal: b.foresee, Proofs: proofs}, Clock: b.clock}
	chain := &httpapi.Chain{Identity: people{}, Gate: approval.Unrestricted{}, Recorder: b.recorder, Log: log}
	handler, err := chain.Mount(itsm.Routes(b.receiver))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	b.url = server.URL + "/api/v1/approval/verdicts"
}

// request is made as Fairway makes it, under a policy that asks the system.
func (b *bank) request(name, system string) *approvalv1.ApprovalRequest {
	t := b.t
	t.Helper()
	policy := approvalv1.ApprovalPolicySpec{}
	if system != "" {
		policy.External = &approvalv1.External{System: system, Standing: "Sole"}
	}
	content, err := canonical.JSON(policy)
	if err != nil {
		t.Fatal(err)
	}
	r := &approvalv1.ApprovalRequest{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name}, Spec: approvalv1.ApprovalRequestSpec{
		Act: "release.Deploy", Subject: approvalv1.Subject{Kind: "Release", Name: name, UID: "0"}, Digest: canonical.Digest(name), State: "1", Number: 1,
		Requester: "p-1", Scope: approvalv1.Scope{Tenant: "retail", Environment: "prod", EnvironmentClass: "Production", Application: "pay"},
		ChangeClass: "Normal", Risk: "Low", Policy: approvalv1.PolicySnapshot{Name: "outside", Digest: canonical.Digest(content), Content: content, Standing: "People"},
		Summary: []string{"部署 pay"}, DecideBy: metav1.NewTime(b.clock.Now().Add(72 * time.Hour)),
	}}
	if err := b.system.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// sees lets the controller look at the request as it is now.
func (b *bank) sees(r *approvalv1.ApprovalRequest) {
	t := b.t
	t.Helper()
	if err := hub.Client().Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
		t.Fatal(err)
	}
	if _, err := b.asking.Reconcile(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// sends works on the outbox, once.
func (b *bank) sends() {
	b.t.Helper()
	for _, w := range b.asking.Workers() {
		if err := w.Round(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
	}
}

// answer of the API.
type answer struct {
	status  int
	receipt itsm.Receipt
	problem httpapi.Problem
}

func (b *bank) post(token string, header http.Header, body []byte) answer {
	t := b.t
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "canary") {
		t.Errorf("the answer tells a key: %s", raw)
	}
	a := answer{status: response.StatusCode}
	_ = json.Unmarshal(raw, &a.receipt)
	_ = json.Unmarshal(raw, &a.problem)
	return a
}

func (b *bank) nonce() string {
	b.nonces++
	return fmt.Sprintf("nonce-of-the-test-%d", b.nonces)
}

func (b *bank) decisions() []string {
	b.t.Helper()
	list := &approvalv1.DecisionList{}
	if err := hub.Client().List(b.t.Context(), list, client.InNamespace(b.namespace)); err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, d := range list.Items {
		out = append(out, fmt.Sprintf("%s %s by %s for %s, %s, %q", d.Spec.Request, d.Spec.Verdict, d.Spec.Author, d.Spec.OnBehalfOf, d.Spec.Ticket, d.Spec.Comment))
	}
	return out
}

// The whole way: a request reaches the ITSM, and its verdict becomes a Decision.
func TestTheITSMIsAskedAndAnswers(t *testing.T) {
	b := newBank(t)
	r, other := b.request("pay-1", "itsm"), b.request("pay-2", "")
	for range 2 { // looking twice changes nothing
		b.sees(r)
		b.sees(other)
		b.sends()
	}
	notices := b.itsm.Notices()
	if len(notices) != 1 || notices[0].Event != itsm.Asked || notices[0].Request.Digest != r.Spec.Digest || notices[0].Request.Summary[0] != "部署 pay" {
		t.Fatalf("the ITSM was told %+v", notices)
	}
	if taken, refused := b.itsm.Received(); taken != 1 || len(refused) != 0 {
		t.Errorf("the ITSM took %d messages and refused %v", taken, refused)
	}
	ticket := itsmtest.Ticket(notices[0].Request)
	b.sees(r)
	if got := r.Annotations["approval.fairway.cloud/itsm-ticket"]; got != ticket {
		t.Errorf("the request carries ticket %q, want %q", got, ticket)
	}

	header, body := b.itsm.Sign(b.itsm.Verdict(notices[0].Request, "Approve", "zhang.san"), b.nonce())
	first := b.post(account, header, body)
	if first.status != http.StatusCreated || first.receipt.Decision == "" || first.receipt.Duplicate {
		t.Fatalf("got %+v", first)
	}
	if want := "itsm-robot approval.verdict ApprovalRequest/" + b.namespace + "/pay-1 " + ticket + " → Done"; b.recorder.last() != want {
		t.Errorf("the evidence is %q, want %q", b.recorder.last(), want)
	}
	want := []string{fmt.Sprintf("pay-1 Approve by itsm:itsm for zhang.san, %s, \"\"", ticket)}
	if diff := cmp.Diff(want, b.decisions()); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

// However often a verdict comes, it is one Decision: the same bytes again, the same
// verdict signed anew, and after the server was killed.
func TestAVerdictCountsOnce(t *testing.T) {
	b := newBank(t)
	r := b.request("pay-1", "itsm")
	b.sees(r)
	b.sends()
	verdict := b.itsm.Verdict(b.itsm.Notices()[0].Request, "Reject", "li.si")
	header, body := b.itsm.Sign(verdict, b.nonce())
	first := b.post(account, header, body)
	if first.status != http.StatusCreated {
		t.Fatalf("got %+v", first)
	}
	same := func(name string, a answer) {
		t.Helper()
		if a.status != http.StatusOK || !a.receipt.Duplicate || a.receipt.Decision != first.receipt.Decision {
			t.Errorf("%s: %+v", name, a)
		}
	}
	same("the same bytes", b.post(account, header, body))
	b.start()
	same("the same bytes after a restart", b.post(account, header, body))
	newHeader, newBody := b.itsm.Sign(verdict, b.nonce())
	same("signed anew", b.post(account, newHeader, newBody))
	changed := verdict
	changed.Verdict = "Approve"
	if got := b.post(account, header, must(json.Marshal(changed))); got.status != http.StatusForbidden {
		t.Errorf("other bytes under the signature: %+v", got)
	}
	newHeader, newBody = b.itsm.Sign(changed, b.nonce())
	if got := b.post(account, newHeader, newBody); got.status != http.StatusConflict || !strings.Contains(got.problem.Detail, "another verdict has that id") {
		t.Errorf("another verdict of the same id: %+v", got)
	}
	said := b.itsm.Verdict(b.itsm.Notices()[0].Request, "Approve", "li.si")
	said.Comment = "CAB"
	newHeader, newBody = b.itsm.Sign(said, b.nonce())
	if got := b.post(account, newHeader, newBody); got.status != http.StatusCreated {
		t.Errorf("a second verdict: %+v", got)
	}
	said.Verdict = "Reject"
	newHeader, newBody = b.itsm.Sign(said, b.nonce())
	if got := b.post(account, newHeader, newBody); got.status != http.StatusConflict {
		t.Errorf("its contrary under its id: %+v", got)
	}
	changed.ID = "other"
	newHeader, newBody = b.itsm.Sign(changed, header.Get("Fairway-Nonce"))
	if got := b.post(account, newHeader, newBody); got.status != http.StatusForbidden || !strings.Contains(got.problem.Detail, "its nonce was used before") {
		t.Errorf("another message with a nonce that was used: %+v", got)
	}
	// The clock jumps an hour and back: the memory of nonces is swept meanwhile.
	b.clock.Step(time.Hour)
	if got := b.post(account, header, body); got.status != http.StatusForbidden || !strings.Contains(got.problem.Detail, "look at the clocks") {
		t.Errorf("the bytes later on: %+v", got)
	}
	fresh, freshBody := b.itsm.Sign(verdict, b.nonce())
	same("signed an hour later", b.post(account, fresh, freshBody))
	b.clock.Step(-time.Hour)
	same("the same bytes when the clock is back", b.post(account, header, body))
	got := strings.Join(b.decisions(), "\n")
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, `Reject by itsm:itsm for li.si, `+verdict.Ticket+`, "rejected under `+verdict.Ticket+`"`) || !strings.Contains(got, `"CAB"`) {
		t.Errorf("decisions:\n%s", got)
	}
}

func must(raw []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return raw
}

// What anybody may try with verdicts. Each is refused with words, recorded as
// refused, and leads to no Decision.
func TestVerdictsThatAreRefused(t *testing.T) {
	b := newBank(t)
	request := b.request("pay-1", "itsm")
	foreign, own, void, late := b.request("foreign", "other"), b.request("own", ""), b.request("void", "itsm"), b.request("late", "itsm")
	meta.SetStatusCondition(&void.Status.Conditions, metav1.Condition{Type: "Void", Status: "True", Reason: "SubjectChanged"})
	if err := b.system.Status().Update(t.Context(), void); err != nil {
		t.Fatal(err)
	}
	about := func(r *approvalv1.ApprovalRequest) itsm.Verdict {
		return b.itsm.Verdict(itsm.Request{Namespace: r.Namespace, Name: r.Name, UID: string(r.UID), Digest: r.Spec.Digest}, "Approve", "zhang.san")
	}
	good := about(request)
	with := func(change func(*itsm.Verdict)) itsm.Verdict {
		v := good
		change(&v)
		return v
	}
	weak, err := webhook.NewKey("verdict-1", strings.Repeat("guess", 8))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reason  string
		token   string
		verdict itsm.Verdict
		raw     string
		sign    func(h http.Header, body []byte)
		after   time.Duration
		status  int
		says    string
	}{
		"Person":     {reason: "a person plays the ITSM", token: "p-1", verdict: good, status: 403, says: "belongs to no system of the bank"},
		"Unsigned":   {reason: "the token alone", verdict: good, sign: func(h http.Header, _ []byte) { h.Del("Fairway-Signature") }, status: 403, says: "not signed as the protocol says"},
		"GuessedKey": {reason: "another key of that name", verdict: good, sign: func(h http.Header, body []byte) { weak.Sign(h, itsm.PurposeVerdict, b.nonce(), body, b.clock.Now()) }, status: 403, says: "does not fit"},
		"RequestKey": {reason: "what goes out is no verdict", verdict: good, status: 403, says: "does not fit", sign: func(h http.Header, body []byte) {
			k, _ := webhook.NewKey("verdict-1", itsmtest.RequestSecret)
			k.Sign(h, itsm.PurposeVerdict, b.nonce(), body, b.clock.Now())
		}},
		"Reflected": {reason: "a signature for the other direction", verdict: good, status: 403, says: "does not fit", sign: func(h http.Header, body []byte) {
			k, _ := webhook.NewKey("verdict-1", itsmtest.VerdictSecret)
			k.Sign(h, itsm.PurposeRequest, b.nonce(), body, b.clock.Now())
		}},
		"Late":         {reason: "kept for an hour", verdict: good, after: time.Hour, status: 403, says: "look at the clocks"},
		"OtherSystem":  {reason: "it speaks for another system", verdict: with(func(v *itsm.Verdict) { v.System = "other" }), status: 422, says: "another system than the account's"},
		"NoRequest":    {reason: "a request that is not there", verdict: with(func(v *itsm.Verdict) { v.Request = "none" }), status: 404, says: "no such request asks this system"},
		"NotAsked":     {reason: "one whose policy asks nobody outside", verdict: about(own), status: 404, says: "no such request asks this system"},
		"AskedOther":   {reason: "one that asks another system", verdict: about(foreign), status: 404, says: "no such request asks this system"},
		"OtherPlan":    {reason: "a plan that was changed", verdict: with(func(v *itsm.Verdict) { v.Digest = canonical.Digest("x") }), status: 409, says: "about another plan"},
		"Void":         {reason: "a void request", verdict: about(void), status: 409, says: "the request is closed: void"},
		"NoActor":      {reason: "nobody agreed over there", verdict: with(func(v *itsm.Verdict) { v.Actor = "" }), status: 422, says: "actor has 1 to 128"},
		"Bidi":         {reason: "a name that shows as another", verdict: with(func(v *itsm.Verdict) { v.Actor = "zhang\u202esan" }), status: 422, says: "actor has 1 to 128"},
		"Control":      {reason: "a ticket that draws on the terminal", verdict: with(func(v *itsm.Verdict) { v.Ticket = "C\x1b[2J" }), status: 422, says: "ticket has 1 to 64"},
		"Withdraw":     {reason: "a verdict that is none", verdict: with(func(v *itsm.Verdict) { v.Verdict = "Operate" }), status: 422, says: "verdict is Approve or Reject"},
		"Traversal":    {reason: "a name that is a path", verdict: with(func(v *itsm.Verdict) { v.Request = "../../x" }), status: 422, says: "namespace and request name the request"},
		"UnknownField": {reason: "what nobody understands", raw: `{"id":"1","groups":["admins"]}`, status: 422, says: "unknown field"},
		"Twice":        {reason: "two verdicts in one", raw: string(must(json.Marshal(good))) + `{}`, status: 422, says: "something follows it"},
		"NotJSON":      {reason: "no JSON", raw: "GBK \xd6\xd0", status: 422, says: "could not read the verdict"},
		"Deep":         {reason: "brackets", raw: strings.Repeat("[", 16000), status: 422, says: "could not read the verdict"},
		"Large":        {reason: "10 MiB", raw: strings.Repeat(" ", 10<<20), status: 413, says: "larger than 16 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			header, body := b.itsm.Sign(c.verdict, b.nonce())
			if c.raw != "" {
				k, _ := webhook.NewKey("verdict-1", itsmtest.VerdictSecret)
				body = []byte(c.raw)
				k.Sign(header, itsm.PurposeVerdict, b.nonce(), body, b.clock.Now())
			}
			if c.sign != nil {
				c.sign(header, body)
			}
			if c.token == "" {
				c.token = account
			}
			b.clock.Step(c.after)
			defer b.clock.Step(-c.after)
			got := b.post(c.token, header, body)
			if got.status != c.status || !strings.Contains(got.problem.Detail, c.says) || got.problem.Next == "" {
				t.Errorf("%s: got %d %q, want %d %q", c.reason, got.status, got.problem.Detail, c.status, c.says)
			}
			if last := b.recorder.last(); c.status != 413 && !strings.HasSuffix(last, "→ Refused") {
				t.Errorf("%s: it is recorded as %q", c.reason, last)
			}
		})
	}
	b.clock.Step(73 * time.Hour)
	header, body := b.itsm.Sign(about(late), b.nonce())
	if got := b.post(account, header, body); got.status != http.StatusConflict || !strings.Contains(got.problem.Detail, "closed: expired") {
		t.Errorf("an expired request: %+v", got)
	}
	if got := b.decisions(); len(got) != 0 {
		t.Errorf("decisions came of it: %v", got)
	}
}

// Of a verdict that would not count the ITSM learns at once; whether it would has to
// be found out first.
func TestAVerdictThatWouldNotCount(t *testing.T) {
	b := newBank(t)
	r := b.request("pay-1", "itsm")
	verdict := b.itsm.Verdict(itsm.Request{Namespace: r.Namespace, Name: r.Name, UID: string(r.UID), Digest: r.Spec.Digest}, "Approve", "p-1")
	header, body := b.itsm.Sign(verdict, b.nonce())
	b.foreseen = "p-1 is a maker"
	if got := b.post(account, header, body); got.status != http.StatusForbidden || !strings.Contains(got.problem.Detail, "it would not count: p-1 is a maker") {
		t.Errorf("got %+v", got)
	}
	b.foreseen, b.foreseenErr = "", errors.New("the hub is away: canary")
	if got := b.post(account, header, body); got.status != http.StatusServiceUnavailable {
		t.Errorf("got %+v", got)
	}
	if got := b.decisions(); len(got) != 0 {
		t.Errorf("decisions: %v", got)
	}
	b.foreseenErr = nil
	if got := b.post(account, header, body); got.status != http.StatusCreated {
		t.Errorf("the same message when it counts: %+v", got)
	}
	b.foreseen = "it has decided already"
	if got := b.post(account, header, body); got.status != http.StatusOK || !got.receipt.Duplicate {
		t.Errorf("and once more: %+v", got)
	}
}

// The ITSM is away, the server is killed at every point, and the ITSM has the
// request in the end, once.
func TestARequestSurvivesEveryCrash(t *testing.T) {
	b := newBank(t)
	r := b.request("pay-1", "itsm")
	b.itsm.Away(true)
	b.sees(r)
	b.sends()
	b.start() // killed while the message waits
	b.clock.Step(time.Minute)
	b.sends()
	b.itsm.Away(false)
	b.clock.Step(10 * time.Minute)
	b.sends()
	if taken, refused := b.itsm.Received(); taken != 1 || len(refused) != 0 {
		t.Fatalf("taken %d, refused %v", taken, refused)
	}
	// Killed after the ITSM took it and before that was noted: the folder of before
	// is there again.
	b.db = t.TempDir() + "/fairway.db"
	b.start()
	b.sees(r)
	b.sends()
	if taken, _ := b.itsm.Received(); taken != 2 || len(b.itsm.Notices()) != 1 {
		t.Errorf("it came %d times as %d messages; the ITSM knows it by its id", taken, len(b.itsm.Notices()))
	}
}

// A request that nobody can decide on any more is not sent.
func TestARequestIsNotSentAfterItsTime(t *testing.T) {
	b := newBank(t)
	b.itsm.Away(true)
	b.sees(b.request("pay-1", "itsm"))
	b.sends()
	b.itsm.Away(false)
	b.clock.Step(72 * time.Hour)
	b.sends()
	if taken, _ := b.itsm.Received(); taken != 0 {
		t.Errorf("it was sent when its time was over")
	}
}

func TestTheITSMLearnsThatARequestIsClosed(t *testing.T) {
	b := newBank(t)
	told, never := b.request("told", "itsm"), b.request("never", "itsm")
	b.sees(told)
	b.sends()
	b.itsm.Away(true)
	b.sees(never)
	b.sends()
	for _, r := range []*approvalv1.ApprovalRequest{told, never} {
		b.sees(r)
		meta.SetStatusCondition(&r.Status.Conditions, metav1.Condition{Type: "Void", Status: "True", Reason: "SubjectChanged"})
		if err := b.system.Status().Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		b.sees(r)
	}
	fresh := b.request("fresh", "itsm")
	meta.SetStatusCondition(&fresh.Status.Conditions, metav1.Condition{Type: "Expired", Status: "True", Reason: "Expired"})
	if err := b.system.Status().Update(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	b.sees(fresh) // seen only when it was closed already
	b.itsm.Away(false)
	b.clock.Step(time.Hour)
	b.sends()
	var got []string
	for _, n := range b.itsm.Notices() {
		got = append(got, fmt.Sprintf("%s %s %s", n.Request.Name, n.Event, n.Outcome))
	}
	if len(got) == 3 && got[1] > got[2] {
		got[1], got[2] = got[2], got[1] // both were put in at the same time
	}
	if diff := cmp.Diff([]string{"told Asked ", "never Closed Void", "told Closed Void"}, got); diff != "" {
		t.Errorf("what the ITSM was told (-want +got):\n%s", diff)
	}
}

// The configuration says what is wrong with it, and never a key.
func TestConfigurationIsChecked(t *testing.T) {
	b := newBank(t)
	path := b.itsm.Config(t, account)
	whole := string(must(os.ReadFile(path)))
	for name, c := range map[string]struct{ from, to, says string }{
		"Unknown":   {"account:", "acount:", "unknown field"},
		"NoAccount": {"account: itsm-robot", "account: \"\"", "name the machine account"},
		"NoKeys":    {"[{id: verdict-1, file: verdict.key}]", "[]", "name one to four keys"},
		"BadName":   {"name: itsm", "name: ITSM", "lower-case letters"},
		"NoFile":    {"file: verdict.key", "file: other.key", "could not read key"},
		"WrongFile": {"caFile: ca.pem", "caFile: verdict.key", "holds no certificate in PEM"},
		"Twice":     {"systems:\n", "systems:\n" + strings.TrimPrefix(whole, "systems:\n"), "another system's too"},
		"Query":     {"/fairway/requests", "/fairway?token=canary", "without user and query"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(whole, c.from, c.to, 1)
			if changed == whole {
				t.Fatal("the test changes nothing")
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := itsm.ReadConfig(path, b.clock); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
}
