// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package bank brings Fairway and the example bank into a sandbox: the images,
// the server on the hub, the members that join it, and the applications. It goes
// the way that people go: each step is a command that anybody can type.
package bank

import (
	"context"

	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// Steps are what the sandbox does once its clusters run.
func Steps() []daemon.Step {
	return []daemon.Step{
		{Phase: daemon.PhaseRegistry, Name: "the bank's images", Run: wherever(pushImages)},
		{Phase: daemon.PhaseServer, Name: "kinds, rights and policies", Run: wherever(installHub)},
		{Phase: daemon.PhaseServer, Name: "fairway server", Run: wherever(startServer)},
		{Phase: daemon.PhaseBank, Name: "the bank's world", Run: wherever(describeWorld)},
		{Phase: daemon.PhaseBank, Name: "people's accounts", Run: wherever(openAccounts)},
		{Phase: daemon.PhaseBank, Name: "members join", Run: wherever(joinMembers)},
		{Phase: daemon.PhaseBank, Name: "applications", Run: wherever(releaseApplications)},
		{Phase: daemon.PhaseBank, Name: "entries", Run: wherever(publishEntries)},
	}
}

// wherever leaves a step out in a sandbox without Fairway.
func wherever(do func(context.Context, *daemon.Sandbox, *topology.Sandbox) error) func(context.Context, *daemon.Sandbox) error {
	return func(ctx context.Context, s *daemon.Sandbox) error {
		_, described, err := s.Options.Folder.Plan()
		if err != nil {
			return err
		}
		if described.Spec.Fairway == nil {
			return nil
		}
		return do(ctx, s, described)
	}
}
