// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Question asks whether a person may do something on the hub.
type Question struct {
	Verb, Group, Resource, Subresource string
	// Namespace that is asked about. Empty: all of them.
	Namespace, Name string
}

// Authority answers from the hub's RBAC.
type Authority interface {
	May(ctx context.Context, person identity.Person, q Question) (bool, error)
}

// reviewAge is how long an answer is believed: a right that is taken away is
// gone after at most this long.
const reviewAge = 5 * time.Second

// mostReviews bounds the answers that are kept.
const mostReviews = 20000

// Reviews is the Authority that asks the hub with SubjectAccessReviews and
// believes each answer for at most 5 seconds.
type Reviews struct {
	client authorizationclient.SubjectAccessReviewInterface
	now    func() time.Time

	mu      sync.Mutex
	answers map[string]review
}

type review struct {
	allowed bool
	until   time.Time
}

// NewReviews asks the hub through client.
func NewReviews(client authorizationclient.SubjectAccessReviewInterface) *Reviews {
	return &Reviews{client: client, now: time.Now, answers: map[string]review{}}
}

// May implements Authority. It fails where the hub does not answer; callers refuse then.
func (r *Reviews) May(ctx context.Context, person identity.Person, q Question) (bool, error) {
	groups := slices.Clone(person.Groups)
	slices.Sort(groups)
	key := strings.Join(append([]string{person.ID, q.Verb, q.Group, q.Resource, q.Subresource, q.Namespace, q.Name}, groups...), "\x00")
	now := r.now()
	r.mu.Lock()
	known, ok := r.answers[key]
	r.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.allowed, nil
	}
	answer, err := r.client.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: person.ID,
		// Impersonated calls get this group from the API server too.
		Groups: append(groups, "system:authenticated"),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: q.Verb, Group: q.Group, Version: "*", Resource: q.Resource, Subresource: q.Subresource, Namespace: q.Namespace, Name: q.Name,
		},
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, httpapi.NewProblem(httpapi.CodeUnavailable, "the hub does not say what you may see").
			Because(fmt.Errorf("could not review access: %w", err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.answers) >= mostReviews {
		clear(r.answers)
	}
	r.answers[key] = review{allowed: answer.Status.Allowed, until: now.Add(reviewAge)}
	return answer.Status.Allowed, nil
}

// scope is the set of namespaces that a person may list in.
type scope struct {
	all bool
	ask func(namespace string) (bool, error)
	// known answers of this request.
	known map[string]bool
}

// scopeOf finds out what the person may list. namespace "" asks for all.
func scopeOf(ctx context.Context, a Authority, person identity.Person, q Question) (*scope, error) {
	s := &scope{known: map[string]bool{}, ask: func(namespace string) (bool, error) {
		one := q
		one.Namespace = namespace
		return a.May(ctx, person, one)
	}}
	everywhere := q
	everywhere.Namespace = ""
	all, err := a.May(ctx, person, everywhere)
	if err != nil {
		return nil, err
	}
	s.all = all
	return s, nil
}

// sees says whether objects of the namespace are shown.
func (s *scope) sees(namespace string) (bool, error) {
	if s.all {
		return true, nil
	}
	if allowed, ok := s.known[namespace]; ok {
		return allowed, nil
	}
	allowed, err := s.ask(namespace)
	if err != nil {
		return false, err
	}
	s.known[namespace] = allowed
	return allowed, nil
}
