// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Meter knows what was measured.
type Meter interface {
	// Tracks is what rules know of an application.
	Tracks(application types.NamespacedName) map[profile.Key]profile.Track
	// Changed tells of Applications of which something else is known now.
	Changed() <-chan event.GenericEvent
}

// Reconciler keeps the Profile of each Application. It is the controller
// "placement.profiles".
type Reconciler struct {
	Hub   client.Client
	Meter Meter
	Clock clock.PassiveClock
}

// Reconcile combines the tags of one Application.
func (r *Reconciler) Reconcile(ctx context.Context, a *appv1.Application) (ctrl.Result, error) {
	if !a.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	var kept placementv1.Profile
	err := r.Hub.Get(ctx, client.ObjectKeyFromObject(a), &kept)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("could not read profile %q: %w", a.Name, err)
	}
	there := err == nil
	if !kept.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	var list placementv1.TagRuleList
	if err := r.Hub.List(ctx, &list); err != nil {
		return ctrl.Result{}, fmt.Errorf("could not read the tag rules: %w", err)
	}
	now := r.Clock.Now()
	tags, left := profile.Combine(profile.Seen{
		Components: a.Spec.Components, Imported: kept.Spec.Imported, Before: kept.Status.Tags,
		Rules: rules(list.Items, kept.Status.Tags), Tracks: r.Meter.Tracks(client.ObjectKeyFromObject(a)),
	}, now)
	if !there {
		if len(tags) == 0 {
			return ctrl.Result{}, nil
		}
		kept = placementv1.Profile{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name, OwnerReferences: []metav1.OwnerReference{profile.Owner(a)}}}
		if err := r.Hub.Create(ctx, &kept); err != nil {
			return patch.Settle(ctrl.Result{}, fmt.Errorf("could not make profile %q: %w", a.Name, err))
		}
	}
	if there {
		if err := r.own(ctx, &kept, a); err != nil {
			return patch.Settle(ctrl.Result{}, err)
		}
	}
	before := kept.DeepCopy()
	profile.Report(&kept.Status, tags, left, now)
	return patch.Settle(ctrl.Result{}, patch.Status(ctx, r.Hub, before, &kept))
}

// own makes a Profile the Application's that somebody made by hand, or for an earlier
// Application of the name: it goes when the Application goes, as any other does.
func (r *Reconciler) own(ctx context.Context, kept *placementv1.Profile, a *appv1.Application) error {
	if slices.ContainsFunc(kept.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == a.UID }) {
		return nil
	}
	before := kept.DeepCopy()
	mine := profile.Owner(a)
	kept.OwnerReferences = append(slices.DeleteFunc(kept.OwnerReferences, func(o metav1.OwnerReference) bool {
		return o.APIVersion == mine.APIVersion && o.Kind == mine.Kind
	}), mine)
	if err := r.Hub.Patch(ctx, kept, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("could not make profile %q its application's: %w", kept.Name, err)
	}
	return nil
}

// rules reads the rules. One that nobody can read any more still stands for what it gave:
// a mistake in a rule is no reason to take tags away.
func rules(list []placementv1.TagRule, before []placementv1.ProfileTag) map[string]profile.Rule {
	out := make(map[string]profile.Rule, len(list))
	for i := range list {
		rule, err := profile.RuleOf(&list[i])
		if err != nil {
			given := slices.IndexFunc(before, func(t placementv1.ProfileTag) bool {
				return t.From == placementv1.TagMeasured && t.Source == list[i].Name
			})
			if given < 0 {
				continue
			}
			rule = profile.Rule{Name: list[i].Name, Tag: before[given].Tag}
		}
		out[list[i].Name] = rule
	}
	return out
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	byName := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(o)}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("placement.profiles").
		For(&appv1.Application{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&placementv1.Profile{}, byName).
		Watches(&placementv1.TagRule{}, handler.EnqueueRequestsFromMapFunc(r.given), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Channel(r.Meter.Changed(), byName)).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
}

// given are the applications that have a tag of a rule.
func (r *Reconciler) given(ctx context.Context, rule client.Object) []reconcile.Request {
	var all placementv1.ProfileList
	if err := r.Hub.List(ctx, &all); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range all.Items {
		p := &all.Items[i]
		if slices.ContainsFunc(p.Status.Tags, func(t placementv1.ProfileTag) bool {
			return t.From == placementv1.TagMeasured && t.Source == rule.GetName()
		}) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(p)})
		}
	}
	return out
}
