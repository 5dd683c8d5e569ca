// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	systemAdministrators   = "fairway:system-administrators"
	securityAdministrators = "fairway:security-administrators"
	auditAdministrators    = "fairway:audit-administrators"
	founders               = "fairway:administrators"
)

// duties are what each of the platform's administrators may, everywhere.
var duties = map[string][]string{
	systemAdministrators: {
		"create clusters.fleet.fairway.cloud", "delete pools.fleet.fairway.cloud", "create tenants.tenancy.fairway.cloud", "arrange tenants.tenancy.fairway.cloud",
		"update securitylevels.tenancy.fairway.cloud", "order freezes.approval.fairway.cloud",
		"create placementpolicies.placement.fairway.cloud", "list applications.app.fairway.cloud", "list releases.release.fairway.cloud", "list instances.delivery.fairway.cloud", "list events.",
	},
	securityAdministrators: {
		"create people.identity.fairway.cloud", "update people.identity.fairway.cloud", "delete groupmappings.identity.fairway.cloud", "delete sessions.identity.fairway.cloud",
		"create approvalpolicies.approval.fairway.cloud", "patch changecalendars.approval.fairway.cloud", "bind tenants.tenancy.fairway.cloud", "create amendments.identity.fairway.cloud",
	},
	auditAdministrators: {"export records.audit.fairway.cloud", "list records.audit.fairway.cloud"},
	founders: {
		"create clusters.fleet.fairway.cloud", "create tenants.tenancy.fairway.cloud", "arrange tenants.tenancy.fairway.cloud", "bind tenants.tenancy.fairway.cloud",
		"create people.identity.fairway.cloud", "create approvalpolicies.approval.fairway.cloud", "order freezes.approval.fairway.cloud",
		"create applications.app.fairway.cloud", "deploy releases.release.fairway.cloud", "get instances/log.delivery.fairway.cloud",
	},
}

// What belongs to one duty belongs to no other; what nobody may is in neither.
func TestDutiesAreSeparated(t *testing.T) {
	everybodys := []string{"list approvalpolicies.approval.fairway.cloud", "list freezes.approval.fairway.cloud", "list environments.tenancy.fairway.cloud", "list placementpolicies.placement.fairway.cloud"}
	never := []string{
		"get secrets.", "create decisions.approval.fairway.cloud", "create approvalrequests.approval.fairway.cloud", "create records.audit.fairway.cloud", "delete records.audit.fairway.cloud",
		"patch people/status.identity.fairway.cloud", "patch tenants/status.tenancy.fairway.cloud", "patch clusters/status.fleet.fairway.cloud", "create clusterroles.rbac.authorization.k8s.io",
		"bind clusterroles.rbac.authorization.k8s.io", "create rolebindings.rbac.authorization.k8s.io", "patch validatingadmissionpolicies.admissionregistration.k8s.io",
		"delete validatingadmissionpolicybindings.admissionregistration.k8s.io", "update customresourcedefinitions.apiextensions.k8s.io", "create deliveries.delivery.fairway.cloud",
		"patch amendments/status.identity.fairway.cloud", "patch amendments.identity.fairway.cloud", "delete confirmations.identity.fairway.cloud", "create pods.", "delete namespaces.", "impersonate users.", "create configmaps.",
	}
	separated := []string{systemAdministrators, securityAdministrators, auditAdministrators}
	for _, group := range append(separated, founders) {
		for _, what := range append(everybodys, duties[group]...) {
			if !may(t, "p-1", []string{group}, "", what) {
				t.Errorf("%s may not %s", group, what)
			}
		}
		for _, where := range []string{"", "fairway-system", "kube-system"} {
			for _, what := range never {
				if may(t, "p-1", []string{group}, where, what) {
					t.Errorf("%s may %s in %q", group, what, where)
				}
			}
		}
		for _, other := range separated {
			if other == group || group == founders && other != auditAdministrators {
				continue
			}
			for _, what := range duties[other] {
				if may(t, "p-1", []string{group}, "", what) {
					t.Errorf("%s may %s, which is the duty of %s", group, what, other)
				}
			}
		}
	}
	for _, group := range separated {
		for _, what := range []string{"create applications.app.fairway.cloud", "create releases.release.fairway.cloud", "patch releases.release.fairway.cloud", "get instances/log.delivery.fairway.cloud"} {
			if may(t, "p-1", []string{group}, "", what) {
				t.Errorf("%s may %s", group, what)
			}
		}
	}
}

func person(name string, spec map[string]any) *unstructured.Unstructured {
	return object("Person", "", name, spec)
}

// Nobody writes about himself, whatever he administers; and people stay. Those who ask
// are founders too, so that no second person is missing (see two_test.go).
func TestPeople(t *testing.T) {
	security := hub.UserClient(t, "s-1", securityAdministrators, founders)
	other := hub.UserClient(t, "s-2", securityAdministrators, founders)
	set := func(c client.Client, name, body string) func() error {
		return func() error {
			return c.Patch(t.Context(), person(name, nil), client.RawPatch("application/merge-patch+json", []byte(body)))
		}
	}
	create(t, security, person("s-2", map[string]any{"duty": "Security"}), person("q-1", map[string]any{"aliases": []any{map[string]any{"name": "Root-Of-All"}}}))
	create(t, other, person("s-1", map[string]any{"duty": "Security"}))
	for what, body := range map[string]string{
		"his groups": `{"spec":{"groups":["retail-releasers"]}}`, "his duty": `{"spec":{"duty":"Audit"}}`, "his state": `{"spec":{"state":"Disabled"}}`,
		"his aliases": `{"spec":{"aliases":[{"name":"x"}]}}`, "his logins": `{"spec":{"logins":[{"provider":"ldap","login":"x"}]}}`, "his end": `{"spec":{"validUntil":"2030-01-01T00:00:00Z"}}`,
	} {
		t.Run(what, func(t *testing.T) { refused(t, "nobody changes his own Person", set(security, "s-1", body)) })
	}
	refused(t, "nobody changes his own Person", func() error {
		return hub.UserClient(t, "s-9", securityAdministrators, founders).Create(t.Context(), person("s-9", nil))
	})
	refused(t, "nobody changes his own Person", func() error {
		return security.Create(t.Context(), person("q-2", map[string]any{"aliases": []any{map[string]any{"name": "s-1"}}}))
	})
	refused(t, "nobody changes his own Person", set(hub.UserClient(t, "root-of-all", "system:masters", founders), "q-1", `{"spec":{"groups":["x"]}}`))
	refused(t, "nobody changes his own Person", set(hub.UserClient(t, "root-of-all", "system:masters", founders), "q-1", `{"spec":{"aliases":[]}}`))
	refused(t, "a Person stays", deleting(t, security, person("q-1", nil)))
	refused(t, "a Person stays", deleting(t, hub.Client(), person("q-1", nil)))
	allowed(t, set(security, "q-1", `{"spec":{"state":"Disabled"}}`))
	for _, group := range []string{systemAdministrators, auditAdministrators, "retail-releasers"} {
		if err := hub.UserClient(t, "x-1", group).Create(t.Context(), person("q-3", nil)); !apierrors.IsForbidden(err) {
			t.Errorf("%s made a Person: %v", group, err)
		}
	}
	mapping := func(name, from string) *unstructured.Unstructured {
		return object("GroupMapping", "", name, map[string]any{"from": from, "duty": "System"})
	}
	refused(t, "nobody says what a group means that he is in", func() error {
		return hub.UserClient(t, "s-1", securityAdministrators, founders, "CN=us").Create(t.Context(), mapping("ours", "CN=us"))
	})
	create(t, security, mapping("theirs", "CN=them"))
}

// What the types themselves refuse.
func TestPeopleSchema(t *testing.T) {
	for name, c := range map[string]struct {
		id   string
		spec map[string]any
		want string
	}{
		"two duties":           {"p-1", map[string]any{"duty": "System,Audit"}, "Unsupported value"},
		"a group of ours":      {"p-1", map[string]any{"groups": []any{"fairway:system"}}, "belong to Kubernetes and to the platform"},
		"a group of theirs":    {"p-1", map[string]any{"groups": []any{"system:masters"}}, "belong to Kubernetes and to the platform"},
		"an id of ours":        {"fairway", nil, "belong to the platform"},
		"an id of Kubernetes":  {"kubernetes-admin", nil, "belong to the platform"},
		"an id with dots":      {"p.1", nil, "a person's id has at most 63"},
		"himself as alias":     {"p-1", map[string]any{"aliases": []any{map[string]any{"name": "p-1"}}}, "an alias is another name"},
		"the server as alias":  {"p-1", map[string]any{"aliases": []any{map[string]any{"name": "fairway"}}}, "an alias is another name"},
		"Kubernetes as alias":  {"p-1", map[string]any{"aliases": []any{map[string]any{"name": "system:admin"}}}, "an alias is another name"},
		"a login of nobody":    {"p-1", map[string]any{"logins": []any{map[string]any{"provider": "ldap"}}}, "a login names what the person types"},
		"control characters":   {"p-1", map[string]any{"displayName": "a\x07b"}, "should match"},
		"text turned round":    {"p-1", map[string]any{"displayName": "a\u202eb"}, "should match"},
		"an invisible login":   {"p-1", map[string]any{"logins": []any{map[string]any{"provider": "ldap", "login": "li\u200b"}}}, "should match"},
		"a name without end":   {"p-1", map[string]any{"displayName": string(make([]byte, 10<<10))}, "Too long"},
		"mail with a new line": {"p-1", map[string]any{"mail": "a@b\nBcc: c@d"}, "should match"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, c.want, func() error { return system(t).Create(t.Context(), person(c.id, c.spec), client.DryRunAll) })
		})
	}
	allowed(t, func() error {
		return system(t).Create(t.Context(), person("p-1", map[string]any{
			"displayName": "王芳", "unit": "零售银行部/渠道", "mail": "wang.fang@bank.example", "groups": []any{"CN=ops,OU=组,DC=bank"},
			"aliases": []any{map[string]any{"name": "system:serviceaccount:ci:deployer", "use": "Machine"}},
		}), client.DryRunAll)
	})
}

// Who has which role in a tenant is not the matter of whoever makes tenants.
func TestRolesOfTenants(t *testing.T) {
	sys, security := hub.UserClient(t, "a-1", systemAdministrators), hub.UserClient(t, "s-1", securityAdministrators, "bank-security")
	withRoles := func(name, group string) *unstructured.Unstructured {
		made := tenant(name, "prod")
		_ = unstructured.SetNestedSlice(made.Object, []any{map[string]any{"role": "Releaser", "groups": []any{group}}}, "spec", "roles")
		return made
	}
	set := func(c client.Client, body string) func() error {
		return func() error {
			return c.Patch(t.Context(), tenant("split", "prod"), client.RawPatch("application/merge-patch+json", []byte(body)))
		}
	}
	roles := func(group string) string {
		return `{"spec":{"roles":[{"role":"Releaser","groups":["` + group + `"]}]}}`
	}
	refused(t, "given by a security administrator", func() error { return sys.Create(t.Context(), withRoles("split", "x")) })
	create(t, sys, tenant("split", "prod"))
	refused(t, "given by a security administrator", set(sys, roles("x")))
	refused(t, "to a group that he is in himself", set(security, roles("bank-security")))
	allowed(t, set(security, roles("retail-releasers")))
	refused(t, "changes the roles of a Tenant and nothing else", set(security, `{"spec":{"environments":["prod","sit"]}}`))
	refused(t, "changes the roles of a Tenant and nothing else", set(security, `{"spec":{"quotas":[{"environment":"prod","pool":"p","instances":1,"cpu":"1","memory":"1"}]}}`))
	refused(t, "given by a security administrator", set(sys, `{"spec":{"roles":[]}}`))
	allowed(t, set(sys, `{"spec":{"displayName":"x"}}`))
	refused(t, "set expires", set(security, `{"spec":{"roles":[{"role":"Examiner","groups":["e"]}]}}`))
	allowed(t, set(security, `{"spec":{"roles":[{"role":"Examiner","groups":["e"],"expires":"2030-01-01T00:00:00Z"}]}}`))
	refused(t, "belong to Kubernetes and to the platform", set(security, roles("fairway:administrators")))
	create(t, hub.UserClient(t, "sandbox-admin", founders), withRoles("founded", "x"))
}

// A change manager freezes the environments of his own tenants and no others.
func TestFreezes(t *testing.T) {
	for _, name := range []string{"ours", "yours"} {
		namespaceOf(t, name, "prod")
	}
	bind(t, "ours-prod", "fairway-change-manager", "ours-managers")
	freeze := func(name string, scope map[string]any) *unstructured.Unstructured {
		return object("Freeze", "", name, map[string]any{"from": "2030-01-01T00:00:00Z", "reason": "year end", "scope": scope})
	}
	of := func(tenants ...any) map[string]any {
		return map[string]any{"tenants": tenants, "environments": []any{"prod"}}
	}
	manager := hub.UserClient(t, "m-1", "ours-managers")
	try := func(c client.Client, name string, scope map[string]any) func() error {
		return func() error { return c.Create(t.Context(), freeze(name, scope)) }
	}
	refused(t, "name the tenants and environments that you freeze", try(manager, "f-1", nil))
	refused(t, "name the tenants and environments that you freeze", try(manager, "f-1", map[string]any{"tenants": []any{"ours"}}))
	refused(t, "you freeze only environments of tenants", try(manager, "f-1", of("yours")))
	refused(t, "you freeze only environments of tenants", try(manager, "f-1", of("ours", "yours")))
	refused(t, "you freeze only environments of tenants|name the tenants", try(hub.UserClient(t, "x-1", "nobody"), "f-1", of("ours")))
	many := make([]any, 0, 13)
	for _, c := range "abcdefghijklm" {
		many = append(many, string(c))
	}
	refused(t, "at most 12 together", try(manager, "f-1", of(many...)))
	create(t, manager, freeze("f-ours", of("ours")))
	create(t, hub.UserClient(t, "a-1", systemAdministrators), freeze("f-all", nil))
	end := []byte(`{"spec":{"ended":"2029-01-01T00:00:00Z"}}`)
	refused(t, "name the tenants and environments that you freeze", func() error {
		return manager.Patch(t.Context(), freeze("f-all", nil), client.RawPatch("application/merge-patch+json", end))
	})
	allowed(t, func() error {
		return manager.Patch(t.Context(), freeze("f-ours", nil), client.RawPatch("application/merge-patch+json", end))
	})
}
