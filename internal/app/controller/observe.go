// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
)

// atOnce is how many images are asked for at a time.
const atOnce = 4

// observe reads the bank's own objects around an application.
func observe(ctx context.Context, hub client.Reader, a *appv1.Application, now time.Time) (app.World, *refusal) {
	tenant, environment, ok := app.SplitNamespace(a.Namespace)
	if !ok {
		return app.World{}, &refusal{reason: appv1.ReasonReferenceMissing, person: true,
			message: fmt.Sprintf("namespace %q is not \"<tenant>-<environment>\"; put the application into its tenant's namespace", a.Namespace)}
	}
	var defined app.Defined
	err := hub.Get(ctx, client.ObjectKey{Name: environment}, &defined.Environment)
	if apierrors.IsNotFound(err) {
		return app.World{}, &refusal{reason: appv1.ReasonReferenceMissing, person: true,
			message: fmt.Sprintf("environment %q does not exist; define it, or put the application into the namespace of one that does", environment)}
	}
	var (
		levels   tenancyv1.SecurityLevelList
		classes  tenancyv1.AvailabilityClassList
		zones    fleetv1.NetworkZoneList
		pools    fleetv1.PoolList
		dcns     fleetv1.DCNList
		clusters fleetv1.ClusterList
		sites    fleetv1.DataCenterList
	)
	err = errors.Join(err, hub.List(ctx, &levels), hub.List(ctx, &classes), hub.List(ctx, &zones), hub.List(ctx, &pools, client.UnsafeDisableDeepCopy), hub.List(ctx, &dcns), hub.List(ctx, &clusters), hub.List(ctx, &sites))
	if err != nil {
		return app.World{}, &refusal{reason: appv1.ReasonReferenceMissing, message: "the hub could not be read; it is tried again",
			err: fmt.Errorf("could not read what surrounds application %q: %w", a.Name, err)}
	}
	defined.Levels, defined.Classes, defined.Zones, defined.Pools, defined.DCNs, defined.Sites = levels.Items, classes.Items, zones.Items, pools.Items, dcns.Items, sites.Items
	defined.Clusters = clusters.Items
	return app.WorldOf(tenant, defined, now), nil
}

// resolve asks registries for every image of an application.
func resolve(ctx context.Context, resolver app.Resolver, a *appv1.Application) (map[string]app.ImageFacts, *refusal) {
	images := app.Images(a.Spec)
	facts := map[string]app.ImageFacts{}
	failures := make([]error, len(images))
	var (
		lock  sync.Mutex
		group errgroup.Group
	)
	group.SetLimit(atOnce)
	for i, image := range images {
		group.Go(func() error {
			fact, err := resolver.Resolve(ctx, image)
			lock.Lock()
			defer lock.Unlock()
			facts[image], failures[i] = fact, err
			return nil
		})
	}
	_ = group.Wait() // failures are kept one by one, in the order of images
	var away *refusal
	for i, err := range failures {
		switch {
		case err == nil:
		case errors.Is(err, app.ErrImageNotFound):
			return nil, &refusal{reason: appv1.ReasonImageNotFound, person: true, again: missing,
				message: fmt.Sprintf("the registry does not have image %q; push it, or correct its name", images[i])}
		case errors.Is(err, app.ErrRegistryRefused):
			return nil, &refusal{reason: appv1.ReasonRegistryRefused, person: true, message: err.Error()}
		case errors.Is(err, app.ErrRegistryDenied):
			return nil, &refusal{reason: appv1.ReasonRegistryDenied, person: true, again: missing,
				message: fmt.Sprintf("the registry does not let Fairway read image %q; let it be read, or give the server a login that may (--registry-login)%s", images[i], notAsked(a))}
		case errors.Is(err, app.ErrImageUnreadable):
			return nil, &refusal{reason: appv1.ReasonImageUnreadable, person: true, again: missing,
				message: err.Error() + "; push the image again"}
		case away == nil:
			away = &refusal{reason: appv1.ReasonRegistryUnreachable, err: err,
				message: fmt.Sprintf("the registry of image %q does not answer; it is asked again", images[i])}
		}
	}
	if away != nil {
		return nil, away
	}
	return facts, nil
}

// notAsked says why a pullSecret did not help: it belongs to the tenant, and the server may
// read Secrets in fairway-system only (config/rbac/system.yaml).
func notAsked(a *appv1.Application) string {
	if a.Spec.PullSecret == "" {
		return ""
	}
	return fmt.Sprintf("; pullSecret %q is for the hosts that pull the image: the server reads no Secret of a tenant", a.Spec.PullSecret)
}

// deliveries are the application's, of all clusters.
func (r *Reconciler) deliveries(ctx context.Context, a *appv1.Application) ([]deliveryv1.Delivery, error) {
	var all deliveryv1.DeliveryList
	if err := fields.List(ctx, r.Hub, &all, fields.Application, a.Namespace+"/"+a.Name); err != nil {
		return nil, fmt.Errorf("could not read the deliveries of application %q: %w", a.Name, err)
	}
	var own []deliveryv1.Delivery
	for _, d := range all.Items {
		if d.Spec.Application == a.Namespace+"/"+a.Name {
			own = append(own, d)
		}
	}
	return own, nil
}

// machines are the imports of the application's instances on virtual machines, and where the
// cache knows no better those of its namespace.
func (r *Reconciler) machines(ctx context.Context, a *appv1.Application) ([]placementv1.MachineImport, error) {
	var all placementv1.MachineImportList
	if err := fields.List(ctx, r.Hub, &all, fields.Application, a.Name, client.InNamespace(a.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("could not read what still runs of application %q on virtual machines: %w", a.Name, err)
	}
	return all.Items, nil
}
