// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/leadership"
)

// newScheme knows Kubernetes' own kinds and ours.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme,
		appv1.AddToScheme, approvalv1.AddToScheme, deliveryv1.AddToScheme, fleetv1.AddToScheme, identityv1.AddToScheme, placementv1.AddToScheme, releasev1.AddToScheme, tenancyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("could not register the kinds: %w", err)
		}
	}
	return scheme, nil
}

// hubConfig reads how the server reaches the hub.
func hubConfig(kubeconfig string) (*rest.Config, error) {
	raw, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("could not read the hub's kubeconfig %q: %w", kubeconfig, err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(raw)
	if err != nil {
		return nil, fmt.Errorf("could not use the hub's kubeconfig %q: %w", kubeconfig, err)
	}
	config.UserAgent = "fairway-server"
	config.QPS, config.Burst = 500, 1000
	return config, nil
}

// newManager prepares the controllers' manager, led by the Lease "fairway".
func newManager(o serverOptions, logger *slog.Logger) (ctrl.Manager, *leadership.Lock, error) {
	config, err := hubConfig(o.kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	scheme, err := newScheme()
	if err != nil {
		return nil, nil, err
	}
	leases, err := coordinationclient.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("could not reach the hub: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, fmt.Errorf("could not name this server: %w", err)
	}
	lock := leadership.New(leases, fleetv1.SystemNamespace, "fairway", fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixNano()))
	duration, renew, retry := leadership.Duration, leadership.Renew, leadership.Retry
	drain := o.drain + 2*time.Second
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                              scheme,
		Logger:                              logr.FromSlogHandler(logger.Handler()),
		LeaderElection:                      true,
		LeaderElectionResourceLockInterface: lock,
		LeaderElectionReleaseOnCancel:       true,
		LeaseDuration:                       &duration,
		RenewDeadline:                       &renew,
		RetryPeriod:                         &retry,
		GracefulShutdownTimeout:             &drain,
		Metrics:                             metricsserver.Options{BindAddress: "0"},
		// Names are unique in wire.go; a second server in one process is a test's.
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			// The server may read no other Secrets (config/rbac/system.yaml).
			ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {Namespaces: map[string]cache.Config{fleetv1.SystemNamespace: {}}}},
		},
		Client: client.Options{Cache: &client.CacheOptions{Unstructured: false}},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("could not reach the hub: %w", err)
	}
	return mgr, lock, nil
}
