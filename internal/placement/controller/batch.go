// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/keeper"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/release"
)

// question asks where a Revision runs.
type question struct {
	release     *releasev1.Release
	revision    *appv1.Revision
	content     app.Content
	application client.ObjectKey
	tenant      tenancyv1.Tenant
	// waits are seats of the application that wait for room.
	waits []placement.Wait
	// gone says why nobody waits for the answer any more; nil: somebody does.
	gone func() error

	// What follows is the answer: the Placement that the Release has already, or the
	// decision and what it was decided by, or why there is none.
	found    *placementv1.Placement
	decision placement.Decision
	// stood says that the decision is the Placement that was in force already.
	stood bool
	// anywhere is what is asked for if nothing waits for room.
	anywhere placement.Request
	// lost says what to do where a refused decision asks for what is away.
	lost      string
	by        placementv1.DecidedBy
	decidedAt time.Time
	err       error

	done chan struct{}
}

// request asks the fleet, unless the answer is there.
func (a *question) request(v *keeper.View) (request placement.Request, ask bool) {
	a.found, a.stood, a.decision, a.lost, a.err = nil, false, placement.Decision{}, "", a.left()
	if a.err != nil {
		return request, false
	}
	held := v.Held(a.application)
	for i := range held {
		if found := &held[i]; madeFor(found, a.release) && found.Spec.Revision == a.revision.Name {
			a.found = found.DeepCopy()
			return request, false
		}
	}
	policy, by, err := v.Policy(a.content.Environment)
	if err != nil {
		a.err = err
		return request, false
	}
	policy.Explain = true
	request = observed.RequestOf(a.content, a.application.String(), &a.tenant, v.Pools(), held)
	request.Policy, a.by = &policy, by
	// The way back is never refused: what keeps an identity it leaves where it is.
	request.Unfenced = a.release.Spec.Fenced == "" && a.release.Spec.Kind != releasev1.KindRollback
	a.anywhere = request
	return request.Elsewhere(a.waits), true
}

// left is the error for whoever asked and has gone; nil: nobody has.
func (a *question) left() error {
	if err := a.gone(); err != nil {
		return fmt.Errorf("could not place application %q: %w", a.application.Name, err)
	}
	return nil
}

func (a *question) answer(d placement.Decision, now time.Time) {
	a.decision, a.decidedAt = d, now
	if d.Refused {
		a.err = &release.Refusal{Reason: releasev1.ReasonNotPlaced, Message: lacks(d) + a.lost}
	}
}

// despite is what is decided where a request was refused, for what waits for room or for what
// is away.
func (a *question) despite(v *keeper.View, request placement.Request, refused placement.Decision) placement.Decision {
	if a.release.Spec.Kind == releasev1.KindRollback && len(a.waits) > 0 {
		// The way back is not closed by what waits: it goes where that may find no host, either.
		request = a.anywhere
		if d := v.Place([]placement.Request{request})[0]; !d.Refused {
			d.Reasons = append(d.Reasons, placement.Reason{Rule: "RoomWaits", Message: "instances of the application wait for room and find none elsewhere: a rollback goes back to their cells all the same"})
			return d
		}
	}
	return a.despiteLoss(v, request, refused)
}

// despiteLoss is what is decided where a request was refused. Counts are exact: a Deploy that
// asks for what is away stays refused, and says what to do. The way back does not: a Rollback
// leaves out what is away.
func (a *question) despiteLoss(v *keeper.View, request placement.Request, refused placement.Decision) placement.Decision {
	names, without := v.Away(request)
	if len(names) == 0 {
		return refused
	}
	away := strings.Join(names, ", ")
	if a.release.Spec.Kind == releasev1.KindRollback {
		if d := v.Place([]placement.Request{without})[0]; !d.Refused {
			d.Reasons = append(d.Reasons, placement.Reason{Rule: "Away", Message: fmt.Sprintf("left out: %s does not answer, and a rollback does not wait for it: others take its instances until a release brings them back", away)})
			return d
		}
	}
	a.lost = fmt.Sprintf("; %s does not answer: have what runs there carried over with what is proposed (fairway placement proposals -n %s); another revision waits until it is back, or asks for its instances elsewhere: edit the application, apply it, and release that", away, a.release.Namespace)
	return refused
}

// queue gathers questions: whoever comes while others are answered waits for the next
// turn, in which all that wait are answered together.
type queue struct {
	mu      sync.Mutex
	waiting []*question
	going   bool
}

// ask waits until a question is answered. Who goes while others are answered is not answered;
// who goes during the own turn has the answer first, since room may be held by it.
func (q *queue) ask(ctx context.Context, a *question, answer func([]*question)) {
	a.gone = ctx.Err
	q.mu.Lock()
	q.waiting = append(q.waiting, a)
	if !q.going {
		q.going = true
		go q.answer(answer)
	}
	q.mu.Unlock()
	select {
	case <-a.done:
	case <-ctx.Done():
		if q.leave(a) {
			a.err = a.left()
			return
		}
		<-a.done
	}
}

// leave takes a question back that still waits for its turn.
func (q *queue) leave(a *question) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, a)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return i >= 0
}

// answer answers questions until none waits.
func (q *queue) answer(answer func([]*question)) {
	for {
		q.mu.Lock()
		turn := q.waiting
		q.waiting = nil
		if len(turn) == 0 {
			q.going = false
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		answer(turn)
		for _, a := range turn {
			a.done <- struct{}{}
		}
	}
}
