// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package keeper

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// ErrUnknown says that the fleet is not known now: nothing is decided. It is when the
// hub answers again; try again then.
var ErrUnknown = errors.New("what the fleet has and what Placements hold is not known yet")

// patience is how long a decision waits for the fleet to be known; slow is how long it
// may take the hub to tell of a write until Placements are listed anew, and tooSlow until
// the write is left to another try.
const (
	patience = 10 * time.Second
	slow     = 20 * time.Second
	tooSlow  = time.Minute
)

// placements is the kind whose order of changes matters.
var placements = reflect.TypeFor[*placementv1.Placement]()

// Keeper keeps the View up to date. Made by New it reads the hub anew for each
// decision; with Follow it follows it.
type Keeper struct {
	cached, direct client.Reader
	clock          clock.PassiveClock

	mu   sync.Mutex
	view *View
	// position is the version up to which all changes of Placements are known.
	position string
	// following says that something else than reading keeps the view up to date, and
	// known that it does so now. changed is closed when one of them or position changes.
	following, known bool
	// over says that this server follows no more, so that nobody waits in vain.
	over    bool
	changed chan struct{}
	// heard is when the hub last told of Placements; zero: nothing is followed.
	heard time.Time
	// again has the Placements listed anew.
	again func()
}

// New returns a Keeper that reads the fleet through a cache, and Placements past it.
func New(cached, direct client.Reader, c clock.PassiveClock) *Keeper {
	return &Keeper{cached: cached, direct: direct, clock: c, view: newView(), changed: make(chan struct{}), again: func() {}}
}

// Decide runs a decision on the fleet as it is now. One at a time: what one decision
// takes the next one sees. It waits for a fleet that is not known yet, and gives up with
// ErrUnknown. For a caller that has gone meanwhile, ctx, nothing is decided.
func (k *Keeper) Decide(ctx context.Context, decision func(*View)) error {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := k.ready(patient); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("could not decide where instances run: %w", err)
	}
	k.view.refresh(k.clock.Now())
	decision(k.view)
	return nil
}

// ready waits until the fleet is known, or reads it.
func (k *Keeper) ready(ctx context.Context) error {
	return k.until(ctx, func() bool { return k.known })
}

// Reached waits until all changes of Placements are known up to a version.
func (k *Keeper) Reached(ctx context.Context, version string) error {
	ctx, cancel := context.WithTimeout(ctx, tooSlow)
	defer cancel()
	doubt := time.AfterFunc(slow, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.again()
	})
	defer doubt.Stop()
	return k.until(ctx, func() bool { return k.known && !newer(version, k.position) })
}

// until waits until something holds, or reads the world if nothing follows it.
func (k *Keeper) until(ctx context.Context, holds func() bool) error {
	for {
		k.mu.Lock()
		following, done, over, changed := k.following, holds(), k.over, k.changed
		k.mu.Unlock()
		if !following {
			return k.read(ctx)
		}
		if done {
			return nil
		}
		if over {
			return unknown()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return unknown()
		}
	}
}

func unknown() error {
	return fmt.Errorf("could not decide where instances run: %w; it is tried again", ErrUnknown)
}

// tell wakes whoever waits. The caller holds the lock.
func (k *Keeper) tell() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// read takes the whole world over as it is now.
func (k *Keeper) read(ctx context.Context) error {
	w, err := observed.Read(ctx, k.cached, k.direct)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, list := range w.Lists() {
		if err := k.took(list); err != nil {
			return err
		}
	}
	return nil
}

// took takes over a whole list. The caller holds the lock.
func (k *Keeper) took(list client.ObjectList) error {
	items, err := meta.ExtractList(list)
	if err != nil {
		return fmt.Errorf("could not take over what the hub lists: %w", err)
	}
	all := make([]client.Object, 0, len(items))
	for _, item := range items {
		if o, is := item.(client.Object); is {
			all = append(all, slim(o))
		}
	}
	k.view.are(kindOf(list), list.GetResourceVersion(), all, k.clock.Now())
	return nil
}

// slim leaves out of a Placement what decisions do not look at. It may be shared with
// a cache, and is not changed.
func slim(o client.Object) client.Object {
	p, is := o.(*placementv1.Placement)
	if !is {
		return o
	}
	thin := *p
	thin.Spec.Reasons, thin.ManagedFields = nil, nil
	return &thin
}

// Saw takes over an object that was just written or seen. Nobody changes it afterwards.
func (k *Keeper) Saw(o client.Object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.view.saw(slim(o))
}

// Lost takes over that an object is gone of which o is the last version.
func (k *Keeper) Lost(o client.Object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.view.lost(o, o.GetResourceVersion(), k.clock.Now())
}

// Settle ends the reservation of an application's decision: its Placement is written,
// and given, or is not, and nil. Nobody changes it afterwards.
func (k *Keeper) Settle(application client.ObjectKey, written *placementv1.Placement) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if written != nil {
		k.view.saw(slim(written))
	}
	k.view.settle(application)
}
