// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package hooks

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Name of the configuration on the hub.
const Name = "fairway-evidence"

// Configuration has the hub ask at url before every write to the kinds' groups,
// and refuse what nobody answers for. ca signed the server's certificate. The
// server itself writes no admission configuration: whoever installs the hub does.
func Configuration(url string, ca []byte, kinds []httpapi.Kind) *admissionregistrationv1.ValidatingWebhookConfiguration {
	var groups []string
	for _, k := range kinds {
		groups = append(groups, k.Group)
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	fail, equivalent, noneOnDryRun := admissionregistrationv1.Fail, admissionregistrationv1.Equivalent, admissionregistrationv1.SideEffectClassNoneOnDryRun
	all, seconds := admissionregistrationv1.AllScopes, int32(5)
	return &admissionregistrationv1.ValidatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: Name, Labels: map[string]string{"app.kubernetes.io/managed-by": "fairway"}},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:         "evidence.audit.fairway.cloud",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete},
				Rule:       admissionregistrationv1.Rule{APIGroups: groups, APIVersions: []string{"*"}, Resources: []string{"*/*"}, Scope: &all},
			}},
			FailurePolicy: &fail, MatchPolicy: &equivalent, SideEffects: &noneOnDryRun, TimeoutSeconds: &seconds,
			AdmissionReviewVersions: []string{"v1"},
			MatchConditions: []admissionregistrationv1.MatchCondition{{
				Name: "not-fairway-itself", Expression: "!('" + OwnGroup + "' in request.userInfo.groups)",
			}},
		}},
	}
}
