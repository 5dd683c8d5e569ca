// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// VerdictKind is what somebody says about a request.
// +kubebuilder:validation:Enum=Approve;Reject;Withdraw;Operate;Attend;Verify;Review
type VerdictKind string

// What people say about a request.
const (
	// VerdictApprove agrees to the plan.
	VerdictApprove VerdictKind = "Approve"
	// VerdictReject refuses it, for good.
	VerdictReject VerdictKind = "Reject"
	// VerdictWithdraw takes the author's own agreement back. While the act goes on, it
	// holds the next step.
	VerdictWithdraw VerdictKind = "Withdraw"
	// VerdictOperate starts the act, or lets it go on after a stop.
	VerdictOperate VerdictKind = "Operate"
	// VerdictAttend is present at the start or resumption and agrees to it there.
	VerdictAttend VerdictKind = "Attend"
	// VerdictVerify confirms the result afterwards.
	VerdictVerify VerdictKind = "Verify"
	// VerdictReview has looked at an emergency change afterwards.
	VerdictReview VerdictKind = "Review"
)

// DecisionSpec is what one person says about one request. It never changes, and
// only its author makes it.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a decision never changes: make another one (Withdraw takes an agreement back)"
// +kubebuilder:validation:XValidation:rule="self.verdict != 'Reject' || self.comment.size() > 0",message="whoever rejects says why (comment)"
// +kubebuilder:validation:XValidation:rule="!has(self.onBehalfOf) || self.onBehalfOf != self.author",message="nobody stands in for himself: leave onBehalfOf out"
type DecisionSpec struct {
	// request that is decided on, in the same namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Request string `json:"request"`
	// digest of the plan that is decided on, as the request states it. A decision on
	// another plan does not count.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest"`
	// verdict of the author.
	// +required
	Verdict VerdictKind `json:"verdict"`
	// comment in the author's words. A Reject needs one.
	// +optional
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=1024
	Comment string `json:"comment"`
	// ticket that the author supplies afterwards, for an emergency change.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Ticket string `json:"ticket,omitempty"`
	// author is the person who decides. The API sets it; admission refuses another.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Author string `json:"author"`
	// groups of the author when he decided. The API sets them; admission refuses a
	// group that the author was not in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// session is the login in which the author decided. The API sets it; admission
	// refuses another. A decision outside a login of Fairway does not count.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Session string `json:"session,omitempty"`
	// onBehalfOf is the person for whom the author stands in, by a Delegation that
	// holds when the decision is made. Empty: for himself.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	OnBehalfOf string `json:"onBehalfOf,omitempty"`
	// proof that fairway server made the decision in answer to a call of its author, as
	// it is and under this name. Only the server can make one, and it sets it; nobody
	// else gives one. A decision without one does not count.
	// +optional
	// +kubebuilder:validation:MaxLength=160
	Proof string `json:"proof,omitempty"`
}

// Decision is what one person says about one ApprovalRequest (审批意见). Whether it
// counts is computed at each use.
//
// +kubebuilder:object:root=true
// +kubebuilder:selectablefield:JSONPath=`.spec.request`
// +kubebuilder:printcolumn:name="Request",type=string,JSONPath=`.spec.request`
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.spec.verdict`
// +kubebuilder:printcolumn:name="Author",type=string,JSONPath=`.spec.author`
// +kubebuilder:printcolumn:name="Comment",type=string,JSONPath=`.spec.comment`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Decision struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec DecisionSpec `json:"spec"`
}

// DecisionList is a list of Decisions.
//
// +kubebuilder:object:root=true
type DecisionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Decision `json:"items"`
}

// DelegationSpec lets one person decide in place of another for some time.
//
// +kubebuilder:validation:XValidation:rule="self.principal == oldSelf.principal && self.delegate == oldSelf.delegate && self.from == oldSelf.from && self.until <= oldSelf.until && (has(self.groups) == has(oldSelf.groups)) && (!has(self.groups) || self.groups == oldSelf.groups) && (has(self.proof) == has(oldSelf.proof)) && (!has(self.proof) || self.proof == oldSelf.proof)",message="a delegation may only be shortened: make another one"
// +kubebuilder:validation:XValidation:rule="self.principal != self.delegate",message="nobody delegates to himself"
// +kubebuilder:validation:XValidation:rule="self.from < self.until",message="a delegation ends after it begins"
type DelegationSpec struct {
	// principal is the person who is stood in for. Only he makes the delegation.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Principal string `json:"principal"`
	// delegate is the person who decides in his place.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Delegate string `json:"delegate"`
	// from when.
	// +required
	From metav1.Time `json:"from"`
	// until when.
	// +required
	Until metav1.Time `json:"until"`
	// groups of the principal that are delegated. Admission refuses a group that he
	// was not in.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups"`
	// reason for the delegation, such as leave.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`
	// proof that fairway server made the delegation in answer to a call of the principal.
	// Only the server can make one, and it sets it; nobody else gives one. It holds for
	// a delegation that was shortened. Nobody decides by a delegation without one.
	// +optional
	// +kubebuilder:validation:MaxLength=160
	Proof string `json:"proof,omitempty"`
}

// Delegation lets one person decide in place of another for some time (授权委托).
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Principal",type=string,JSONPath=`.spec.principal`
// +kubebuilder:printcolumn:name="Delegate",type=string,JSONPath=`.spec.delegate`
// +kubebuilder:printcolumn:name="From",type=string,JSONPath=`.spec.from`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.spec.until`
type Delegation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec DelegationSpec `json:"spec"`
}

// DelegationList is a list of Delegations.
//
// +kubebuilder:object:root=true
type DelegationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Delegation `json:"items"`
}
