// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// Waiting has instances placed anew that wait for room although they were placed: outside
// production it starts a Release of what is in service, which places them elsewhere in
// their DCN; in production, and where policy leaves it to people, it tells them, and
// controller placement.lost proposes. It is controller "placement.waiting".
type Waiting struct {
	Hub client.Client
	// Direct reads Brakes past every cache.
	Direct   client.Reader
	Recorder audit.Recorder
	Clock    clock.PassiveClock
	// Kept is as in Brakes.
	Kept func(environment string) string
	// Fence is asked before a Release is started. Nil: nobody else starts any.
	Fence members.Fence
	// Events tells people what to do. Nil: nobody is told.
	Events events.EventRecorder
}

// waitingPause is how long automation leaves an application alone after it has had
// instances of it placed anew: a place that is wrong again and again is for a person.
const waitingPause = 10 * time.Minute

// busyPause is when an application that a Release or a Brake holds is looked at again.
const busyPause = 30 * time.Second

// Reconcile looks at one Delivery.
func (w *Waiting) Reconcile(ctx context.Context, d *deliveryv1.Delivery) (ctrl.Result, error) {
	if len(d.Status.Waiting) == 0 || !d.DeletionTimestamp.IsZero() || d.Spec.Intent == "Retire" {
		return ctrl.Result{}, nil
	}
	namespace, name, _ := strings.Cut(d.Spec.Application, "/")
	a := &appv1.Application{}
	if err := w.Hub.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, a); err != nil || a.Status.ReleasedRevision == "" || !a.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if a.Status.ActiveRelease != "" {
		return ctrl.Result{RequeueAfter: busyPause}, nil // it may be what they wait for
	}
	_, environment, _ := app.SplitNamespace(namespace)
	alone, err := w.alone(ctx, environment)
	if err != nil {
		return ctrl.Result{}, err
	}
	movable, err := w.movable(ctx, a, d)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !movable || !alone {
		w.tell(a, d, movable)
		return ctrl.Result{}, nil
	}
	if (&Brakes{Direct: w.Direct, Kept: w.Kept}).Stopped(ctx, environment) != "" {
		w.tell(a, d, movable)
		return ctrl.Result{RequeueAfter: busyPause}, nil
	}
	left, err := w.pause(ctx, a, d)
	if err != nil || left > 0 {
		return ctrl.Result{RequeueAfter: left}, err
	}
	held, again, err := w.held(ctx, environment, d)
	if err != nil || len(held) > 0 {
		// Controller placement.lost says on the application what holds it.
		return ctrl.Result{RequeueAfter: again}, err
	}
	return ctrl.Result{}, w.start(ctx, a, d)
}

// held says what keeps automation from having placed anew what waits, and when to look
// again: the guards of losses and their budget hold for it, too. Releases are read past the
// cache, so that what was started a moment ago counts.
func (w *Waiting) held(ctx context.Context, environment string, d *deliveryv1.Delivery) (held []lost.Held, again time.Duration, err error) {
	seen, err := observed.Read(ctx, w.Hub, w.Hub)
	if err != nil {
		return nil, 0, err
	}
	waits, err := observed.Waits(ctx, w.Hub)
	if err != nil {
		return nil, 0, err
	}
	now := w.Clock.Now()
	automation, err := seen.Automation(ctx, w.Direct, w.Direct, waits, now)
	if err != nil {
		return nil, 0, err
	}
	n, mine := 0, waits[d.Spec.Application]
	for _, wait := range mine {
		n += len(wait.Seats)
	}
	held, until := lost.PlaceAnew(automation, environment, d.Spec.Application, automation.Takers(mine), n, now)
	return held, min(max(until.Sub(now), busyPause), waitingPause), nil
}

// alone reports whether automation places anew what waits in an environment. Where it does
// not, controller placement.lost proposes.
func (w *Waiting) alone(ctx context.Context, environment string) (bool, error) {
	var seen observed.World
	if err := errors.Join(w.Hub.List(ctx, &seen.Environments), w.Hub.List(ctx, &seen.Policies)); err != nil {
		return false, fmt.Errorf("could not read what holds for environment %q: %w", environment, err)
	}
	return seen.AnewByItself(environment), nil
}

// movable says whether any that waits may run elsewhere: instances that keep an identity,
// and jobs, are for a person to move.
func (w *Waiting) movable(ctx context.Context, a *appv1.Application, d *deliveryv1.Delivery) (bool, error) {
	revision := &appv1.Revision{}
	if err := w.Hub.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: a.Status.ReleasedRevision}, revision); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	content, err := app.Open(revision)
	if err != nil {
		return false, nil //nolint:nilerr // whoever wants to release it is told
	}
	for _, wait := range d.Status.Waiting {
		i := slices.IndexFunc(content.Spec.Components, func(c appv1.Component) bool { return string(c.Name) == wait.Component })
		if i >= 0 && len(wait.Seats) > 0 && content.Spec.Components[i].Kind == appv1.KindService && !app.HasIdentity(content.Spec.Components[i]) {
			return true, nil
		}
	}
	return false, nil
}

// pause is for how long the application is left alone still.
func (w *Waiting) pause(ctx context.Context, a *appv1.Application, d *deliveryv1.Delivery) (time.Duration, error) {
	if !strings.HasSuffix(d.Spec.Release, observed.RoomSuffix) {
		return 0, nil
	}
	last := &releasev1.Release{}
	if err := w.Hub.Get(ctx, client.ObjectKey{Namespace: a.Namespace, Name: d.Spec.Release}, last); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	return max(last.CreationTimestamp.Add(waitingPause).Sub(w.Clock.Now()), 0), nil
}

// start starts the Release, once for what waits of what an earlier Release brought.
func (w *Waiting) start(ctx context.Context, a *appv1.Application, d *deliveryv1.Delivery) error {
	digest, err := canonical.DigestOf(map[string]any{"cluster": d.Namespace, "release": d.Spec.Release, "waiting": waits(d)})
	if err != nil {
		return fmt.Errorf("could not name a release of %q: %w", a.Name, err)
	}
	made := &releasev1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name + "-" + canonical.Short(digest, 10) + observed.RoomSuffix, Labels: map[string]string{appv1.LabelApplication: a.Name}},
		Spec: releasev1.ReleaseSpec{
			Application: a.Name, Kind: releasev1.KindDeploy, Revision: a.Status.ReleasedRevision, Desired: "Run",
			Reason: observed.Bounded("started by itself: "+strings.Join(waits(d), "; ")+" wait for room", 512), Requester: observed.Automation, ChangeClass: releasev1.ChangeStandard,
		},
	}
	if err := w.Hub.Get(ctx, client.ObjectKeyFromObject(made), made.DeepCopy()); !apierrors.IsNotFound(err) {
		return err
	}
	return byItself{hub: w.Hub, recorder: w.Recorder, brakes: Brakes{Direct: w.Direct, Kept: w.Kept}, fence: w.Fence, from: "placement.waiting"}.start(ctx, made)
}

// tell says to people what to do where nothing follows by itself.
func (w *Waiting) tell(a *appv1.Application, d *deliveryv1.Delivery, movable bool) {
	if w.Events == nil {
		return
	}
	what := fmt.Sprintf("carry out what is proposed for them (fairway placement proposals -n %s), or give their cells room", a.Namespace)
	if !movable {
		what = "they keep their place: give their cells room"
	}
	w.Events.Eventf(a, d, corev1.EventTypeWarning, deliveryv1.ReasonNoRoom, "Place", "%s", observed.Bounded(fmt.Sprintf("%s wait for room: %s", strings.Join(waits(d), "; "), what), 1024))
}

// waits are the instances that wait, in words.
func waits(d *deliveryv1.Delivery) []string {
	var out []string
	for _, x := range d.Status.Waiting {
		out = append(out, fmt.Sprintf("%s %v in cell %s", x.Component, x.Seats, x.Cell.Key()))
	}
	return out
}

// SetupWithManager registers the controller.
func (w *Waiting) SetupWithManager(mgr ctrl.Manager) error {
	// By which of them it is whether automation places anew what waits.
	rules, specs := handler.EnqueueRequestsFromMapFunc(w.waitingNow), builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		Named("placement.waiting").
		For(&deliveryv1.Delivery{}).
		Watches(&placementv1.PlacementPolicy{}, rules, specs).
		Watches(&tenancyv1.Environment{}, rules, specs).
		Complete(reconcile.AsReconciler(mgr.GetClient(), w))
}

// waitingNow are the Deliveries of which something waits.
func (w *Waiting) waitingNow(ctx context.Context, _ client.Object) []reconcile.Request {
	var all deliveryv1.DeliveryList
	if err := w.Hub.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil { // only read
		return nil // the cache does not fail once it is there
	}
	var out []reconcile.Request
	for i := range all.Items {
		if len(all.Items[i].Status.Waiting) > 0 {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return out
}
