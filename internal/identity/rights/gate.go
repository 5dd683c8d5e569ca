// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package rights

import (
	"context"
	"errors"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
)

// Gate refuses what happens in production while the hub's policies are not whole,
// and asks the gate within about everything else. The way back is never refused.
type Gate struct {
	// Inner is asked when the policies are whole.
	Inner approval.Gate
	// State of the hub's policies.
	State func() State
	// Hub holds the Environments.
	Hub client.Reader
}

// Check implements approval.Gate.
func (g Gate) Check(ctx context.Context, act approval.Act) (approval.Verdict, error) {
	if !act.WayBack && g.guarded(ctx, act) {
		switch state := g.State(); {
		case state.Unknown:
			return approval.Verdict{}, errors.New(state.Reason)
		case !state.Whole:
			return approval.Verdict{Reason: state.Reason}, nil
		}
	}
	return g.Inner.Check(ctx, act)
}

// free are the subjects outside any environment that no policy guards: whoever
// comes in, goes, or ends a login.
var free = []string{"Login/", "Session/", "Token/", "Account/"}

// guarded says whether an act relies on the policies: everything in production, and
// what holds for every environment. An environment that is not known counts as
// production.
func (g Gate) guarded(ctx context.Context, act approval.Act) bool {
	if act.Environment == "" {
		for _, kind := range free {
			if strings.HasPrefix(act.Subject, kind) {
				return false
			}
		}
		return true
	}
	environment := &tenancyv1.Environment{}
	if err := g.Hub.Get(ctx, client.ObjectKey{Name: act.Environment}, environment); err != nil {
		return true
	}
	return environment.Spec.Class != tenancyv1.ClassDevelopment && environment.Spec.Class != tenancyv1.ClassTest
}
