// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package app

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Input is what one application shall be in one cluster.
type Input struct {
	// Content is the Revision's, from Open or Freeze.
	Content Content
	// Cluster and DataCenter name the member and its site.
	Cluster, DataCenter string
	// Assignments are the cells of this cluster that components run in, from the Placement.
	// Their order means nothing.
	Assignments []Assignment
	// StorageClasses maps kinds of volume to the member's storage classes.
	StorageClasses map[appv1.VolumeKind]string
	// DiskIO says what limits disk IO on the member's hosts.
	DiskIO fleetv1.DiskIOLimit
	// DNSNetworks are networks of name servers besides the pods of kube-dns.
	DNSNetworks []string
	// Zones bound what declared dependencies open: a flow that no zone allows stays closed.
	Zones []Zone
	// Allowances open the application to the bank's own observers.
	Allowances []Allowance
	// Callers are components of other applications that have bound this one.
	Callers []Caller
	// PeerNetworks are the networks of this application's pods in other clusters, by DCN,
	// for reach AllDCNs. Whoever has an address in them may connect, so they must not hold
	// pods of other tenants.
	PeerNetworks map[string][]string
}

// Assignment puts a component into a cell. Instances are pinned to the cell's hosts by the
// labels of pool and rack rather than by their names: a host that joins the cell, or takes
// the place of a lost one, then restarts nothing.
type Assignment struct {
	Component appv1.ComponentName
	Cell      placementv1.Cell
	// Block is the first seat number that the component owns in the cell.
	Block int32
	// Simulated says that the cell's hosts are simulated.
	Simulated bool
	// Share is the cell's share of the autoscaling bounds; nil where the number of
	// instances is fixed.
	Share *Share
}

// Share is a cell's part of a component's autoscaling bounds.
type Share struct{ Min, Max int32 }

// Allowance opens every component to an observer: scanner, monitoring, log collector, bastion.
type Allowance struct {
	Name  string
	From  []string // CIDR
	Ports []int32  // TCP; empty: every port
}

// Caller is a component of another application in the same environment.
type Caller struct {
	Tenant, Application string
	Component           appv1.ComponentName
	// To is the component that it calls, at Port.
	To   appv1.ComponentName
	Port int32
	// Protocol is TCP when empty.
	Protocol appv1.TransportProtocol
	// Zone is the caller's.
	Zone string
}

// Effect says what became of an intent that a member cannot express as it is.
type Effect string

const (
	// Adapted: the member gets something else that serves the same end.
	Adapted Effect = "Adapted"
	// Missing: the member does not do it; the rest stands.
	Missing Effect = "Missing"
	// Refused: without it the application would be wrong; it must not be applied.
	Refused Effect = "Refused"
)

// Reason says what a member cannot express, and what became of it.
type Reason struct {
	Component string `json:"component,omitempty"`
	// Object is what it is about, as "apps/v1/StatefulSet retail-prod-app/name".
	Object string `json:"object,omitempty"`
	Field  string `json:"field,omitempty"`
	Effect Effect `json:"effect"`
	// Message says what happens, and what to do.
	Message string `json:"message"`
}

func (r Reason) String() string {
	where := r.Object
	if where == "" {
		where = r.Component
	}
	return fmt.Sprintf("%s %s %s: %s", r.Effect, where, r.Field, r.Message)
}

// Output is what a member gets.
type Output struct {
	// Namespace is the member namespace.
	Namespace string
	// Shared are the objects that belong to no single workload, in the order to apply them.
	Shared []unstructured.Unstructured
	// Workloads are the workloads, in the order of component and cell.
	Workloads []Workload
	// Secrets are the Secrets of the hub that the member needs, under their member names.
	Secrets []SecretCopy
	// Reasons are what the member cannot express.
	Reasons []Reason
}

// Workload is one component in one cell.
type Workload struct {
	// Name and Kind are those of the workload object, the last of Objects.
	Name, Kind string
	Component  string
	Template   string // digest
	Cell       placementv1.Cell
	Block      int32
	// Objects are the workload with what only it uses (configuration, autoscaler), in the
	// order to apply them. The workload has no replicas: Delivery sets them.
	Objects []unstructured.Unstructured
}

// SecretCopy is a Secret that a member needs.
type SecretCopy struct {
	// Name is its name in the application's namespace on the hub.
	Name string
	// MemberName is its name in the member namespace; it changes with the content.
	MemberName string
}

// Refusals are the reasons because of which the output must not be applied.
func (o Output) Refusals() []Reason {
	var out []Reason
	for _, r := range o.Reasons {
		if r.Effect == Refused {
			out = append(out, r)
		}
	}
	return out
}

// Text is the canonical JSON array of objects: what a Rendering stores.
func Text(objects []unstructured.Unstructured) (string, error) {
	list := make([]any, 0, len(objects))
	for _, o := range objects {
		list = append(list, o.Object)
	}
	return canonical.JSON(list)
}

// MemberNamespace is the namespace of an application in members.
func MemberNamespace(tenant, environment, application string) string {
	return tenant + "-" + environment + "-" + application
}

// hash8 names things by what they are made of.
func hash8(parts ...string) string {
	return canonical.Short(canonical.Digest(strings.Join(parts, "\n")), 8)
}

// CellHash is the value of the cell label.
func CellHash(cell placementv1.Cell) string { return hash8(cell.Key()) }

// WorkloadName names the workload of a component in a cell. A service or job has one per
// template, so that a new template stands beside the old one; a component with identity,
// or a cron, has one per cell, which is updated in place.
func WorkloadName(application string, c appv1.Component, templateDigest string, cell placementv1.Cell) string {
	suffix := hash8(templateDigest, cell.Key())
	if HasIdentity(c) || c.Kind == appv1.KindCron {
		suffix = CellHash(cell)
	}
	return application + "-" + string(c.Name) + "-" + suffix
}

// rendering is the work in progress.
type rendering struct {
	in     Input
	served Served
	out    Output
	// components are those that run in this cluster, with their frozen parts.
	components map[appv1.ComponentName]component
}

type component struct {
	appv1.Component
	frozen FrozenComponent
	deps   []target
	dcns   []string // in which it runs in this cluster, sorted
	// diskIO is the class of disk IO that the member holds its pods to; "" for none.
	diskIO string
}

// Render turns a Revision into the objects of one member, for what that member serves. The
// same input gives the same bytes. An error means that the input contradicts itself; what
// the member cannot express is in Output.Reasons.
func Render(in Input, served Served) (Output, error) {
	in.Assignments = slices.Clone(in.Assignments)
	slices.SortFunc(in.Assignments, func(a, b Assignment) int {
		if c := strings.Compare(string(a.Component), string(b.Component)); c != 0 {
			return c
		}
		return strings.Compare(a.Cell.Key(), b.Cell.Key())
	})
	r := &rendering{in: in, served: served, components: map[appv1.ComponentName]component{}}
	r.out.Namespace = MemberNamespace(in.Content.Tenant, in.Content.Environment, in.Content.Application)
	if err := r.gather(); err != nil {
		return Output{}, fmt.Errorf("could not render application %q for cluster %q: %w", in.Content.Application, in.Cluster, err)
	}
	r.namespace()
	r.networkPolicies()
	r.claims()
	r.services()
	r.disruptionBudgets()
	for _, a := range in.Assignments {
		if err := r.workload(a); err != nil {
			return Output{}, fmt.Errorf("could not render component %q for cell %q: %w", a.Component, a.Cell.Key(), err)
		}
	}
	slices.SortFunc(r.out.Secrets, func(a, b SecretCopy) int { return strings.Compare(a.Name, b.Name) })
	r.out.Secrets = slices.Compact(r.out.Secrets)
	r.out.Reasons = slices.Compact(r.out.Reasons)
	return r.out, nil
}

func (r *rendering) gather() error {
	content := r.in.Content
	seen := map[string]bool{}
	for _, a := range r.in.Assignments {
		if a.Cell.Cluster != r.in.Cluster {
			return fmt.Errorf("cell %q lies in another cluster", a.Cell.Key())
		}
		key := string(a.Component) + " " + a.Cell.Key()
		if seen[key] {
			return fmt.Errorf("component %q is assigned twice to cell %q", a.Component, a.Cell.Key())
		}
		seen[key] = true
		c, ok := r.components[a.Component]
		if !ok {
			i := slices.IndexFunc(content.Spec.Components, func(c appv1.Component) bool { return c.Name == a.Component })
			if i < 0 {
				return fmt.Errorf("component %q is not part of the revision", a.Component)
			}
			deps, err := dependencies(content.Spec, content.Spec.Components[i])
			if err != nil {
				return err
			}
			c = component{Component: content.Spec.Components[i], frozen: content.Components[i], deps: deps}
			r.bounded(&c)
		}
		if !slices.Contains(c.dcns, a.Cell.DCN) {
			c.dcns = append(c.dcns, a.Cell.DCN)
			slices.Sort(c.dcns)
		}
		r.components[a.Component] = c
	}
	return nil
}

// each visits the components of this cluster in the order of their names.
func (r *rendering) each(visit func(component)) {
	for _, c := range r.in.Content.Spec.Components {
		if found, ok := r.components[c.Name]; ok {
			visit(found)
		}
	}
}

func (r *rendering) reason(component, object, field string, effect Effect, format string, args ...any) {
	r.out.Reasons = append(r.out.Reasons, Reason{
		Component: component, Object: object, Field: field, Effect: effect, Message: fmt.Sprintf(format, args...),
	})
}

func (r *rendering) share(o unstructured.Unstructured) { r.out.Shared = append(r.out.Shared, o) }

// labels are on everything that Fairway makes for the application.
func (r *rendering) labels(more ...string) map[string]string {
	out := map[string]string{
		appv1.LabelTenant: r.in.Content.Tenant, appv1.LabelEnvironment: r.in.Content.Environment,
		appv1.LabelApplication: r.in.Content.Application, appv1.LabelManagedBy: appv1.ManagedBy,
	}
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// selector are the labels that select the application's pods; further ones narrow it.
func selector(more ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// object turns a typed object into the form that is applied: with its kind, without status.
func object(apiVersion, kind string, typed any) unstructured.Unstructured {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		// Only a type that cannot be JSON gets here: a mistake in this package.
		panic(fmt.Sprintf("could not turn %T into an object: %v", typed, err))
	}
	raw["apiVersion"], raw["kind"] = apiVersion, kind
	delete(raw, "status")
	dropNull(raw)
	return unstructured.Unstructured{Object: raw}
}

// dropNull removes fields that the typed form writes as null or, for resources, as {}.
func dropNull(m map[string]any) {
	for key, value := range m {
		switch v := value.(type) {
		case nil:
			delete(m, key)
		case map[string]any:
			dropNull(v)
			if len(v) == 0 && (key == "resources" || key == "strategy" || key == "updateStrategy" || key == "metadata" || key == "status") {
				delete(m, key)
			}
		case []any:
			for _, item := range v {
				if inner, ok := item.(map[string]any); ok {
					dropNull(inner)
				}
			}
		}
	}
}

func describe(o unstructured.Unstructured) string {
	return o.GetAPIVersion() + "/" + o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}
