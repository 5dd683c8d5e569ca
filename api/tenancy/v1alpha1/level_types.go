// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EnvironmentClass says how strictly an environment is run.
// +kubebuilder:validation:Enum=Development;Test;Production
type EnvironmentClass string

const (
	// ClassDevelopment is where developers try things.
	ClassDevelopment EnvironmentClass = "Development"
	// ClassTest is where changes are proven.
	ClassTest EnvironmentClass = "Test"
	// ClassProduction is where customers are served: nobody changes it alone.
	ClassProduction EnvironmentClass = "Production"
)

// EnvironmentSpec describes an environment of the bank.
type EnvironmentSpec struct {
	// displayName is the bank's own word, for example "准生产".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DisplayName string `json:"displayName,omitempty"`
	// class decides how strict the checks are: what is a warning in Development
	// and Test is an error in Production. It cannot change.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an environment does not change its class: make another environment"
	Class EnvironmentClass `json:"class"`
	// order is the environment's place on the way to production, lowest first.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Order int32 `json:"order,omitempty"`
}

// Environment is one of the bank's environments (SIT, UAT, 准生产, 生产 …).
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Display name",type=string,JSONPath=`.spec.displayName`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.class`
// +kubebuilder:printcolumn:name="Order",type=integer,JSONPath=`.spec.order`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z0-9]{1,8}$')",message="an environment's name has 1 to 8 lower-case letters and digits and no dash"
type Environment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec EnvironmentSpec `json:"spec"`
}

// EnvironmentList is a list of Environments.
//
// +kubebuilder:object:root=true
type EnvironmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Environment `json:"items"`
}

// HardeningRule names one rule of the hardening table (R88). What each rule
// renders to is in docs/reference/hardening.md.
// +kubebuilder:validation:Enum=RunAsNonRoot;ReadOnlyRootFilesystem;NoPrivilegeEscalation;DropAllCapabilities;SeccompDefault;NoHostNamespaces;NoServiceAccountToken
type HardeningRule string

// SecurityLevelSpec describes one of the bank's security levels.
type SecurityLevelSpec struct {
	// displayName is the bank's own word.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DisplayName string `json:"displayName,omitempty"`
	// grade is the grade of the bank's regulation that the level maps to, for
	// example "等保三级".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Grade string `json:"grade,omitempty"`
	// rank orders the levels: a higher rank is stricter.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Rank int32 `json:"rank"`
	// hardening lists the rules that every instance of the level obeys.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Hardening []HardeningRule `json:"hardening,omitempty"`
	// podSecurity is the Pod Security standard of member namespaces.
	// Default: restricted.
	// +optional
	// +kubebuilder:default=restricted
	// +kubebuilder:validation:Enum=restricted;baseline
	PodSecurity string `json:"podSecurity,omitempty"`
	// podAdmission says whether the level may run on clusters that cannot keep
	// foreign pods off its pools. Default: Required.
	// +optional
	// +kubebuilder:default=Required
	// +kubebuilder:validation:Enum=Required;Optional
	PodAdmission string `json:"podAdmission,omitempty"`
	// exceptions waive single rules, each by name and until a day.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=128
	Exceptions []HardeningException `json:"exceptions,omitempty"`
}

// HardeningException waives one rule for one component.
type HardeningException struct {
	// name of the exception, as reports show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// rule that is waived.
	// +required
	Rule HardeningRule `json:"rule"`
	// tenant that the exception is for.
	// +required
	// +kubebuilder:validation:MaxLength=20
	Tenant string `json:"tenant"`
	// application that the exception is for.
	// +required
	// +kubebuilder:validation:MaxLength=24
	Application string `json:"application"`
	// component that the exception is for. Empty: every component.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Component string `json:"component,omitempty"`
	// reason why the rule cannot be kept.
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// approver is the person who agreed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Approver string `json:"approver"`
	// expiresAt is when the exception ends. Revisions made later obey the rule again.
	// +required
	ExpiresAt metav1.Time `json:"expiresAt"`
}

// SecurityLevel is one of the bank's ordered security levels (安全等级).
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Rank",type=integer,JSONPath=`.spec.rank`
// +kubebuilder:printcolumn:name="Grade",type=string,JSONPath=`.spec.grade`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type SecurityLevel struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec SecurityLevelSpec `json:"spec"`
}

// SecurityLevelList is a list of SecurityLevels.
//
// +kubebuilder:object:root=true
type SecurityLevelList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SecurityLevel `json:"items"`
}

// AvailabilityClassSpec describes one of the bank's availability classes.
type AvailabilityClassSpec struct {
	// displayName is the bank's own word, for example "A类".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DisplayName string `json:"displayName,omitempty"`
	// rank orders the classes: a higher rank asks for more, and goes first when room is
	// short.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Rank int32 `json:"rank"`
	// recoveryTimeSeconds is the recovery time objective (RTO), in seconds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RecoveryTimeSeconds int64 `json:"recoveryTimeSeconds,omitempty"`
	// recoveryPointSeconds is the recovery point objective (RPO), in seconds.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RecoveryPointSeconds int64 `json:"recoveryPointSeconds,omitempty"`
	// minimumInstances is the least number of instances of each service
	// component in each DCN that it runs in. Default: 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MinimumInstances int32 `json:"minimumInstances,omitempty"`
	// minimumRacks is the least number of racks that a component's instances
	// spread over in each DCN, as far as there are as many instances. Default: 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	MinimumRacks int32 `json:"minimumRacks,omitempty"`
	// minimumZones is the least number of availability zones that a component's
	// instances spread over in each DCN, as far as there are as many instances. Default: 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	MinimumZones int32 `json:"minimumZones,omitempty"`
	// minimumDataCenters is the least number of data centres. Default: 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	MinimumDataCenters int32 `json:"minimumDataCenters,omitempty"`
	// unreachableSeconds is how long an instance stays on a host that stopped
	// answering before it is replaced inside its cell, in seconds. Default: 30.
	// +optional
	// +kubebuilder:default=30
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	UnreachableSeconds int64 `json:"unreachableSeconds,omitempty"`
}

// AvailabilityClass is one of the bank's ordered availability classes (可用性等级).
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Rank",type=integer,JSONPath=`.spec.rank`
// +kubebuilder:printcolumn:name="RTO",type=integer,JSONPath=`.spec.recoveryTimeSeconds`
// +kubebuilder:printcolumn:name="RPO",type=integer,JSONPath=`.spec.recoveryPointSeconds`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AvailabilityClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec AvailabilityClassSpec `json:"spec"`
}

// AvailabilityClassList is a list of AvailabilityClasses.
//
// +kubebuilder:object:root=true
type AvailabilityClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AvailabilityClass `json:"items"`
}
