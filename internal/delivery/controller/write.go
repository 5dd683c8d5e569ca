// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
)

// Annotations on the inventory: on whose behalf the member was written to last.
const (
	annotationPerson  = "delivery.fairway.cloud/person"
	annotationRelease = "delivery.fairway.cloud/release"
)

var owner = client.FieldOwner(delivery.FieldOwner)

// do carries one action out. Repeating it does no harm.
func (s *step) do(ctx context.Context, action delivery.Action) error {
	switch action.Verb {
	case delivery.WriteInventory:
		return s.store(ctx)
	case delivery.Create:
		return s.create(ctx, action)
	case delivery.Apply:
		return s.apply(ctx, action)
	case delivery.Annotate, delivery.Label:
		return s.mark(ctx, action)
	case delivery.Evict:
		return s.evict(ctx, action)
	case delivery.Delete:
		return s.delete(ctx, action)
	case delivery.Remember:
		return s.remember(ctx)
	}
	return fmt.Errorf("could not %s %s: unknown action", action.Verb, action.Object)
}

// create is the first contact: a plain create, which fails where anybody's object
// has the name.
func (s *step) create(ctx context.Context, action delivery.Action) error {
	object := &unstructured.Unstructured{Object: action.Wanted.ToCreate()}
	err := s.member.Client().Create(ctx, object, owner)
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("could not create %s: %w", action.Object, errLookAgain)
	}
	if err != nil {
		return fmt.Errorf("could not create %s in cluster %q: %w", action.Object, s.member.Name(), err)
	}
	s.learn(action, object)
	return nil
}

// apply brings an object that is Fairway's to what is wanted. Its UID goes along, so
// that one made anew by somebody else is not touched.
func (s *step) apply(ctx context.Context, action delivery.Action) error {
	if err := s.ensureAllowed(ctx, action); err != nil {
		return err
	}
	if action.Gather {
		if err := s.gather(ctx, action); err != nil {
			return err
		}
	}
	object := &unstructured.Unstructured{Object: action.Wanted.ToApply()}
	object.SetUID(types.UID(action.UID))
	err := s.member.Client().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), owner, client.ForceOwnership)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("could not apply %s: %w", action.Object, errLookAgain)
	}
	if err != nil {
		return fmt.Errorf("could not apply %s in cluster %q: %w", action.Object, s.member.Name(), err)
	}
	s.learn(action, object)
	return nil
}

// gather makes Fairway the owner of what it created and of what others added, so
// that the apply that follows can take it away.
func (s *step) gather(ctx context.Context, action delivery.Action) error {
	object := partial(action.Object, action.Wanted.APIVersion)
	if err := s.member.Client().Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return fmt.Errorf("could not read who owns %s: %w", action.Object, overtaken(err))
	}
	if string(object.UID) != action.UID {
		return fmt.Errorf("could not apply %s: %w", action.Object, errLookAgain)
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": delivery.Gather(action.Wanted.APIVersion, object.ManagedFields, action.Wanted.Autoscaled)},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": object.ResourceVersion},
	})
	if err != nil {
		return fmt.Errorf("could not gather the fields of %s: %w", action.Object, err)
	}
	if err := s.member.Client().Patch(ctx, object, client.RawPatch(types.JSONPatchType, patch), owner); err != nil {
		return fmt.Errorf("could not gather the fields of %s: %w", action.Object, overtaken(err))
	}
	return nil
}

// learn notes what came out, for the inventory.
func (s *step) learn(action delivery.Action, object *unstructured.Unstructured) {
	record := delivery.Record{
		APIVersion: action.Wanted.APIVersion,
		UID:        string(object.GetUID()),
		Digest:     action.Wanted.Digest(),
		Fields:     delivery.OwnershipOf(object.GetManagedFields(), action.Wanted.Autoscaled).Fields,
		Generation: object.GetGeneration(),
	}
	if action.Wanted.Workload != nil {
		record.Replicas = action.Wanted.Workload.Replicas
	}
	s.inventory.Objects[action.Object] = record
	if action.Drift != "" {
		s.r.pace.note(client.ObjectKeyFromObject(s.delivery), action.Object, time.Now())
		putBack.Inc()
	}
}

// mark sets labels or annotations of a pod. A pod that is gone or was replaced needs
// none.
func (s *step) mark(ctx context.Context, action delivery.Action) error {
	values := map[string]any{}
	for key, value := range action.Set {
		values[key] = value
		if value == "" {
			values[key] = nil
		}
	}
	field := "labels"
	if action.Verb == delivery.Annotate {
		field = "annotations"
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": action.UID, field: values}})
	if err != nil {
		return fmt.Errorf("could not mark %s: %w", action.Object, err)
	}
	pod := partial(action.Object, "v1")
	err = s.member.Client().Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch), owner)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("could not mark %s in cluster %q: %w", action.Object, s.member.Name(), err)
	}
	return nil
}

// evict asks for a pod's replacement. A disruption budget that refuses is waited for.
func (s *step) evict(ctx context.Context, action delivery.Action) error {
	if err := s.ensureAllowed(ctx, action); err != nil {
		return err
	}
	err := s.requestEviction(ctx, action)
	if errors.Is(err, errBudget) {
		return fmt.Errorf("could not restart %s: %w: %w", action.Object, errBudget, errLookAgain)
	}
	return err
}

// errBudget says that a disruption budget does not allow a restart now.
var errBudget = errors.New("the disruption budget does not allow it now")

// requestEviction evicts the pod of exactly that UID, or with dryRun only asks. A pod
// that is gone or was replaced needs none.
func (s *step) requestEviction(ctx context.Context, action delivery.Action, dryRun ...string) error {
	// A budget that the cluster has not looked at yet answers "later", which the client
	// would wait for.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	uid := types.UID(action.UID)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: action.Object.Namespace, Name: action.Object.Name}}
	eviction := &policyv1.Eviction{DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, DryRun: dryRun}}
	err := s.member.Client().SubResource("eviction").Create(ctx, pod, eviction)
	switch {
	case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil
	case apierrors.IsTooManyRequests(err), errors.Is(err, context.DeadlineExceeded):
		return errBudget
	}
	return fmt.Errorf("could not restart %s in cluster %q: %w", action.Object, s.member.Name(), err)
}

func (s *step) delete(ctx context.Context, action delivery.Action) error {
	if err := s.ensureAllowed(ctx, action); err != nil {
		return err
	}
	object := partial(action.Object, s.inventory.Objects[action.Object].APIVersion)
	if action.Object.Kind == "Namespace" {
		object = partial(action.Object, "v1")
	}
	uid := types.UID(action.UID)
	err := s.member.Client().Delete(ctx, object,
		client.Preconditions{UID: &uid, ResourceVersion: &action.ResourceVersion},
		client.PropagationPolicy(metav1.DeletePropagationBackground))
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("could not delete %s in cluster %q: %w", action.Object, s.member.Name(), overtaken(err))
	}
	return nil
}

func (s *step) ensureAllowed(ctx context.Context, action delivery.Action) error {
	_, err := s.ask(ctx, action)
	return err
}

// overtaken turns an error that says that the object changed into errLookAgain.
func overtaken(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return errLookAgain
	}
	return err
}

// store writes the inventory, if it says something new. It names the version that
// was read, so that of two writers one fails.
func (s *step) store(ctx context.Context) error {
	if s.record != nil && s.inventory.Equal(s.stored) {
		return nil
	}
	record := &corev1.ConfigMap{}
	if s.record != nil {
		record = s.record.DeepCopy()
	}
	record.Namespace, record.Name = s.delivery.Spec.Namespace, delivery.InventoryName
	record.Labels = map[string]string{appv1.LabelManagedBy: appv1.ManagedBy}
	record.Annotations = map[string]string{annotationPerson: s.asker.person, annotationRelease: s.asker.release}
	record.Data = s.inventory.Encode()
	var err error
	if s.record == nil {
		err = s.member.Client().Create(ctx, record, owner)
	} else {
		err = s.member.Client().Update(ctx, record, owner)
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return fmt.Errorf("could not store the inventory: %w", errLookAgain)
	}
	if err != nil {
		return fmt.Errorf("could not store the inventory in cluster %q: %w", s.member.Name(), err)
	}
	s.record, s.stored = record, s.inventory.Clone()
	return nil
}

// remember notes in fairway-system which release took the application out.
func (s *step) remember(ctx context.Context) error {
	value := strconv.FormatInt(s.delivery.Spec.ReleaseSequence, 10)
	return setSystemRecord(ctx, s.member, delivery.RetiredName, s.delivery.Spec.Namespace, value)
}
