// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package leadership says who leads and until when. The lock is a Lease on the
// hub; its transition count is the epoch. Every remote write asks Check, which
// holds only while the lease is certain to be ours by this machine's own
// monotonic clock: a leader that was paused and wakes up finds its deadline past
// and writes nothing (architecture, section 3, "Fencing").
package leadership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// ErrNotLeading says that this process must not write now. Nothing was written;
// whoever leads does it.
var ErrNotLeading = errors.New("this server does not lead now")

// Times of the election. Margin is kept free before the lease ends, for a write
// that is under way and for clocks that run at different speeds.
const (
	Duration = 15 * time.Second
	Renew    = 10 * time.Second
	Retry    = 2 * time.Second
	Margin   = 3 * time.Second
)

// Lock is the lease as controller-runtime takes it, which remembers until when
// it is certainly ours. It implements members.Fence.
type Lock struct {
	resourcelock.Interface
	now func() time.Time

	mu       sync.Mutex
	deadline time.Time
	epoch    int64
}

// New returns the lock of the Lease namespace/name for the holder identity,
// which must be different in every process.
func New(client coordinationclient.LeasesGetter, namespace, name, identity string) *Lock {
	return &Lock{now: time.Now, Interface: &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Client: client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}}
}

// Create implements resourcelock.Interface.
func (l *Lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.hold(record, func() error { return l.Interface.Create(ctx, record) })
}

// Update implements resourcelock.Interface.
func (l *Lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.hold(record, func() error { return l.Interface.Update(ctx, record) })
}

// hold moves the deadline when the lease was written in our name. The time before
// the request counts, since nobody knows when the hub took it.
func (l *Lock) hold(record resourcelock.LeaderElectionRecord, write func() error) error {
	asked := l.now()
	err := write()
	if err != nil {
		return err // what was held before stays held until its deadline
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if record.HolderIdentity != l.Identity() {
		l.deadline = time.Time{} // given up
		return nil
	}
	// The first epoch is 1: a fresh Lease counts no transitions yet.
	l.epoch = int64(record.LeaderTransitions) + 1
	l.deadline = asked.Add(time.Duration(record.LeaseDurationSeconds)*time.Second - Margin)
	return nil
}

// Check implements members.Fence: nil while the lease is certain to hold.
func (l *Lock) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deadline.IsZero() || !l.now().Before(l.deadline) {
		return fmt.Errorf("could not write: %w", ErrNotLeading)
	}
	return nil
}

// Epoch numbers the leaderships, from 1. 0: this process never led.
func (l *Lock) Epoch() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch
}
