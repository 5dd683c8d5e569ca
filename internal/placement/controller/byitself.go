// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// byItself starts Releases that nobody asked for. Each passes the Gate as any other, and
// asks for Brakes again before each step.
type byItself struct {
	hub      client.Writer
	recorder audit.Recorder
	brakes   Brakes
	// fence is asked whether this server leads. Nil: nobody else starts any.
	fence members.Fence
	// from is the controller.
	from string
}

// start starts a Release, on record, unless a Brake holds at that moment or another server
// leads. One that is there already was started before.
func (s byItself) start(ctx context.Context, made *releasev1.Release) error {
	_, environment, _ := app.SplitNamespace(made.Namespace)
	name := made.Namespace + "/" + made.Name
	act := audit.Act{
		Verb: "release.create", Person: observed.Automation, Subject: "Release/" + name, Application: made.Namespace + "/" + made.Spec.Application,
		Release: name, Environment: environment, Class: audit.ClassChange, From: s.from, Reason: made.Spec.Reason, Ticket: made.Spec.Ticket,
	}
	return audit.Do(ctx, s.recorder, audit.FailClosed, act, func(ctx context.Context) error {
		if s.fence != nil {
			if err := s.fence.Check(); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(ctx, mostBrakeAge)
		defer cancel()
		if why := s.brakes.Stopped(ctx, environment); why != "" {
			return fmt.Errorf("could not start release %q: automation is stopped: %s", made.Name, why)
		}
		if err := s.hub.Create(ctx, made); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("could not start release %q: %w", made.Name, err)
		}
		return nil
	})
}
