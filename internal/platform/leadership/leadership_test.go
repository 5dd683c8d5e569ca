// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package leadership

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func TestFenceHoldsOnlyWhileTheLeaseIsCertain(t *testing.T) {
	now := time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC)
	lock := New(fake.NewClientset().CoordinationV1(), "fairway-system", "fairway", "me")
	lock.now = func() time.Time { return now }
	record := func(holder string, transitions int) resourcelock.LeaderElectionRecord {
		return resourcelock.LeaderElectionRecord{HolderIdentity: holder, LeaseDurationSeconds: 15, LeaderTransitions: transitions}
	}
	if err := lock.Check(); !errors.Is(err, ErrNotLeading) {
		t.Errorf("before the lease nobody writes, got %v", err)
	}
	if err := lock.Create(context.Background(), record("me", 0)); err != nil {
		t.Fatal(err)
	}
	if err := lock.Check(); err != nil || lock.Epoch() != 1 {
		t.Errorf("the first leadership is number 1 and may write: %v, %d", err, lock.Epoch())
	}
	now = now.Add(11 * time.Second)
	if err := lock.Check(); err != nil {
		t.Errorf("within the lease: %v", err)
	}
	now = now.Add(time.Second)
	if err := lock.Check(); !errors.Is(err, ErrNotLeading) {
		t.Error("a leader that was paused must not write when it wakes up: the margin is kept free")
	}
	if err := lock.Update(context.Background(), record("me", 4)); err != nil || lock.Check() != nil || lock.Epoch() != 5 {
		t.Errorf("renewed it may write again: %v, epoch %d", err, lock.Epoch())
	}
	if err := lock.Update(context.Background(), record("", 4)); err != nil {
		t.Fatal(err)
	}
	if err := lock.Check(); !errors.Is(err, ErrNotLeading) {
		t.Error("given up it may not write at once")
	}
}

func TestFailedRenewalMovesNothing(t *testing.T) {
	now := time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC)
	lock := New(fake.NewClientset().CoordinationV1(), "fairway-system", "fairway", "me")
	lock.now = func() time.Time { return now }
	if err := lock.Update(context.Background(), resourcelock.LeaderElectionRecord{HolderIdentity: "me", LeaseDurationSeconds: 15}); err == nil {
		t.Fatal("there is no lease to renew")
	}
	if err := lock.Check(); !errors.Is(err, ErrNotLeading) {
		t.Error("a renewal that failed gives no right to write")
	}
}
