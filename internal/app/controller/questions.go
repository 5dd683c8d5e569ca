// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
)

// Questions answers about applications that are not stored, or not yet: they change nothing.
type Questions struct {
	// Hub reads the bank's own objects.
	Hub client.Reader
	// Resolver asks registries.
	Resolver app.Resolver
	// Now is the clock. Default: the machine's.
	Now func() time.Time
}

// Findings is the answer to Check.
type Findings struct {
	Findings []appv1.Finding `json:"findings"`
	// NotCarriedOut are fields that this version stores and does not carry out.
	NotCarriedOut []appv1.NotCarriedOut `json:"notCarriedOut,omitempty"`
}

// Changes is the answer to Diff.
type Changes struct {
	// Against is the Revision compared with; empty where nothing was released.
	Against string       `json:"against,omitempty"`
	Changes []app.Change `json:"changes"`
}

// Check runs the go-live checks over an application. An image that the registry does not
// have is a finding; a registry that does not answer is one too, and judges nothing else.
func (q Questions) Check(ctx context.Context, a *appv1.Application) (Findings, error) {
	world, failed := observe(ctx, q.Hub, a, q.now())
	if failed != nil {
		return answer(a, failed, nil)
	}
	facts, failed := resolve(ctx, q.Resolver, a)
	world.Images = facts
	return answer(a, failed, app.Check(a, world))
}

func answer(a *appv1.Application, failed *refusal, findings []appv1.Finding) (Findings, error) {
	if failed != nil && failed.err != nil && failed.reason != appv1.ReasonRegistryUnreachable {
		return Findings{}, failed.err
	}
	if failed != nil {
		findings = append(findings, appv1.Finding{Severity: appv1.SeverityError, Rule: failed.reason, Message: failed.message})
	}
	if findings == nil {
		findings = []appv1.Finding{}
	}
	return Findings{Findings: findings, NotCarriedOut: app.NotCarriedOut(a.Spec)}, nil
}

// Diff says what a Release of an application would change against what was released last.
func (q Questions) Diff(ctx context.Context, a *appv1.Application) (Changes, error) {
	world, failed := observe(ctx, q.Hub, a, q.now())
	if failed != nil {
		return Changes{}, failed.asError()
	}
	facts, failed := resolve(ctx, q.Resolver, a)
	if failed != nil {
		return Changes{}, failed.asError()
	}
	world.Images = facts
	digests := map[string]string{}
	for image, fact := range facts {
		digests[image] = fact.Digest
	}
	frozen, err := app.Freeze(a, digests, world)
	if err != nil {
		return Changes{}, err
	}
	out := Changes{Changes: []app.Change{}}
	var before app.Content
	stored := &appv1.Application{}
	err = q.Hub.Get(ctx, client.ObjectKeyFromObject(a), stored)
	if client.IgnoreNotFound(err) != nil {
		return Changes{}, fmt.Errorf("could not read application %q: %w", a.Name, err)
	}
	if out.Against = stored.Status.ReleasedRevision; out.Against != "" {
		revision := &appv1.Revision{}
		if err := q.Hub.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: out.Against}, revision); err != nil {
			if apierrors.IsNotFound(err) {
				return Changes{}, fmt.Errorf("could not compare with revision %q, which was released: it is gone", out.Against)
			}
			return Changes{}, fmt.Errorf("could not read revision %q: %w", out.Against, err)
		}
		if before, err = app.Open(revision); err != nil {
			return Changes{}, err
		}
	}
	changes, err := app.Diff(before, frozen.Content)
	if err != nil {
		return Changes{}, err
	}
	out.Changes = append(out.Changes, changes...)
	return out, nil
}

// Draft freezes an application that need not be stored, so that it can be placed for a
// trial. Notes say what the draft does not know: findings of the go-live checks that
// would prevent a Revision, and images that could not be looked up, which then count as
// running on any processor.
func (q Questions) Draft(ctx context.Context, a *appv1.Application) (content app.Content, notes []string, err error) {
	world, failed := observe(ctx, q.Hub, a, q.now())
	if failed != nil {
		return content, nil, failed.asError()
	}
	facts, failed := resolve(ctx, q.Resolver, a)
	if failed != nil {
		notes = append(notes, failed.message+"; until then it counts as running on any processor")
	}
	world.Images = facts
	for _, f := range app.Check(a, world) {
		if f.Severity == appv1.SeverityError {
			notes = append(notes, fmt.Sprintf("%s would keep it from a release: %s", f.Rule, f.Message))
		}
	}
	digests := map[string]string{}
	for _, image := range app.Images(a.Spec) {
		if digests[image] = facts[image].Digest; digests[image] == "" && !strings.Contains(image, "@") {
			digests[image] = unknownDigest
		}
	}
	frozen, err := app.Freeze(a, digests, world)
	return frozen.Content, notes, err
}

// unknownDigest stands for the digest of an image that could not be looked up.
var unknownDigest = "sha256:" + strings.Repeat("0", 64)

func (f *refusal) asError() error {
	if f.err != nil {
		return fmt.Errorf("%s: %w", f.message, f.err)
	}
	return errors.New(f.message)
}

func (q Questions) now() time.Time {
	if q.Now == nil {
		return time.Now()
	}
	return q.Now()
}
