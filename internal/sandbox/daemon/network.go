// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"

	"github.com/fairway-cloud/fairway/internal/sandbox/network"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// networkConfig is the plan in the words of package network.
func networkConfig(plan *topology.Plan, folder state.Folder) network.Config {
	config := network.Config{Sandbox: plan.Sandbox, StateFile: folder.Path("links.json")}
	for _, dc := range plan.DataCenters {
		config.DataCenters = append(config.DataCenters, network.DataCenter{
			Name: dc.Name, Subnet: dc.Subnet, Router: dc.Router, Machine: dc.Machine, Racks: dc.Racks,
		})
	}
	for _, h := range plan.Hosts {
		if h.Kind == topology.Simulated {
			continue
		}
		config.Hosts = append(config.Hosts, network.Host{
			Name: h.Name, DataCenter: h.DataCenter, Rack: h.Rack, IP: h.IP, PodCIDR: h.PodCIDR,
		})
	}
	return config
}

func (s *Sandbox) networkUp(ctx context.Context) error {
	if s.network == nil {
		return nil
	}
	if err := s.network.Up(ctx); err != nil {
		return err
	}
	saved, err := s.Options.Folder.Load()
	if err != nil || saved.CutsApplied {
		return err
	}
	for _, cut := range s.Plan.Cuts {
		if err := s.network.Cut(ctx, cut[0], cut[1]); err != nil {
			return err
		}
	}
	return s.remember(func(saved *state.Saved) { saved.CutsApplied = true })
}
