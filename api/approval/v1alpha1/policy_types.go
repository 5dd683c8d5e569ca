// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// ApprovalPolicySpec says which acts need whose agreement.
//
// +kubebuilder:validation:XValidation:rule="has(self.stages) && self.stages.size() > 0 || has(self.automatic) || has(self.external)",message="a policy names stages of people who agree, a system that is asked (external), or when it agrees by itself (automatic)"
// +kubebuilder:validation:XValidation:rule="!has(self.external) || self.external.standing != 'Sole' || !has(self.stages) || self.stages.size() == 0",message="where the outside verdict is the sole one, name no stages"
type ApprovalPolicySpec struct {
	// order decides between policies that cover the same act: the lowest holds.
	// Policies of equal order are taken by name. Default: 100.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Order int32 `json:"order,omitempty"`
	// match says which acts the policy covers. What is left out matches everything.
	// +required
	Match Match `json:"match"`
	// stages are passed in their order.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Stages []Stage `json:"stages,omitempty"`
	// automatic says when the policy agrees by itself. It is recorded as such.
	// +optional
	Automatic *Automatic `json:"automatic,omitempty"`
	// attachments that a request has to bring, besides those that its change class
	// asks for anyway (docs/reference/kinds/approval.md).
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Attachments []releasev1.AttachmentKind `json:"attachments,omitempty"`
	// distinct lists parts of a change that different people play, besides the rule
	// that no maker and no requester approves, which always holds in production.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Distinct []Part `json:"distinct,omitempty"`
	// window says when the act may happen. Left out: at any time.
	// +optional
	Window *WindowRule `json:"window,omitempty"`
	// decideWithin is how long people have to decide, such as "72h". Default: 72h.
	// +optional
	// +kubebuilder:default="72h"
	DecideWithin metav1.Duration `json:"decideWithin,omitempty"`
	// validFor is how long an approval may be used once it is complete, such as
	// "24h". Default: 72h.
	// +optional
	// +kubebuilder:default="72h"
	ValidFor metav1.Duration `json:"validFor,omitempty"`
	// escalation calls further people when nobody decides. Left out: nobody.
	// +optional
	Escalation *Escalation `json:"escalation,omitempty"`
	// delegation says whether an approver's delegate counts (see Delegation).
	// Default: Allowed.
	// +optional
	// +kubebuilder:default=Allowed
	// +kubebuilder:validation:Enum=Allowed;Refused
	Delegation string `json:"delegation,omitempty"`
	// external asks a system of the bank, such as its ITSM, for a verdict.
	// +optional
	External *External `json:"external,omitempty"`
	// operation names who starts the act and lets it go on after a stop. Left out:
	// it starts by itself once it is approved and the window is open.
	// +optional
	Operation *Crew `json:"operation,omitempty"`
	// attendance names who is present at each start and resumption and agrees to it
	// there (在线复核). Left out: nobody.
	// +optional
	Attendance *Crew `json:"attendance,omitempty"`
	// verification names who confirms the result afterwards. Left out: nobody.
	// +optional
	Verification *Followup `json:"verification,omitempty"`
	// review names who looks at an emergency change afterwards. The item stays open
	// until then. Left out: nobody.
	// +optional
	Review *Followup `json:"review,omitempty"`
	// copies are groups that are told (抄送).
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	Copies []string `json:"copies,omitempty"`
}

// Match selects acts.
type Match struct {
	// acts by their names, "<room>.<act>": release.Deploy, release.Restart,
	// release.Rollback, release.Retire.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[a-z]+\.[A-Z][A-Za-z]*$`
	Acts []string `json:"acts,omitempty"`
	// environmentClasses of the environments that are acted in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=3
	EnvironmentClasses []tenancyv1.EnvironmentClass `json:"environmentClasses,omitempty"`
	// environments by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=8
	Environments []string `json:"environments,omitempty"`
	// tenants by name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=20
	Tenants []string `json:"tenants,omitempty"`
	// securityLevels of the application.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	SecurityLevels []string `json:"securityLevels,omitempty"`
	// changeClasses of the change.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=5
	ChangeClasses []releasev1.ChangeClass `json:"changeClasses,omitempty"`
	// risks of the change, as its requester states them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=3
	Risks []releasev1.Risk `json:"risks,omitempty"`
}

// Stage is passed when every one of its parties has agreed.
type Stage struct {
	// name of the stage, for people.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// parties that agree jointly, in any order: for example business and technology.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Parties []Party `json:"parties"`
}

// Party is a number of people out of the named roles and groups.
//
// +kubebuilder:validation:XValidation:rule="has(self.roles) && self.roles.size() > 0 || has(self.groups) && self.groups.size() > 0",message="a party names the roles or groups whose people agree"
type Party struct {
	// name of the party, for people, such as business.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// roles of the tenant in the environment that is acted in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Roles []tenancyv1.Role `json:"roles,omitempty"`
	// groups of the bank's directory.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.all(g, !g.startsWith('system:'))",message="groups that begin with 'system:' belong to Kubernetes: name a group of the bank's directory"
	Groups []string `json:"groups,omitempty"`
	// approvers is how many different people of the party agree. Default: 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Approvers int32 `json:"approvers,omitempty"`
}

// Automatic is an agreement given beforehand.
type Automatic struct {
	// when is a CEL condition over the act: act.name, act.tenant,
	// act.environment, act.environmentClass, act.securityLevel, act.application,
	// act.changeClass, act.risk, act.requester, act.instances, act.clusters. Left
	// out: always.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	When string `json:"when,omitempty"`
	// budget bounds how often. Needed in production: without one nothing is agreed to
	// by itself there.
	// +optional
	Budget *Budget `json:"budget,omitempty"`
}

// Budget bounds a number of acts in a time.
type Budget struct {
	// acts that may happen.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Acts int32 `json:"acts"`
	// within which time, such as "24h", per tenant and environment.
	// +required
	Within metav1.Duration `json:"within"`
}

// Part is what somebody does in a change.
// +kubebuilder:validation:Enum=Requester;Maker;Approver;Operator;Attendant;Verifier
type Part string

// The parts of a change.
const (
	PartRequester Part = "Requester"
	PartMaker     Part = "Maker"
	PartApprover  Part = "Approver"
	PartOperator  Part = "Operator"
	PartAttendant Part = "Attendant"
	PartVerifier  Part = "Verifier"
)

// WindowRule says when an act may happen.
type WindowRule struct {
	// calendars whose windows hold: the act may happen while each of them is open. A
	// calendar that is not there is closed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=63
	Calendars []string `json:"calendars,omitempty"`
	// outside says what happens to an act outside its window: it waits for the next
	// one, or is refused. Default: Wait.
	// +optional
	// +kubebuilder:default=Wait
	// +kubebuilder:validation:Enum=Wait;Refuse
	Outside string `json:"outside,omitempty"`
	// freezes says whether freezes and running batches hold the act back. Emergency
	// policies may set Ignored. Default: Honoured.
	// +optional
	// +kubebuilder:default=Honoured
	// +kubebuilder:validation:Enum=Honoured;Ignored
	Freezes string `json:"freezes,omitempty"`
}

// Escalation calls further people.
type Escalation struct {
	// after is how long nobody has completed the request, such as "4h".
	// +required
	After metav1.Duration `json:"after"`
	// groups that are told, and that may decide from then on in place of any party.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups"`
}

// External is a system of the bank that gives a verdict.
type External struct {
	// system is the name under which the server knows it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	System string `json:"system"`
	// standing says whether its verdict is asked for besides the stages (Also) or in
	// place of their people (Sole). Digest, distinct people and window hold in
	// either case. Default: Also.
	// +optional
	// +kubebuilder:default=Also
	// +kubebuilder:validation:Enum=Also;Sole
	Standing string `json:"standing,omitempty"`
}

// Crew is who takes a part while the act happens.
//
// +kubebuilder:validation:XValidation:rule="has(self.roles) && self.roles.size() > 0 || has(self.groups) && self.groups.size() > 0",message="name the roles or groups whose people do it"
type Crew struct {
	// roles of the tenant in the environment that is acted in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Roles []tenancyv1.Role `json:"roles,omitempty"`
	// groups of the bank's directory.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
}

// Followup is who looks at an act afterwards.
//
// +kubebuilder:validation:XValidation:rule="has(self.roles) && self.roles.size() > 0 || has(self.groups) && self.groups.size() > 0",message="name the roles or groups whose people do it"
type Followup struct {
	// roles of the tenant in the environment that was acted in.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Roles []tenancyv1.Role `json:"roles,omitempty"`
	// groups of the bank's directory.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// within which time after the act it is due. Default: 24h.
	// +optional
	// +kubebuilder:default="24h"
	Within metav1.Duration `json:"within,omitempty"`
}

// ApprovalPolicyStatus says whether the policy can be used.
type ApprovalPolicyStatus struct {
	// conditions: Ready says that its conditions can be computed; where it is False
	// the policy covers its acts and lets none of them pass.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ApprovalPolicy says which acts need whose agreement (审批策略, R72). In
// production an act that no policy covers does not happen.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Order",type=integer,JSONPath=`.spec.order`
// +kubebuilder:printcolumn:name="Acts",type=string,JSONPath=`.spec.match.acts`
// +kubebuilder:printcolumn:name="Classes",type=string,JSONPath=`.spec.match.environmentClasses`
// +kubebuilder:printcolumn:name="Change classes",type=string,JSONPath=`.spec.match.changeClasses`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ApprovalPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ApprovalPolicySpec `json:"spec"`
	// +optional
	Status ApprovalPolicyStatus `json:"status,omitempty"`
}

// ApprovalPolicyList is a list of ApprovalPolicies.
//
// +kubebuilder:object:root=true
type ApprovalPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ApprovalPolicy `json:"items"`
}
