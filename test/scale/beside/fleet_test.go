// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package beside

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	tenancyv1 "github.com/fairway-cloud/fairway/api/tenancy/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/app/apptest"
	"github.com/fairway-cloud/fairway/internal/placement/placementtest"
)

// The fleet of both: clusters of two racks each. Each application has
// ten instances in two clusters.
const (
	namespace   = "retail-prod"
	clusters    = 20
	racks       = 2
	hostCPU     = 16 // cores at most
	hostMemory  = 64 // GiB
	hostRoom    = 110
	instances   = 10
	inEast      = 6
	instanceCPU = 250 // thousandths
)

// fleet is how many hosts a rack has, and of how many cores.
type fleet struct{ hosts, cpu int }

// fleetFor has room for about so many percent of what applications ask for: hosts of 16 cores,
// smaller ones where two of them in each rack would be too many.
func fleetFor(applications, percent int) fleet {
	cores := applications * instances * instanceCPU * percent / 100 / 1000
	f := fleet{hosts: max(2, (cores+clusters*racks*hostCPU-1)/(clusters*racks*hostCPU))}
	f.cpu = max(1, min(hostCPU, cores/clusters/racks/f.hosts))
	return f
}

// holds is how many instances all hosts can hold.
func (f fleet) holds() int { return clusters * racks * f.hosts * (f.cpu * 1000 / instanceCPU) }

func nameOf(cluster int) string {
	return fmt.Sprintf("%s-%02d", []string{"east", "west"}[cluster%2], cluster/2+1)
}

func quantity(format string, args ...any) resource.Quantity {
	return resource.MustParse(fmt.Sprintf(format, args...))
}

// forFairway are the objects of a hub: one pool of one tenant, with hosts in each cluster.
func (f fleet) forFairway() []client.Object {
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}}
	pool := &fleetv1.Pool{}
	for _, o := range placementtest.Fleet() {
		switch o := o.(type) {
		case *fleetv1.Pool:
			pool = o
			pool.Status.Racks = nil
		case *fleetv1.Cluster: // its own follow
		case *tenancyv1.Tenant: // no quota stands in the way
			o.Spec.Quotas[0].Instances, o.Spec.Quotas[0].CPU, o.Spec.Quotas[0].Memory = 1<<20, quantity("1M"), quantity("1Pi")
			objects = append(objects, o)
		default:
			objects = append(objects, o)
		}
	}
	objects = append(objects, &fleetv1.DCN{ObjectMeta: metav1.ObjectMeta{Name: "dcn-west-1"}, Spec: fleetv1.DCNSpec{DataCenter: "dc-west", Environment: "prod"}})
	for c := range clusters {
		name := nameOf(c)
		objects = append(objects, &fleetv1.Cluster{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: fleetv1.ClusterSpec{DataCenter: []string{"dc-east", "dc-west"}[c%2], Environment: "prod"},
			Status: fleetv1.ClusterStatus{PodAdmission: "Policy", Conditions: []metav1.Condition{{Type: fleetv1.ConditionReachable, Status: metav1.ConditionTrue, Reason: "Answers", LastTransitionTime: metav1.NewTime(apptest.Now)}}},
		})
		for r := range racks {
			pool.Status.Racks = append(pool.Status.Racks, f.rack(name, r))
		}
	}
	return append(objects, pool)
}

func (f fleet) rack(cluster string, r int) fleetv1.PoolRack {
	rack := fleetv1.PoolRack{Cluster: cluster, Rack: fmt.Sprintf("%s-%d", cluster, r), Capacity: fleetv1.Resources{
		CPU: quantity("%d", f.hosts*f.cpu), Memory: quantity("%dGi", f.hosts*hostMemory), Instances: int64(f.hosts * hostRoom),
	}}
	rack.Free = rack.Capacity
	for h := range f.hosts {
		host := fmt.Sprintf("%s-%03d", rack.Rack, h)
		rack.Hosts = append(rack.Hosts, host)
		rack.Room = append(rack.Room, fleetv1.HostRoom{Host: host, Resources: fleetv1.Resources{
			CPU: quantity("%d", f.cpu), Memory: quantity("%dGi", hostMemory), Instances: hostRoom,
		}})
	}
	return rack
}

// revision is what is placed: ten instances of 250m CPU, six in one DCN and four in another.
func revision(t testing.TB, application string) *appv1.Revision {
	t.Helper()
	a := apptest.MobileBank(apptest.With("account", func(c *appv1.Component) {
		c.Instances, c.DependsOn = []appv1.InstanceCount{{DCN: "dcn-east-1", Count: inEast}, {DCN: "dcn-west-1", Count: instances - inEast}}, nil
	}))
	a.Name, a.Spec.Components, a.Spec.Exposure, a.Spec.AvailabilityClass = application, a.Spec.Components[1:2], nil, "class-b"
	frozen, err := app.Freeze(a, apptest.Images(a), apptest.Bank())
	if err != nil {
		t.Fatal(err)
	}
	return &appv1.Revision{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app.RevisionName(application, frozen.Digest)},
		Spec:       appv1.RevisionSpec{Application: application, Content: frozen.Text, Digest: frozen.Digest},
	}
}

// forKarmada are the same clusters as Karmada's status controller would describe them.
func (f fleet) forKarmada() []client.Object {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "karmada-system"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
	}
	hosts := int64(racks * f.hosts)
	for c := range clusters {
		objects = append(objects, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
			"metadata": map[string]any{"name": nameOf(c)},
			"spec":     map[string]any{"syncMode": "Push", "region": []string{"dc-east", "dc-west"}[c%2]},
			"status": map[string]any{
				"kubernetesVersion": "v1.36.3",
				"apiEnablements":    []any{map[string]any{"groupVersion": "apps/v1", "resources": []any{map[string]any{"name": "deployments", "kind": "Deployment"}}}},
				"conditions":        []any{map[string]any{"type": "Ready", "status": "True", "reason": "ClusterReady", "message": "", "lastTransitionTime": apptest.Now.Format("2006-01-02T15:04:05Z")}},
				"nodeSummary":       map[string]any{"totalNum": hosts, "readyNum": hosts},
				"resourceSummary": map[string]any{
					"allocatable": map[string]any{"cpu": fmt.Sprint(hosts * int64(f.cpu)), "memory": fmt.Sprintf("%dGi", hosts*hostMemory), "pods": fmt.Sprint(hosts * hostRoom)},
					"allocated":   map[string]any{"cpu": "0", "memory": "0", "pods": "0"},
				},
			},
		}})
	}
	return objects
}

// binding asks Karmada for the same: ten replicas in two clusters, divided by what they have
// available.
func binding(i int) client.Object {
	name := applicationOf(i)
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "work.karmada.io/v1alpha2", "kind": "ResourceBinding",
		"metadata": map[string]any{
			"namespace": namespace, "name": name + "-deployment",
			"labels": map[string]any{"propagationpolicy.karmada.io/permanent-id": "5b1f5a1e-0000-4000-8000-000000000000"},
		},
		"spec": map[string]any{
			"resource":            map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "namespace": namespace, "name": name, "uid": fmt.Sprintf("00000000-0000-4000-8000-%012d", i)},
			"replicas":            int64(instances),
			"replicaRequirements": map[string]any{"resourceRequest": map[string]any{"cpu": fmt.Sprintf("%dm", instanceCPU), "memory": "512Mi"}},
			"schedulerName":       "default-scheduler",
			"placement": map[string]any{
				"clusterAffinity":   map[string]any{},
				"spreadConstraints": []any{map[string]any{"spreadByField": "cluster", "minGroups": int64(2), "maxGroups": int64(2)}},
				"replicaScheduling": map[string]any{
					"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
					"weightPreference": map[string]any{"dynamicWeight": "AvailableReplicas"},
				},
			},
		},
	}}
}

func applicationOf(i int) string { return fmt.Sprintf("app-%05d", i) }
