// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package members is the one way from the hub to its member clusters. One
// owner keeps each connection; everybody else asks for a Member by name and
// may hold it only as long as its context lives.
package members

import (
	"context"
	"errors"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrNotConnected says that a member cannot be reached now. It is no reason to
// change anything: wait, and try again when the member connects.
var ErrNotConnected = errors.New("the cluster is not connected")

// FieldOwner is the name under which Fairway applies objects in members.
const FieldOwner = "fairway"

// Member is one connected cluster.
type Member interface {
	// Name of the Cluster.
	Name() string
	// Client reads and writes the member directly, past every cache.
	// Each write is checked against the leader's deadline (see Fence).
	Client() client.Client
	// Cache holds the member's nodes, and what Fairway made in it: pods and
	// workloads with the label app.kubernetes.io/managed-by=fairway.
	Cache() cache.Cache
	// Served says which kinds and fields the member serves.
	Served() Served
	// Config reaches the member's API server, for log and exec streams.
	Config() *rest.Config
}

// Served answers which kinds and fields a member's API knows.
type Served interface {
	// Version is the member's Kubernetes version, such as "v1.36.3".
	Version() string
	// Kind says whether a kind is served, such as "policy/v1", "PodDisruptionBudget".
	Kind(apiVersion, kind string) bool
	// Field says whether a kind has a field, such as "apps/v1", "StatefulSet", "spec.ordinals.start".
	Field(apiVersion, kind, path string) bool
}

// Source finds members.
type Source interface {
	// Get returns the connected member of that name, or ErrNotConnected.
	Get(name string) (Member, error)
	// OnConnect has engage called for every member that is or becomes connected.
	// The context ends when the member disconnects or the hub stops leading.
	// An error ends the connection; it is tried again.
	OnConnect(engage func(ctx context.Context, m Member) error)
}

// Fence says whether this process may still write. Every remote write asks it.
type Fence interface {
	// Check returns nil while the leader's lease is certain to hold.
	Check() error
}
