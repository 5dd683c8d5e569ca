// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package gate answers, at the moment of use and again before each step, whether
// an act may happen: it gathers the case from the hub and has it judged anew.
package gate

import (
	"context"
	"fmt"
	"strings"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/cases"
)

// Gate implements approval.Gate.
type Gate struct {
	// Cases gathers what an act is judged by.
	Cases *cases.Reader
}

// Check implements approval.Gate. What changes what runs is a step of a Release or
// carries one out; everything else only asks, and RBAC and admission decide on it.
func (g *Gate) Check(ctx context.Context, act approval.Act) (approval.Verdict, error) {
	if act.WayBack {
		// Part of the approval of the plan that runs. Nothing is read: the way back is
		// open also while hub, database or ticket system are away.
		return approval.Verdict{Allowed: true, Reason: "the way back of an approved plan is part of its approval"}, nil
	}
	room, _, _ := strings.Cut(act.Verb, ".")
	switch {
	case act.Verb == "release.start", act.Verb == "release.step":
		return g.release(ctx, act, true)
	case room == "delivery" && act.Release != "":
		return g.release(ctx, act, false)
	}
	return approval.Verdict{Allowed: true, Reason: "asking needs no approval: what it changes of what runs is a Release's"}, nil
}

// release judges an act on behalf of a Release. step says that it moves the
// Release on; what merely carries a step out was let pass with it.
func (g *Gate) release(ctx context.Context, act approval.Act, step bool) (approval.Verdict, error) {
	namespace, name, _ := strings.Cut(act.Release, "/")
	rel, request, err := g.Cases.Asked(ctx, namespace, name)
	if err != nil {
		return approval.Verdict{}, err
	}
	if !step && (rel == nil || rel.Status.CompletedAt != nil) {
		return approval.Verdict{Allowed: true, Reason: "what was released stays as it was approved"}, nil
	}
	if rel == nil {
		return approval.Verdict{Reason: fmt.Sprintf("release %q is not there any more", act.Release)}, nil
	}
	if !step && rel.Status.StartedAt == nil {
		return approval.Verdict{Reason: fmt.Sprintf("release %q has not begun", act.Release)}, nil
	}
	if request == nil {
		return g.withoutRequest(ctx, rel)
	}
	c, err := g.Cases.Of(ctx, request, rel, act.Digest)
	if err != nil {
		return approval.Verdict{}, err
	}
	j := approval.Judge(c, g.Cases.Now())
	verdict := approval.Verdict{Allowed: j.May, Reason: j.Why, Approval: request.Namespace + "/" + request.Name}
	if !step && j.State == approval.Approved {
		// A window that closes, or an operator who is awaited, holds the next step and not
		// what this one has begun.
		verdict.Allowed, verdict.Reason = true, j.Message
	}
	if !verdict.Allowed {
		verdict.Reason = fmt.Sprintf("approval request %s: %s", request.Name, j.Why)
	}
	return verdict, nil
}

// withoutRequest answers while there is no request: outside production an act that
// no policy covers needs none.
func (g *Gate) withoutRequest(ctx context.Context, rel *releasev1.Release) (approval.Verdict, error) {
	class, err := g.Cases.Class(ctx, cases.Environment(rel.Namespace)) // which never changes
	if err != nil {
		return approval.Verdict{}, err
	}
	policies, err := g.Cases.Policies(ctx)
	if err != nil {
		return approval.Verdict{}, err
	}
	f := g.Cases.Facts(ctx, rel, class)
	if f == nil {
		return approval.Verdict{Reason: "the plan of the release cannot be read"}, nil
	}
	p := approval.Select(policies, *f)
	switch {
	case p != nil:
		return approval.Verdict{Reason: fmt.Sprintf("policy %q asks for an approval: the request for it is being made", p.Name)}, nil
	case class == tenancyv1.ClassProduction:
		return approval.Verdict{Reason: fmt.Sprintf("no approval policy covers %s of change class %s in production environment %s, and there nothing changes without one: ask a security administrator for a policy",
			f.Act, f.ChangeClass, f.Scope.Environment)}, nil
	}
	return approval.Verdict{Allowed: true, Reason: fmt.Sprintf("no approval policy covers %s in environments of class %s", f.Act, class)}, nil
}
