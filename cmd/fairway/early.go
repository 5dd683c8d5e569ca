// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	desk "github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// early says at once what would come to nothing later: a decision that would not
// count, and a Release of a Revision that is not there.
func (h *house) early(authority server.Authority, d *desk.Desk) server.BeforeFunc {
	decision, release := refuseEarly(d), revisionThere(h.mgr.GetAPIReader(), authority)
	return func(ctx context.Context, kind string, object map[string]any) error {
		if kind == "Release" {
			return release(ctx, object)
		}
		return decision(ctx, kind, object)
	}
}

// revisionThere refuses a Release of a Revision that is not there, or is another
// application's. Whoever may not see Revisions learns nothing of them: the hub refuses
// him. What cannot be found out refuses nothing either: the Release itself finds out.
func revisionThere(hub client.Reader, authority server.Authority) func(context.Context, map[string]any) error {
	return func(ctx context.Context, object map[string]any) error {
		namespace, _, _ := unstructured.NestedString(object, "metadata", "namespace")
		application, _, _ := unstructured.NestedString(object, "spec", "application")
		name, _, _ := unstructured.NestedString(object, "spec", "revision")
		if namespace == "" || name == "" {
			return nil
		}
		person, _ := identity.FromContext(ctx)
		sees, err := authority.May(ctx, person, server.Question{Verb: "get", Group: appv1.GroupVersion.Group, Resource: "revisions", Namespace: namespace})
		if err != nil || !sees {
			return nil //nolint:nilerr // the hub says who may ask for a Release
		}
		revision := &appv1.Revision{}
		err = hub.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, revision)
		why := ""
		switch {
		case apierrors.IsNotFound(err):
			why = fmt.Sprintf("revision %q is not there", name)
		case err == nil && revision.Spec.Application != application:
			why = fmt.Sprintf("revision %q is of application %q", name, revision.Spec.Application)
		default:
			return nil //nolint:nilerr // see above
		}
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not ask for a release of application %q in %q: %s", application, namespace, why).
			WithCauses(httpapi.Cause{Field: "spec.revision", Reason: "FieldValueNotFound", Message: why}).
			WithNext("Name one that is there: fairway get revisions -n %s.", namespace)
	}
}
