// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
)

// HookPath is where the hub asks about decisions; the token follows it.
const HookPath = "/hooks/decisions/"

// Matter has the hub ask before it takes a decision, however it is made: by JSON or
// YAML, by creating or applying it, through the server or past it.
func Matter() admission.Matter {
	return admission.Matter{
		Name: "decisions.approval.fairway.cloud", Path: HookPath, Groups: []string{approvalv1.GroupVersion.Group}, Resources: []string{"decisions"},
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
	}
}

// Early says why a decision of a person would not count, "" where it would. Whoever
// sees no requests of the namespace learns nothing of them by deciding.
func (d *Desk) Early(ctx context.Context, person identity.Person, decision *approvalv1.Decision) (why string, err error) {
	sees, err := d.Authority.MayRead(ctx, person, decision.Namespace)
	if err != nil || !sees {
		return "", err
	}
	return d.Refusal(ctx, decision)
}

// Judge answers the hub about a decision that is to be stored. It refuses one that
// would not count, and every one while nobody can say.
func (d *Desk) Judge(log *slog.Logger) func(context.Context, *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return func(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		decision := &approvalv1.Decision{}
		if request.Operation != admissionv1.Create || request.Kind.Kind != "Decision" {
			return admission.Pass()
		}
		if err := json.Unmarshal(request.Object.Raw, decision); err != nil {
			return admission.Refused("could not read the decision: it does not have the shape of one")
		}
		decision.Namespace = request.Namespace
		person := identity.Person{ID: request.UserInfo.Username, Groups: request.UserInfo.Groups}
		why, err := d.Early(ctx, person, decision)
		if err != nil {
			log.Error("a decision was refused: nobody can say whether it would count", "actor", person.ID, "request", decision.Namespace+"/"+decision.Spec.Request, "cause", err.Error())
			return admission.Away("could not find out whether the decision would count: try again in a few seconds")
		}
		if why != "" {
			return admission.Refused(fmt.Sprintf("could not decide on request %q: %s. See what is asked, and of whom: fairway approval show %s -n %s",
				decision.Spec.Request, why, decision.Spec.Request, decision.Namespace))
		}
		return admission.Pass()
	}
}
