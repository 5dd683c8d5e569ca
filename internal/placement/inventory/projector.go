// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
)

// ReadModel knows what runs. readmodel.Store implements it.
type ReadModel interface {
	List(ctx context.Context, q readmodel.Query) (readmodel.Page, error)
	OnChange(tell func(readmodel.Change))
}

// Projector keeps the list in step with what is placed and what was seen to run. It is
// controller "placement.inventory".
type Projector struct {
	Hub     client.Client
	Running ReadModel
	Store   *Store
	Clock   clock.PassiveClock
}

const (
	// settle is how long changes of one application are gathered before they are written.
	settle = time.Second
	// mostRunning bounds the instances of an application that are read.
	mostRunning = 100000
)

// Reconcile brings the list of one application in step.
func (p *Projector) Reconcile(ctx context.Context, r reconcile.Request) (ctrl.Result, error) {
	seen, err := p.see(ctx, r.Namespace, r.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := p.Clock.Now()
	_, err = p.Store.Apply(ctx, r.Namespace, r.Name, Truth(seen, now), now)
	return ctrl.Result{}, err
}

// see gathers what is known of an application.
func (p *Projector) see(ctx context.Context, namespace, name string) (Seen, error) {
	s := Seen{Namespace: namespace, Name: name, DataCenters: map[string]string{}, Simulated: map[string]bool{}}
	application := &appv1.Application{}
	err := p.Hub.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, application)
	switch {
	case err == nil:
		s.Application = application
	case !apierrors.IsNotFound(err):
		return s, fmt.Errorf("could not read application %q: %w", name, err)
	}
	var placements placementv1.PlacementList
	var imports placementv1.MachineImportList
	var clusters fleetv1.ClusterList
	var pools fleetv1.PoolList
	for _, err := range []error{
		fields.List(ctx, p.Hub, &placements, fields.Application, name, client.InNamespace(namespace)),
		fields.List(ctx, p.Hub, &imports, fields.Application, name, client.InNamespace(namespace)), p.Hub.List(ctx, &clusters), p.Hub.List(ctx, &pools, client.UnsafeDisableDeepCopy),
	} {
		if err != nil {
			return s, fmt.Errorf("could not read what is placed of application %q: %w", name, err)
		}
	}
	for _, one := range placements.Items {
		if one.Spec.Application == name {
			s.Placements = append(s.Placements, one)
		}
	}
	for _, one := range imports.Items {
		if one.Spec.Application == name {
			s.Imports = append(s.Imports, one)
		}
	}
	for _, c := range clusters.Items {
		s.DataCenters[c.Name] = c.Spec.DataCenter
	}
	for _, one := range pools.Items {
		s.Simulated[one.Name] = one.Spec.HostKind == "Simulated"
	}
	if s.Before, err = p.Store.Of(ctx, namespace, name); err != nil {
		return s, err
	}
	page, err := p.Running.List(ctx, readmodel.Query{Namespaces: []string{namespace}, Equal: map[string]string{"application": name}, Limit: mostRunning})
	if err != nil {
		return s, fmt.Errorf("could not read what runs of application %q: %w", name, err)
	}
	s.Instances = page.Instances
	return s, nil
}

// SetupWithManager registers the controller.
func (p *Projector) SetupWithManager(mgr ctrl.Manager) error {
	application := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		name := o.GetName()
		switch x := o.(type) {
		case *placementv1.Placement:
			name = x.Spec.Application
		case *placementv1.MachineImport:
			name = x.Spec.Application
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
	})
	running := source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		p.Running.OnChange(func(c readmodel.Change) {
			queue.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: c.Namespace, Name: c.Application}}, settle)
		})
		return nil
	})
	return ctrl.NewControllerManagedBy(mgr).Named("placement.inventory").
		Watches(&placementv1.Placement{}, application).
		Watches(&placementv1.MachineImport{}, application).
		Watches(&appv1.Application{}, application).
		WatchesRawSource(running).
		Complete(p)
}
