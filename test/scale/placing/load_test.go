// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package placing

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
	"github.com/fairway-cloud/fairway/test/scale/stage"
)

// patience is how long a caller waits for one application to have its Revision, or its
// Placement.
const patience = 5 * time.Minute

// story is what became of one application, as anybody who watches the hub sees it.
type story struct {
	// name of the application, "<namespace>/<name>".
	name string
	// wrote and asked are when the calls that write the application and its Release began.
	wrote, asked time.Time
	// revised, placed and planned are when its Revision was there, its Placement was in
	// use, and its plan was drawn.
	revised, placed, planned time.Time
	revision                 string
	// trouble is what its Application or its Release says that a person must do.
	trouble, failed string
}

// book keeps the stories by application.
type book struct {
	mu      sync.Mutex
	stories map[client.ObjectKey]*story
	// turned is closed, and made anew, whenever something was noted.
	turned chan struct{}
}

func newBook() *book {
	return &book{stories: map[client.ObjectKey]*story{}, turned: make(chan struct{})}
}

// note changes the story of an application.
func (b *book) note(of client.ObjectKey, change func(*story)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stories[of] == nil {
		b.stories[of] = &story{name: of.String()}
	}
	change(b.stories[of])
	close(b.turned)
	b.turned = make(chan struct{})
}

// look is the story as it is now, and what is closed when something is noted next.
func (b *book) look(of client.ObjectKey) (story, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stories[of] == nil {
		return story{}, b.turned
	}
	return *b.stories[of], b.turned
}

// until waits until a story has come so far.
func (b *book) until(ctx context.Context, of client.ObjectKey, what string, far func(story) bool) (story, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		s, turned := b.look(of)
		if far(s) {
			return s, nil
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return s, fmt.Errorf("no %s when the run had to end; it says: %q", what, s.trouble)
		case <-late.C:
			return s, fmt.Errorf("no %s after %s; it says: %q", what, patience, s.trouble)
		}
	}
}

// all are the stories, by what a moment of each lies after another.
func (b *book) all() []story {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]story, 0, len(b.stories))
	for _, s := range b.stories {
		out = append(out, *s)
	}
	return out
}

// follow has the book follow the hub.
func (s *scene) follow(b *book) {
	s.t.Helper()
	watched, err := cache.New(s.Hub.Config(), cache.Options{Scheme: placementtest.Scheme(s.t)})
	stage.Must(s.t, err)
	for _, kind := range []client.Object{&appv1.Application{}, &placementv1.Placement{}, &releasev1.Release{}} {
		informer, err := watched.GetInformer(s.t.Context(), kind, cache.BlockUntilSynced(false))
		stage.Must(s.t, err)
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: b.see, UpdateFunc: func(_, o any) { b.see(o) }})
		stage.Must(s.t, err)
	}
	go func() { _ = watched.Start(s.t.Context()) }()
	if !watched.WaitForCacheSync(s.t.Context()) {
		s.t.Fatal("could not follow the hub")
	}
}

func (b *book) see(o any) {
	now := time.Now()
	switch x := o.(type) {
	case *appv1.Application:
		b.note(client.ObjectKeyFromObject(x), func(of *story) {
			if of.revision == "" && x.Status.LatestRevision != "" {
				of.revision, of.revised = x.Status.LatestRevision, now
			}
			of.trouble = stalled(x.Status.Conditions)
		})
	case *placementv1.Placement:
		if x.Status.Release != "" {
			b.note(client.ObjectKey{Namespace: x.Namespace, Name: x.Spec.Application}, func(of *story) { first(&of.placed, now) })
		}
	case *releasev1.Release:
		b.note(client.ObjectKey{Namespace: x.Namespace, Name: x.Spec.Application}, func(of *story) {
			if x.Status.PlanDigest != "" {
				first(&of.planned, now)
			}
			of.trouble = stalled(x.Status.Conditions)
		})
	}
}

func first(at *time.Time, now time.Time) {
	if at.IsZero() {
		*at = now
	}
}

func stalled(conditions []metav1.Condition) string {
	if c := meta.FindStatusCondition(conditions, "Stalled"); c != nil && c.Status == metav1.ConditionTrue {
		return c.Reason + ": " + c.Message
	}
	return ""
}

// load has callers write the applications and their Releases through the API, each the
// next one when the Placement of the last is in use. It says how far it is meanwhile, and
// in the end how long it took.
func (s *scene) load(b *book) time.Duration {
	s.t.Helper()
	began := time.Now()
	ctx, stop := context.WithTimeout(s.t.Context(), 5*time.Minute+time.Duration(s.size.applications)*time.Second)
	defer stop()
	next := make(chan int)
	var callers sync.WaitGroup
	for range s.size.callers {
		callers.Go(func() {
			for i := range next {
				if err := s.one(ctx, b, i); err != nil {
					b.note(client.ObjectKeyFromObject(s.size.application(i)), func(of *story) { of.failed = err.Error() })
				}
			}
		})
	}
	telling := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() { s.tell(b, telling) })
	teller.Go(func() { s.keepProfiles(telling) })
	for i := range s.size.applications {
		next <- i
	}
	close(next)
	callers.Wait()
	took := time.Since(began)
	close(telling)
	teller.Wait()
	return took
}

// one writes one application, and brings it into service as far as its Placement.
func (s *scene) one(ctx context.Context, b *book, i int) error {
	a := s.size.application(i)
	key := client.ObjectKeyFromObject(a)
	body, err := stage.BodyOf(a)
	if err != nil {
		return err
	}
	b.note(key, func(of *story) { of.wrote = time.Now() })
	if err := s.Post("/api/v1/app/applications/"+a.Namespace, body, nil); err != nil {
		return fmt.Errorf("could not write it: %w", err)
	}
	seen, err := b.until(ctx, key, "revision", func(of story) bool { return of.revision != "" })
	if err != nil {
		return err
	}
	if body, err = stage.BodyOf(releaseOf(a, seen.revision)); err != nil {
		return err
	}
	b.note(key, func(of *story) { of.asked = time.Now() })
	if err := s.Post("/api/v1/release/releases/"+a.Namespace, body, nil); err != nil {
		return fmt.Errorf("could not ask for its release: %w", err)
	}
	_, err = b.until(ctx, key, "placement", func(of story) bool { return !of.placed.IsZero() })
	return err
}

// tell says every ten seconds how far it is.
func (s *scene) tell(b *book, end <-chan struct{}) {
	every := time.NewTicker(10 * time.Second)
	defer every.Stop()
	before, at := 0, time.Now()
	for {
		select {
		case <-end:
			return
		case <-every.C:
		}
		wrote, revised, placed, planned, failed := 0, 0, 0, 0, 0
		for _, of := range b.all() {
			for n, is := range map[*int]bool{&wrote: !of.wrote.IsZero(), &revised: !of.revised.IsZero(), &placed: !of.placed.IsZero(), &planned: !of.planned.IsZero(), &failed: of.failed != ""} {
				if is {
					*n++
				}
			}
		}
		s.Say("%d written, %d with a revision, %d placed (%.1f/s now), %d planned, %d failed; load %s", wrote, revised, placed, float64(placed-before)/time.Since(at).Seconds(), planned, failed, loadNow())
		before, at = placed, time.Now()
	}
}

// spread is how long something took, over all applications.
type spread []time.Duration

func spreadOf(all []story, from, to func(story) time.Time) spread {
	var out spread
	for _, of := range all {
		if a, b := from(of), to(of); !a.IsZero() && !b.IsZero() {
			out = append(out, b.Sub(a))
		}
	}
	slices.Sort(out)
	return out
}

func (d spread) String() string {
	if len(d) == 0 {
		return "none"
	}
	at := func(share int) time.Duration { return d[min(len(d)*share/100, len(d)-1)].Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s, p95 %s, p99 %s, max %s", at(50), at(95), at(99), d[len(d)-1].Round(time.Millisecond))
}
