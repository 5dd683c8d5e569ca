// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

// Labels on everything that Fairway makes in a member cluster. Values are names of the
// bank's own objects, except where the comment says otherwise.
const (
	// LabelTenant is the tenant's name.
	LabelTenant = "app.fairway.cloud/tenant"
	// LabelEnvironment is the environment's name.
	LabelEnvironment = "app.fairway.cloud/environment"
	// LabelApplication is the application's name.
	LabelApplication = "app.fairway.cloud/application"
	// LabelComponent is the component's name within its application.
	LabelComponent = "app.fairway.cloud/component"
	// LabelDCN is the name of the DCN that an instance serves.
	LabelDCN = "app.fairway.cloud/dcn"
	// LabelCell is the first 8 hex digits of the SHA-256 of the cell key.
	LabelCell = "app.fairway.cloud/cell"
	// LabelTemplate is the first 8 hex digits of the component's template digest.
	LabelTemplate = "app.fairway.cloud/template"
	// LabelSeat is the seat of an instance, "<component>-<number>". Delivery sets it on the
	// live pod; it is never part of a pod template.
	LabelSeat = "app.fairway.cloud/seat"
	// LabelRevision is the Revision an instance runs. Delivery sets it on the live pod;
	// it is never part of a pod template, so that a Revision which leaves a component
	// alone restarts none of its instances.
	LabelRevision = "app.fairway.cloud/revision"
	// LabelManagedBy is the well-known label that names Fairway as the maker.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "fairway"
)

// Annotations on workloads in a member cluster.
const (
	// AnnotationTemplateDigest is the full template digest of the component, "sha256:…".
	AnnotationTemplateDigest = "app.fairway.cloud/template-digest"
	// AnnotationCell is the readable cell key, "cluster/pool/zone/rack/dcn".
	AnnotationCell = "app.fairway.cloud/cell-key"
	// AnnotationSeatStart is the first seat number of the (component, cell) block. Where the
	// member serves spec.ordinals.start, the StatefulSet's ordinals are the seat numbers;
	// elsewhere the seat number is this start plus the ordinal.
	AnnotationSeatStart = "app.fairway.cloud/seat-start"
	// AnnotationPrune with the value PruneNever keeps an object, such as the claim of a
	// volume with precious data, when nothing names it any more: a person removes it.
	AnnotationPrune = "app.fairway.cloud/prune"
	// PruneNever is the value of AnnotationPrune.
	PruneNever = "Never"
	// AnnotationPools on a member namespace lists the pools, separated by commas, that its
	// pods may select.
	AnnotationPools = "fleet.fairway.cloud/pools"
)

// AnnotationMakers on an Application lists the person ids, separated by commas, of everyone
// who wrote it since the last released Revision. Admission stamps it; it only grows.
const AnnotationMakers = "app.fairway.cloud/makers"

// SeatsPerCell is how many seat numbers each (component, cell) owns.
const SeatsPerCell = 1000
