// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"maps"
	"slices"

	"k8s.io/utils/clock"

	app "github.com/fairway-cloud/fairway/internal/app/controller"
	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	approvalserver "github.com/fairway-cloud/fairway/internal/approval/server"
	windowserver "github.com/fairway-cloud/fairway/internal/approval/window/server"
	auditserver "github.com/fairway-cloud/fairway/internal/audit/server"
	"github.com/fairway-cloud/fairway/internal/identity/register"
	doorserver "github.com/fairway-cloud/fairway/internal/identity/server"
	profileserver "github.com/fairway-cloud/fairway/internal/placement/profile/server"
	placementserver "github.com/fairway-cloud/fairway/internal/placement/server"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// rooms are the routes of the rooms that bring their own handlers.
func (h *house) rooms(authority server.Authority, desk *approvalserver.Desk, people *register.Register, kinds []httpapi.Kind) []httpapi.Route {
	h.door.room.Propose = people.Propose
	return slices.Concat(
		h.door.room.Routes(),
		people.Routes(),
		h.auditRoutes(authority, kinds),
		windowserver.Routes(&windowserver.Desk{Hub: h.mgr.GetClient(), Clock: clock.RealClock{}}),
		approvalserver.Routes(desk),
		placementserver.Routes(&placementserver.Desk{Hub: h.mgr.GetClient(), Direct: h.mgr.GetAPIReader(), Authority: authority, Drafts: app.Questions{Hub: h.mgr.GetClient(), Resolver: h.images}, Clock: clock.RealClock{}, As: h.clientOf, Keep: h.keepBrake, History: h.history, Inventory: h.inventory, Replay: h.replayer()}),
		profileserver.Routes(&profileserver.Desk{Hub: h.mgr.GetClient(), Direct: h.mgr.GetAPIReader(), As: h.clientOf, Authority: authority, Clock: clock.RealClock{}}),
		itsm.Routes(h.itsm),
	)
}

// roomSchemas are what the documents of these routes name.
func roomSchemas() map[string]any {
	out := map[string]any{}
	for _, schemas := range []map[string]any{doorserver.Schemas(), register.Schemas(), auditserver.Schemas(), windowserver.Schemas(), approvalserver.Schemas(), placementserver.Schemas(), profileserver.Schemas(), itsm.Schemas()} {
		maps.Copy(out, schemas)
	}
	return out
}
