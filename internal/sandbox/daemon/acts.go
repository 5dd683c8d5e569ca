// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/fairway-cloud/fairway/internal/sandbox/state"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// stopHost switches a host off as a loss of power does: everything on it dies
// at once, its link goes down, its disk stays.
func (s *Sandbox) stopHost(ctx context.Context, name string) error {
	s.acts.Lock()
	defer s.acts.Unlock()
	h, err := s.switchable(name)
	if err != nil {
		return err
	}
	err = s.remember(func(saved *state.Saved) {
		if !slices.Contains(saved.StoppedHosts, name) {
			saved.StoppedHosts = append(saved.StoppedHosts, name)
		}
	})
	if err != nil {
		return err
	}
	return s.powerOff(ctx, h)
}

// startHost switches it on again.
func (s *Sandbox) startHost(ctx context.Context, name string) error {
	s.acts.Lock()
	defer s.acts.Unlock()
	h, err := s.switchable(name)
	if err != nil {
		return err
	}
	err = s.remember(func(saved *state.Saved) {
		saved.StoppedHosts = slices.DeleteFunc(saved.StoppedHosts, func(n string) bool { return n == name })
	})
	if err != nil {
		return err
	}
	off, err := s.hostsOff()
	if err != nil {
		return err
	}
	if off[name] {
		return fmt.Errorf("could not start host %q: its site %q is lost; run \"fairway sandbox site restore %s\"", name, h.DataCenter, h.DataCenter)
	}
	return s.powerOn(ctx, h)
}

func (s *Sandbox) switchable(name string) (topology.HostPlan, error) {
	h, ok := s.Plan.Host(name)
	switch {
	case !ok:
		return h, fmt.Errorf("could not switch host %q: sandbox %q has none of that name; \"fairway sandbox status\" lists them", name, s.Plan.Sandbox)
	case h.Kind == topology.Simulated:
		return h, fmt.Errorf("could not switch host %q: it is simulated and has no power; delete its node instead", name)
	case s.network == nil || h.Kind == topology.Real && !s.RealHosts():
		return h, fmt.Errorf("could not switch host %q: it was left out of this sandbox", name)
	}
	return h, nil
}

func (s *Sandbox) powerOff(ctx context.Context, plan topology.HostPlan) error {
	if plan.Kind == topology.Real {
		h, err := s.host(plan)
		if err != nil {
			return err
		}
		if err := s.supervisor.Release(ctx, names(h.Processes())...); err != nil {
			return err
		}
		if err := h.PowerOff(ctx, 0); err != nil {
			return err
		}
	}
	return s.network.HostDown(ctx, plan.Name)
}

func (s *Sandbox) powerOn(ctx context.Context, plan topology.HostPlan) error {
	if err := s.network.HostUp(ctx, plan.Name); err != nil {
		return err
	}
	if plan.Kind != topology.Real {
		return nil
	}
	return s.bootHost(ctx, plan)
}

// cutLink and healLink change one link.
func (s *Sandbox) cutLink(ctx context.Context, a, b string) error {
	if s.network == nil {
		return errors.New("could not cut a link: without root the sandbox has none")
	}
	s.acts.Lock()
	defer s.acts.Unlock()
	return s.network.Cut(ctx, a, b)
}

func (s *Sandbox) healLink(ctx context.Context, a, b string) error {
	if s.network == nil {
		return errors.New("could not heal a link: without root the sandbox has none")
	}
	s.acts.Lock()
	defer s.acts.Unlock()
	return s.network.Heal(ctx, a, b)
}

// loseSite switches a whole data centre off: its hosts, the control planes
// that stand in it, and its links.
func (s *Sandbox) loseSite(ctx context.Context, name string) error {
	s.acts.Lock()
	defer s.acts.Unlock()
	if err := s.knownSite(name); err != nil {
		return err
	}
	err := s.remember(func(saved *state.Saved) {
		if !slices.Contains(saved.LostSites, name) {
			saved.LostSites = append(saved.LostSites, name)
		}
	})
	if err != nil {
		return err
	}
	var faults []error
	if s.network != nil {
		faults = append(faults, s.network.LoseSite(ctx, name))
	}
	group := errgroup.Group{}
	group.Go(func() error { return s.stopPlanesOf(ctx, name) })
	for _, h := range s.siteHosts(name) {
		group.Go(func() error { return s.powerOff(ctx, h) })
	}
	return errors.Join(append(faults, group.Wait())...)
}

// restoreSite switches it on again.
func (s *Sandbox) restoreSite(ctx context.Context, name string) error {
	s.acts.Lock()
	defer s.acts.Unlock()
	if err := s.knownSite(name); err != nil {
		return err
	}
	err := s.remember(func(saved *state.Saved) {
		saved.LostSites = slices.DeleteFunc(saved.LostSites, func(n string) bool { return n == name })
	})
	if err != nil {
		return err
	}
	if s.network != nil {
		if err := s.network.RestoreSite(ctx, name); err != nil {
			return err
		}
	}
	if err := s.planesUp(ctx); err != nil {
		return err
	}
	if err := s.furnish(ctx); err != nil {
		return err
	}
	off, err := s.hostsOff()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(3)
	for _, h := range s.siteHosts(name) {
		if !off[h.Name] {
			group.Go(func() error { return s.powerOn(ctx, h) })
		}
	}
	return group.Wait()
}

func (s *Sandbox) knownSite(name string) error {
	if _, ok := s.Plan.DataCenter(name); !ok {
		return fmt.Errorf("could not find data centre %q in sandbox %q; \"fairway sandbox status\" lists them", name, s.Plan.Sandbox)
	}
	return nil
}

// siteHosts are the hosts of a site that have power to lose.
func (s *Sandbox) siteHosts(site string) []topology.HostPlan {
	var hosts []topology.HostPlan
	for _, h := range s.Plan.Hosts {
		if h.DataCenter != site {
			continue
		}
		if _, err := s.switchable(h.Name); err == nil {
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// stopPlanesOf crashes everything of the clusters whose control plane stands in
// a site.
func (s *Sandbox) stopPlanesOf(ctx context.Context, site string) error {
	var stop []string
	for _, c := range s.Plan.Members() {
		if c.DataCenter != site {
			continue
		}
		stop = append(stop, names(s.planes[c.Name].Processes())...)
		stop = append(stop, c.Name+"/simulator", policyProcess(c.Name))
	}
	return s.supervisor.Crash(ctx, stop...)
}
