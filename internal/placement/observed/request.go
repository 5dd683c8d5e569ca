// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"cmp"
	"slices"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
)

// RequestOf asks for the room of a Revision's content.
func RequestOf(content app.Content, application string, tenant *tenancyv1.Tenant, pools []placement.Pool, held []placementv1.Placement) placement.Request {
	r := placement.Request{
		Application: application, Tenant: content.Tenant, Environment: content.Environment,
		HostKind: hostKindOf(content.Tenant, pools), Previous: previous(held), Quotas: tenant.Spec.Quotas,
		Priority: content.Class.Rank,
	}
	for i, c := range content.Spec.Components {
		r.Components = append(r.Components, componentOf(content, c, content.Components[i]))
	}
	return r
}

func componentOf(content app.Content, c appv1.Component, frozen app.FrozenComponent) placement.Component {
	out := placement.Component{
		Name: string(c.Name), Template: frozen.TemplateDigest, Zone: c.Zone, Level: frozen.Level.Name,
		Size:    placement.Amount{Instances: 1},
		InPlace: app.HasIdentity(c), Archs: frozen.Architectures,
		OneCell: c.Kind == appv1.KindJob || c.Kind == appv1.KindCron,
	}
	if size, ok := app.SizeOf(c.Resources); ok {
		out.Size.CPU, out.Size.Memory = size.CPU.MilliValue(), size.Memory.Value()
	}
	for _, n := range c.Instances {
		count := countOf(c, n)
		if c.Autoscaling != nil {
			// Room is held for the most that the autoscaler may ask for (R45).
			count = count.Scaled(max(c.Autoscaling.Max, 0))
		}
		out.Counts = append(out.Counts, count)
	}
	if c.Profile != nil {
		out.Tags, out.Without = c.Profile.Tags, c.Profile.Without
	}
	for _, d := range c.DependsOn {
		if d.Component != "" && !slices.Contains(out.Calls, string(d.Component)) {
			out.Calls = append(out.Calls, string(d.Component))
		}
		if callee, bound := boundTo(content, d.Binding); bound && !slices.Contains(out.CallsOutside, callee) {
			out.CallsOutside = append(out.CallsOutside, callee)
		}
	}
	namespace := content.Tenant + "-" + content.Environment
	for _, a := range app.KeptApart(content, c.Name) {
		out.KeepsFrom = append(out.KeepsFrom, placement.KeepsFrom{Application: namespace + "/" + a.Application, Component: string(a.From), Scope: placement.Scope(a.Scope)})
	}
	out.MaxPerHost, out.MaxOfCell = app.MaxPerHost(content, c)
	for _, v := range c.Volumes {
		if kind := string(v.Kind); v.Kind != appv1.VolumeEphemeral && v.NFS == nil && !slices.Contains(out.Volumes, kind) {
			out.Volumes = append(out.Volumes, kind)
		}
	}
	if content.Spec.Placement != nil {
		out.Pools = content.Spec.Placement.Pools
		for _, step := range content.Spec.Placement.Spread {
			out.Spread = append(out.Spread, placement.Scope(step))
		}
	}
	if c.Kind == appv1.KindService || out.InPlace {
		out.MinRacks, out.MinZones = content.Class.MinimumRacks, content.Class.MinimumZones
		if content.EnvironmentClass == app.Production {
			// Elsewhere the go-live check warns, and lets pass.
			out.MinDataCenters = content.Class.MinimumDataCenters
		}
	}
	return out
}

// countOf is what a component has in a DCN, and how its split comes to what each cluster has.
func countOf(c appv1.Component, n appv1.InstanceCount) placement.Count {
	out := placement.Count{DCN: n.DCN, Count: n.Count}
	weights := app.ClusterWeights(c, n.DCN)
	var of int32
	for _, weight := range weights {
		of += weight
	}
	for _, x := range n.Clusters {
		out.Clusters = append(out.Clusters, placement.ClusterCount{Cluster: x.Cluster, Count: x.Count, Weight: weights[x.Cluster], Of: of})
	}
	return out
}

// boundTo is the component of another application that a binding stands for, if it does.
func boundTo(content app.Content, binding string) (placement.Callee, bool) {
	for _, b := range content.Spec.Bindings {
		if binding != "" && b.Name == binding && b.Application != nil {
			namespace := cmp.Or(b.Application.Tenant, content.Tenant) + "-" + content.Environment
			return placement.Callee{Application: namespace + "/" + b.Application.Name, Component: string(b.Application.Component)}, true
		}
	}
	return placement.Callee{}, false
}

// hostKindOf says which hosts a tenant's instances run on: real ones, unless all
// of its pools are simulated.
func hostKindOf(tenant string, pools []placement.Pool) placement.HostKind {
	kind := placement.SimulatedHosts
	found := false
	for _, p := range pools {
		if slices.Contains(p.Tenants, tenant) {
			found = true
			if p.Kind == placement.RealHosts {
				kind = placement.RealHosts
			}
		}
	}
	if !found {
		return placement.RealHosts
	}
	return kind
}

// previous is what seats and numbers stay with: the Placement in force, or, where nothing
// runs yet, the newest that a Release holds, and the numbers of the others.
func previous(held []placementv1.Placement) []placement.Assignment {
	used := usedBy(held)
	var out []placement.Assignment
	type owner struct {
		component string
		cell      placement.Cell
	}
	known := map[owner]bool{}
	for i, p := range used {
		hosts := hostsOf(&p.Spec)
		for _, a := range p.Spec.Assignments {
			b := assignmentOf(p.Namespace, a, hosts)
			if known[owner{b.Component, b.Cell}] {
				continue
			}
			known[owner{b.Component, b.Cell}] = true
			if i > 0 {
				b.Seats = nil
			}
			out = append(out, b)
		}
	}
	return out
}

// usedBy are the Placements that Releases use, those in force before those that are planned,
// the newest first.
func usedBy(held []placementv1.Placement) []placementv1.Placement {
	used := slices.DeleteFunc(slices.Clone(held), func(p placementv1.Placement) bool { return p.Status.Release == "" })
	slices.SortFunc(used, func(a, b placementv1.Placement) int {
		return InForceFirst(&a, &b)
	})
	return used
}

// InForceFirst orders Placements that Releases use: those in force first, then the newest.
func InForceFirst(a, b *placementv1.Placement) int {
	if x, y := Begun(a), Begun(b); x != y {
		if x {
			return -1
		}
		return 1
	}
	return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}
