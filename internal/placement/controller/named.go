// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/release"
)

// named takes the Placement that a Release names, if it may still be used: made for the
// same Revision, not expired, from what is in force, whole, and with its hosts there, and if
// the Release says how was cut off what must not run twice.
func (p *Placer) named(ctx context.Context, a *question) (*placementv1.Placement, error) {
	r, revision := a.release, a.revision
	refuse := func(format string, args ...any) (*placementv1.Placement, error) {
		why := fmt.Sprintf(format, args...)
		return nil, &release.Refusal{Reason: releasev1.ReasonNotPlaced, Message: fmt.Sprintf("placement %q cannot be used: %s; see what is proposed with \"fairway placement proposals -n %s\"", r.Spec.Placement, why, r.Namespace)}
	}
	found := &placementv1.Placement{}
	err := p.Direct.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: r.Spec.Placement}, found)
	if apierrors.IsNotFound(err) {
		return refuse("it is not there, or has expired")
	}
	if err != nil {
		return nil, fmt.Errorf("could not read placement %q: %w", r.Spec.Placement, err)
	}
	now := p.Clock.Now()
	switch {
	case found.Status.Release == r.Name:
		return found, nil
	case found.Status.Release != "":
		return refuse("release %q uses it", found.Status.Release)
	case found.Spec.Cause == nil:
		return refuse("it is no proposal")
	case found.Spec.Application != r.Spec.Application || found.Spec.Revision != revision.Name:
		return refuse("it is for revision %s of %s", found.Spec.Revision, found.Spec.Application)
	case !observed.Holds(found, now):
		return refuse("its room is given back: it has expired or was withdrawn")
	}
	if digest, err := observed.DigestOf(&found.Spec); err != nil || digest != found.Spec.Digest {
		return refuse("it is not what its digest says")
	}
	w, err := observed.Read(ctx, p.Hub, p.Direct)
	if err != nil {
		return nil, err
	}
	inForce := observed.InForce(w.Of(r.Namespace, r.Spec.Application, now))
	if inForce == nil || inForce.Name != found.Spec.Cause.From {
		return refuse("it starts from placement %s, which is not in force any more", found.Spec.Cause.From)
	}
	fleet := w.Snapshot(now)
	if why := gone(fleet, inForce, found); why != "" {
		return refuse("%s", why)
	}
	if why := a.unfenced(fleet, inForce, found); why != "" {
		return nil, &release.Refusal{Reason: releasev1.ReasonNotPlaced, Message: fmt.Sprintf("placement %q cannot be used: %s", found.Name, why)}
	}
	return found, p.take(ctx, found, r.Name)
}

// unfenced says what a proposal starts elsewhere that may still run in places that were lost,
// or do not answer now, where the Release does not say how they were cut off; empty: nothing.
// A place that was lost and answers again is not safe either: what runs there has not been
// taken down.
func (a *question) unfenced(fleet placement.Snapshot, inForce, found *placementv1.Placement) string {
	if a.release.Spec.Fenced != "" {
		return ""
	}
	var places []placementv1.LostPlace
	if found.Spec.Cause.Kind == placementv1.CauseLost {
		places = found.Spec.Cause.Places
	}
	silent := func(c placement.Cell) bool {
		i := slices.IndexFunc(fleet.Clusters, func(x placement.Cluster) bool { return x.Name == c.Cluster })
		return i < 0 || lost.Took(places, c, fleet.Clusters[i].DataCenter) || fleet.Silent(c)
	}
	components := observed.RequestOf(a.content, a.application.String(), &a.tenant, fleet.Pools, nil).Components
	return placement.Unfenced(placement.Cuts(components, observed.Assignments(inForce), observed.Assignments(found), silent))
}

// gone says what of a proposal's room is not there any more; empty: nothing. What runs there
// already is no matter.
func gone(s placement.Snapshot, inForce, found *placementv1.Placement) string {
	before := map[string]int{}
	for _, a := range inForce.Spec.Assignments {
		before[a.Component+"/"+a.Cell.Key()] += len(a.Seats)
	}
	for _, a := range found.Spec.Assignments {
		if len(a.Seats) <= before[a.Component+"/"+a.Cell.Key()] {
			continue
		}
		i := slices.IndexFunc(s.Clusters, func(c placement.Cluster) bool { return c.Name == a.Cell.Cluster })
		switch {
		case i < 0:
			return fmt.Sprintf("cluster %s is not in the fleet any more", a.Cell.Cluster)
		case s.Clusters[i].Away != "":
			return fmt.Sprintf("cluster %s takes nothing now: %s", a.Cell.Cluster, s.Clusters[i].Away)
		}
		left, hosts := 0, found.Spec.HostsOf(a)
		for _, p := range s.Pools {
			for _, r := range p.Racks {
				if p.Name != a.Cell.Pool || r.Cluster != a.Cell.Cluster || r.Name != a.Cell.Rack {
					continue
				}
				for _, h := range r.Hosts {
					if slices.Contains(hosts, h.Name) {
						left++
					}
				}
			}
		}
		if left < len(hosts) {
			return fmt.Sprintf("of the %d hosts of rack %s in cluster %s that it counts on %d are left", len(hosts), a.Cell.Rack, a.Cell.Cluster, left)
		}
	}
	return ""
}

// take marks a proposal as used by a Release, unless somebody else wrote it meanwhile.
func (p *Placer) take(ctx context.Context, found *placementv1.Placement, by string) error {
	before := found.DeepCopy()
	found.Status.Release = by
	meta.SetStatusCondition(&found.Status.Conditions, p.used(by, false))
	if err := p.Hub.Status().Patch(ctx, found, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("could not mark placement %q as used by release %q: %w", found.Name, by, err)
	}
	p.fleet().Saw(found.DeepCopy())
	return nil
}
