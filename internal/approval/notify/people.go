// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package notify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
)

// addresses returns the mail addresses of an audience, each once, sorted: those of
// its people, of the people whom the hub knows in its groups, and of its groups'
// mailing lists. Groups that only a login vouches for need a mailing list.
func addresses(ctx context.Context, hub client.Reader, lists map[string][]string, to Audience, tenant, environment string, now time.Time) ([]string, error) {
	var persons identityv1.PersonList
	var mappings identityv1.GroupMappingList
	for _, list := range []client.ObjectList{&persons, &mappings} {
		if err := hub.List(ctx, list); err != nil {
			return nil, fmt.Errorf("could not look up whom to tell: %w", err)
		}
	}
	people := identity.NewPeople(persons.Items, mappings.Items)
	groups := slices.Clone(to.Groups)
	if len(to.Roles) > 0 {
		of := &tenancyv1.Tenant{}
		err := hub.Get(ctx, client.ObjectKey{Name: tenant}, of)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("could not look up whom to tell: %w", err)
		}
		for _, b := range of.Spec.Roles {
			if slices.Contains(to.Roles, b.Role) && (len(b.Environments) == 0 || slices.Contains(b.Environments, environment)) &&
				(b.Expires == nil || now.Before(b.Expires.Time)) {
				groups = append(groups, b.Groups...)
			}
		}
	}
	var ids, out []string
	for _, name := range to.People {
		if id, known := people.Of(name); known {
			ids = append(ids, id)
		}
	}
	for _, g := range groups {
		ids = append(ids, people.Members(g)...)
		out = append(out, lists[g]...)
	}
	for i := range persons.Items {
		p := &persons.Items[i]
		if p.Spec.Mail != "" && slices.Contains(ids, p.Name) && people.Active(p.Name, now) {
			out = append(out, p.Spec.Mail)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
