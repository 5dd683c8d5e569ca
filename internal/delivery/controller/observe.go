// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// view is what was observed, with what is needed to write the inventory back.
type view struct {
	seen delivery.Seen
	// record is the inventory's ConfigMap; nil where there is none.
	record *corev1.ConfigMap
}

// waitError says that something is not there yet: wait, and look again when it is.
type waitError struct {
	reason  string
	message string
}

func (e *waitError) Error() string { return e.message }

// observe does all reading. Caches give the everyday answer; whatever does not look
// settled in them is read again from the member itself, since a cache may be late.
func (r *Reconciler) observe(ctx context.Context, d *v1alpha1.Delivery, m members.Member) (view, error) {
	renderings, problem, err := r.Library.read(ctx, r.Renderings, d)
	if err != nil {
		return view{}, err
	}
	var v view
	if problem == nil {
		v.seen.Wish, problem = delivery.Read(d.Spec, renderings)
	}
	if problem != nil {
		v.seen.Problem = problem
		v.seen.Wish = bare(d.Spec)
	}
	v.seen.Restarted = d.Status.Restarted
	v.seen.PutBack = r.pace.recent(client.ObjectKeyFromObject(d))
	if err := r.observeInventory(ctx, m, &v); err != nil {
		return view{}, err
	}
	link, err := r.links.of(ctx, m, kindsOf(v.seen))
	if err != nil {
		return view{}, fmt.Errorf("could not watch cluster %q: %w", m.Name(), err)
	}
	if err := observeObjects(ctx, m, link, &v.seen); err != nil {
		return view{}, err
	}
	if err := observeUnwanted(ctx, m, &v.seen); err != nil {
		return view{}, err
	}
	return v, observePods(ctx, link, &v.seen)
}

// bare is a wish of which only the names are known, to report on what runs.
func bare(spec v1alpha1.DeliverySpec) delivery.Wish {
	return delivery.Wish{
		Application: spec.Application, Namespace: spec.Namespace, Retire: spec.Intent == "Retire",
		Release: spec.Release, Sequence: spec.ReleaseSequence, Revision: spec.Revision, Workloads: spec.Workloads,
	}
}

func (r *Reconciler) observeInventory(ctx context.Context, m members.Member, v *view) error {
	record := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: v.seen.Wish.Namespace, Name: delivery.InventoryName}
	err := m.Client().Get(ctx, key, record)
	if apierrors.IsNotFound(err) {
		return r.observeRetired(ctx, m, v)
	}
	if err != nil {
		return fmt.Errorf("could not read the inventory of cluster %q: %w", m.Name(), err)
	}
	if !delivery.OwnershipOf(record.ManagedFields, false).Ours {
		v.seen.Problem = &delivery.Problem{Reason: delivery.ReasonForeignObject, Message: fmt.Sprintf("ConfigMap %s exists and was not made by Fairway: remove it, then the delivery goes on", key)}
		return nil
	}
	v.record = record
	inventory, err := delivery.DecodeInventory(record.Data)
	if err != nil {
		v.seen.Problem = &delivery.Problem{Reason: delivery.ReasonForeignObject, Message: err.Error()}
		return nil
	}
	v.seen.Inventory = inventory
	return nil
}

// observeRetired finds out whether the application was taken out of the member before.
func (r *Reconciler) observeRetired(ctx context.Context, m members.Member, v *view) error {
	retired := &corev1.ConfigMap{}
	err := m.Client().Get(ctx, client.ObjectKey{Namespace: fleetv1.SystemNamespace, Name: delivery.RetiredName}, retired)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("could not read what was taken out of cluster %q: %w", m.Name(), err)
	}
	// What cannot be read is no number: the application then counts as never taken out.
	v.seen.Retired, _ = strconv.ParseInt(retired.Data[v.seen.Wish.Namespace], 10, 64)
	return nil
}

// kindsOf lists the kinds that wish and inventory hold.
func kindsOf(seen delivery.Seen) []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	add := func(apiVersion, kind string) {
		gvk := schema.FromAPIVersionAndKind(apiVersion, kind)
		if !slices.Contains(kinds, gvk) {
			kinds = append(kinds, gvk)
		}
	}
	for _, wanted := range seen.Wish.Objects {
		add(wanted.APIVersion, wanted.Identity.Kind)
	}
	for id, record := range seen.Inventory.Objects {
		add(record.APIVersion, id.Kind)
	}
	return kinds
}

// observeObjects finds the objects that the wish names, and the namespace.
func observeObjects(ctx context.Context, m members.Member, link *link, seen *delivery.Seen) error {
	seen.Live = map[delivery.Identity]delivery.Live{}
	seen.Rollouts = map[delivery.Identity]delivery.Rollout{}
	for _, wanted := range seen.Wish.Objects {
		record := seen.Inventory.Objects[wanted.Identity]
		object, err := read(ctx, link.cache, wanted.Identity, wanted.APIVersion)
		if err != nil {
			return fmt.Errorf("could not read %s in cluster %q: %w", wanted.Identity, m.Name(), err)
		}
		if rollout, ok := rolloutOf(object); ok {
			seen.Rollouts[wanted.Identity] = rollout
		}
		if object == nil || !settled(record, liveOf(object, wanted.Autoscaled), wanted) {
			// Before anything is done about it, the member itself is asked.
			if object, err = readPartial(ctx, m.Client(), wanted.Identity, wanted.APIVersion); err != nil {
				return fmt.Errorf("could not read %s in cluster %q: %w", wanted.Identity, m.Name(), err)
			}
		}
		if object != nil {
			seen.Live[wanted.Identity] = liveOf(object, wanted.Autoscaled)
		}
	}
	if !seen.Wish.Retire {
		return nil
	}
	home := delivery.Identity{Kind: "Namespace", Name: seen.Wish.Namespace}
	object, err := readPartial(ctx, m.Client(), home, "v1")
	if err != nil {
		return fmt.Errorf("could not read %s in cluster %q: %w", home, m.Name(), err)
	}
	if object != nil {
		seen.Live[home] = liveOf(object, false)
	}
	return nil
}

func settled(record delivery.Record, live delivery.Live, wanted delivery.Wanted) bool {
	return record.UID == live.UID && record.Fields == live.Fields && record.Digest == wanted.Digest() &&
		len(live.Foreign) == 0 && !live.Deleting
}

// observeUnwanted has the member list the kinds of what is to go. Only a complete,
// successful list lets anything go: what the list does not show must not exist when
// asked for by name either.
func observeUnwanted(ctx context.Context, m members.Member, seen *delivery.Seen) error {
	unwanted := delivery.Unwanted(seen.Wish, seen.Inventory)
	listed := map[schema.GroupVersionKind]map[string]metav1.PartialObjectMetadata{}
	seen.Listed = true
	for _, id := range unwanted {
		if id.Kind == "Namespace" {
			continue // read by observeObjects
		}
		apiVersion := seen.Inventory.Objects[id].APIVersion
		gvk := schema.FromAPIVersionAndKind(apiVersion, id.Kind)
		if listed[gvk] == nil {
			found, err := list(ctx, m.Client(), gvk, seen.Wish.Namespace)
			if err != nil {
				seen.Listed, seen.ListProblem = false, fmt.Sprintf("the cluster could not list its objects of kind %s: %s", id.Kind, stable(err))
				return nil
			}
			listed[gvk] = found
		}
		if item, found := listed[gvk][id.Name]; found {
			seen.Live[id] = liveOf(&item, false)
			continue
		}
		object, err := readPartial(ctx, m.Client(), id, apiVersion)
		if err != nil {
			return fmt.Errorf("could not read %s in cluster %q: %w", id, m.Name(), err)
		}
		if object != nil && (liveOf(object, false).Ours || string(object.GetUID()) == seen.Inventory.Objects[id].UID) {
			seen.Listed, seen.ListProblem = false, fmt.Sprintf("the cluster's list of kind %s is not complete: it lacks %s, which is there", id.Kind, id)
			return nil
		}
		if object != nil {
			seen.Live[id] = liveOf(object, false)
		}
	}
	return nil
}

func list(ctx context.Context, c client.Client, gvk schema.GroupVersionKind, namespace string) (map[string]metav1.PartialObjectMetadata, error) {
	found := map[string]metav1.PartialObjectMetadata{}
	objects := &metav1.PartialObjectMetadataList{}
	objects.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	if err := c.List(ctx, objects, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	if objects.Continue != "" {
		return nil, errors.New("the list goes on, and was not given in full")
	}
	for _, item := range objects.Items {
		found[item.Name] = item
	}
	return found, nil
}

func observePods(ctx context.Context, link *link, seen *delivery.Seen) error {
	pods := &corev1.PodList{}
	if err := link.cache.List(ctx, pods, client.InNamespace(seen.Wish.Namespace), client.MatchingLabels{appv1.LabelManagedBy: appv1.ManagedBy}); err != nil {
		return fmt.Errorf("could not list the instances in cluster %q: %w", link.name, err)
	}
	for i := range pods.Items {
		node, err := link.host(ctx, pods.Items[i].Spec.NodeName)
		if err != nil {
			return err
		}
		seen.Pods = append(seen.Pods, delivery.PodOf(&pods.Items[i], delivery.IsLost(node)))
	}
	return nil
}

// read finds an object in the cache; nil if it is not there.
func read(ctx context.Context, reader client.Reader, id delivery.Identity, apiVersion string) (client.Object, error) {
	switch {
	case apiVersion == "apps/v1" && id.Kind == "Deployment":
		return found(&appsv1.Deployment{}, reader, ctx, id)
	case apiVersion == "apps/v1" && id.Kind == "StatefulSet":
		return found(&appsv1.StatefulSet{}, reader, ctx, id)
	}
	return readPartial(ctx, reader, id, apiVersion)
}

func readPartial(ctx context.Context, reader client.Reader, id delivery.Identity, apiVersion string) (client.Object, error) {
	return found(partial(id, apiVersion), reader, ctx, id)
}

func found(object client.Object, reader client.Reader, ctx context.Context, id delivery.Identity) (client.Object, error) {
	err := reader.Get(ctx, types.NamespacedName{Namespace: id.Namespace, Name: id.Name}, object)
	if apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return object, nil
}

func partial(id delivery.Identity, apiVersion string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(apiVersion, id.Kind))
	object.Namespace, object.Name = id.Namespace, id.Name
	return object
}

func liveOf(object client.Object, autoscaled bool) delivery.Live {
	return delivery.Live{
		UID:             string(object.GetUID()),
		ResourceVersion: object.GetResourceVersion(),
		Ownership:       delivery.OwnershipOf(object.GetManagedFields(), autoscaled),
		Deleting:        object.GetDeletionTimestamp() != nil,
	}
}

func rolloutOf(object client.Object) (delivery.Rollout, bool) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return delivery.Rollout{Generation: o.Generation, Observed: o.Status.ObservedGeneration, Updated: o.Status.UpdatedReplicas}, true
	case *appsv1.StatefulSet:
		return delivery.Rollout{Generation: o.Generation, Observed: o.Status.ObservedGeneration, Updated: o.Status.UpdatedReplicas}, true
	}
	return delivery.Rollout{}, false
}
