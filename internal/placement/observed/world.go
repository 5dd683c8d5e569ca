// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
)

// World is the hub's objects that a decision looks at.
type World struct {
	Clusters     fleetv1.ClusterList
	Pools        fleetv1.PoolList
	Sites        fleetv1.DataCenterList
	DCNs         fleetv1.DCNList
	Zones        fleetv1.NetworkZoneList
	Levels       tenancyv1.SecurityLevelList
	Environments tenancyv1.EnvironmentList
	Policies     placementv1.PlacementPolicyList
	Profiles     placementv1.ProfileList
	Machines     placementv1.MachineImportList
	Placements   placementv1.PlacementList
}

// Lists are the lists of all kinds that the world is made of, Placements last. Whoever
// adds a kind adds it here: it is read and followed from then on. A kind that speaks of
// one application each is named in ApplicationOf, too, so that a change of it is a change
// of that application only.
func (w *World) Lists() []client.ObjectList {
	return []client.ObjectList{&w.Clusters, &w.Pools, &w.Sites, &w.DCNs, &w.Zones, &w.Levels, &w.Environments, &w.Policies, &w.Profiles, &w.Machines, &w.Placements}
}

// ApplicationOf is the application that an object speaks of; false: it does not speak of
// one only.
func ApplicationOf(o client.Object) (client.ObjectKey, bool) {
	switch x := o.(type) {
	case *placementv1.Placement:
		return client.ObjectKey{Namespace: x.Namespace, Name: x.Spec.Application}, true
	case *placementv1.MachineImport:
		return client.ObjectKey{Namespace: x.Namespace, Name: x.Spec.Application}, true
	case *placementv1.Profile:
		return client.ObjectKeyFromObject(x), true
	}
	return client.ObjectKey{}, false
}

// Changes is when an object comes to mean something else by time alone, after now; false:
// it does not.
func Changes(o client.Object, now time.Time) (time.Time, bool) {
	switch x := o.(type) {
	case *placementv1.Placement:
		return x.Spec.ExpiresAt.Time, x.Status.Release == "" && Holds(x, now)
	case *placementv1.MachineImport:
		return Expires([]placementv1.MachineImport{*x}, now)
	}
	return time.Time{}, false
}

// Read gathers the world. Placements come past the cache: what was reserved a
// moment ago counts.
func Read(ctx context.Context, cached, direct client.Reader) (World, error) {
	var w World
	for _, list := range w.Lists() {
		if list == client.ObjectList(&w.Placements) {
			continue
		}
		if err := cached.List(ctx, list); err != nil {
			return w, fmt.Errorf("could not read the fleet: %w", err)
		}
	}
	if err := direct.List(ctx, &w.Placements); err != nil {
		return w, fmt.Errorf("could not read what is reserved: %w", err)
	}
	return w, nil
}

// Snapshot turns the world into what Place looks at.
func (w World) Snapshot(now time.Time) placement.Snapshot {
	var s placement.Snapshot
	for _, c := range w.Clusters.Items {
		s.Clusters = append(s.Clusters, clusterOf(c))
	}
	for _, p := range w.Pools.Items {
		s.Pools = append(s.Pools, poolOf(p))
	}
	for _, d := range w.Sites.Items {
		site := placement.DataCenter{Name: d.Name, Racks: map[string]string{}}
		for _, r := range d.Spec.Racks {
			site.Racks[r.Name] = r.AvailabilityZone
		}
		s.DataCenters = append(s.DataCenters, site)
	}
	for _, d := range w.DCNs.Items {
		s.DCNs = append(s.DCNs, placement.DCN{Name: d.Name, DataCenter: d.Spec.DataCenter, Environment: d.Spec.Environment, Partner: d.Spec.Partner})
	}
	for _, z := range w.Zones.Items {
		s.Zones = append(s.Zones, placement.Zone{Name: z.Name, Levels: z.Spec.AcceptedLevels})
	}
	for _, l := range w.Levels.Items {
		s.Levels = append(s.Levels, placement.Level{Name: l.Name, NeedsGuard: l.Spec.PodAdmission != "Optional"})
	}
	for i := range w.Profiles.Items {
		s.Profiles = append(s.Profiles, profile.Known(&w.Profiles.Items[i])...)
	}
	for _, p := range w.Placements.Items {
		if Holds(&p, now) {
			s.Reserved = append(s.Reserved, reservations(p)...)
		}
	}
	s.Machines = Machines(w.Machines.Items, w.Placements.Items, now)
	return s
}

// Sizes are the sizing classes (R09) as the scheduler counts them, the smallest first.
func Sizes() []placement.NamedSize {
	var out []placement.NamedSize
	for _, s := range app.ReadySizes() {
		out = append(out, placement.NamedSize{Name: string(s.Class), Size: placement.Amount{CPU: s.Size.CPU.MilliValue(), Memory: s.Size.Memory.Value(), Instances: 1}})
	}
	return out
}

func clusterOf(c fleetv1.Cluster) placement.Cluster {
	out := placement.Cluster{
		Name: c.Name, DataCenter: c.Spec.DataCenter, Environment: c.Spec.Environment,
		GuardsPools: c.Status.PodAdmission == "Policy" || c.Status.PodAdmission == "Webhook",
	}
	for _, v := range c.Spec.StorageClasses {
		out.Volumes = append(out.Volumes, v.Kind)
	}
	switch reachable := meta.FindStatusCondition(c.Status.Conditions, fleetv1.ConditionReachable); {
	case !c.DeletionTimestamp.IsZero():
		out.Away = "it is being removed from the fleet"
	case reachable == nil:
		out.Away = "it has not been reached yet"
	case reachable.Status != metav1.ConditionTrue:
		out.Away = reachable.Message
		if out.Away == "" {
			out.Away = "it does not answer"
		}
	}
	return out
}

func poolOf(p fleetv1.Pool) placement.Pool {
	out := placement.Pool{
		Name: p.Name, Level: p.Spec.SecurityLevel, Zones: p.Spec.Zones,
		Tenants: p.Spec.SharedBy, Kind: placement.HostKind(p.Spec.HostKind), Pack: p.Spec.Packing == fleetv1.PackingPack,
	}
	if p.Spec.Tenant != "" {
		out.Tenants = []string{p.Spec.Tenant}
	}
	if out.Kind == "" {
		out.Kind = placement.RealHosts
	}
	for _, s := range Sizes() {
		if slices.Contains(p.Spec.Sizes, s.Name) {
			out.Sizes = append(out.Sizes, s)
		}
	}
	for _, r := range p.Status.Racks {
		out.Racks = append(out.Racks, placement.Rack{Cluster: r.Cluster, Name: r.Rack, Hosts: readyOf(r)})
	}
	return out
}

// readyOf returns the ready hosts of a rack with their room. Where the pool does
// not say it host by host, each host counts as an equal part of the rack.
func readyOf(r fleetv1.PoolRack) []placement.Host {
	var hosts []placement.Host
	for _, h := range r.Room {
		if slices.Contains(r.Hosts, h.Host) {
			hosts = append(hosts, placement.Host{Name: h.Host, Arch: h.Architecture, Room: amount(h.Resources, 1)})
		}
	}
	if len(hosts) == 0 {
		for _, name := range r.Hosts {
			hosts = append(hosts, placement.Host{Name: name, Room: amount(r.Capacity, int64(len(r.Hosts)))})
		}
	}
	return hosts
}

func amount(r fleetv1.Resources, parts int64) placement.Amount {
	return placement.Amount{CPU: r.CPU.MilliValue() / parts, Memory: r.Memory.Value() / parts, Instances: r.Instances / parts}
}

// Holds reports whether a Placement holds its room: while a Release uses it, or
// until it expires.
func Holds(p *placementv1.Placement, now time.Time) bool {
	if !p.DeletionTimestamp.IsZero() || meta.IsStatusConditionFalse(p.Status.Conditions, placementv1.ConditionReserved) {
		return false
	}
	return p.Status.Release != "" || now.Before(p.Spec.ExpiresAt.Time)
}

// InUse is the world with the Placements only by which applications run or come to run:
// without trials and proposals, and without what waits for its Release's first step.
func (w World) InUse() World {
	used := w.Placements.Items
	w.Placements.Items = nil
	for i := range used {
		if Begun(&used[i]) {
			w.Placements.Items = append(w.Placements.Items, used[i])
		}
	}
	return w
}

func reservations(p placementv1.Placement) []placement.Reservation {
	tenant, environment, _ := app.SplitNamespace(p.Namespace)
	var out []placement.Reservation
	hosts := hostsOf(&p.Spec)
	for _, a := range p.Spec.Assignments {
		out = append(out, placement.Reservation{
			Application: p.Namespace + "/" + p.Spec.Application, Tenant: tenant, Environment: environment,
			Placement: p.Name, Assignment: assignmentOf(p.Namespace, a, hosts),
		})
	}
	return out
}

func assignmentOf(namespace string, a placementv1.Assignment, hosts func(placementv1.Assignment) []string) placement.Assignment {
	out := placement.Assignment{
		Component: a.Component, Template: a.Template, Cell: placement.Cell(a.Cell), Block: a.Block,
		Seats: a.Seats, Hosts: hosts(a),
		Size:       placement.Amount{CPU: a.CPU.MilliValue(), Memory: a.Memory.Value(), Instances: 1},
		MaxPerHost: a.MaxPerHost, Archs: a.Architectures,
	}
	for _, k := range a.AntiAffinity {
		out.KeepsFrom = append(out.KeepsFrom, placement.KeepsFrom{Application: namespace + "/" + k.Application, Component: k.Component, Scope: placement.Scope(k.Scope)})
	}
	return out
}

// Of returns the Placements of an application that hold room.
func (w World) Of(namespace, application string, now time.Time) []placementv1.Placement {
	var out []placementv1.Placement
	for _, p := range w.Placements.Items {
		if p.Namespace == namespace && p.Spec.Application == application && Holds(&p, now) {
			out = append(out, p)
		}
	}
	return out
}
