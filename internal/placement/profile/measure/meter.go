// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package measure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// tick is how often it is looked whose turn it is.
const tick = 5 * time.Second

// lostBefore is how many questions in a row stay without an answer before a Prometheus is
// left alone until the next round.
const lostBefore = 3

// Meter asks for every component that runs what the TagRules want to know. It runs on
// the leader.
type Meter struct {
	// Hub reads through the cache, and writes how rules go.
	Hub     client.Client
	Sources []*Source
	Clock   clock.WithTicker
	Log     logr.Logger

	changed chan event.GenericEvent

	mu     sync.Mutex
	tracks tracks
	due    map[spot]time.Time
	shown  map[spot]face
	good   map[string]time.Time
	counts map[string]counts
}

// spot is one component that one rule looks at.
type spot struct {
	application types.NamespacedName
	profile.Key
}

// tracks are what rules know, by application: each asks for its own.
type tracks map[types.NamespacedName]map[profile.Key]profile.Track

func (all tracks) of(at spot) (t profile.Track, known bool) {
	t, known = all[at.application][at.Key]
	return t, known
}

func (all tracks) set(at spot, t profile.Track) {
	if all[at.application] == nil {
		all[at.application] = map[profile.Key]profile.Track{}
	}
	all[at.application][at.Key] = t
}

func (all tracks) forget(at spot) {
	delete(all[at.application], at.Key)
	if len(all[at.application]) == 0 {
		delete(all, at.application)
	}
}

// face is what of a track is shown.
type face struct {
	on        bool
	since     time.Time
	freshness placementv1.TagFreshness
}

// New makes a Meter.
func New(hub client.Client, sources []*Source, c clock.WithTicker, log logr.Logger) *Meter {
	return &Meter{
		Hub: hub, Sources: sources, Clock: c, Log: log, changed: make(chan event.GenericEvent, 1024),
		tracks: tracks{}, due: map[spot]time.Time{}, shown: map[spot]face{}, good: map[string]time.Time{}, counts: map[string]counts{},
	}
}

// Changed tells of Applications of which something else is known now.
func (m *Meter) Changed() <-chan event.GenericEvent { return m.changed }

// Tracks is what rules know of an application.
func (m *Meter) Tracks(application types.NamespacedName) map[profile.Key]profile.Track {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[profile.Key]profile.Track{}
	maps.Copy(out, m.tracks[application])
	return out
}

// Start asks until ctx ends.
func (m *Meter) Start(ctx context.Context) error {
	ticker := m.Clock.NewTicker(tick)
	defer ticker.Stop()
	for {
		if err := m.Round(ctx); err != nil && ctx.Err() == nil {
			m.Log.Error(err, "could not measure; it is tried again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// question is one that is due.
type question struct {
	spot
	rule    profile.Rule
	query   string
	sources []*Source
	// nobody says why nobody is asked.
	nobody string
	// answer of all sources, and why there is none.
	value float64
	err   error
}

// Round asks all that is due now, and tells what changed.
func (m *Meter) Round(ctx context.Context) error {
	var rules placementv1.TagRuleList
	if err := m.Hub.List(ctx, &rules); err != nil {
		return fmt.Errorf("could not read the tag rules: %w", err)
	}
	if len(rules.Items) == 0 {
		m.forget(nil)
		return nil
	}
	running, err := m.running(ctx)
	if err != nil {
		return err
	}
	before, err := m.before(ctx)
	if err != nil {
		return err
	}
	now := m.Clock.Now()
	var due []*question
	there := map[spot]profile.Rule{}
	bad := map[string]string{}
	for i := range rules.Items {
		rule, err := profile.RuleOf(&rules.Items[i])
		if err != nil {
			bad[rules.Items[i].Name] = err.Error()
			continue
		}
		for _, c := range running {
			at := spot{c.application, profile.Key{Component: c.component, Rule: rule.Name}}
			there[at] = rule
			if m.turn(at, rule, before[at], now) {
				due = append(due, m.ask(at, rule, c.clusters))
			}
		}
	}
	m.forget(there)
	m.answer(ctx, due)
	m.take(due, now)
	m.tell(ctx, there, now)
	return m.report(ctx, rules.Items, bad, due, len(running), now)
}

// place is where a component runs.
type place struct {
	application types.NamespacedName
	component   string
	clusters    []string
}

// running are the components that Placements in force have, in the order of names.
func (m *Meter) running(ctx context.Context) ([]place, error) {
	var all placementv1.PlacementList
	if err := m.Hub.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("could not read what runs: %w", err)
	}
	now := m.Clock.Now()
	type key struct {
		application types.NamespacedName
		component   string
	}
	clusters := map[key][]string{}
	for i := range all.Items {
		p := &all.Items[i]
		if p.Status.Release == "" || !observed.Holds(p, now) {
			continue
		}
		for _, a := range p.Spec.Assignments {
			k := key{types.NamespacedName{Namespace: p.Namespace, Name: p.Spec.Application}, a.Component}
			if len(a.Seats) > 0 && !slices.Contains(clusters[k], a.Cell.Cluster) {
				clusters[k] = append(clusters[k], a.Cell.Cluster)
			}
		}
	}
	out := make([]place, 0, len(clusters))
	for k, names := range clusters {
		slices.Sort(names)
		out = append(out, place{k.application, k.component, names})
	}
	slices.SortFunc(out, func(a, b place) int {
		return slices.Compare([]string{a.application.Namespace, a.application.Name, a.component}, []string{b.application.Namespace, b.application.Name, b.component})
	})
	return out, nil
}

// before are the measured tags as they were last written.
func (m *Meter) before(ctx context.Context) (map[spot]*placementv1.ProfileTag, error) {
	var all placementv1.ProfileList
	if err := m.Hub.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil { // only read
		return nil, fmt.Errorf("could not read the profiles: %w", err)
	}
	out := map[spot]*placementv1.ProfileTag{}
	for i := range all.Items {
		p := &all.Items[i]
		for j := range p.Status.Tags {
			if t := &p.Status.Tags[j]; t.From == placementv1.TagMeasured {
				out[spot{types.NamespacedName{Namespace: p.Namespace, Name: p.Name}, profile.Key{Component: t.Component, Rule: t.Source}}] = t
			}
		}
	}
	return out, nil
}

// turn says whether a component is to be asked for now, and takes over what was known
// of it before this process.
func (m *Meter) turn(at spot, rule profile.Rule, before *placementv1.ProfileTag, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.tracks.of(at); !known {
		if before != nil && before.Tag != rule.Tag {
			before = nil
		}
		t := profile.Start(before, now)
		m.tracks.set(at, t)
		m.shown[at] = faceOf(t, rule, now)
	}
	if now.Before(m.due[at]) {
		return false
	}
	m.due[at] = now.Add(rule.Interval)
	return true
}

// ask makes the question.
func (m *Meter) ask(at spot, rule profile.Rule, clusters []string) *question {
	q := &question{spot: at, rule: rule}
	tenant, environment, ok := app.SplitNamespace(at.application.Namespace)
	if !ok {
		q.nobody = fmt.Sprintf("namespace %q is no tenant's", at.application.Namespace)
		return q
	}
	query, err := profile.Fill(rule.Query, profile.Names{Tenant: tenant, Environment: environment, Application: at.application.Name, Component: at.Component})
	if err != nil {
		q.nobody = err.Error()
		return q
	}
	q.query = query
	for _, cluster := range clusters {
		s := For(m.Sources, cluster)
		if s == nil {
			q.sources, q.nobody = nil, fmt.Sprintf("no Prometheus is known for cluster %q: name it in the file of --prometheus-config", cluster)
			return q
		}
		if !slices.Contains(q.sources, s) {
			q.sources = append(q.sources, s)
		}
	}
	return q
}

var errNobody = errors.New("nobody is asked")

// answer asks the questions, some at a time. A Prometheus that does not answer is left
// alone for the rest of the round.
func (m *Meter) answer(ctx context.Context, due []*question) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	away := &absence{lost: map[*Source]int{}}
	now := m.Clock.Now()
	for _, q := range due {
		if q.nobody != "" {
			q.err = fmt.Errorf("%w: %s", errNobody, q.nobody)
			continue
		}
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			var values []float64
			for _, s := range q.sources {
				if q.err = away.from(s); q.err != nil {
					return
				}
				numbers, err := s.Ask(ctx, q.query, now)
				away.saw(s, err)
				if err == nil {
					var one float64
					one, err = profile.Number(numbers)
					values = append(values, one)
				}
				if err != nil {
					q.err = err
					return
				}
			}
			q.value = q.rule.Furthest(values)
		})
	}
	wait.Wait()
}

// absence counts the questions that a Prometheus left without an answer in this round.
type absence struct {
	mu   sync.Mutex
	lost map[*Source]int
}

func (a *absence) from(s *Source) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lost[s] >= lostBefore {
		return fmt.Errorf("prometheus %q: %w", s.Name, ErrAway)
	}
	return nil
}

func (a *absence) saw(s *Source, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if errors.Is(err, ErrAway) {
		a.lost[s]++
		return
	}
	if a.lost[s] < lostBefore {
		a.lost[s] = 0
	}
}

// take has the tracks follow the answers.
func (m *Meter) take(due []*question, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range due {
		t, _ := m.tracks.of(q.spot)
		n := m.counts[q.rule.Name]
		if q.err != nil {
			n.failed++
			m.counts[q.rule.Name] = n
			m.tracks.set(q.spot, t.Failed(q.err.Error()))
			continue
		}
		n.answered++
		m.counts[q.rule.Name] = n
		m.tracks.set(q.spot, t.Answered(q.rule, q.value, now))
		m.good[q.rule.Name] = now
	}
}

func faceOf(t profile.Track, rule profile.Rule, now time.Time) face {
	if !t.On {
		return face{}
	}
	return face{on: true, since: t.Since, freshness: t.Freshness(rule, now)}
}

// tell wakes who writes the profiles that look otherwise now.
func (m *Meter) tell(ctx context.Context, there map[spot]profile.Rule, now time.Time) {
	m.mu.Lock()
	changed := map[types.NamespacedName]bool{}
	for at, rule := range there {
		t, _ := m.tracks.of(at)
		if f := faceOf(t, rule, now); f != m.shown[at] {
			m.shown[at] = f
			changed[at.application] = true
		}
	}
	m.mu.Unlock()
	for name := range changed {
		select {
		case m.changed <- event.GenericEvent{Object: &appv1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}}:
		case <-ctx.Done():
			return
		}
	}
}

// forget lets go of what rules and components knew that are gone.
func (m *Meter) forget(there map[spot]profile.Rule) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rules := map[string]bool{}
	for at := range there {
		rules[at.Rule] = true
	}
	maps.DeleteFunc(m.counts, func(rule string, _ counts) bool { return !rules[rule] })
	maps.DeleteFunc(m.good, func(rule string, _ time.Time) bool { return !rules[rule] })
	for at := range m.shown {
		if _, still := there[at]; !still {
			m.tracks.forget(at)
			delete(m.due, at)
			delete(m.shown, at)
		}
	}
}

// report writes how the rules go, where it changed. Texts hold no numbers and no times.
func (m *Meter) report(ctx context.Context, rules []placementv1.TagRule, bad map[string]string, due []*question, running int, now time.Time) error {
	failed := map[string][]error{}
	for _, q := range due {
		if q.err != nil {
			failed[q.rule.Name] = append(failed[q.rule.Name], q.err)
		}
	}
	asked := map[string]bool{}
	for _, q := range due {
		asked[q.rule.Name] = true
	}
	var errs []error
	for i := range rules {
		r := &rules[i]
		ready, news := m.ready(r, bad[r.Name], failed[r.Name], asked[r.Name], running, now)
		if !news {
			continue
		}
		ready.ObservedGeneration, ready.LastTransitionTime = r.Generation, metav1.NewTime(now.UTC().Truncate(time.Second))
		after := r.DeepCopy()
		meta.SetStatusCondition(&after.Status.Conditions, ready)
		if err := patch.Status(ctx, m.Hub, r, after); client.IgnoreNotFound(err) != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ready is the condition of a rule; news: false where there is nothing to say.
func (m *Meter) ready(r *placementv1.TagRule, bad string, failed []error, asked bool, running int, now time.Time) (metav1.Condition, bool) {
	condition := func(status metav1.ConditionStatus, reason, message string) (metav1.Condition, bool) {
		return metav1.Condition{Type: placementv1.ConditionProfileReady, Status: status, Reason: reason, Message: message}, true
	}
	m.mu.Lock()
	good, answered := m.good[r.Name]
	m.mu.Unlock()
	if bad == "" {
		for _, err := range failed {
			if errors.Is(err, ErrQuery) {
				bad = err.Error()
				break
			}
		}
	}
	rule, err := profile.RuleOf(r)
	switch {
	case bad != "":
		return condition(metav1.ConditionFalse, placementv1.ReasonBadRule, bad)
	case err != nil:
		return condition(metav1.ConditionFalse, placementv1.ReasonBadRule, err.Error())
	case running == 0:
		return condition(metav1.ConditionUnknown, placementv1.ReasonNothingToMeasure, "no application runs that could be measured")
	case !asked:
		return metav1.Condition{}, false
	case answered && (len(failed) == 0 || profile.Track{Good: good}.Freshness(rule, now) == placementv1.TagFresh):
		return condition(metav1.ConditionTrue, placementv1.ReasonAnswered, "the query is answered")
	case len(failed) == 0:
		return metav1.Condition{}, false
	case !slices.ContainsFunc(failed, func(err error) bool { return !errors.Is(err, errNobody) }):
		return condition(metav1.ConditionFalse, placementv1.ReasonNoPrometheus, failed[0].Error())
	}
	texts := map[string]bool{}
	for _, err := range failed {
		texts[err.Error()] = true
	}
	return condition(metav1.ConditionFalse, placementv1.ReasonUnanswered, slices.Sorted(maps.Keys(texts))[0]+"; tags stay as they are")
}
