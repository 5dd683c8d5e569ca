// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package admission

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Name of the configuration on the hub.
const Name = "fairway"

// OwnGroup is the group of Fairway's own account, about whose writes nobody is asked.
const OwnGroup = "fairway:system"

// Server is where and how the hub reaches the server.
type Server struct {
	// URL such as https://fairway.bank.example:8443, without a path.
	URL string
	// Token that the hub's addresses end with.
	Token string
	// CA signed the server's certificate, PEM.
	CA []byte
}

// Matter is what the hub asks about.
type Matter struct {
	// Name of the webhook, a domain name, and Path of its Door.
	Name, Path string
	// Operations on Resources of the API Groups that it asks about.
	Groups, Resources []string
	Operations        []admissionregistrationv1.OperationType
	// Records says that being asked leaves a record, except in a dry run.
	Records bool
}

// Configuration has the hub ask the server, and refuse what nobody answers for. The
// server itself writes no admission configuration: whoever installs the hub does.
func Configuration(at Server, matters ...Matter) *admissionregistrationv1.ValidatingWebhookConfiguration {
	c := &admissionregistrationv1.ValidatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: Name, Labels: map[string]string{"app.kubernetes.io/managed-by": "fairway"}},
	}
	for _, m := range matters {
		fail, equivalent, effects := admissionregistrationv1.Fail, admissionregistrationv1.Equivalent, admissionregistrationv1.SideEffectClassNone
		if m.Records {
			effects = admissionregistrationv1.SideEffectClassNoneOnDryRun
		}
		all, seconds, url := admissionregistrationv1.AllScopes, int32(5), strings.TrimSuffix(at.URL, "/")+m.Path+at.Token
		c.Webhooks = append(c.Webhooks, admissionregistrationv1.ValidatingWebhook{
			Name:         m.Name,
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: at.CA},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: m.Operations,
				Rule:       admissionregistrationv1.Rule{APIGroups: m.Groups, APIVersions: []string{"*"}, Resources: m.Resources, Scope: &all},
			}},
			FailurePolicy: &fail, MatchPolicy: &equivalent, SideEffects: &effects, TimeoutSeconds: &seconds,
			AdmissionReviewVersions: []string{"v1"},
			MatchConditions: []admissionregistrationv1.MatchCondition{{
				Name: "not-fairway-itself", Expression: "!('" + OwnGroup + "' in request.userInfo.groups)",
			}},
		})
	}
	return c
}
