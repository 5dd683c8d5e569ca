// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/release/kept"
	"github.com/fairway-cloud/fairway/internal/server"
)

// mostReason bounds a reason, in characters.
const mostReason = 512

// said is why somebody sets or releases a brake.
type said struct {
	Reason       string   `json:"reason"`
	Environments []string `json:"environments,omitempty"`
}

// setBrake writes as the person who asks.
func (d *Desk) setBrake(w http.ResponseWriter, r *http.Request) error {
	as, person, s, err := d.braking(r)
	if err != nil {
		return err
	}
	made := &placementv1.Brake{
		ObjectMeta: metav1.ObjectMeta{Name: r.PathValue("name")},
		Spec:       placementv1.BrakeSpec{Environments: slices.Compact(slices.Sorted(slices.Values(s.Environments))), Reason: s.Reason, By: person.ID},
	}
	if err := create(r.Context(), as, made); err != nil {
		if d.Keep != nil && away(err) {
			return d.keepBrake(w, r, person, made)
		}
		return hubSays(err)
	}
	return httpapi.WriteJSON(w, http.StatusCreated, named(made))
}

// brakePatience is how long the hub has to take a brake before it is kept.
const brakePatience = 5 * time.Second

func create(ctx context.Context, as client.Client, made *placementv1.Brake) error {
	ctx, cancel := context.WithTimeout(ctx, brakePatience)
	defer cancel()
	return as.Create(ctx, made)
}

// away says whether the hub could not answer: what it refused, it refused. Whatever fails
// within it (its store has no leader, no space) it answers with 500.
func away(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status) || status.Status().Code >= http.StatusInternalServerError || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err)
}

// keepBrake keeps a brake until the hub takes it: automation does nothing before.
func (d *Desk) keepBrake(w http.ResponseWriter, r *http.Request, person identity.Person, made *placementv1.Brake) error {
	if err := d.Keep(r.Context(), person, made.Name, kept.Brake{Environments: made.Spec.Environments, Reason: made.Spec.Reason}); err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "the hub does not answer, and brake %q could not be kept", made.Name).
			WithNext("Ask again. While the hub does not answer, automation does nothing.").Because(err)
	}
	httpapi.Say(r.Context(), "kept: the hub does not answer; it is written before automation does anything")
	return httpapi.WriteJSON(w, http.StatusAccepted, named(made))
}

// releaseBrake writes as the person who asks.
func (d *Desk) releaseBrake(w http.ResponseWriter, r *http.Request) error {
	as, person, s, err := d.braking(r)
	if err != nil {
		return err
	}
	if len(s.Environments) > 0 {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not release brake %q in some environments only: it is released as a whole", r.PathValue("name"))
	}
	may, err := d.Authority.May(r.Context(), person, server.Question{Verb: "patch", Group: placementv1.GroupVersion.Group, Resource: "brakes", Name: r.PathValue("name")})
	if err != nil {
		return unavailable(err)
	}
	if !may {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not release brake %q: your roles do not allow it", r.PathValue("name")).WithNext("A system administrator releases it.")
	}
	found := &placementv1.Brake{}
	if err := as.Get(r.Context(), client.ObjectKey{Name: r.PathValue("name")}, found); err != nil {
		return hubSays(err)
	}
	if found.Spec.Released != nil {
		return httpapi.NewProblem(httpapi.CodeConflict, "could not release brake %q: %s released it already", found.Name, found.Spec.Released.By)
	}
	before := found.DeepCopy()
	found.Spec.Released = &placementv1.BrakeRelease{By: person.ID, Reason: s.Reason, At: metav1.NewTime(d.Clock.Now().UTC().Truncate(time.Second))}
	if err := as.Patch(r.Context(), found, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return hubSays(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, named(found))
}

func named(b *placementv1.Brake) *placementv1.Brake {
	b.SetGroupVersionKind(placementv1.GroupVersion.WithKind("Brake"))
	b.ManagedFields = nil
	return b
}

func (d *Desk) braking(r *http.Request) (as client.Client, person identity.Person, s said, err error) {
	if err := httpapi.Strict(r, &s); err != nil {
		return nil, person, s, err
	}
	if s.Reason == "" || utf8.RuneCountInString(s.Reason) > mostReason {
		return nil, person, s, httpapi.NewProblem(httpapi.CodeInvalid, "could not act on brake %q: say why in at most %d characters (reason)", r.PathValue("name"), mostReason)
	}
	if d == nil || d.As == nil {
		return nil, person, s, httpapi.NewProblem(httpapi.CodeUnavailable, "could not act on brakes now")
	}
	person, _ = identity.FromContext(r.Context())
	as, err = d.As(r.Context())
	return as, person, s, err
}

// hubSays is what the hub answers, as a problem.
func hubSays(err error) error {
	var status apierrors.APIStatus
	switch {
	case apierrors.IsNotFound(err):
		return httpapi.NewProblem(httpapi.CodeNotFound, "could not find the brake").WithNext("See which there are: fairway placement brake list.").Because(err)
	case apierrors.IsAlreadyExists(err):
		return httpapi.NewProblem(httpapi.CodeAlreadyExists, "could not set the brake: one of that name is on record").WithNext("Set it under another name.").Because(err)
	case apierrors.IsConflict(err):
		return httpapi.NewProblem(httpapi.CodeConflict, "could not release the brake: somebody else changed it meanwhile").Because(err)
	case apierrors.IsForbidden(err):
		return httpapi.NewProblem(httpapi.CodeDenied, "could not act on the brake: your roles do not allow it").WithNext("Anybody sets a brake; a system administrator releases it.").Because(err)
	case errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)):
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not act on the brake: %s", status.Status().Message).Because(err)
	}
	return unavailable(err)
}
