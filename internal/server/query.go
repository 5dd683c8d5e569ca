// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Bounds of a page.
const (
	defaultLimit = 100
	mostLimit    = 1000
	mostQuery    = 2048
)

// query is what a list request asks for.
type query struct {
	namespace string
	limit     int
	labels    labels.Selector
	fields    []fieldTerm
	sort      []sortKey
	after     *position
	// bound names everything but the position; a position holds only for the
	// same question.
	bound string
}

type fieldTerm struct {
	path   []string
	equal  bool
	wanted string
}

type sortKey struct {
	path []string
	down bool
}

// position is where the previous page ended: the values of the sort keys and
// the object's own key.
type position struct {
	Bound  string `json:"b"`
	Values []any  `json:"v"`
	Key    string `json:"k"`
}

var fieldPath = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_/-]*)*$`)

// listParameters are the query parameters of every list.
var listParameters = []string{"limit", "continue", "labelSelector", "fieldSelector", "sort", "namespace"}

// parseQuery reads the parameters of a list. Unknown parameters are refused, so
// that a misspelt filter never shows more than was asked for.
func parseQuery(values url.Values, allowed ...string) (query, error) {
	q := query{limit: defaultLimit, labels: labels.Everything()}
	for name, given := range values {
		known := false
		for _, a := range append(listParameters, allowed...) {
			known = known || a == name
		}
		if !known {
			return q, badQuery(name, "no such parameter")
		}
		if len(given) != 1 || len(given[0]) > mostQuery {
			return q, badQuery(name, "give it once and with at most %d characters", mostQuery)
		}
	}
	var err error
	q.namespace = values.Get("namespace")
	if v := values.Get("limit"); v != "" {
		if q.limit, err = strconv.Atoi(v); err != nil || q.limit < 1 || q.limit > mostLimit {
			return q, badQuery("limit", "a number from 1 to %d", mostLimit)
		}
	}
	if v := values.Get("labelSelector"); v != "" {
		if q.labels, err = labels.Parse(v); err != nil {
			return q, badQuery("labelSelector", "%v", err)
		}
	}
	if q.fields, err = parseFields(values.Get("fieldSelector")); err != nil {
		return q, err
	}
	if q.sort, err = parseSort(values.Get("sort")); err != nil {
		return q, err
	}
	q.bound = bound(values)
	if v := values.Get("continue"); v != "" {
		if q.after, err = readPosition(v, q.bound, len(q.sort)); err != nil {
			return q, err
		}
	}
	return q, nil
}

func badQuery(name, format string, args ...any) *httpapi.Problem {
	p := httpapi.NewProblem(httpapi.CodeBadRequest, "could not read query parameter %q", name)
	return p.WithCauses(httpapi.Cause{Field: name, Reason: "QueryInvalid", Message: httpapi.NewProblem(httpapi.CodeBadRequest, format, args...).Detail})
}

func parseFields(text string) ([]fieldTerm, error) {
	if text == "" {
		return nil, nil
	}
	var terms []fieldTerm
	for part := range strings.SplitSeq(text, ",") {
		term := fieldTerm{equal: true}
		left, right, ok := strings.Cut(part, "!=")
		if ok {
			term.equal = false
		} else if left, right, ok = strings.Cut(part, "="); ok {
			right = strings.TrimPrefix(right, "=")
		}
		left = strings.TrimSpace(left)
		if !ok || !fieldPath.MatchString(left) {
			return nil, badQuery("fieldSelector", "terms look like spec.application=pay or status.batch!=0, separated by commas; %q does not", part)
		}
		term.path, term.wanted = strings.Split(left, "."), strings.TrimSpace(right)
		terms = append(terms, term)
	}
	if len(terms) > 16 {
		return nil, badQuery("fieldSelector", "at most 16 terms")
	}
	return terms, nil
}

func parseSort(text string) ([]sortKey, error) {
	if text == "" {
		return nil, nil
	}
	var keys []sortKey
	for part := range strings.SplitSeq(text, ",") {
		key := sortKey{}
		part = strings.TrimSpace(part)
		if rest, down := strings.CutPrefix(part, "-"); down {
			key.down, part = true, rest
		}
		part = strings.TrimPrefix(part, ".")
		if !fieldPath.MatchString(part) {
			return nil, badQuery("sort", "keys look like metadata.creationTimestamp or -spec.application, separated by commas; %q does not", part)
		}
		key.path = strings.Split(part, ".")
		keys = append(keys, key)
	}
	if len(keys) > 4 {
		return nil, badQuery("sort", "at most 4 keys")
	}
	return keys, nil
}

// bound is the digest of the question without its position and page size.
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

func (p position) String() string {
	raw, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func readPosition(text, bound string, keys int) (*position, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	p := &position{}
	if err != nil || json.Unmarshal(raw, p) != nil || p.Key == "" || len(p.Values) != keys {
		return nil, badQuery("continue", "take it unchanged from metadata.continue of the previous page")
	}
	if p.Bound != bound {
		return nil, badQuery("continue", "it belongs to another question: keep filters and sort the same from page to page")
	}
	for _, v := range p.Values {
		switch v.(type) {
		case nil, string, float64, bool:
		default:
			return nil, badQuery("continue", "take it unchanged from metadata.continue of the previous page")
		}
	}
	return p, nil
}
