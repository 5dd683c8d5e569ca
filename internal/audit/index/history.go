// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// History is a question about everything that happened to one object.
type History struct {
	// Subject that is asked about.
	Subject Subject
	// Kin are objects that belong to it as the hub says now, beyond those that the
	// records themselves name.
	Kin []Subject
	// Scopes, After and Limit as in a Query. The oldest act comes first.
	Scopes []string
	After  int64
	Limit  int
}

// mostKin bounds how many objects one history covers.
const mostKin = 2000

// History tells what happened to an object, in order: acts on itself, and on what
// belongs to it. An application has Releases, those have approvals, and all of
// them the steps that were taken for them in clusters.
func (s *Store) History(ctx context.Context, h History) (Page, error) {
	family, err := s.family(ctx, append([]Subject{h.Subject}, h.Kin...))
	if err != nil {
		return Page{}, fmt.Errorf("could not tell the history of %s: %w", h.Subject.Key(), err)
	}
	q := Query{Scopes: h.Scopes, After: h.After, Limit: h.Limit, Oldest: true}
	if h.Limit < 1 || (h.Scopes != nil && len(h.Scopes) == 0) {
		return Page{}, nil
	}
	places := map[int64]bool{}
	for _, member := range family {
		for _, term := range member.terms() {
			if err := s.places(ctx, q, term, places); err != nil {
				return Page{}, fmt.Errorf("could not tell the history of %s: %w", h.Subject.Key(), err)
			}
		}
	}
	all := make([]int64, 0, len(places))
	for place := range places {
		all = append(all, place)
	}
	slices.Sort(all)
	page := Page{}
	if len(all) > h.Limit {
		all = all[:h.Limit]
		page.Next = all[h.Limit-1]
	}
	page.Acts, err = s.at(ctx, all)
	return page, err
}

// family lists the subjects and everything that the records say belongs to them.
func (s *Store) family(ctx context.Context, from []Subject) ([]Subject, error) {
	var all []Subject
	seen := map[Subject]bool{}
	for len(from) > 0 && len(all) < mostKin {
		one := from[0]
		from = from[1:]
		if seen[one] {
			continue
		}
		seen[one] = true
		all = append(all, one)
		rows, err := s.db.Query(ctx, "SELECT child FROM audit_kin WHERE parent = ? ORDER BY child LIMIT ?", one.Key(), mostKin)
		if err != nil {
			return nil, err
		}
		children, err := texts(rows)
		if err != nil {
			return nil, err
		}
		for _, child := range children {
			from = append(from, SubjectOf(child))
		}
	}
	return all, nil
}

// term is one way in which an act belongs to an object.
type term struct {
	where string
	args  []any
}

func (s Subject) terms() []term {
	terms := []term{{"name = ? AND namespace = ? AND kind = ?", []any{s.Name, s.Namespace, s.Kind}}}
	full := strings.TrimPrefix(s.Namespace+"/"+s.Name, "/")
	switch s.Kind {
	case "application":
		terms = append(terms, term{"application = ? AND application <> ''", []any{full}})
	case "release":
		terms = append(terms, term{"released = ? AND released <> ''", []any{full}})
	case "approvalrequest":
		terms = append(terms, term{"approval = ? AND approval <> ''", []any{full}})
	case "cluster":
		terms = append(terms, term{"cluster = ? AND cluster <> ''", []any{s.Name}})
	case "person":
		terms = append(terms, term{"person = ?", []any{s.Name}})
	}
	return terms
}

// places adds where the acts of a term stand: the first ones after the position.
func (s *Store) places(ctx context.Context, q Query, t term, into map[int64]bool) error {
	bounds, args := q.bounds("place")
	terms := append([]string{t.where}, bounds...)
	args = append(slices.Clone(t.args), args...)
	if q.Scopes != nil {
		terms = append(terms, s.kept(true, "scope")+" IN (?"+strings.Repeat(",?", len(q.Scopes)-1)+")")
		for _, scope := range q.Scopes {
			args = append(args, scope)
		}
	}
	rows, err := s.db.Query(ctx, "SELECT place FROM audit_acts WHERE "+strings.Join(terms, " AND ")+" ORDER BY place LIMIT ?", append(args, q.Limit+1)...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // only read
	for rows.Next() {
		var place int64
		if err := rows.Scan(&place); err != nil {
			return err
		}
		into[place] = true
	}
	return rows.Err()
}

// at returns the acts at the places, in their order.
func (s *Store) at(ctx context.Context, places []int64) ([]Act, error) {
	var acts []Act
	for part := range slices.Chunk(places, 500) {
		args := make([]any, 0, len(part))
		for _, p := range part {
			args = append(args, p)
		}
		rows, err := s.db.Query(ctx, "SELECT "+qualified+" FROM audit_acts a WHERE a.place IN (?"+strings.Repeat(",?", len(part)-1)+") ORDER BY a.place", args...)
		if err != nil {
			return nil, err
		}
		found, err := scanAll(rows)
		if err != nil {
			return nil, err
		}
		acts = append(acts, found...)
	}
	return acts, nil
}
