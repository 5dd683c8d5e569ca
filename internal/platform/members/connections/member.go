// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package connections

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/members/served"
)

// ErrOtherCluster says that another cluster answers than the one that was
// joined. Nothing is done to it until a person has looked.
var ErrOtherCluster = errors.New("another cluster answers")

type member struct {
	name   string
	uid    string
	config *rest.Config
	http   *http.Client
	system client.Client // reads who the member is
	client client.Client
	cache  cache.Cache
	api    atomic.Pointer[served.API]
	ctx    context.Context
}

var _ members.Member = &member{}

func (m *member) Name() string           { return m.name }
func (m *member) Client() client.Client  { return m.client }
func (m *member) Cache() cache.Cache     { return m.cache }
func (m *member) Served() members.Served { return m.api.Load() }
func (m *member) Config() *rest.Config   { return rest.CopyConfig(m.config) }
func (m *member) digest() string         { return m.api.Load().Digest() }

// dial reaches a member and learns who it is and what it serves.
func dial(ctx context.Context, name string, credentials fleet.Credentials, uid string, options Options, library *served.Library) (*member, error) {
	config := Config(credentials, options.Loopback)
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("could not prepare the connection: %w", err)
	}
	m := &member{name: name, config: config, http: httpClient}
	if m.system, err = systemClient(config, httpClient); err != nil {
		return nil, err
	}
	if m.uid, err = identity(ctx, m.system); err != nil {
		return nil, err
	}
	if uid != "" && m.uid != uid {
		return nil, fmt.Errorf("%w: its identity is %q, not %q", ErrOtherCluster, m.uid, uid)
	}
	api, err := library.Discover(ctx, config, httpClient)
	if err != nil {
		return nil, err
	}
	m.api.Store(api)
	mapper, err := apiutil.NewDynamicRESTMapper(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("could not prepare the connection: %w", err)
	}
	plain, err := client.NewWithWatch(config, client.Options{HTTPClient: httpClient, Scheme: scheme.Scheme, Mapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("could not prepare the connection: %w", err)
	}
	m.client = Fenced(plain, options.Fence)
	m.cache, err = cache.New(config, CacheOptions(httpClient))
	if err != nil {
		return nil, fmt.Errorf("could not prepare the connection: %w", err)
	}
	return m, nil
}

// Found is what a member says of itself.
type Found struct{ Version, UID string }

// Probe reaches a member once and closes the connection. Errors are explained
// for a person.
func Probe(ctx context.Context, credentials fleet.Credentials, loopback bool) (Found, error) {
	config := Config(credentials, loopback)
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return Found{}, fmt.Errorf("could not prepare the connection: %w", err)
	}
	defer httpClient.CloseIdleConnections()
	var library served.Library
	system, err := systemClient(config, httpClient)
	if err != nil {
		return Found{}, err
	}
	uid, err := identity(ctx, system)
	if err == nil {
		var api *served.API
		if api, err = library.Discover(ctx, config, httpClient); err == nil {
			return Found{Version: api.Version(), UID: uid}, nil
		}
	}
	_, message := explain(credentials.Server, err)
	return Found{}, errors.New(message)
}

// systemClient asks only for namespaces, without discovery.
func systemClient(config *rest.Config, httpClient *http.Client) (client.Client, error) {
	made, err := client.New(config, client.Options{HTTPClient: httpClient, Scheme: scheme.Scheme, Mapper: namespaces})
	if err != nil {
		return nil, fmt.Errorf("could not prepare the connection: %w", err)
	}
	return made, nil
}

// identity is the UID of the member's kube-system namespace. It is answered
// from the member's memory, and only to those who may ask.
func identity(ctx context.Context, plain client.Client) (string, error) {
	system := &corev1.Namespace{}
	err := plain.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, system, &client.GetOptions{Raw: &metav1.GetOptions{ResourceVersion: "0"}})
	if err != nil {
		return "", err
	}
	if system.UID == "" || len(system.UID) > 128 {
		return "", errors.New("the answer is none that a Kubernetes API server gives: check the address")
	}
	return string(system.UID), nil
}

// probe asks the member who it is.
func (m *member) probe(ctx context.Context, timeout time.Duration, expected string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	uid, err := identity(ctx, m.system)
	if err != nil {
		return err
	}
	if uid != m.uid || expected != "" && uid != expected {
		return fmt.Errorf("%w: its identity is %q, not %q", ErrOtherCluster, uid, m.uid)
	}
	return nil
}

// fill waits until the nodes are known.
func (m *member) fill(ctx context.Context) error {
	// A watch that lacks its right only waits; a list says so.
	if err := m.client.List(ctx, &corev1.NodeList{}, client.Limit(1)); err != nil {
		return fmt.Errorf("could not list the hosts: %w", err)
	}
	if _, err := m.cache.GetInformer(ctx, &corev1.Node{}); err != nil {
		return fmt.Errorf("could not list the hosts: %w", err)
	}
	if !m.cache.WaitForCacheSync(ctx) {
		return errors.New("could not list the hosts in time")
	}
	return nil
}

// CacheOptions say what a member's cache holds: all nodes, and of everything
// else only what Fairway made. Pods and nodes are kept without what nobody reads.
func CacheOptions(httpClient *http.Client) cache.Options {
	ours := labels.SelectorFromSet(labels.Set{appv1.LabelManagedBy: appv1.ManagedBy})
	return cache.Options{
		HTTPClient:           httpClient,
		Scheme:               scheme.Scheme,
		DefaultLabelSelector: ours,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Node{}: {Label: labels.Everything(), Transform: leanNode},
			&corev1.Pod{}:  {Label: ours, Transform: cache.TransformStripManagedFields()},
		},
	}
}

func leanNode(object any) (any, error) {
	if node, ok := object.(*corev1.Node); ok {
		node.ManagedFields = nil
		node.Status.Images = nil
		node.Status.VolumesInUse = nil
		node.Status.VolumesAttached = nil
	}
	return object, nil
}
