// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Duty is one of the platform's three separated duties (三员). A person has one
// or none: it is a single field, so that two are impossible.
// +kubebuilder:validation:Enum=None;System;Security;Audit
type Duty string

const (
	// DutyNone: the person administers nothing of the platform.
	DutyNone Duty = "None"
	// DutySystem is the system administrator (系统管理员): fleet, tenants,
	// environments and levels; neither people nor evidence.
	DutySystem Duty = "System"
	// DutySecurity is the security administrator (安全管理员): people, sessions,
	// approval policies and calendars; no applications, no evidence.
	DutySecurity Duty = "Security"
	// DutyAudit is the audit administrator (审计管理员): the evidence, and nothing that
	// can be changed.
	DutyAudit Duty = "Audit"
)

// PersonState says whether a person may come in.
// +kubebuilder:validation:Enum=Active;Disabled
type PersonState string

const (
	// StateActive lets the person in.
	StateActive PersonState = "Active"
	// StateDisabled keeps the person out, at once and in open sessions too. Who left
	// the bank is disabled and never deleted: evidence names the person for good.
	StateDisabled PersonState = "Disabled"
)

// Login is who a person is for one way of logging in.
// +kubebuilder:validation:XValidation:rule="has(self.login) || has(self.subject)",message="a login names what the person types (login), or what the provider calls the person for good (subject), or both"
type Login struct {
	// provider is the name of the way of logging in, such as "ldap" or "local".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Provider string `json:"provider"`
	// login is the name that the person types there. Upper and lower case of Latin
	// letters are the same.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\p{C}\p{Z}]+$`
	Login string `json:"login,omitempty"`
	// subject is what the provider calls the person for good, such as the claim "sub" or
	// an entryUUID. Where it is given it alone decides: a login that was handed to
	// somebody else does not come with the person.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\p{C}\p{Z}]+$`
	Subject string `json:"subject,omitempty"`
}

// Alias is another user name on the hub behind which the same person stands.
type Alias struct {
	// name of the user on the hub, such as "kubernetes-admin" or
	// "system:serviceaccount:ci:deployer".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\p{C}\p{Z}]+$`
	Name string `json:"name"`
	// use says who sits behind the name: Human, or Machine for an account with which
	// the person's programs work. What a machine does counts as the person's.
	// Default: Human.
	// +optional
	// +kubebuilder:default=Human
	// +kubebuilder:validation:Enum=Human;Machine
	Use string `json:"use,omitempty"`
}

// Uses of an alias.
const (
	// UseHuman: the person uses the name.
	UseHuman = "Human"
	// UseMachine: a program of the person's uses the name.
	UseMachine = "Machine"
)

// PersonSpec describes a person.
type PersonSpec struct {
	// displayName is what people call the person, for example "王芳".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[^\p{C}\p{Zl}\p{Zp}]*$`
	DisplayName string `json:"displayName,omitempty"`
	// staffNumber is the bank's number of the person (工号).
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[0-9A-Za-z._-]*$`
	StaffNumber string `json:"staffNumber,omitempty"`
	// unit is where the person works, as the bank's organisation names it.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[^\p{C}\p{Zl}\p{Zp}]*$`
	Unit string `json:"unit,omitempty"`
	// mail is the address that notices go to.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^([^\p{C}\p{Z}@<>,;"]+@[^\p{C}\p{Z}@<>,;"]+)?$`
	Mail string `json:"mail,omitempty"`
	// state says whether the person may come in: Active or Disabled. Default: Active.
	// +optional
	// +kubebuilder:default=Active
	State PersonState `json:"state,omitempty"`
	// validUntil ends the person's time, as for an examiner from outside. The person is
	// kept out from then on. Default: no end.
	// +optional
	ValidUntil *metav1.Time `json:"validUntil,omitempty"`
	// logins say who the person is for each way of logging in. No two people share one.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Logins []Login `json:"logins,omitempty"`
	// aliases are other user names on the hub behind which the same person stands. What
	// happens under an alias counts as done by the person: nobody approves under one
	// name what he asked for under another. No two people share one.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Aliases []Alias `json:"aliases,omitempty"`
	// groups that the person belongs to besides those that a way of logging in vouches
	// for. Tenants bind them to roles. Groups of Kubernetes ("system:") and of Fairway
	// ("fairway:") are refused.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[^\p{C}\p{Zl}\p{Zp}]+$`
	// +kubebuilder:validation:XValidation:rule="self.all(g, !g.startsWith('system:') && !g.startsWith('fairway:'))",message="groups that begin with 'system:' or 'fairway:' belong to Kubernetes and to the platform: name a group of the bank, or set the duty"
	Groups []string `json:"groups,omitempty"`
	// duty is the person's part in administering the platform: None, System, Security or
	// Audit. The three exclude each other. Default: None.
	// +optional
	// +kubebuilder:default=None
	Duty Duty `json:"duty,omitempty"`
}

// PersonStatus is what Fairway found out about a person.
type PersonStatus struct {
	// conditions: Ready says whether the person can come in and stands for himself
	// alone. Where two people share a login or an alias it is false for both, and
	// Stalled says that a security administrator is needed.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the spec's generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}

// Person is somebody who works with the platform (R08). The object's name is the
// person's id: the user name on the hub and what evidence holds. A Person is
// disabled when somebody leaves; deleting one is refused.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=people
// +kubebuilder:printcolumn:name="Name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Unit",type=string,JSONPath=`.spec.unit`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.spec.state`
// +kubebuilder:printcolumn:name="Duty",type=string,JSONPath=`.spec.duty`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.spec.validUntil`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="a person's id has at most 63 lower-case letters, digits and dashes, and begins with a letter"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.matches('^(fairway|system|kube|kubernetes)(-|$)')",message="ids that are or begin with fairway, system, kube or kubernetes belong to the platform: choose another"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.aliases) || self.spec.aliases.all(a, a.name != self.metadata.name && a.name != 'fairway' && (!a.name.startsWith('system:') || a.name.startsWith('system:serviceaccount:')))",message="an alias is another name: not the id itself, not Fairway's own account, and of Kubernetes only a service account"
type Person struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec PersonSpec `json:"spec"`
	// +optional
	Status PersonStatus `json:"status,omitempty"`
}

// PersonList is a list of People.
//
// +kubebuilder:object:root=true
type PersonList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Person `json:"items"`
}

// Condition types of a Person.
const (
	// ConditionReady says whether the person can come in and stands for himself alone.
	ConditionReady = "Ready"
	// ConditionStalled says that a person is needed, and what for.
	ConditionStalled = "Stalled"
)

// Reasons of the conditions of a Person.
const (
	// ReasonActive: the person can come in.
	ReasonActive = "Active"
	// ReasonDisabled: the person is kept out.
	ReasonDisabled = "Disabled"
	// ReasonExpired: the person's time is over.
	ReasonExpired = "Expired"
	// ReasonLoginShared: another person has the same login; neither gets in by it.
	ReasonLoginShared = "LoginShared"
	// ReasonAliasShared: another person has the same alias; what happens under it counts
	// as done by both.
	ReasonAliasShared = "AliasShared"
)
