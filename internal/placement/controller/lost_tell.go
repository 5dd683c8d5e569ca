// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"maps"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

var (
	lostPlaces = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fairway_placement_lost_places",
		Help: "Racks, clusters and data centres that are away, by environment, kind and whether they count as lost.",
	}, []string{"environment", "kind", "state"})
	lostProposals = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fairway_placement_proposals",
		Help: "Proposed Placements that no Release uses, by environment and cause.",
	}, []string{"environment", "cause"})
	lostUnplaced = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fairway_placement_unplaced_applications",
		Help: "Applications that have lost instances for which there is no place.",
	}, []string{"environment"})
	lostHeld = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fairway_placement_held",
		Help: "What automation does not do after a loss, by environment and the guard that holds it.",
	}, []string{"environment", "guard"})
	brakesHolding = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fairway_placement_brakes",
		Help: "1 while a brake stops automation in the environment.",
	}, []string{"environment"})
)

func init() {
	metrics.Registry.MustRegister(lostPlaces, lostProposals, lostUnplaced, lostHeld, brakesHolding)
}

// told remembers what was told last, so that an event means that something happened.
type told struct{ last map[string]string }

// well forgets: nothing is away.
func (t *told) well() {
	t.last = nil
	for _, g := range []*prometheus.GaugeVec{lostPlaces, lostProposals, lostUnplaced, lostHeld, brakesHolding} {
		g.Reset()
	}
}

// tell says in metrics, events and the log what is away, what is held and what lacks.
func (l *Lost) tell(ctx context.Context, seen lost.Seen, d lost.Decision, left []string) {
	before := l.told.last
	l.told.well()
	now := map[string]string{}
	for _, x := range d.Losses {
		state := "Away"
		if x.Lost {
			state = "Lost"
		}
		lostPlaces.WithLabelValues(x.Environment, string(x.Kind), state).Inc()
		now["loss "+x.Environment+" "+x.String()] = state
	}
	for _, p := range seen.Proposals {
		namespace, _, _ := strings.Cut(p.Application, "/")
		_, environment, _ := app.SplitNamespace(namespace)
		lostProposals.WithLabelValues(environment, string(p.Cause.Kind)).Inc()
	}
	for _, c := range seen.Clusters {
		for _, b := range seen.Brakes {
			if b.Holds(c.Environment) {
				brakesHolding.WithLabelValues(c.Environment).Set(1)
			}
		}
	}
	log := ctrl.LoggerFrom(ctx)
	for _, u := range d.Unplaced {
		if u.Lack != lost.LackReturn {
			lostUnplaced.WithLabelValues(u.Environment).Inc()
		}
		key := "unplaced " + u.Application
		if now[key] = u.Why; before[key] != u.Why {
			l.tellApplication(ctx, u.Application, reasonOf(u), u.String())
		}
	}
	for _, h := range d.Held {
		lostHeld.WithLabelValues(h.Environment, string(h.Guard)).Inc()
		key := "held " + h.Environment + " " + h.Application + " " + string(h.Guard)
		if now[key] = h.Why; before[key] != "" {
			continue
		}
		log.Info("automation is held back", "environment", h.Environment, "app", h.Application, "guard", string(h.Guard), "cause", h.Why)
		if h.Application != "" {
			l.tellApplication(ctx, h.Application, "HeldBack", string(h.Guard)+": "+h.Why)
		}
	}
	for _, why := range left {
		key := "left " + why
		if now[key] = why; before[key] == "" {
			log.Info("what cannot be read is not looked at", "cause", why)
		}
	}
	for key, state := range now {
		if strings.HasPrefix(key, "loss ") && before[key] != state {
			log.Info("a place is away", "place", strings.TrimPrefix(key, "loss "), "state", state)
		}
	}
	l.told.last = maps.Clone(now)
}

func (l *Lost) tellApplication(ctx context.Context, name, reason, why string) {
	namespace, application, _ := strings.Cut(name, "/")
	found := &appv1.Application{}
	if l.Events == nil || l.Hub.Get(ctx, client.ObjectKey{Namespace: namespace, Name: application}, found) != nil {
		return
	}
	l.Events.Eventf(found, nil, corev1.EventTypeWarning, reason, "Recover", "%s", observed.Bounded(why, 1024))
}

func (l *Lost) event(about runtime.Object, reason, action, why string) {
	if l.Events != nil {
		l.Events.Eventf(about, nil, corev1.EventTypeNormal, reason, action, "%s", observed.Bounded(why, 1024))
	}
}
