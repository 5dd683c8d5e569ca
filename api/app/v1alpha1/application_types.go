// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Application is what the bank wants to run, in the bank's own words (R35): identity,
// security level, availability, components and how they depend on one another. It lives in
// the namespace "<tenant>-<environment>" of the hub. Editing it changes nothing that runs:
// "fairway apply" makes a Revision of it, and a Release brings a Revision into service.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=fairway
// +kubebuilder:printcolumn:name="System",type=string,JSONPath=`.spec.identity.system`
// +kubebuilder:printcolumn:name="Level",type=string,JSONPath=`.spec.securityLevel`
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.availabilityClass`
// +kubebuilder:printcolumn:name="Latest",type=string,JSONPath=`.status.latestRevision`
// +kubebuilder:printcolumn:name="Released",type=string,JSONPath=`.status.releasedRevision`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Machines",type=integer,JSONPath=`.status.onMachines.instances`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 24",message="an application name has at most 24 characters, because names in member clusters are built from it; choose a shorter name"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="an application name begins with a letter and holds only a-z, 0-9 and dashes"
type Application struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the bank wants.
	// +required
	Spec ApplicationSpec `json:"spec"`

	// status is what Fairway observed; only the app and release controllers write it.
	// +optional
	Status ApplicationStatus `json:"status,omitempty"`
}

// ApplicationList is a list of Applications.
//
// +kubebuilder:object:root=true
type ApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Application `json:"items"`
}

// ApplicationSpec is the bank's model of one application.
//
// +kubebuilder:validation:XValidation:rule="!has(self.exposure) || self.exposure.all(e, self.components.exists(c, c.name == e.component))",message="exposure names a component that the application does not have; correct exposure[].component"
type ApplicationSpec struct {
	// identity says what this application is in the bank's configuration database (CMDB).
	// +required
	Identity Identity `json:"identity"`

	// securityLevel names the SecurityLevel whose hardening rules every component obeys,
	// unless a component names its own. Zones and pools accept only certain levels. A rule
	// that a component cannot keep is waived by a named, expiring exception on the level.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +required
	SecurityLevel string `json:"securityLevel"`

	// availabilityClass names the AvailabilityClass: how many instances and data centres are
	// the least, how long an unreachable host is waited for, and how many instances may be
	// away at once.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	AvailabilityClass string `json:"availabilityClass"`

	// components are the parts that run, each with its own image, size and instances.
	// Changing one component never restarts another.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +required
	Components []Component `json:"components"`

	// bindings are services outside this application that its components use: databases,
	// queues, file servers, other applications (R42). A component uses one by naming it
	// in dependsOn; only then is the network opened.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Bindings []Binding `json:"bindings,omitempty"`

	// exposure lists the ports that are reachable from outside the application.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Exposure []Exposure `json:"exposure,omitempty"`

	// placement holds wishes for the global scheduler. Without it the scheduler spreads
	// instances as the availability class demands.
	// +optional
	Placement *PlacementWishes `json:"placement,omitempty"`

	// releasePolicy says whether a new Revision is released by hand ("Manual", the default)
	// or at once ("Automatic"). "Automatic" has an effect only in environments whose class
	// is not production (R63).
	// +kubebuilder:default=Manual
	// +optional
	ReleasePolicy ReleasePolicy `json:"releasePolicy,omitempty"`

	// pullSecret names the Secret in this namespace that opens the image registry when a
	// host pulls an image. Without it images are pulled with the credential of the host. It
	// is not used when a Revision asks the registry what an image is: the server reads no
	// Secret of a tenant and asks with the platform's own login (fairway server
	// --registry-login), which must be allowed to read the image.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +optional
	PullSecret string `json:"pullSecret,omitempty"`
}

// Identity is what the bank's configuration database knows about an application.
type Identity struct {
	// system is the code of the application system (应用系统) that this belongs to.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	System string `json:"system"`

	// code is the application's own number in the CMDB.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	Code string `json:"code"`

	// displayName is the name that people read, in any language.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	DisplayName string `json:"displayName"`

	// owner is the person id or team that answers for the application.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Owner string `json:"owner"`

	// legalEntity is the legal entity (法人机构) whose business this is. Default: the tenant's.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	LegalEntity string `json:"legalEntity,omitempty"`

	// subsystem is the subsystem (子系统) within the system, where the CMDB has that step.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Subsystem string `json:"subsystem,omitempty"`

	// importance is the bank's own grade of the system, such as "A" or "重要". It is shown
	// and searched, and has no effect of its own.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Importance string `json:"importance,omitempty"`
}

// ReleasePolicy says who brings a new Revision into service.
//
// +kubebuilder:validation:Enum=Manual;Automatic
type ReleasePolicy string

const (
	// ReleaseManual waits for a person to start a Release.
	ReleaseManual ReleasePolicy = "Manual"
	// ReleaseAutomatic starts a Release for each new Revision outside production.
	ReleaseAutomatic ReleasePolicy = "Automatic"
)

// PlacementWishes are wishes; what the pool, zone, level and quota demand comes first.
type PlacementWishes struct {
	// pools are preferred pools, best first. Default: every pool of the tenant that accepts
	// the component's level and zone.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=atomic
	// +optional
	Pools []string `json:"pools,omitempty"`

	// spread lists the steps over which the instances of a component are spread evenly
	// within a DCN, most important first. A step that is not listed is not spread over by
	// the scheduler; how many zones and racks there must be at least, the availability
	// class says all the same. Default: as the placement policy weighs them, which is
	// availability zones, then racks. Inside a cell instances always lie on as many hosts as
	// there is room on.
	// +kubebuilder:validation:MaxItems=3
	// +listType=set
	// +optional
	Spread []SpreadStep `json:"spread,omitempty"`

	// antiAffinity keeps instances apart from those of other components, of this or of
	// another application in the same namespace (R48). It is a rule, not a wish: where it
	// leaves no room, the placement is refused and says what stands in the way. It holds
	// both ways: the other component, placed later, does not come beside this one either.
	// Instances of this component that lie where the rule does not let them go elsewhere
	// with the Release that brings it.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	AntiAffinity []AntiAffinity `json:"antiAffinity,omitempty"`
}

// SpreadStep is a thing whose loss shall take few instances with it.
//
// +kubebuilder:validation:Enum=AvailabilityZone;Rack;Host
type SpreadStep string

const (
	// SpreadAvailabilityZone spreads over the availability zones of a data centre.
	SpreadAvailabilityZone SpreadStep = "AvailabilityZone"
	// SpreadRack spreads over racks.
	SpreadRack SpreadStep = "Rack"
	// SpreadHost spreads over hosts.
	SpreadHost SpreadStep = "Host"
)

// AntiAffinity keeps a component away from another.
type AntiAffinity struct {
	// component is the component of this application that the wish is for.
	// +required
	Component ComponentName `json:"component"`

	// application is the other application, in the same namespace. Default: this one.
	// +kubebuilder:validation:MaxLength=24
	// +optional
	Application string `json:"application,omitempty"`

	// from is the component to stay away from, another one than component. How many of its
	// own kind a component has on one host, its maxPerHost says.
	// +required
	From ComponentName `json:"from"`

	// scope is what the two may not share: AvailabilityZone, Rack or Host. Host is kept by
	// the member's scheduler, and the placement makes sure that all find hosts in whatever
	// order; it restarts the component, since its pods say so. Virtual machines count for
	// AvailabilityZone and Rack. A rack without availability zone is one of its own.
	// Default: Host.
	// +kubebuilder:default=Host
	// +optional
	Scope SpreadStep `json:"scope,omitempty"`
}
