// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/window/server"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

type everybody struct{}

func (everybody) Authenticate(_ context.Context, credential string) (identity.Person, error) {
	return identity.Person{ID: credential}, nil
}

func (everybody) Intent(context.Context, audit.Act) (string, error)    { return "1", nil }
func (everybody) Outcome(context.Context, string, audit.Outcome) error { return nil }

// noon in Shanghai.
var noon = time.Date(2026, 3, 10, 4, 0, 0, 0, time.UTC)

func ask(t *testing.T, hub client.Reader, query url.Values) (int, server.Answer, httpapi.Problem) {
	t.Helper()
	chain := &httpapi.Chain{Identity: everybody{}, Gate: approval.Unrestricted{}, Recorder: everybody{}, Log: slog.New(slog.DiscardHandler)}
	handler, err := chain.Mount(server.Routes(&server.Desk{Hub: hub, Clock: clocktesting.NewFakePassiveClock(noon)}))
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/approval/windows?"+query.Encode(), nil)
	request.Header.Set("Authorization", "Bearer p-1")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	var a server.Answer
	var p httpapi.Problem
	_ = json.Unmarshal(recorder.Body.Bytes(), &a)
	_ = json.Unmarshal(recorder.Body.Bytes(), &p)
	return recorder.Code, a, p
}

func newHub(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{approvalv1.AddToScheme, tenancyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	objects = append(objects,
		&tenancyv1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "prod"}, Spec: tenancyv1.EnvironmentSpec{Class: "Production"}},
		&approvalv1.ChangeCalendar{ObjectMeta: metav1.ObjectMeta{Name: "nights"}, Spec: approvalv1.ChangeCalendarSpec{
			TimeZone: "Asia/Shanghai", Windows: []approvalv1.ChangeWindow{{Name: "nights", From: "22:00", To: "06:00"}},
		}},
		&approvalv1.Freeze{ObjectMeta: metav1.ObjectMeta{Name: "cards"}, Spec: approvalv1.FreezeSpec{
			From: metav1.NewTime(noon.Add(-time.Hour)), Reason: "audit", Scope: approvalv1.FreezeScope{Applications: []string{"cards"}},
		}},
	)
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func policy(name string, order int32, match approvalv1.Match, rule *approvalv1.WindowRule) *approvalv1.ApprovalPolicy {
	return &approvalv1.ApprovalPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: approvalv1.ApprovalPolicySpec{Order: order, Match: match, Window: rule}}
}

func TestWindows(t *testing.T) {
	hub := newHub(t,
		policy("ordinary", 100, approvalv1.Match{EnvironmentClasses: []tenancyv1.EnvironmentClass{"Production"}}, &approvalv1.WindowRule{Calendars: []string{"nights"}, Outside: "Refuse"}),
		policy("emergency", 10, approvalv1.Match{ChangeClasses: []releasev1.ChangeClass{"Emergency"}}, &approvalv1.WindowRule{Freezes: "Ignored"}),
		policy("gone", 200, approvalv1.Match{Tenants: []string{"retail"}}, &approvalv1.WindowRule{Calendars: []string{"none"}}),
		policy("others", 1, approvalv1.Match{Tenants: []string{"wholesale"}}, nil),
		policy("uat", 1, approvalv1.Match{Environments: []string{"uat"}}, nil),
	)
	for name, c := range map[string]struct {
		reason, application, at string
		want                    []string
	}{
		"EveryApplication": {"a freeze of any application counts", "", "", []string{"emergency Open Wait", "ordinary Closed Refuse", "gone Closed Wait"}},
		"ByNight":          {"the window is open", "pay", "2026-03-10T22:30:00+08:00", []string{"emergency Open Wait", "ordinary Open Refuse until 06:00", "gone Closed Wait"}},
		"ByDay":            {"and opens", "pay", "", []string{"emergency Open Wait", "ordinary Closed Refuse next 22:00", "gone Closed Wait"}},
		"Frozen":           {"a frozen application waits also by night", "cards", "2026-03-10T22:30:00+08:00", []string{"emergency Open Wait", "ordinary Closed Refuse", "gone Closed Wait"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer, problem := ask(t, hub, url.Values{"namespace": {"retail-prod"}, "application": {c.application}, "at": {c.at}})
			if status != http.StatusOK || answer.EnvironmentClass != "Production" {
				t.Fatalf("%d %+v", status, problem)
			}
			var got []string
			for _, p := range answer.Policies {
				line := fmt.Sprintf("%s %s %s", p.Policy, p.State, p.Outside)
				if p.Next != nil {
					line += " next " + p.Next.Format("15:04")
				}
				if p.Until != nil {
					line += " until " + p.Until.Format("15:04")
				}
				if len(p.Reasons) == 0 {
					t.Errorf("%s does not say why", p.Policy)
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func TestWindowsThatCannotBeTold(t *testing.T) {
	broken := interceptor.NewClient(newHub(t), interceptor.Funcs{List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
		return errors.New("canary: the hub is away")
	}})
	for name, c := range map[string]struct {
		hub    client.Reader
		query  url.Values
		status int
		code   httpapi.Code
	}{
		"NoNamespace":   {newHub(t), url.Values{}, 422, "invalid"},
		"NoEnvironment": {newHub(t), url.Values{"namespace": {"retail-none"}}, 404, "not-found"},
		"BadMoment":     {newHub(t), url.Values{"namespace": {"retail-prod"}, "at": {"tomorrow"}}, 400, "bad-request"},
		"FarMoment":     {newHub(t), url.Values{"namespace": {"retail-prod"}, "at": {"0001-01-01T00:00:00Z"}}, 400, "bad-request"},
		"HubAway":       {broken, url.Values{"namespace": {"retail-prod"}}, 503, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, _, problem := ask(t, c.hub, c.query); status != c.status || problem.Code != c.code {
				t.Errorf("got %d %+v", status, problem)
			}
		})
	}
	// Without a policy freezes alone count.
	_, answer, _ := ask(t, newHub(t), url.Values{"namespace": {"retail-prod"}, "application": {"pay"}})
	if len(answer.Policies) != 1 || answer.Policies[0].Policy != "" || answer.Policies[0].State != "Open" {
		t.Errorf("without a policy: %+v", answer.Policies)
	}
}
