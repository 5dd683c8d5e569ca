// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
)

// Reasons of a DataCenter's condition Ready.
const (
	// ReasonAllReachable: every cluster of the site answers.
	ReasonAllReachable = "AllReachable"
	// ReasonSomeUnreachable: some clusters of the site do not answer; the message names them.
	ReasonSomeUnreachable = "SomeUnreachable"
	// ReasonNoClusters: no cluster of the fleet lives in the site.
	ReasonNoClusters = "NoClusters"
)

// ReportSite tells whether the clusters of a data centre answer. clusters are
// those of the whole fleet.
func ReportSite(before fleetv1.DataCenterStatus, site string, generation int64, clusters []fleetv1.Cluster, now time.Time) fleetv1.DataCenterStatus {
	status := *before.DeepCopy()
	var away []string
	var all int
	for _, cluster := range clusters {
		if cluster.Spec.DataCenter != site {
			continue
		}
		all++
		if !meta.IsStatusConditionTrue(cluster.Status.Conditions, fleetv1.ConditionReachable) {
			away = append(away, cluster.Name)
		}
	}
	slices.Sort(away)
	ready := metav1.Condition{Type: fleetv1.ConditionReady, ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now)}
	switch {
	case all == 0:
		ready.Status, ready.Reason, ready.Message = metav1.ConditionUnknown, ReasonNoClusters, "no cluster of the fleet lives here"
	case len(away) > 0:
		ready.Status, ready.Reason = metav1.ConditionFalse, ReasonSomeUnreachable
		ready.Message = fmt.Sprintf("these clusters do not answer: %s", strings.Join(away, ", "))
	default:
		ready.Status, ready.Reason, ready.Message = metav1.ConditionTrue, ReasonAllReachable, "every cluster answers"
	}
	meta.SetStatusCondition(&status.Conditions, ready)
	return status
}
