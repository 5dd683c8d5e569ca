// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package amendments proposes changes of who is who, gathers what they are judged by from
// the hub itself and past every cache, and carries out what two people agreed to.
package amendments

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
)

// Logins remembers who logged in when.
type Logins interface {
	// Login returns the session of that public id, also one that has ended. found is
	// false for one that never was.
	Login(ctx context.Context, session string) (login identity.Login, found bool, err error)
}

// Proofs says whether the server made what the hub holds, for the person whom it names:
// why not, "" where it did. An error means that it could not find out.
type Proofs interface {
	Amendment(ctx context.Context, a *identityv1.Amendment) (why string, err error)
	Confirmation(ctx context.Context, c *identityv1.Confirmation) (why string, err error)
}

// Reader gathers cases.
type Reader struct {
	// Direct reads past every cache.
	Direct client.Reader
	// Logins remembers sessions, and Proofs knows what the server made.
	Logins Logins
	Proofs Proofs
	// Now is the clock.
	Now func() time.Time
}

// Case gathers what an Amendment is judged by now.
func (r *Reader) Case(ctx context.Context, a *identityv1.Amendment) (identity.AmendmentCase, error) {
	c := identity.AmendmentCase{Amendment: a, Logins: map[string]identity.Login{}, Proofs: map[string]string{}}
	var err error
	if c.People, err = r.people(ctx); err != nil {
		return c, err
	}
	said := &identityv1.ConfirmationList{}
	if err := r.Direct.List(ctx, said); err != nil {
		return c, fmt.Errorf("could not read the confirmations of amendment %q: %w", a.Name, err)
	}
	if c.Proofs[identity.ProofOf("Amendment", a.Name)], err = r.Proofs.Amendment(ctx, a); err != nil {
		return c, fmt.Errorf("could not find out whether amendment %q was made by the server: %w", a.Name, err)
	}
	sessions := []string{a.Spec.Session}
	for _, s := range said.Items {
		if s.Spec.Amendment == a.Name {
			c.Confirmations = append(c.Confirmations, s)
			sessions = append(sessions, s.Spec.Session)
			if c.Proofs[identity.ProofOf("Confirmation", s.Name)], err = r.Proofs.Confirmation(ctx, &s); err != nil {
				return c, fmt.Errorf("could not find out whether confirmation %q was made by the server: %w", s.Name, err)
			}
		}
	}
	for _, session := range sessions {
		if err := r.Know(ctx, &c, session); err != nil {
			return c, err
		}
	}
	return c, nil
}

// Know brings a login into a case.
func (r *Reader) Know(ctx context.Context, c *identity.AmendmentCase, session string) error {
	if _, known := c.Logins[session]; known || session == "" {
		return nil
	}
	login, found, err := r.Logins.Login(ctx, session)
	if err != nil {
		return fmt.Errorf("could not find out who speaks of amendment %q: %w", c.Amendment.Name, err)
	}
	if found {
		c.Logins[session] = login
	}
	return nil
}

// people are everybody, as the hub has them now.
func (r *Reader) people(ctx context.Context) (*identity.People, error) {
	persons, mappings := &identityv1.PersonList{}, &identityv1.GroupMappingList{}
	if err := r.Direct.List(ctx, persons); err != nil {
		return nil, fmt.Errorf("could not read who is who: %w", err)
	}
	if err := r.Direct.List(ctx, mappings); err != nil {
		return nil, fmt.Errorf("could not read what groups mean: %w", err)
	}
	return identity.NewPeople(persons.Items, mappings.Items), nil
}

// gvk of a guarded kind.
func gvk(g identity.Guarded) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: g.Group, Version: g.Version, Kind: g.Kind}
}

// object reads an object of a guarded kind; nil where there is none.
func object(ctx context.Context, from client.Reader, g identity.Guarded, name string) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(gvk(g))
	err := from.Get(ctx, client.ObjectKey{Name: name}, o)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read %s %q: %w", g.Kind, name, err)
	}
	return o, nil
}
