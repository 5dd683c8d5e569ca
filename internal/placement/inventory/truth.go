// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

// Seen is what is known of one application.
type Seen struct {
	// Namespace and Name of the application.
	Namespace, Name string
	// Application as it is described; nil: it is not there.
	Application *appv1.Application
	// Placements and Imports of the application, those that hold nothing included.
	Placements []placementv1.Placement
	Imports    []placementv1.MachineImport
	// Instances are those that were seen to run.
	Instances []delivery.Instance
	// DataCenters of clusters, and Simulated pools.
	DataCenters map[string]string
	Simulated   map[string]bool
	// Before is what the list holds of it, what is gone aside.
	Before []Instance

	// sitting is who sits on each seat, once it was looked.
	sitting map[seated]*delivery.Instance
}

// seated is a seat in a cluster.
type seated struct{ seat, cluster string }

// Truth is what the list should hold of the application now: what a Placement that a
// Release uses gives away, and what imports tell of. What is in the list, and of which
// nothing says that it is gone, stays.
func Truth(s Seen, now time.Time) []Instance {
	before := map[key]Instance{}
	for _, b := range s.Before {
		before[b.key()] = b
	}
	wanted := map[key]Instance{}
	held := s.held(now)
	for _, p := range held {
		s.place(p, before, wanted)
	}
	s.machines(before, wanted)
	for k, b := range before {
		_, there := wanted[k]
		sure := len(s.Imports) > 0
		if b.On == Container {
			sure = len(held) > 0 || s.retired()
		}
		if !there && !sure {
			wanted[k] = b
		}
	}
	out := make([]Instance, 0, len(wanted))
	for _, i := range wanted {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Instance) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.number, b.number))
	})
	return out
}

// held are the Placements that Releases use, those in force first, then the newest.
func (s *Seen) held(now time.Time) []*placementv1.Placement {
	var out []*placementv1.Placement
	for i := range s.Placements {
		if p := &s.Placements[i]; p.Status.Release != "" && observed.Holds(p, now) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, observed.InForceFirst)
	return out
}

func newest(a, b *placementv1.Placement) int {
	return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// retired reports whether the newest Placement says that the application was taken out of
// service.
func (s *Seen) retired() bool {
	var last *placementv1.Placement
	for i := range s.Placements {
		if p := &s.Placements[i]; p.Status.Release != "" && (last == nil || newest(p, last) < 0) {
			last = p
		}
	}
	if last == nil {
		return false
	}
	c := meta.FindStatusCondition(last.Status.Conditions, placementv1.ConditionReserved)
	return c != nil && c.Status == "False" && c.Reason == placementv1.ReasonRetired
}

// place adds the seats of a Placement that no newer one gave away.
func (s *Seen) place(p *placementv1.Placement, before, wanted map[key]Instance) {
	for _, a := range p.Spec.Assignments {
		if !s.numbered(a.Component) {
			continue
		}
		for _, number := range a.Seats {
			k := key{a.Component, number}
			if _, there := wanted[k]; there {
				continue
			}
			i := s.begin(k)
			i.On, i.State, i.Hosts = Container, Reserved, "Real"
			if s.Simulated[a.Cell.Pool] {
				i.Hosts = "Simulated"
			}
			i.DCN, i.Rack, i.Cluster, i.Pool, i.Zone = a.Cell.DCN, a.Cell.Rack, a.Cell.Cluster, a.Cell.Pool, a.Cell.Zone
			i.Revision, i.Placement, i.Release = p.Spec.Revision, p.Name, p.Status.Release
			b, was := before[k]
			was = was && b.On == Container
			if i.DataCenter = s.DataCenters[a.Cell.Cluster]; i.DataCenter == "" && was {
				i.DataCenter = b.DataCenter
			}
			if was && b.Cluster == i.Cluster && b.State == Running {
				i.State, i.Host, i.Address, i.Revision = Running, b.Host, b.Address, b.Revision
			}
			if was && i.System == "" {
				i.System, i.Code = b.System, b.Code
			}
			if sits := s.sits(i.Seat, i.Cluster); sits != nil {
				i.State = Running
				i.Host, i.Address, i.Revision = cmp.Or(sits.Host, i.Host), cmp.Or(sits.IP, i.Address), cmp.Or(sits.Revision, i.Revision)
			}
			wanted[k] = i
		}
	}
}

// numbered reports whether the instances of a component have seats; jobs have none.
func (s *Seen) numbered(component string) bool {
	if s.Application == nil {
		// Its description is gone: what was numbered then is.
		return len(s.Before) == 0 || slices.ContainsFunc(s.Before, func(b Instance) bool { return b.Component == component })
	}
	for _, c := range s.Application.Spec.Components {
		if string(c.Name) == component {
			return c.Kind != appv1.KindJob && c.Kind != appv1.KindCron
		}
	}
	return true
}

// begin is an instance of the application.
func (s *Seen) begin(k key) Instance {
	i := Instance{Namespace: s.Namespace, Application: s.Name, Component: k.component, number: k.number, Seat: seat(k.component, k.number)}
	i.Tenant, i.Environment, _ = app.SplitNamespace(s.Namespace)
	if s.Application != nil {
		i.System, i.Code = s.Application.Spec.Identity.System, s.Application.Spec.Identity.Code
	}
	return i
}

// sits is who sits on a seat: the youngest whose host is there.
func (s *Seen) sits(seat, cluster string) *delivery.Instance {
	if s.sitting == nil {
		s.sitting = make(map[seated]*delivery.Instance, len(s.Instances))
		for n := range s.Instances {
			i := &s.Instances[n]
			at := seated{i.Seat, i.Cluster}
			if found := s.sitting[at]; found == nil || rather(i, found) {
				s.sitting[at] = i
			}
		}
	}
	return s.sitting[seated{seat, cluster}]
}

// rather reports whether of two on one seat it is the first that sits there.
func rather(i, other *delivery.Instance) bool {
	if lost := other.State == delivery.StateLost; lost != (i.State == delivery.StateLost) {
		return lost
	}
	return i.CreatedAt.After(other.CreatedAt) || i.CreatedAt.Equal(other.CreatedAt) && i.UID > other.UID
}

// machines adds what imports tell of, each number once; a container's comes first.
func (s *Seen) machines(before, wanted map[key]Instance) {
	imports := slices.Clone(s.Imports)
	slices.SortFunc(imports, func(a, b placementv1.MachineImport) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range imports {
		for _, x := range m.Spec.Instances {
			k := key{x.Component, x.Seat}
			if _, there := wanted[k]; there {
				continue
			}
			i := s.begin(k)
			i.On, i.Hosts, i.State, i.Source = VirtualMachine, "Real", Running, m.Spec.Source
			i.DCN, i.DataCenter, i.Rack, i.Host, i.Address = x.DCN, x.DataCenter, x.Rack, x.Host, x.Address
			if b, was := before[k]; was && i.System == "" {
				i.System, i.Code = b.System, b.Code
			}
			wanted[k] = i
		}
	}
}
