// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/fairway-cloud/fairway/internal/sandbox/host"
	"github.com/fairway-cloud/fairway/internal/sandbox/manifests"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// Volumes that each member offers.
const (
	sharedVolumes = 8
	localVolumes  = 2
)

// furnish gives every member what a cluster needs before its first pod:
// simulated hosts, rights of its hosts' DNS servers, storage, enforcement of
// NetworkPolicies.
func (s *Sandbox) furnish(ctx context.Context) error {
	members, err := s.members()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range members {
		group.Go(func() error { return s.furnishMember(ctx, c) })
	}
	return group.Wait()
}

func (s *Sandbox) furnishMember(ctx context.Context, c topology.ClusterPlan) error {
	if err := s.simulate(ctx, c); err != nil {
		return err
	}
	if s.network == nil {
		return nil
	}
	hosts, err := s.hostsOf(c.Name)
	if err != nil {
		return err
	}
	storage := host.Storage{SharedDir: s.Options.Folder.Path("shared", c.Name), Shared: sharedVolumes, Hosts: hosts, Local: localVolumes}
	if err := storage.Prepare(); err != nil {
		return err
	}
	objects, err := host.DNSObjects()
	if err != nil {
		return err
	}
	volumes, err := storage.Objects()
	if err != nil {
		return err
	}
	client, err := s.Client(c.Name)
	if err != nil {
		return err
	}
	policies, err := policyObjects()
	if err != nil {
		return err
	}
	if err := manifests.Apply(ctx, client, slices.Concat(objects, volumes, policies)); err != nil {
		return err
	}
	if !s.RealHosts() {
		return nil
	}
	return s.policyAgent(c)
}
