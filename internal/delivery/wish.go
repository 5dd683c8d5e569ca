// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package delivery

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
)

// Wish is what a Delivery asks for, with its renderings read and checked.
type Wish struct {
	// Application as "<hub namespace>/<name>".
	Application string
	// Namespace of the application in the member.
	Namespace string
	// Retire asks that everything goes.
	Retire bool
	// Release that asks, and its number.
	Release  string
	Sequence int64
	// Revision that the state belongs to.
	Revision string
	// Objects in the order in which they are applied: shared ones first.
	Objects []Wanted
	// Workloads as the Delivery names them.
	Workloads []v1alpha1.Workload
	// Restarts asked for.
	Restarts []v1alpha1.InstanceRestart
}

// Wanted is one object that a wish holds.
type Wanted struct {
	Object
	// Workload is set where the object is a workload of the Delivery.
	Workload *v1alpha1.Workload
	// Autoscaled says that an autoscaler of the same wish sets the replicas.
	Autoscaled bool
}

// Problem is why a wish cannot be carried out, for a person to put right.
type Problem struct {
	// Reason in one word, for conditions.
	Reason string
	// Message in a sentence.
	Message string
}

// Reasons of a Problem.
const (
	// ReasonBadRendering: bytes are not the approved ones, or not objects.
	ReasonBadRendering = "BadRendering"
	// ReasonOutOfBounds: an object lies outside the application's namespace.
	ReasonOutOfBounds = "OutOfBounds"
	// ReasonForeignObject: somebody else's object has the name.
	ReasonForeignObject = "ForeignObject"
	// ReasonSetBack: the member has carried out a later release than the hub knows.
	ReasonSetBack = "SetBack"
)

// Read puts the wish together from the spec and the parsed renderings by name.
// A problem means that nothing of it may be applied.
func Read(spec v1alpha1.DeliverySpec, renderings map[string][]Object) (Wish, *Problem) {
	wish := Wish{
		Application: spec.Application,
		Namespace:   spec.Namespace,
		Retire:      spec.Intent == "Retire",
		Release:     spec.Release,
		Sequence:    spec.ReleaseSequence,
		Revision:    spec.Revision,
		Workloads:   spec.Workloads,
		Restarts:    spec.Restarts,
	}
	if wish.Retire {
		// What is to go is in the inventory; renderings may be gone already.
		return wish, nil
	}
	reader := reader{wish: &wish, seen: map[Identity]string{}}
	for _, reference := range spec.Shared {
		if problem := reader.add(renderings[reference.Name], nil); problem != nil {
			return wish, problem
		}
	}
	for i := range spec.Workloads {
		if problem := reader.addWorkload(&spec.Workloads[i], renderings); problem != nil {
			return wish, problem
		}
	}
	markAutoscaled(wish.Objects)
	return wish, nil
}

type reader struct {
	wish *Wish
	seen map[Identity]string
}

func (r *reader) addWorkload(workload *v1alpha1.Workload, renderings map[string][]Object) *Problem {
	objects := renderings[workload.Rendering.Name]
	if !slices.ContainsFunc(objects, func(o Object) bool { return isOf(o, workload) }) {
		return &Problem{ReasonBadRendering, fmt.Sprintf("rendering %q holds no %s %q: start the release anew", workload.Rendering.Name, workload.Kind, workload.Name)}
	}
	return r.add(objects, workload)
}

func (r *reader) add(objects []Object, workload *v1alpha1.Workload) *Problem {
	for _, object := range objects {
		if problem := withinBounds(object.Identity, r.wish.Namespace); problem != nil {
			return problem
		}
		wanted := Wanted{Object: object}
		if workload != nil && isOf(object, workload) {
			wanted.Workload = workload
		}
		text, _ := json.Marshal(object.Body)
		earlier, found := r.seen[object.Identity]
		if found && earlier != string(text) {
			return &Problem{ReasonBadRendering, fmt.Sprintf("two renderings hold %s with different content: start the release anew", object.Identity)}
		}
		if found {
			continue
		}
		r.seen[object.Identity] = string(text)
		r.wish.Objects = append(r.wish.Objects, wanted)
	}
	return nil
}

func isOf(o Object, workload *v1alpha1.Workload) bool {
	group := "apps"
	if workload.Kind == "Job" || workload.Kind == "CronJob" {
		group = "batch"
	}
	return o.Identity.Group == group && o.Identity.Kind == workload.Kind && o.Identity.Name == workload.Name
}

// withinBounds refuses what lies outside the application's own namespace, so
// that no rendering reaches another tenant or the cluster itself.
func withinBounds(id Identity, namespace string) *Problem {
	if id.isNamespace() && id.Name == namespace && id.Namespace == "" {
		return nil
	}
	if id.Namespace != namespace || id.isNamespace() {
		return &Problem{ReasonOutOfBounds, fmt.Sprintf("a rendering holds %s, outside namespace %q: an application has nothing there", id, namespace)}
	}
	if id.Group == "" && id.Kind == "ConfigMap" && id.Name == InventoryName {
		return &Problem{ReasonOutOfBounds, fmt.Sprintf("a rendering holds %s, which is Fairway's own record: name it otherwise", id)}
	}
	return nil
}

func markAutoscaled(objects []Wanted) {
	targets := map[string]bool{}
	for _, object := range objects {
		if object.Identity.Kind != "HorizontalPodAutoscaler" {
			continue
		}
		spec, _ := object.Body["spec"].(map[string]any)
		target, _ := spec["scaleTargetRef"].(map[string]any)
		kind, _ := target["kind"].(string)
		name, _ := target["name"].(string)
		targets[kind+"/"+name] = true
	}
	for i := range objects {
		objects[i].Autoscaled = objects[i].Workload != nil && targets[objects[i].Identity.Kind+"/"+objects[i].Identity.Name]
	}
}

// counted says whether Delivery sets the number of instances.
func (w Wanted) counted() bool {
	return w.Workload != nil && (w.Workload.Kind == "Deployment" || w.Workload.Kind == "StatefulSet")
}

// leavesReplicas says whether an autoscaler owns the number of instances. A wish
// for none is Delivery's own: it switches the autoscaler off.
func (w Wanted) leavesReplicas() bool {
	return w.Autoscaled && w.Workload.Replicas > 0
}

// ToCreate returns the body for the first contact.
func (w Wanted) ToCreate() map[string]any {
	return w.body(w.counted())
}

// ToApply returns the body for server-side apply: the rendered bytes, and the
// counts that the rendering leaves to the Delivery.
func (w Wanted) ToApply() map[string]any {
	return w.body(w.counted() && !w.leavesReplicas())
}

func (w Wanted) body(replicas bool) map[string]any {
	body := runtime.DeepCopyJSON(w.Body)
	spec, _ := body["spec"].(map[string]any)
	if spec == nil || !w.counted() {
		return body
	}
	if replicas {
		spec["replicas"] = int64(w.Workload.Replicas)
	}
	if w.Workload.Kind == "StatefulSet" && w.Workload.Partition > 0 {
		strategy, _ := spec["updateStrategy"].(map[string]any)
		if strategy == nil {
			strategy = map[string]any{}
		}
		strategy["type"] = "RollingUpdate"
		strategy["rollingUpdate"] = map[string]any{"partition": int64(w.Workload.Partition)}
		spec["updateStrategy"] = strategy
	}
	return body
}

// Digest of what is applied: the rendered object with its counts.
func (w Wanted) Digest() string {
	text, _ := json.Marshal(w.ToApply())
	return Digest(string(text))
}
