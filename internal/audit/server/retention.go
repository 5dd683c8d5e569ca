// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/audit/retention"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// retention says which years' logs are kept, and until when.
func (h *handlers) retention(w http.ResponseWriter, r *http.Request) error {
	if err := parameters(r.URL.Query()); err != nil {
		return err
	}
	may, err := h.Authority.May(r.Context(), who(r), server.Question{Verb: "list", Group: Group, Resource: Resource})
	if err != nil {
		return err
	}
	if !may {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not say how long evidence is kept: your roles show you that of namespaces only")
	}
	years, err := h.years(r)
	if err != nil {
		return away(err)
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"terms": h.Policy.Terms, "holds": h.Policy.Holds, "items": h.Policy.Judge(years, h.Now())})
}

// years lists the years that have records, with their classes.
func (h *handlers) years(r *http.Request) ([]retention.Year, error) {
	ends := [2]int{}
	for i, oldest := range []bool{true, false} {
		page, err := h.Index.Search(r.Context(), index.Query{Limit: 1, Oldest: oldest})
		if err != nil || len(page.Acts) == 0 {
			return nil, err
		}
		ends[i] = page.Acts[0].Time.Year()
	}
	var years []retention.Year
	for year := ends[0]; year <= ends[1]; year++ {
		y := retention.Year{Year: year, Classes: []audit.Class{}}
		for _, class := range slices.Sorted(maps.Keys(h.Policy.Terms)) {
			page, err := h.Index.Search(r.Context(), index.Query{
				Limit: 1, Equal: map[string]string{"class": string(class)},
				From: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC),
			})
			if err != nil {
				return nil, err
			}
			if len(page.Acts) > 0 {
				y.Classes = append(y.Classes, class)
			}
		}
		if len(y.Classes) > 0 {
			years = append(years, y)
		}
	}
	return years, nil
}
