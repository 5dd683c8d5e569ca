// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Prover makes proofs. It is package proof's Keys.
type Prover interface {
	ProveDecision(ctx context.Context, d *approvalv1.Decision) error
	ProveDelegation(ctx context.Context, d *approvalv1.Delegation) error
}

// Prove returns what puts a proof into a Decision or a Delegation that the person of a
// context is about to make, complete but for that. It proves only what he says himself,
// with groups of his, in the login in which he asks; the hub refuses the rest. A
// machine delegates nothing.
func Prove(by Prover) func(ctx context.Context, kind string, object map[string]any) error {
	return func(ctx context.Context, kind string, object map[string]any) error {
		person, known := identity.FromContext(ctx)
		if name, _, _ := unstructured.NestedString(object, "metadata", "name"); !known || name == "" {
			return nil // the hub says that it needs a name
		}
		switch kind {
		case "Decision":
			d := &approvalv1.Decision{}
			if err := readInto(d, object); err != nil {
				return err
			}
			if d.Spec.Author != person.ID || d.Spec.Session == "" || d.Spec.Session != person.Session || !within(d.Spec.Groups, person.Groups) {
				return nil
			}
			if err := by.ProveDecision(ctx, d); err != nil {
				return unproven(kind, err)
			}
			return unstructured.SetNestedField(object, d.Spec.Proof, "spec", "proof")
		case "Delegation":
			d := &approvalv1.Delegation{}
			if err := readInto(d, object); err != nil {
				return err
			}
			if d.Spec.Principal != person.ID || !within(d.Spec.Groups, person.Groups) {
				return nil
			}
			if person.Machine != "" || person.Session == "" {
				return httpapi.NewProblem(httpapi.CodeDenied, "could not delegate: a person does so in a login, and a machine does not").
					WithNext("Log in, and delegate there.")
			}
			if err := by.ProveDelegation(ctx, d); err != nil {
				return unproven(kind, err)
			}
			return unstructured.SetNestedField(object, d.Spec.Proof, "spec", "proof")
		}
		return nil
	}
}

func readInto(typed client.Object, object map[string]any) error {
	raw, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("could not read the object: %w", err)
	}
	if err := json.Unmarshal(raw, typed); err != nil {
		return httpapi.NewProblem(httpapi.CodeInvalid, "could not read the object: it does not have the shape of its kind: %v", err)
	}
	return nil
}

func unproven(kind string, err error) error {
	return httpapi.NewProblem(httpapi.CodeUnavailable, "could not prove the %s now", kind).Because(err)
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}
