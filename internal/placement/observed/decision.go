// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"encoding/json"
	"fmt"
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
			Seats: append([]int32{}, a.Seats...), Hosts: append([]string{}, a.Hosts...),
			CPU:    *resource.NewMilliQuantity(a.Size.CPU, resource.DecimalSI),
			Memory: *resource.NewQuantity(a.Size.Memory, resource.BinarySI), MaxPerHost: a.MaxPerHost, Architectures: a.Archs,
		}
		for _, k := range a.KeepsFrom {
			_, name, _ := strings.Cut(k.Application, "/")
			one.AntiAffinity = append(one.AntiAffinity, placementv1.KeptApart{Application: name, Component: k.Component, Scope: string(k.Scope)})
		}
		spec.Assignments = append(spec.Assignments, one)
	}
	digest, err := canonical.DigestOf(map[string]any{"application": application, "revision": revision, "assignments": spec.Assignments, "policy": by})
	if err != nil {
		return spec, fmt.Errorf("could not digest the placement of %q: %w", application, err)
	}
	spec.Digest = digest
	text, err := json.Marshal(spec)
	if err != nil {
		return spec, fmt.Errorf("could not measure the placement of %q: %w", application, err)
	}
	spec.Reasons = reasonsOf(d.Reasons, len(text))
	return spec, nil
}

// Bounded is a text of at most so many bytes; where it is longer, it ends in " …".
func Bounded(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := strings.ToValidUTF8(s[:most-len(" …")], "")
	return cut + " …"
}
