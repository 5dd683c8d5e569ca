// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package rendering renders a Revision for the members that a Placement names:
// it gathers what the app room's Render asks for from the hub and the member.
package rendering

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Renderer implements release.Renderer.
type Renderer struct {
	// Hub reads clusters, pools, zones, tenants and other applications' revisions.
	Hub client.Reader
	// Members says what each member serves.
	Members members.Source
	// DNSNetworks are networks of name servers besides the pods of kube-dns.
	DNSNetworks []string
}

var _ release.Renderer = &Renderer{}

// Render implements release.Renderer.
func (r *Renderer) Render(ctx context.Context, revision *appv1.Revision, placement *placementv1.Placement, cluster string) (release.Rendered, error) {
	content, err := app.Open(revision)
	if err != nil {
		return release.Rendered{}, refuse("%v", err)
	}
	member, err := r.Members.Get(cluster)
	if errors.Is(err, members.ErrNotConnected) {
		return release.Rendered{}, &release.Refusal{
			Reason: releasev1.ReasonAway, Again: release.AskAway,
			Message: fmt.Sprintf("cluster %s is not connected, and what it can express is not known: the release goes on when it connects", cluster),
		}
	}
	if err != nil {
		return release.Rendered{}, err
	}
	served := app.Ask(member.Served())
	if err := served.Applicable(); err != nil {
		return release.Rendered{}, refuse("cluster %s: %v", cluster, err)
	}
	in, err := r.input(ctx, content, placement, cluster)
	if err != nil {
		return release.Rendered{}, err
	}
	out, err := app.Render(in, served)
	if err != nil {
		return release.Rendered{}, refuse("%v", err)
	}
	return rendered(content, placement, cluster, out)
}

func refuse(format string, args ...any) error {
	return &release.Refusal{Reason: releasev1.ReasonNotRendered, Message: fmt.Sprintf(format, args...)}
}

func rendered(content app.Content, placement *placementv1.Placement, cluster string, out app.Output) (release.Rendered, error) {
	if refusals := out.Refusals(); len(refusals) > 0 {
		var parts []string
		for _, reason := range refusals {
			parts = append(parts, reason.String())
		}
		return release.Rendered{}, refuse("cluster %s cannot express what the revision asks for: %s", cluster, strings.Join(parts, "; "))
	}
	if len(out.Secrets) > 0 {
		var names []string
		for _, s := range out.Secrets {
			names = append(names, s.Name)
		}
		return release.Rendered{}, refuse("the revision uses secrets (%s), which are not yet carried into members: leave them out", strings.Join(names, ", "))
	}
	var all release.Rendered
	for _, o := range out.Shared {
		all.Shared = append(all.Shared, o.Object)
	}
	for _, w := range out.Workloads {
		one := release.RenderedWorkload{
			Name: w.Name, Kind: w.Kind, Component: w.Component, Template: w.Template, Cell: w.Cell,
			Share: shareOf(content, placement, w.Component, w.Cell),
		}
		for _, o := range w.Objects {
			one.Objects = append(one.Objects, o.Object)
		}
		all.Workloads = append(all.Workloads, one)
	}
	all.Lacks = lacks(out.Reasons)
	return all, nil
}

// mostLacks is of how many things that a cluster does not do a plan says each.
const mostLacks = 10

// lacks are what a cluster does not do of what the revision asks for, each once for a component:
// its cells are alike in that. What it does in another way with the same effect is not among them.
func lacks(reasons []app.Reason) []string {
	var out []string
	for _, r := range reasons {
		said := r.Message
		if r.Component != "" {
			said = "component " + r.Component + ": " + said
		}
		if r.Effect == app.Missing && !slices.Contains(out, said) {
			out = append(out, said)
		}
	}
	if more := len(out) - mostLacks; more > 0 {
		out = append(out[:mostLacks], fmt.Sprintf("and %d things more that it does not do", more))
	}
	return out
}

func (r *Renderer) input(ctx context.Context, content app.Content, placement *placementv1.Placement, cluster string) (app.Input, error) {
	var (
		c      fleetv1.Cluster
		tenant tenancyv1.Tenant
		zones  fleetv1.NetworkZoneList
		pools  fleetv1.PoolList
	)
	if err := errors.Join(
		r.Hub.Get(ctx, client.ObjectKey{Name: cluster}, &c),
		r.Hub.Get(ctx, client.ObjectKey{Name: content.Tenant}, &tenant),
		r.Hub.List(ctx, &zones), r.Hub.List(ctx, &pools, client.UnsafeDisableDeepCopy), // only read
	); err != nil {
		return app.Input{}, fmt.Errorf("could not read what surrounds application %q in cluster %q: %w", content.Application, cluster, err)
	}
	callers, err := r.callers(ctx, content)
	if err != nil {
		return app.Input{}, err
	}
	in := app.Input{
		Content: content, Cluster: cluster, DataCenter: c.Spec.DataCenter,
		StorageClasses: map[appv1.VolumeKind]string{}, DiskIO: c.Spec.DiskIO, DNSNetworks: r.DNSNetworks,
		Zones: app.ZonesOf(zones.Items), Allowances: app.AllowancesOf(tenant), Callers: callers,
	}
	for _, s := range c.Spec.StorageClasses {
		in.StorageClasses[appv1.VolumeKind(s.Kind)] = s.ClassName
	}
	simulated := map[string]bool{}
	for _, p := range pools.Items {
		simulated[p.Name] = p.Spec.HostKind == "Simulated"
	}
	for _, a := range placement.Spec.Assignments {
		if a.Cell.Cluster != cluster || len(a.Seats) == 0 {
			continue
		}
		one := app.Assignment{Component: appv1.ComponentName(a.Component), Cell: a.Cell, Block: a.Block, Simulated: simulated[a.Cell.Pool]}
		if share := shareOf(content, placement, a.Component, a.Cell); share != nil {
			one.Share = &app.Share{Min: share.Min, Max: share.Max}
		}
		in.Assignments = append(in.Assignments, one)
	}
	return in, nil
}

// shareOf divides a component's autoscaling bounds over the cells of a DCN in
// the proportion of their seats. The parts add up to the bounds; the order of
// cells is the Placement's. Nil: the component is not autoscaled.
func shareOf(content app.Content, placement *placementv1.Placement, component string, cell placementv1.Cell) *release.Share {
	i := slices.IndexFunc(content.Spec.Components, func(c appv1.Component) bool { return string(c.Name) == component })
	if i < 0 || content.Spec.Components[i].Autoscaling == nil {
		return nil
	}
	bounds := content.Spec.Components[i].Autoscaling
	var before, own, total int32
	for _, a := range placement.Spec.Assignments {
		if a.Component != component || a.Cell.DCN != cell.DCN {
			continue
		}
		if a.Cell == cell {
			before, own = total, int32(len(a.Seats))
		}
		total += int32(len(a.Seats))
	}
	if own == 0 {
		return nil
	}
	part := func(bound int32) int32 {
		return int32(int64(bound)*int64(before+own)/int64(total) - int64(bound)*int64(before)/int64(total))
	}
	return &release.Share{Min: max(part(bounds.Min), 1), Max: max(part(bounds.Max), 1)}
}

// callers are the components of other applications of the environment whose
// released revisions have bound this one.
func (r *Renderer) callers(ctx context.Context, content app.Content) ([]app.Caller, error) {
	var applications appv1.ApplicationList
	if err := fields.List(ctx, r.Hub, &applications, byBinding, content.Tenant+"/"+content.Application); err != nil {
		return nil, fmt.Errorf("could not read the applications that may call %q: %w", content.Application, err)
	}
	var out []app.Caller
	for _, a := range applications.Items {
		tenant, environment, _ := app.SplitNamespace(a.Namespace)
		if environment != content.Environment || a.Status.ReleasedRevision == "" || a.Name == content.Application && tenant == content.Tenant {
			continue
		}
		if !binds(a.Spec, tenant, content) {
			continue
		}
		var revision appv1.Revision
		if err := r.Hub.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Status.ReleasedRevision}, &revision); err != nil {
			return nil, fmt.Errorf("could not read revision %q, which may call %q: %w", a.Status.ReleasedRevision, content.Application, err)
		}
		other, err := app.Open(&revision)
		if err != nil {
			return nil, err
		}
		out = append(out, callersIn(other, tenant, content)...)
	}
	return out, nil
}

// byBinding is the field by which a cache finds the Applications that bind another,
// "<tenant>/<name>".
const byBinding = "spec.bindings"

// Index lets a cache find who binds an application.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &appv1.Application{}, byBinding, func(o client.Object) []string {
		a, _ := o.(*appv1.Application)
		own, _, _ := app.SplitNamespace(a.Namespace)
		var all []string
		for _, b := range a.Spec.Bindings {
			if b.Application != nil {
				all = append(all, cmp.Or(b.Application.Tenant, own)+"/"+b.Application.Name)
			}
		}
		return all
	})
}

// binds is a cheap first look, before a Revision is read.
func binds(spec appv1.ApplicationSpec, tenant string, content app.Content) bool {
	return slices.ContainsFunc(spec.Bindings, func(b appv1.Binding) bool { return bound(b, tenant, content) })
}

func bound(b appv1.Binding, tenant string, content app.Content) bool {
	if b.Application == nil || b.Application.Name != content.Application {
		return false
	}
	of := b.Application.Tenant
	if of == "" {
		of = tenant
	}
	return of == content.Tenant
}

func callersIn(other app.Content, tenant string, content app.Content) []app.Caller {
	var out []app.Caller
	for _, c := range other.Spec.Components {
		for _, d := range c.DependsOn {
			for _, b := range other.Spec.Bindings {
				// Another tenant must allow the flow too; until tenants can say so, its
				// applications are not let in.
				if b.Name != d.Binding || !bound(b, tenant, content) || tenant != content.Tenant {
					continue
				}
				out = append(out, app.Caller{
					Tenant: tenant, Application: other.Application, Component: c.Name,
					To: b.Application.Component, Port: b.Port, Protocol: b.Protocol, Zone: c.Zone,
				})
			}
		}
	}
	return out
}
