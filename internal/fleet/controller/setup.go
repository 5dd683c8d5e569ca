// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package controller carries out what the fleet room decides: fleet.health
// keeps clusters connected and guarded, fleet.hosts marks the hosts of pools,
// fleet.pools tells what pools hold, fleet.sites whether a site's clusters answer.
package controller

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/members/connections"
)

// Options are what the controllers of the fleet room need.
type Options struct {
	// Connections to the members. The caller adds them to the manager.
	Connections *connections.Connections
	// Gate is asked before each act in a member.
	Gate approval.Gate
	// Recorder keeps the evidence of each act in a member.
	Recorder audit.Recorder
	// Audit says how a cluster's audit log compares with evidence, and OnAudit has tell
	// called when that changes. Default: no audit log is read.
	Audit   func(cluster string) fleet.Audit
	OnAudit func(tell func(cluster string))
	// Now is the clock. Default: the machine's.
	Now func() time.Time
}

// calm is how long changes in a member are gathered before they are looked at.
const calm = time.Second

// Setup adds the controllers to a manager whose cache holds the fleet's kinds.
func Setup(mgr ctrl.Manager, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	hub := mgr.GetClient()
	sight := NewSight(o.Connections)
	health := &Health{
		hub: hub, secrets: mgr.GetAPIReader(), connector: o.Connections, sight: sight,
		guards: &guards{gate: o.Gate, recorder: o.Recorder}, now: o.Now, audit: o.Audit,
	}
	hosts := &Hosts{hub: hub, members: o.Connections, sight: sight, gate: o.Gate, recorder: o.Recorder}
	pools := &Pools{hub: hub, sight: sight, now: o.Now}

	// The server reads Secrets in its own namespace only, and keeps none in memory.
	own, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		DefaultNamespaces: map[string]cache.Config{fleetv1.SystemNamespace: {}},
	})
	if err != nil {
		return fmt.Errorf("could not watch the credentials of clusters: %w", err)
	}
	if err := mgr.Add(own); err != nil {
		return fmt.Errorf("could not watch the credentials of clusters: %w", err)
	}
	secret := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}}
	onAudit := o.OnAudit
	if onAudit == nil {
		onAudit = func(func(string)) {}
	}
	err = ctrl.NewControllerManagedBy(mgr).Named("fleet.health").
		For(&fleetv1.Cluster{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Kind(own, secret, handler.TypedEnqueueRequestsFromMapFunc(clustersOf(hub)))).
		WatchesRawSource(later(o.Connections.OnChange, 0, one)).
		WatchesRawSource(later(sight.OnChange, calm, one)).
		WatchesRawSource(later(onAudit, 0, one)).
		Complete(health)
	if err != nil {
		return err
	}
	everyCluster := handler.EnqueueRequestsFromMapFunc(all(hub, func() client.ObjectList { return &fleetv1.ClusterList{} }))
	err = ctrl.NewControllerManagedBy(mgr).Named("fleet.hosts").
		For(&fleetv1.Cluster{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&fleetv1.Pool{}, everyCluster, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(later(sight.OnChange, 100*time.Millisecond, one)).
		Complete(reconcile.AsReconciler(hub, hosts))
	if err != nil {
		return err
	}
	poolsOf := all(hub, func() client.ObjectList { return &fleetv1.PoolList{} })
	everyPool := handler.EnqueueRequestsFromMapFunc(poolsOf)
	siteOf := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		cluster, ok := object.(*fleetv1.Cluster)
		if !ok {
			return nil
		}
		return one(ctx, cluster.Spec.DataCenter)
	})
	err = ctrl.NewControllerManagedBy(mgr).Named("fleet.sites").
		For(&fleetv1.DataCenter{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&fleetv1.Cluster{}, siteOf).
		Complete(reconcile.AsReconciler(hub, &Sites{hub: hub, now: o.Now}))
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).Named("fleet.pools").
		For(&fleetv1.Pool{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&fleetv1.Pool{}, everyPool, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&fleetv1.Cluster{}, everyPool, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&fleetv1.DataCenter{}, everyPool, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(later(sight.OnChange, calm, func(ctx context.Context, _ string) []reconcile.Request { return poolsOf(ctx, nil) })).
		Complete(reconcile.AsReconciler(hub, pools))
}

// later is a source of requests for the clusters that something tells of,
// gathered over a while.
func later(subscribe func(func(string)), wait time.Duration, requests func(context.Context, string) []reconcile.Request) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		subscribe(func(cluster string) {
			if ctx.Err() != nil {
				return
			}
			for _, request := range requests(ctx, cluster) {
				queue.AddAfter(request, wait)
			}
		})
		return nil
	})
}

func one(_ context.Context, name string) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
}

// all maps anything to every object of a list.
func all(hub client.Reader, empty func() client.ObjectList) handler.MapFunc {
	return func(ctx context.Context, _ client.Object) []reconcile.Request {
		var requests []reconcile.Request
		switch list := empty().(type) {
		case *fleetv1.ClusterList:
			if hub.List(ctx, list) == nil {
				for i := range list.Items {
					requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
				}
			}
		case *fleetv1.PoolList:
			if hub.List(ctx, list) == nil {
				for i := range list.Items {
					requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
				}
			}
		}
		return requests
	}
}

// clustersOf maps a Secret to the Clusters whose credentials it holds.
func clustersOf(hub client.Reader) handler.TypedMapFunc[*metav1.PartialObjectMetadata, reconcile.Request] {
	return func(ctx context.Context, secret *metav1.PartialObjectMetadata) []reconcile.Request {
		clusters := &fleetv1.ClusterList{}
		if hub.List(ctx, clusters) != nil {
			return nil
		}
		var requests []reconcile.Request
		for i := range clusters.Items {
			if SecretName(&clusters.Items[i]) == secret.GetName() {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&clusters.Items[i])})
			}
		}
		return requests
	}
}
