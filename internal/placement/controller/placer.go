// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/release"
)

// LabelRelease names, from its creation on, the Release that a Placement was made
// for. A Release that was interrupted finds its Placement by it.
const LabelRelease = "placement.fairway.cloud/release"

// DefaultExpiry is how long a Placement without a Release holds its room.
const DefaultExpiry = time.Hour

// Placer places Revisions for Releases. One at a time: what one decision reserves
// the next one sees.
type Placer struct {
	// Hub reads the fleet and writes Placements.
	Hub client.Client
	// Direct reads Placements past every cache.
	Direct client.Reader
	Clock  clock.PassiveClock
	// Expiry of a Placement that no Release uses. 0: DefaultExpiry.
	Expiry time.Duration

	mu sync.Mutex
}

var _ release.Placer = &Placer{}

// Place implements release.Placer.
func (p *Placer) Place(ctx context.Context, r *releasev1.Release, revision *appv1.Revision) (*placementv1.Placement, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	now := p.Clock.Now()
	w, err := observed.Read(ctx, p.Hub, p.Direct)
	if err != nil {
		return nil, err
	}
	held := w.Of(r.Namespace, r.Spec.Application, now)
	for i := range held {
		if found := &held[i]; madeFor(found, r) && found.Spec.Revision == revision.Name {
			return found, p.use(ctx, found, r.Name)
		}
	}
	decision, by, err := p.decide(ctx, w, r, revision, held, now)
	if err != nil {
		return nil, err
	}
	if decision.Refused {
		return nil, &release.Refusal{Reason: releasev1.ReasonNotPlaced, Message: lacks(decision)}
	}
	made, err := p.store(ctx, r, revision, decision, by, now)
	if err != nil {
		return nil, err
	}
	return made, p.use(ctx, made, r.Name)
}

// madeFor reports whether a Placement was made for a Release. Its status says so;
// before the status could be written, its label does.
func madeFor(p *placementv1.Placement, r *releasev1.Release) bool {
	return p.Status.Release == r.Name || p.Status.Release == "" && p.Labels[LabelRelease] == r.Name
}

func (p *Placer) decide(ctx context.Context, w observed.World, r *releasev1.Release, revision *appv1.Revision, held []placementv1.Placement, now time.Time) (placement.Decision, placementv1.DecidedBy, error) {
	content, err := app.Open(revision)
	if err != nil {
		return placement.Decision{}, placementv1.DecidedBy{}, &release.Refusal{Reason: releasev1.ReasonBadPlan, Message: err.Error()}
	}
	var tenant tenancyv1.Tenant
	if err := p.Hub.Get(ctx, client.ObjectKey{Name: content.Tenant}, &tenant); err != nil {
		return placement.Decision{}, placementv1.DecidedBy{}, fmt.Errorf("could not read tenant %q: %w", content.Tenant, err)
	}
	snapshot := w.Snapshot(now)
	request := observed.RequestOf(content, r.Namespace+"/"+r.Spec.Application, &tenant, snapshot.Pools, held)
	policy, by, err := w.Policy(content.Environment)
	if err != nil {
		return placement.Decision{}, by, err
	}
	policy.Explain = true
	return placement.Place(snapshot, []placement.Request{request}, policy)[0], by, nil
}

// lacks says what a refused decision lacks.
func lacks(d placement.Decision) string {
	var parts []string
	for _, r := range d.Reasons {
		if r.Refusal {
			parts = append(parts, fmt.Sprintf("component %s in %s: %s", r.Component, r.DCN, r.Message))
		}
	}
	return bounded(strings.Join(parts, "; "), 16<<10)
}

// store writes the decision as a Placement. The same decision has the same name.
func (p *Placer) store(ctx context.Context, r *releasev1.Release, revision *appv1.Revision, d placement.Decision, by placementv1.DecidedBy, now time.Time) (*placementv1.Placement, error) {
	spec, err := specOf(r.Spec.Application, revision.Name, d, by)
	if err != nil {
		return nil, err
	}
	spec.ExpiresAt = metav1.NewTime(now.Add(cmp.Or(p.Expiry, DefaultExpiry)).Truncate(time.Second))
	made := &placementv1.Placement{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Namespace, Name: spec.Application + "-" + canonical.Short(spec.Digest, 10),
			Labels: map[string]string{LabelRelease: r.Name, appv1.LabelApplication: spec.Application},
		},
		Spec: spec,
	}
	err = p.Hub.Create(ctx, made)
	if !apierrors.IsAlreadyExists(err) {
		return made, err
	}
	// The same decision was made before, for an earlier Release.
	var found placementv1.Placement
	if err := p.Direct.Get(ctx, client.ObjectKeyFromObject(made), &found); err != nil {
		return nil, fmt.Errorf("could not read placement %q: %w", made.Name, err)
	}
	if found.Spec.Digest != spec.Digest || !found.DeletionTimestamp.IsZero() {
		return nil, fmt.Errorf("could not store the placement: %q exists with another digest or is being deleted; it is tried again", made.Name)
	}
	before := found.DeepCopy()
	if found.Labels == nil {
		found.Labels = map[string]string{}
	}
	found.Labels[LabelRelease] = r.Name
	return &found, p.Hub.Patch(ctx, &found, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// specOf is the decision as it is stored, without its expiry.
func specOf(application, revision string, d placement.Decision, by placementv1.DecidedBy) (placementv1.PlacementSpec, error) {
	spec := placementv1.PlacementSpec{Application: application, Revision: revision, Policy: &by, Assignments: []placementv1.Assignment{}}
	for _, a := range d.Assignments {
		one := placementv1.Assignment{
			Component: a.Component, Template: a.Template, Cell: placementv1.Cell(a.Cell), Block: a.Block,
			Seats: append([]int32{}, a.Seats...), Hosts: append([]string{}, a.Hosts...),
			CPU:    *resource.NewMilliQuantity(a.Size.CPU, resource.DecimalSI),
			Memory: *resource.NewQuantity(a.Size.Memory, resource.BinarySI), Architectures: a.Archs,
		}
		if a.OnePerHost {
			one.MaxPerHost = 1
		}
		spec.Assignments = append(spec.Assignments, one)
	}
	digest, err := canonical.DigestOf(map[string]any{"application": application, "revision": revision, "assignments": spec.Assignments, "policy": by})
	if err != nil {
		return spec, fmt.Errorf("could not digest the placement of %q: %w", application, err)
	}
	spec.Digest = digest
	for _, r := range d.Reasons {
		spec.Reasons = append(spec.Reasons, placementv1.Reason{Component: r.Component, DCN: r.DCN, Rule: r.Rule, Message: bounded(r.Message, 1024)})
	}
	return spec, nil
}

// use marks a Placement as used by a Release.
func (p *Placer) use(ctx context.Context, made *placementv1.Placement, by string) error {
	before := made.DeepCopy()
	made.Status.Release = by
	changed := meta.SetStatusCondition(&made.Status.Conditions, metav1.Condition{
		Type: placementv1.ConditionReserved, Status: metav1.ConditionTrue, Reason: placementv1.ReasonInUse,
		Message: fmt.Sprintf("release %q uses the room", by), LastTransitionTime: metav1.NewTime(p.Clock.Now()),
	})
	if !changed && before.Status.Release == by {
		return nil
	}
	if err := p.Hub.Status().Patch(ctx, made, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("could not mark placement %q as used by release %q: %w", made.Name, by, err)
	}
	return nil
}

// Free implements release.Placer.
func (p *Placer) Free(ctx context.Context, namespace, application, keep string) error {
	p.mu.Lock()
	defer p.mu.Unlock()

	var all placementv1.PlacementList
	if err := p.Direct.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		return fmt.Errorf("could not read the placements of application %q: %w", application, err)
	}
	reason, why := placementv1.ReasonSuperseded, fmt.Sprintf("placement %q took its place", keep)
	if keep == "" {
		reason, why = placementv1.ReasonRetired, "the application was taken out of service"
	}
	var errs []error
	for i := range all.Items {
		if it := &all.Items[i]; it.Spec.Application == application && it.Name != keep {
			errs = append(errs, giveBack(ctx, p.Hub, p.Clock, it, reason, why))
		}
	}
	return errors.Join(errs...)
}

// giveBack gives back the room of one Placement.
func giveBack(ctx context.Context, hub client.Client, c clock.PassiveClock, it *placementv1.Placement, reason, why string) error {
	if meta.IsStatusConditionFalse(it.Status.Conditions, placementv1.ConditionReserved) {
		return nil
	}
	before := it.DeepCopy()
	meta.SetStatusCondition(&it.Status.Conditions, metav1.Condition{
		Type: placementv1.ConditionReserved, Status: metav1.ConditionFalse, Reason: reason, Message: why,
		LastTransitionTime: metav1.NewTime(c.Now()),
	})
	if err := hub.Status().Patch(ctx, it, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("could not give back the room of placement %q: %w", it.Name, err)
	}
	return nil
}

func bounded(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := strings.ToValidUTF8(s[:most-len(" …")], "")
	return cut + " …"
}
