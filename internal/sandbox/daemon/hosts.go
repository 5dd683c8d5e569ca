// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	fleetv1alpha1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/sandbox/host"
	"github.com/fairway-cloud/fairway/internal/sandbox/network"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// podShare is the part of the machine's memory that real hosts offer to pods
// together; the rest is for control planes, kubelets and Fairway.
const podShare = 0.6

// hostsUp boots every real host that was not switched off, and waits for them.
func (s *Sandbox) hostsUp(ctx context.Context) error {
	if !s.RealHosts() {
		return nil
	}
	if err := host.ClaimMachine(s.Plan.Sandbox); err != nil {
		return err
	}
	off, err := s.hostsOff()
	if err != nil {
		return err
	}
	hosts := slices.DeleteFunc(s.Plan.HostsOf(topology.Real, ""), func(h topology.HostPlan) bool { return off[h.Name] })
	var done atomic.Int32
	group, ctx := errgroup.WithContext(ctx)
	// A few at a time: ten kubelets that start together on few cores take
	// longer than one after the other.
	group.SetLimit(max(3, runtime.NumCPU()))
	for _, h := range hosts {
		group.Go(func() error {
			if err := s.bootHost(ctx, h); err != nil {
				return err
			}
			s.Progress(int(done.Add(1)), len(hosts))
			return nil
		})
	}
	return group.Wait()
}

// bootHost starts one real host, whose namespace is there, and waits until its
// components are ready.
func (s *Sandbox) bootHost(ctx context.Context, plan topology.HostPlan) error {
	h, err := s.host(plan)
	if err != nil {
		return err
	}
	if err := h.Prepare(ctx); err != nil {
		return err
	}
	if err := awaitPolicies(ctx, h); err != nil {
		return err
	}
	if err := s.Supervise(h.Processes()...); err != nil {
		return err
	}
	return s.Await(ctx, names(h.Processes())...)
}

// hostsOff are the hosts that were switched off, alone or with their site.
func (s *Sandbox) hostsOff() (map[string]bool, error) {
	saved, err := s.Options.Folder.Load()
	if err != nil {
		return nil, err
	}
	off := map[string]bool{}
	for _, h := range s.Plan.Hosts {
		if slices.Contains(saved.StoppedHosts, h.Name) || slices.Contains(saved.LostSites, h.DataCenter) {
			off[h.Name] = true
		}
	}
	return off, nil
}

// hostCluster is what hosts need to know of their cluster.
func (s *Sandbox) hostCluster(c topology.ClusterPlan) (host.Cluster, error) {
	plane := s.planes[c.Name]
	authority, err := plane.Authority()
	if err != nil {
		return host.Cluster{}, err
	}
	return host.Cluster{Name: c.Name, Server: plane.URL(), Authority: authority}, nil
}

func (s *Sandbox) hostsOf(cluster string) ([]host.Host, error) {
	var hosts []host.Host
	for _, plan := range s.Plan.HostsOf(topology.Real, cluster) {
		h, err := s.host(plan)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// host describes one real host.
func (s *Sandbox) host(plan topology.HostPlan) (host.Host, error) {
	c, _ := s.Plan.Cluster(plan.Cluster)
	cluster, err := s.hostCluster(c)
	if err != nil {
		return host.Host{}, err
	}
	dc, _ := s.Plan.DataCenter(plan.DataCenter)
	labels := map[string]string{corev1.LabelTopologyZone: plan.AvailabilityZone, fleetv1alpha1.LabelRack: plan.Rack}
	maps.Copy(labels, plan.Labels)
	machine := machineSize()
	folder := s.Options.Folder
	h := host.Host{Config: host.Config{
		Sandbox: s.Plan.Sandbox, Name: plan.Name, Dir: folder.Host(plan.Name), LogDir: folder.Logs(),
		NetNS: network.NamespacePath(s.Plan.Sandbox, plan.Name), IP: plan.IP, PodCIDR: plan.PodCIDR,
		Labels: labels, Machine: machine, Share: hostShare(plan, machine, len(s.Plan.HostsOf(topology.Real, ""))),
		Kubebox: s.Options.Kubebox, PauseImage: PauseImage, Cluster: cluster,
	}}
	if s.Plan.RegistryPort != 0 {
		h.Registries = []host.Registry{{
			Name: topology.RegistryName, URL: fmt.Sprintf("http://%s:%d", dc.Machine, s.Plan.RegistryPort),
		}}
	}
	return h, nil
}

// hostShare is what a host offers to pods: its processors are the machine's,
// which all hosts share, its memory an equal part.
func hostShare(plan topology.HostPlan, machine host.Size, hosts int) host.Size {
	share := host.Size{MilliCPU: machine.MilliCPU, Memory: int64(float64(machine.Memory) * podShare / float64(hosts))}
	if plan.CPU != "" {
		cpu := resource.MustParse(plan.CPU)
		share.MilliCPU = min(cpu.MilliValue(), machine.MilliCPU)
	}
	if plan.Memory != "" {
		memory := resource.MustParse(plan.Memory)
		share.Memory = min(memory.Value(), machine.Memory)
	}
	return share
}

// machineSize is what this machine has.
func machineSize() host.Size {
	size := host.Size{MilliCPU: int64(runtime.NumCPU()) * 1000, Memory: 4 << 30}
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return size
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 1 && fields[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				size.Memory = kib << 10
			}
		}
	}
	return size
}
