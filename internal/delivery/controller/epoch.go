// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// ErrSuperseded says that a later leader has written to the member. This process
// writes nothing there any more.
var ErrSuperseded = errors.New("a later leader has taken this cluster over")

const epochKey = "epoch"

// raiseEpoch makes a member know this leadership, and fails with ErrSuperseded if the
// member knows a later one.
func raiseEpoch(ctx context.Context, m members.Member, epoch int64) error {
	record := &corev1.ConfigMap{}
	err := m.Client().Get(ctx, client.ObjectKey{Namespace: fleetv1.SystemNamespace, Name: delivery.EpochName}, record)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("could not read the epoch of cluster %q: %w", m.Name(), err)
	}
	if err == nil {
		known, err := strconv.ParseInt(record.Data[epochKey], 10, 64)
		switch {
		case err != nil:
			return fmt.Errorf("could not read the epoch of cluster %q: ConfigMap %q holds %q: correct it by hand", m.Name(), delivery.EpochName, record.Data[epochKey])
		case known > epoch:
			return fmt.Errorf("could not write to cluster %q: %w: its epoch is %d, ours %d", m.Name(), ErrSuperseded, known, epoch)
		case known == epoch:
			return nil
		}
	}
	return setSystemRecord(ctx, m, delivery.EpochName, epochKey, strconv.FormatInt(epoch, 10))
}

// setSystemRecord sets one key of a ConfigMap in the member's fairway-system, making
// both where they are missing.
func setSystemRecord(ctx context.Context, m members.Member, name, key, value string) error {
	record := &corev1.ConfigMap{}
	err := m.Client().Get(ctx, client.ObjectKey{Namespace: fleetv1.SystemNamespace, Name: name}, record)
	switch {
	case apierrors.IsNotFound(err):
		record = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: fleetv1.SystemNamespace, Name: name, Labels: map[string]string{appv1.LabelManagedBy: appv1.ManagedBy},
		}, Data: map[string]string{key: value}}
		if err = ensureSystemNamespace(ctx, m); err == nil {
			err = m.Client().Create(ctx, record, owner)
		}
	case err == nil:
		if record.Data == nil {
			record.Data = map[string]string{}
		}
		if record.Data[key] == value {
			return nil
		}
		record.Data[key] = value
		err = m.Client().Update(ctx, record, owner)
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("could not write ConfigMap %q of cluster %q: %w", name, m.Name(), errLookAgain)
	}
	if err != nil {
		return fmt.Errorf("could not write ConfigMap %q of cluster %q: %w", name, m.Name(), err)
	}
	return nil
}

func ensureSystemNamespace(ctx context.Context, m members.Member) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: fleetv1.SystemNamespace, Labels: map[string]string{appv1.LabelManagedBy: appv1.ManagedBy},
	}}
	err := m.Client().Get(ctx, client.ObjectKeyFromObject(namespace), &corev1.Namespace{})
	if apierrors.IsNotFound(err) {
		err = m.Client().Create(ctx, namespace, owner)
	}
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
