// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"encoding/json"
	"fmt"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Document is what a Release will do. Its canonical JSON is Release.status.plan,
// and approval covers its digest.
type Document struct {
	// Application as "<hub namespace>/<name>".
	Application string         `json:"application"`
	Release     string         `json:"release"`
	Kind        releasev1.Kind `json:"kind"`
	// Sequence is the number of the Release within the application.
	Sequence       int64  `json:"sequence"`
	Revision       string `json:"revision,omitempty"`
	RevisionDigest string `json:"revisionDigest,omitempty"`
	// Placement that is carried out, with its digest.
	Placement       string `json:"placement,omitempty"`
	PlacementDigest string `json:"placementDigest,omitempty"`
	// Fenced is how the requester says that lost hosts were cut off.
	Fenced string `json:"fenced,omitempty"`
	// WayBack is the revision that was in service when this was planned. A Rollback
	// to it is part of what is approved here.
	WayBack string `json:"wayBack,omitempty"`
	// Back says that this plan is the way back of the plan before it, and so part of
	// that one's approval.
	Back bool `json:"back,omitempty"`
	// Clusters by name.
	Clusters []ClusterPlan `json:"clusters"`
	// Batches say the order of the steps.
	Batches []Batch `json:"batches"`
}

// ClusterPlan is what one cluster is to be.
type ClusterPlan struct {
	Cluster string `json:"cluster"`
	// Namespace of the application in the member.
	Namespace string `json:"namespace"`
	// Retire takes the application out of this cluster.
	Retire bool `json:"retire,omitempty"`
	// Shared renderings once the Release is done.
	Shared []deliveryv1.RenderingReference `json:"shared,omitempty"`
	// Between are the shared renderings while old and new stand side by side.
	// Empty: as Shared.
	Between []deliveryv1.RenderingReference `json:"between,omitempty"`
	// Workloads once the Release is done.
	Workloads []deliveryv1.Workload `json:"workloads,omitempty"`
	// Leaving are workloads that go.
	Leaving []deliveryv1.Workload `json:"leaving,omitempty"`
	// Lacks say what the cluster does not do of what the Revision asks for, such as a bound that
	// its version of Kubernetes does not know.
	Lacks []string `json:"lacks,omitempty"`
	// Restarts are the instances that are replaced, in order.
	Restarts []deliveryv1.InstanceRestart `json:"restarts,omitempty"`
}

// Batch is a number of steps that are taken together.
type Batch struct {
	Number int32    `json:"number"`
	Steps  []string `json:"steps"`
}

// Seal returns the canonical JSON of a plan and its digest.
func Seal(d Document) (text, digest string, err error) {
	text, err = canonical.JSON(d)
	if err != nil {
		return "", "", fmt.Errorf("could not write the plan of release %q: %w", d.Release, err)
	}
	return text, canonical.Digest(text), nil
}

// Open reads a plan after it has verified its digest.
func Open(text, digest string) (*Document, error) {
	if err := canonical.Verify(text, digest); err != nil {
		return nil, fmt.Errorf("could not read the plan: %w", err)
	}
	var d Document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, fmt.Errorf("could not read the plan: %w", err)
	}
	return &d, nil
}

// workload returns the target of that name, or nil.
func (p *ClusterPlan) workload(name string) *deliveryv1.Workload {
	for i := range p.Workloads {
		if p.Workloads[i].Name == name {
			return &p.Workloads[i]
		}
	}
	return nil
}

// oneCell reports whether a workload runs in one cell of the fleet only.
func oneCell(w deliveryv1.Workload) bool { return w.Kind == "Job" || w.Kind == "CronJob" }

// slot is a component in a DCN: what replaces one another.
type slot struct{ component, dcn string }

func slotOf(component string, cell placementv1.Cell) slot { return slot{component, cell.DCN} }
