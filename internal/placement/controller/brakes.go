// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Brakes says whether automation is stopped, at the moment of use. It reads past every
// cache, so that a Brake that the hub has acknowledged holds from then on.
type Brakes struct {
	Direct client.Reader
	// Kept says why automation is stopped by a Brake that the hub has not taken yet; empty:
	// it is not. Nil: none is kept.
	Kept func(environment string) string
}

var _ release.Brakes = &Brakes{}

// mostBrakeAge is how old the answer to whether a Brake holds may be when it is relied on.
const mostBrakeAge = time.Second

// Hold implements release.Brakes. What people started is never held.
func (b *Brakes) Hold(ctx context.Context, r *releasev1.Release) string {
	if !observed.ByAutomation(r) && !observed.ForRoom(r) {
		return ""
	}
	_, environment, _ := app.SplitNamespace(r.Namespace)
	return b.Stopped(ctx, environment)
}

// Stopped says why automation is stopped in an environment; empty: it is not. It is where
// nobody can tell.
func (b *Brakes) Stopped(ctx context.Context, environment string) string {
	if b.Kept != nil {
		if why := b.Kept(environment); why != "" {
			return why
		}
	}
	ctx, cancel := context.WithTimeout(ctx, mostBrakeAge)
	defer cancel()
	all, err := observed.Brakes(ctx, b.Direct)
	if err != nil {
		return "nobody can tell now whether a brake holds: it is asked again"
	}
	for _, one := range all {
		if one.Holds(environment) {
			return fmt.Sprintf("brake %s holds, set by %s: %s", one.Name, one.By, one.Reason)
		}
	}
	return ""
}
