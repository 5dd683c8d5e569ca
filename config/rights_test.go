// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// may asks Kubernetes whether a group may do something: "<verb> <resource>[/<sub>].<group>".
func may(t *testing.T, user string, groups []string, namespace, what string) bool {
	t.Helper()
	hub.Needed(t)
	verb, rest, _ := strings.Cut(what, " ")
	resource, group, _ := strings.Cut(rest, ".")
	resource, sub, _ := strings.Cut(resource, "/")
	name := ""
	if at := strings.Index(resource, ":"); at > 0 {
		resource, name = resource[:at], resource[at+1:]
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: append(groups, "system:authenticated"),
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: sub, Name: name},
	}}
	if err := hub.Client().Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// comesToMay waits for a right that was given a moment ago: the hub learns of a
// binding shortly after it has taken it.
func comesToMay(t *testing.T, user string, groups []string, namespace, what string) bool {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		if may(t, user, groups, namespace, what) {
			return true
		}
	}
	return false
}

// Each role, in its own namespace: what it may and what it may not.
func TestRoles(t *testing.T) {
	const (
		app, release, delivery, placement = ".app.fairway.cloud", ".release.fairway.cloud", ".delivery.fairway.cloud", ".placement.fairway.cloud"
		approval, audit, identity         = ".approval.fairway.cloud", ".audit.fairway.cloud", ".identity.fairway.cloud"
		tenancy, fleet, rbac, admission   = ".tenancy.fairway.cloud", ".fleet.fairway.cloud", ".rbac.authorization.k8s.io", ".admissionregistration.k8s.io"
	)
	namespace := namespaceOf(t, "roles", "prod")
	other := namespaceOf(t, "other", "prod")
	for role, group := range map[string]string{
		"fairway-viewer": "v", "fairway-developer": "d", "fairway-releaser": "r", "fairway-duty-operator": "o", "fairway-administrator": "a",
		"fairway-change-requester": "cr", "fairway-business-approver": "ba", "fairway-technology-approver": "ta", "fairway-change-manager": "cm",
		"fairway-verifier": "ve", "fairway-examiner": "ex",
	} {
		bind(t, namespace, role, group)
	}
	reads := []string{"list applications" + app, "get revisions" + app, "watch releases" + release, "list placements" + placement, "list machineimports" + placement, "list instances" + delivery, "list events.",
		"list approvalrequests" + approval, "get decisions" + approval}
	evidence := []string{"get records" + audit, "list records" + audit}
	writes := []string{"create machineimports" + placement, "create applications" + app, "patch applications" + app, "delete applications" + app, "create releases" + release, "deploy releases" + release,
		"restart releases" + release, "patch releases" + release, "get instances/log" + delivery}
	// What nobody of a tenant may, nor the platform's administrators.
	never := []string{
		"get secrets.", "list secrets.", "create secrets.", "patch applications/status" + app, "update releases/status" + release, "create revisions" + app,
		"create placements" + placement, "create deliveries" + delivery, "patch deliveries" + delivery, "create renderings" + delivery, "delete namespaces.",
		"create namespaces.", "create rolebindings" + rbac, "create clusterroles" + rbac, "escalate clusterroles" + rbac, "bind clusterroles" + rbac,
		"create validatingadmissionpolicies" + admission, "delete validatingadmissionpolicybindings" + admission, "delete customresourcedefinitions.apiextensions.k8s.io",
		"update decisions" + approval, "delete decisions" + approval, "create approvalrequests" + approval, "patch approvalrequests/status" + approval,
		"create records" + audit, "delete records" + audit, "patch people/status" + identity,
		"create pods.", "create pods/exec.", "impersonate users.", "impersonate:user-info users.authentication.k8s.io",
	}
	for name, c := range map[string]struct {
		reason   string
		group    string
		may, not []string
	}{
		"viewer": {"reads, and no logs", "v", append(reads, evidence...), append(writes, "create decisions"+approval)},
		"developer": {"writes and releases, and decides on nothing", "d", append(reads, "create applications"+app, "update machineimports"+placement, "create releases"+release, "deploy releases"+release, "get instances/log"+delivery),
			append(evidence, "create decisions"+approval)},
		"change requester": {"writes and asks, and lets nothing go on", "cr", append(reads, "create applications"+app, "patch applications"+app, "create releases"+release, "deploy releases"+release),
			append(evidence, "create decisions"+approval, "patch releases"+release, "update releases"+release, "delete releases"+release, "delete applications"+app, "get instances/log"+delivery)},
		"releaser": {"brings applications in", "r", append(reads, "update applications"+app, "update machineimports"+placement, "create releases"+release, "retire releases"+release, "create decisions"+approval), evidence},
		"duty operator": {"restarts, stops, reads logs", "o", append(reads, "create releases"+release, "patch releases"+release, "restart releases"+release, "get instances/log"+delivery),
			[]string{"create applications" + app, "patch applications" + app, "deploy releases" + release, "rollback releases" + release, "retire releases" + release, "delete releases" + release}},
		"business approver":   {"decides, and changes nothing", "ba", append(reads, "create decisions"+approval), append(writes, "order freezes"+approval)},
		"technology approver": {"decides, and changes nothing", "ta", append(reads, "create decisions"+approval), append(writes, "order freezes"+approval)},
		"verifier":            {"decides, and changes nothing", "ve", append(reads, "create decisions"+approval), append(writes, "order freezes"+approval)},
		"change manager": {"decides, stops and freezes", "cm", append(reads, "create decisions"+approval, "patch releases"+release, "order freezes"+approval),
			[]string{"create releases" + release, "deploy releases" + release, "restart releases" + release, "patch applications" + app, "create changecalendars" + approval}},
		"examiner": {"sees everything but logs, and who has which role", "ex", append(append(reads, "list rolebindings"+rbac), evidence...), append(writes, "create decisions"+approval, "export records"+audit)},
		"tenant's administrator": {"sees who has which role", "a", append(append(reads, "list rolebindings"+rbac), evidence...),
			append(writes, "create decisions"+approval, "export records"+audit, "patch tenants"+tenancy)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, what := range c.may {
				if !comesToMay(t, "p-1", []string{c.group}, namespace, what) {
					t.Errorf("%s: may not %s", c.reason, what)
				}
			}
			for _, what := range append(never, c.not...) {
				if may(t, "p-1", []string{c.group}, namespace, what) {
					t.Errorf("%s: may %s", c.reason, what)
				}
			}
			for _, what := range append(c.may, c.not...) {
				if may(t, "p-1", []string{c.group}, other, what) {
					t.Errorf("may %s in another tenant's namespace", what)
				}
			}
			for _, where := range []string{"fairway-system", "fairway-cluster-east-1", "kube-system"} {
				for _, what := range append(never, "create configmaps.", "update leases.coordination.k8s.io") {
					if may(t, "p-1", []string{c.group}, where, what) {
						t.Errorf("may %s in %s", what, where)
					}
				}
			}
		})
	}
	for _, what := range []string{"list environments" + tenancy, "get dcns" + fleet} {
		if !may(t, "p-2", nil, "", what) {
			t.Errorf("somebody without a role may not %s", what)
		}
	}
	for _, what := range []string{"list tenants" + tenancy, "get tenants:roles" + tenancy, "list pools" + fleet, "list clusters" + fleet, "list applications" + app, "list namespaces."} {
		if may(t, "p-2", nil, "", what) {
			t.Errorf("somebody without a role may %s", what)
		}
	}
}

// The server's own account has what it needs, and nothing that would make it the
// hub's administrator.
func TestServersAccount(t *testing.T) {
	groups := []string{"fairway:system"}
	for _, what := range []string{
		"update applications/status.app.fairway.cloud", "create deliveries.delivery.fairway.cloud", "create namespaces.", "create subjectaccessreviews.authorization.k8s.io",
		"bind clusterroles:fairway-viewer.rbac.authorization.k8s.io", "list validatingadmissionpolicies.admissionregistration.k8s.io",
	} {
		if !may(t, "fairway", groups, "", what) {
			t.Errorf("may not %s", what)
		}
	}
	for _, what := range []string{"get secrets.", "update leases.coordination.k8s.io"} {
		if !may(t, "fairway", groups, "fairway-system", what) {
			t.Errorf("may not %s in fairway-system", what)
		}
	}
	for _, what := range []string{
		"list secrets.", "delete namespaces.", "create pods.", "impersonate users.", "impersonate groups.", "escalate clusterroles.rbac.authorization.k8s.io",
		"bind clusterroles:cluster-admin.rbac.authorization.k8s.io", "create validatingadmissionpolicies.admissionregistration.k8s.io",
		"delete customresourcedefinitions.apiextensions.k8s.io", "create clusterroles/status.rbac.authorization.k8s.io",
	} {
		if may(t, "fairway", groups, "", what) {
			t.Errorf("may %s everywhere", what)
		}
	}
	// A rule with the verb "*" would let it do all of that as somebody else.
	for _, what := range []string{"impersonate-on:user-info:get secrets.", "impersonate-on:user-info:create deliveries.delivery.fairway.cloud", "impersonate-on:user-info:update leases.coordination.k8s.io"} {
		if may(t, "fairway", groups, "fairway-system", what) {
			t.Errorf("may %s", what)
		}
	}
}

// Of RBAC the server writes the rights of tenants and nothing else.
func TestServerGivesOnlyTenantsRights(t *testing.T) {
	namespace := namespaceOf(t, "rights", "prod")
	role := func(name string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	}
	reader := rbacv1.PolicyRule{APIGroups: []string{"tenancy.fairway.cloud"}, Resources: []string{"tenants"}, ResourceNames: []string{"rights"}, Verbs: []string{"get"}}
	everyTenant := reader
	everyTenant.ResourceNames = nil
	writer := reader
	writer.Verbs = []string{"get", "update"}
	everywhere := func(name, role, group string) *rbacv1.ClusterRoleBinding {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: group}}}
	}
	here := func(where, role, kind, name string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: where, Name: "x"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}}}
	}
	create(t, system(t), role("fairway-tenant-rights", reader))
	for name, c := range map[string]struct {
		want   string
		object client.Object
	}{
		"another role":                {"writes only the roles", role("backdoor", reader)},
		"a role that writes":          {"reads named Tenants and Pools", role("fairway-tenant-x", writer)},
		"a role that reads every one": {"reads named Tenants and Pools", role("fairway-tenant-x", everyTenant)},
		"impersonation for all":       {"binds everywhere only", everywhere("x", "fairway-impersonator", "dev")},
		"under a tenant's name":       {"binds everywhere only", everywhere("fairway-tenant-x", "fairway-impersonator", "dev")},
		"a reader for all of Kubernetes": {"groups of the bank's directory", everywhere("fairway-tenant-rights", "fairway-tenant-rights",
			"system:authenticated")},
		"in Fairway's own namespace": {"in namespaces of tenants only", here("fairway-system", "fairway-viewer", "Group", "dev")},
		"in Kubernetes' namespace":   {"in namespaces of tenants only", here("kube-system", "fairway-viewer", "Group", "dev")},
		"another cluster role":       {"to the roles of a Tenant only", here(namespace, "fairway-system", "Group", "dev")},
		"a single user":              {"groups of the bank's directory", here(namespace, "fairway-viewer", "User", "mallory")},
		"a group of Kubernetes":      {"groups of the bank's directory", here(namespace, "fairway-viewer", "Group", "system:authenticated")},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.want, func() error { return system(t).Create(t.Context(), c.object.DeepCopyObject().(client.Object)) })
		})
	}
	if err := system(t).Create(t.Context(), here(namespace, "cluster-admin", "Group", "dev")); !apierrors.IsForbidden(err) {
		t.Errorf("the server bound somebody to cluster-admin: %v", err)
	}
	admin := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "cluster-admin"}}
	refused(t, "writes only the roles", deleting(t, system(t), admin))
	create(t, system(t), everywhere("fairway-tenant-rights", "fairway-tenant-rights", "dev"), here(namespace, "fairway-viewer", "Group", "dev"))
}

// Whomever the server impersonates, he reaches Fairway's kinds and nothing else.
func TestImpersonationIsBounded(t *testing.T) {
	as := func(user string, groups ...string) client.Client {
		t.Helper()
		config := hub.UserConfig(t, "fairway", "fairway:system")
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups, Extra: map[string][]string{"fairway.cloud/session": {"s-1"}}}
		made, err := client.New(config, client.Options{Scheme: hub.Client().Scheme()})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	namespace := namespaceOf(t, "bounded", "prod")
	bind(t, namespace, "fairway-releaser", "bounded-rel")
	person := as("p-7", "bounded-rel")
	allowed(t, func() error {
		return client.IgnoreAlreadyExists(person.Create(t.Context(), application(namespace, "shop")))
	})
	allowed(t, func() error {
		return client.IgnoreAlreadyExists(person.Create(t.Context(), release(namespace, "r1", "Deploy", "p-7")))
	})
	refused(t, "spec.requester is whoever asks", func() error { return person.Create(t.Context(), release(namespace, "r2", "Deploy", "p-8")) })

	for who, c := range map[string]client.Client{
		"a member of system:masters":    as("p-7", "system:masters"),
		"the controller manager":        as("system:kube-controller-manager"),
		"a service account":             as("system:serviceaccount:kube-system:clusterrole-aggregation-controller"),
		"a node":                        as("system:node:n1", "system:nodes"),
		"the platform's administrators": as("sandbox-admin", "fairway:administrators"),
	} {
		for what, o := range map[string]client.Object{
			"a role":       &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "x"}},
			"a Secret":     &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "fairway-system", Name: "x"}},
			"a namespace":  &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "x"}},
			"a pod":        &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "x"}},
			"a Delivery":   delivery(namespace, "x"),
			"a definition": &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "x.y.z"}},
		} {
			if err := c.Create(t.Context(), o.DeepCopyObject().(client.Object)); !apierrors.IsForbidden(err) {
				t.Errorf("as %s the server made %s: %v", who, what, err)
			}
		}
		if err := c.List(t.Context(), &corev1.SecretList{}); !apierrors.IsForbidden(err) {
			t.Errorf("as %s the server read Secrets: %v", who, err)
		}
	}
}

// Without the right to the kind a Release is refused; stopping is the way back
// and needs none.
func TestReleaseKinds(t *testing.T) {
	namespace := namespaceOf(t, "kinds", "prod")
	bind(t, namespace, "fairway-duty-operator", "kinds-duty")
	bind(t, namespace, "fairway-releaser", "kinds-rel")
	duty, releaser := hub.UserClient(t, "p-1", "kinds-duty"), hub.UserClient(t, "p-2", "kinds-rel")
	refused(t, "you may not ask for a Release of kind Deploy", func() error { return duty.Create(t.Context(), release(namespace, "no", "Deploy", "p-1")) })
	refused(t, "you may not ask for a Release of kind Retire", func() error { return duty.Create(t.Context(), release(namespace, "no", "Retire", "p-1")) })
	refused(t, "spec.requester is whoever asks", func() error { return duty.Create(t.Context(), release(namespace, "no", "Restart", "p-2")) })
	refused(t, "spec.requester is whoever asks", func() error { return hub.Client().Create(t.Context(), release(namespace, "no", "Restart", "p-2")) })
	create(t, duty, release(namespace, "again", "Restart", "p-1"))
	running := release(namespace, "r1", "Deploy", "p-2")
	create(t, releaser, running)
	set := func(c client.Client, body string) func() error {
		return func() error {
			return c.Patch(t.Context(), running.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(body)))
		}
	}
	const stop, run = `{"spec":{"desired":"Stop"}}`, `{"spec":{"desired":"Run"}}`
	allowed(t, set(duty, stop))
	refused(t, "not let one of kind Deploy go on", set(duty, run))
	refused(t, "does not change once made", set(releaser, `{"spec":{"requester":"p-1"}}`))
	allowed(t, set(releaser, run))
}
