// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"net/http"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// own is what nobody may say of himself: who asks for a Release, who decides,
// proposes or agrees with which groups in which login, and who delegates.
func (s *Server) own(k httpapi.Kind, person identity.Person) map[string]any {
	switch k.Kind {
	case "Release":
		return map[string]any{"requester": person.ID}
	case "Brake":
		return map[string]any{"by": person.ID}
	case "Delegation":
		return map[string]any{"principal": person.ID}
	case "Decision", "Amendment", "Confirmation":
		groups := []any{}
		for _, g := range s.hub.taken(person.Groups) {
			groups = append(groups, g)
		}
		return map[string]any{"author": person.ID, "groups": groups, "session": person.Session}
	}
	return nil
}

// stamp sets what nobody may say of himself.
func (s *Server) stamp(k httpapi.Kind, object map[string]any, r *http.Request) error {
	own := s.own(k, who(r))
	if own == nil {
		return nil
	}
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return invalid("spec", "is needed")
	}
	for field, value := range own {
		id, single := value.(string)
		switch given := spec[field]; {
		case given == nil || given == "":
		case field == "groups" || field == "session":
			return invalid("spec.groups", "and spec.session are set to those of the person who asks, leave them out")
		case !single || given != id:
			return invalid("spec."+field, "is set to the person who asks, leave it out")
		}
		spec[field] = value
	}
	return nil
}
