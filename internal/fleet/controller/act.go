// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
)

// errRefused says that the Gate did not let an act pass.
var errRefused = errors.New("refused")

// act carries out a step in a member: it asks the Gate, records the intent,
// acts and records the outcome. FailClosed: what cannot be recorded is not done.
func act(ctx context.Context, gate approval.Gate, recorder audit.Recorder, cluster *fleetv1.Cluster, verb string, details []string, do func(context.Context) error) error {
	subject := "Cluster//" + cluster.Name
	verdict, err := gate.Check(ctx, approval.Act{
		Verb: verb, Subject: subject, Cluster: cluster.Name, Environment: cluster.Spec.Environment, Person: System,
	})
	if err != nil {
		return fmt.Errorf("could not find out whether %s on cluster %q is allowed: %w", verb, cluster.Name, err)
	}
	if !verdict.Allowed {
		return fmt.Errorf("could not do %s on cluster %q: %w: %s", verb, cluster.Name, errRefused, verdict.Reason)
	}
	return audit.Do(ctx, recorder, audit.FailClosed, audit.Act{
		Verb: verb, Person: System, Subject: subject, Cluster: cluster.Name,
		Approval: verdict.Approval, Verdict: verdict.Reason, Details: details,
	}, do)
}

// applied prepares an object for server-side apply: without what the server sets.
func applied(raw map[string]any) runtime.ApplyConfiguration {
	object := &unstructured.Unstructured{Object: raw}
	unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(object.Object, "status")
	return client.ApplyConfigurationFromUnstructured(object)
}
