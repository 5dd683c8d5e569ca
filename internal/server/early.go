// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"net/http"
	"strings"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// beforeProxied asks Before about what kubectl is about to make, as the hub would fill
// it in. It spares people what would not count, and lets the hub judge the rest: what
// cannot be read here, and what is made by applying it.
func (s *Server) beforeProxied(r *http.Request, target string) error {
	namespace, makes := makesDecision(r.Method, target)
	if s.config.Before == nil || !makes {
		return nil
	}
	object, err := strictObject(httpapi.Body(r))
	if err != nil {
		return nil //nolint:nilerr // YAML among others: the hub reads it, and the Gate counts it
	}
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return nil // the hub says what is wrong with it
	}
	person := who(r)
	for field, own := range map[string]any{"author": person.ID, "groups": person.Groups, "session": person.Session} {
		if _, given := spec[field]; !given {
			spec[field] = own
		}
	}
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		object["metadata"] = metadata
	}
	metadata["namespace"] = namespace
	return s.config.Before(r.Context(), "Decision", object)
}

// makesDecision says in which namespace a request to the hub makes a Decision.
func makesDecision(method, target string) (namespace string, makes bool) {
	parts := strings.Split(strings.Trim(target, "/"), "/")
	if method != http.MethodPost || len(parts) != 6 || parts[0] != "apis" || parts[1] != "approval.fairway.cloud" || parts[3] != "namespaces" || parts[5] != "decisions" {
		return "", false
	}
	return parts[4], true
}
