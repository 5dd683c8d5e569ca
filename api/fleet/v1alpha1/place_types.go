// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SiteRole says what a data centre or DCN is to its partner. Disaster recovery
// is a role, not an environment.
// +kubebuilder:validation:Enum=Active;Standby;Partner
type SiteRole string

const (
	// SiteActive serves customers of its own.
	SiteActive SiteRole = "Active"
	// SiteStandby serves nobody until a switchover.
	SiteStandby SiteRole = "Standby"
	// SitePartner serves customers and stands ready to take those of its partner.
	SitePartner SiteRole = "Partner"
)

// DataCenterSpec describes a site.
type DataCenterSpec struct {
	// displayName is what people call the site, for example "上海张江一号".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DisplayName string `json:"displayName,omitempty"`
	// city is where the site lies. Two sites of one city can replicate
	// synchronously; sites of different cities cannot.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	City string `json:"city"`
	// role says whether the site serves customers. Default: Active.
	// +optional
	// +kubebuilder:default=Active
	Role SiteRole `json:"role,omitempty"`
	// racks lists the racks of the site. A host whose rack is not listed here is
	// reported and takes no instances.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=1000
	Racks []Rack `json:"racks,omitempty"`
}

// Rack is one rack under one top-of-rack switch (TOR).
type Rack struct {
	// name of the rack, unique in its data centre.
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// availabilityZone is the power and cooling domain that the rack shares with
	// others. Empty: the rack is a domain of its own.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	AvailabilityZone string `json:"availabilityZone,omitempty"`
}

// DataCenterStatus is what Fairway sees of a site.
type DataCenterStatus struct {
	// conditions: Ready says whether every cluster of the site is reachable.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// DataCenter is a site with its racks (数据中心).
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="City",type=string,JSONPath=`.spec.city`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 32",message="a data centre's name has at most 32 characters: choose a shorter one"
type DataCenter struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec DataCenterSpec `json:"spec"`
	// +optional
	Status DataCenterStatus `json:"status,omitempty"`
}

// DataCenterList is a list of DataCenters.
//
// +kubebuilder:object:root=true
type DataCenterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DataCenter `json:"items"`
}

// ZoneKind is the bank's kind of security domain (安全域).
// +kubebuilder:validation:Enum=DMZ;Extranet;Business;Core;Database;Management;Office
type ZoneKind string

// NetworkZoneSpec describes a security domain.
type NetworkZoneSpec struct {
	// displayName is what people call the zone, for example "互联网区".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DisplayName string `json:"displayName,omitempty"`
	// kind is the sort of domain: DMZ (互联网区), Extranet (外联区, ECN), Business
	// (业务区), Core (核心区), Database (数据库区), Management (带外管理区) or Office (办公区).
	// +required
	Kind ZoneKind `json:"kind"`
	// acceptedLevels names the security levels whose components may attach to
	// this zone. A component of another level is refused.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=32
	AcceptedLevels []string `json:"acceptedLevels"`
	// flows lists the zones that components of this zone may open connections to.
	// What is not listed is forbidden, connections inside the zone excepted.
	// +optional
	// +listType=map
	// +listMapKey=to
	// +kubebuilder:validation:MaxItems=32
	Flows []ZoneFlow `json:"flows,omitempty"`
}

// ZoneFlow permits connections from the zone that lists it.
type ZoneFlow struct {
	// to is the zone that may be reached.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	To string `json:"to"`
	// ports limits the flow to these TCP ports. Empty: every port.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	Ports []int32 `json:"ports,omitempty"`
}

// NetworkZone is a security domain of the bank's network (网络区域, R13). An
// instance's zone comes from its network attachment, not from its host.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.kind`
// +kubebuilder:printcolumn:name="Levels",type=string,JSONPath=`.spec.acceptedLevels`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 32",message="a zone's name has at most 32 characters: choose a shorter one"
type NetworkZone struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec NetworkZoneSpec `json:"spec"`
}

// NetworkZoneList is a list of NetworkZones.
//
// +kubebuilder:object:root=true
type NetworkZoneList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NetworkZone `json:"items"`
}

// DCNSpec describes a DCN: the bank's cell of applications and database that
// serves a set of customers (R49).
type DCNSpec struct {
	// displayName is what people call the DCN.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	DisplayName string `json:"displayName,omitempty"`
	// dataCenter is the site that the DCN lives in.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	DataCenter string `json:"dataCenter"`
	// environment is the environment that the DCN belongs to.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8
	Environment string `json:"environment"`
	// role says whether the DCN serves customers of its own. Default: Active.
	// +optional
	// +kubebuilder:default=Active
	Role SiteRole `json:"role,omitempty"`
	// partner is the DCN that takes over this one's customers. The two never
	// share a failure domain.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Partner string `json:"partner,omitempty"`
	// customerCapacity is how many customers the DCN is built for.
	// +optional
	// +kubebuilder:validation:Minimum=0
	CustomerCapacity int64 `json:"customerCapacity,omitempty"`
	// customers is how many customers the DCN serves now, as the bank counts them. It may be
	// more than customerCapacity, is shown, and moves nothing. Default: 0, nobody has said.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Customers int64 `json:"customers,omitempty"`
	// use says what the DCN is used for, for example "retail customers 000 to 249" or
	// "零售客户". It is shown, and moves nothing. Default: nobody has said.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Use string `json:"use,omitempty"`
	// databases names the database services that the DCN's applications use.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	Databases []string `json:"databases,omitempty"`
}

// DCN is the bank's cell of applications and database serving a set of
// customers (单元). It is not a Kubernetes node.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,path=dcns,singular=dcn
// +kubebuilder:printcolumn:name="Data centre",type=string,JSONPath=`.spec.dataCenter`
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Partner",type=string,JSONPath=`.spec.partner`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 24",message="a DCN's name has at most 24 characters, because names in members are built from it: choose a shorter one"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.partner) || self.spec.partner != self.metadata.name",message="a DCN cannot be its own partner: name another DCN or leave partner empty"
type DCN struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec DCNSpec `json:"spec"`
}

// DCNList is a list of DCNs.
//
// +kubebuilder:object:root=true
type DCNList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DCN `json:"items"`
}
