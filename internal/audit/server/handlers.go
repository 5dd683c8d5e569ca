// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fairway-cloud/fairway/internal/audit/export"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// record is an act as the API shows it.
type record struct {
	index.Act
	Says string `json:"says"`
}

func shown(a index.Act) record {
	a = export.Masked(a)
	return record{a, a.Sentence()}
}

func who(r *http.Request) identity.Person {
	person, _ := identity.FromContext(r.Context())
	return person
}

func away(err error) error {
	var field index.ErrField
	if errors.As(err, &field) {
		return badQuery(field.Field, "%v", field)
	}
	return httpapi.NewProblem(httpapi.CodeUnavailable, "could not search evidence now").Because(err)
}

func (h *handlers) search(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	q, err := asked(values, false, "limit", "continue")
	if err != nil {
		return err
	}
	if q.Scopes, err = h.scopes(r.Context(), who(r), "list", q.Equal["namespace"]); err != nil {
		return err
	}
	page, err := h.Index.Search(r.Context(), q)
	if err != nil {
		return away(err)
	}
	return h.list(w, r, values, page)
}

// list answers with a page, and with how much of the log it covers.
func (h *handlers) list(w http.ResponseWriter, r *http.Request, values url.Values, page index.Page) error {
	covers, err := h.Index.Covers(r.Context())
	if err != nil {
		return away(err)
	}
	meta := map[string]any{"covers": covers}
	if size, err := h.Log.Size(r.Context()); err == nil {
		meta["size"] = size
	}
	if page.Next != 0 {
		meta["continue"] = following(values, page.Next)
	}
	items := make([]record, 0, len(page.Acts))
	for _, a := range page.Acts {
		items = append(items, shown(a))
	}
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{"apiVersion": Group + "/v1alpha1", "kind": "RecordList", "metadata": meta, "items": items})
}

func (h *handlers) get(w http.ResponseWriter, r *http.Request) error {
	if err := parameters(r.URL.Query()); err != nil {
		return err
	}
	subject := "record " + strconv.Quote(r.PathValue("index"))
	number, err := strconv.ParseUint(r.PathValue("index"), 10, 63)
	if err != nil {
		return httpapi.Missing(subject)
	}
	a, ok, err := h.Index.Get(r.Context(), number)
	if err != nil {
		return away(err)
	}
	if ok {
		ok, err = h.mayRead(r.Context(), who(r), a.Namespace)
	}
	if err != nil {
		return err
	}
	if !ok {
		return httpapi.Missing(subject)
	}
	return httpapi.WriteJSON(w, http.StatusOK, shown(a))
}

// mayRead asks about one namespace; "" means that all may be read.
func (h *handlers) mayRead(ctx context.Context, person identity.Person, namespace string) (bool, error) {
	q := server.Question{Verb: "get", Group: Group, Resource: Resource}
	all, err := h.Authority.May(ctx, person, q)
	if err != nil || all || namespace == "" {
		return all, err
	}
	q.Namespace = namespace
	return h.Authority.May(ctx, person, q)
}

func (h *handlers) history(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	if err := parameters(values, "limit", "continue"); err != nil {
		return err
	}
	about := index.History{Limit: defaultLimit, Subject: index.Subject{
		Kind: h.kind(r.PathValue("kind")), Namespace: r.PathValue("namespace"), Name: r.PathValue("name"),
	}}
	if err := paged(values, &about.Limit, &about.After); err != nil {
		return err
	}
	var err error
	if about.Scopes, err = h.scopes(r.Context(), who(r), "list", about.Subject.Namespace); err != nil {
		return err
	}
	if h.Kin != nil && (about.Scopes == nil || len(about.Scopes) > 0) {
		about.Kin = h.Kin(r.Context(), about.Subject)
	}
	page, err := h.Index.History(r.Context(), about)
	if err != nil {
		return away(err)
	}
	return h.list(w, r, values, page)
}

// kind is the singular of the word, in small letters.
func (h *handlers) kind(word string) string {
	word = strings.ToLower(word)
	for _, k := range h.Kinds {
		if word == k.Plural || word == k.Singular || slices.Contains(k.ShortNames, word) {
			return strings.ToLower(k.Kind)
		}
	}
	return word
}

func (h *handlers) key(w http.ResponseWriter, r *http.Request) error {
	if err := parameters(r.URL.Query()); err != nil {
		return err
	}
	if h.PublicKey == "" {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "this server exports no evidence")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(h.PublicKey + "\n"))
	return nil
}

// rebuild begins to make the index anew and answers at once: a large log takes
// minutes.
func (h *handlers) rebuild(w http.ResponseWriter, r *http.Request) error {
	if err := parameters(r.URL.Query()); err != nil {
		return err
	}
	may, err := h.Authority.May(r.Context(), who(r), server.Question{Verb: "rebuild", Group: Group, Resource: Resource})
	if err != nil {
		return err
	}
	if !may {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not have the index made anew: your roles do not allow it").
			WithNext("An audit administrator does it: verb rebuild on %s.%s.", Resource, Group)
	}
	size, err := h.Log.Size(r.Context())
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not read the evidence log").Because(err)
	}
	if !h.rebuilding.CompareAndSwap(false, true) {
		return httpapi.NewProblem(httpapi.CodeConflict, "the index is being made anew already").WithNext("Wait until metadata.covers of a search has reached metadata.size.")
	}
	go func() {
		defer h.rebuilding.Store(false)
		if read, err := h.Index.Rebuild(h.Background, h.Log); err != nil && h.Background.Err() == nil {
			h.Logger.Error("could not make the index of evidence anew; following the log goes on where it stopped", "read", read, "cause", err.Error())
		}
	}()
	return httpapi.WriteJSON(w, http.StatusAccepted, map[string]any{"records": size})
}
