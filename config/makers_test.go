// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"errors"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const makers = "app.fairway.cloud/makers"

// The hub writes who made an Application, whatever the request says about it.
func TestMakers(t *testing.T) {
	namespace := namespaceOf(t, "makers", "sit")
	bind(t, namespace, "fairway-developer", "makers-dev")
	as := func(person string) client.Client { return hub.UserClient(t, person, "makers-dev") }
	made := application(namespace, "shop")
	wants := func(reason, want string) {
		t.Helper()
		if err := hub.Client().Get(t.Context(), client.ObjectKeyFromObject(made), made); err != nil {
			t.Fatal(err)
		}
		if got := made.GetAnnotations()[makers]; got != want {
			t.Errorf("%s: makers are %q, want %q", reason, got, want)
		}
	}
	merge := func(person, body string) func() error {
		return func() error {
			return as(person).Patch(t.Context(), made.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(body)))
		}
	}
	// A policy that has just been installed takes a moment: ask as a dry run first.
	allowed(t, func() error {
		trial := application(namespace, "trial")
		if err := as("p-1").Create(t.Context(), trial, client.DryRunAll); err != nil {
			return err
		}
		if trial.GetAnnotations()[makers] != "p-1" {
			return errors.New("no maker is written yet")
		}
		return nil
	})
	forged := made.DeepCopy()
	forged.SetAnnotations(map[string]string{makers: "somebody-else", "kept": "yes"})
	create(t, as("p-1"), forged)
	wants("created in another's name", "p-1")
	if made.GetAnnotations()["kept"] != "yes" {
		t.Error("another annotation was lost")
	}
	owner := func(n int) string { return fmt.Sprintf(`{"spec":{"identity":{"owner":"team-%d"}}}`, n) }
	allowed(t, merge("p-2", owner(2)))
	wants("changed by a second person", "p-1,p-2")
	allowed(t, merge("p-1", owner(3)))
	wants("changed by the first again", "p-1,p-2")
	allowed(t, merge("p-3", `{"metadata":{"labels":{"a":"b"}}}`))
	wants("the spec was left alone", "p-1,p-2")
	allowed(t, merge("p-3", `{"metadata":{"annotations":{"`+makers+`":null}}}`))
	wants("taken off by hand", "p-1,p-2")
	allowed(t, merge("p-3", `{"metadata":{"annotations":{"`+makers+`":"p-9"}},"spec":{"identity":{"owner":"team-4"}}}`))
	wants("forged with a change", "p-1,p-2,p-3")

	applied := application(namespace, "shop")
	applied.SetAnnotations(map[string]string{makers: "p-4"})
	allowed(t, func() error {
		return as("p-4").Apply(t.Context(), client.ApplyConfigurationFromUnstructured(applied.DeepCopy()), client.FieldOwner("p-4"), client.ForceOwnership)
	})
	wants("applied", "p-1,p-2,p-3,p-4")
	applied.SetAnnotations(nil)
	allowed(t, func() error {
		return as("p-4").Apply(t.Context(), client.ApplyConfigurationFromUnstructured(applied.DeepCopy()), client.FieldOwner("p-4"), client.ForceOwnership)
	})
	wants("applied without it", "p-1,p-2,p-3,p-4")
	refused(t, "a person's id may hold no comma", func() error {
		return as("p-5,p-6").Patch(t.Context(), made.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(owner(7))))
	})

	// Fairway itself begins the set anew after a release.
	allowed(t, func() error {
		return system(t).Patch(t.Context(), made.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+makers+`":null}}}`)))
	})
	wants("begun anew", "")
	plain := &unstructured.Unstructured{Object: application(namespace, "plain").Object}
	create(t, as("p-1"), plain)
	if got := plain.GetAnnotations()[makers]; got != "p-1" {
		t.Errorf("an application without annotations has makers %q", got)
	}
}
