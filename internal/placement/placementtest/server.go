// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placementtest

import (
	"context"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/fairway-cloud/fairway/internal/placement/controller"
	"github.com/fairway-cloud/fairway/internal/placement/keeper"
)

// Server is a Placer as it is wired in the server, with a Keeper that follows a real hub
// until the test ends.
func Server(t *testing.T, config *rest.Config) *controller.Placer {
	t.Helper()
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: Scheme(t), Metrics: metricsserver.Options{BindAddress: "0"},
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	k := keeper.New(mgr.GetClient(), mgr.GetAPIReader(), clock.RealClock{})
	if err := k.Follow(mgr); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			t.Errorf("the manager stopped: %v", err)
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		t.Fatal("the cache did not start")
	}
	return &controller.Placer{Hub: mgr.GetClient(), Direct: mgr.GetAPIReader(), Clock: clock.RealClock{}, Keeper: k}
}
