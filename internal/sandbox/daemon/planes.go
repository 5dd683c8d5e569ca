// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"context"
	"net/netip"

	"github.com/fairway-cloud/fairway/internal/sandbox/controlplane"
	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// hubControllers are the controllers a cluster without hosts has work for.
var hubControllers = []string{
	"namespace-controller", "garbage-collector-controller", "serviceaccount-controller", "serviceaccount-token-controller",
	"root-ca-certificate-publisher-controller", "clusterrole-aggregation-controller", "resourcequota-controller",
	"validatingadmissionpolicy-status-controller", "certificatesigningrequest-signing-controller",
}

// layOutPlanes describes etcd and the control planes.
func (s *Sandbox) layOutPlanes() {
	folder := s.Options.Folder
	s.etcd = controlplane.Etcd{
		Dir: folder.Path("etcd"), LogDir: folder.Logs(), Kubebox: s.Options.Kubebox,
		Port: s.Plan.EtcdPort, PeerPort: s.Plan.EtcdPeerPort,
	}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	for _, c := range s.Plan.Clusters {
		plane := controlplane.Cluster{
			Name: c.Name, Dir: folder.Cluster(c.Name), LogDir: folder.Logs(), Kubebox: s.Options.Kubebox, Etcd: s.etcd,
			Bind: "0.0.0.0", Address: c.Address, Port: c.Port, SchedulerPort: c.SchedulerPort, ControllerPort: c.ControllerPort,
			ServiceCIDR: c.ServiceCIDR, PodCIDR: s.Plan.PodCIDR, APIServerFlags: c.APIServerFlags,
			ControllerManager: true, Scheduler: !c.Hub,
		}
		if c.Hub {
			plane.Controllers = hubControllers
		}
		if c.Hub || s.network == nil {
			// Nobody outside of this machine's root namespace needs it.
			plane.Bind, plane.Address = "127.0.0.1", loopback
		}
		s.planes[c.Name] = plane
	}
}

// planesUp starts etcd and every control plane whose site is not lost.
func (s *Sandbox) planesUp(ctx context.Context) error {
	if err := s.etcd.Prepare(); err != nil {
		return err
	}
	if err := s.Supervise(s.etcd.Process()); err != nil {
		return err
	}
	lost, err := s.lostSites()
	if err != nil {
		return err
	}
	var wait []string
	for _, c := range s.Plan.Clusters {
		if _, err := s.planes[c.Name].Prepare(); err != nil {
			return err
		}
		if lost[c.DataCenter] {
			continue
		}
		if err := s.Supervise(s.planes[c.Name].Processes()...); err != nil {
			return err
		}
		wait = append(wait, names(s.planes[c.Name].Processes())...)
	}
	return s.awaitCounting(ctx, wait)
}

// awaitCounting waits for processes and shows how many are ready.
func (s *Sandbox) awaitCounting(ctx context.Context, wait []string) error {
	for i, name := range wait {
		s.Progress(i, len(wait))
		if err := s.supervisor.Wait(ctx, name); err != nil {
			return err
		}
	}
	s.Progress(len(wait), len(wait))
	return nil
}

func (s *Sandbox) lostSites() (map[string]bool, error) {
	saved, err := s.Options.Folder.Load()
	if err != nil {
		return nil, err
	}
	lost := map[string]bool{}
	for _, site := range saved.LostSites {
		lost[site] = true
	}
	return lost, nil
}

// members are the clusters of sites that are not lost.
func (s *Sandbox) members() ([]topology.ClusterPlan, error) {
	lost, err := s.lostSites()
	if err != nil {
		return nil, err
	}
	var members []topology.ClusterPlan
	for _, c := range s.Plan.Members() {
		if !lost[c.DataCenter] {
			members = append(members, c)
		}
	}
	return members, nil
}

func names(processes []supervise.Process) []string {
	list := make([]string, 0, len(processes))
	for _, p := range processes {
		list = append(list, p.Name)
	}
	return list
}
