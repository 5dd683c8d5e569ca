// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Kind says what a Release does. All that changes what runs is a Release: one door.
// +kubebuilder:validation:Enum=Deploy;Restart;Rollback;Retire
type Kind string

const (
	// KindDeploy brings in a Revision at the Placement that its counts ask for:
	// first deployment, upgrade, scaling, resizing and relocation alike.
	KindDeploy Kind = "Deploy"
	// KindRestart replaces named instances and changes nothing else.
	KindRestart Kind = "Restart"
	// KindRollback brings an earlier Revision back.
	KindRollback Kind = "Rollback"
	// KindRetire takes the application out of service, everywhere.
	KindRetire Kind = "Retire"
)

// ReleaseSpec asks for one change. Only "desired" may change afterwards.
//
// +kubebuilder:validation:XValidation:rule="self.application == oldSelf.application && self.kind == oldSelf.kind && has(self.revision) == has(oldSelf.revision) && (!has(self.revision) || self.revision == oldSelf.revision) && has(self.seats) == has(oldSelf.seats) && (!has(self.seats) || self.seats == oldSelf.seats) && self.reason == oldSelf.reason && self.ticket == oldSelf.ticket && self.requester == oldSelf.requester && self.changeClass == oldSelf.changeClass && self.risk == oldSelf.risk && has(self.placement) == has(oldSelf.placement) && (!has(self.placement) || self.placement == oldSelf.placement) && has(self.fenced) == has(oldSelf.fenced) && (!has(self.fenced) || self.fenced == oldSelf.fenced) && has(self.attachments) == has(oldSelf.attachments) && (!has(self.attachments) || self.attachments == oldSelf.attachments)",message="a Release does not change once made, except that it may be stopped (desired): make another one"
// +kubebuilder:validation:XValidation:rule="(self.kind == 'Deploy' || self.kind == 'Rollback') == has(self.revision)",message="Deploy and Rollback name a revision; Restart and Retire do not"
// +kubebuilder:validation:XValidation:rule="(self.kind == 'Restart') == (has(self.seats) && self.seats.size() > 0)",message="Restart names the seats to restart, for example account-1; other kinds name none"
// +kubebuilder:validation:XValidation:rule="!has(self.placement) || self.kind == 'Deploy'",message="only a Deploy names a placement: it brings the placement's revision to where it was proposed"
// +kubebuilder:validation:XValidation:rule="!has(self.fenced) || self.kind == 'Deploy' || self.kind == 'Rollback'",message="only a Deploy or a Rollback says how hosts were fenced: others start nothing elsewhere"
type ReleaseSpec struct {
	// application that is changed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=24
	Application string `json:"application"`
	// kind of the change.
	// +required
	Kind Kind `json:"kind"`
	// revision to bring in, for Deploy and Rollback.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision,omitempty"`
	// placement that was proposed for the revision, for Deploy: the Release uses it
	// instead of asking the scheduler. It is refused once it has expired, once another is
	// in force than it was proposed from, and where its hosts are gone. Left out: the
	// scheduler decides.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Placement string `json:"placement,omitempty"`
	// fenced says how the hosts that are lost were cut off, such as "power of rack r7 cut at
	// the PDU, CHG-9" (R86). Without it a Deploy is refused that starts elsewhere what keeps an
	// identity, or runs once only, in a place that was lost or does not answer: it may still
	// run there. It is part of what is approved and recorded. A Rollback is never refused for
	// lack of it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Fenced string `json:"fenced,omitempty"`
	// seats to restart, for Restart, such as "account-1".
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=32
	Seats []string `json:"seats,omitempty"`
	// reason why, in the requester's words.
	// +optional
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=512
	Reason string `json:"reason"`
	// ticket of the bank's change process.
	// +optional
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=64
	Ticket string `json:"ticket"`
	// changeClass says how heavy the change is; it decides which policy holds and
	// which attachments are needed. Default: Normal.
	// +optional
	// +kubebuilder:default=Normal
	ChangeClass ChangeClass `json:"changeClass,omitempty"`
	// risk as the requester judges it. Default: Medium.
	// +optional
	// +kubebuilder:default=Medium
	Risk Risk `json:"risk,omitempty"`
	// attachments that the change class and the policy ask for.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Attachments []Attachment `json:"attachments,omitempty"`
	// requester is the person who asked. The API sets it to the authenticated
	// person; admission refuses another.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Requester string `json:"requester"`
	// desired says whether the Release goes on (Run) or holds (Stop). What is
	// stopped keeps what it has done and takes no further step. Default: Run.
	// +optional
	// +kubebuilder:default=Run
	// +kubebuilder:validation:Enum=Run;Stop
	Desired string `json:"desired,omitempty"`
}

// ChangeClass says how heavy a change is (变更级别, R72).
// +kubebuilder:validation:Enum=Standard;Normal;Important;Major;Emergency
type ChangeClass string

// The classes of change, and what each needs attached.
const (
	// ChangeStandard is known beforehand and pre-authorised. It needs nothing attached.
	ChangeStandard ChangeClass = "Standard"
	// ChangeNormal needs a test report and a back-out plan.
	ChangeNormal ChangeClass = "Normal"
	// ChangeImportant needs a risk assessment besides.
	ChangeImportant ChangeClass = "Important"
	// ChangeMajor needs an emergency plan and a verification scheme besides.
	ChangeMajor ChangeClass = "Major"
	// ChangeEmergency needs nothing beforehand: its ticket and review follow.
	ChangeEmergency ChangeClass = "Emergency"
)

// Risk of a change.
// +kubebuilder:validation:Enum=Low;Medium;High
type Risk string

// The risks.
const (
	RiskLow    Risk = "Low"
	RiskMedium Risk = "Medium"
	RiskHigh   Risk = "High"
)

// AttachmentKind is what a document is about.
// +kubebuilder:validation:Enum=TestReport;RiskAssessment;BackOutPlan;EmergencyPlan;VerificationScheme
type AttachmentKind string

// The documents of a change.
const (
	AttachTestReport         AttachmentKind = "TestReport"
	AttachRiskAssessment     AttachmentKind = "RiskAssessment"
	AttachBackOutPlan        AttachmentKind = "BackOutPlan"
	AttachEmergencyPlan      AttachmentKind = "EmergencyPlan"
	AttachVerificationScheme AttachmentKind = "VerificationScheme"
)

// Attachment names a document that is kept elsewhere.
type Attachment struct {
	// kind of the document.
	// +required
	Kind AttachmentKind `json:"kind"`
	// title of the document.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Title string `json:"title,omitempty"`
	// reference finds it: an address or a number in the bank's own filing.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Reference string `json:"reference"`
	// digest of its content, "sha256:…", so that another document of the same
	// reference shows.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^(sha256|sm3):[0-9a-f]{64}$`
	Digest string `json:"digest,omitempty"`
}

// ReleaseStatus says how far the Release is.
type ReleaseStatus struct {
	// conditions: Ready says that the Release is complete; Planned, Approved and
	// Progressing say how far it is; Stalled says that a person is needed.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// observedGeneration is the spec's generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// sequence numbers the application's Releases, without gaps. Members remember
	// the highest one that they carried out.
	// +optional
	Sequence int64 `json:"sequence,omitempty"`
	// placement that the Release uses.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	Placement string `json:"placement,omitempty"`
	// plan is what the Release will do, as canonical JSON (RFC 8785): its batches
	// and the digest of every rendering per cluster. Approval covers its digest.
	// +optional
	// +kubebuilder:validation:MaxLength=524288
	Plan string `json:"plan,omitempty"`
	// planDigest is the digest of plan, "sha256:…".
	// +optional
	// +kubebuilder:validation:MaxLength=80
	PlanDigest string `json:"planDigest,omitempty"`
	// stoppedAt is when the Release was last seen to be stopped. Who lets it go on does
	// so after this.
	// +optional
	StoppedAt *metav1.Time `json:"stoppedAt,omitempty"`
	// startedAt is when the first step was taken.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// progressedAt is when a step was taken or a count changed last. A Release that
	// makes no progress for the progress deadline is Stalled, with what its troubled
	// instances say.
	// +optional
	ProgressedAt *metav1.Time `json:"progressedAt,omitempty"`
	// completedAt is when the last step was observed to be done.
	// +optional
	CompletedAt *metav1.Time `json:"completedAt,omitempty"`
	// batch is the number of the batch being carried out, from 0.
	// +optional
	Batch int32 `json:"batch,omitempty"`
	// clusters says, per cluster, how many instances are wanted, new and ready.
	// +optional
	// +listType=map
	// +listMapKey=cluster
	Clusters []ClusterProgress `json:"clusters,omitempty"`
}

// ClusterProgress is the state of one cluster within a Release.
type ClusterProgress struct {
	// cluster that it is about.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Cluster string `json:"cluster"`
	// wanted instances.
	Wanted int32 `json:"wanted"`
	// updated instances run the new template.
	Updated int32 `json:"updated"`
	// ready instances run the new template and answer their probes.
	Ready int32 `json:"ready"`
	// old instances still run an earlier template.
	Old int32 `json:"old"`
	// message says what the cluster waits for.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// Condition types of a Release.
const (
	// ConditionReady says that the Release is complete.
	ConditionReady = "Ready"
	// ConditionPlanned says that placement and rendering are done and digested.
	ConditionPlanned = "Planned"
	// ConditionApproved says that the Gate let the plan pass.
	ConditionApproved = "Approved"
	// ConditionProgressing says that steps are being taken.
	ConditionProgressing = "Progressing"
	// ConditionStalled says that nothing moves until a person acts.
	ConditionStalled = "Stalled"
)

// Reasons of a Release's conditions.
const (
	// ReasonComplete: every step was observed to be done.
	ReasonComplete = "Complete"
	// ReasonHeld: another Release holds the application. Wait for it, or stop it.
	ReasonHeld = "Held"
	// ReasonSuperseded: another Release took the application over. This one is over.
	ReasonSuperseded = "Superseded"
	// ReasonNotPlaced: the scheduler found no room; the message says what lacks.
	ReasonNotPlaced = "NotPlaced"
	// ReasonNotRendered: a member cannot express what the Revision asks for.
	ReasonNotRendered = "NotRendered"
	// ReasonAway: a cluster that has to be asked before the plan is made is not connected.
	// It goes on by itself when it is.
	ReasonAway = "Away"
	// ReasonNotFound: the application, its Revision or a named seat is not there.
	ReasonNotFound = "NotFound"
	// ReasonPlanned: placement and rendering are done and digested.
	ReasonPlanned = "Planned"
	// ReasonBadPlan: the stored plan is not the one that was digested. Nothing of it
	// is carried out.
	ReasonBadPlan = "BadPlan"
	// ReasonAllowed: the Gate let the plan pass.
	ReasonAllowed = "Allowed"
	// ReasonRefused: the Gate does not let the next step pass now.
	ReasonRefused = "Refused"
	// ReasonNoEvidence: the next step cannot be recorded now and so is not taken.
	ReasonNoEvidence = "NoEvidence"
	// ReasonStepping: steps are being taken.
	ReasonStepping = "Stepping"
	// ReasonStopped: a person stopped the Release. What is done stays.
	ReasonStopped = "Stopped"
	// ReasonDeliveryStalled: a member says that it needs a person; the message says
	// which and what for.
	ReasonDeliveryStalled = "DeliveryStalled"
	// ReasonNoProgress: nothing moved for the progress deadline.
	ReasonNoProgress = "NoProgress"
)

// Release moves what runs to a Revision and its Placement (发布单). It is the
// one door through which anything that runs is changed.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:selectablefield:JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Application",type=string,JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.kind`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.spec.revision`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Requester",type=string,JSONPath=`.spec.requester`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Release struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ReleaseSpec `json:"spec"`
	// +optional
	Status ReleaseStatus `json:"status,omitempty"`
}

// ReleaseList is a list of Releases.
//
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Release `json:"items"`
}
