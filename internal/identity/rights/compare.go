// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package rights compares the admission policies, definitions and rights of the hub
// with those that this binary was built with, and has production acts refused when
// they differ (architecture, section 7, rule 5): whoever takes a policy away by hand
// gains nothing by it.
package rights

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// The kinds that are compared.
const (
	validatingPolicy  = "ValidatingAdmissionPolicy"
	validatingBinding = "ValidatingAdmissionPolicyBinding"
	mutatingPolicy    = "MutatingAdmissionPolicy"
	mutatingBinding   = "MutatingAdmissionPolicyBinding"
	definition        = "CustomResourceDefinition"
	clusterRole       = "ClusterRole"
	clusterRoleBind   = "ClusterRoleBinding"
	role              = "Role"
	roleBinding       = "RoleBinding"
	webhooks          = "ValidatingWebhookConfiguration"
)

const (
	admissionGroup = "admissionregistration.k8s.io"
	rbacGroup      = "rbac.authorization.k8s.io"
)

// gvks is where each kind is read from the hub. Those of a mutating policy are not
// served before Kubernetes 1.36; a validating one stands in there.
var gvks = map[string]schema.GroupVersionKind{
	validatingPolicy:  {Group: admissionGroup, Version: "v1", Kind: validatingPolicy},
	validatingBinding: {Group: admissionGroup, Version: "v1", Kind: validatingBinding},
	mutatingPolicy:    {Group: admissionGroup, Version: "v1", Kind: mutatingPolicy},
	mutatingBinding:   {Group: admissionGroup, Version: "v1", Kind: mutatingBinding},
	definition:        {Group: "apiextensions.k8s.io", Version: "v1", Kind: definition},
	clusterRole:       {Group: rbacGroup, Version: "v1", Kind: clusterRole},
	clusterRoleBind:   {Group: rbacGroup, Version: "v1", Kind: clusterRoleBind},
	role:              {Group: rbacGroup, Version: "v1", Kind: role},
	roleBinding:       {Group: rbacGroup, Version: "v1", Kind: roleBinding},
	webhooks:          {Group: admissionGroup, Version: "v1", Kind: webhooks},
}

// founder may be taken away: a bank does so once it has its administrators.
const founder = clusterRoleBind + "//fairway-founder"

// Difference is one thing on the hub that is not as it was built.
type Difference struct {
	// Kind, Namespace and Name of the object.
	Kind, Namespace, Name string
	// What is wrong with it: missing, changed, or foreign.
	What What
}

// What is wrong with an object.
type What string

// The ways in which an object differs.
const (
	// Missing: it is not there.
	Missing What = "missing"
	// Changed: it is there and says something else.
	Changed What = "changed"
	// Foreign: it gives one of Fairway's own roles to somebody, and was not built so.
	Foreign What = "foreign"
)

// String tells the difference in a few words.
func (d Difference) String() string {
	name := d.Name
	if d.Namespace != "" {
		name = d.Namespace + "/" + name
	}
	if d.What == Foreign {
		return fmt.Sprintf("%s %q gives a role of Fairway's and is not Fairway's", d.Kind, name)
	}
	return fmt.Sprintf("%s %q is %s", d.Kind, name, d.What)
}

// Built is what has to hold on the hub, by "<kind>/<namespace>/<name>", each in the
// form in which it is compared.
type Built map[string][]byte

// Read takes what has to hold from the manifests of a file system, such as
// config.Installed.
func Read(manifests fs.FS) (Built, error) {
	files, err := fs.Glob(manifests, "*/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("could not find what has to hold on the hub: %w", cmp.Or(err, fs.ErrNotExist))
	}
	built := Built{}
	for _, file := range files {
		raw, err := fs.ReadFile(manifests, file)
		if err != nil {
			return nil, fmt.Errorf("could not read %q: %w", file, err)
		}
		for _, document := range bytes.Split(append([]byte("\n"), raw...), []byte("\n---\n")) {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(document, &object.Object); err != nil {
				return nil, fmt.Errorf("could not read %q: %w", file, err)
			}
			if _, compared := gvks[object.GetKind()]; !compared {
				continue
			}
			if built[key(object)], err = form(object); err != nil {
				return nil, fmt.Errorf("could not read %q: %w", file, err)
			}
		}
	}
	return built, nil
}

// Add takes an object too, which is not the same on every hub: the one with which the
// hub asks this server.
func (b Built) Add(o runtime.Object) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return fmt.Errorf("could not take what has to hold on the hub: %w", err)
	}
	object := &unstructured.Unstructured{Object: fields}
	if _, compared := gvks[object.GetKind()]; !compared {
		return fmt.Errorf("could not take what has to hold on the hub: nothing compares a %s", object.GetKind())
	}
	b[key(object)], err = form(object)
	return err
}

func key(o *unstructured.Unstructured) string {
	return o.GetKind() + "/" + o.GetNamespace() + "/" + o.GetName()
}

// Compare says what differs on the hub. has are all objects of the kinds that were
// asked for; a kind that is not among served is left out.
func (b Built) Compare(has []unstructured.Unstructured, served func(kind string) bool) []Difference {
	found := map[string]bool{}
	var differences []Difference
	tell := func(kind, namespace, name string, what What) {
		differences = append(differences, Difference{Kind: kind, Namespace: namespace, Name: name, What: what})
	}
	for i := range has {
		o := &has[i]
		want, ours := b[key(o)]
		if !ours {
			if gives(o) {
				tell(o.GetKind(), o.GetNamespace(), o.GetName(), Foreign)
			}
			continue
		}
		found[key(o)] = true
		if got, err := form(o); err != nil || !bytes.Equal(want, got) && !before136(o) {
			tell(o.GetKind(), o.GetNamespace(), o.GetName(), Changed)
		}
	}
	for k := range b {
		parts := strings.SplitN(k, "/", 3)
		if !found[k] && k != founder && served(parts[0]) {
			tell(parts[0], parts[1], parts[2], Missing)
		}
	}
	slices.SortFunc(differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return differences
}

// impersonator is the role by which the server acts as the person who asks. A bank may
// name the groups in it, and before Kubernetes 1.36 writes it otherwise.
const impersonator = "fairway-impersonator"

// before136 says whether an object is that role as a hub before Kubernetes 1.36 needs
// it: the verb impersonate on users, groups and the session, and nothing else.
func before136(o *unstructured.Unstructured) bool {
	if o.GetKind() != clusterRole || o.GetName() != impersonator {
		return false
	}
	rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		verbs, _, _ := unstructured.NestedStringSlice(rule, "verbs")
		resources, _, _ := unstructured.NestedStringSlice(rule, "resources")
		if !slices.Equal(verbs, []string{"impersonate"}) || slices.ContainsFunc(resources, func(resource string) bool {
			return !slices.Contains([]string{"users", "groups", "userextras/fairway.cloud/session"}, resource)
		}) {
			return false
		}
	}
	return len(rules) > 0
}

// gives says whether a binding that was not built gives one of the platform's own
// roles: those of a tenant are bound by the tenancy room in its namespaces, and what
// lets its people read it goes by its own name.
func gives(o *unstructured.Unstructured) bool {
	if o.GetKind() != clusterRoleBind && o.GetKind() != roleBinding {
		return false
	}
	to, _, _ := unstructured.NestedString(o.Object, "roleRef", "name")
	switch {
	case !strings.HasPrefix(to, "fairway-"):
		return false
	case strings.HasPrefix(to, "fairway-tenant-"):
		return o.GetKind() != clusterRoleBind || to != o.GetName()
	case o.GetKind() == clusterRoleBind:
		return true
	}
	return slices.Contains(platform, to)
}

// platform are roles that no namespace of a tenant binds.
var platform = []string{
	"fairway-system", "fairway-impersonator", "fairway-founder", "fairway-system-administrators", "fairway-security-administrators", "fairway-audit-administrators",
}

// form is what of an object is compared: what it says, with the defaults that the
// API server fills in, and nothing that it adds by itself.
func form(o *unstructured.Unstructured) ([]byte, error) {
	raw, err := json.Marshal(o.Object)
	if err != nil {
		return nil, err
	}
	object := map[string]any{} // a copy, with numbers of one type
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	part := map[string]any{}
	switch o.GetKind() {
	case validatingPolicy, mutatingPolicy, validatingBinding, mutatingBinding:
		spec, _ := object["spec"].(map[string]any)
		for _, field := range []string{"matchConstraints", "matchResources"} {
			if m, ok := spec[field].(map[string]any); ok {
				matching(m)
			}
		}
		if policy := o.GetKind() == validatingPolicy || o.GetKind() == mutatingPolicy; policy && spec != nil && spec["failurePolicy"] == nil {
			spec["failurePolicy"] = "Fail"
		}
		part["spec"] = spec
	case clusterRole, role:
		if o.GetName() == impersonator {
			rules, _ := object["rules"].([]any)
			for _, r := range rules {
				if rule, ok := r.(map[string]any); ok {
					delete(rule, "resourceNames") // fewer people, which is the bank's matter
				}
			}
		}
		part["rules"], part["aggregationRule"] = object["rules"], object["aggregationRule"]
	case clusterRoleBind, roleBinding:
		subjects, _ := object["subjects"].([]any)
		for _, s := range subjects {
			if subject, ok := s.(map[string]any); ok && subject["apiGroup"] == nil && subject["kind"] != "ServiceAccount" {
				subject["apiGroup"] = rbacGroup
			}
		}
		part["roleRef"], part["subjects"] = object["roleRef"], subjects
	case definition:
		part["spec"] = defined(object)
	case webhooks:
		all, _ := object["webhooks"].([]any)
		for _, w := range all {
			if one, ok := w.(map[string]any); ok {
				matching(one)
			}
		}
		part["webhooks"] = all
	}
	return json.Marshal(part)
}

// matching fills in the defaults of what a policy matches.
func matching(m map[string]any) {
	if m["matchPolicy"] == nil {
		m["matchPolicy"] = "Equivalent"
	}
	for _, field := range []string{"namespaceSelector", "objectSelector"} {
		if selector, ok := m[field].(map[string]any); ok && len(selector) == 0 {
			delete(m, field)
		}
	}
	for _, field := range []string{"resourceRules", "excludeResourceRules"} {
		rules, _ := m[field].([]any)
		for _, r := range rules {
			if rule, ok := r.(map[string]any); ok && rule["scope"] == nil {
				rule["scope"] = "*"
			}
		}
	}
}

// defined is what of a definition says which objects there can be: scope, versions
// and schemas, with every rule in them.
func defined(object map[string]any) map[string]any {
	spec, _ := object["spec"].(map[string]any)
	part := map[string]any{"group": spec["group"], "scope": spec["scope"]}
	if conversion, ok := spec["conversion"].(map[string]any); ok && conversion["strategy"] != "None" {
		part["conversion"] = conversion
	}
	versions, _ := spec["versions"].([]any)
	var all []any
	for _, v := range versions {
		version, _ := v.(map[string]any)
		all = append(all, map[string]any{
			"name": version["name"], "served": version["served"], "storage": version["storage"], "schema": version["schema"], "subresources": version["subresources"],
		})
	}
	part["versions"] = all
	return part
}
