// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

const (
	bodyLimit = 2 << 20
	// mostDrafts bounds the applications that are sent along.
	mostDrafts = 20
	// mostChanges bounds what is lost or added in one question.
	mostChanges = 100
)

// Routes of the placement room. desk may be nil where only the document is made.
func Routes(desk *Desk) []httpapi.Route {
	return slices.Concat(desk.machineRoutes(), desk.lostRoutes(), desk.inventoryRoutes(), []httpapi.Route{
		{Method: http.MethodPost, Pattern: "/api/v1/placement/simulate", Room: "placement", Verb: "simulate", Effect: httpapi.Reads, BodyLimit: bodyLimit, Handler: desk.simulate,
			Doc: httpapi.Doc{Summary: "Says where applications would run if parts of the fleet were lost or hosts came, and where applications would run that are sent along. Nothing is written.", Request: "placement.Change", Response: "placement.Outcome"}},
		{Method: http.MethodGet, Pattern: "/api/v1/placement/capacity", Room: "placement", Verb: "capacity", Effect: httpapi.Reads, Handler: desk.capacity,
			Doc: httpapi.Doc{
				Summary: "Says how full pools are, how much more fits, what a loss leaves and when they are full.", Response: "placement.Capacity",
				Query: []httpapi.Parameter{{Name: "pool", Text: "Only this pool. Default: all."}},
			}},
	})
}

// Change of the fleet that somebody asks about.
type Change struct {
	Lose []Loss     `json:"lose"`
	Add  []Addition `json:"add"`
	// Applications that would be released, applied already or not. With nothing lost and
	// nothing added, whoever may read Placements in their namespaces may ask.
	Applications []appv1.Application `json:"applications,omitempty"`
}

// Loss names something of the fleet. Kind may be left out where only one thing bears the
// name.
type Loss struct {
	Kind string `json:"kind,omitempty"`
	Name string `json:"name"`
}

// Addition is hosts that come.
type Addition struct {
	Pool    string `json:"pool"`
	Cluster string `json:"cluster"`
	Rack    string `json:"rack"`
	Count   int    `json:"count"`
	// CPU and Memory of each, as Kubernetes writes quantities. Left out: as the pool's
	// largest host in the cluster.
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
	// Arch of each: amd64, arm64 or loong64. Left out: as the pool's hosts there, or amd64
	// where they are not alike.
	Arch string `json:"arch,omitempty"`
	// RackIs says whether the rack is Known or New. Left out: Known.
	RackIs string `json:"rackIs,omitempty"`
}

// What a rack is that hosts come to.
const (
	rackKnown = "Known"
	rackNew   = "New"
)

// mostPods is how many instances a host holds of which nobody says more: the default of
// the kubelet.
const mostPods = 110

func (c Change) whatIf() (placement.WhatIf, error) {
	var out placement.WhatIf
	if n := len(c.Lose) + len(c.Add); n+len(c.Applications) == 0 || n > mostChanges || len(c.Applications) > mostDrafts {
		return out, httpapi.NewProblem(httpapi.CodeInvalid, "could not simulate nothing, or more than %d changes or %d applications at once: say what is lost (lose) or added (add), or give an application", mostChanges, mostDrafts)
	}
	seen := map[string]bool{}
	for _, a := range c.Applications {
		if a.Kind != "Application" || a.Namespace == "" || a.Name == "" {
			return out, httpapi.NewProblem(httpapi.CodeInvalid, "could not place %s %q for a trial: give Applications with their namespaces and names", a.Kind, a.Name)
		}
		if name := a.Namespace + "/" + a.Name; seen[name] {
			return out, httpapi.NewProblem(httpapi.CodeInvalid, "could not place application %q twice: give it once", name)
		}
		seen[a.Namespace+"/"+a.Name] = true
	}
	for _, l := range c.Lose {
		out.Lose = append(out.Lose, placement.Loss(l))
	}
	for _, a := range c.Add {
		one := placement.Addition{Pool: a.Pool, Cluster: a.Cluster, Rack: a.Rack, Count: a.Count, Arch: a.Arch, NewRack: a.RackIs == rackNew}
		if a.RackIs != "" && a.RackIs != rackKnown && a.RackIs != rackNew {
			return out, httpapi.NewProblem(httpapi.CodeInvalid, "could not add hosts to pool %q: rackIs is Known or New, not %q", a.Pool, a.RackIs)
		}
		if (a.CPU == "") != (a.Memory == "") {
			return out, httpapi.NewProblem(httpapi.CodeInvalid, "could not add hosts to pool %q: give both cpu and memory, or neither", a.Pool)
		}
		if a.CPU != "" {
			cpu, err := resource.ParseQuantity(a.CPU)
			memory, other := resource.ParseQuantity(a.Memory)
			if err != nil || other != nil || cpu.Sign() <= 0 || memory.Sign() <= 0 {
				return out, httpapi.NewProblem(httpapi.CodeInvalid, "could not read cpu %q and memory %q: write them like 16 and 64Gi", a.CPU, a.Memory)
			}
			one.Room = placement.Amount{CPU: cpu.MilliValue(), Memory: memory.Value(), Instances: mostPods}
		}
		out.Add = append(out.Add, one)
	}
	return out, nil
}

// admittedTo refuses those who may not ask about a change: without one of the fleet, who may
// not read Placements in the namespaces of the applications.
func (d *Desk) admittedTo(r *http.Request, change Change) error {
	if d == nil || len(change.Lose)+len(change.Add) > 0 || len(change.Applications) == 0 {
		return d.admitted(r)
	}
	person, _ := identity.FromContext(r.Context())
	for _, a := range change.Applications {
		may, err := d.Authority.May(r.Context(), person, server.Question{Verb: "list", Group: placementv1.GroupVersion.Group, Resource: "placements", Namespace: a.Namespace})
		if err != nil {
			return unavailable(err)
		}
		if !may {
			return httpapi.NewProblem(httpapi.CodeDenied, "could not place application %q for a trial: your roles do not allow to list placements in %q", a.Name, a.Namespace)
		}
	}
	return nil
}

// admitted refuses those who may not look at the whole fleet.
func (d *Desk) admitted(r *http.Request) error {
	if d == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look at the fleet now")
	}
	person, _ := identity.FromContext(r.Context())
	may, err := d.Authority.May(r.Context(), person, server.Question{Verb: "list", Group: placementv1.GroupVersion.Group, Resource: "placements"})
	if err != nil {
		return unavailable(err)
	}
	if !may {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not look at the whole fleet: your roles do not allow to list placements in all namespaces")
	}
	return nil
}

func (d *Desk) simulate(w http.ResponseWriter, r *http.Request) error {
	var change Change
	if err := httpapi.Strict(r, &change); err != nil {
		return err
	}
	if err := d.admittedTo(r, change); err != nil {
		return err
	}
	whatIf, err := change.whatIf()
	if err != nil {
		return err
	}
	out, err := d.Simulate(r.Context(), whatIf, change.Applications)
	if bad := (*badChange)(nil); errors.As(err, &bad) {
		return httpapi.NewProblem(httpapi.CodeInvalid, "%s", bad.Error())
	}
	if err != nil {
		return unavailable(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, out)
}

func (d *Desk) capacity(w http.ResponseWriter, r *http.Request) error {
	if err := d.admitted(r); err != nil {
		return err
	}
	for name := range r.URL.Query() {
		if name != "pool" {
			return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the query: no such parameter %q", name)
		}
	}
	pool := r.URL.Query().Get("pool")
	out, err := d.Capacity(r.Context(), pool)
	if err != nil {
		return unavailable(err)
	}
	if pool != "" && len(out) == 0 {
		return httpapi.NewProblem(httpapi.CodeNotFound, "could not find pool %q", pool)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"pools": out})
}

func unavailable(err error) error {
	if p := httpapi.AsProblem(err); p.Code != httpapi.CodeInternal {
		return p
	}
	return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look at the fleet now").Because(err)
}

// Schemas of what the routes take and answer.
func Schemas() map[string]any {
	text := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	number := func(description string) map[string]any {
		return map[string]any{"type": "integer", "description": description}
	}
	list := func(of map[string]any) map[string]any { return map[string]any{"type": "array", "items": of} }
	object := func(required []any, properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "required": required, "properties": properties}
	}
	more := list(object([]any{"size", "instances", "separate"}, map[string]any{
		"size": text("Sizing class."), "instances": number("How many instances more of it fit for certain: host by host, in any order, each class on its own."),
		"separate": number("How many would if the sizes that are there had hosts of their own, as many of them as is best for this one."),
	}))
	amount := object([]any{"cpu", "memory", "instances"}, map[string]any{"cpu": number("Thousandths of a core."), "memory": number("Bytes."), "instances": number("Instances by number.")})
	ref := func(name string) map[string]any { return map[string]any{"$ref": "#/components/schemas/" + name} }
	return merged(machineSchemas(), lostSchemas(), inventorySchemas(), map[string]any{
		"placement.Change": object(nil, map[string]any{
			"lose": list(object([]any{"name"}, map[string]any{"kind": text("DataCenter, Cluster, Pool, Rack or Host. Default: that of the only thing that is called so."), "name": text("Its name; a rack's is <data centre>/<rack>, a host's <cluster>/<host>. Without a kind their own names will do.")})),
			"add": list(object([]any{"pool", "cluster", "rack", "count"}, map[string]any{
				"pool": text("Pool that the hosts come to."), "cluster": text("Cluster that they join."), "rack": text("Rack that they stand in."), "count": number("How many, from 1 to 5,000."),
				"cpu": text("CPU of each, such as 16. Default: as the pool's largest host in the cluster."), "memory": text("Memory of each, such as 64Gi. Default: likewise."),
				"arch": text("Processor of each: amd64, arm64 or loong64. Default: as the pool's hosts in the cluster; amd64 where these are not alike. A note says which."), "rackIs": text("Known or New. A Known rack is in the list of the cluster's data centre, or has hosts. Default: Known."),
			})),
			"applications": list(ref("app.Application")),
		}),
		"placement.Outcome": object([]any{"notes", "moves", "unplaced", "trials"}, map[string]any{
			"notes": list(text("Where the instances of lost DCNs would go, what of virtual machines is lost, which hosts come, and what could not be looked at.")),
			"moves": list(object([]any{"application", "component", "cell", "by"}, map[string]any{
				"application": text("<namespace>/<name>."), "component": text("Its component."), "cell": map[string]any{"type": "object"}, "by": number("How many instances the cell gains; negative: loses."),
			})),
			"trials": list(object([]any{"application", "verdict", "notes", "placement"}, map[string]any{
				"application": text("<namespace>/<name> of an application that was sent along."), "verdict": text("Placed or Refused."), "notes": list(text("What of it is not known yet.")),
				"placement": map[string]any{"type": "object", "description": "The spec of the Placement that a Release would store, with its reasons."},
			})),
			"unplaced": list(object([]any{"application", "reasons"}, map[string]any{"application": text("An application of which instances would run nowhere."), "reasons": list(text("What lacks."))})),
		}),
		"placement.Amount": amount,
		"placement.Capacity": object([]any{"pools"}, map[string]any{"pools": list(object([]any{"pool", "hosts", "packing", "spareHosts", "surgeHosts", "total", "held", "classes", "more", "sites", "losses", "trend"}, map[string]any{
			"pool": text("Pool."), "hosts": number("Hosts that are ready."), "packing": text("How new instances fill them: Spread or Pack."),
			"spareHosts": number("How many hosts' worth of room is kept free for lost hosts."), "surgeHosts": number("How many for successors of what runs."),
			"total": ref("placement.Amount"), "held": ref("placement.Amount"),
			"classes": list(object([]any{"class", "hosts", "free", "freeAtMost"}, map[string]any{
				"class": text("Size and processor."), "hosts": number("Hosts of it."),
				"free": ref("placement.Amount"), "freeAtMost": ref("placement.Amount"),
			})),
			"more":   more,
			"sites":  list(object([]any{"dataCenter", "free", "more"}, map[string]any{"dataCenter": text("Data centre."), "free": ref("placement.Amount"), "more": more})),
			"advice": text("Which sizes should have hosts of their own, and what that brings. Left out: it would not bring much."),
			"losses": list(object([]any{"kind", "name", "free"}, map[string]any{"kind": text("Rack or DataCenter."), "name": text("The largest one of the pool."), "free": ref("placement.Amount")})),
			"trend": object([]any{"historyDays", "why"}, map[string]any{
				"historyDays": map[string]any{"type": "number", "description": "Days of history."}, "since": text("First day of the history (UTC), such as 2026-10-29. Left out: there is none."), "why": text("What is full first, or why nobody can tell."),
				"fullInDays": map[string]any{"type": "number", "description": "Days until the pool is full. Left out: nobody can tell, or it does not fill up."},
			}),
		}))}),
	})
}

// merged are all schemas.
func merged(parts ...map[string]any) map[string]any {
	all := map[string]any{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}
