// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Role names one of the roles that a tenant gives to groups of people. Each is
// compiled to Kubernetes RBAC on the hub.
// +kubebuilder:validation:Enum=Viewer;Developer;ChangeRequester;Releaser;DutyOperator;BusinessApprover;TechnologyApprover;ChangeManager;Verifier;Examiner;Administrator
type Role string

const (
	// RoleViewer reads everything of the tenant except secrets and logs, its evidence
	// among it.
	RoleViewer Role = "Viewer"
	// RoleDeveloper writes and releases Applications and reads logs in environments
	// whose class is not Production; in production a Developer is a Viewer.
	RoleDeveloper Role = "Developer"
	// RoleChangeRequester (变更申请人) writes Applications and asks for Releases,
	// production included. It lets no Release go on: that is a Releaser's.
	RoleChangeRequester Role = "ChangeRequester"
	// RoleReleaser brings Applications into an environment, production included:
	// writes them there, starts and stops Releases.
	RoleReleaser Role = "Releaser"
	// RoleDutyOperator restarts instances, stops Releases and reads logs.
	RoleDutyOperator Role = "DutyOperator"
	// RoleBusinessApprover (业务审批人) decides for the business side.
	RoleBusinessApprover Role = "BusinessApprover"
	// RoleTechnologyApprover (技术审批人) decides for the technology side.
	RoleTechnologyApprover Role = "TechnologyApprover"
	// RoleChangeManager (变更经理) decides over the whole of a change, stops Releases, and
	// freezes the tenant's environments.
	RoleChangeManager Role = "ChangeManager"
	// RoleVerifier (验证人) attends, and confirms results afterwards.
	RoleVerifier Role = "Verifier"
	// RoleExaminer (检查人员) reads everything of the tenant except secrets and logs, its
	// evidence among it, until a date: the binding names its end.
	RoleExaminer Role = "Examiner"
	// RoleAdministrator reads everything of the tenant, logs and role bindings
	// included. Members and quotas are changed in the Tenant, by the platform's
	// administrators.
	RoleAdministrator Role = "Administrator"
)

// TenantSpec describes a tenant.
type TenantSpec struct {
	// displayName is what people call the tenant, for example "零售银行部".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DisplayName string `json:"displayName,omitempty"`
	// kind says whether the tenant is a legal entity (法人机构) or a unit of one.
	// Default: BusinessUnit.
	// +optional
	// +kubebuilder:default=BusinessUnit
	// +kubebuilder:validation:Enum=LegalEntity;BusinessUnit
	Kind string `json:"kind,omitempty"`
	// parent is the tenant above this one in the bank's organisation.
	// +optional
	// +kubebuilder:validation:MaxLength=20
	Parent string `json:"parent,omitempty"`
	// environments lists the environments that the tenant uses. Each gets the hub
	// namespace "<tenant>-<environment>". Removing one is refused while
	// applications remain in it.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=8
	Environments []string `json:"environments"`
	// quotas bound what the tenant's instances may reserve, per environment and pool.
	// An environment and pool without a quota takes nothing: a bank plans its room.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Quotas []Quota `json:"quotas,omitempty"`
	// roles binds groups of people, as the bank's directory names them, to roles.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Roles []RoleBinding `json:"roles,omitempty"`
	// allowances open each of the tenant's applications to the bank's own
	// observers; without them a bank is blind.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Allowances []Allowance `json:"allowances,omitempty"`
}

// Quota bounds reservations of one environment in one pool.
type Quota struct {
	// environment that the quota is for.
	// +required
	// +kubebuilder:validation:MaxLength=8
	Environment string `json:"environment"`
	// pool that the quota is for.
	// +required
	// +kubebuilder:validation:MaxLength=40
	Pool string `json:"pool"`
	// instances is the largest number of instances.
	// +required
	// +kubebuilder:validation:Minimum=0
	Instances int64 `json:"instances"`
	// cpu is the largest sum of CPU that instances request, in cores.
	// +required
	CPU resource.Quantity `json:"cpu"`
	// memory is the largest sum of memory that instances request, in bytes.
	// +required
	Memory resource.Quantity `json:"memory"`
}

// RoleBinding gives a role to groups.
// +kubebuilder:validation:XValidation:rule="self.role != 'Examiner' || has(self.expires)",message="an examiner's time has an end: set expires"
type RoleBinding struct {
	// role that the groups receive.
	// +required
	Role Role `json:"role"`
	// environments limits the binding. Empty: every environment of the tenant.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=8
	Environments []string `json:"environments,omitempty"`
	// expires ends the binding: from then on the groups do not have the role. An Examiner
	// needs one. Default: no end.
	// +optional
	Expires *metav1.Time `json:"expires,omitempty"`
	// groups as the bank's directory names them. Names that begin with "system:" or
	// "fairway:" are Kubernetes' and the platform's own and refused.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.all(g, !g.startsWith('system:') && !g.startsWith('fairway:'))",message="groups that begin with 'system:' or 'fairway:' belong to Kubernetes and to the platform: bind a group of the bank's directory"
	Groups []string `json:"groups"`
}

// Allowance opens applications to one observer of the bank.
type Allowance struct {
	// name of the observer, for example "vulnerability-scanner".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// purpose says what the observer does.
	// +required
	// +kubebuilder:validation:Enum=Scanner;Monitoring;LogCollector;Bastion
	Purpose string `json:"purpose"`
	// from lists the addresses that the observer connects from, as CIDR blocks.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=43
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="each address is a CIDR block such as 10.1.2.0/24"
	From []string `json:"from"`
	// ports that the observer may reach. Empty: every port.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	Ports []int32 `json:"ports,omitempty"`
}

// TenantStatus is what Fairway made of a tenant.
type TenantStatus struct {
	// conditions: Ready says whether namespaces, roles and quotas are in place;
	// Stalled says that a person is needed, and what for.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the spec's generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// applications counts the tenant's applications in all environments. A Tenant
	// with applications cannot be deleted.
	// +optional
	Applications int64 `json:"applications,omitempty"`
	// inUse lists the environments in which the tenant has applications. They stay
	// in spec.environments.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=8
	InUse []string `json:"inUse,omitempty"`
	// namespaces lists the hub namespaces of the tenant. They are never deleted by
	// Fairway.
	// +optional
	// +listType=set
	Namespaces []string `json:"namespaces,omitempty"`
}

// Tenant is a legal entity or business unit with members, quotas and pools
// (租户, R08). Deleting one is refused while it has applications.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Display name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Environments",type=string,JSONPath=`.spec.environments`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 20 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a tenant's name has at most 20 lower-case letters, digits and dashes"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.matches('^(fairway|kube)(-|$)')",message="names that are or begin with fairway or kube belong to the platform: choose another"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.inUse) || oldSelf.status.inUse.all(e, e in self.spec.environments)",message="an environment with applications stays on the list: retire and delete them first (status.inUse)"
type Tenant struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec TenantSpec `json:"spec"`
	// +optional
	Status TenantStatus `json:"status,omitempty"`
}

// TenantList is a list of Tenants.
//
// +kubebuilder:object:root=true
type TenantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Tenant `json:"items"`
}

// Condition types of a Tenant.
const (
	// ConditionReady sums up whether what the object asks for is in place.
	ConditionReady = "Ready"
	// ConditionStalled says that nothing moves until a person acts.
	ConditionStalled = "Stalled"
)

// Labels of the hub namespaces that belong to a tenant.
const (
	// LabelTenant names the tenant of a hub namespace.
	LabelTenant = "tenancy.fairway.cloud/tenant"
	// LabelEnvironment names the environment of a hub namespace.
	LabelEnvironment = "tenancy.fairway.cloud/environment"
)
