// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package release

import (
	"fmt"
	"slices"
	"strings"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

// restarts replaces the named instances: of each component one at a time in the
// whole fleet, so that a restart never takes more than one instance of anything
// away. The next goes only when the successor of the last one answers. Clusters
// that are away are left for later.
func (v view) restarts() (actions []Action, waiting []string) {
	busy := map[string]string{}
	for i := range v.plan.Clusters {
		p := &v.plan.Clusters[i]
		for _, r := range v.issued(p) {
			if !v.restarted(p, r) {
				busy[component(r.Seat)] = r.Seat
				waiting = append(waiting, fmt.Sprintf("cluster %s: the successor of %s does not answer yet%s", p.Cluster, r.Seat, prefix("; ", v.message(p))))
			}
		}
	}
	for i := range v.plan.Clusters {
		p := &v.plan.Clusters[i]
		d := v.delivery(p.Cluster)
		issued := slices.Clone(v.issued(p))
		step := Step{Cluster: p.Cluster, Name: "restart"}
		for _, r := range p.Restarts {
			if slices.Contains(issued, r) {
				continue
			}
			why, away := v.seen.Away[p.Cluster]
			switch first := busy[component(r.Seat)]; {
			case d == nil:
				waiting = append(waiting, fmt.Sprintf("%s: the delivery in cluster %s is gone", r.Seat, p.Cluster))
			case away:
				waiting = append(waiting, fmt.Sprintf("%s waits for cluster %s, which is away: %s", r.Seat, p.Cluster, why))
			case first != "":
				waiting = append(waiting, fmt.Sprintf("%s waits for %s", r.Seat, first))
			default:
				busy[component(r.Seat)] = r.Seat
				issued = append(issued, r)
				step.say("%s is restarted: pod %s", r.Seat, r.Pod)
			}
		}
		if len(step.Details) > 0 {
			step.Spec = *d.Spec.DeepCopy()
			step.Spec.Release, step.Spec.ReleaseSequence, step.Spec.Restarts = v.plan.Release, v.plan.Sequence, issued
			actions = append(actions, step)
		}
	}
	return actions, waiting
}

// issued are the restarts of this Release that a cluster has been told of.
func (v view) issued(p *ClusterPlan) []deliveryv1.InstanceRestart {
	if d := v.delivery(p.Cluster); v.ours(d) {
		return d.Spec.Restarts
	}
	return nil
}

func (v view) restarted(p *ClusterPlan, r deliveryv1.InstanceRestart) bool {
	d := v.delivery(p.Cluster)
	return d != nil && slices.Contains(d.Status.Restarted, r.UID)
}

// component returns the component of a seat such as "account-1".
func component(seat string) string {
	if i := strings.LastIndex(seat, "-"); i >= 0 {
		return seat[:i]
	}
	return seat
}

func prefix(p, s string) string {
	if s == "" {
		return ""
	}
	return p + s
}
