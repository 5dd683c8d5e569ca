// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// SpecOf is the decision as it is stored, without its expiry.
func SpecOf(application, revision string, d placement.Decision, by placementv1.DecidedBy) (placementv1.PlacementSpec, error) {
	spec := placementv1.PlacementSpec{Application: application, Revision: revision, Policy: &by, Assignments: []placementv1.Assignment{}}
	for _, a := range d.Assignments {
		one := placementv1.Assignment{
			Component: a.Component, Template: a.Template, Cell: placementv1.Cell(a.Cell), Block: a.Block,
			Seats:  append([]int32{}, a.Seats...),
			CPU:    *resource.NewMilliQuantity(a.Size.CPU, resource.DecimalSI),
			Memory: *resource.NewQuantity(a.Size.Memory, resource.BinarySI), MaxPerHost: a.MaxPerHost, Architectures: a.Archs,
		}
		for _, k := range a.KeepsFrom {
			_, name, _ := strings.Cut(k.Application, "/")
			one.AntiAffinity = append(one.AntiAffinity, placementv1.KeptApart{Application: name, Component: k.Component, Scope: string(k.Scope)})
		}
		spec.Assignments = append(spec.Assignments, one)
	}
	spec.Hosts = roomsOf(d.Assignments)
	digest, err := DigestOf(&spec)
	if err != nil {
		return spec, err
	}
	spec.Digest = digest
	bytes, err := bytesOf(spec)
	if err != nil {
		return spec, err
	}
	spec.Reasons = reasonsOf(d.Reasons, bytes)
	return spec, nil
}

// DigestOf is the digest of what a Placement says, its reasons and expiry aside.
func DigestOf(spec *placementv1.PlacementSpec) (string, error) {
	said := map[string]any{"application": spec.Application, "revision": spec.Revision, "assignments": spec.Assignments, "policy": spec.Policy}
	if len(spec.Hosts) > 0 { // not said before hosts were listed by room
		said["hosts"] = spec.Hosts
	}
	if spec.Cause != nil {
		said["cause"] = spec.Cause
	}
	digest, err := canonical.DigestOf(said)
	if err != nil {
		return "", fmt.Errorf("could not digest the placement of %q: %w", spec.Application, err)
	}
	return digest, nil
}

// roomsOf are the hosts that a decision counts on, by room.
func roomsOf(all []placement.Assignment) []placementv1.RoomHosts {
	type room struct{ cluster, pool, rack string }
	at := map[room]int{}
	var out []placementv1.RoomHosts
	for _, a := range all {
		if len(a.Seats) == 0 || len(a.Hosts) == 0 {
			continue
		}
		r := room{a.Cell.Cluster, a.Cell.Pool, a.Cell.Rack}
		i, known := at[r]
		if !known {
			at[r] = len(out)
			out = append(out, placementv1.RoomHosts{Cluster: r.cluster, Pool: r.pool, Rack: r.rack, Names: slices.Clone(a.Hosts)})
			continue
		}
		if !slices.Equal(out[i].Names, a.Hosts) { // of a room without a ready host each keeps what it had
			out[i].Names = append(out[i].Names, slices.DeleteFunc(slices.Clone(a.Hosts), func(h string) bool { return slices.Contains(out[i].Names, h) })...)
		}
	}
	for i := range out {
		slices.Sort(out[i].Names)
	}
	slices.SortFunc(out, func(a, b placementv1.RoomHosts) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Rack, b.Rack))
	})
	return out
}

// hostsOf finds the hosts of Assignments of one Placement, as its HostsOf does: for those who
// ask for all of them.
func hostsOf(spec *placementv1.PlacementSpec) func(placementv1.Assignment) []string {
	type room struct{ cluster, pool, rack string }
	at := make(map[room][]string, len(spec.Hosts))
	for _, r := range spec.Hosts {
		at[room{r.Cluster, r.Pool, r.Rack}] = r.Names
	}
	return func(a placementv1.Assignment) []string {
		if len(a.Hosts) > 0 || len(a.Seats) == 0 {
			return a.Hosts
		}
		return at[room{a.Cell.Cluster, a.Cell.Pool, a.Cell.Rack}]
	}
}

// Bounded is a text of at most so many bytes; where it is longer, it ends in " …".
func Bounded(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := strings.ToValidUTF8(s[:most-len(" …")], "")
	return cut + " …"
}
