// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package keeper

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// follower has a Keeper follow the hub while this server leads. It is service
// "placement.keeper".
type follower struct {
	*Keeper
	informers cache.Informers
	hub       client.WithWatch
}

// Follow has the Keeper follow the hub, through a manager that starts and stops it:
// Placements by a watch of its own, so that all changes up to a version are known at a
// time; everything else through the manager's cache.
func (k *Keeper) Follow(mgr ctrl.Manager) error {
	hub, err := client.NewWithWatch(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("could not follow placements: %w", err)
	}
	k.following = true
	return mgr.Add(&follower{Keeper: k, informers: mgr.GetCache(), hub: hub})
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: only a leader decides.
func (f *follower) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (f *follower) Start(ctx context.Context) error {
	f.begin()
	defer f.forget()
	for _, list := range (&observed.World{}).Lists() {
		if kindOf(list) == placements {
			continue
		}
		if err := f.inform(ctx, kindOf(list)); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	logger := log.FromContext(ctx).WithName("placement.keeper")
	for ctx.Err() == nil {
		if err := f.followPlacements(ctx); err != nil && ctx.Err() == nil {
			logger.Info("placements are listed anew; nothing is placed meanwhile", "because", err.Error())
			pause(ctx, retry)
		}
	}
	return nil
}

// retry is how long the hub is left alone after it could not be followed.
const retry = 500 * time.Millisecond

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// inform takes over a kind from the manager's cache, now and from now on.
func (f *follower) inform(ctx context.Context, kind reflect.Type) error {
	one, is := reflect.New(kind.Elem()).Interface().(client.Object)
	if !is {
		return fmt.Errorf("could not follow %s: it is no object", kind)
	}
	informer, err := f.informers.GetInformer(ctx, one)
	if err != nil {
		return fmt.Errorf("could not follow %s: %w", kind, err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    f.informed,
		UpdateFunc: func(_, now any) { f.informed(now) },
		DeleteFunc: f.missed,
	})
	if err != nil {
		return fmt.Errorf("could not follow %s: %w", kind, err)
	}
	context.AfterFunc(ctx, func() { _ = informer.RemoveEventHandler(registration) })
	if !toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return fmt.Errorf("could not follow %s: %w", kind, ctx.Err())
	}
	return nil
}

func (f *follower) informed(o any) {
	if object, is := o.(client.Object); is {
		f.Saw(object)
	}
}

// missed takes over that an object is gone. Nobody but the hub writes what is followed
// so: what the cache no longer has is gone, whichever version it saw last.
func (f *follower) missed(o any) {
	if last, is := o.(toolscache.DeletedFinalStateUnknown); is {
		o = last.Obj
	}
	if object, is := o.(client.Object); is {
		f.Lost(object)
	}
}

func (f *follower) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = false
}

// forget starts from nothing when this server no longer leads.
func (f *follower) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.view, f.known, f.position, f.heard, f.over = newView(), false, "", time.Time{}, true
	f.tell()
}

// followPlacements lists all Placements and follows their changes in order, until that
// is not possible any more. Meanwhile, and only then, the fleet is known.
func (f *follower) followPlacements(ctx context.Context) error {
	ctx, again := context.WithCancel(ctx)
	defer again()
	var list placementv1.PlacementList
	if err := f.hub.List(ctx, &list); err != nil {
		return fmt.Errorf("could not list placements: %w", err)
	}
	f.mu.Lock()
	err := f.took(&list)
	f.position, f.known, f.again, f.heard = list.ResourceVersion, err == nil, again, f.clock.Now()
	f.tell()
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.known = false
	}()
	for err == nil && ctx.Err() == nil {
		began := f.clock.Now()
		if err = f.follow(ctx); f.clock.Since(began) < retry {
			pause(ctx, retry)
		}
	}
	return errors.Join(err, ctx.Err())
}

// follow follows the changes of Placements after the position until the hub ends the
// watch, as it does from time to time.
func (f *follower) follow(ctx context.Context) error {
	f.mu.Lock()
	position := f.position
	f.mu.Unlock()
	w, err := f.hub.Watch(ctx, &placementv1.PlacementList{}, &client.ListOptions{Raw: &metav1.ListOptions{
		ResourceVersion: position, AllowWatchBookmarks: true,
	}})
	if err != nil {
		return fmt.Errorf("could not watch placements: %w", err)
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			return fmt.Errorf("could not watch placements: %w", apierrors.FromObject(event.Object))
		}
		if o, is := event.Object.(*placementv1.Placement); is {
			f.moved(event.Type, o)
		}
	}
	return nil
}

// moved takes over one change, and with it that all changes before it are known.
func (f *follower) moved(change watch.EventType, o *placementv1.Placement) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch change {
	case watch.Added, watch.Modified:
		f.view.saw(slim(o))
	case watch.Deleted:
		f.view.lost(o, o.ResourceVersion, f.clock.Now())
	}
	f.heard = f.clock.Now()
	if newer(o.ResourceVersion, f.position) {
		f.position = o.ResourceVersion
	}
	f.tell()
}
