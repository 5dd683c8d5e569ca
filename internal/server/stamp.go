// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"net/http"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// stamp sets what nobody may say of himself: who asks for a Release, who decides
// with which groups in which login, and who delegates.
func stamp(k httpapi.Kind, object map[string]any, r *http.Request) error {
	person := who(r)
	own := map[string]any{}
	switch k.Kind {
	case "Release":
		own["requester"] = person.ID
	case "Decision":
		own["author"] = person.ID
	case "Delegation":
		own["principal"] = person.ID
	default:
		return nil
	}
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return invalid("spec", "is needed")
	}
	for field, id := range own {
		if given, there := spec[field]; there && given != id && given != "" {
			return invalid("spec."+field, "is set to the person who asks, leave it out")
		}
		spec[field] = id
	}
	if k.Kind == "Decision" {
		if spec["groups"] != nil || spec["session"] != nil {
			return invalid("spec.groups", "and spec.session are set to those of the person who asks, leave them out")
		}
		groups := make([]any, 0, len(person.Groups))
		for _, g := range person.Groups {
			groups = append(groups, g)
		}
		spec["groups"], spec["session"] = groups, person.Session
	}
	return nil
}
