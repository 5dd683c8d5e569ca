// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package hooks

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// write is one write as the hub announces it.
type write struct {
	act audit.Act
	// back marks the way back, which no missing log stops.
	back bool
	// target finds the object afterwards.
	target target
}

// target is the object that is written, and how to see whether it was.
type target struct {
	operation             admissionv1.Operation
	group, version, kind  string
	namespace, name       string
	subresource           string
	uid, before, expected string
	// version that an update begins from.
	resourceVersion string
}

// writeOf reads what the hub announces. It fails where the hub sends something
// else than an object.
func writeOf(request *admissionv1.AdmissionRequest) (write, error) {
	after, err := objectOf(request.Object.Raw)
	if err != nil {
		return write{}, err
	}
	before, err := objectOf(request.OldObject.Raw)
	if err != nil {
		return write{}, err
	}
	shown := after
	if shown == nil {
		shown = before
	}
	w := write{target: target{
		operation: request.Operation, group: request.Kind.Group, version: request.Kind.Version, kind: request.Kind.Kind,
		namespace: request.Namespace, name: request.Name, subresource: request.SubResource,
		uid: meta(shown, "uid"), resourceVersion: meta(before, "resourceVersion"),
	}}
	if w.target.name == "" { // generated, or one of a collection
		w.target.name = meta(shown, "name")
	}
	if w.target.before, err = digest(before); err != nil {
		return write{}, err
	}
	if w.target.expected, err = digest(after); err != nil {
		return write{}, err
	}
	room := strings.TrimSuffix(request.Kind.Group, httpapi.GroupSuffix)
	w.act = audit.Act{
		Verb: room + "." + strings.ToLower(string(request.Operation)), Person: request.UserInfo.Username, Class: audit.ClassChange,
		Subject: subjectOf(w.target), Environment: environmentOf(request.Namespace), From: "the hub, past the server",
		Before: w.target.before, After: w.target.expected, Details: details(request),
	}
	if request.Kind.Kind == "Release" && room == "release" {
		spec := part(shown, "spec")
		w.act.Reason, w.act.Ticket = text(spec["reason"]), text(spec["ticket"])
		if of := text(spec["application"]); of != "" {
			w.act.Application = request.Namespace + "/" + of
		}
		w.back = wayBack(request, before, after)
	}
	return w, nil
}

// wayBack says whether the write asks for a rollback, or does nothing but stop a
// Release.
func wayBack(request *admissionv1.AdmissionRequest, before, after map[string]any) bool {
	is, was := part(after, "spec"), part(before, "spec")
	switch request.Operation {
	case admissionv1.Create:
		return text(is["kind"]) == "Rollback"
	case admissionv1.Update:
		if request.SubResource != "" || text(is["desired"]) != "Stop" {
			return false
		}
		rest := func(spec map[string]any) map[string]any {
			kept := map[string]any{}
			for name, value := range spec {
				if name != "desired" {
					kept[name] = value
				}
			}
			return kept
		}
		return reflect.DeepEqual(rest(is), rest(was))
	}
	return false
}

// mostGroups is how many groups of a person a record names.
const mostGroups = 20

func details(request *admissionv1.AdmissionRequest) []string {
	groups := slices.Clone(request.UserInfo.Groups)
	slices.Sort(groups)
	if len(groups) > mostGroups {
		groups = append(groups[:mostGroups:mostGroups], fmt.Sprintf("and %d more", len(groups)-mostGroups))
	}
	all := []string{"groups: " + strings.Join(groups, ", ")}
	if request.SubResource != "" {
		all = append(all, "subresource: "+request.SubResource)
	}
	options := struct {
		FieldManager string `json:"fieldManager"`
	}{}
	if json.Unmarshal(request.Options.Raw, &options) == nil && options.FieldManager != "" {
		all = append(all, "field manager: "+options.FieldManager)
	}
	return all
}

func subjectOf(t target) string {
	if t.namespace == "" {
		return t.kind + "/" + t.name
	}
	return t.kind + "/" + t.namespace + "/" + t.name
}

// environmentOf the namespace <tenant>-<environment>; environments have no dash.
func environmentOf(namespace string) string {
	i := strings.LastIndex(namespace, "-")
	if i < 0 || strings.HasPrefix(namespace, "fairway-") || strings.HasPrefix(namespace, "kube-") {
		return ""
	}
	return namespace[i+1:]
}

func objectOf(raw []byte) (map[string]any, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	object := map[string]any{}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("could not read the object that is to be written: %w", err)
	}
	return object, nil
}

// digest is over what people write of an object: not its status, and of its
// metadata only labels, annotations and finalizers.
func digest(object map[string]any) (string, error) {
	if object == nil {
		return "", nil
	}
	kept := map[string]any{}
	for name, value := range object {
		if name != "status" && name != "metadata" {
			kept[name] = value
		}
	}
	for _, name := range []string{"labels", "annotations", "finalizers", "ownerReferences"} {
		if value, ok := part(object, "metadata")[name]; ok {
			kept["metadata."+name] = value
		}
	}
	return canonical.DigestOf(kept)
}

func part(object map[string]any, name string) map[string]any {
	inner, _ := object[name].(map[string]any)
	return inner
}

func meta(object map[string]any, name string) string { return text(part(object, "metadata")[name]) }

func text(value any) string {
	s, _ := value.(string)
	return s
}
