// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package server answers when changes may happen in a namespace, by the policies,
// calendars and freezes that are on the hub.
package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/approval/window"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Desk answers from what is on the hub.
type Desk struct {
	Hub   client.Reader
	Clock clock.PassiveClock
}

// Answer says when changes may happen in a namespace.
type Answer struct {
	// Namespace that was asked about, and the moment.
	Namespace string    `json:"namespace"`
	At        time.Time `json:"at"`
	// EnvironmentClass of the namespace's environment.
	EnvironmentClass tenancyv1.EnvironmentClass `json:"environmentClass"`
	// Policies that cover changes there, in the order in which they are tried.
	Policies []Policy `json:"policies"`
}

// Policy is what one approval policy says.
type Policy struct {
	// Policy by name. Empty: no policy covers changes there; only freezes count.
	Policy string `json:"policy"`
	// Acts and ChangeClasses that it covers. Empty: all.
	Acts          []string `json:"acts,omitempty"`
	ChangeClasses []string `json:"changeClasses,omitempty"`
	// Calendars that it names.
	Calendars []string `json:"calendars,omitempty"`
	// Outside says what happens to an act when it is closed: Wait or Refuse.
	Outside string `json:"outside"`
	// State is Open or Closed.
	State string `json:"state"`
	// Reasons say why.
	Reasons []string `json:"reasons"`
	// Next is when it may be open next; Until is when it closes. Left out: unknown.
	Next  *time.Time `json:"next,omitempty"`
	Until *time.Time `json:"until,omitempty"`
}

// Ask answers for an application in a namespace at a moment. An empty application
// means every one of them.
func (d *Desk) Ask(ctx context.Context, namespace, application string, at time.Time) (Answer, error) {
	tenant, environment, ok := app.SplitNamespace(namespace)
	if !ok {
		return Answer{}, httpapi.NewProblem(httpapi.CodeInvalid, "could not find the environment of namespace %q: its name is <tenant>-<environment>", namespace)
	}
	env := &tenancyv1.Environment{}
	if err := d.Hub.Get(ctx, client.ObjectKey{Name: environment}, env); apierrors.IsNotFound(err) {
		return Answer{}, httpapi.NewProblem(httpapi.CodeNotFound, "could not find environment %q", environment)
	} else if err != nil {
		return Answer{}, fmt.Errorf("could not read environment %q: %w", environment, err)
	}
	var policies approvalv1.ApprovalPolicyList
	var calendars approvalv1.ChangeCalendarList
	var freezes approvalv1.FreezeList
	for what, list := range map[string]client.ObjectList{"approval policies": &policies, "change calendars": &calendars, "freezes": &freezes} {
		if err := d.Hub.List(ctx, list); err != nil {
			return Answer{}, fmt.Errorf("could not read the %s: %w", what, err)
		}
	}
	scope := window.Scope{Environment: environment, Tenant: tenant, Application: application}
	out := Answer{Namespace: namespace, At: at, EnvironmentClass: env.Spec.Class, Policies: []Policy{}}
	covering := slices.DeleteFunc(policies.Items, func(p approvalv1.ApprovalPolicy) bool {
		m := p.Spec.Match
		return !among(m.EnvironmentClasses, env.Spec.Class) || !among(m.Environments, environment) || !among(m.Tenants, tenant)
	})
	slices.SortFunc(covering, func(a, b approvalv1.ApprovalPolicy) int {
		return cmp.Or(cmp.Compare(a.Spec.Order, b.Spec.Order), cmp.Compare(a.Name, b.Name))
	})
	for i := range covering {
		out.Policies = append(out.Policies, judge(&covering[i], calendars.Items, freezes.Items, scope, at))
	}
	if len(out.Policies) == 0 {
		out.Policies = append(out.Policies, judge(&approvalv1.ApprovalPolicy{}, nil, freezes.Items, scope, at))
	}
	return out, nil
}

func judge(p *approvalv1.ApprovalPolicy, calendars []approvalv1.ChangeCalendar, freezes []approvalv1.Freeze, scope window.Scope, at time.Time) Policy {
	rule := approvalv1.WindowRule{}
	if p.Spec.Window != nil {
		rule = *p.Spec.Window
	}
	if rule.Freezes == "Ignored" {
		freezes = nil
	}
	d := window.Open(window.Named(rule.Calendars, calendars), freezes, scope, at)
	out := Policy{Policy: p.Name, Acts: p.Spec.Match.Acts, Calendars: rule.Calendars, Outside: cmp.Or(rule.Outside, "Wait"), State: "Closed", Reasons: d.Reasons}
	for _, c := range p.Spec.Match.ChangeClasses {
		out.ChangeClasses = append(out.ChangeClasses, string(c))
	}
	if d.Open {
		out.State = "Open"
	}
	if !d.Next.IsZero() {
		out.Next = &d.Next
	}
	if !d.Until.IsZero() {
		out.Until = &d.Until
	}
	return out
}

func among[T comparable](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

// Routes is the question as a route. A nil desk answers that it is not available.
func Routes(d *Desk) []httpapi.Route {
	return []httpapi.Route{{
		Method: http.MethodGet, Pattern: "/api/v1/approval/windows", Room: "approval", Verb: "windows", Effect: httpapi.Reads,
		Handler: d.handle,
		Doc: httpapi.Doc{
			Summary: "Says whether a change may happen in a namespace at a moment, by each policy that covers it, and when next.",
			Query: []httpapi.Parameter{
				{Name: "namespace", Text: "Namespace, <tenant>-<environment>."},
				{Name: "application", Text: "Application. Default: every one, so that a freeze of any of them counts."},
				{Name: "at", Text: "Moment, RFC 3339. Default: now.", Schema: map[string]any{"type": "string", "format": "date-time"}},
			},
			Response: "approval.Windows",
		},
	}}
}

func (d *Desk) handle(w http.ResponseWriter, r *http.Request) error {
	if d == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look at the change windows now")
	}
	query, at := r.URL.Query(), d.Clock.Now()
	if text := query.Get("at"); text != "" {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil || moment.Year() < 1970 || moment.Year() > 9998 {
			return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read at=%q: write it as 2026-03-10T22:00:00+08:00", text)
		}
		at = moment
	}
	answer, err := d.Ask(r.Context(), query.Get("namespace"), query.Get("application"), at)
	if err != nil {
		if p := httpapi.AsProblem(err); p.Code != httpapi.CodeInternal {
			return p
		}
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look at the change windows now").Because(err)
	}
	body, err := httpapi.JSON(answer)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
	return nil
}

// Schemas are what the document says of the answer.
func Schemas() map[string]any {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	moment := func(description string) map[string]any {
		return map[string]any{"type": "string", "format": "date-time", "description": description}
	}
	list := func(description string) map[string]any {
		return map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "description": description}
	}
	return map[string]any{"approval.Windows": map[string]any{
		"type": "object", "required": []any{"namespace", "at", "environmentClass", "policies"},
		"properties": map[string]any{
			"namespace": text("Namespace that was asked about."), "at": moment("Moment that was asked about."),
			"environmentClass": text("Class of its environment."),
			"policies": map[string]any{"type": "array", "description": "What each policy that covers changes there says, in the order in which they are tried.", "items": map[string]any{
				"type": "object", "required": []any{"policy", "outside", "state", "reasons"},
				"properties": map[string]any{
					"policy": text("Approval policy. Empty: none covers changes there; only freezes count."),
					"acts":   list("Acts that it covers. Left out: all."), "changeClasses": list("Change classes that it covers. Left out: all."),
					"calendars": list("Change calendars that it names."), "outside": text("What happens to an act when it is closed: Wait or Refuse."),
					"state": text("Open or Closed."), "reasons": list("Why, one sentence each."),
					"next": moment("When it may be open next. Left out: unknown."), "until": moment("When it closes. Left out: not in 400 days."),
				},
			}},
		},
	}}
}
