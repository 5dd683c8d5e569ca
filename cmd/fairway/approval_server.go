// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/metrics"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
	approvals "github.com/fairway-cloud/fairway/internal/approval/controller"
	"github.com/fairway-cloud/fairway/internal/approval/gate"
	"github.com/fairway-cloud/fairway/internal/approval/logins"
	"github.com/fairway-cloud/fairway/internal/approval/proof"
	desk "github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/amendments"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// openGate puts the Gate together: who is who, who was logged in, and what the hub
// itself says.
func (h *house) openGate(ctx context.Context) error {
	remembered, err := logins.New(ctx, h.database, ever{h.door.credentials.sessions}, time.Now)
	if err != nil {
		return err
	}
	people := func(ctx context.Context) (approval.People, error) { return h.door.people.People(ctx) }
	if h.proofs, err = proof.New(ctx, h.database, h.door.key, time.Now); err != nil {
		return err
	}
	h.cases = &cases.Reader{Direct: h.mgr.GetAPIReader(), People: people, Logins: remembered, Proofs: h.proofs, Now: time.Now}
	h.gate = &gate.Gate{Cases: h.cases}
	h.amendments = &amendments.Reader{Direct: h.mgr.GetAPIReader(), Logins: speakers{remembered}, Proofs: proofs{h.proofs}, Now: time.Now}
	return nil
}

// ever answers for the sessions of people, also those that have ended. A machine's
// token is no login: nobody decides in it.
type ever struct{ sessions *session.Store }

// Ever implements logins.Sessions.
func (e ever) Ever(ctx context.Context, id string) (person string, from, until time.Time, found bool, err error) {
	s, ended, err := e.sessions.Ever(ctx, id)
	if errors.Is(err, session.ErrNone) {
		return "", time.Time{}, time.Time{}, false, nil
	}
	return s.Person, s.Created, ended, err == nil, err
}

func (h *house) addApprovals(ctx context.Context) error {
	hub := h.mgr.GetClient()
	people := &approvals.People{Now: time.Now}
	return errors.Join(
		people.SetupWithManager(h.mgr),
		cases.Index(ctx, h.mgr.GetFieldIndexer()),
		registered(metrics.Registry, approvals.Metrics(hub)),
		(&approvals.Policies{Hub: hub}).SetupWithManager(h.mgr),
		(&approvals.Requests{Hub: hub, Cases: h.cases, Recorder: h.recorder, Proofs: h.proofs}).SetupWithManager(h.mgr),
		(&approvals.Progress{Hub: hub, Cases: h.cases, Events: h.mgr.GetEventRecorder("fairway-approval"), People: people}).SetupWithManager(h.mgr),
	)
}

// desk shows requests from the cache.
func (h *house) desk(authority server.Authority) *desk.Desk {
	shown := *h.cases
	shown.Direct = h.mgr.GetClient()
	return &desk.Desk{Hub: h.mgr.GetClient(), Cases: &shown, Strict: h.cases, Authority: readers{authority}}
}

// readers asks the hub's RBAC who may read approval requests.
type readers struct{ authority server.Authority }

// MayRead implements the desk's Authority.
func (r readers) MayRead(ctx context.Context, person identity.Person, namespace string) (bool, error) {
	return r.authority.May(ctx, person, server.Question{Verb: "list", Group: approvalv1.GroupVersion.Group, Resource: "approvalrequests", Namespace: namespace})
}

// refuseEarly spares people a decision that would not count, and says what to do
// next. The hub asks the desk too, about those that come another way.
func refuseEarly(d *desk.Desk) server.BeforeFunc {
	return func(ctx context.Context, kind string, object map[string]any) error {
		if kind != "Decision" {
			return nil
		}
		raw, err := json.Marshal(object)
		if err != nil {
			return fmt.Errorf("could not read the decision: %w", err)
		}
		decision := &approvalv1.Decision{}
		if err := json.Unmarshal(raw, decision); err != nil {
			return httpapi.NewProblem(httpapi.CodeInvalid, "could not read the decision: it does not have the shape of one")
		}
		person, _ := identity.FromContext(ctx)
		why, err := d.Early(ctx, person, decision)
		switch {
		case err != nil:
			return httpapi.NewProblem(httpapi.CodeUnavailable, "could not find out whether the decision would count").Because(err)
		case why != "":
			return httpapi.NewProblem(httpapi.CodeDenied, "could not decide on request %q: %s", decision.Spec.Request, why).
				WithNext("See what is asked, and of whom: fairway approval show %s -n %s.", decision.Spec.Request, decision.Namespace)
		}
		return nil
	}
}
