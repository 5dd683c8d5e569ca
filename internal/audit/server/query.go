// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

// Bounds of a question.
const (
	defaultLimit = 100
	mostLimit    = 1000
	mostValue    = 512
)

func badQuery(name, format string, args ...any) *httpapi.Problem {
	return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read query parameter %q", name).
		WithCauses(httpapi.Cause{Field: name, Reason: "QueryInvalid", Message: httpapi.NewProblem(httpapi.CodeBadRequest, format, args...).Detail})
}

// parameters checks that each is known and given once.
func parameters(values url.Values, known ...string) error {
	for name, given := range values {
		if !slices.Contains(known, name) {
			return badQuery(name, "no such parameter; there are %s", strings.Join(known, ", "))
		}
		if len(given) != 1 || len(given[0]) > mostValue {
			return badQuery(name, "give it once and with at most %d bytes", mostValue)
		}
	}
	return nil
}

// asked reads a search. Unknown parameters are refused, so that a misspelt filter
// never shows more than was asked for.
func asked(values url.Values, oldest bool, also ...string) (index.Query, error) {
	q := index.Query{Equal: map[string]string{}, Limit: defaultLimit, Oldest: oldest}
	known := append(append(index.Fields(), "text", "since", "until", "order"), also...)
	if err := parameters(values, known...); err != nil {
		return q, err
	}
	for _, name := range index.Fields() {
		if v, given := values[name]; given {
			q.Equal[name] = v[0]
		}
	}
	if kind, ok := q.Equal["kind"]; ok {
		q.Equal["kind"] = strings.ToLower(kind)
	}
	q.Text = values.Get("text")
	var err error
	if q.From, err = moment(values, "since"); err != nil {
		return q, err
	}
	if q.To, err = moment(values, "until"); err != nil {
		return q, err
	}
	switch values.Get("order") {
	case "":
	case "newest":
		q.Oldest = false
	case "oldest":
		q.Oldest = true
	default:
		return q, badQuery("order", "newest or oldest")
	}
	return q, paged(values, &q.Limit, &q.After)
}

func moment(values url.Values, name string) (time.Time, error) {
	text := values.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1971 || at.Year() > 2200 {
		return at, badQuery(name, "a time such as 2026-11-28T08:00:00+08:00")
	}
	return at, nil
}

// position is where the previous page ended. It holds only for the same question.
type position struct {
	Bound string `json:"b"`
	Place int64  `json:"p"`
}

func paged(values url.Values, limit *int, after *int64) error {
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostLimit {
			return badQuery("limit", "a number from 1 to %d", mostLimit)
		}
		*limit = n
	}
	text := values.Get("continue")
	if text == "" {
		return nil
	}
	p := position{}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &p) != nil || p.Place == 0 {
		return badQuery("continue", "take it unchanged from metadata.continue of the previous page")
	}
	if p.Bound != bound(values) {
		return badQuery("continue", "it belongs to another question: keep the filters the same from page to page")
	}
	*after = p.Place
	return nil
}

// bound is the digest of a question without its position and page size.
func bound(values url.Values) string {
	question := url.Values{}
	for name, v := range values {
		if name != "continue" && name != "limit" {
			question[name] = v
		}
	}
	sum := sha256.Sum256([]byte(question.Encode()))
	return hex.EncodeToString(sum[:8])
}

func following(values url.Values, place int64) string {
	raw, err := json.Marshal(position{Bound: bound(values), Place: place})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// scopes are the namespaces whose evidence the person may read; nil means all of
// it. only narrows the question to one namespace.
func (h *handlers) scopes(ctx context.Context, person identity.Person, verb, only string) ([]string, error) {
	q := server.Question{Verb: verb, Group: Group, Resource: Resource}
	all, err := h.Authority.May(ctx, person, q)
	if err != nil || all {
		return nil, err
	}
	candidates := []string{only}
	if only == "" {
		if candidates, err = h.Index.Scopes(ctx); err != nil {
			return nil, httpapi.NewProblem(httpapi.CodeUnavailable, "could not search evidence now").Because(err)
		}
	}
	allowed := []string{}
	for _, namespace := range candidates {
		if namespace == "" {
			continue // what belongs to nobody's namespace is for those who may read everything
		}
		q.Namespace = namespace
		may, err := h.Authority.May(ctx, person, q)
		if err != nil {
			return nil, err
		}
		if may {
			allowed = append(allowed, namespace)
		}
	}
	return allowed, nil
}
