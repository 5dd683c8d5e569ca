// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package cases gathers everything that a request is judged by, from the hub
// itself and past every cache: an approval is computed anew at each use.
package cases

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/approval"
)

// Logins remembers who logged in when. It is the identity room's.
type Logins interface {
	// Login returns the session of that public id, also one that has ended. found is
	// false for one that never was.
	Login(ctx context.Context, session string) (login approval.Login, found bool, err error)
}

// Reader gathers cases. What does not depend on one another is read at the same time;
// whatever cannot be read fails the whole.
type Reader struct {
	// Direct reads past every cache.
	Direct client.Reader
	// People knows who is who, as of now.
	People func(context.Context) (approval.People, error)
	// Logins remembers sessions.
	Logins Logins
	// Proofs says what the server itself made. Nil: nothing counts.
	Proofs Proofs
	// Now is the clock.
	Now func() time.Time
}

// Class is the class of an environment. One that nobody knows counts as
// production: gates fail closed.
func (r *Reader) Class(ctx context.Context, environment string) (tenancyv1.EnvironmentClass, error) {
	e := &tenancyv1.Environment{}
	err := r.Direct.Get(ctx, client.ObjectKey{Name: environment}, e)
	switch {
	case apierrors.IsNotFound(err):
		return tenancyv1.ClassProduction, nil
	case err != nil:
		return "", fmt.Errorf("could not read environment %q: %w", environment, err)
	}
	return e.Spec.Class, nil
}

// Newest returns the newest request for a Release, or nil.
func (r *Reader) Newest(ctx context.Context, rel *releasev1.Release) (*approvalv1.ApprovalRequest, error) {
	all, err := r.requests(ctx, rel.Namespace, rel.Name)
	return newest(all, rel), err
}

// newest of the requests that bear a Release's name. Others of that name may have
// been there before it.
func newest(all []*approvalv1.ApprovalRequest, rel *releasev1.Release) *approvalv1.ApprovalRequest {
	var out *approvalv1.ApprovalRequest
	for _, it := range all {
		if it.Spec.Subject.UID == string(rel.UID) && it.Spec.Subject.Kind == "Release" && it.Name == approval.RequestName(rel.Name, it.Spec.Number) && (out == nil || it.Spec.Number > out.Spec.Number) {
			out = it
		}
	}
	return out
}

// requests are all that were ever made for Releases of a name: they are numbered
// without a gap and stay, so that the first number that is not there ends them. Each is
// read by its name, which the hub answers at once and as of now; a list it answers from
// a cache of its own, and waits for up to 100 ms until that is as new. Most Releases have
// none or one: the first two are asked for one after the other, then twice as many at once.
func (r *Reader) requests(ctx context.Context, namespace, name string) ([]*approvalv1.ApprovalRequest, error) {
	var all []*approvalv1.ApprovalRequest
	for first, many := 1, 1; ; first, many = first+many, first+many-1 {
		some := make([]*approvalv1.ApprovalRequest, many)
		group, within := errgroup.WithContext(ctx)
		for i := range some {
			group.Go(func() (err error) {
				number := int32(first + i) //nolint:gosec // few
				some[i], err = found(within, r.Direct, client.ObjectKey{Namespace: namespace, Name: approval.RequestName(name, number)}, &approvalv1.ApprovalRequest{})
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		for _, it := range some {
			if it == nil {
				return all, nil
			}
			all = append(all, it)
		}
	}
}

// Policies are all that there are.
func (r *Reader) Policies(ctx context.Context) ([]approvalv1.ApprovalPolicy, error) {
	list := &approvalv1.ApprovalPolicyList{}
	if err := r.Direct.List(ctx, list); err != nil {
		return nil, fmt.Errorf("could not read the approval policies: %w", err)
	}
	return list.Items, nil
}

// Release reads a Release; nil where it is gone.
func (r *Reader) Release(ctx context.Context, namespace, name string) (*releasev1.Release, error) {
	rel := &releasev1.Release{}
	err := r.Direct.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, rel)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read release %q: %w", name, err)
	}
	return rel, nil
}

// Environment of a hub namespace.
func Environment(namespace string) string {
	_, environment, _ := app.SplitNamespace(namespace)
	return environment
}
