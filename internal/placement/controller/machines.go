// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
	"github.com/fairway-cloud/fairway/internal/platform/fields"
	"github.com/fairway-cloud/fairway/internal/platform/patch"
)

// Machines says of each MachineImport whether it may be relied on (R50). It is controller
// "placement.machines".
type Machines struct {
	Hub   client.Client
	Clock clock.PassiveClock
}

// Reconcile looks at one MachineImport beside the others of its application.
func (m *Machines) Reconcile(ctx context.Context, i *placementv1.MachineImport) (ctrl.Result, error) {
	if !i.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	var imports placementv1.MachineImportList
	if err := fields.List(ctx, m.Hub, &imports, fields.Application, i.Spec.Application, client.InNamespace(i.Namespace)); err != nil {
		return ctrl.Result{}, fmt.Errorf("could not read the machines of application %q: %w", i.Spec.Application, err)
	}
	var placements placementv1.PlacementList
	if err := fields.List(ctx, m.Hub, &placements, fields.Application, i.Spec.Application, client.InNamespace(i.Namespace)); err != nil {
		return ctrl.Result{}, fmt.Errorf("could not read the placements of application %q: %w", i.Spec.Application, err)
	}
	now := m.Clock.Now()
	of := slices.DeleteFunc(imports.Items, func(o placementv1.MachineImport) bool { return o.Spec.Application != i.Spec.Application })
	before := i.DeepCopy()
	reportMachines(i, observed.Machines(of, placements.Items, now), now)
	result := ctrl.Result{}
	if at, some := observed.Expires([]placementv1.MachineImport{*i}, now); some {
		result.RequeueAfter = at.Sub(now) + time.Millisecond
	}
	return patch.Settle(result, patch.Status(ctx, m.Hub, before, i))
}

// reportMachines writes the status from what is known of the application's machines.
func reportMachines(i *placementv1.MachineImport, known []placement.Machine, now time.Time) {
	i.Status.Instances = int32(len(i.Spec.Instances)) //nolint:gosec // at most 1,000
	c := metav1.Condition{
		Type: placementv1.ConditionReady, Status: metav1.ConditionTrue, Reason: placementv1.ReasonCurrent,
		Message: fmt.Sprintf("%d instances on virtual machines count", len(i.Spec.Instances)), ObservedGeneration: i.Generation,
		LastTransitionTime: metav1.NewTime(now),
	}
	doubt := ""
	for _, one := range known {
		mine := slices.ContainsFunc(i.Spec.Instances, func(x placementv1.MachineInstance) bool { return x.Component == one.Component && x.Seat == one.Seat })
		if mine && one.Stale != "" {
			doubt = one.Stale
			break
		}
	}
	switch old := observed.Stale(i, now); {
	case old != "":
		c.Status, c.Reason = metav1.ConditionFalse, placementv1.ReasonStale
		c.Message = old + ": the instances still count, and nothing acts by itself on the application; import them again"
	case doubt != "":
		c.Status, c.Reason = metav1.ConditionFalse, placementv1.ReasonContradicted
		c.Message = doubt + ": nothing acts by itself on the application; correct the source and import it again"
	}
	meta.SetStatusCondition(&i.Status.Conditions, c)
}

// SetupWithManager registers the controller.
func (m *Machines) SetupWithManager(mgr ctrl.Manager) error {
	// What another source or a Placement says may contradict an import.
	ofApplication := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		application := ""
		switch x := o.(type) {
		case *placementv1.MachineImport:
			application = x.Spec.Application
		case *placementv1.Placement:
			application = x.Spec.Application
		}
		var all placementv1.MachineImportList
		if err := fields.List(ctx, m.Hub, &all, fields.Application, application, client.InNamespace(o.GetNamespace())); err != nil {
			return nil // the cache does not fail once it is there
		}
		var out []reconcile.Request
		for _, i := range all.Items {
			if i.Spec.Application == application {
				out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&i)})
			}
		}
		return out
	})
	return ctrl.NewControllerManagedBy(mgr).Named("placement.machines").
		For(&placementv1.MachineImport{}).
		Watches(&placementv1.MachineImport{}, ofApplication).
		Watches(&placementv1.Placement{}, ofApplication).
		Complete(reconcile.AsReconciler(mgr.GetClient(), m))
}
