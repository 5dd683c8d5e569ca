// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package approval

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Facts are what policies look at.
type Facts struct {
	// Act by its name, such as release.Deploy.
	Act string
	// Scope that is acted in.
	Scope approvalv1.Scope
	// ChangeClass and Risk as the requester states them.
	ChangeClass releasev1.ChangeClass
	Risk        releasev1.Risk
	// Requester by person id.
	Requester string
	// Instances and Clusters that are touched.
	Instances, Clusters int32
}

// FactsOf reads the facts back from a request.
func FactsOf(r *approvalv1.ApprovalRequest) Facts {
	return Facts{
		Act: r.Spec.Act, Scope: r.Spec.Scope, ChangeClass: r.Spec.ChangeClass, Risk: r.Spec.Risk,
		Requester: r.Spec.Requester, Instances: r.Spec.BlastRadius.Instances, Clusters: r.Spec.BlastRadius.Clusters,
	}
}

func (f Facts) production() bool { return f.Scope.EnvironmentClass == tenancyv1.ClassProduction }

// Select returns the policy that holds for an act: of those that cover it, the one
// of the lowest order, then of the first name. nil: none covers it.
func Select(policies []approvalv1.ApprovalPolicy, f Facts) *approvalv1.ApprovalPolicy {
	var found *approvalv1.ApprovalPolicy
	for i := range policies {
		p := &policies[i]
		if !p.DeletionTimestamp.IsZero() || !covers(p.Spec.Match, f) {
			continue
		}
		if found == nil || cmp.Or(cmp.Compare(p.Spec.Order, found.Spec.Order), cmp.Compare(p.Name, found.Name)) < 0 {
			found = p
		}
	}
	return found
}

func covers(m approvalv1.Match, f Facts) bool {
	return among(m.Acts, f.Act) && among(m.EnvironmentClasses, f.Scope.EnvironmentClass) &&
		among(m.Environments, f.Scope.Environment) && among(m.Tenants, f.Scope.Tenant) &&
		among(m.SecurityLevels, f.Scope.SecurityLevel) && among(m.ChangeClasses, f.ChangeClass) && among(m.Risks, f.Risk)
}

// among says whether a list that selects takes the value. An empty one takes all.
func among[T comparable](list []T, value T) bool {
	return len(list) == 0 || slices.Contains(list, value)
}

// Snapshot freezes the policy as it holds for an act: people agree, or it agrees
// by itself. It fails where the policy's condition cannot be computed.
func Snapshot(p *approvalv1.ApprovalPolicy, f Facts) (approvalv1.PolicySnapshot, error) {
	content, err := canonical.JSON(p.Spec)
	if err != nil {
		return approvalv1.PolicySnapshot{}, fmt.Errorf("could not freeze approval policy %q: %w", p.Name, err)
	}
	out := approvalv1.PolicySnapshot{
		Name: p.Name, Content: content, Digest: canonical.Digest(content), Standing: approvalv1.StandingPeople,
	}
	by, err := byItself(p.Spec, f)
	if err != nil {
		return out, fmt.Errorf("could not use approval policy %q: %w", p.Name, err)
	}
	if by {
		out.Standing = approvalv1.StandingAutomatic
	}
	return out, nil
}

// byItself says whether a policy agrees to an act by itself. In production that
// needs a budget: a pre-authorised change is bounded.
func byItself(p approvalv1.ApprovalPolicySpec, f Facts) (bool, error) {
	if p.Automatic == nil || (f.production() && p.Automatic.Budget == nil) {
		return false, nil
	}
	return Holds(p.Automatic.When, f)
}

// Open reads a frozen policy after it has verified its digest.
func Open(s approvalv1.PolicySnapshot) (approvalv1.ApprovalPolicySpec, error) {
	spec := approvalv1.ApprovalPolicySpec{}
	if err := canonical.Verify(s.Content, s.Digest); err != nil {
		return spec, fmt.Errorf("could not read the frozen policy %q: %w", s.Name, err)
	}
	if err := json.Unmarshal([]byte(s.Content), &spec); err != nil {
		return spec, fmt.Errorf("could not read the frozen policy %q: %w", s.Name, err)
	}
	return spec, nil
}

// attached lists what each class of change needs (R72).
var attached = map[releasev1.ChangeClass][]releasev1.AttachmentKind{
	releasev1.ChangeStandard:  nil,
	releasev1.ChangeNormal:    {releasev1.AttachTestReport, releasev1.AttachBackOutPlan},
	releasev1.ChangeImportant: {releasev1.AttachTestReport, releasev1.AttachBackOutPlan, releasev1.AttachRiskAssessment},
	releasev1.ChangeMajor: {releasev1.AttachTestReport, releasev1.AttachBackOutPlan, releasev1.AttachRiskAssessment,
		releasev1.AttachEmergencyPlan, releasev1.AttachVerificationScheme},
	releasev1.ChangeEmergency: nil,
}

// lacks lists what a request in production lacks: a reason, a ticket (an
// emergency brings it afterwards, with its review), the attachments of its class and
// policy.
func lacks(r *approvalv1.ApprovalRequest, p approvalv1.ApprovalPolicySpec) []string {
	if r.Spec.Scope.EnvironmentClass != tenancyv1.ClassProduction {
		return nil
	}
	var out []string
	if r.Spec.Reason == "" {
		out = append(out, "a reason")
	}
	if r.Spec.Ticket == "" && r.Spec.ChangeClass != releasev1.ChangeEmergency {
		out = append(out, "a ticket")
	}
	if r.Spec.ChangeClass == releasev1.ChangeEmergency && p.Review == nil {
		out = append(out, "a policy that names who reviews an emergency afterwards (review)")
	}
	has := map[releasev1.AttachmentKind]bool{}
	for _, a := range r.Spec.Attachments {
		has[a.Kind] = true
	}
	for _, kind := range append(slices.Clone(attached[r.Spec.ChangeClass]), p.Attachments...) {
		if !has[kind] {
			has[kind] = true
			out = append(out, "attachment "+string(kind))
		}
	}
	return out
}

// Times where a policy says nothing.
const (
	defaultDecide = 72 * time.Hour
	defaultValid  = 72 * time.Hour
	defaultFollow = 24 * time.Hour
)

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// DecideBy is when a request made now expires undecided.
func DecideBy(p approvalv1.ApprovalPolicySpec, now time.Time) time.Time {
	return now.Add(or(p.DecideWithin.Duration, defaultDecide))
}

// ValidUntil is until when an approval that was complete at that time may be used.
func ValidUntil(p approvalv1.ApprovalPolicySpec, complete time.Time) time.Time {
	return complete.Add(or(p.ValidFor.Duration, defaultValid))
}
