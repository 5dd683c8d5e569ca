// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	deliveryv1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/audit/crosscheck"
	"github.com/fairway-cloud/fairway/internal/fleet"
)

// addCrosscheck has the leader compare the audit logs of the API servers with
// evidence.
func (h *house) addCrosscheck(context.Context) error {
	events := h.mgr.GetEventRecorder("fairway-audit")
	w := h.crosscheck
	w.Folder, w.State, w.Known = h.options.hook.auditLogs, filepath.Join(h.options.dataDir, "audit-logs.json"), h.options.hook.knownAccounts
	w.Index, w.Log, w.Recorder, w.Logger = h.index, h.ledger, h.recorder, h.log
	w.Clusters, w.Mark = h.auditedClusters, h.leaveMark
	w.Tell = func(cluster string, write crosscheck.Write) {
		h.log.Error("the audit log of a cluster shows a write that no record accounts for", "cluster", cluster, "actor", write.Person, "verb", write.Verb, "subject", write.Subject.Key(), "event", write.Audit)
		events.Eventf(eventAbout(cluster), nil, corev1.EventTypeWarning, fleet.ReasonUnaccounted, "Compare", "%.900s", write)
	}
	var there prometheus.AlreadyRegisteredError
	if err := metrics.Registry.Register(w); err != nil && !errors.As(err, &there) {
		return fmt.Errorf("could not show how audit logs compare: %w", err)
	}
	return h.mgr.Add(leading(w.Run))
}

// eventAbout is what an event about a cluster's log is about; the hub has no Cluster.
func eventAbout(cluster string) client.Object {
	if cluster == crosscheck.HubName {
		return &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: fleetv1.SystemNamespace}}
	}
	return &fleetv1.Cluster{TypeMeta: metav1.TypeMeta{APIVersion: fleetv1.GroupVersion.String(), Kind: "Cluster"}, ObjectMeta: metav1.ObjectMeta{Name: cluster}}
}

// audited says how a cluster's audit log compares, for its status.
func (h *house) audited(cluster string) fleet.Audit {
	s, known := h.crosscheck.Status(cluster)
	switch {
	case cluster == crosscheck.HubName:
		return fleet.Audit{Message: `no audit log of this cluster is read: the folder "hub" is the hub's; join it under another name`}
	case !known:
		return fleet.Audit{Reason: string(crosscheck.StateWaiting), Message: "the audit logs were not read yet"}
	}
	return fleet.Audit{Reason: string(s.State), Message: s.Message}
}

// auditedClusters lists the members with the namespaces that Fairway made there.
func (h *house) auditedClusters(ctx context.Context) ([]crosscheck.Cluster, error) {
	clusters := &fleetv1.ClusterList{}
	if err := h.mgr.GetClient().List(ctx, clusters); err != nil {
		return nil, err
	}
	var all []crosscheck.Cluster
	for i := range clusters.Items {
		name := clusters.Items[i].Name
		deliveries := &deliveryv1.DeliveryList{}
		if err := h.mgr.GetClient().List(ctx, deliveries, client.InNamespace(fleetv1.ClusterNamespacePrefix+name)); err != nil {
			return nil, err
		}
		ours := map[string]bool{fleetv1.SystemNamespace: true}
		for k := range deliveries.Items {
			ours[deliveries.Items[k].Spec.Namespace] = true
		}
		all = append(all, crosscheck.Cluster{Name: name, Ours: func(namespace string) bool { return ours[namespace] }})
	}
	return all, nil
}

// leaveMark asks for something that is not there to be deleted, as a dry run.
func (h *house) leaveMark(ctx context.Context, cluster string) error {
	if cluster == crosscheck.HubName {
		site := &fleetv1.DataCenter{ObjectMeta: metav1.ObjectMeta{Name: crosscheck.MarkName}}
		return client.IgnoreNotFound(h.mgr.GetClient().Delete(ctx, site, client.DryRunAll))
	}
	m, err := h.members.Get(cluster)
	if err != nil {
		return err
	}
	note := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: fleetv1.SystemNamespace, Name: crosscheck.MarkName}}
	return client.IgnoreNotFound(m.Client().Delete(ctx, note, client.DryRunAll))
}
