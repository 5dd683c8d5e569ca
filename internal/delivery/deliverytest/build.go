// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package deliverytest builds Deliveries with their Renderings for tests, and holds
// the fakes of the room's ports.
//
//	b := deliverytest.New("east-1", "retail-prod", "mobile-bank")
//	b.Service("account", "v1", 2)
//	d, renderings := b.Build()
package deliverytest

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	v1alpha1 "github.com/fairway-cloud/fairway/api/delivery/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/delivery"
)

// Builder builds one Delivery. Its fields may be changed before Build.
type Builder struct {
	Delivery *v1alpha1.Delivery
	Tenant   string
	// Shared objects: a Namespace and a ConfigMap "settings" to begin with.
	Shared []map[string]any

	cluster    string
	renderings []*v1alpha1.Rendering
}

// New returns a builder of release 1, with a namespace and one shared ConfigMap.
func New(cluster, hubNamespace, application string) *Builder {
	namespace := hubNamespace + "-" + application
	b := &Builder{cluster: cluster, Delivery: &v1alpha1.Delivery{
		ObjectMeta: metav1.ObjectMeta{Namespace: fleetv1.ClusterNamespacePrefix + cluster, Name: namespace},
		Spec: v1alpha1.DeliverySpec{
			Application: hubNamespace + "/" + application, Namespace: namespace,
			Release: application + "-1", ReleaseSequence: 1,
			Revision: application + "-rev1", RevisionDigest: "sha256:0",
		},
	}}
	b.Shared = append(b.Shared, map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace, "labels": labels()},
	})
	b.ConfigMap("settings", map[string]any{"limit": "100"})
	return b
}

func labels() map[string]any {
	return map[string]any{appv1.LabelManagedBy: appv1.ManagedBy}
}

// ConfigMap adds a shared ConfigMap.
func (b *Builder) ConfigMap(name string, data map[string]any) *Builder {
	return b.Object(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": name, "namespace": b.Delivery.Spec.Namespace, "labels": labels()},
		"data":     data,
	})
}

// Object adds a shared object.
func (b *Builder) Object(object map[string]any) *Builder {
	b.Shared = append(b.Shared, object)
	return b
}

// Release sets the release's number; its name and revision follow.
func (b *Builder) Release(number int64) *Builder {
	spec := &b.Delivery.Spec
	spec.ReleaseSequence = number
	spec.Release = fmt.Sprintf("release-%d", number)
	spec.Revision = fmt.Sprintf("revision-%d", number)
	return b
}

// Cell is where the builder's workloads run.
func (b *Builder) Cell() placementv1.Cell {
	return placementv1.Cell{Cluster: b.cluster, Pool: "retail-business", Zone: "business", Rack: "a", DCN: "dcn-1"}
}

// Service adds a Deployment of a component's template with that many instances on
// seats from 1.
func (b *Builder) Service(component, template string, replicas int32) *Builder {
	return b.workload("Deployment", component, template, replicas)
}

// Stateful adds a StatefulSet with that many instances on seats from 0.
func (b *Builder) Stateful(component, template string, replicas int32) *Builder {
	return b.workload("StatefulSet", component, template, replicas)
}

// WorkloadName is the name of a component's workload object.
func (b *Builder) WorkloadName(kind, component, template string) string {
	if kind == "StatefulSet" {
		return component + "-0"
	}
	return component + "-" + delivery.Digest(template)[7:15]
}

func (b *Builder) workload(kind, component, template string, replicas int32) *Builder {
	digest := delivery.Digest(template)
	name := b.WorkloadName(kind, component, template)
	cell := b.Cell()
	selector := map[string]any{appv1.LabelComponent: component, appv1.LabelCell: delivery.CellHash(cell)}
	if kind == "Deployment" {
		selector[appv1.LabelTemplate] = digest[7:15]
	}
	podLabels := labels()
	for key, value := range selector {
		podLabels[key] = value
	}
	podLabels[appv1.LabelTemplate] = digest[7:15]
	podLabels[appv1.LabelDCN] = cell.DCN
	spec := map[string]any{
		"selector": map[string]any{"matchLabels": selector},
		"template": map[string]any{
			"metadata": map[string]any{"labels": podLabels},
			"spec": map[string]any{"containers": []any{map[string]any{
				"name": component, "image": "registry.test/" + component + ":" + template,
				"resources": map[string]any{"limits": map[string]any{"cpu": "1000m", "memory": "1024Mi"}},
			}}},
		},
	}
	if kind == "StatefulSet" {
		spec["serviceName"] = component
		spec["ordinals"] = map[string]any{"start": int64(0)}
	}
	objects := []map[string]any{{
		"apiVersion": "apps/v1", "kind": kind,
		"metadata": map[string]any{"name": name, "namespace": b.Delivery.Spec.Namespace, "labels": labels()},
		"spec":     spec,
	}}
	first := int32(1)
	if kind == "StatefulSet" {
		first = 0
	}
	var seats []int32
	for i := range replicas {
		seats = append(seats, first+i)
	}
	b.Delivery.Spec.Workloads = append(b.Delivery.Spec.Workloads, v1alpha1.Workload{
		Name: name, Kind: kind, Component: component, Template: digest, Cell: cell,
		Replicas: replicas, Seats: seats, Rendering: b.render(objects),
	})
	return b
}

func (b *Builder) render(objects []map[string]any) v1alpha1.RenderingReference {
	content, err := json.Marshal(objects)
	if err != nil {
		panic(err) // a test's own mistake
	}
	digest := delivery.Digest(string(content))
	rendering := &v1alpha1.Rendering{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.Delivery.Namespace, Name: b.Delivery.Name + "-" + digest[7:17]},
		Spec:       v1alpha1.RenderingSpec{Content: string(content), Digest: digest},
	}
	b.renderings = append(b.renderings, rendering)
	return v1alpha1.RenderingReference{Name: rendering.Name, Digest: digest}
}

// Retire makes the Delivery one that takes the application out.
func (b *Builder) Retire() *Builder {
	b.Delivery.Spec.Intent = "Retire"
	return b
}

// Build returns the Delivery and its Renderings.
func (b *Builder) Build() (*v1alpha1.Delivery, []*v1alpha1.Rendering) {
	if b.Delivery.Spec.Intent == "Retire" {
		b.Delivery.Spec.Shared = []v1alpha1.RenderingReference{}
		b.Delivery.Spec.Workloads = nil
		return b.Delivery, nil
	}
	b.Delivery.Spec.Shared = []v1alpha1.RenderingReference{b.render(b.Shared)}
	return b.Delivery, b.renderings
}
