// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// Drafts freezes an application that need not be stored. Notes say what of it is not known.
type Drafts interface {
	Draft(ctx context.Context, a *appv1.Application) (content app.Content, notes []string, err error)
}

// Trial is where an application would run that was sent along.
type Trial struct {
	// Application as "<namespace>/<name>".
	Application string `json:"application"`
	// Verdict is Placed or Refused.
	Verdict string `json:"verdict"`
	// Notes say what of the application is not known yet.
	Notes []string `json:"notes"`
	// Placement is the decision as a Release would store it. Where it was refused, its
	// reasons say what lacks.
	Placement placementv1.PlacementSpec `json:"placement"`
}

// The verdicts of a Trial.
const (
	verdictPlaced  = "Placed"
	verdictRefused = "Refused"
)

// Simulate says what would follow of a change of the fleet, and where applications would
// run then that were sent along, instead of what runs of them. All of it is decided
// together, and nothing is written.
func (d *Desk) Simulate(ctx context.Context, change placement.WhatIf, drafts []appv1.Application) (Outcome, error) {
	world, err := observed.Read(ctx, d.Hub, d.Direct)
	if err != nil {
		return Outcome{}, err
	}
	now := d.Clock.Now()
	snapshot := world.Snapshot(now)
	var requests []placement.Request
	out := Outcome{Notes: []string{}, Moves: []Move{}, Unplaced: []Unplaced{}, Trials: []Trial{}}
	if len(change.Lose)+len(change.Add) > 0 {
		running, left, err := world.Running(ctx, d.Hub, snapshot.Pools, now)
		if err != nil {
			return Outcome{}, err
		}
		if err := d.seat(ctx, running, change); err != nil {
			return Outcome{}, err
		}
		requests, out.Notes = running, append(out.Notes, left...)
	}
	trials := map[string]int{}
	for i := range drafts {
		request, trial, err := d.trial(ctx, world, snapshot.Pools, &drafts[i])
		if err != nil {
			return Outcome{}, err
		}
		requests = slices.DeleteFunc(requests, func(r placement.Request) bool { return r.Application == request.Application })
		requests = append(requests, request)
		trials[request.Application] = len(out.Trials)
		change.Whole = append(change.Whole, request.Application)
		out.Trials = append(out.Trials, trial)
	}
	used := make([]placementv1.DecidedBy, len(requests))
	for i := range requests {
		policy, by, err := world.Policy(requests[i].Environment)
		if err != nil {
			return Outcome{}, err
		}
		_, policy.Explain = trials[requests[i].Application]
		requests[i].Policy, used[i] = &policy, by
	}
	found, err := placement.Simulate(snapshot, requests, change, observed.BuiltIn())
	if err != nil {
		return Outcome{}, &badChange{err}
	}
	out.Notes = append(append([]string{}, found.Taken...), out.Notes...)
	for _, m := range found.Moves {
		out.Moves = append(out.Moves, Move{Application: m.Application, Component: m.Component, Cell: placementv1.Cell(m.Cell), By: m.By})
	}
	for _, u := range found.Unplaced {
		one := Unplaced{Application: u.Application}
		for _, r := range u.Reasons {
			one.Reasons = append(one.Reasons, r.String())
		}
		out.Unplaced = append(out.Unplaced, one)
	}
	for i, decision := range found.Decisions {
		at, asked := trials[requests[i].Application]
		if !asked {
			continue
		}
		_, name, _ := strings.Cut(requests[i].Application, "/")
		trial := &out.Trials[at]
		if trial.Placement, err = observed.SpecOf(name, "", decision, used[i]); err != nil {
			return Outcome{}, err
		}
		trial.Verdict = verdictPlaced
		if decision.Refused {
			trial.Verdict = verdictRefused
		}
		switch why, err := observed.TooLarge(trial.Placement); {
		case err != nil:
			return Outcome{}, err
		case why != "":
			trial.Verdict = verdictRefused
			trial.Placement.Reasons = append(trial.Placement.Reasons, placementv1.Reason{Rule: "Size", Message: "too large for one placement: " + why})
		}
	}
	return out, nil
}

// trial asks for the room of an application that was sent along. What holds room of it
// already stays where it is, as far as a Release would leave it there.
func (d *Desk) trial(ctx context.Context, world observed.World, pools []placement.Pool, a *appv1.Application) (placement.Request, Trial, error) {
	name := a.Namespace + "/" + a.Name
	content, notes, err := d.Drafts.Draft(ctx, a)
	if err != nil {
		return placement.Request{}, Trial{}, &badChange{fmt.Errorf("could not place application %q for a trial: %w", name, err)}
	}
	var tenant tenancyv1.Tenant
	err = d.Hub.Get(ctx, client.ObjectKey{Name: content.Tenant}, &tenant)
	if apierrors.IsNotFound(err) {
		return placement.Request{}, Trial{}, &badChange{fmt.Errorf("could not place application %q for a trial: there is no tenant %q", name, content.Tenant)}
	}
	if err != nil {
		return placement.Request{}, Trial{}, fmt.Errorf("could not read tenant %q: %w", content.Tenant, err)
	}
	request := observed.RequestOf(content, name, &tenant, pools, world.Of(a.Namespace, a.Name, d.Clock.Now()))
	return request, Trial{Application: name, Notes: append([]string{}, notes...)}, nil
}
