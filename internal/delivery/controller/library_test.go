// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
)

// TestTheShelfIsBounded: a fleet of large renderings does not fill the server's memory.
func TestTheShelfIsBounded(t *testing.T) {
	var l Library
	const size = 1 << 20
	for n := range 1000 {
		digest := fmt.Sprint("sha256:", n)
		l.keep(digest, nil, size)
		l.keep(digest, nil, size) // read twice at once: counted once
		if _, known := l.shelf(digest); !known {
			t.Fatalf("what was shelved last, %s, is not found", digest)
		}
		if kept := len(l.shelved) * size; kept > maxShelved || kept != l.size {
			t.Fatalf("%d bytes are shelved and %d counted, at most %d may be", kept, l.size, maxShelved)
		}
	}
	if len(l.shelved) < 60 {
		t.Errorf("only %d renderings are shelved", len(l.shelved))
	}
}

// TestMostIsAtHandWhereNotAllIs: of a fleet with half as many renderings again as there is
// room for, looked at in turn, as Deliveries are, about half is at hand each time.
func TestMostIsAtHandWhereNotAllIs(t *testing.T) {
	var l Library
	const size = maxShelved / 400
	known := 0
	for round := range 4 {
		for n := range 600 {
			digest := fmt.Sprint("sha256:", n)
			if _, there := l.shelf(digest); there && round > 0 {
				known++
			} else {
				l.keep(digest, nil, size)
			}
		}
	}
	if known < 600 {
		t.Errorf("of 1,800 that were looked for again %d were at hand", known)
	}
}

// TestWhatWasStoredIsNotRead: a rendering that this process has stored is at hand by its
// digest, and one whose bytes are others is not, whatever name it bears.
func TestWhatWasStoredIsNotRead(t *testing.T) {
	const content = `[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"retail-prod-pay","name":"a"}}]`
	const other = `[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"retail-prod-pay","name":"b"}}]`
	hub := fake.NewClientBuilder().WithScheme(scheme).Build()
	asking := client.ObjectKey{Namespace: "fairway-cluster-east-1", Name: "retail-prod-pay"}
	var l Library
	l.Stored(v1alpha1.RenderingSpec{Content: content, Digest: delivery.Digest(content)})
	l.Stored(v1alpha1.RenderingSpec{Content: content, Digest: delivery.Digest(other)})

	objects, problem, err := l.readOne(t.Context(), hub, asking, v1alpha1.RenderingReference{Name: "one", Digest: delivery.Digest(content)})
	if err != nil || problem != nil || len(objects) != 1 || objects[0].Identity.Name != "a" {
		t.Errorf("what was stored is not at hand: %v, %v, %v", objects, problem, err)
	}
	if objects, _, err := l.readOne(t.Context(), hub, asking, v1alpha1.RenderingReference{Name: "two", Digest: delivery.Digest(other)}); err == nil {
		t.Errorf("bytes of another digest are at hand: %v", objects)
	}
}
