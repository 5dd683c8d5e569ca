// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package lost

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/placement"
)

// Guard names what holds something back.
type Guard string

// The guards. Those on an environment come first, then those on an application.
const (
	// GuardBrake: a Brake holds. Release it when automation may go on.
	GuardBrake Guard = "Brake"
	// GuardSick: too many hosts of the environment do not answer.
	GuardSick Guard = "Sick"
	// GuardCutOff: no cluster of the environment answers, so that the hub itself is more
	// likely cut off. Nothing is proposed either.
	GuardCutOff Guard = "CutOff"
	// GuardFlapping: a place comes and goes; it is waited for longer.
	GuardFlapping Guard = "Flapping"
	// GuardUnsure: what is known of the application's virtual machines is in doubt.
	GuardUnsure Guard = "Unsure"
	// GuardIdentity: some of what would move keeps an identity or runs once only, so that
	// a person makes sure first that it does not run any more where it was.
	GuardIdentity Guard = "Identity"
	// GuardBusy: a Release holds the application.
	GuardBusy Guard = "Busy"
	// GuardBudget: automation has moved as many instances to a cluster as it may for now.
	GuardBudget Guard = "Budget"
)

// Guards lists the guards, for whoever counts by them.
func Guards() []Guard {
	return []Guard{GuardBrake, GuardSick, GuardCutOff, GuardFlapping, GuardUnsure, GuardIdentity, GuardBusy, GuardBudget}
}

// Held is something that is held back, and why.
type Held struct {
	Environment string
	// Application as "<namespace>/<name>". Empty: all of the environment.
	Application string
	Guard       Guard
	Why         string
}

// health is how an environment is.
type health struct {
	clusters, away, hosts, sick int
}

func healthOf(s Seen, environment string) health {
	var h health
	for _, c := range s.Clusters {
		if c.Environment != environment {
			continue
		}
		h.clusters++
		h.hosts += c.Hosts
		if c.Away {
			// Nobody knows how its hosts are: on the safe side they count as sick.
			h.away++
			h.sick += c.Hosts
			continue
		}
		h.sick += max(c.Hosts-c.Ready, 0)
	}
	return h
}

// share of the hosts that are sick, in percent.
func (h health) share() int {
	if h.hosts == 0 {
		return 0
	}
	return h.sick * 100 / h.hosts
}

// guards says what holds automation in a whole environment.
func guards(s Seen, environment string) []Held {
	var out []Held
	held := func(g Guard, format string, args ...any) {
		out = append(out, Held{Environment: environment, Guard: g, Why: fmt.Sprintf(format, args...)})
	}
	var brakes []string
	for _, b := range s.Brakes {
		if b.Holds(environment) {
			brakes = append(brakes, fmt.Sprintf("brake %s holds, set by %s: %s", b.Name, b.By, b.Reason))
		}
	}
	if len(brakes) > 0 {
		slices.Sort(brakes)
		held(GuardBrake, "%s", strings.Join(brakes, "; "))
	}
	h, policy := healthOf(s, environment), s.policy(environment)
	if h.clusters > 0 && h.away == h.clusters {
		held(GuardCutOff, "no cluster of %s answers (%d of %d are away): the hub itself may be cut off; nothing is proposed until one answers", environment, h.away, h.clusters)
	}
	if h.share() >= policy.SickShare {
		held(GuardSick, "%d of %d hosts of %s do not answer, %d %%: from %d %% on nothing is automatic", h.sick, h.hosts, environment, h.share(), policy.SickShare)
	}
	return out
}

func has(held []Held, g Guard) bool {
	return slices.ContainsFunc(held, func(h Held) bool { return h.Guard == g })
}

// quiet is how long after a person released a brake no guard sets one again. The guard
// itself holds all the same.
const quiet = time.Hour

// trips reports whether a guard has to set a brake in an environment.
func trips(s Seen, environment string, held []Held, now time.Time) bool {
	if !s.policy(environment).Release || has(held, GuardBrake) || !has(held, GuardSick) {
		return false
	}
	for _, b := range s.Brakes {
		if b.covers(environment) && !b.Released.IsZero() && now.Sub(b.Released) < quiet {
			return false
		}
	}
	return true
}

// unknown is more than any budget.
const unknown = 1 << 20

// spent is how many instances automation brought to a cluster lately, and when the first
// of them count no more.
func spent(s Seen, cluster string, per time.Duration, now time.Time) (n int, until time.Time) {
	for _, r := range s.Started {
		if now.Sub(r.At) >= per {
			continue
		}
		if len(r.Gains) == 0 {
			// Nobody knows any more what it brought where: on the safe side, all there is.
			n, until = unknown, r.At.Add(per)
		}
		for _, g := range r.Gains {
			if g.Cluster != cluster || g.Instances < 1 {
				continue
			}
			n += int(g.Instances)
			if end := r.At.Add(per); until.IsZero() || end.Before(until) {
				until = end
			}
		}
	}
	return n, until
}

// PlaceAnew says what keeps automation from having n instances of an application placed
// anew that wait for room (cause NoRoom), and when that may be over by the clock alone; nil:
// nothing does. What is known of its virtual machines must not be in doubt. They go to whichever of the clusters has room, so that none of these may be
// past its budget with them.
func PlaceAnew(s Seen, environment, application string, clusters []string, n int, now time.Time) (held []Held, until time.Time) {
	held = guards(s, environment)
	policy := s.policy(environment)
	if why := placement.Unsure(s.Fleet.Machines, application); why != "" {
		held = append(held, Held{Environment: environment, Application: application, Guard: GuardUnsure, Why: why})
	}
	for _, cluster := range slices.Sorted(slices.Values(clusters)) {
		moved, end := spent(s, cluster, policy.Per, now)
		if moved+n <= policy.Budget {
			continue
		}
		held = append(held, Held{Environment: environment, Application: application, Guard: GuardBudget, Why: overBudget(n, cluster, moved, policy)})
		if end.After(until) {
			until = end
		}
	}
	return held, until
}

// overBudget says that so many instances more are too many for a cluster.
func overBudget(n int, cluster string, moved int, p Policy) string {
	come := fmt.Sprintf("%s would come to cluster %s", instances(n), cluster)
	if moved >= unknown {
		return fmt.Sprintf("%s, and nobody knows how many automation brought there within %s, of at most %d", come, p.Per, p.Budget)
	}
	return fmt.Sprintf("%s, and automation brought %d of at most %d there within %s", come, moved, p.Budget, p.Per)
}
