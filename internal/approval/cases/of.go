// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cases

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

// file is what a request is judged by whatever it says: the namespace and the Release
// tell where it lies.
type file struct {
	people      approval.People
	application *appv1.Application // nil: there is none, or nobody needs it
	policies    []approvalv1.ApprovalPolicy
	decisions   []approvalv1.Decision
	tenant      *tenancyv1.Tenant // nil: there is none
	freezes     []approvalv1.Freeze
}

// Of gathers the case of a request for a Release. rel is nil where it is gone;
// digest is that of the plan which is to be carried out.
func (r *Reader) Of(ctx context.Context, request *approvalv1.ApprovalRequest, rel *releasev1.Release, digest string) (approval.Case, error) {
	f := &file{}
	group, within := errgroup.WithContext(ctx)
	r.open(within, group, f, request.Namespace, request.Name, rel)
	if err := group.Wait(); err != nil {
		return approval.Case{}, err
	}
	return r.put(ctx, f, request, rel, digest)
}

// Asked reads a Release and the newest request for it; nil where they are not there.
func (r *Reader) Asked(ctx context.Context, namespace, name string) (rel *releasev1.Release, request *approvalv1.ApprovalRequest, err error) {
	var all []*approvalv1.ApprovalRequest
	group, within := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		rel, err = r.Release(within, namespace, name)
		return err
	})
	group.Go(func() (err error) {
		all, err = r.requests(within, namespace, name)
		return err
	})
	if err := group.Wait(); err != nil || rel == nil {
		return nil, nil, err
	}
	return rel, newest(all, rel), nil
}

// open has a file read, all of it at the same time.
func (r *Reader) open(ctx context.Context, group *errgroup.Group, f *file, namespace, request string, rel *releasev1.Release) {
	group.Go(func() (err error) {
		if f.people, err = r.People(ctx); err != nil {
			return fmt.Errorf("could not read who is who: %w", err)
		}
		return nil
	})
	group.Go(func() (err error) {
		f.decisions, err = r.decisions(ctx, namespace, request)
		return err
	})
	group.Go(func() (err error) {
		tenant, _, _ := app.SplitNamespace(namespace)
		f.tenant, err = found(ctx, r.Direct, client.ObjectKey{Name: tenant}, &tenancyv1.Tenant{})
		return err
	})
	group.Go(func() error {
		list := &approvalv1.FreezeList{}
		if err := r.Direct.List(ctx, list); err != nil {
			return fmt.Errorf("could not read the freezes: %w", err)
		}
		f.freezes = list.Items
		return nil
	})
	if rel == nil || rel.Status.StartedAt != nil {
		return // an edit, or another policy, changes nothing of a plan that has begun
	}
	group.Go(func() (err error) {
		f.application, err = found(ctx, r.Direct, client.ObjectKey{Namespace: namespace, Name: rel.Spec.Application}, &appv1.Application{})
		return err
	})
	group.Go(func() (err error) {
		f.policies, err = r.Policies(ctx)
		return err
	})
}

// found reads one object; nil where it is not there.
func found[T client.Object](ctx context.Context, from client.Reader, key client.ObjectKey, into T) (none T, err error) {
	err = from.Get(ctx, key, into)
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("could not read %T %q: %w", into, key.Name, err)
	}
	return into, nil
}

// put makes the case of a request from its file, and reads what only some need.
func (r *Reader) put(ctx context.Context, f *file, request *approvalv1.ApprovalRequest, rel *releasev1.Release, digest string) (approval.Case, error) {
	c := approval.Case{Request: request, People: f.people, Logins: map[string]approval.Login{}, Groups: map[tenancyv1.Role][]string{}}
	c.Subject = subject(f, request, rel, digest)
	facts := approval.FactsOf(request)
	if p := approval.Select(f.policies, facts); p != nil {
		// A condition that cannot be computed agrees to nothing: the policy then holds for people.
		snapshot, _ := approval.Snapshot(p, facts)
		c.Holds = &snapshot
	}
	c.Decisions = slices.DeleteFunc(f.decisions, func(d approvalv1.Decision) bool { return d.Spec.Request != request.Name })
	if f.tenant != nil && f.tenant.Name == request.Spec.Scope.Tenant { // else nobody has a role there
		for _, b := range f.tenant.Spec.Roles {
			c.Groups[b.Role] = tenancy.GroupsWith(f.tenant.Spec.Roles, request.Spec.Scope.Environment, b.Role, r.Now())
		}
	}
	// A policy that cannot be read is the judge's matter.
	policy, unread := approval.Open(request.Spec.Policy)
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return r.logins(within, &c) })
	if slices.ContainsFunc(c.Decisions, func(d approvalv1.Decision) bool { return d.Spec.OnBehalfOf != "" }) {
		group.Go(func() (err error) {
			c.Delegations, err = r.Delegations(within)
			return err
		})
	}
	if unread == nil {
		if c.Subject.StartedAt.IsZero() {
			group.Go(func() (err error) {
				c.Spent, err = r.spent(within, request, policy)
				return err
			})
		}
		group.Go(func() (err error) {
			c.Window, err = r.window(within, request.Spec.Scope, policy.Window, f.freezes)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return c, err
	}
	return c, r.Prove(ctx, &c)
}

func subject(f *file, request *approvalv1.ApprovalRequest, rel *releasev1.Release, digest string) approval.Subject {
	if rel == nil {
		// What was noted of it stays: whoever clears a Release away does not clear away what is owed for it.
		noted := request.Status
		return approval.Subject{Gone: true, Digest: digest, UID: request.Spec.Subject.UID, StartedAt: at(noted.UsedAt), EndedAt: at(noted.EndedAt)}
	}
	s := approval.Subject{UID: string(rel.UID), Digest: digest}
	s.StartedAt, s.StoppedAt, s.EndedAt = at(rel.Status.StartedAt), at(rel.Status.StoppedAt), at(rel.Status.CompletedAt)
	s.Gone = s.StartedAt.IsZero() && release.Over(rel)
	if f.application != nil {
		s.State = approval.StateOf(f.application)
	}
	return s
}

func at(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// byRequest is the field by which the hub finds the decisions on a request; nobody
// hides one from it, as he could from a label.
const byRequest = "spec.request"

// Index lets a cache find the decisions on a request. One that is read from through a
// Reader needs it.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &approvalv1.Decision{}, byRequest, func(o client.Object) []string {
		return []string{o.(*approvalv1.Decision).Spec.Request}
	})
}

// decisions on a request. A hub before Kubernetes 1.31 finds them by no field, and
// answers with those of the whole namespace.
func (r *Reader) decisions(ctx context.Context, namespace, request string) ([]approvalv1.Decision, error) {
	list := &approvalv1.DecisionList{}
	err := r.Direct.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{byRequest: request})
	if apierrors.IsBadRequest(err) {
		err = r.Direct.List(ctx, list, client.InNamespace(namespace))
	}
	if err != nil {
		return nil, fmt.Errorf("could not read the decisions on request %q: %w", request, err)
	}
	return list.Items, nil
}

// logins finds out in which login each decision was made.
func (r *Reader) logins(ctx context.Context, c *approval.Case) error {
	for _, d := range c.Decisions {
		if _, known := c.Logins[d.Spec.Session]; known || d.Spec.Session == "" {
			continue
		}
		login, found, err := r.Logins.Login(ctx, d.Spec.Session)
		if err != nil {
			return fmt.Errorf("could not find out who decided on request %q: %w", c.Request.Name, err)
		}
		if found {
			c.Logins[d.Spec.Session] = login
		}
	}
	return nil
}

// Delegations are all that there are.
func (r *Reader) Delegations(ctx context.Context) ([]approvalv1.Delegation, error) {
	list := &approvalv1.DelegationList{}
	if err := r.Direct.List(ctx, list); err != nil {
		return nil, fmt.Errorf("could not read the delegations: %w", err)
	}
	return list.Items, nil
}
