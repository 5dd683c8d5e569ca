// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Hosts gives the hosts of each member the label and the taint of the pool that
// owns them. It is the controller fleet.hosts.
type Hosts struct {
	hub      client.Client
	members  members.Source
	sight    *Sight
	gate     approval.Gate
	recorder audit.Recorder
}

// Reconcile marks the hosts of one Cluster.
func (h *Hosts) Reconcile(ctx context.Context, cluster *fleetv1.Cluster) (ctrl.Result, error) {
	m, err := h.members.Get(cluster.Name)
	if errors.Is(err, members.ErrNotConnected) || !cluster.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil // it comes back by itself
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	hosts, pods, ok := h.sight.Look(cluster.Name)
	if !ok {
		return ctrl.Result{}, nil
	}
	pools := &fleetv1.PoolList{}
	if err := h.hub.List(ctx, pools); err != nil {
		return ctrl.Result{}, fmt.Errorf("could not list the pools: %w", err)
	}
	plan := fleet.PlanHosts(cluster.Name, pools.Items, hosts, occupied(pods))
	marks, err := stillEmpty(ctx, m, plan.Marks)
	if err != nil || len(marks) == 0 {
		return ctrl.Result{}, err
	}
	var details []string
	for _, mark := range marks {
		details = append(details, mark.String())
	}
	err = act(ctx, h.gate, h.recorder, cluster, "fleet.hosts", details, func(ctx context.Context) error {
		var all error
		for _, mark := range marks {
			all = errors.Join(all, carryOut(ctx, m, mark))
		}
		return all
	})
	if errors.Is(err, members.ErrNotConnected) {
		return ctrl.Result{}, nil
	}
	return patch.Settle(ctrl.Result{}, err)
}

func occupied(pods []fleet.Pod) map[string]int {
	count := map[string]int{}
	for _, pod := range pods {
		if pod.Ours {
			count[pod.Host]++
		}
	}
	return count
}

// stillEmpty asks the member itself, past every cache, whether hosts that are to
// leave a pool are empty, and keeps back those that are not.
func stillEmpty(ctx context.Context, m members.Member, marks []fleet.Mark) ([]fleet.Mark, error) {
	var keep []fleet.Mark
	for _, mark := range marks {
		if mark.From != "" && mark.From != mark.Pool {
			pods := &corev1.PodList{}
			err := m.Client().List(ctx, pods, client.Limit(500),
				client.MatchingFields{"spec.nodeName": mark.Host}, client.MatchingLabels{appv1.LabelManagedBy: appv1.ManagedBy})
			if err != nil {
				return nil, fmt.Errorf("could not see what runs on host %q: %w", mark.Host, err)
			}
			var running bool
			for i := range pods.Items {
				if _, takes := fleet.PodOf(&pods.Items[i]); takes {
					running = true
				}
			}
			if running {
				continue
			}
		}
		keep = append(keep, mark)
	}
	return keep, nil
}

// carryOut changes one node in one request, so that it is never half marked. A
// node changes often by itself, so it is tried again a few times.
func carryOut(ctx context.Context, m members.Member, mark fleet.Mark) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { return carryOutOnce(ctx, m, mark) })
}

func carryOutOnce(ctx context.Context, m members.Member, mark fleet.Mark) error {
	node := &corev1.Node{}
	err := m.Client().Get(ctx, client.ObjectKey{Name: mark.Host}, node)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("could not read host %q: %w", mark.Host, err)
	}
	before := node.DeepCopy()
	var taints []corev1.Taint
	for _, taint := range node.Spec.Taints {
		if taint.Key != fleetv1.TaintPool {
			taints = append(taints, taint)
		}
	}
	delete(node.Labels, fleetv1.LabelPool)
	if mark.Pool != "" {
		if node.Labels == nil {
			node.Labels = map[string]string{}
		}
		node.Labels[fleetv1.LabelPool] = mark.Pool
		taints = append(taints, corev1.Taint{Key: fleetv1.TaintPool, Value: mark.Pool, Effect: corev1.TaintEffectNoSchedule})
	}
	node.Spec.Taints = taints
	err = m.Client().Patch(ctx, node, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(members.FieldOwner))
	if err != nil {
		return fmt.Errorf("could not mark host %q: %w", mark.Host, err)
	}
	return nil
}
