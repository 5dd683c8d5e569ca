// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package kubetest

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Option changes what is started.
type Option func(*options)

type options struct {
	controllerManager bool
	scheduler         bool
	simulator         bool
	crds              bool
	crdsOn            []string
	admission         bool
	manifests         []string
	scheme            *runtime.Scheme
	audited           bool
	apiServerFlags    []string
	apiServerEnv      []string
}

// WithControllerManager runs the controller manager: garbage collection,
// namespaces, service accounts, Deployments.
func WithControllerManager() Option { return func(o *options) { o.controllerManager = true } }

// WithScheduler runs the scheduler.
func WithScheduler() Option { return func(o *options) { o.scheduler = true } }

// WithAuditLog has each API server write the audit log of the sandbox's policy, see
// Cluster.AuditLog.
func WithAuditLog() Option { return func(o *options) { o.audited = true } }

// WithCRDs installs the CustomResourceDefinitions of config/crd.
func WithCRDs() Option { return func(o *options) { o.crds = true } }

// WithCRDsOn installs them on the named clusters of a fleet only.
func WithCRDsOn(clusters ...string) Option {
	return func(o *options) { o.crds = true; o.crdsOn = append(o.crdsOn, clusters...) }
}

// WithAdmission applies the admission policies of config/admission, on the
// clusters that get the CRDs. A policy takes up to a second to be enforced:
// tests repeat until the refusal comes.
func WithAdmission() Option { return func(o *options) { o.admission = true } }

// WithManifests applies the manifests of a file or folder, relative to the
// checkout's root, on the clusters that get the CRDs.
func WithManifests(path string) Option {
	return func(o *options) { o.manifests = append(o.manifests, path) }
}

// WithScheme sets the scheme of Client(); without it the client knows the
// kinds of Kubernetes and CustomResourceDefinitions, and unstructured objects.
func WithScheme(scheme *runtime.Scheme) Option { return func(o *options) { o.scheme = scheme } }

// WithAPIServerFlags adds flags to kube-apiserver.
func WithAPIServerFlags(flags ...string) Option {
	return func(o *options) { o.apiServerFlags = append(o.apiServerFlags, flags...) }
}

// WithAPIServerEnv adds "KEY=value" settings of kube-apiserver. Without GOMEMLIMIT it keeps
// to 900 MiB, which a few hundred applications fill.
func WithAPIServerEnv(env ...string) Option {
	return func(o *options) { o.apiServerEnv = append(o.apiServerEnv, env...) }
}

func collect(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if o.scheme == nil {
		o.scheme = runtime.NewScheme()
		_ = clientgoscheme.AddToScheme(o.scheme)
		_ = apiextensionsv1.AddToScheme(o.scheme)
	}
	return o
}

// folders are the manifests that a cluster of that name gets.
func (o options) folders(cluster string) []string {
	if len(o.crdsOn) > 0 && !slices.Contains(o.crdsOn, cluster) {
		return nil
	}
	var folders []string
	if o.crds {
		folders = append(folders, "config/crd")
	}
	if o.admission {
		folders = append(folders, "config/admission")
	}
	return append(folders, o.manifests...)
}
