// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package hooks

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Matter has the hub ask before every write to the kinds' groups.
func Matter(kinds []httpapi.Kind) admission.Matter {
	var groups []string
	for _, k := range kinds {
		groups = append(groups, k.Group)
	}
	slices.Sort(groups)
	return admission.Matter{
		Name: "evidence.audit.fairway.cloud", Path: Path, Groups: slices.Compact(groups), Resources: []string{"*/*"}, Records: true,
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete},
	}
}
