// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// ApprovalRequestSpec is what people are asked to agree to. It never changes.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a request never changes: an edit of its subject makes another one"
type ApprovalRequestSpec struct {
	// act that is asked for, such as release.Deploy.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=64
	Act string `json:"act"`
	// subject is the object that carries the act out. An approval is not
	// transferable to another one, nor to another of the same name.
	// +required
	Subject Subject `json:"subject"`
	// digest of the plan that is agreed to, "sha256:…". Nothing but this plan is
	// carried out.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest"`
	// state is the version of what the plan was made from. An edit of it voids the
	// request, such as "Application mobile-bank, generation 7".
	// +required
	// +kubebuilder:validation:MaxLength=256
	State string `json:"state"`
	// number of this request for its subject, from 1: one that is void is followed by
	// the next.
	// +required
	// +kubebuilder:validation:Minimum=1
	Number int32 `json:"number"`
	// requester is the person who asks.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Requester string `json:"requester"`
	// makers are the people who wrote what is to be carried out. None of them approves.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=200
	// +kubebuilder:validation:items:MaxLength=128
	Makers []string `json:"makers,omitempty"`
	// scope is the tenant, environment and application that are acted on.
	// +required
	Scope Scope `json:"scope"`
	// changeClass of the change.
	// +required
	ChangeClass releasev1.ChangeClass `json:"changeClass"`
	// risk as the requester states it.
	// +required
	Risk releasev1.Risk `json:"risk"`
	// reason in the requester's words.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason,omitempty"`
	// ticket of the bank's change process.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Ticket string `json:"ticket,omitempty"`
	// attachments that came with it.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Attachments []releasev1.Attachment `json:"attachments,omitempty"`
	// policy that holds for the request, as it was when the request was made. A policy
	// that changes meanwhile voids the request.
	// +required
	Policy PolicySnapshot `json:"policy"`
	// summary says in plain words what will happen and where.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=1024
	Summary []string `json:"summary,omitempty"`
	// changes lists what differs from what runs.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=1024
	Changes []string `json:"changes,omitempty"`
	// blastRadius counts what the act touches (影响范围).
	// +required
	BlastRadius BlastRadius `json:"blastRadius"`
	// decideBy is when the request expires if it is not complete.
	// +required
	DecideBy metav1.Time `json:"decideBy"`
	// proof that fairway server made the request, as it is and under this name. Only the
	// server can make one. A request without one is void.
	// +optional
	// +kubebuilder:validation:MaxLength=160
	Proof string `json:"proof,omitempty"`
}

// Subject names an object for good.
type Subject struct {
	// kind of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name of the object, in the request's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// uid of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
}

// Scope is where an act happens.
type Scope struct {
	// tenant that is acted for.
	// +required
	// +kubebuilder:validation:MaxLength=20
	Tenant string `json:"tenant"`
	// environment that is acted in.
	// +required
	// +kubebuilder:validation:MaxLength=8
	Environment string `json:"environment"`
	// environmentClass of the environment.
	// +required
	EnvironmentClass tenancyv1.EnvironmentClass `json:"environmentClass"`
	// application that is acted on. Empty: none.
	// +optional
	// +kubebuilder:validation:MaxLength=24
	Application string `json:"application,omitempty"`
	// securityLevel of the application. Empty: none.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	SecurityLevel string `json:"securityLevel,omitempty"`
	// clusters that are written to.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=32
	Clusters []string `json:"clusters,omitempty"`
}

// BlastRadius counts what an act touches.
type BlastRadius struct {
	// instances that are replaced, started or stopped.
	// +required
	// +kubebuilder:validation:Minimum=0
	Instances int32 `json:"instances"`
	// clusters that are written to.
	// +required
	// +kubebuilder:validation:Minimum=0
	Clusters int32 `json:"clusters"`
	// components that change.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=16
	Components []string `json:"components,omitempty"`
}

// PolicySnapshot is a policy as it was.
type PolicySnapshot struct {
	// name of the ApprovalPolicy.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// digest of its spec, "sha256:…".
	// +required
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest"`
	// content is its spec as canonical JSON (RFC 8785).
	// +required
	// +kubebuilder:validation:MaxLength=65536
	Content string `json:"content"`
	// standing says whether people agree (People) or the policy agreed by itself
	// (Automatic).
	// +required
	// +kubebuilder:validation:Enum=People;Automatic
	Standing string `json:"standing"`
}

// How a request is agreed to.
const (
	StandingPeople    = "People"
	StandingAutomatic = "Automatic"
)

// ApprovalRequestStatus says how far a request is. It is a report: whether an act
// may happen is computed anew from the Decisions at each use.
type ApprovalRequestStatus struct {
	// conditions: Ready says that the approval is complete and may be used; Void,
	// Rejected, Expired and Used say that it never will be again; Verified and
	// Reviewed say what is still owed after the act.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// parties says per stage and party who has agreed and how many lack.
	// +optional
	// +listType=atomic
	Parties []PartyProgress `json:"parties,omitempty"`
	// uncounted lists decisions that do not count, with the reason.
	// +optional
	// +listType=atomic
	Uncounted []Uncounted `json:"uncounted,omitempty"`
	// completeAt is when the last decision that was needed was made.
	// +optional
	CompleteAt *metav1.Time `json:"completeAt,omitempty"`
	// usedAt is when the act began.
	// +optional
	UsedAt *metav1.Time `json:"usedAt,omitempty"`
	// endedAt is when the act was seen to be done.
	// +optional
	EndedAt *metav1.Time `json:"endedAt,omitempty"`
	// window says when the act may happen.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Window string `json:"window,omitempty"`
}

// PartyProgress is how far a party is.
type PartyProgress struct {
	// stage that the party belongs to.
	Stage string `json:"stage"`
	// party by name.
	Party string `json:"party"`
	// needed is how many people have to agree.
	Needed int32 `json:"needed"`
	// agreed are the people who have, by person id.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Agreed []string `json:"agreed,omitempty"`
	// open says whether the party may decide now: False while an earlier stage lacks
	// somebody.
	Open metav1.ConditionStatus `json:"open"`
}

// Uncounted is a decision that does not count.
type Uncounted struct {
	// decision by name.
	Decision string `json:"decision"`
	// author of the decision.
	Author string `json:"author"`
	// reason why it does not count.
	Reason string `json:"reason"`
}

// Condition types of an ApprovalRequest.
const (
	// ConditionReady says that the approval is complete and may be used.
	ConditionReady = "Ready"
	// ConditionVoid says that its subject, plan or policy has changed.
	ConditionVoid = "Void"
	// ConditionRejected says that somebody entitled said no.
	ConditionRejected = "Rejected"
	// ConditionExpired says that its time is over.
	ConditionExpired = "Expired"
	// ConditionUsed says that the act has begun: an approval is used once.
	ConditionUsed = "Used"
	// ConditionVerified says whether somebody confirmed the result afterwards.
	ConditionVerified = "Verified"
	// ConditionReviewed says whether somebody looked at an emergency change afterwards.
	ConditionReviewed = "Reviewed"
)

// Reasons of an ApprovalRequest's conditions.
const (
	// ReasonWaiting: people have to decide.
	ReasonWaiting = "Waiting"
	// ReasonApproved: everybody who is needed has agreed.
	ReasonApproved = "Approved"
	// ReasonAutomatic: the policy agreed by itself.
	ReasonAutomatic = "Automatic"
	// ReasonBudgetSpent: the policy's budget of acts is spent for now.
	ReasonBudgetSpent = "BudgetSpent"
	// ReasonSubjectChanged: what the plan was made from was edited.
	ReasonSubjectChanged = "SubjectChanged"
	// ReasonPlanChanged: the plan is another one.
	ReasonPlanChanged = "PlanChanged"
	// ReasonUnproven: the server did not make it, or before there were proofs: another
	// one follows by itself, and is decided on.
	ReasonUnproven = "Unproven"
	// ReasonPolicyChanged: another policy, or another version of it, holds now.
	ReasonPolicyChanged = "PolicyChanged"
	// ReasonRejected: somebody entitled said no.
	ReasonRejected = "Rejected"
	// ReasonExpired: the time to decide, or to use the approval, is over.
	ReasonExpired = "Expired"
	// ReasonUsed: the act has begun.
	ReasonUsed = "Used"
	// ReasonSubjectGone: the subject was stopped, ended or deleted before the act began.
	ReasonSubjectGone = "SubjectGone"
	// ReasonDue: it is owed until the time in the message.
	ReasonDue = "Due"
	// ReasonOverdue: it is owed since the time in the message.
	ReasonOverdue = "Overdue"
	// ReasonDone: somebody did it.
	ReasonDone = "Done"
	// ReasonUsable: the policy can be used.
	ReasonUsable = "Usable"
	// ReasonBadCondition: the policy's condition cannot be computed.
	ReasonBadCondition = "BadCondition"
	// ReasonIncomplete: the request lacks what its change class or policy asks for.
	ReasonIncomplete = "Incomplete"
)

// Labels by which requests and decisions are found.
const (
	// LabelSubject holds the uid of a request's subject.
	LabelSubject = "approval.fairway.cloud/subject"
	// LabelPolicy holds the name of a request's policy.
	LabelPolicy = "approval.fairway.cloud/policy"
)

// ApprovalRequest asks people to agree to one act, bound to the digest of its plan
// (审批单). Fairway makes it; people answer with Decisions.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Act",type=string,JSONPath=`.spec.act`
// +kubebuilder:printcolumn:name="Subject",type=string,JSONPath=`.spec.subject.name`
// +kubebuilder:printcolumn:name="Requester",type=string,JSONPath=`.spec.requester`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.changeClass`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ApprovalRequest struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ApprovalRequestSpec `json:"spec"`
	// +optional
	Status ApprovalRequestStatus `json:"status,omitempty"`
}

// ApprovalRequestList is a list of ApprovalRequests.
//
// +kubebuilder:object:root=true
type ApprovalRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ApprovalRequest `json:"items"`
}
