// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package register

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/rights"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Answer says whether somebody may.
type Answer struct {
	// Person who is asked about, and the groups that were reckoned with.
	Person string   `json:"person"`
	Groups []string `json:"groups"`
	// Allowed says whether he may, and Reason by which role.
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
}

func (r *Register) canI(w http.ResponseWriter, req *http.Request) error {
	q, err := r.question(req)
	if err != nil {
		return err
	}
	person := who(req)
	if other := req.URL.Query().Get("person"); other != "" && other != person.ID {
		if person, err = r.other(req, other); err != nil {
			return err
		}
	}
	allowed, reason, err := r.may(req.Context(), person, q)
	if err != nil {
		return err
	}
	if reason == "" {
		reason = "no role of the person's lets it"
	}
	return answer(w, Answer{Person: person.ID, Groups: append([]string{}, person.Groups...), Allowed: allowed, Reason: reason})
}

// other is somebody else, with the groups that his Person gives. Whoever may not read
// the person is answered as if there were none.
func (r *Register) other(req *http.Request, id string) (identity.Person, error) {
	missing := httpapi.NewProblem(httpapi.CodeNotFound, "could not find person %q", identity.Shown(id, 64))
	allowed, err := r.mayPeople(req.Context(), who(req), "get", id)
	if err != nil || !allowed {
		return identity.Person{}, orMissing(err, missing)
	}
	people, err := r.People(req.Context())
	if err != nil {
		return identity.Person{}, httpapi.NewProblem(httpapi.CodeUnavailable, "could not look the person up now").Because(err)
	}
	if !slices.Contains(people.IDs(), id) {
		return identity.Person{}, missing
	}
	return identity.Person{ID: id, Groups: people.Groups(id)}, nil
}

func orMissing(err error, missing *httpapi.Problem) error {
	if err != nil {
		return err
	}
	return missing
}

// Holder is a group or user that may, with the people in it.
type Holder struct {
	// Kind is Group, User or ServiceAccount, and Name names it.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Role that lets it, and the binding that gives the role.
	Role    string `json:"role"`
	Binding string `json:"binding"`
	// People whose Person gives the group, those who can come in now.
	People []Named `json:"people"`
}

// Named is a person.
type Named struct {
	// ID of the person, and his name for those who may read it.
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

func (r *Register) whoCan(w http.ResponseWriter, req *http.Request) error {
	q, err := r.question(req)
	if err != nil {
		return err
	}
	if err := r.mayAskHere(req, q); err != nil {
		return err
	}
	seen, err := r.rbac(req.Context(), q.Namespace)
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look roles up now").Because(err)
	}
	people, err := r.People(req.Context())
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not look people up now").Because(err)
	}
	names, err := r.mayPeople(req.Context(), who(req), "list", "")
	if err != nil {
		return err
	}
	now := time.Now()
	items := []Holder{}
	for _, h := range rights.WhoCan(q, seen) {
		shown := Holder{Kind: h.Kind, Name: h.Name, Role: h.Role, Binding: h.Binding, People: []Named{}}
		for _, id := range people.IDs() {
			in := h.Kind == rbacv1.GroupKind && slices.Contains(people.Groups(id), h.Name) || h.Kind == rbacv1.UserKind && people.Same(id, h.Name)
			if !in || !people.Active(id, now) {
				continue
			}
			one := Named{ID: id}
			if names {
				one.Name = people.Name(id)
			}
			shown.People = append(shown.People, one)
		}
		items = append(items, shown)
	}
	return answer(w, map[string]any{"items": items})
}

// mayAskHere lets those ask who have a role where they ask about. Others are answered
// as if the namespace were not there.
func (r *Register) mayAskHere(req *http.Request, q rights.Question) error {
	if q.Namespace == "" {
		allowed, _, err := r.may(req.Context(), who(req), rights.Question{Verb: "list", Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"})
		if err == nil && !allowed {
			return httpapi.NewProblem(httpapi.CodeDenied, "could not list who may everywhere: that is for the platform's administrators").
				WithNext("Name a namespace of yours.")
		}
		return err
	}
	for _, ask := range []rights.Question{
		{Verb: "list", Group: "app.fairway.cloud", Resource: "applications", Namespace: q.Namespace},
		{Verb: "list", Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Namespace: q.Namespace},
	} {
		allowed, _, err := r.may(req.Context(), who(req), ask)
		if err != nil || allowed {
			return err
		}
	}
	return httpapi.NewProblem(httpapi.CodeNotFound, "could not find namespace %q", identity.Shown(q.Namespace, 64))
}

// rbac reads the hub's roles and who has them.
func (r *Register) rbac(ctx context.Context, namespace string) (rights.Seen, error) {
	clusterRoles, clusterBindings, roles, bindings := &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}, &rbacv1.RoleList{}, &rbacv1.RoleBindingList{}
	lists := []client.ObjectList{clusterRoles, clusterBindings}
	if namespace != "" {
		lists = append(lists, roles, bindings)
	}
	for i, list := range lists {
		var options []client.ListOption
		if i >= 2 {
			options = append(options, client.InNamespace(namespace))
		}
		if err := r.Hub.List(ctx, list, options...); err != nil {
			return rights.Seen{}, fmt.Errorf("could not list the %T: %w", list, err)
		}
	}
	return rights.Seen{ClusterRoles: clusterRoles.Items, ClusterRoleBindings: clusterBindings.Items, Roles: roles.Items, RoleBindings: bindings.Items}, nil
}

func (r *Register) policies(w http.ResponseWriter, req *http.Request) error {
	allowed, _, err := r.may(req.Context(), who(req), rights.Question{Verb: "list", Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicies"})
	if err != nil {
		return err
	}
	if !allowed {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not show the hub's policies: that is for the platform's administrators")
	}
	state := r.Policies()
	differences := []string{}
	for _, d := range state.Differences {
		differences = append(differences, d.String())
	}
	shown := map[string]any{"whole": state.Whole, "reason": state.Reason, "differences": differences}
	if !state.Since.IsZero() {
		shown["since"] = state.Since.UTC().Format(time.RFC3339)
	}
	return answer(w, shown)
}
