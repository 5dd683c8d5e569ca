// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/approvaltest"
	"github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) { os.Exit(kubetest.Main(m, &hub, approvaltest.Options()...)) }

// reads lets people see what the hub's RBAC lets them list, asked as themselves.
type reads struct{ w *approvaltest.World }

func (r reads) MayRead(ctx context.Context, person identity.Person, namespace string) (bool, error) {
	who, _, _ := strings.Cut(person.ID, "-")
	err := r.w.As(who).List(ctx, &approvalv1.ApprovalRequestList{}, client.InNamespace(namespace))
	return err == nil, nil
}

// office is a desk behind the chain, and whoever asks there.
type office struct {
	*approvaltest.World
	t    *testing.T
	desk *server.Desk
	url  string
}

func open(t *testing.T) *office {
	w := approvaltest.New(t, hub, tenancyv1.ClassProduction)
	o := &office{World: w, t: t, desk: &server.Desk{Hub: w.System, Cases: w.Cases, Strict: w.Cases, Authority: reads{w}}}
	chain := &httpapi.Chain{Identity: o, Gate: approval.Unrestricted{}, Recorder: w.Journal, Log: slog.New(slog.DiscardHandler)}
	handler, err := chain.Mount(server.Routes(o.desk))
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(handler)
	t.Cleanup(listener.Close)
	o.url = listener.URL
	return o
}

// Authenticate takes the name of somebody as his credential.
func (o *office) Authenticate(_ context.Context, who string) (identity.Person, error) {
	if o.Groups(who) == nil {
		return identity.Person{}, httpapi.ErrUnknownCredential
	}
	return identity.Person{ID: o.ID(who), Groups: o.Groups(who), Session: o.Session(who)}, nil
}

func (o *office) get(who, path string) (int, map[string]any) {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.url+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+who)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	body := map[string]any{}
	if err := json.Unmarshal(raw, &body); err != nil {
		o.t.Fatalf("%s: %v", raw, err)
	}
	delete(body, "trace")
	return response.StatusCode, body
}

// tab lists the requests in a tab of somebody's inbox.
func (o *office) tab(who, tab string) string {
	o.t.Helper()
	status, body := o.get(who, "/api/v1/approval/inbox?namespace="+o.Namespace+"&tab="+tab)
	if status != http.StatusOK {
		o.t.Fatalf("%d %v", status, body)
	}
	var names []string
	for _, item := range body["items"].([]any) {
		names = append(names, item.(map[string]any)["name"].(string))
	}
	return strings.Join(names, " ")
}

func TestInbox(t *testing.T) {
	o := open(t)
	o.Joint(func(s *approvalv1.ApprovalPolicySpec) { s.Copies = []string{o.Tenant + "-manager"} })
	r := o.Release("inbox")
	q := o.Ask(r)
	wants := func(reason string, tabs map[string]string) {
		t.Helper()
		for at, want := range tabs {
			who, tab, _ := strings.Cut(at, " ")
			if got := o.tab(who, tab); got != want {
				t.Errorf("%s: %s has %q in %s, wanted %q", reason, who, got, tab, want)
			}
		}
	}
	wants("asked", map[string]string{
		"biz todo": q.Name, "tech todo": q.Name, "ops todo": "", "dev todo": "", "ops mine": q.Name, "dev mine": q.Name, "biz mine": "",
		"manager copied": q.Name, "biz copied": "", "biz done": "", "verifier all": q.Name,
	})
	o.Decide("biz", q, approvalv1.VerdictApprove)
	wants("one of two", map[string]string{"biz todo": "", "biz done": q.Name, "tech todo": q.Name})
	o.Decide("tech", q, approvalv1.VerdictApprove)
	o.Report(q)
	// Whoever could refuse still may.
	status, body := o.get("chief", "/api/v1/approval/approvalrequests/"+o.Namespace+"/"+q.Name+"/view")
	if status != http.StatusOK || body["state"] != "Approved" || !strings.Contains(body["message"].(string), "approved by") || body["digest"] != r.Status.PlanDigest {
		t.Errorf("%d %v", status, body)
	}
	if may := body["may"].([]any); len(may) != 1 || may[0] != "Reject" {
		t.Errorf("nobody is asked to agree once more: %v", may)
	}
	if summary := body["summary"].([]any); len(summary) == 0 || !strings.Contains(summary[0].(string), "Bring application mobile-bank to revision") {
		t.Errorf("in plain words: %v", summary)
	}
	if decisions := body["decisions"].([]any); len(decisions) != 2 || decisions[0].(map[string]any)["counts"] != "True" {
		t.Errorf("who said what: %v", decisions)
	}
	o.Edit("dev", "team-other")
	o.Report(q)
	wants("void", map[string]string{"chief todo": "", "chief all": q.Name, "ops mine": q.Name})
}

// A request that somebody may not see answers exactly as one that is not there.
func TestForeignIsMissing(t *testing.T) {
	o := open(t)
	o.Joint()
	q := o.Ask(o.Release("foreign"))
	o.Person("stranger", o.Tenant+"-strangers")
	view := func(who, namespace, name string) string {
		status, body := o.get(who, "/api/v1/approval/approvalrequests/"+namespace+"/"+name+"/view")
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(http.StatusText(status)+" "+string(raw), name, "NAME")
	}
	foreign, missing := view("stranger", o.Namespace, q.Name), view("stranger", o.Namespace, "nothing-1")
	if foreign != missing || !strings.HasPrefix(foreign, "Not Found") {
		t.Errorf("they differ:\n%s\n%s", foreign, missing)
	}
	if got := view("biz", o.Namespace, "nothing-1"); got != missing {
		t.Errorf("they differ:\n%s\n%s", got, missing)
	}
	if got := view("biz", o.Namespace, q.Name); !strings.HasPrefix(got, "OK") {
		t.Errorf("got %s", got)
	}
	if got := o.tab("stranger", "all"); got != "" {
		t.Errorf("got %q", got)
	}
	for _, query := range []string{"tab=nonsense", "limit=0", "limit=x", "limit=501", "who=biz"} {
		if status, body := o.get("biz", "/api/v1/approval/inbox?"+query); status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", query, status, body)
		}
	}
}

// Whoever is about to decide is told early why it would not count.
func TestRefusal(t *testing.T) {
	o := open(t)
	o.Joint()
	r := o.Release("early")
	q := o.Ask(r)
	approve := approvalv1.VerdictApprove
	for who, test := range map[string]struct {
		decision *approvalv1.Decision
		says     string
	}{
		"a maker":             {o.Decision("dev", q, approve), "is a maker of it"},
		"the requester":       {o.Decision("ops", q, approve), "asked for it"},
		"no party":            {o.Decision("verifier", q, approve), "belongs to no party"},
		"no login":            {o.Decision("biz", q, approve, func(s *approvalv1.DecisionSpec) { s.Session = "" }), "log in and decide there"},
		"another's login":     {o.Decision("biz", q, approve, func(s *approvalv1.DecisionSpec) { s.Session = o.Session("tech") }), "its login belongs to"},
		"a login of nobody's": {o.Decision("biz", q, approve, func(s *approvalv1.DecisionSpec) { s.Session = "s-nothing" }), "not made in a login"},
		"another plan":        {o.Decision("biz", q, approve, func(s *approvalv1.DecisionSpec) { s.Digest = "sha256:x" }), "speaks of another plan"},
		"no such request":     {o.Decision("biz", &approvalv1.ApprovalRequest{ObjectMeta: metav1.ObjectMeta{Name: "nothing-1"}}, approve), "there is no approval request"},
		"for somebody":        {o.Decision("manager", q, approve, func(s *approvalv1.DecisionSpec) { s.OnBehalfOf = o.ID("biz") }), "no delegation of"},
		"an approver":         {o.Decision("biz", q, approve), ""},
	} {
		why, err := o.desk.Refusal(t.Context(), test.decision)
		if err != nil || !strings.Contains(why, test.says) || test.says == "" && why != "" {
			t.Errorf("%s: %q %v, wanted %q", who, why, err, test.says)
		}
	}
	o.Edit("dev", "team-other")
	if why, err := o.desk.Refusal(t.Context(), o.Decision("biz", q, approve)); err != nil || !strings.Contains(why, "the request is over: edited since") {
		t.Errorf("%q %v", why, err)
	}
	// While nobody knows, nobody is told that it would count.
	desk := *o.desk
	away := *o.Cases
	away.People = func(context.Context) (approval.People, error) { return nil, errors.New("away") }
	desk.Strict = &away
	if why, err := desk.Refusal(t.Context(), o.Decision("biz", q, approve)); err == nil {
		t.Errorf("%q", why)
	}
}
