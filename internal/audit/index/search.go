// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

// Query is a question about acts.
type Query struct {
	// Scopes are the namespaces whose acts may be shown; "" is that of what belongs
	// to no namespace. Nil: all of them. Empty: none.
	Scopes []string
	// Equal holds wanted values by the name of the field (see Fields).
	Equal map[string]string
	// Text is what the acts must speak of: every part between spaces, whole words or
	// their beginnings, in Chinese any characters in a row.
	Text string
	// From and To bound the time when the act began: From is included, To is not.
	// Zero: open.
	From, To time.Time
	// Oldest first. Default: newest first.
	Oldest bool
	// After is the place of the last act of the page before. 0: from the start.
	After int64
	// Limit is the most acts. At least 1.
	Limit int

	// wordsLead says that too many acts were looked at one by one.
	wordsLead bool
}

// Page is an answer.
type Page struct {
	Acts []Act
	// Next is After of the following page. 0: this is the last one.
	Next int64
}

// field is what can be asked for.
type field struct {
	column string
	// few says that the value names few acts of a large log: the engine begins there.
	few bool
	// partial says that its index leaves out acts without a value.
	partial bool
}

// fields by the name under which people ask. What is not here cannot be asked for.
var fields = map[string]field{
	"trace":       {"trace", true, true},
	"ticket":      {"ticket", true, true},
	"approval":    {"approval", true, true},
	"release":     {"released", true, true},
	"name":        {"name", true, false},
	"application": {"application", true, true},
	"person":      {"person", true, false},
	"verb":        {"verb", false, false},
	"room":        {"room", false, false},
	"address":     {"origin", true, true},
	"cluster":     {"cluster", false, true},
	"result":      {"result", false, false},
	"environment": {"environment", false, true},
	"namespace":   {"scope", false, false},
	"kind":        {"kind", false, false},
	"class":       {"class", false, false},
}

// preferred is the order in which an engine that keeps no statistics begins with
// a field: the one that leaves fewest acts first.
var preferred = []string{"trace", "ticket", "approval", "release", "name", "application", "person", "address", "namespace", "cluster", "verb", "result",
	"kind", "environment", "room", "class"}

// Fields are the names that a Query may use.
func Fields() []string { return slices.Clone(preferred) }

// ErrField says that a Query names a field that there is not.
type ErrField struct{ Field string }

// Error implements error.
func (e ErrField) Error() string {
	return fmt.Sprintf("no such field %q of evidence; there are %s", e.Field, strings.Join(Fields(), ", "))
}

// mostScopes is how many namespaces are asked one by one.
const mostScopes = 64

// Search answers a question.
func (s *Store) Search(ctx context.Context, q Query) (Page, error) {
	for name := range q.Equal {
		if _, ok := fields[name]; !ok {
			return Page{}, ErrField{name}
		}
	}
	if q.Limit < 1 {
		return Page{}, fmt.Errorf("could not search evidence: at least one act is asked for, not %d", q.Limit)
	}
	acts, err := s.scoped(ctx, q)
	if err != nil {
		return Page{}, fmt.Errorf("could not search evidence: %w", err)
	}
	page := Page{Acts: acts}
	if len(acts) > q.Limit {
		page.Acts = acts[:q.Limit]
		page.Next = acts[q.Limit-1].place
	}
	return page, nil
}

// scoped asks each namespace by itself, where that is quicker: each has its acts
// in order, many together have not.
func (s *Store) scoped(ctx context.Context, q Query) ([]Act, error) {
	if q.Scopes != nil { // each once
		q.Scopes = slices.Compact(slices.Sorted(slices.Values(q.Scopes)))
		if len(q.Scopes) == 0 {
			return nil, nil
		}
	}
	if namespace, ok := q.Equal["namespace"]; ok && q.Scopes != nil {
		if !slices.Contains(q.Scopes, namespace) {
			return nil, nil
		}
		q.Scopes = nil
	}
	if q.Scopes == nil || len(q.Scopes) > mostScopes || q.narrow() {
		return s.find(ctx, q, "", nil)
	}
	var all []Act
	for _, scope := range q.Scopes {
		one := q
		one.Scopes = nil
		found, err := s.find(ctx, one, "scope = ?", []any{scope})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b Act) int {
		if (a.place < b.place) == q.Oldest {
			return -1
		}
		return 1
	})
	return all[:min(len(all), q.Limit+1)], nil
}

// narrow says whether a field leaves few acts.
func (q Query) narrow() bool {
	for name := range q.Equal {
		if fields[name].few {
			return true
		}
	}
	return false
}

// find answers with one statement, one act more than the limit.
func (s *Store) find(ctx context.Context, q Query, also string, alsoArgs []any) ([]Act, error) {
	terms, args := q.bounds("a.place")
	if q.Scopes != nil {
		terms = append(terms, s.kept(true, "a.scope")+" IN (?"+strings.Repeat(",?", len(q.Scopes)-1)+")")
		for _, scope := range q.Scopes {
			args = append(args, scope)
		}
	}
	if also != "" {
		terms, args = append(terms, "a."+also), append(args, alsoArgs...)
	}
	led := also != "" && !q.narrow() // something that leaves few acts was named already
	for _, name := range preferred {
		value, ok := q.Equal[name]
		if !ok {
			continue
		}
		f := fields[name]
		column := s.kept(led, "a."+f.column)
		if terms, args = append(terms, column+" = ?"), append(args, value); f.partial && value != "" && !led {
			terms = append(terms, "a."+f.column+" <> ''")
		}
		led = true
	}
	from, order := "audit_acts a", "a.place"
	phrases := phrasesOf(q.Text)
	switch {
	case q.Text != "" && len(phrases) == 0:
		return nil, nil // nothing that anything could speak of
	case len(phrases) > 0 && s.db.Dialect == database.Postgres:
		terms, args = append(terms, "a.words @@ ?::tsquery"), append(args, match(s.db.Dialect, phrases))
	case len(phrases) > 0 && q.narrow() && !q.wordsLead:
		return s.findAmong(ctx, q, also, alsoArgs, phrases)
	case len(phrases) > 0:
		// The words lead: they are found in the order of places.
		return s.findByWords(ctx, q, terms, args, phrases)
	}
	return s.rows(ctx, q, from, terms, args, order)
}

// Bounds of looking at acts one by one.
const (
	amongPage = 500
	mostAmong = 5000
)

// findAmong looks for the words in the acts that the fields leave, one by one:
// where these are few that is quicker than asking for the words first. After the
// first thousands the words lead.
func (s *Store) findAmong(ctx context.Context, q Query, also string, alsoArgs []any, phrases []phrase) ([]Act, error) {
	var all []Act
	one := q
	one.Text, one.Limit = "", amongPage-1 // find returns one more
	for range mostAmong / amongPage {
		some, err := s.find(ctx, one, also, alsoArgs)
		if err != nil {
			return nil, err
		}
		for _, a := range some {
			if a.speaks(phrases) {
				if all = append(all, a); len(all) > q.Limit {
					return all, nil
				}
			}
		}
		if len(some) < amongPage {
			return all, nil
		}
		one.After = some[len(some)-1].place
	}
	rest := q
	rest.After, rest.Limit, rest.wordsLead = one.After, q.Limit-len(all), true
	some, err := s.find(ctx, rest, also, alsoArgs)
	return append(all, some...), err
}

// speaks says whether the act has all phrases.
func (a *Act) speaks(phrases []phrase) bool {
	words := a.words()
	for _, p := range phrases {
		if !p.in(words) {
			return false
		}
	}
	return true
}

// in says whether the words have the phrase, whose last word may go on.
func (p phrase) in(words []string) bool {
	last := len(p) - 1
	for i := 0; i+last < len(words); i++ {
		if slices.Equal(words[i:i+last], p[:last]) && strings.HasPrefix(words[i+last], p[last]) {
			return true
		}
	}
	return false
}

// findByWords lets SQLite's full-text search lead, which answers in the order of
// places and stops at the limit.
func (s *Store) findByWords(ctx context.Context, q Query, terms []string, args []any, phrases []phrase) ([]Act, error) {
	bounds, boundArgs := q.bounds("w.rowid")
	terms = append(append([]string{"w.audit_words MATCH ?"}, bounds...), terms...)
	args = append(append([]any{match(s.db.Dialect, phrases)}, boundArgs...), args...)
	for i := range terms {
		terms[i] = strings.ReplaceAll(terms[i], "a.place", "+a.place")
	}
	return s.rows(ctx, q, "audit_words w CROSS JOIN audit_acts a ON a.place = w.rowid", terms, args, "w.rowid")
}

func (s *Store) rows(ctx context.Context, q Query, from string, terms []string, args []any, order string) ([]Act, error) {
	if len(terms) == 0 {
		terms = []string{"1 = 1"}
	}
	if !q.Oldest {
		order += " DESC"
	}
	rows, err := s.db.Query(ctx, "SELECT "+qualified+" FROM "+from+" WHERE "+strings.Join(terms, " AND ")+" ORDER BY "+order+" LIMIT ?", append(args, q.Limit+1)...)
	if err != nil {
		return nil, err
	}
	return scanAll(rows)
}

// kept keeps SQLite, which has no statistics here, from beginning with a column.
func (s *Store) kept(keep bool, column string) string {
	if keep && s.db.Dialect == database.SQLite {
		return "+" + column
	}
	return column
}

// bounds are the terms about time and position.
func (q Query) bounds(column string) (terms []string, args []any) {
	if !q.From.IsZero() {
		terms, args = append(terms, column+" >= ?"), append(args, placeAt(q.From))
	}
	if !q.To.IsZero() {
		terms, args = append(terms, column+" < ?"), append(args, placeAt(q.To))
	}
	if q.After != 0 {
		sign := " < ?"
		if q.Oldest {
			sign = " > ?"
		}
		terms, args = append(terms, column+sign), append(args, q.After)
	}
	return terms, args
}

// qualified are the columns of the acts' table.
var qualified = "a." + strings.Join(strings.FieldsFunc(columns, func(r rune) bool { return strings.ContainsRune(", \t\n", r) }), ", a.")

// scanAll reads rows and closes them.
func scanAll(rows *sql.Rows) ([]Act, error) {
	defer rows.Close() //nolint:errcheck // only read
	var acts []Act
	for rows.Next() {
		a, err := scan(rows)
		if err != nil {
			return nil, err
		}
		acts = append(acts, a)
	}
	return acts, rows.Err()
}

func scan(rows *sql.Rows) (Act, error) {
	a := Act{}
	var endedAt, began, ended int64
	var ignored, class, details, result string
	err := rows.Scan(
		&a.place, &a.Index, &endedAt, &a.Source, &a.Sequence, &began, &ended, &ignored, &a.Verb, &a.Person, &a.Subject, &ignored, &ignored, &ignored,
		&a.Namespace, &a.Cluster, &a.Environment, &a.From, &class, &a.Application, &a.Release, &a.Approval, &a.Verdict, &a.Reason, &a.Ticket,
		&a.Before, &a.After, &details, &a.Trace, &result, &a.Message,
	)
	if err != nil {
		return a, err
	}
	a.Time = time.UnixMicro(began).UTC()
	if endedAt >= 0 {
		number, when := uint64(endedAt), time.UnixMicro(ended).UTC()
		a.OutcomeIndex, a.Ended = &number, &when
	}
	a.Class, a.Result = audit.Class(class), audit.Result(result)
	if details != "" {
		err = json.Unmarshal([]byte(details), &a.Details)
	}
	return a, err
}

// Get returns the act that has a record of that number, its intent or its outcome.
func (s *Store) Get(ctx context.Context, number uint64) (Act, bool, error) {
	for _, column := range []string{"a.number", "a.ended_at"} {
		rows, err := s.db.Query(ctx, "SELECT "+qualified+" FROM audit_acts a WHERE "+column+" = ? LIMIT 1", number)
		if err != nil {
			return Act{}, false, fmt.Errorf("could not find record %d: %w", number, err)
		}
		acts, err := scanAll(rows)
		if err != nil {
			return Act{}, false, fmt.Errorf("could not find record %d: %w", number, err)
		}
		if len(acts) > 0 {
			return acts[0], true, nil
		}
	}
	return Act{}, false, nil
}

// Scopes lists the namespaces that have acts.
func (s *Store) Scopes(ctx context.Context) ([]string, error) {
	rows, err := s.db.Query(ctx, "SELECT scope FROM audit_scopes ORDER BY scope")
	if err != nil {
		return nil, fmt.Errorf("could not list the namespaces of evidence: %w", err)
	}
	return texts(rows)
}

func texts(rows *sql.Rows) ([]string, error) {
	defer rows.Close() //nolint:errcheck // only read
	var all []string
	for rows.Next() {
		one := ""
		if err := rows.Scan(&one); err != nil {
			return nil, errors.Join(err, rows.Err())
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
