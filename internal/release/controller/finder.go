// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/release"
)

// Finder finds instances in the members themselves.
type Finder struct {
	Hub     client.Reader
	Members members.Source
}

var _ release.InstanceFinder = &Finder{}

// Find implements release.InstanceFinder.
func (f *Finder) Find(ctx context.Context, application string, seats []string) (found []release.Instance, away []string, err error) {
	var deliveries deliveryv1.DeliveryList
	if err := fields.List(ctx, f.Hub, &deliveries, fields.Application, application); err != nil {
		return nil, nil, err
	}
	for _, d := range deliveries.Items {
		if d.Spec.Application != application || len(d.Namespace) <= len(fleetv1.ClusterNamespacePrefix) {
			continue
		}
		cluster := d.Namespace[len(fleetv1.ClusterNamespacePrefix):]
		member, err := f.Members.Get(cluster)
		if errors.Is(err, members.ErrNotConnected) {
			away = append(away, cluster)
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("could not ask cluster %q: %w", cluster, err)
		}
		pods, err := seated(ctx, member, d.Spec.Namespace)
		if err != nil {
			return nil, nil, fmt.Errorf("could not list the instances in cluster %q: %w", cluster, err)
		}
		for _, p := range pods {
			if seat := p.Labels[appv1.LabelSeat]; p.DeletionTimestamp.IsZero() && slices.Contains(seats, seat) {
				found = append(found, release.Instance{Seat: seat, Cluster: cluster, Pod: p.Name, UID: string(p.UID)})
			}
		}
	}
	return found, away, nil
}

// patience is how long one member may take to list: Releases wait for one another.
const patience = 10 * time.Second

func seated(ctx context.Context, member members.Member, namespace string) ([]corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var pods corev1.PodList
	err := member.Client().List(ctx, &pods, client.InNamespace(namespace), client.HasLabels{appv1.LabelSeat})
	return pods.Items, err
}
