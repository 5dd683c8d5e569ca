// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package config_test

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func decision(namespace, name, author string, more map[string]any) *unstructured.Unstructured {
	spec := map[string]any{"request": "shop-x-1", "digest": "sha256:plan", "verdict": "Approve", "author": author, "proof": "v1.looks-like-one"}
	for k, v := range more {
		spec[k] = v
	}
	return object("Decision", namespace, name, spec)
}

func approvalRequest(namespace, name string) *unstructured.Unstructured {
	return object("ApprovalRequest", namespace, name, map[string]any{
		"act": "release.Deploy", "subject": map[string]any{"kind": "Release", "name": "shop-x", "uid": "u"}, "digest": "sha256:plan",
		"state": "Application shop, generation 1", "number": int64(1), "requester": "zhang",
		"scope":       map[string]any{"tenant": "agree", "environment": "prod", "environmentClass": "Production"},
		"changeClass": "Normal", "risk": "Low", "blastRadius": map[string]any{"instances": int64(1), "clusters": int64(1)},
		"policy":   map[string]any{"name": "p", "digest": "sha256:p", "content": "{}", "standing": "People"},
		"decideBy": "2030-01-01T00:00:00Z",
	})
}

// in is a person in a login of Fairway, as the server impersonates him.
func in(t *testing.T, session, user string, groups ...string) client.Client {
	t.Helper()
	hub.Needed(t)
	config := rest.CopyConfig(hub.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups, Extra: map[string][]string{"fairway.cloud/session": {session}}}
	made, err := client.New(config, client.Options{Scheme: hub.Client().Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Whoever decides is who the hub says he is: approver, stranger and member of
// system:masters alike.
func TestDecisionsCannotBeForged(t *testing.T) {
	namespace := namespaceOf(t, "agree", "prod")
	bind(t, namespace, "fairway-business-approver", "agree-business")
	bind(t, namespace, "fairway-developer", "agree-developers")
	biz, masters := in(t, "s1", "biz", "agree-business"), hub.Client()

	good := decision(namespace, "good", "biz", map[string]any{"groups": []any{"agree-business"}, "session": "s1"})
	create(t, biz, good)
	for name, test := range map[string]struct {
		text string
		who  client.Client
		what *unstructured.Unstructured
	}{
		"another's name":      {"spec.author is whoever decides", biz, decision(namespace, "x", "tech", nil)},
		"masters as another":  {"spec.author is whoever decides", masters, decision(namespace, "x", "biz", nil)},
		"fairway as a person": {"spec.author is whoever decides", system(t), decision(namespace, "x", "biz", nil)},
		"fairway as itself":   {"spec.author is whoever decides", system(t), decision(namespace, "x", "fairway", nil)},
		"a person as itsm":    {"spec.author is whoever decides", biz, decision(namespace, "x", "itsm:itsm", nil)},
		"a group too many":    {"a group that you are not in", biz, decision(namespace, "x", "biz", map[string]any{"groups": []any{"agree-business", "architects"}})},
		"another's session":   {"the login in which you decide", biz, decision(namespace, "x", "biz", map[string]any{"session": "s2"})},
		"no login":            {"the login in which you decide", hub.UserClient(t, "biz", "agree-business"), decision(namespace, "x", "biz", map[string]any{"session": "s1"})},
		"no role":             {"cannot create resource", in(t, "s3", "dev", "agree-developers"), decision(namespace, "x", "dev", map[string]any{"session": "s3"})},
		"no proof":            {"with the proof of Fairway's server only", biz, decision(namespace, "x", "biz", map[string]any{"session": "s1", "proof": ""})},
		"no reason":           {"whoever rejects says why", biz, decision(namespace, "x", "biz", map[string]any{"verdict": "Reject"})},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, test.text, func() error { return test.who.Create(t.Context(), test.what.DeepCopy()) })
		})
	}
	// What is left out is filled in: kubectl does not know its login.
	plain := decision(namespace, "plain", "", nil)
	unstructured.RemoveNestedField(plain.Object, "spec", "author")
	create(t, biz, plain)
	spec, _, _ := unstructured.NestedMap(plain.Object, "spec")
	if spec["author"] != "biz" || spec["session"] != "s1" || fmt.Sprint(spec["groups"]) != "[agree-business]" {
		t.Errorf("filled in: %v", spec)
	}
	create(t, system(t), decision(namespace, "outside", "itsm:itsm", map[string]any{"onBehalfOf": "tech"}))

	for name, who := range map[string]client.Client{"its author": biz, "masters": masters, "fairway": system(t)} {
		t.Run("stays for "+name, func(t *testing.T) {
			refused(t, "they stay|cannot delete", deleting(t, who, good))
			refused(t, "a decision never changes|cannot patch", func() error {
				return who.Patch(t.Context(), good.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"verdict":"Reject","comment":"x"}}`)))
			})
		})
	}
}

func TestRequestsAreFairways(t *testing.T) {
	namespace := namespaceOf(t, "agree", "prod")
	bind(t, namespace, "fairway-business-approver", "agree-business")
	masters := hub.Client()
	request := approvalRequest(namespace, "shop-x-1")
	refused(t, "Fairway makes approval requests", func() error { return masters.Create(t.Context(), request.DeepCopy()) })
	create(t, system(t), request)
	refused(t, "they stay", deleting(t, masters, request))
	refused(t, "they stay", deleting(t, system(t), request))
	refused(t, "never changes", func() error {
		return system(t).Patch(t.Context(), request.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"digest":"sha256:other"}}`)))
	})
	// The label by which it is found is part of it.
	refused(t, "never changes", func() error {
		return masters.Patch(t.Context(), request.DeepCopy(), client.RawPatch("application/merge-patch+json",
			[]byte(`{"metadata":{"labels":{"approval.fairway.cloud/subject":"other"}}}`)))
	})
	forged := client.RawPatch("application/merge-patch+json",
		[]byte(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Approved","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`))
	for _, who := range []client.Client{masters, in(t, "s1", "biz", "agree-business")} {
		refused(t, "a status is what Fairway observed|cannot patch", func() error { return who.Status().Patch(t.Context(), request.DeepCopy(), forged) })
	}
}

func TestAPersonDelegatesForHimself(t *testing.T) {
	made := func(name, principal string, groups ...any) *unstructured.Unstructured {
		return object("Delegation", "", name, map[string]any{
			"principal": principal, "delegate": "wang", "from": "2026-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z", "groups": groups, "proof": "v1.looks-like-one",
		})
	}
	li := in(t, "s1", "li", "architects")
	masters := hub.Client()
	refused(t, "delegates for himself", func() error { return masters.Create(t.Context(), made("forged", "li", "architects")) })
	refused(t, "nobody delegates what he does not have", func() error { return li.Create(t.Context(), made("more", "li", "architects", "chiefs")) })
	own := made("own", "li", "architects")
	unstructured.RemoveNestedField(own.Object, "spec", "proof")
	refused(t, "with the proof of Fairway's server only", func() error { return li.Create(t.Context(), own.DeepCopy()) })
	allowed(t, func() error { return li.Create(t.Context(), own.DeepCopy(), client.DryRunAll) })
	own = made("own", "li", "architects")
	create(t, li, own)
	refused(t, "delegates for himself", deleting(t, masters, own))
	refused(t, "may only be shortened", func() error {
		return li.Patch(t.Context(), own.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"until":"2031-01-01T00:00:00Z"}}`)))
	})
	refused(t, "may only be shortened", func() error {
		return li.Patch(t.Context(), own.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"proof":"v1.another"}}`)))
	})
	allowed(t, func() error {
		return li.Patch(t.Context(), own.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"until":"2029-01-01T00:00:00Z"}}`)))
	})
	allowed(t, deleting(t, li, own))
}

// Every change in production says why and under which ticket; elsewhere nothing asks.
func TestProductionAsksForReasonAndTicket(t *testing.T) {
	hub.Needed(t)
	for name, class := range map[string]string{"prod": "Production", "sit": "Test"} {
		e := object("Environment", "", name, map[string]any{"class": class})
		allowed(t, func() error { return client.IgnoreAlreadyExists(hub.Client().Create(t.Context(), e)) })
	}
	production, test := namespaceOf(t, "why", "prod"), namespaceOf(t, "why", "sit")
	for _, namespace := range []string{production, test} {
		bind(t, namespace, "fairway-releaser", "why-releasers")
	}
	zhang := in(t, "s1", "zhang", "why-releasers")
	with := func(namespace, name, kind string, more map[string]any) *unstructured.Unstructured {
		r := release(namespace, name, kind, "zhang")
		for k, v := range more {
			_ = unstructured.SetNestedField(r.Object, v, "spec", k)
		}
		return r
	}
	refused(t, "says why", func() error {
		return zhang.Create(t.Context(), with(production, "r1", "Retire", map[string]any{"reason": ""}))
	})
	refused(t, "names its ticket", func() error {
		return zhang.Create(t.Context(), with(production, "r1", "Retire", map[string]any{"ticket": ""}))
	})
	create(t, zhang,
		with(production, "whole", "Retire", nil),
		with(production, "emergency", "Deploy", map[string]any{"ticket": "", "changeClass": "Emergency"}),
		with(production, "back", "Rollback", map[string]any{"ticket": ""}),
		with(test, "elsewhere", "Retire", map[string]any{"reason": "", "ticket": ""}))
	refused(t, "a Release does not change once made", func() error {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(release("", "", "Retire", "").GroupVersionKind())
		o.SetNamespace(production)
		o.SetName("whole")
		return zhang.Patch(t.Context(), o, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"changeClass":"Standard"}}`)))
	})
}
