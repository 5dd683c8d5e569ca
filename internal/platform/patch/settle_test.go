// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package patch_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

func TestSettle(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "applications"}, "mobile-bank", errors.New("it was modified"))
	broken := errors.New("the hub is away")
	for reason, tc := range map[string]struct {
		err        error
		want       reconcile.Result
		wantFailed error
	}{
		"what went well keeps its own time":     {want: reconcile.Result{RequeueAfter: time.Minute}},
		"a conflict is looked at again quietly": {err: conflict, want: reconcile.Result{RequeueAfter: 200 * time.Millisecond}},
		"a conflict that was wrapped too": {
			err:  errors.Join(nil, fmt.Errorf("could not write: %w", conflict)),
			want: reconcile.Result{RequeueAfter: 200 * time.Millisecond},
		},
		"a failure is told": {err: broken, wantFailed: broken},
	} {
		t.Run(reason, func(t *testing.T) {
			got, err := patch.Settle(reconcile.Result{RequeueAfter: time.Minute}, tc.err)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", reason, diff)
			}
			if diff := cmp.Diff(tc.wantFailed, err, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", reason, diff)
			}
		})
	}
}
