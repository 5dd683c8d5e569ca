// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	identityv1 "github.com/fairway-cloud/fairway/api/identity/v1alpha1"
	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/identity"
)

const alone = "nobody changes alone who is who"

func merging(t *testing.T, c client.Client, o client.Object, body string) func() error {
	return func() error {
		return c.Patch(t.Context(), o.DeepCopyObject().(client.Object), client.RawPatch("application/merge-patch+json", []byte(body)))
	}
}

// fullPerson is a Person with everything that one can have.
func fullPerson(name string) *unstructured.Unstructured {
	return person(name, map[string]any{
		"displayName": "王芳", "staffNumber": "1", "unit": "u", "mail": "a@b", "duty": "Audit", "validUntil": "2040-01-01T00:00:00Z",
		"groups": []any{"g1", "g2"}, "logins": []any{map[string]any{"provider": "ldap", "login": name}}, "aliases": []any{map[string]any{"name": "alias-" + name}},
	})
}

// A security administrator and a cluster administrator alone make nobody, give nothing
// and take no alias away, by no kind of write; what only takes away is theirs to do.
func TestNobodyChangesPeopleAlone(t *testing.T) {
	create(t, system(t), fullPerson("two-1"), fullPerson("two-2"), object("GroupMapping", "", "two-map", map[string]any{"from": "CN=two", "groups": []any{"a", "b"}, "duty": "System"}),
		object("ApprovalPolicy", "", "two-policy", map[string]any{"order": int64(900), "match": map[string]any{"tenants": []any{"nowhere"}}, "automatic": map[string]any{"when": "false"}}))
	masters, security := hub.Client(), hub.UserClient(t, "two-s", securityAdministrators)
	one, mapping, policy := person("two-1", nil), object("GroupMapping", "", "two-map", nil), object("ApprovalPolicy", "", "two-policy", nil)
	for who, c := range map[string]client.Client{"security": security, "masters": masters} {
		for what, do := range map[string]func() error{
			"makes a person":    func() error { return c.Create(t.Context(), person("two-3", nil)) },
			"applies a person":  func() error { return apply(t, c, person("two-3", map[string]any{"groups": []any{"x"}})) },
			"applies to one":    func() error { return apply(t, c, person("two-1", map[string]any{"groups": []any{"x"}})) },
			"gives a group":     merging(t, c, one, `{"spec":{"groups":["g1","g2","g3"]}}`),
			"gives a duty":      merging(t, c, one, `{"spec":{"duty":"Security"}}`),
			"gives a login":     merging(t, c, one, `{"spec":{"logins":[{"provider":"ldap","login":"other"}]}}`),
			"takes logins":      merging(t, c, one, `{"spec":{"logins":null}}`),
			"takes the alias":   merging(t, c, one, `{"spec":{"aliases":[]}}`),
			"takes all aliases": merging(t, c, one, `{"spec":{"aliases":null}}`),
			"gives an alias":    merging(t, c, one, `{"spec":{"aliases":[{"name":"alias-two-1"},{"name":"root"}]}}`),
			"gives time":        merging(t, c, one, `{"spec":{"validUntil":"2041-01-01T00:00:00Z"}}`),
			"gives all time":    merging(t, c, one, `{"spec":{"validUntil":null}}`),
			"turns mail":        merging(t, c, one, `{"spec":{"mail":"x@y"}}`),
			"forges the stamp":  merging(t, c, one, `{"metadata":{"annotations":{"identity.fairway.cloud/amendment":"u"}}}`),
			"hides it in less":  merging(t, c, one, `{"spec":{"state":"Disabled","groups":["g1","g3"]}}`),
			"makes a mapping": func() error {
				return c.Create(t.Context(), object("GroupMapping", "", "two-m2", map[string]any{"from": "x", "groups": []any{"y"}}))
			},
			"turns a mapping":  merging(t, c, mapping, `{"spec":{"from":"CN=other"}}`),
			"widens a mapping": merging(t, c, mapping, `{"spec":{"groups":["a","c"]}}`),
			"makes a policy": func() error {
				return c.Create(t.Context(), object("ApprovalPolicy", "", "two-p2", map[string]any{"order": int64(1), "match": map[string]any{}, "automatic": map[string]any{"when": "true"}}))
			},
			"changes a policy": merging(t, c, policy, `{"spec":{"automatic":{"when":"true"}}}`),
			"deletes a policy": deleting(t, c, policy),
		} {
			t.Run(who+" "+what, func(t *testing.T) { refused(t, alone+"|leave it as it is", do) })
		}
	}
	for what, do := range map[string]func() error{
		"a label": merging(t, security, one, `{"metadata":{"labels":{"a":"b"}}}`), "a group less": merging(t, security, one, `{"spec":{"groups":["g1"]}}`),
		"no duty": merging(t, security, one, `{"spec":{"duty":"None"}}`), "less time": merging(t, security, one, `{"spec":{"validUntil":"2035-01-01T00:00:00Z"}}`),
		"kept out": merging(t, security, one, `{"spec":{"state":"Disabled"}}`), "all groups": merging(t, security, person("two-2", nil), `{"spec":{"groups":null}}`),
		"a mapping less": merging(t, security, mapping, `{"spec":{"groups":["a"]}}`), "a policy as it is": merging(t, security, policy, `{"metadata":{"labels":{"a":"b"}}}`),
	} {
		t.Run(what, func(t *testing.T) { allowed(t, do) })
	}
	allowed(t, deleting(t, security, mapping))
	// To give it back needs two.
	refused(t, alone, merging(t, security, one, `{"spec":{"state":"Active"}}`))
	refused(t, alone, merging(t, security, one, `{"spec":{"groups":["g1","g2"]}}`))
}

func apply(t *testing.T, c client.Client, o *unstructured.Unstructured) error {
	return c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("test"), client.ForceOwnership)
}

// Go and CEL say the same of what one may do alone: every field of a Person, changed one
// way and the other.
func TestNarrowsAsThePolicySays(t *testing.T) {
	full := func() identityv1.PersonSpec {
		p := identityv1.PersonSpec{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fullPerson("x").Object["spec"].(map[string]any), &p); err != nil {
			t.Fatal(err)
		}
		p.State = identityv1.StateActive
		p.Aliases[0].Use = identityv1.UseHuman
		return p
	}
	later := metav1.Date(2050, 1, 1, 0, 0, 0, 0, full().ValidUntil.Location())
	sooner := metav1.Date(2030, 1, 1, 0, 0, 0, 0, full().ValidUntil.Location())
	edits := map[string]func(*identityv1.PersonSpec){
		"nothing": func(*identityv1.PersonSpec) {}, "name": func(p *identityv1.PersonSpec) { p.DisplayName = "" }, "number": func(p *identityv1.PersonSpec) { p.StaffNumber = "2" },
		"unit": func(p *identityv1.PersonSpec) { p.Unit = "" }, "mail": func(p *identityv1.PersonSpec) { p.Mail = "" }, "out": func(p *identityv1.PersonSpec) { p.State = identityv1.StateDisabled },
		"later": func(p *identityv1.PersonSpec) { p.ValidUntil = &later }, "sooner": func(p *identityv1.PersonSpec) { p.ValidUntil = &sooner }, "endless": func(p *identityv1.PersonSpec) { p.ValidUntil = nil },
		"no logins": func(p *identityv1.PersonSpec) { p.Logins = nil }, "no aliases": func(p *identityv1.PersonSpec) { p.Aliases = nil },
		"machine": func(p *identityv1.PersonSpec) { p.Aliases[0].Use = identityv1.UseMachine }, "no groups": func(p *identityv1.PersonSpec) { p.Groups = nil },
		"less": func(p *identityv1.PersonSpec) { p.Groups = []string{"g2"} }, "order": func(p *identityv1.PersonSpec) { p.Groups = []string{"g2", "g1"} },
		"other": func(p *identityv1.PersonSpec) { p.Groups = []string{"g1", "g3"} }, "no duty": func(p *identityv1.PersonSpec) { p.Duty = identityv1.DutyNone }, "duty": func(p *identityv1.PersonSpec) { p.Duty = identityv1.DutySystem },
	}
	security := hub.UserClient(t, "two-s", securityAdministrators)
	refused(t, alone, func() error { return security.Create(t.Context(), person("two-warm", nil)) })
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			before := full()
			id := "narrow-" + strings.ReplaceAll(name, " ", "-")
			raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&before)
			if err != nil {
				t.Fatal(err)
			}
			made := person(id, raw)
			create(t, system(t), made)
			after := full()
			edit(&after)
			if made.Object["spec"], err = runtime.DefaultUnstructuredConverter.ToUnstructured(&after); err != nil {
				t.Fatal(err)
			}
			err = security.Update(t.Context(), made)
			if want := identity.Narrows(before, after); want != (err == nil) {
				t.Errorf("Go says %v, the hub says %v", want, err)
			}
		})
	}
}

// The kinds that Go guards are those that the policy guards, and the amendment takes.
func TestGuardedKindsAreThePolicys(t *testing.T) {
	raw, err := config.Installed.ReadFile("admission/identity.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var inPolicy []string
	for _, document := range strings.Split(string(raw), "\n---\n") {
		policy := struct {
			Kind     string
			Metadata struct{ Name string }
			Spec     struct {
				MatchConstraints struct {
					ResourceRules []struct {
						APIGroups, Resources []string
					}
				}
			}
		}{}
		if err := yaml.Unmarshal([]byte(document), &policy); err != nil {
			t.Fatal(err)
		}
		if policy.Kind != "ValidatingAdmissionPolicy" || policy.Metadata.Name != "fairway-identity-two" {
			continue
		}
		for _, rule := range policy.Spec.MatchConstraints.ResourceRules {
			for _, resource := range rule.Resources {
				inPolicy = append(inPolicy, resource+"."+rule.APIGroups[0])
			}
		}
	}
	var inGo []string
	for _, g := range identity.GuardedKinds {
		inGo = append(inGo, g.Resource+"."+g.Group)
		if err := hub.UserClient(t, "two-k", securityAdministrators).Create(t.Context(), amendment("", "two-k", map[string]any{"kind": g.Kind, "name": "x", "act": "Create", "content": "{}"}), client.DryRunAll); err != nil {
			t.Errorf("%s is no kind of an amendment: %v", g.Kind, err)
		}
	}
	slices.Sort(inPolicy)
	slices.Sort(inGo)
	if !slices.Equal(inPolicy, inGo) {
		t.Errorf("Go guards %v, the policy %v", inGo, inPolicy)
	}
}

func amendment(name, author string, items ...any) *unstructured.Unstructured {
	made := object("Amendment", "", name, map[string]any{"items": items, "reason": "r", "author": author, "proof": "v1.test"})
	if name == "" {
		made.SetGenerateName("two-")
	}
	return made
}

func confirmation(name, about, author string, more map[string]any) *unstructured.Unstructured {
	spec := map[string]any{"amendment": about, "uid": "u", "digest": "sha256:0", "verdict": "Agree", "author": author, "proof": "v1.test"}
	for k, v := range more {
		spec[k] = v
	}
	return object("Confirmation", "", name, spec)
}

// Who proposes and who agrees is who the hub says he is; both stay as they are.
func TestAmendmentsCannotBeForged(t *testing.T) {
	item := map[string]any{"kind": "Person", "name": "p", "act": "Create", "content": "{}"}
	author, audit, masters := in(t, "s1", "two-a", securityAdministrators), in(t, "s2", "two-b", auditAdministrators), hub.Client()
	create(t, author, amendment("two-good", "two-a", item))
	create(t, audit, confirmation("two-yes", "two-good", "two-b", map[string]any{"session": "s2", "groups": []any{auditAdministrators}}))
	for name, test := range map[string]struct {
		text string
		who  client.Client
		what *unstructured.Unstructured
	}{
		"another's name":      {"spec.author is whoever proposes", author, amendment("two-x", "two-b", item)},
		"masters as another":  {"spec.author is whoever proposes", masters, amendment("two-x", "two-a", item)},
		"fairway as another":  {"spec.author is whoever proposes", system(t), amendment("two-x", "two-a", item)},
		"agrees as another":   {"spec.author is whoever proposes", author, confirmation("two-x", "two-good", "two-b", nil)},
		"masters agrees":      {"spec.author is whoever proposes", masters, confirmation("two-x", "two-good", "two-b", nil)},
		"another's session":   {"the login in which you speak", author, confirmation("two-x", "two-good", "two-a", map[string]any{"session": "s2"})},
		"a group too many":    {"a group that you are not in", author, confirmation("two-x", "two-good", "two-a", map[string]any{"groups": []any{auditAdministrators}})},
		"no proof":            {"with the proof of Fairway's server only", audit, confirmation("two-x", "two-good", "two-b", map[string]any{"proof": ""})},
		"no reason":           {"whoever refuses says why", audit, confirmation("two-x", "two-good", "two-b", map[string]any{"verdict": "Refuse"})},
		"audit proposes":      {"cannot create resource", audit, amendment("two-x", "two-b", item)},
		"founder proposes":    {"cannot create resource", hub.UserClient(t, "sandbox-admin", founders), amendment("two-x", "sandbox-admin", item)},
		"system agrees":       {"cannot create resource", in(t, "s3", "two-c", systemAdministrators), confirmation("two-x", "two-good", "two-c", nil)},
		"an account is made":  {"accounts are opened or invited", author, amendment("two-x", "two-a", map[string]any{"kind": "Account", "name": "a", "act": "Create", "content": "{}"})},
		"nothing to be there": {"content is what is to be there", author, amendment("two-x", "two-a", map[string]any{"kind": "Person", "name": "a", "act": "Create"})},
		"nothing replaced":    {"before is what is there now", author, amendment("two-x", "two-a", map[string]any{"kind": "Person", "name": "a", "act": "Update", "content": "{}"})},
		"a kind unguarded":    {"Unsupported value", author, amendment("two-x", "two-a", map[string]any{"kind": "Tenant", "name": "a", "act": "Create", "content": "{}"})},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, test.text, func() error { return test.who.Create(t.Context(), test.what.DeepCopy()) })
		})
	}
	for _, c := range []client.Client{masters, system(t)} {
		refused(t, "never changes", merging(t, c, amendment("two-good", "", nil), `{"spec":{"reason":"other"}}`))
		refused(t, "never changes", merging(t, c, confirmation("two-yes", "", "", nil), `{"spec":{"verdict":"Refuse","comment":"x"}}`))
		refused(t, "they stay", deleting(t, c, amendment("two-good", "", nil)))
		refused(t, "they stay", deleting(t, c, confirmation("two-yes", "", "", nil)))
	}
	ready, err := json.Marshal(map[string]any{"status": map[string]any{"agreedBy": "two-b"}})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "a status is what Fairway observed", func() error {
		return masters.Status().Patch(t.Context(), amendment("two-good", "", nil), client.RawPatch("application/merge-patch+json", ready))
	})
	// What is left out is filled in: kubectl does not know its login.
	plain := amendment("two-plain", "", item)
	unstructured.RemoveNestedField(plain.Object, "spec", "author")
	create(t, author, plain)
	spec, _, _ := unstructured.NestedMap(plain.Object, "spec")
	if got := fmt.Sprintf("%v %v %v", spec["author"], spec["session"], spec["groups"]); got != "two-a s1 ["+securityAdministrators+"]" {
		t.Errorf("filled in: %s", got)
	}
}
