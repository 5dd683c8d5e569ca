// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ProfileSpec is what other systems of the bank say of an application.
type ProfileSpec struct {
	// imported are the tags that were brought in (R51). An import says all that its source
	// says of a component: what the source said of it before is gone then.
	// +kubebuilder:validation:MaxItems=512
	// +listType=map
	// +listMapKey=component
	// +listMapKey=tag
	// +listMapKey=source
	// +optional
	Imported []ImportedTag `json:"imported,omitempty"`
}

// ImportedTag is one tag as a CMDB or another system gave it.
type ImportedTag struct {
	// component of the application that the tag is for.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	// +required
	Component string `json:"component"`

	// tag is a word for a component's ways, such as io-heavy or peak-morning.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`
	// +required
	Tag string `json:"tag"`

	// source names the system that the tag comes from, such as cmdb.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +required
	Source string `json:"source"`

	// value is the number behind the tag, as the source wrote it. It is shown and has no
	// effect. Default: none.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^-?[0-9]+(\.[0-9]+)?$`
	// +optional
	Value string `json:"value,omitempty"`

	// algorithm that found the tag, such as kmeans-io. Default: none is known.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Algorithm string `json:"algorithm,omitempty"`

	// version of the algorithm. Default: none is known.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Version string `json:"version,omitempty"`

	// at is when the source found the tag.
	// +required
	At metav1.Time `json:"at"`
}

// TagOrigin says who gave a tag.
//
// +kubebuilder:validation:Enum=Spec;Imported;Measured
type TagOrigin string

const (
	// TagFromSpec: the Application says it.
	TagFromSpec TagOrigin = "Spec"
	// TagImported: another system of the bank says it.
	TagImported TagOrigin = "Imported"
	// TagMeasured: a TagRule's query says it.
	TagMeasured TagOrigin = "Measured"
)

// TagEffect says whether the scheduler goes by what one origin says.
//
// +kubebuilder:validation:Enum=Counts;Overruled
type TagEffect string

const (
	// TagCounts: the scheduler goes by it.
	TagCounts TagEffect = "Counts"
	// TagOverruled: the Application says that the component does not have the tag.
	TagOverruled TagEffect = "Overruled"
)

// TagFreshness says how sure a measured tag is.
//
// +kubebuilder:validation:Enum=Fresh;Old;Stale
type TagFreshness string

const (
	// TagFresh: the last query was answered.
	TagFresh TagFreshness = "Fresh"
	// TagOld: queries are not answered; the last known good holds.
	TagOld TagFreshness = "Old"
	// TagStale: queries have not been answered for longer than staleAfter. The tag holds
	// all the same: that nobody knows more is no reason to place otherwise.
	TagStale TagFreshness = "Stale"
)

// ProfileTag is one tag of one component as one origin gives it.
type ProfileTag struct {
	// component of the application.
	// +kubebuilder:validation:MaxLength=16
	// +required
	Component string `json:"component"`

	// tag is the word.
	// +kubebuilder:validation:MaxLength=32
	// +required
	Tag string `json:"tag"`

	// from says who gave it.
	// +required
	From TagOrigin `json:"from"`

	// source names the system of an imported tag or the TagRule of a measured one. Empty
	// for those of the spec.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Source string `json:"source,omitempty"`

	// algorithm that found an imported tag.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Algorithm string `json:"algorithm,omitempty"`

	// version of the algorithm, or the generation of the TagRule.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Version string `json:"version,omitempty"`

	// value is the number behind the tag when it was given.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Value string `json:"value,omitempty"`

	// at is since when a measured tag holds, and when an imported one was found.
	// +optional
	At *metav1.Time `json:"at,omitempty"`

	// oldSince is when the query of a measured tag was last answered, where it is not
	// answered any more.
	// +optional
	OldSince *metav1.Time `json:"oldSince,omitempty"`

	// freshness says how sure a measured tag is.
	// +optional
	Freshness TagFreshness `json:"freshness,omitempty"`

	// effect says whether the scheduler goes by it.
	// +required
	Effect TagEffect `json:"effect"`
}

// ProfileStatus is what Fairway knows of an application's components.
type ProfileStatus struct {
	// conditions: Ready says whether all tags are up to date.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// tags are those of all origins, by component and tag. A component has each tag that
	// one of them counts for. There are at most 1,024, which the components share evenly; the
	// condition Ready says what was left out.
	// +kubebuilder:validation:MaxItems=1024
	// +listType=atomic
	// +optional
	Tags []ProfileTag `json:"tags,omitempty"`
}

// ConditionProfileReady is the summary of a Profile or of a TagRule.
const ConditionProfileReady = "Ready"

// Reasons of the condition Ready of a Profile.
const (
	// ReasonCombined: all tags are up to date.
	ReasonCombined = "Combined"
	// ReasonOldMeasurements: measured tags are old, and hold all the same.
	ReasonOldMeasurements = "OldMeasurements"
	// ReasonTagsLeftOut: there are more tags than a status holds. The message says how many
	// of which component were left out.
	ReasonTagsLeftOut = "TagsLeftOut"
)

// Profile is what is known of the ways of an application's components (应用画像, R51):
// which are heavy on disks, sensitive to latency or busy in the morning. It has the name
// of the application. Tags come from the Application, from imports and from TagRules;
// the scheduler keeps look-alikes apart by them. No tag moves what runs.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=fairway
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 24",message="a profile has the name of its application, which has at most 24 characters"
type Profile struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ProfileSpec `json:"spec,omitempty"`
	// +optional
	Status ProfileStatus `json:"status,omitempty"`
}

// ProfileList is a list of Profiles.
//
// +kubebuilder:object:root=true
type ProfileList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Profile `json:"items"`
}
