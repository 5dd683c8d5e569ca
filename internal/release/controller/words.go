// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
)

// words remembers since when words of progress wait to be written: those of one cluster wait a
// moment for those of the others, and all of them are one write.
type words struct {
	mu    sync.Mutex
	since map[client.ObjectKey]time.Time
}

// wait is for how long what is new of a Release still waits; 0: it is to be written.
func (w *words) wait(of client.ObjectKey, most time.Duration, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	first, waits := w.since[of]
	if !waits && most > 0 {
		if w.since == nil {
			w.since = map[client.ObjectKey]time.Time{}
		}
		first, w.since[of] = now, now
	}
	if left := most - now.Sub(first); left > 0 {
		return left
	}
	delete(w.since, of)
	return 0
}

// said forgets that anything waits.
func (w *words) said(of client.ObjectKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.since, of)
}

// onlyWords reports whether two states of a Release differ in how far its clusters are, and in
// how that is said, at most: nobody acts by it.
func onlyWords(a, b *releasev1.ReleaseStatus) bool {
	a, b = a.DeepCopy(), b.DeepCopy()
	for _, s := range []*releasev1.ReleaseStatus{a, b} {
		s.Clusters, s.ProgressedAt = nil, nil
		for i := range s.Conditions {
			s.Conditions[i].Message = ""
		}
	}
	return equality.Semantic.DeepEqual(a, b)
}
