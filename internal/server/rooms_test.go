// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"maps"
	"slices"

	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	approvalserver "github.com/fairway-cloud/fairway/internal/approval/server"
	windowserver "github.com/fairway-cloud/fairway/internal/approval/window/server"
	auditserver "github.com/fairway-cloud/fairway/internal/audit/server"
	"github.com/fairway-cloud/fairway/internal/identity/register"
	identityserver "github.com/fairway-cloud/fairway/internal/identity/server"
	profileserver "github.com/fairway-cloud/fairway/internal/placement/profile/server"
	placementserver "github.com/fairway-cloud/fairway/internal/placement/server"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// rooms are the routes of the rooms that bring their own handlers, with nothing
// behind them but the door: for the document, and for the walk over every route.
func rooms(door *identityserver.Room) []httpapi.Route {
	return slices.Concat(door.Routes(), register.New(register.Config{}).Routes(), auditserver.Routes(auditserver.Deps{}), approvalserver.Routes(nil), windowserver.Routes(nil), placementserver.Routes(nil), profileserver.Routes(nil), itsm.Routes(nil))
}

// schemas are what their documents name.
func schemas() map[string]any {
	all := map[string]any{}
	for _, more := range []map[string]any{identityserver.Schemas(), register.Schemas(), auditserver.Schemas(), approvalserver.Schemas(), windowserver.Schemas(), placementserver.Schemas(), profileserver.Schemas(), itsm.Schemas()} {
		maps.Copy(all, more)
	}
	return all
}
