// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package daemon

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
	"github.com/fairway-cloud/fairway/internal/sandbox/topology"
)

// status tells how everything is; with usage it also counts memory and
// processor time.
func (s *Sandbox) status(usage bool) control.Status {
	s.mu.Lock()
	status := control.Status{
		Name: s.Plan.Sandbox, Index: s.Plan.Index, State: s.state, URLs: s.urls,
		Phases: slices.Clone(s.phases), Missing: s.Options.Missing.Lines(),
		LogDir: s.Options.Folder.Logs(), Registry: s.RegistryAddress(),
	}
	s.mu.Unlock()
	if n := len(status.Phases); status.State == control.Failed && n > 0 {
		status.Message = status.Phases[n-1].Message
	}
	states := map[string]control.State{}
	for _, p := range s.supervisor.Status() {
		component := control.Component{
			Name: p.Name, State: control.State(p.State), Since: p.Since, Message: p.Message,
			PID: p.PID, Restarts: p.Restarts, LogFile: p.LogFile,
		}
		if component.State == control.Ready {
			component.Message = ""
		}
		states[p.Name] = component.State
		status.Components = append(status.Components, component)
	}
	off, err := s.hostsOff()
	if err != nil {
		status.Message = err.Error()
	}
	for _, c := range s.Plan.Clusters {
		status.Clusters = append(status.Clusters, control.Cluster{
			Name: c.Name, DataCenter: c.DataCenter, State: combined(states, c.Name+"/"), Server: s.planes[c.Name].URL(), Kubeconfig: s.Kubeconfig(c.Name),
		})
	}
	for _, h := range s.Plan.Hosts {
		status.Hosts = append(status.Hosts, control.Host{
			Name: h.Name, Kind: string(h.Kind), Cluster: h.Cluster, DataCenter: h.DataCenter, Rack: h.Rack,
			Zones: h.Zones, Pool: h.Pool, IP: h.IP.String(), State: s.hostState(h, states, off[h.Name]),
		})
	}
	if s.network != nil {
		status.Links, status.LostSites = s.network.Links(), s.network.LostSites()
	}
	if status.State == control.Ready {
		status.State, status.Message = overall(status)
	}
	if usage {
		s.count(&status)
	}
	return status
}

// combined is the worst state of the components whose names begin so.
func combined(states map[string]control.State, prefix string) control.State {
	found := control.Stopped
	for name, state := range states {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if state != control.Ready {
			return state
		}
		found = control.Ready
	}
	return found
}

func (s *Sandbox) hostState(h topology.HostPlan, states map[string]control.State, off bool) control.State {
	switch {
	case off:
		return control.Stopped
	case h.Kind == topology.Simulated:
		return combined(states, h.Cluster+"/simulator")
	case s.network == nil:
		return control.Stopped
	case h.Kind == topology.Edge:
		return control.Ready
	}
	return combined(states, h.Name+"/")
}

// overall is the state of a sandbox whose phases are all done: ready, unless a
// component is not.
func overall(status control.Status) (control.State, string) {
	for _, c := range status.Components {
		if c.State != control.Ready && c.State != control.Done {
			return control.Failed, fmt.Sprintf("%s is %s: %s", c.Name, c.State, c.Message)
		}
	}
	return control.Ready, status.Message
}

// count adds up memory and processor time: that of each component, and that of
// everything in the hosts' control groups or with the sandbox's mark.
func (s *Sandbox) count(status *control.Status) {
	counted := map[int]bool{}
	for i := range status.Components {
		c := &status.Components[i]
		c.MemoryBytes, c.CPUSeconds = usage(c.PID)
		status.MemoryBytes += c.MemoryBytes
		status.CPUSeconds += c.CPUSeconds
		counted[c.PID] = true
	}
	for _, pid := range s.others(counted) {
		memory, cpu := usage(pid)
		status.MemoryBytes += memory
		status.CPUSeconds += cpu
	}
}

// others are the processes that are no components: this one, shims, containers.
func (s *Sandbox) others(counted map[int]bool) []int {
	pids := groupMembers("/fairway/" + s.Plan.Sandbox)
	pids = append(pids, selfPID())
	slices.Sort(pids)
	return slices.DeleteFunc(slices.Compact(pids), func(pid int) bool { return counted[pid] })
}
