// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package observed

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
)

// Automation is the requester of the Releases that Fairway starts by itself after a loss.
const Automation = "fairway"

// ByAutomation reports whether Fairway started a Release by itself after a loss. It goes by
// what nobody can change later.
func ByAutomation(r *releasev1.Release) bool {
	return r.Spec.Requester == Automation && r.Spec.Placement != ""
}

// RoomSuffix ends the names of the Releases that are started since instances wait for room.
const RoomSuffix = "-room"

// ForRoom reports whether Fairway started a Release by itself since instances waited for
// room.
func ForRoom(r *releasev1.Release) bool {
	return r.Spec.Requester == Automation && strings.HasSuffix(r.Name, RoomSuffix)
}

// AllWell reports whether nothing of the fleet is away, nothing is proposed, and no way back
// is to be proposed, so that nobody has to look further. It copies nothing.
func AllWell(ctx context.Context, cached client.Reader, now time.Time) (bool, error) {
	var w World
	for _, list := range []client.ObjectList{&w.Clusters, &w.Pools, &w.Environments, &w.Policies, &w.Placements} {
		if err := cached.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil { // only read
			return false, fmt.Errorf("could not read the fleet: %w", err)
		}
	}
	return w.well(now), nil
}

func (w World) well(now time.Time) bool {
	for i := range w.Clusters.Items {
		c := &w.Clusters.Items[i]
		if c.Status.Away != nil && c.Status.Away.Back == nil || c.Status.Hosts.Ready < c.Status.Hosts.Total || !meta.IsStatusConditionTrue(c.Status.Conditions, fleetv1.ConditionReachable) {
			return false
		}
	}
	for i := range w.Pools.Items {
		for _, r := range w.Pools.Items[i].Status.Away {
			if r.Back == nil {
				return false
			}
		}
	}
	for i := range w.Placements.Items {
		p := &w.Placements.Items[i]
		if p.Spec.Cause != nil && Holds(p, now) && (p.Status.Release == "" || p.Spec.Cause.Kind == placementv1.CauseLost && w.follows(p)) {
			return false
		}
	}
	return true
}

// follows reports whether anything may follow by itself of a Placement by which an application
// runs after a loss: its way back is proposed, or automation started its Release and stops it.
func (w World) follows(p *placementv1.Placement) bool {
	_, environment, _ := app.SplitNamespace(p.Namespace)
	policy := lost.PolicyOf(placementv1.PolicyBuiltIn, nil)
	if found := w.PolicyFor(environment); found != nil {
		policy = lost.PolicyOf(found.Name, found.Spec.Lost)
	}
	return policy.Return || policy.Release
}

// Lost gathers what a decision about losses looks at. Brakes come past the cache. left
// names what could not be looked at.
func (w World) Lost(ctx context.Context, cached, direct client.Reader, now time.Time) (seen lost.Seen, left []string, err error) {
	waits, err := Waits(ctx, cached)
	if err != nil {
		return seen, nil, err
	}
	silent, err := Silent(ctx, cached)
	if err != nil {
		return seen, nil, err
	}
	if seen, err = w.Automation(ctx, cached, direct, waits, now); err != nil {
		return seen, nil, err
	}
	seen.Fleet = w.Snapshot(now)
	for i := range w.Pools.Items {
		for _, r := range w.Pools.Items[i].Status.Away {
			seen.Racks = append(seen.Racks, lost.Rack{Cluster: r.Cluster, Name: r.Rack, Absence: absence(&r.Absence, r.Back == nil)})
		}
	}
	requests, left, err := w.Running(ctx, cached, seen.Fleet.Pools, now)
	if err != nil {
		return seen, nil, err
	}
	busy, err := claims(ctx, cached)
	if err != nil {
		return seen, nil, err
	}
	held := map[string][]placementv1.Placement{}
	for i := range w.Placements.Items {
		p := &w.Placements.Items[i]
		if !Holds(p, now) {
			continue
		}
		name := p.Namespace + "/" + p.Spec.Application
		held[name] = append(held[name], *p)
		if p.Spec.Cause != nil && p.Status.Release == "" {
			seen.Proposals = append(seen.Proposals, lost.Proposal{Application: name, Name: p.Name, Revision: p.Spec.Revision, Cause: *p.Spec.Cause, Assignments: Assignments(p)})
		}
	}
	for name, placements := range held {
		if InForce(placements) != nil && !slices.ContainsFunc(requests, func(r placement.Request) bool { return r.Application == name }) {
			seen.Unread = append(seen.Unread, name)
		}
	}
	for _, r := range requests {
		policy, by, err := w.Policy(r.Environment)
		if err != nil {
			return seen, nil, err
		}
		policy.Explain = true
		r.Policy = &policy
		inForce := InForce(held[r.Application])
		a := lost.Application{Request: r, By: by, Revision: inForce.Spec.Revision, Placement: inForce.Name, Cause: inForce.Spec.Cause, Busy: busy[r.Application], Silent: silent[r.Application]}
		if w.AnewByItself(r.Environment) {
			a.Anew = waits[r.Application]
		} else {
			a.Waits = waits[r.Application]
		}
		seen.Applications = append(seen.Applications, a.From(w.proposal(r.Application)))
	}
	return seen, left, nil
}

// proposal finds the Placements of an application by name; nil: there is none.
func (w World) proposal(application string) func(name string) *lost.Proposal {
	namespace, _, _ := strings.Cut(application, "/")
	return func(name string) *lost.Proposal {
		for i := range w.Placements.Items {
			p := &w.Placements.Items[i]
			if p.Namespace != namespace || p.Name != name {
				continue
			}
			out := lost.Proposal{Application: application, Name: name, Revision: p.Spec.Revision, Assignments: Assignments(p)}
			if p.Spec.Cause != nil {
				out.Cause = *p.Spec.Cause
			}
			return &out
		}
		return nil
	}
}

// Automation gathers what automation is held back by: the clusters and what holds for them,
// what is known of virtual machines, the Releases that it started, and Brakes, past the cache.
// waits are those of Waits.
func (w World) Automation(ctx context.Context, releases, direct client.Reader, waits map[string][]placement.Wait, now time.Time) (seen lost.Seen, err error) {
	seen.Fleet.Machines = Machines(w.Machines.Items, w.Placements.Items, now)
	seen.Policies = map[string]lost.Policy{}
	for i := range w.Clusters.Items {
		c := clusterSeen(&w.Clusters.Items[i])
		seen.Clusters = append(seen.Clusters, c)
		if _, known := seen.Policies[c.Environment]; known {
			continue
		}
		seen.Policies[c.Environment] = lost.PolicyOf(placementv1.PolicyBuiltIn, nil)
		if p := w.PolicyFor(c.Environment); p != nil {
			seen.Policies[c.Environment] = lost.PolicyOf(p.Name, p.Spec.Lost)
		}
	}
	if seen.Started, err = w.Started(ctx, releases, seen, waits); err != nil {
		return seen, err
	}
	seen.Brakes, err = Brakes(ctx, direct)
	return seen, err
}

func clusterSeen(c *fleetv1.Cluster) lost.Cluster {
	out := lost.Cluster{Name: c.Name, DataCenter: c.Spec.DataCenter, Environment: c.Spec.Environment, Hosts: int(c.Status.Hosts.Total), Ready: int(c.Status.Hosts.Ready)}
	reachable := meta.FindStatusCondition(c.Status.Conditions, fleetv1.ConditionReachable)
	away := reachable == nil || reachable.Status != metav1.ConditionTrue
	out.Absence = absence(c.Status.Away, away)
	if reachable != nil && away && (c.Status.Away == nil || c.Status.Away.Back != nil) {
		out.Since = reachable.LastTransitionTime.Time
	}
	out.Broken = away && (reachable == nil || meta.IsStatusConditionTrue(c.Status.Conditions, fleetv1.ConditionStalled) || !c.DeletionTimestamp.IsZero())
	return out
}

func absence(a *fleetv1.Absence, away bool) lost.Absence {
	out := lost.Absence{Away: away}
	if a == nil {
		return out
	}
	out.Since, out.Times = a.Since.Time, int(a.Times)
	if a.Back != nil {
		out.Back = a.Back.Time
	}
	return out
}

// Assignments are those of a Placement as the scheduler reads them.
func Assignments(p *placementv1.Placement) []placement.Assignment {
	var out []placement.Assignment
	hosts := hostsOf(&p.Spec)
	for _, a := range p.Spec.Assignments {
		out = append(out, assignmentOf(p.Namespace, a, hosts))
	}
	return out
}

// claims are the Releases that hold applications.
func claims(ctx context.Context, cached client.Reader) (map[string]string, error) {
	var all appv1.ApplicationList
	if err := cached.List(ctx, &all); err != nil {
		return nil, fmt.Errorf("could not read the applications: %w", err)
	}
	out := map[string]string{}
	for i := range all.Items {
		if a := &all.Items[i]; a.Status.ActiveRelease != "" {
			out[a.Namespace+"/"+a.Name] = a.Status.ActiveRelease
		}
	}
	return out, nil
}

// Started are the Releases that automation started; waits are those of Waits.
func (w World) Started(ctx context.Context, releases client.Reader, seen lost.Seen, waits map[string][]placement.Wait) ([]lost.Started, error) {
	var all releasev1.ReleaseList
	if err := releases.List(ctx, &all); err != nil {
		return nil, fmt.Errorf("could not read the releases: %w", err)
	}
	var out []lost.Started
	gains := map[client.ObjectKey][]placementv1.ClusterGain{}
	for i := range w.Placements.Items {
		if p := &w.Placements.Items[i]; p.Spec.Cause != nil {
			gains[client.ObjectKeyFromObject(p)] = p.Spec.Cause.Gains
		}
	}
	for i := range all.Items {
		r := &all.Items[i]
		if !ByAutomation(r) && !ForRoom(r) {
			continue
		}
		_, environment, _ := app.SplitNamespace(r.Namespace)
		one := lost.Started{
			Application: r.Namespace + "/" + r.Spec.Application, Name: r.Name, Environment: environment, Placement: r.Spec.Placement, At: r.CreationTimestamp.Time,
			Gains: gains[client.ObjectKey{Namespace: r.Namespace, Name: r.Spec.Placement}], Going: r.Status.CompletedAt == nil && cmp.Or(r.Spec.Desired, "Run") == "Run" && !superseded(r),
		}
		if ForRoom(r) {
			one.Placement, one.ForRoom = r.Status.Placement, true
			one.Gains = w.roomGains(r, seen.Takers(waits[one.Application]), waits[one.Application])
		}
		out = append(out, one)
	}
	return out, nil
}

// roomGains are how many instances a Release brings to each cluster that was started since
// instances waited for room. Before it is placed they may go to any cluster of their data
// centre; nil: nobody knows any more.
func (w World) roomGains(r *releasev1.Release, takers []string, waits []placement.Wait) []placementv1.ClusterGain {
	if r.Status.Placement == "" {
		var n int32
		for _, wait := range waits {
			n += int32(len(wait.Seats)) //nolint:gosec // a Delivery lists a bounded number
		}
		out := []placementv1.ClusterGain{{}} // nothing comes anywhere
		for _, cluster := range takers {
			out = append(out, placementv1.ClusterGain{Cluster: cluster, Instances: n})
		}
		return out
	}
	var now, before *placementv1.Placement
	for i := range w.Placements.Items {
		p := &w.Placements.Items[i]
		switch {
		case p.Namespace != r.Namespace || p.Spec.Application != r.Spec.Application:
		case p.Name == r.Status.Placement:
			now = p
		case p.Status.Release == "" || p.CreationTimestamp.After(r.CreationTimestamp.Time):
		case before == nil || p.CreationTimestamp.After(before.CreationTimestamp.Time):
			before = p
		}
	}
	if now == nil || before == nil {
		return nil
	}
	return append([]placementv1.ClusterGain{{}}, lost.Gains(Assignments(before), Assignments(now))...)
}

func superseded(r *releasev1.Release) bool {
	c := meta.FindStatusCondition(r.Status.Conditions, releasev1.ConditionStalled)
	return c != nil && c.Status == metav1.ConditionTrue && c.Reason == releasev1.ReasonSuperseded
}

// Brakes are those that were set, released ones included.
func Brakes(ctx context.Context, direct client.Reader) ([]lost.Brake, error) {
	var all placementv1.BrakeList
	if err := direct.List(ctx, &all); err != nil {
		return nil, fmt.Errorf("could not read the brakes: %w", err)
	}
	var out []lost.Brake
	for _, b := range all.Items {
		one := lost.Brake{Name: b.Name, Environments: b.Spec.Environments, Reason: b.Spec.Reason, By: b.Spec.By}
		if b.Spec.Released != nil {
			one.Released = b.Spec.Released.At.Time
		}
		out = append(out, one)
	}
	return out, nil
}
