// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Nobody but Fairway tells what Fairway observed, a member of system:masters included.
func TestStatusIsFairways(t *testing.T) {
	namespace := namespaceOf(t, "status", "prod")
	masters := hub.Client()
	for kind, o := range map[string]*unstructured.Unstructured{
		"Application": application(namespace, "shop"),
		"Release":     release(namespace, "r1", "Retire", "x"),
		"Placement":   placement(namespace, "shop-1"),
		"Delivery":    delivery(namespace, "shop"),
		"Cluster":     cluster("status-1"),
		"Pool":        pool("status-1"),
		"Tenant":      tenant("status-1", "prod"),
	} {
		t.Run(kind, func(t *testing.T) {
			create(t, system(t), o)
			condition := client.RawPatch("application/merge-patch+json",
				[]byte(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Forged","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`))
			refused(t, "a status is what Fairway observed", func() error {
				return masters.Status().Patch(t.Context(), o.DeepCopy(), condition)
			})
			tell(t, o, map[string]any{"conditions": []any{}})
			// The main resource drops what it is told about the status.
			forged := o.DeepCopy()
			if err := masters.Patch(t.Context(), forged, condition); err == nil {
				if got, _, _ := unstructured.NestedSlice(forged.Object, "status", "conditions"); len(got) > 0 {
					t.Errorf("%s: a status came in through the spec's door: %v", kind, got)
				}
			}
		})
	}
}

// What Fairway makes from what people ask for is made, changed and deleted by Fairway alone.
func TestOwnKinds(t *testing.T) {
	namespace := namespaceOf(t, "own", "prod")
	masters := hub.Client()
	revision := func(name string) *unstructured.Unstructured {
		return object("Revision", namespace, name, map[string]any{
			"application": "shop", "content": "{}", "digest": "sha256:0123456789000000000000000000000000000000000000000000000000000000",
		})
	}
	rendering := object("Rendering", namespace, "x", map[string]any{"content": "[]", "digest": "sha256:0"})
	for kind, o := range map[string]*unstructured.Unstructured{
		"Revision": revision("shop-0123456789"), "Placement": placement(namespace, "shop-1"), "Delivery": delivery(namespace, "shop"), "Rendering": rendering,
	} {
		t.Run(kind, func(t *testing.T) {
			refused(t, "Fairway makes this object", func() error { return masters.Create(t.Context(), o.DeepCopy()) })
			create(t, system(t), o)
			refused(t, "Fairway makes this object|retire it first", deleting(t, masters, o))
			changed := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"application":"other","digest":"sha256:1"}}`))
			if err := masters.Patch(t.Context(), o.DeepCopy(), changed); err == nil {
				t.Errorf("a member of system:masters changed a %s", kind)
			}
		})
	}
	t.Run("never changed", func(t *testing.T) {
		for text, o := range map[string]*unstructured.Unstructured{
			"a Revision never changes":  revision("shop-0123456789"),
			"a Placement is a decision": placement(namespace, "shop-1"),
			"a Rendering is what was":   rendering,
		} {
			refused(t, text, func() error {
				return system(t).Patch(t.Context(), o.DeepCopy(), client.RawPatch("application/merge-patch+json",
					[]byte(`{"spec":{"content":"[1]","reasons":[{"rule":"x","message":"y"}]}}`)))
			})
		}
	})
}

// Nothing that runs is forgotten, whoever asks; afterwards it may be.
func TestDeletedOnlyWhenNothingRuns(t *testing.T) {
	namespace := namespaceOf(t, "gone", "prod")
	cases := map[string]struct {
		reason string
		object *unstructured.Unstructured
		status map[string]any
		clear  map[string]any
		want   string
		as     func(*testing.T) client.Client
	}{
		"an application with instances": {
			reason: "instances are counted", object: application(namespace, "a"),
			status: map[string]any{"running": []any{map[string]any{"component": "web", "dcn": "d", "wanted": int64(0), "ready": int64(1)}}},
			clear:  map[string]any{"running": nil}, want: "retire it first",
		},
		"an application in service": {
			reason: "it is released, though no instance has been seen yet", object: application(namespace, "b"),
			status: map[string]any{"releasedRevision": "b-0123456789"}, clear: map[string]any{"releasedRevision": nil}, want: "in service",
		},
		"an application under a Release": {
			reason: "the Release would find nothing", object: application(namespace, "c"),
			status: map[string]any{"activeRelease": "r1"}, clear: map[string]any{"activeRelease": nil}, want: "under way",
		},
		"a Delivery that has not ended": {
			reason: "even Fairway itself waits until it has seen that nothing is left", object: delivery(namespace, "d"),
			status: map[string]any{"observedGeneration": int64(1), "workloads": []any{map[string]any{
				"name": "w", "component": "web", "template": "sha256:0", "instances": int64(0), "updated": int64(0), "ready": int64(0), "leaving": int64(1),
				"cell": map[string]any{"cluster": "c", "pool": "p", "zone": "z", "rack": "r", "dcn": "d"},
			}}},
			clear: map[string]any{"workloads": nil}, want: "retire it first", as: system,
		},
		"a cluster with instances": {
			reason: "its instances would be nobody's", object: cluster("gone-1"),
			status: map[string]any{"instances": int64(3)}, clear: map[string]any{"instances": int64(0)}, want: "instances run in the cluster",
		},
		"a pool with instances": {
			reason: "its hosts would be anybody's", object: pool("gone-1"),
			status: map[string]any{"instances": int64(1)}, clear: map[string]any{"instances": int64(0)}, want: "instances run on the pool's hosts",
		},
		"a tenant with applications": {
			reason: "they would be nobody's", object: tenant("gone-1", "prod"),
			status: map[string]any{"applications": int64(2)}, clear: map[string]any{"applications": int64(0)}, want: "the tenant has applications",
		},
		"a release under way": {
			reason: "it is the record of what was done", object: release(namespace, "r1", "Retire", "x"),
			status: map[string]any{"startedAt": "2026-01-01T00:00:00Z"}, clear: map[string]any{"completedAt": "2026-01-01T01:00:00Z"}, want: "under way",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			who := hub.Client()
			if c.as != nil {
				who = c.as(t)
			}
			create(t, system(t), c.object)
			tell(t, c.object, c.status)
			refused(t, c.want, deleting(t, who, c.object))
			refused(t, c.want+"|Fairway makes this object", func() error {
				return hub.Client().DeleteAllOf(t.Context(), c.object.DeepCopy(), client.InNamespace(c.object.GetNamespace()))
			})
			tell(t, c.object, c.clear)
			allowed(t, deleting(t, who, c.object))
		})
	}
}

// An owner that does not exist makes the garbage collector delete: it too is refused.
func TestGarbageCollectorIsRefusedToo(t *testing.T) {
	namespace := namespaceOf(t, "collected", "prod")
	a := application(namespace, "shop")
	create(t, system(t), a)
	tell(t, a, map[string]any{"releasedRevision": "shop-0123456789"})
	owner := client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"none","uid":"00000000-0000-0000-0000-000000000000"}]}}`))
	allowed(t, func() error { return hub.Client().Patch(t.Context(), a.DeepCopy(), owner) })
	// A witness of the same false owner, whose going says that the collector has come round.
	witness := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "witness", OwnerReferences: []metav1.OwnerReference{{
		APIVersion: "v1", Kind: "ConfigMap", Name: "none", UID: "00000000-0000-0000-0000-000000000000",
	}}}}
	create(t, hub.Client(), witness)
	allowed(t, func() error {
		if err := hub.Client().Get(t.Context(), client.ObjectKeyFromObject(witness), &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
			return errStillThere
		}
		return nil
	})
	if err := hub.Client().Get(t.Context(), client.ObjectKeyFromObject(a), a); err != nil || a.GetDeletionTimestamp() != nil {
		t.Errorf("the application in service is gone or going: %v", err)
	}
}

// Namespaces and definitions hold many objects: they go only after somebody has
// written on them that it is meant, and namespaces in use do not go at all.
func TestNamespacesAndDefinitions(t *testing.T) {
	hub.Needed(t)
	masters := hub.Client()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(t, "nslife", "prod")}}
	owner := tenant("nslife", "prod", "sit")
	create(t, system(t), object("Environment", "", "sit", map[string]any{"class": "Test"}), owner)
	meant := func(o client.Object) {
		t.Helper()
		allowed(t, func() error {
			return masters.Patch(t.Context(), o, client.RawPatch("application/merge-patch+json",
				[]byte(`{"metadata":{"annotations":{"fairway.cloud/allow-delete":"`+o.GetName()+`"}}}`)))
		})
	}
	refused(t, "fairway.cloud/allow-delete", deleting(t, masters, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(t, "unmeant", "prod")}}))
	refused(t, "fairway.cloud/allow-delete", deleting(t, masters, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "fairway-system"}}))
	meant(namespace)
	refused(t, "tenant nslife uses the namespace", deleting(t, masters, namespace))
	allowed(t, func() error {
		return masters.Patch(t.Context(), owner.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"environments":["sit"]}}`)))
	})
	// The namespace controller ends it: it is refused nothing that is settled.
	create(t, system(t), placement(namespace.Name, "shop-1"), application(namespace.Name, "shop"), release(namespace.Name, "r1", "Retire", "x"))
	allowed(t, deleting(t, masters, namespace))
	allowed(t, func() error {
		if err := masters.Get(t.Context(), client.ObjectKeyFromObject(namespace), &corev1.Namespace{}); !apierrors.IsNotFound(err) {
			return errStillThere
		}
		return nil
	})

	definition := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "releases.release.fairway.cloud"}}
	refused(t, "deletes every object of the kind", deleting(t, masters, definition))

	other := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "somebody-elses"}}
	create(t, masters, other)
	allowed(t, deleting(t, masters, other))
}

// Labels of namespaces that isolation rests on are Fairway's own.
func TestNamespaceLabels(t *testing.T) {
	hub.Needed(t)
	masters := hub.Client()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespaceOf(t, "labels", "prod")}}
	for reason, body := range map[string]string{
		"moved to another tenant": `{"metadata":{"labels":{"tenancy.fairway.cloud/tenant":"cards"}}}`,
		"taken away":              `{"metadata":{"labels":{"tenancy.fairway.cloud/environment":null}}}`,
		"made a cluster's":        `{"metadata":{"labels":{"fleet.fairway.cloud/cluster":"east-1"}}}`,
	} {
		t.Run(reason, func(t *testing.T) {
			for _, sub := range []string{"", "status"} {
				refused(t, "are Fairway's own", func() error {
					patch := client.RawPatch("application/merge-patch+json", []byte(body))
					if sub == "status" {
						return masters.Status().Patch(t.Context(), namespace.DeepCopy(), patch)
					}
					return masters.Patch(t.Context(), namespace.DeepCopy(), patch)
				})
			}
		})
	}
	refused(t, "are Fairway's own", func() error {
		return masters.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "forged-prod", Labels: map[string]string{"tenancy.fairway.cloud/tenant": "forged"}}})
	})
	allowed(t, func() error {
		return masters.Patch(t.Context(), namespace.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"cost-centre":"7"}}}`)))
	})
}

// What others are built on stays while they name it.
func TestInUse(t *testing.T) {
	hub.Needed(t)
	masters := hub.Client()
	create(t, system(t), tenant("inuse", "uat", "prod"), cluster("inuse-1"), pool("inuse-1"),
		object("Environment", "", "uat", map[string]any{"class": "Test"}),
		object("DataCenter", "", "dc-inuse-1", map[string]any{"city": "Shanghai", "role": "Active"}),
		object("SecurityLevel", "", "level-inuse-1", map[string]any{"rank": int64(3)}),
		object("NetworkZone", "", "zone-inuse-1", map[string]any{"kind": "Business", "acceptedLevels": []any{"level-inuse-1"}}),
	)
	for want, o := range map[string]*unstructured.Unstructured{
		"tenant inuse uses the environment":         object("Environment", "", "uat", nil),
		"cluster inuse-1 lies in the data centre":   object("DataCenter", "", "dc-inuse-1", nil),
		"pool inuse-1 carries the level":            object("SecurityLevel", "", "level-inuse-1", nil),
		"pool inuse-1 attaches instances to the zo": object("NetworkZone", "", "zone-inuse-1", nil),
	} {
		refused(t, want, deleting(t, masters, o))
	}
	allowed(t, deleting(t, masters, pool("inuse-1")))
	allowed(t, deleting(t, masters, object("SecurityLevel", "", "level-inuse-1", nil)))
}

// A tenant's name does not reach into the platform's namespaces, and an
// environment with applications stays on its list.
func TestTenantItself(t *testing.T) {
	hub.Needed(t)
	masters := hub.Client()
	for _, name := range []string{"fairway", "kube", "fairway-cluster", "kube-node"} {
		refused(t, "belong to the platform", func() error { return masters.Create(t.Context(), tenant(name, "system")) })
	}
	create(t, masters, tenant("fairways", "prod"), tenant("kubelets", "prod"))
	used := tenant("used", "prod", "sit")
	create(t, masters, used)
	tell(t, used, map[string]any{"inUse": []any{"prod"}})
	refused(t, "an environment with applications stays on the list", func() error {
		return masters.Patch(t.Context(), used.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"environments":["sit"]}}`)))
	})
	allowed(t, func() error {
		return masters.Patch(t.Context(), used.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"environments":["prod"]}}`)))
	})
}
