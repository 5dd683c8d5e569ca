// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package turns

import (
	"context"
	"errors"
	"sync"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestOneAtATime(t *testing.T) {
	var turns Turns
	var all sync.WaitGroup
	in := map[string]*int{"a": new(int), "b": new(int)}
	for i := range 200 {
		name := []string{"a", "b"}[i%2]
		all.Go(func() {
			leave, err := turns.Take(t.Context(), client.ObjectKey{Name: name})
			if err != nil {
				t.Error(err)
				return
			}
			defer leave()
			*in[name]++ // under -race this says when two are in at once
		})
	}
	all.Wait()
	if *in["a"] != 100 || *in["b"] != 100 || len(turns.in) != 0 {
		t.Errorf("%d and %d were in, %d are still; want 100, 100 and none", *in["a"], *in["b"], len(turns.in))
	}
}

func TestOthersDoNotWait(t *testing.T) {
	var turns Turns
	leave, err := turns.Take(t.Context(), client.ObjectKey{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := turns.Take(t.Context(), client.ObjectKey{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	other()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := turns.Take(ctx, client.ObjectKey{Name: "a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever does not wait any more is told so: %v", err)
	}
	leave()
}
