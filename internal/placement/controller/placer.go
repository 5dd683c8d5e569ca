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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/keeper"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/turns"
	"github.com/fairway-cloud/fairway/internal/release"
)

// LabelRelease names, from its creation on, the Release that a Placement was made
// for. A Release that was interrupted finds its Placement by it.
const LabelRelease = "placement.fairway.cloud/release"

// DefaultExpiry is how long a Placement without a Release holds its room.
const DefaultExpiry = time.Hour

// Placer places Revisions for Releases. What is asked for at the same time is decided
// together, and what one decision reserves the next one sees.
type Placer struct {
	// Hub writes Placements.
	Hub client.Client
	// Direct reads Placements past every cache.
	Direct client.Reader
	Clock  clock.PassiveClock
	// Keeper has the fleet at hand. Nil: the fleet is read anew for each decision.
	Keeper *keeper.Keeper
	// Fence is asked before Placements are written. Nil: nobody else writes.
	Fence members.Fence
	// Expiry of a Placement that no Release uses. 0: DefaultExpiry.
	Expiry time.Duration

	once  sync.Once
	queue queue
	// turns has what was decided for an application written before something else is
	// decided for it.
	turns turns.Turns
}

var _ release.Placer = &Placer{}

// tries is how often a decision is made anew after another server was quicker.
const tries = 8

// Place implements release.Placer.
func (p *Placer) Place(ctx context.Context, r *releasev1.Release, revision *appv1.Revision) (*placementv1.Placement, error) {
	a, err := p.question(ctx, r, revision)
	if err != nil {
		return nil, err
	}
	leave, err := p.turns.Take(ctx, a.application)
	if err != nil {
		return nil, fmt.Errorf("could not place application %q: %w", r.Spec.Application, err)
	}
	defer leave()

	if r.Spec.Placement != "" {
		return p.named(ctx, a)
	}
	clash := ""
	for range tries {
		p.queue.ask(ctx, a, func(all []*question) { p.decide(ctx, all) })
		if a.err != nil {
			if release.Refused(a.err) != nil {
				commits.WithLabelValues(commitRefused).Inc()
			}
			return nil, a.err
		}
		if a.found != nil && a.found.Status.Release == r.Name && observed.Begun(a.found) {
			return a.found, nil
		}
		// One that was found and has not begun is judged once more: whoever stored it may have
		// been killed before.
		made, err := p.keepOrStore(ctx, a)
		if err != nil {
			commits.WithLabelValues(commitFailed).Inc()
			return nil, err
		}
		if a.stood {
			// It holds its room already and adds nothing, whatever has become of its hosts.
			return made, p.use(ctx, made, r.Name)
		}
		if clash, err = p.stands(ctx, a, made); err != nil {
			return nil, err
		}
		if clash == "" {
			commits.WithLabelValues(commitStored).Inc()
			return made, p.use(ctx, made, r.Name)
		}
		commits.WithLabelValues(commitWithdrawn).Inc()
		if err := p.withdraw(ctx, made, clash); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("could not place application %q: another server placed into the same room %d times, last: %s; it is tried again", r.Spec.Application, tries, clash)
}

// mayWrite reports whether this server may write Placements now.
func (p *Placer) mayWrite() error {
	if p.Fence == nil {
		return nil
	}
	return p.Fence.Check()
}

// fleet is the Keeper.
func (p *Placer) fleet() *keeper.Keeper {
	p.once.Do(func() {
		if p.Keeper == nil {
			p.Keeper = keeper.New(p.Hub, p.Direct, p.Clock)
		}
	})
	return p.Keeper
}

// question gathers what a decision is asked by.
func (p *Placer) question(ctx context.Context, r *releasev1.Release, revision *appv1.Revision) (*question, error) {
	content, err := app.Open(revision)
	if err != nil {
		return nil, &release.Refusal{Reason: releasev1.ReasonBadPlan, Message: err.Error()}
	}
	a := &question{release: r, revision: revision, content: content, application: client.ObjectKey{Namespace: r.Namespace, Name: r.Spec.Application}, done: make(chan struct{}, 1)}
	if err := p.Hub.Get(ctx, client.ObjectKey{Name: content.Tenant}, &a.tenant); err != nil {
		return nil, fmt.Errorf("could not read tenant %q: %w", content.Tenant, err)
	}
	if a.waits, err = waitsOf(ctx, p.Hub, a.application); err != nil {
		return nil, err
	}
	return a, nil
}

// decide answers questions together.
func (p *Placer) decide(ctx context.Context, all []*question) {
	err := p.fleet().Decide(context.WithoutCancel(ctx), func(v *keeper.View) {
		var asked []*question
		var requests []placement.Request
		for _, a := range all {
			if request, ask := a.request(v); ask {
				asked, requests = append(asked, a), append(requests, request)
			}
		}
		if len(requests) > 0 {
			batches.Observe(float64(len(requests)))
		}
		for i, d := range v.Place(requests) {
			if d.Refused {
				d = asked[i].despite(v, requests[i], d)
			}
			asked[i].answer(d, v.Now())
		}
	})
	if err != nil {
		for _, a := range all {
			a.err = err
		}
	}
}

// keepOrStore returns the Placement that the Release has already, or stores the
// decision.
func (p *Placer) keepOrStore(ctx context.Context, a *question) (*placementv1.Placement, error) {
	if a.found != nil {
		return a.found, nil
	}
	made, err := p.store(ctx, a)
	if err == nil && !observed.Holds(made, p.Clock.Now()) {
		// It was given back once, or has expired. It holds its room again from when it is used
		// on: before the decision gives back what it holds, and before it is judged.
		err = p.use(ctx, made, a.release.Name)
	}
	if err != nil {
		p.fleet().Settle(a.application, nil)
		return nil, err
	}
	p.fleet().Settle(a.application, made.DeepCopy())
	return made, nil
}

// stands says why a Placement cannot stay beside what was stored before it; empty: it
// can. The hub may have another writer: a server that led before, or one that was set
// up from a copy. All that was stored before the Placement is known when this is
// judged; what was stored later gives way to it, when it is judged itself.
func (p *Placer) stands(ctx context.Context, a *question, made *placementv1.Placement) (clash string, err error) {
	if err := p.fleet().Reached(ctx, made.ResourceVersion); err != nil {
		return "", err
	}
	err = p.fleet().Decide(ctx, func(v *keeper.View) {
		policy, _, bad := v.Policy(a.content.Environment)
		if bad != nil {
			err = bad
			return
		}
		clash = v.Clash(made, a.tenant.Spec.Quotas, policy)
	})
	return clash, err
}

// withdraw gives back the room of a Placement that clashes with another.
func (p *Placer) withdraw(ctx context.Context, made *placementv1.Placement, why string) error {
	if len(made.Status.Conditions) > 0 {
		err := giveBack(ctx, p.Hub, p.Clock, made, placementv1.ReasonSuperseded, observed.Bounded("another server placed into the same room first: "+why, 1024))
		if err == nil {
			p.fleet().Saw(made.DeepCopy())
		}
		return err
	}
	err := p.Hub.Delete(ctx, made, client.Preconditions{UID: &made.UID, ResourceVersion: &made.ResourceVersion})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("could not withdraw placement %q: %w", made.Name, err)
	}
	p.fleet().Lost(made)
	return nil
}

// madeFor reports whether a Placement was made for a Release. Its status says so;
// before the status could be written, its label does.
func madeFor(p *placementv1.Placement, r *releasev1.Release) bool {
	return p.Status.Release == r.Name || p.Status.Release == "" && p.Labels[LabelRelease] == r.Name
}

// lacks says what a refused decision lacks.
func lacks(d placement.Decision) string {
	var parts []string
	for _, r := range d.Reasons {
		if r.Refusal {
			parts = append(parts, r.String())
		}
	}
	return observed.Bounded(strings.Join(parts, "; "), 16<<10)
}

// store writes the decision as a Placement, if this server may write now. The same
// decision has the same name.
func (p *Placer) store(ctx context.Context, a *question) (*placementv1.Placement, error) {
	if err := p.mayWrite(); err != nil {
		return nil, err
	}
	r := a.release
	spec, err := observed.SpecOf(r.Spec.Application, a.revision.Name, a.decision, a.by)
	if err != nil {
		return nil, err
	}
	switch why, err := observed.TooLarge(spec); {
	case err != nil:
		return nil, err
	case why != "":
		return nil, &release.Refusal{Reason: releasev1.ReasonNotPlaced, Message: fmt.Sprintf("application %q is too large for one placement: %s", spec.Application, why)}
	}
	spec.ExpiresAt = metav1.NewTime(a.decidedAt.Add(cmp.Or(p.Expiry, DefaultExpiry)).Truncate(time.Second))
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
	a.stood = found.Status.Release != "" && observed.Holds(&found, p.Clock.Now())
	before := found.DeepCopy()
	if found.Labels == nil {
		found.Labels = map[string]string{}
	}
	found.Labels[LabelRelease] = r.Name
	return &found, p.Hub.Patch(ctx, &found, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// use marks a Placement as used by a Release. What runs by it goes on doing so; otherwise
// it is planned until the Release takes its first step.
func (p *Placer) use(ctx context.Context, made *placementv1.Placement, by string) error {
	before := made.DeepCopy()
	runs := observed.Begun(made) && observed.Holds(made, p.Clock.Now())
	made.Status.Release = by
	changed := meta.SetStatusCondition(&made.Status.Conditions, p.used(by, runs))
	if !changed && before.Status.Release == by {
		return nil
	}
	if err := p.Hub.Status().Patch(ctx, made, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("could not mark placement %q as used by release %q: %w", made.Name, by, err)
	}
	p.fleet().Saw(made.DeepCopy())
	return nil
}

// used is the condition of a Placement that a Release uses.
func (p *Placer) used(by string, begun bool) metav1.Condition {
	c := metav1.Condition{
		Type: placementv1.ConditionReserved, Status: metav1.ConditionTrue, Reason: placementv1.ReasonPlanned,
		Message: fmt.Sprintf("release %q holds the room and has not taken a step yet", by), LastTransitionTime: metav1.NewTime(p.Clock.Now()),
	}
	if begun {
		c.Reason, c.Message = placementv1.ReasonInUse, fmt.Sprintf("release %q uses the room", by)
	}
	return c
}

// Begin implements release.Placer.
func (p *Placer) Begin(ctx context.Context, r *releasev1.Release) error {
	if r.Status.Placement == "" {
		return nil
	}
	key, made := client.ObjectKey{Namespace: r.Namespace, Name: r.Status.Placement}, &placementv1.Placement{}
	begun := func() bool { return made.Status.Release == r.Name && observed.Begun(made) }
	if err := p.Hub.Get(ctx, key, made); err == nil && begun() {
		return nil
	}
	// What the cache does not know yet is asked for: this happens once for each Release.
	if err := p.Direct.Get(ctx, key, made); apierrors.IsNotFound(err) {
		return nil // its plan is all that the steps need
	} else if err != nil {
		return fmt.Errorf("could not read placement %q: %w", made.Name, err)
	}
	if begun() || made.Status.Release != r.Name {
		return nil
	}
	before := made.DeepCopy()
	meta.SetStatusCondition(&made.Status.Conditions, p.used(r.Name, true))
	if err := p.Hub.Status().Patch(ctx, made, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("could not mark placement %q as in force: %w", made.Name, err)
	}
	p.fleet().Saw(made.DeepCopy())
	return nil
}

// Free implements release.Placer.
func (p *Placer) Free(ctx context.Context, namespace, application, keep string) error {
	leave, err := p.turns.Take(ctx, client.ObjectKey{Namespace: namespace, Name: application})
	if err != nil {
		return fmt.Errorf("could not give back the room of application %q: %w", application, err)
	}
	defer leave()

	var all placementv1.PlacementList
	if err := p.Direct.List(ctx, &all, client.InNamespace(namespace), client.MatchingLabels{appv1.LabelApplication: application}); err != nil {
		return fmt.Errorf("could not read the placements of application %q: %w", application, err)
	}
	reason, why := placementv1.ReasonSuperseded, fmt.Sprintf("placement %q took its place", keep)
	if keep == "" {
		reason, why = placementv1.ReasonRetired, "the application was taken out of service"
	}
	var errs []error
	for i := range all.Items {
		if it := &all.Items[i]; it.Spec.Application == application && it.Name != keep {
			err := giveBack(ctx, p.Hub, p.Clock, it, reason, why)
			if err == nil {
				p.fleet().Saw(it)
			}
			errs = append(errs, err)
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
	// Who takes it up again meanwhile, for another Release, is seen first.
	if err := hub.Status().Patch(ctx, it, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("could not give back the room of placement %q: %w", it.Name, err)
	}
	return nil
}
