// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TagWhen says on which side of the threshold a component has the tag.
//
// +kubebuilder:validation:Enum=Above;Below
type TagWhen string

const (
	// TagWhenAbove gives the tag while the value is high.
	TagWhenAbove TagWhen = "Above"
	// TagWhenBelow gives the tag while the value is low.
	TagWhenBelow TagWhen = "Below"
)

// Threshold is a number, written with digits and a point, so that it reads the same
// everywhere.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^-?[0-9]+(\.[0-9]+)?$`
type Threshold string

// TagRuleSpec says when a component has a tag.
//
// +kubebuilder:validation:XValidation:rule="!has(self.leave) || (has(self.when) && self.when == 'Below' ? double(self.leave) >= double(self.enter) : double(self.leave) <= double(self.enter))",message="leave is where the tag goes again: with when Above it is at most enter, with when Below at least enter"
// +kubebuilder:validation:XValidation:rule="!has(self.interval) || duration(self.interval) >= duration('15s')",message="a query is asked every 15 seconds at most: make interval 15s or longer"
// +kubebuilder:validation:XValidation:rule="!has(self.hold) || duration(self.hold) >= duration('0s')",message="hold is a length of time: write it like 10m"
// +kubebuilder:validation:XValidation:rule="!has(self.staleAfter) || duration(self.staleAfter) >= duration('1m')",message="staleAfter is a minute or longer"
type TagRuleSpec struct {
	// tag is the word that a component gets, such as io-heavy.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`
	// +required
	Tag string `json:"tag"`

	// query in PromQL that answers with one number for one component: no series, or
	// several, are no answer. In it $tenant, $environment, $application, $component and
	// $namespace (of the application in its clusters) stand for their names, and $pods for
	// a regular expression that its pods' names match.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +required
	Query string `json:"query"`

	// when the component has the tag: Above (default) while the value is enter or more,
	// Below while it is enter or less.
	// +kubebuilder:default=Above
	// +optional
	When TagWhen `json:"when,omitempty"`

	// enter is the value from which on the tag is given.
	// +required
	Enter Threshold `json:"enter"`

	// leave is the value past which the tag is taken away again. Between the two it stays
	// as it is. Default: enter.
	// +optional
	Leave Threshold `json:"leave,omitempty"`

	// hold is for how long the value has to be past enter or leave before the tag comes or
	// goes. Default: 10m.
	// +kubebuilder:default="10m"
	// +optional
	Hold *metav1.Duration `json:"hold,omitempty"`

	// interval between two queries for a component. Default: 1m.
	// +kubebuilder:default="1m"
	// +optional
	Interval *metav1.Duration `json:"interval,omitempty"`

	// staleAfter is how long without an answer a tag is shown as stale. It holds all the
	// same. Default: 24h.
	// +kubebuilder:default="24h"
	// +optional
	StaleAfter *metav1.Duration `json:"staleAfter,omitempty"`
}

// TagRuleStatus is how the rule's queries go.
type TagRuleStatus struct {
	// conditions: Ready says whether the queries are answered.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Reasons of the condition Ready of a TagRule.
const (
	// ReasonAnswered: the queries are answered.
	ReasonAnswered = "Answered"
	// ReasonNothingToMeasure: no application runs yet.
	ReasonNothingToMeasure = "NothingToMeasure"
	// ReasonNoPrometheus: the server knows no Prometheus to ask.
	ReasonNoPrometheus = "NoPrometheus"
	// ReasonBadRule: the query has a word that nobody knows, or Prometheus cannot read it.
	ReasonBadRule = "BadRule"
	// ReasonUnanswered: Prometheus does not answer, or not with one number.
	ReasonUnanswered = "Unanswered"
)

// TagRule gives a tag to the components of all applications whose measurements are past a
// threshold (R51): the query is asked for each component that runs, and the tag comes and
// goes with it. While there is no answer the last known good holds.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=fairway
// +kubebuilder:printcolumn:name="Tag",type=string,JSONPath=`.spec.tag`
// +kubebuilder:printcolumn:name="When",type=string,JSONPath=`.spec.when`
// +kubebuilder:printcolumn:name="Enter",type=string,JSONPath=`.spec.enter`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
type TagRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec TagRuleSpec `json:"spec"`
	// +optional
	Status TagRuleStatus `json:"status,omitempty"`
}

// TagRuleList is a list of TagRules.
//
// +kubebuilder:object:root=true
type TagRuleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TagRule `json:"items"`
}
