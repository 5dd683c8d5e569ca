// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"net/http"

	"github.com/fairway-cloud/fairway/internal/audit/crosscheck"
	"github.com/fairway-cloud/fairway/internal/audit/mask"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// compared is a status as the API shows it.
type compared struct {
	crosscheck.Status
	Found []string `json:"found,omitempty"`
}

// crosscheck says how the audit logs of the API servers compare with evidence.
func (h *handlers) crosscheck(w http.ResponseWriter, r *http.Request) error {
	if err := parameters(r.URL.Query()); err != nil {
		return err
	}
	may, err := h.Authority.May(r.Context(), who(r), server.Question{Verb: "list", Group: Group, Resource: Resource})
	if err != nil {
		return err
	}
	if !may {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not say how audit logs compare: your roles show you the evidence of namespaces only")
	}
	items := []compared{}
	if h.Crosscheck != nil {
		for _, s := range h.Crosscheck() {
			one := compared{Status: s}
			for _, f := range s.Found {
				one.Found = append(one.Found, mask.Text(f.String()))
			}
			items = append(items, one)
		}
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"items": items})
}
