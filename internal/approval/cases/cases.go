// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package cases gathers everything that a request is judged by, from the hub
// itself and past every cache: an approval is computed anew at each use.
package cases

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/approval/window"
	"github.com/fairway-cloud/fairway/internal/release"
	"github.com/fairway-cloud/fairway/internal/tenancy"
)

// Logins remembers who logged in when. It is the identity room's.
type Logins interface {
	// Login returns the session of that public id, also one that has ended. found is
	// false for one that never was.
	Login(ctx context.Context, session string) (login approval.Login, found bool, err error)
}

// Reader gathers cases.
type Reader struct {
	// Direct reads past every cache.
	Direct client.Reader
	// People knows who is who, as of now.
	People func(context.Context) (approval.People, error)
	// Logins remembers sessions.
	Logins Logins
	// Now is the clock.
	Now func() time.Time
}

// Class is the class of an environment. One that nobody knows counts as
// production: gates fail closed.
func (r *Reader) Class(ctx context.Context, environment string) (tenancyv1.EnvironmentClass, error) {
	e := &tenancyv1.Environment{}
	err := r.Direct.Get(ctx, client.ObjectKey{Name: environment}, e)
	switch {
	case apierrors.IsNotFound(err):
		return tenancyv1.ClassProduction, nil
	case err != nil:
		return "", fmt.Errorf("could not read environment %q: %w", environment, err)
	}
	return e.Spec.Class, nil
}

// Newest returns the newest request for a Release, or nil.
func (r *Reader) Newest(ctx context.Context, rel *releasev1.Release) (*approvalv1.ApprovalRequest, error) {
	list := &approvalv1.ApprovalRequestList{}
	if err := r.Direct.List(ctx, list, client.InNamespace(rel.Namespace), client.MatchingLabels{approvalv1.LabelSubject: string(rel.UID)}); err != nil {
		return nil, fmt.Errorf("could not read the approval requests for release %q: %w", rel.Name, err)
	}
	var newest *approvalv1.ApprovalRequest
	for i := range list.Items {
		// The label finds it; what counts is what never changes.
		it := &list.Items[i]
		if it.Spec.Subject.UID == string(rel.UID) && it.Spec.Subject.Kind == "Release" && (newest == nil || it.Spec.Number > newest.Spec.Number) {
			newest = it
		}
	}
	return newest, nil
}

// Policies are all that there are.
func (r *Reader) Policies(ctx context.Context) ([]approvalv1.ApprovalPolicy, error) {
	list := &approvalv1.ApprovalPolicyList{}
	if err := r.Direct.List(ctx, list); err != nil {
		return nil, fmt.Errorf("could not read the approval policies: %w", err)
	}
	return list.Items, nil
}

// Of gathers the case of a request for a Release. rel is nil where it is gone;
// digest is that of the plan which is to be carried out.
func (r *Reader) Of(ctx context.Context, request *approvalv1.ApprovalRequest, rel *releasev1.Release, digest string) (approval.Case, error) {
	c := approval.Case{Request: request, Logins: map[string]approval.Login{}, Groups: map[tenancyv1.Role][]string{}}
	var err error
	if c.People, err = r.People(ctx); err != nil {
		return c, fmt.Errorf("could not read who is who: %w", err)
	}
	if c.Subject, err = r.subject(ctx, request, rel, digest); err != nil {
		return c, err
	}
	policies, err := r.Policies(ctx)
	if err != nil {
		return c, err
	}
	facts := approval.FactsOf(request)
	if p := approval.Select(policies, facts); p != nil {
		// A condition that cannot be computed agrees to nothing: the policy then holds for people.
		snapshot, _ := approval.Snapshot(p, facts)
		c.Holds = &snapshot
	}
	if err := r.decisions(ctx, &c); err != nil {
		return c, err
	}
	if err := r.groups(ctx, &c); err != nil {
		return c, err
	}
	// A policy that cannot be read is the judge's matter.
	policy, err := approval.Open(request.Spec.Policy)
	if err != nil {
		return c, nil //nolint:nilerr // Judge says so
	}
	if c.Spent, err = r.spent(ctx, request, policy); err != nil {
		return c, err
	}
	c.Window, err = r.window(ctx, request.Spec.Scope, policy.Window)
	return c, err
}

func (r *Reader) subject(ctx context.Context, request *approvalv1.ApprovalRequest, rel *releasev1.Release, digest string) (approval.Subject, error) {
	if rel == nil {
		return approval.Subject{Gone: true, Digest: digest, UID: request.Spec.Subject.UID}, nil
	}
	s := approval.Subject{UID: string(rel.UID), Digest: digest}
	s.StartedAt, s.StoppedAt, s.EndedAt = at(rel.Status.StartedAt), at(rel.Status.StoppedAt), at(rel.Status.CompletedAt)
	s.Gone = s.StartedAt.IsZero() && release.Over(rel)
	a := &appv1.Application{}
	err := r.Direct.Get(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.Application}, a)
	if client.IgnoreNotFound(err) != nil {
		return s, fmt.Errorf("could not read application %q: %w", rel.Spec.Application, err)
	}
	if err == nil {
		s.State = approval.StateOf(a)
	}
	return s, nil
}

func at(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

func (r *Reader) decisions(ctx context.Context, c *approval.Case) error {
	list := &approvalv1.DecisionList{}
	if err := r.Direct.List(ctx, list, client.InNamespace(c.Request.Namespace)); err != nil {
		return fmt.Errorf("could not read the decisions on request %q: %w", c.Request.Name, err)
	}
	stands := false
	for _, d := range list.Items {
		if d.Spec.Request != c.Request.Name {
			continue
		}
		c.Decisions = append(c.Decisions, d)
		stands = stands || d.Spec.OnBehalfOf != ""
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
	if !stands {
		return nil
	}
	delegations := &approvalv1.DelegationList{}
	if err := r.Direct.List(ctx, delegations); err != nil {
		return fmt.Errorf("could not read the delegations: %w", err)
	}
	c.Delegations = delegations.Items
	return nil
}

// groups reads which groups have which role in the environment now.
func (r *Reader) groups(ctx context.Context, c *approval.Case) error {
	tenant := &tenancyv1.Tenant{}
	err := r.Direct.Get(ctx, client.ObjectKey{Name: c.Request.Spec.Scope.Tenant}, tenant)
	if apierrors.IsNotFound(err) {
		return nil // nobody has a role of a tenant that is not there
	}
	if err != nil {
		return fmt.Errorf("could not read tenant %q: %w", c.Request.Spec.Scope.Tenant, err)
	}
	for _, b := range tenant.Spec.Roles {
		c.Groups[b.Role] = tenancy.GroupsWith(tenant.Spec.Roles, c.Request.Spec.Scope.Environment, b.Role, r.Now())
	}
	return nil
}

// spent counts the acts that a policy's budget has gone to: by what the Releases
// themselves say, since a start is written there before the next one is looked at.
// Who deletes a Release does not win the budget back: what was noted of it counts,
// and where nothing was, that it may have begun.
func (r *Reader) spent(ctx context.Context, request *approvalv1.ApprovalRequest, policy approvalv1.ApprovalPolicySpec) (int32, error) {
	if policy.Automatic == nil || policy.Automatic.Budget == nil || request.Spec.Policy.Standing != approvalv1.StandingAutomatic {
		return 0, nil
	}
	requests := &approvalv1.ApprovalRequestList{}
	if err := r.Direct.List(ctx, requests, client.InNamespace(request.Namespace), client.MatchingLabels{approvalv1.LabelPolicy: request.Spec.Policy.Name}); err != nil {
		return 0, fmt.Errorf("could not count what policy %q has agreed to: %w", request.Spec.Policy.Name, err)
	}
	releases := &releasev1.ReleaseList{}
	if err := r.Direct.List(ctx, releases, client.InNamespace(request.Namespace)); err != nil {
		return 0, fmt.Errorf("could not count what policy %q has agreed to: %w", request.Spec.Policy.Name, err)
	}
	there := map[string]*releasev1.Release{}
	for i := range releases.Items {
		there[string(releases.Items[i].UID)] = &releases.Items[i]
	}
	since := r.Now().Add(-policy.Automatic.Budget.Within.Duration)
	counted := map[string]bool{}
	for i := range requests.Items {
		it := &requests.Items[i]
		if it.Spec.Policy.Standing == approvalv1.StandingAutomatic && began(it, there[it.Spec.Subject.UID], policy).After(since) {
			counted[it.Spec.Subject.UID] = true
		}
	}
	return int32(len(counted)), nil //nolint:gosec // bounded by the Releases of a namespace
}

// began is when the act of a request began; zero: it did not. Of a Release that is
// gone it is what was noted, or else the latest time at which it may have.
func began(request *approvalv1.ApprovalRequest, rel *releasev1.Release, policy approvalv1.ApprovalPolicySpec) time.Time {
	switch {
	case rel != nil:
		return at(rel.Status.StartedAt)
	case request.Status.UsedAt != nil:
		return request.Status.UsedAt.Time
	case meta.IsStatusConditionTrue(request.Status.Conditions, approvalv1.ConditionVoid):
		return time.Time{}
	}
	return approval.ValidUntil(policy, request.CreationTimestamp.Time)
}

// window says whether an act may happen now.
func (r *Reader) window(ctx context.Context, scope approvalv1.Scope, rule *approvalv1.WindowRule) (approval.Window, error) {
	if rule == nil {
		rule = &approvalv1.WindowRule{}
	}
	var calendars approvalv1.ChangeCalendarList
	if len(rule.Calendars) > 0 {
		if err := r.Direct.List(ctx, &calendars); err != nil {
			return approval.Window{}, fmt.Errorf("could not read the change calendars: %w", err)
		}
	}
	var freezes approvalv1.FreezeList
	if rule.Freezes != "Ignored" {
		if err := r.Direct.List(ctx, &freezes); err != nil {
			return approval.Window{}, fmt.Errorf("could not read the freezes: %w", err)
		}
	}
	d := window.Open(window.Named(rule.Calendars, calendars.Items), freezes.Items,
		window.Scope{Environment: scope.Environment, Tenant: scope.Tenant, Application: scope.Application}, r.Now())
	return approval.Window{Open: d.Open, Reason: sentence(d)}, nil
}

func sentence(d window.Decision) string {
	text := strings.Join(d.Reasons, "; ")
	if !d.Open && !d.Next.IsZero() {
		text += ": it may happen from " + d.Next.Format("2006-01-02 15:04 MST") + " on"
	}
	return text
}

// Release reads a Release; nil where it is gone.
func (r *Reader) Release(ctx context.Context, namespace, name string) (*releasev1.Release, error) {
	rel := &releasev1.Release{}
	err := r.Direct.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, rel)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read release %q: %w", name, err)
	}
	return rel, nil
}

// Environment of a hub namespace.
func Environment(namespace string) string {
	_, environment, _ := app.SplitNamespace(namespace)
	return environment
}
