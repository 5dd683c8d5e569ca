// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package gate_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval/approvaltest"
)

// person is a Person that a security administrator changes.
type person struct {
	w  *approvaltest.World
	id string
}

func (p *person) change(t *testing.T, change func(*identityv1.Person)) {
	t.Helper()
	made := &identityv1.Person{}
	if err := hub.Client().Get(t.Context(), client.ObjectKey{Name: p.id}, made); err != nil {
		t.Fatal(err)
	}
	before := made.DeepCopy()
	change(made)
	if err := p.w.System.Patch(t.Context(), made, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// alias says that the person stands behind another user name too.
func (p *person) alias(t *testing.T, name string) {
	t.Helper()
	p.change(t, func(made *identityv1.Person) {
		made.Spec.Aliases = append(made.Spec.Aliases, identityv1.Alias{Name: name, Use: identityv1.UseMachine})
	})
}

func (p *person) disable(t *testing.T) {
	t.Helper()
	p.change(t, func(made *identityv1.Person) { made.Spec.State = identityv1.StateDisabled })
}
