// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"net/http"
	"slices"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// stopPatience is how long the hub has to take a stop before it is kept.
const stopPatience = 5 * time.Second

// away says whether the hub could not answer: what it refused, it refused.
func away(err error) bool {
	return slices.Contains([]httpapi.Code{httpapi.CodeUnavailable, httpapi.CodeTimeout, httpapi.CodeTooManyRequests}, httpapi.AsProblem(err).Code)
}

// keepStop keeps a stop that the hub could not take. Nobody is told whether there is
// such a release: the hub says who may stop it, when it takes the stop.
func (s *Server) keepStop(w http.ResponseWriter, r *http.Request, why error) error {
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	if err := s.config.KeepStop(r.Context(), who(r), namespace, name); err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "the hub does not answer, and the stop of release %q could not be kept", name).
			WithNext("Ask again. While the hub does not answer, no release takes a step.").Because(err)
	}
	s.log.Error("a stop is kept: the hub does not take it now", "request", httpapi.Trace(r.Context()), "release", namespace+"/"+name, "actor", who(r).ID, "cause", why.Error())
	httpapi.Say(r.Context(), "kept: the hub does not answer; it is written before any step is taken")
	return httpapi.WriteJSON(w, http.StatusAccepted, map[string]any{
		"namespace": namespace, "name": name, "kept": true, "message": "the hub does not answer: the stop is kept, and written before any step is taken",
	})
}
