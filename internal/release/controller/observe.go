// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/release"
)

// observe reads everything that the decision looks at, from the hub itself or from a cache.
func (r *Reconciler) observe(ctx context.Context, from client.Reader, rel *releasev1.Release) (release.Seen, error) {
	s := release.Seen{Release: rel, Limits: r.Limits}
	application := &appv1.Application{}
	err := from.Get(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.Application}, application)
	if client.IgnoreNotFound(err) != nil {
		return s, fmt.Errorf("could not read application %q: %w", rel.Spec.Application, err)
	}
	if err == nil {
		s.Application = application
		if application.Status.ActiveRelease == rel.Name && rel.Status.Sequence == 0 {
			// Claimed, and interrupted before it could be said.
			rel.Status.Sequence = application.Status.ReleaseSequence
		}
		if err := r.observeHolder(ctx, from, &s); err != nil {
			return s, err
		}
		if rel.Status.Sequence == 0 && application.Status.ReleaseSequence == 0 {
			if s.HighestSequence, err = r.highestSequence(ctx, from, rel); err != nil {
				return s, err
			}
		}
	}
	if rel.Spec.Revision != "" && !release.Holds(s) { // afterwards nobody asks
		if s.RevisionFound, err = r.revisionFound(ctx, rel); err != nil {
			return s, err
		}
	}
	return r.observePlan(ctx, from, s)
}

// onwards is what is seen after an action on the way to the first steps, by which only the
// application, as it was answered, and the Release have changed.
func (r *Reconciler) onwards(ctx context.Context, s release.Seen) (release.Seen, error) {
	s.Holder, s.HolderPlan = nil, nil
	return r.observePlan(ctx, r.Direct, s)
}

// observePlan reads the plan, what its clusters hold, and which of them are away.
func (r *Reconciler) observePlan(ctx context.Context, from client.Reader, s release.Seen) (release.Seen, error) {
	var err error
	if s.Release.Status.Plan != "" {
		s.Plan, s.PlanError = release.Open(s.Release.Status.Plan, s.Release.Status.PlanDigest)
	}
	if s.Deliveries == nil && (s.Plan != nil || release.Renders(s)) {
		if s.Deliveries, err = r.deliveries(ctx, from, s.Release, s.Plan); err != nil {
			return s, err
		}
	}
	s.Away, err = r.away(ctx, s)
	return s, err
}

func (r *Reconciler) observeHolder(ctx context.Context, from client.Reader, s *release.Seen) error {
	name := s.Application.Status.ActiveRelease
	if name == "" || name == s.Release.Name {
		return nil
	}
	holder := &releasev1.Release{}
	err := from.Get(ctx, client.ObjectKey{Namespace: s.Release.Namespace, Name: name}, holder)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("could not read release %q, which holds the application: %w", name, err)
	}
	if err != nil {
		return nil
	}
	s.Holder = holder
	if holder.Status.Plan != "" {
		// A plan that cannot be read names no way back.
		s.HolderPlan, _ = release.Open(holder.Status.Plan, holder.Status.PlanDigest)
	}
	return nil
}

// highestSequence is the highest number of the application's Releases on the hub. An
// application that has had a number itself has had the highest.
func (r *Reconciler) highestSequence(ctx context.Context, from client.Reader, rel *releasev1.Release) (int64, error) {
	var list releasev1.ReleaseList
	if err := fields.List(ctx, from, &list, fields.Application, rel.Spec.Application, client.InNamespace(rel.Namespace)); err != nil {
		return 0, fmt.Errorf("could not read the releases of application %q: %w", rel.Spec.Application, err)
	}
	highest := int64(0)
	for _, other := range list.Items {
		if other.Spec.Application == rel.Spec.Application {
			highest = max(highest, other.Status.Sequence)
		}
	}
	return highest, nil
}

func (r *Reconciler) revisionFound(ctx context.Context, rel *releasev1.Release) (bool, error) {
	revision := &appv1.Revision{}
	err := r.unchanging(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.Revision}, revision)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("could not read revision %q: %w", rel.Spec.Revision, err)
	}
	return err == nil && revision.Spec.Application == rel.Spec.Application, nil
}

// unchanging reads what never changes once it is there, and has a digest to show for it: the
// cache is as good as the hub where it has it.
func (r *Reconciler) unchanging(ctx context.Context, key client.ObjectKey, into client.Object) error {
	err := r.Hub.Get(ctx, key, into)
	if apierrors.IsNotFound(err) {
		err = r.Direct.Get(ctx, key, into)
	}
	return err
}

// deliveries returns the Deliveries of the application, by cluster. Once there is
// a plan, they are those of its clusters.
func (r *Reconciler) deliveries(ctx context.Context, from client.Reader, rel *releasev1.Release, plan *release.Document) (map[string]*deliveryv1.Delivery, error) {
	found := map[string]*deliveryv1.Delivery{}
	keep := func(d *deliveryv1.Delivery) {
		cluster, ok := strings.CutPrefix(d.Namespace, fleetv1.ClusterNamespacePrefix)
		if ok && d.Spec.Application == rel.Namespace+"/"+rel.Spec.Application && d.DeletionTimestamp.IsZero() {
			found[cluster] = d
		}
	}
	if plan == nil {
		var list deliveryv1.DeliveryList
		if err := fields.List(ctx, from, &list, fields.Application, rel.Namespace+"/"+rel.Spec.Application); err != nil {
			return nil, fmt.Errorf("could not read the deliveries of application %q: %w", rel.Spec.Application, err)
		}
		for i := range list.Items {
			keep(&list.Items[i])
		}
		return found, nil
	}
	for _, p := range plan.Clusters {
		d := &deliveryv1.Delivery{}
		err := from.Get(ctx, client.ObjectKey{Namespace: fleetv1.ClusterNamespacePrefix + p.Cluster, Name: p.Namespace}, d)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("could not read the delivery of application %q in cluster %q: %w", rel.Spec.Application, p.Cluster, err)
		}
		if err == nil {
			keep(d)
		}
	}
	return found, nil
}

// away says why clusters of the plan cannot be reached now.
func (r *Reconciler) away(ctx context.Context, s release.Seen) (map[string]string, error) {
	var list fleetv1.ClusterList
	if err := r.Hub.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil { // only read
		return nil, fmt.Errorf("could not read the clusters: %w", err)
	}
	why := map[string]string{}
	for cluster := range s.Deliveries {
		why[cluster] = "it is not joined any more"
	}
	if s.Plan != nil {
		for _, p := range s.Plan.Clusters {
			why[p.Cluster] = "it is not joined any more"
		}
	}
	for _, c := range list.Items {
		if delete(why, c.Name); whyAway(&c) != "" {
			why[c.Name] = whyAway(&c)
		}
	}
	return why, nil
}

// whyAway says why a cluster cannot be reached now; empty: it is.
func whyAway(c *fleetv1.Cluster) string {
	reachable := meta.FindStatusCondition(c.Status.Conditions, fleetv1.ConditionReachable)
	switch {
	case reachable == nil:
		return "it has not been reached yet"
	case reachable.Status != metav1.ConditionTrue && reachable.Message != "":
		return reachable.Message
	case reachable.Status != metav1.ConditionTrue:
		return "it does not answer"
	}
	return ""
}
