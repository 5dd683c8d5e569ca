// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"maps"
	"slices"

	approval "github.com/fairway-cloud/fairway/internal/approval/server"
	identity "github.com/fairway-cloud/fairway/internal/identity/server"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// rooms are the routes of the rooms that bring their own handlers, with nothing
// behind them: for the document, and for the walk over every route.
func rooms() []httpapi.Route {
	return slices.Concat(identity.New(identity.Config{}).Routes(), approval.Routes(nil))
}

// roomSchemas are what their documents name.
func roomSchemas() map[string]any {
	out := map[string]any{}
	maps.Copy(out, identity.Schemas())
	maps.Copy(out, approval.Schemas())
	return out
}
