// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AmendmentAct is what an item of an Amendment does.
// +kubebuilder:validation:Enum=Create;Update;Delete;Open;Invite
type AmendmentAct string

// What an item does. Open and Invite are for local accounts, the others for objects.
const (
	// ActCreate makes an object that is not there.
	ActCreate AmendmentAct = "Create"
	// ActUpdate replaces what an object says.
	ActUpdate AmendmentAct = "Update"
	// ActDelete takes an object away.
	ActDelete AmendmentAct = "Delete"
	// ActOpen opens a local account for a person.
	ActOpen AmendmentAct = "Open"
	// ActInvite lets the owner of a local account choose a new password: the old one, the
	// second factor and the sessions end.
	ActInvite AmendmentAct = "Invite"
)

// AmendmentItem is one change.
//
// +kubebuilder:validation:XValidation:rule="(self.kind == 'Account') == (self.act in ['Open', 'Invite'])",message="accounts are opened or invited again (Open, Invite), objects are created, updated or deleted"
// +kubebuilder:validation:XValidation:rule="(self.act == 'Delete') == !has(self.content)",message="content is what is to be there afterwards: a Delete has none, everything else does"
// +kubebuilder:validation:XValidation:rule="(self.act in ['Update', 'Delete']) == has(self.before)",message="before is what is there now: an Update and a Delete replace something, everything else does not"
type AmendmentItem struct {
	// kind of what is changed: Person, GroupMapping, ApprovalPolicy or Account.
	// +required
	// +kubebuilder:validation:Enum=Person;GroupMapping;ApprovalPolicy;Account
	Kind string `json:"kind"`
	// name of what is changed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// act says what is done with it.
	// +required
	Act AmendmentAct `json:"act"`
	// content is the whole that is to be there afterwards, as canonical JSON (RFC 8785):
	// labels, annotations and spec of an object, {"person":ID} of an account.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=65536
	Content string `json:"content,omitempty"`
	// before is the whole that is there now, in the same form. Where something else is
	// there when it is carried out, nothing is written.
	// +optional
	Before *AmendmentBase `json:"before,omitempty"`
}

// AmendmentBase is what an item replaces.
type AmendmentBase struct {
	// uid of the object, and generation of its spec: what was changed and changed back is
	// another one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
	// generation of the object's spec.
	// +required
	// +kubebuilder:validation:Minimum=1
	Generation int64 `json:"generation"`
	// content of the object.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=65536
	Content string `json:"content"`
}

// AmendmentSpec is what is to be changed about who is who. It never changes.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an amendment never changes: make another one"
type AmendmentSpec struct {
	// items are the changes, in the order in which they are carried out.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Items []AmendmentItem `json:"items"`
	// reason in the words of whoever proposes it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// ticket of the bank's process. Default: none.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Ticket string `json:"ticket,omitempty"`
	// author is the person who proposes it. The API sets it; admission refuses another.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Author string `json:"author"`
	// groups of the author when he proposed it. The API sets them; admission refuses a
	// group that he was not in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// session is the login in which the author proposed it. The API sets it; admission
	// refuses another. A proposal outside a login of Fairway is never carried out.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Session string `json:"session,omitempty"`
	// proof that fairway server made the amendment in answer to a call of its author, as it
	// is and under this name. Only the server can make one, and it sets it. One without a
	// proof is never carried out, or does not count.
	// +optional
	// +kubebuilder:validation:MaxLength=160
	Proof string `json:"proof,omitempty"`
}

// AmendmentStatus says how far an amendment is. It is a report: whether it may be
// carried out is computed anew from the Confirmations when it is.
type AmendmentStatus struct {
	// conditions: Ready says that it was carried out; Stalled says that it never will be,
	// or that a person is needed, and what for.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// digest of the spec, which whoever agrees names, "sha256:…".
	// +optional
	Digest string `json:"digest,omitempty"`
	// agreedBy is the person whose agreement counted when it was begun.
	// +optional
	AgreedBy string `json:"agreedBy,omitempty"`
	// startedAt is when it was begun: an amendment is carried out once.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// endedAt is when nothing was left to do.
	// +optional
	EndedAt *metav1.Time `json:"endedAt,omitempty"`
	// left are the items that were not carried out, with the reason.
	// +optional
	// +listType=atomic
	Left []string `json:"left,omitempty"`
}

// Reasons of the conditions of an Amendment.
const (
	// ReasonWaiting: another person has to agree.
	ReasonWaiting = "Waiting"
	// ReasonAgreed: another person has agreed; it is being carried out.
	ReasonAgreed = "Agreed"
	// ReasonCarriedOut: everything was written.
	ReasonCarriedOut = "CarriedOut"
	// ReasonRefused: somebody entitled said no.
	ReasonRefused = "Refused"
	// ReasonRunOut: nobody agreed in time, or it was not carried out in time.
	ReasonRunOut = "RunOut"
	// ReasonInvalid: whoever proposed it may not, or it is about himself.
	ReasonInvalid = "Invalid"
	// ReasonMoved: what it replaces has changed meanwhile.
	ReasonMoved = "Moved"
)

// AnnotationAmendment of an object holds the uid of the Amendment that wrote it last.
const AnnotationAmendment = "identity.fairway.cloud/amendment"

// Amendment proposes to change who is who: people, what groups mean, what approvals
// need, or a local account (人员与权限变更单). It is carried out by Fairway once another
// person has agreed to it with a Confirmation: nobody changes that alone. It is
// evidence and stays.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Author",type=string,JSONPath=`.spec.author`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Agreed By",type=string,JSONPath=`.status.agreedBy`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Amendment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec AmendmentSpec `json:"spec"`
	// +optional
	Status AmendmentStatus `json:"status,omitempty"`
}

// AmendmentList is a list of Amendments.
//
// +kubebuilder:object:root=true
type AmendmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Amendment `json:"items"`
}

// ConfirmationVerdict is what somebody says about an Amendment.
// +kubebuilder:validation:Enum=Agree;Refuse
type ConfirmationVerdict string

const (
	// VerdictAgree agrees to exactly what the digest names.
	VerdictAgree ConfirmationVerdict = "Agree"
	// VerdictRefuse ends the Amendment for good. Its author may say it too: he takes it back.
	VerdictRefuse ConfirmationVerdict = "Refuse"
)

// ConfirmationSpec is what one person says about one Amendment. It never changes.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a confirmation never changes: Refuse ends an amendment that is not begun"
// +kubebuilder:validation:XValidation:rule="self.verdict != 'Refuse' || has(self.comment) && self.comment.size() > 0",message="whoever refuses says why (comment)"
type ConfirmationSpec struct {
	// amendment that it is about, by name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Amendment string `json:"amendment"`
	// uid of the Amendment: it is not transferable to another one of that name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
	// digest of the Amendment's spec, as its status states it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest"`
	// verdict of the author.
	// +required
	Verdict ConfirmationVerdict `json:"verdict"`
	// comment in the author's words. A Refuse needs one.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Comment string `json:"comment,omitempty"`
	// author is the person who says it. The API sets it; admission refuses another.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Author string `json:"author"`
	// groups of the author when he said it. The API sets them; admission refuses a group
	// that he was not in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// session is the login in which the author said it. The API sets it; admission refuses
	// another. A confirmation outside a login of Fairway does not count.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Session string `json:"session,omitempty"`
	// proof that fairway server made the confirmation in answer to a call of its author, as it
	// is and under this name. Only the server can make one, and it sets it. One without a
	// proof is never carried out, or does not count.
	// +optional
	// +kubebuilder:validation:MaxLength=160
	Proof string `json:"proof,omitempty"`
}

// Confirmation is what one person says about an Amendment of another (复核意见). Whether
// it counts is computed when the Amendment is carried out. It is evidence and stays.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Amendment",type=string,JSONPath=`.spec.amendment`
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.spec.verdict`
// +kubebuilder:printcolumn:name="Author",type=string,JSONPath=`.spec.author`
// +kubebuilder:printcolumn:name="Comment",type=string,JSONPath=`.spec.comment`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Confirmation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ConfirmationSpec `json:"spec"`
}

// ConfirmationList is a list of Confirmations.
//
// +kubebuilder:object:root=true
type ConfirmationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Confirmation `json:"items"`
}
