// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tenancy

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
)

// Reasons of the conditions of a Tenant.
const (
	// ReasonArranged: namespaces and roles are as the Tenant asks.
	ReasonArranged = "Arranged"
	// ReasonArranging: something could not be written yet; it is tried again.
	ReasonArranging = "Arranging"
	// RuleNameReserved: the name would reach into the platform's own namespaces.
	RuleNameReserved = "NameReserved"
	// RuleNamespaceTaken: somebody else's namespace has the name; it is left alone.
	RuleNamespaceTaken = "NamespaceTaken"
	// RuleNamespaceLeaving: a namespace is being deleted.
	RuleNamespaceLeaving = "NamespaceLeaving"
	// RuleEnvironmentMissing: the Tenant names an environment that does not exist.
	RuleEnvironmentMissing = "EnvironmentMissing"
	// RuleEnvironmentInUse: an environment that is off the list has applications.
	RuleEnvironmentInUse = "EnvironmentInUse"
	// RuleForeignBinding: somebody gave people rights past the Tenant.
	RuleForeignBinding = "ForeignBinding"
	// RuleParentMissing: the tenant above does not exist.
	RuleParentMissing = "ParentMissing"
	// RuleRoleUnused: a role is given where the tenant has no environment.
	RuleRoleUnused = "RoleUnused"
	// RuleQuotaUnused: a quota names an environment or pool that the tenant cannot use.
	RuleQuotaUnused = "QuotaUnused"
	// RuleQuotaTwice: two quotas are for the same environment and pool.
	RuleQuotaTwice = "QuotaTwice"
)

// Report tells what was decided and whether it was done.
func Report(before tenancyv1.TenantStatus, generation int64, d Decision, failed error, now time.Time) tenancyv1.TenantStatus {
	status := *before.DeepCopy()
	status.ObservedGeneration = generation
	status.Namespaces, status.Applications, status.InUse = d.Namespaces, d.Applications, d.InUse
	set := func(kind string, holds bool, reason, message string) {
		value := metav1.ConditionFalse
		if holds {
			value = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: kind, Status: value, Reason: reason, Message: message, ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
	switch {
	case failed != nil:
		set(tenancyv1.ConditionReady, false, ReasonArranging, "namespaces and roles are not in place yet: it is tried again, and the server's log says why")
	case len(d.Findings) > 0:
		set(tenancyv1.ConditionReady, false, d.Findings[0].Rule, told(d.Findings))
	default:
		set(tenancyv1.ConditionReady, true, ReasonArranged, "namespaces and roles are in place")
	}
	if len(d.Findings) > 0 {
		set(tenancyv1.ConditionStalled, true, d.Findings[0].Rule, told(d.Findings))
	} else {
		set(tenancyv1.ConditionStalled, false, ReasonArranged, "nobody is needed")
	}
	return status
}

// most is how many findings a condition tells.
const most = 5

// told is the first findings, and how many more there are.
func told(findings []Finding) string {
	var words []string
	for i, finding := range findings {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(findings)-most))
			break
		}
		words = append(words, finding.Message)
	}
	return strings.Join(words, "; ")
}
