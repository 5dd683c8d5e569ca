// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package hooked lists all that the hub asks the server about before it stores it.
package hooked

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/fairway-cloud/fairway/config"
	desk "github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/audit/hooks"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Configuration has the hub ask a server: it is what whoever installs the hub applies,
// and what the server compares the hub with.
func Configuration(at admission.Server) (*admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	kinds, err := httpapi.Kinds(config.CRDs)
	if err != nil {
		return nil, err
	}
	return admission.Configuration(at, hooks.Matter(kinds), desk.Matter()), nil
}
