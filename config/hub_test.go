// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/platform/kubetest"
)

var hub *kubetest.Cluster

func TestMain(m *testing.M) {
	os.Exit(kubetest.Main(m, &hub,
		kubetest.WithCRDs(), kubetest.WithAdmission(), kubetest.WithManifests("config/rbac"), kubetest.WithControllerManager()))
}

// Who asks in these tests. The cluster's administrator is a member of system:masters.
func system(t *testing.T) client.Client { return hub.UserClient(t, "fairway", "fairway:system") }

func init() { ctrl.SetLogger(logr.Discard()) }

// refused repeats a request until the refusal with that text comes: a new policy
// takes up to a second to be enforced. Where several policies refuse, any may
// speak first: their texts are separated by "|".
func refused(t *testing.T, text string, do func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		err = do()
		if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
			for _, one := range strings.Split(text, "|") {
				if strings.Contains(err.Error(), one) {
					return
				}
			}
		}
	}
	t.Fatalf("wanted a refusal with %q, got: %v", text, err)
}

// allowed repeats a request until it succeeds: what was written a moment ago may
// not be known to the policies yet.
func allowed(t *testing.T, do func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		if err = do(); err == nil {
			return
		}
	}
	t.Fatalf("wanted success, got: %v", err)
}

// rooms are the groups of Fairway's kinds.
var rooms = map[string]string{
	"Application": "app", "Revision": "app", "Placement": "placement", "PlacementPolicy": "placement", "Brake": "placement", "Release": "release", "Delivery": "delivery", "Rendering": "delivery",
	"Cluster": "fleet", "Pool": "fleet", "DataCenter": "fleet", "NetworkZone": "fleet", "DCN": "fleet",
	"Person": "identity", "GroupMapping": "identity", "Amendment": "identity", "Confirmation": "identity", "ApprovalPolicy": "approval", "Freeze": "approval", "ChangeCalendar": "approval", "ApprovalRequest": "approval", "Decision": "approval", "Delegation": "approval",
	"Tenant": "tenancy", "Environment": "tenancy", "SecurityLevel": "tenancy", "AvailabilityClass": "tenancy",
}

// object is one of Fairway's kinds with the least that its schema asks for.
func object(kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	if spec == nil {
		spec = map[string]any{}
	}
	made := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	made.SetGroupVersionKind(schema.GroupVersionKind{Group: rooms[kind] + ".fairway.cloud", Version: "v1alpha1", Kind: kind})
	made.SetNamespace(namespace)
	made.SetName(name)
	return made
}

func application(namespace, name string) *unstructured.Unstructured {
	return object("Application", namespace, name, map[string]any{
		"identity":      map[string]any{"system": "S", "code": "C", "displayName": "x", "owner": "o"},
		"securityLevel": "l3", "availabilityClass": "a",
		"components": []any{map[string]any{
			"name": "web", "kind": "Service", "image": "registry.bank.example/web:1", "zone": "business",
			"instances": []any{map[string]any{"dcn": "dcn-1", "count": int64(1)}},
		}},
	})
}

func release(namespace, name, kind, requester string) *unstructured.Unstructured {
	spec := map[string]any{"application": "shop", "kind": kind, "requester": requester, "reason": "x", "ticket": "CHG-1"}
	switch kind {
	case "Restart":
		spec["seats"] = []any{"web-1"}
	case "Deploy", "Rollback":
		spec["revision"] = "shop-0123456789"
	}
	return object("Release", namespace, name, spec)
}

func delivery(namespace, name string) *unstructured.Unstructured {
	return object("Delivery", namespace, name, map[string]any{
		"application": "retail-prod/shop", "namespace": "retail-prod-shop", "intent": "Retire", "release": "r1", "releaseSequence": int64(1),
		"revision": "shop-0123456789", "revisionDigest": "sha256:0", "shared": []any{},
	})
}

func placement(namespace, name string) *unstructured.Unstructured {
	return object("Placement", namespace, name, map[string]any{
		"application": "shop", "revision": "shop-0123456789", "digest": "sha256:0", "assignments": []any{}, "expiresAt": "2030-01-01T00:00:00Z",
	})
}

func tenant(name string, environments ...any) *unstructured.Unstructured {
	return object("Tenant", "", name, map[string]any{"environments": environments})
}

func cluster(name string) *unstructured.Unstructured {
	return object("Cluster", "", name, map[string]any{"dataCenter": "dc-" + name, "environment": "prod", "connection": map[string]any{"type": "Push"}})
}

func pool(name string) *unstructured.Unstructured {
	return object("Pool", "", name, map[string]any{"tenant": "retail", "securityLevel": "level-" + name, "zones": []any{"zone-" + name}})
}

// namespaceOf makes a hub namespace of a tenant, as the tenancy controller does.
func namespaceOf(t *testing.T, tenant, environment string) string {
	t.Helper()
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant + "-" + environment, Labels: map[string]string{
		"tenancy.fairway.cloud/tenant": tenant, "tenancy.fairway.cloud/environment": environment, "app.kubernetes.io/managed-by": "fairway",
	}}}
	allowed(t, func() error { return client.IgnoreAlreadyExists(system(t).Create(t.Context(), made.DeepCopy())) })
	return made.Name
}

// bind gives a group a role in a namespace, as the tenancy controller does.
func bind(t *testing.T, namespace, role, group string) {
	t.Helper()
	allowed(t, func() error {
		return client.IgnoreAlreadyExists(system(t).Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: group}},
		}))
	})
}

func create(t *testing.T, c client.Client, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		allowed(t, func() error { return c.Create(t.Context(), o) })
	}
}

// tell writes a status as Fairway.
func tell(t *testing.T, o *unstructured.Unstructured, status map[string]any) {
	t.Helper()
	raw, err := runtime.Encode(unstructured.UnstructuredJSONScheme, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "status": status,
	}})
	if err != nil {
		t.Fatal(err)
	}
	allowed(t, func() error {
		return system(t).Status().Patch(t.Context(), o, client.RawPatch("application/merge-patch+json", raw))
	})
}

func deleting(t *testing.T, c client.Client, o client.Object) func() error {
	return func() error { return c.Delete(t.Context(), o.DeepCopyObject().(client.Object)) }
}

var errStillThere = fmt.Errorf("it is still there")
