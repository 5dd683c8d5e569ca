// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
)

// DeliverySpec is what one application is to be in one cluster. Only the
// Release controller writes it.
//
// +kubebuilder:validation:XValidation:rule="self.application == oldSelf.application && self.__namespace__ == oldSelf.__namespace__",message="a Delivery keeps its application and namespace"
// +kubebuilder:validation:XValidation:rule="self.intent == 'Retire' || self.shared.size() > 0",message="a Delivery without renderings is no wish to delete: only intent Retire takes an application out of a cluster"
// +kubebuilder:validation:XValidation:rule="self.releaseSequence >= oldSelf.releaseSequence",message="the release sequence only grows"
type DeliverySpec struct {
	// application as "<hub namespace>/<name>".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Application string `json:"application"`
	// namespace of the application in the member.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// intent is Run, or Retire to take everything out of the cluster. Default: Run.
	// +optional
	// +kubebuilder:default=Run
	// +kubebuilder:validation:Enum=Run;Retire
	Intent string `json:"intent,omitempty"`
	// release that asked for this state.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Release string `json:"release"`
	// releaseSequence is that Release's number. A member that has carried out a
	// higher one refuses: the hub has been set back.
	// +required
	// +kubebuilder:validation:Minimum=1
	ReleaseSequence int64 `json:"releaseSequence"`
	// revision that the state belongs to.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision"`
	// revisionDigest is the digest of that revision.
	// +required
	// +kubebuilder:validation:MaxLength=80
	RevisionDigest string `json:"revisionDigest"`
	// shared names the renderings that are not a component's own: namespace,
	// policies, services, configuration. They are applied first, in order.
	// +optional
	// +kubebuilder:default={}
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Shared []RenderingReference `json:"shared"`
	// workloads are the components' instances, per template and cell. What the
	// inventory holds and neither shared nor workloads name is removed.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=512
	Workloads []Workload `json:"workloads,omitempty"`
	// way is Forward, or Back for the way back that an approved plan contains: stop,
	// drain, rollback to the revision it names. The way back goes on while log,
	// hub or ticket system are away. Default: Forward.
	// +optional
	// +kubebuilder:default=Forward
	// +kubebuilder:validation:Enum=Forward;Back
	Way string `json:"way,omitempty"`
	// restarts asks for the replacement of instances, each by UID so that none is
	// replaced twice.
	// +optional
	// +listType=map
	// +listMapKey=uid
	// +kubebuilder:validation:MaxItems=1000
	Restarts []InstanceRestart `json:"restarts,omitempty"`
}

// RenderingReference names a Rendering in the Delivery's namespace.
type RenderingReference struct {
	// name of the Rendering.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// digest that its content must have.
	// +required
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest"`
}

// Workload is one component's instances of one template in one cell.
type Workload struct {
	// name of the workload object in the member.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// kind of the workload object.
	// +required
	// +kubebuilder:validation:Enum=Deployment;StatefulSet;Job;CronJob
	Kind string `json:"kind"`
	// component that it runs.
	// +required
	// +kubebuilder:validation:MaxLength=16
	Component string `json:"component"`
	// template is the digest of the component's template.
	// +required
	// +kubebuilder:validation:MaxLength=80
	Template string `json:"template"`
	// cell that it runs in.
	// +required
	Cell placementv1.Cell `json:"cell"`
	// replicas is how many instances are wanted. The rendering leaves it out.
	// Ignored for Job and CronJob.
	// +required
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`
	// partition holds a StatefulSet's instances whose seat number, counted from the
	// start of the cell's block, is lower at the template they have. Default: 0, all
	// are updated.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Partition int32 `json:"partition,omitempty"`
	// revision that the instances run, as their label shows it. Default: the
	// Delivery's revision; where several templates of the component run side by
	// side, the one that the workload's instances carry already.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision,omitempty"`
	// seats that the instances take. Empty for Job and CronJob.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Seats []int32 `json:"seats,omitempty"`
	// rendering holds the bytes to apply.
	// +required
	Rendering RenderingReference `json:"rendering"`
}

// InstanceRestart asks for the replacement of one instance.
type InstanceRestart struct {
	// seat of the instance, such as "account-1".
	// +required
	// +kubebuilder:validation:MaxLength=32
	Seat string `json:"seat"`
	// pod is the name of the pod that sits there.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod"`
	// uid of the pod. Another pod of that name is left alone.
	// +required
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
}

// DeliveryStatus is what the member reports.
type DeliveryStatus struct {
	// conditions: Ready says that what is wanted runs and answers; Applied that
	// every object is as rendered; Stalled that a person is needed.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the spec's generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// observedRelease is the Release whose state was last applied in full.
	// +optional
	ObservedRelease string `json:"observedRelease,omitempty"`
	// observedRevision is the revision whose state was last applied in full.
	// +optional
	ObservedRevision string `json:"observedRevision,omitempty"`
	// workloads counts instances per component, template and cell.
	// +optional
	// +listType=map
	// +listMapKey=name
	Workloads []WorkloadStatus `json:"workloads,omitempty"`
	// restarted lists the UIDs of replaced instances whose successors answer.
	// +optional
	// +listType=set
	Restarted []string `json:"restarted,omitempty"`
	// waiting lists the workloads of which instances have found no host for more than 30
	// seconds. What was placed has room, so it is a defect: troubled has the words of the
	// cluster's scheduler, and the instances are placed anew.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=512
	Waiting []WaitingWorkload `json:"waiting,omitempty"`
	// troubled lists up to 20 instances that are not well.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Troubled []TroubledInstance `json:"troubled,omitempty"`
}

// WorkloadStatus counts the instances of one workload.
type WorkloadStatus struct {
	// name of the workload object in the member.
	// +required
	Name string `json:"name"`
	// component that it runs.
	// +required
	Component string `json:"component"`
	// template is the digest of the component's template.
	// +required
	Template string `json:"template"`
	// cell that it runs in.
	// +required
	Cell placementv1.Cell `json:"cell"`
	// instances counts pods that are not being removed.
	Instances int32 `json:"instances"`
	// updated counts pods of the template above. It differs from instances only
	// for a StatefulSet that is being updated in place.
	Updated int32 `json:"updated"`
	// ready counts updated pods that answer their probes.
	Ready int32 `json:"ready"`
	// leaving counts pods that are being removed.
	Leaving int32 `json:"leaving"`
}

// TroubledInstance is an instance that is not well.
type TroubledInstance struct {
	// seat of the instance, or its pod's name while it has none.
	Seat string `json:"seat"`
	// host that it runs on, if any.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host,omitempty"`
	// state in one word, for example "CrashLoopBackOff".
	State string `json:"state"`
	// message says why.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// WaitingWorkload is a workload of which instances wait for a host.
type WaitingWorkload struct {
	// name of the workload object in the member.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// component that it runs.
	// +required
	// +kubebuilder:validation:MaxLength=16
	Component string `json:"component"`
	// cell in which they wait.
	// +required
	Cell placementv1.Cell `json:"cell"`
	// instances that wait.
	Instances int32 `json:"instances"`
	// seats of those that have one.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Seats []int32 `json:"seats,omitempty"`
	// since when the first of them waits, by the clock of its cluster.
	// +required
	Since metav1.Time `json:"since"`
}

// Condition types of a Delivery.
const (
	// ConditionReady says that what is wanted runs and answers.
	ConditionReady = "Ready"
	// ConditionApplied says that every object in the member is as rendered.
	ConditionApplied = "Applied"
	// ConditionStalled says that nothing moves until a person acts.
	ConditionStalled = "Stalled"
	// ConditionHosted says that every instance has found a host. It is there once one had
	// none for too long.
	ConditionHosted = "Hosted"
)

// Reasons of the condition Hosted.
const (
	// ReasonNoRoom: instances have had no host for more than 30 seconds.
	ReasonNoRoom = "NoRoom"
	// ReasonHosted: all have one again.
	ReasonHosted = "Hosted"
)

// Delivery is the desired and observed state of one application in one cluster
// (下发). It lives in the hub namespace "fairway-cluster-<cluster>", so that an
// agent sees only its own. Deleting it deletes nothing in the member.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=deliveries,singular=delivery
// +kubebuilder:selectablefield:JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Application",type=string,JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.spec.revision`
// +kubebuilder:printcolumn:name="Applied",type=string,JSONPath=`.status.conditions[?(@.type=="Applied")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Delivery struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec DeliverySpec `json:"spec"`
	// +optional
	Status DeliveryStatus `json:"status,omitempty"`
}

// DeliveryList is a list of Deliveries.
//
// +kubebuilder:object:root=true
type DeliveryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Delivery `json:"items"`
}

// RenderingSpec holds rendered objects. It never changes.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Rendering is what was approved and never changes"
type RenderingSpec struct {
	// content is a JSON array of Kubernetes objects, canonical (RFC 8785), in the
	// order in which they are applied.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=1048576
	Content string `json:"content"`
	// digest of content, "sha256:…". The Rendering's name contains it.
	// +required
	// +kubebuilder:validation:MaxLength=80
	Digest string `json:"digest"`
}

// Rendering is a stored piece of what a member is sent: exactly the bytes whose
// digest was approved.
//
// +kubebuilder:object:root=true
// +kubebuilder:printcolumn:name="Digest",type=string,JSONPath=`.spec.digest`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Rendering struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec RenderingSpec `json:"spec"`
}

// RenderingList is a list of Renderings.
//
// +kubebuilder:object:root=true
type RenderingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Rendering `json:"items"`
}
