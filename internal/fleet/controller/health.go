// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/platform/members"
	"github.com/fairway-cloud/fairway/internal/platform/members/connections"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Connector makes and ends connections to members. *connections.Connections is one.
type Connector interface {
	members.Source
	Connect(name string, wish connections.Wish)
	Disconnect(name string)
	State(name string) (connections.State, bool)
}

// Health keeps each Cluster connected and guarded, and tells how it is. It is
// the controller fleet.health.
type Health struct {
	hub       client.Client
	secrets   client.Reader // past the cache: the hub holds no Secret in memory
	connector Connector
	sight     *Sight
	guards    *guards
	now       func() time.Time
	audit     func(cluster string) fleet.Audit
}

// Reconcile moves one Cluster towards being connected, guarded and known.
func (h *Health) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	cluster := &fleetv1.Cluster{}
	err := h.hub.Get(ctx, request.NamespacedName, cluster)
	if apierrors.IsNotFound(err) || err == nil && !cluster.DeletionTimestamp.IsZero() {
		// Forgetting a cluster touches nothing that runs in it.
		h.connector.Disconnect(request.Name)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	before := cluster.DeepCopy()
	if err := h.namespace(ctx, cluster); err != nil {
		return ctrl.Result{}, err
	}
	seen, err := h.see(ctx, cluster)
	if err != nil {
		return ctrl.Result{}, err
	}
	result := ctrl.Result{RequeueAfter: time.Minute}
	if m, err := h.connector.Get(cluster.Name); err == nil && seen.Connected {
		admission, err := h.guards.Ensure(ctx, cluster, m)
		switch {
		case errors.Is(err, errNotEnforcedYet), errors.Is(err, members.ErrNotConnected):
			seen.GuardProblem = "the cluster does not keep foreign pods off pools yet"
			result.RequeueAfter = time.Second
		case err != nil:
			seen.GuardProblem = "could not keep foreign pods off pools: " + reasonOf(err)
			result.RequeueAfter = 10 * time.Second
			ctrl.LoggerFrom(ctx).Error(err, "could not guard the cluster")
		}
		seen.PodAdmission = admission
		if hosts, pods, ok := h.sight.Look(cluster.Name); ok {
			seen.Counted, seen.Hosts = true, hosts
			for _, pod := range pods {
				if pod.Ours {
					seen.Instances++
				}
			}
		}
	}
	if h.audit != nil {
		seen.Audit = h.audit(cluster.Name)
	}
	cluster.Status = fleet.ReportCluster(cluster.Status, seen, h.now())
	return patch.Settle(result, patch.Status(ctx, h.hub, before, cluster))
}

// see looks at credentials and connection, and has the connection made.
func (h *Health) see(ctx context.Context, cluster *fleetv1.Cluster) (fleet.ClusterSeen, error) {
	seen := fleet.ClusterSeen{Generation: cluster.Generation}
	refuse := func(reason, message string) (fleet.ClusterSeen, error) {
		h.connector.Disconnect(cluster.Name)
		seen.Reason, seen.Message, seen.NeedsPerson = reason, message, true
		return seen, nil
	}
	uid := uidOf(cluster)
	twin, err := h.twin(ctx, cluster, uid)
	if err != nil {
		return seen, err
	}
	if twin != "" {
		return refuse(fleet.ReasonJoinedTwice, fmt.Sprintf("the same cluster is joined as %q: delete one of the two", twin))
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: fleetv1.SystemNamespace, Name: SecretName(cluster)}
	err = h.secrets.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		return refuse(fleet.ReasonSecretMissing, fmt.Sprintf("the Secret %q in %s is not there: join the cluster again", key.Name, key.Namespace))
	}
	if err != nil {
		return seen, fmt.Errorf("could not read the credentials of cluster %q: %w", cluster.Name, err)
	}
	credentials, err := fleet.CheckKubeconfig(secret.Data[SecretKey])
	if err != nil {
		return refuse(fleet.ReasonKubeconfigRefused, err.Error())
	}
	h.connector.Connect(cluster.Name, connections.Wish{Credentials: credentials, UID: uid})
	state, _ := h.connector.State(cluster.Name)
	if twin, err = h.twin(ctx, cluster, state.UID); err != nil {
		return seen, err
	}
	if twin != "" {
		return refuse(fleet.ReasonJoinedTwice, fmt.Sprintf("the same cluster is joined as %q: delete one of the two", twin))
	}
	seen.Connected, seen.Reason, seen.Message, seen.NeedsPerson = state.Connected, state.Reason, state.Message, state.NeedsPerson()
	seen.Version, seen.UID, seen.APIDigest = state.Version, state.UID, state.APIDigest
	return seen, nil
}

// twin finds another Cluster of the same identity that was there first.
func (h *Health) twin(ctx context.Context, cluster *fleetv1.Cluster, uid string) (string, error) {
	if uid == "" {
		return "", nil
	}
	all := &fleetv1.ClusterList{}
	if err := h.hub.List(ctx, all); err != nil {
		return "", fmt.Errorf("could not list the clusters: %w", err)
	}
	for _, other := range all.Items {
		older := other.CreationTimestamp.Before(&cluster.CreationTimestamp) ||
			other.CreationTimestamp.Equal(&cluster.CreationTimestamp) && other.Name < cluster.Name
		if other.Name != cluster.Name && uidOf(&other) == uid && older {
			return other.Name, nil
		}
	}
	return "", nil
}

// uidOf is the identity of the member that was joined; empty: not known yet.
func uidOf(cluster *fleetv1.Cluster) string {
	return cmp.Or(cluster.Status.UID, cluster.Annotations[fleetv1.AnnotationJoinedUID])
}

// namespace makes the hub namespace that holds the cluster's Deliveries.
func (h *Health) namespace(ctx context.Context, cluster *fleetv1.Cluster) error {
	wanted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   fleetv1.ClusterNamespacePrefix + cluster.Name,
		Labels: map[string]string{fleetv1.LabelCluster: cluster.Name, appv1.LabelManagedBy: appv1.ManagedBy},
	}}
	err := h.hub.Get(ctx, client.ObjectKeyFromObject(wanted), &corev1.Namespace{})
	if apierrors.IsNotFound(err) {
		err = client.IgnoreAlreadyExists(h.hub.Create(ctx, wanted))
	}
	if err != nil {
		return fmt.Errorf("could not make the namespace of cluster %q: %w", cluster.Name, err)
	}
	return nil
}

// SecretKey is the key under which a Secret holds a cluster's kubeconfig.
const SecretKey = "kubeconfig"

// SecretName is the name of the Secret with the cluster's credentials.
func SecretName(cluster *fleetv1.Cluster) string {
	if name := cluster.Spec.Connection.SecretName; name != "" {
		return name
	}
	return "cluster-" + cluster.Name
}

// reasonOf tells an error of a member in words that stay the same while its
// cause does.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errRefused):
		return err.Error()
	case apierrors.IsForbidden(err):
		return "Fairway's account there lacks rights: give it what config/member lists"
	case apierrors.ReasonForError(err) != metav1.StatusReasonUnknown:
		return "the cluster answers with " + string(apierrors.ReasonForError(err))
	}
	return "it failed and is tried again: the server's log says why"
}
