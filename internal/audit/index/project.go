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
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
	"github.com/fairway-cloud/fairway/internal/platform/database"
)

// batch is how many records are read and written at once.
const batch = 2000

// chunk is how many rows one statement inserts: engines bound its arguments.
const chunk = 100

// errMoved says that another projector was faster; the position is read again.
var errMoved = errors.New("the index of evidence was moved on by somebody else")

// CatchUp reads what the log holds beyond the index. It returns how many records
// that were, and whether the index had to be made anew because it did not belong
// to this log: the log is shorter, or says something else at the same place.
func (s *Store) CatchUp(ctx context.Context, log audit.Log) (read int, anew bool, err error) {
	size, err := log.Size(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("could not follow the evidence log: %w", err)
	}
	next, last, err := s.position(ctx)
	if err != nil {
		return 0, false, err
	}
	if fits, err := belongs(ctx, log, size, next, last); err != nil {
		return 0, false, err
	} else if !fits {
		if err := s.Forget(ctx); err != nil {
			return 0, false, err
		}
		next, anew = 0, true
	}
	for next < size {
		entries, err := log.Read(ctx, next, batch)
		if err != nil {
			return read, anew, fmt.Errorf("could not read the evidence log from record %d on: %w", next, err)
		}
		if len(entries) == 0 {
			return read, anew, nil
		}
		err = s.apply(ctx, next, entries)
		if errors.Is(err, errMoved) {
			if next, _, err = s.position(ctx); err != nil {
				return read, anew, err
			}
			continue
		}
		if err != nil {
			return read, anew, err
		}
		next, read = next+uint64(len(entries)), read+len(entries)
	}
	return read, anew, nil
}

// Rebuild makes the index anew from the whole log.
func (s *Store) Rebuild(ctx context.Context, log audit.Log) (read int, err error) {
	if err := s.Forget(ctx); err != nil {
		return 0, err
	}
	read, _, err = s.CatchUp(ctx, log)
	return read, err
}

// Follow keeps the index behind the log by at most every, until ctx ends. tell
// hears of each try that failed, and of an index that was made anew.
func (s *Store) Follow(ctx context.Context, log audit.Log, every time.Duration, tell func(anew bool, err error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if _, anew, err := s.CatchUp(ctx, log); (err != nil || anew) && ctx.Err() == nil {
			tell(anew, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// belongs says whether the index was made from this log.
func belongs(ctx context.Context, log audit.Log, size, next uint64, last string) (bool, error) {
	if next == 0 {
		return true, nil
	}
	if size < next {
		return false, nil
	}
	entries, err := log.Read(ctx, next-1, 1)
	if err != nil {
		return false, fmt.Errorf("could not read record %d of the evidence log: %w", next-1, err)
	}
	if len(entries) == 0 {
		return false, nil
	}
	digest, err := canonical.DigestOf(entries[0])
	return digest == last, err
}

// apply writes the records and the new position together, or neither.
func (s *Store) apply(ctx context.Context, from uint64, entries []audit.Entry) error {
	if entries[0].Index != from {
		return fmt.Errorf("could not follow the evidence log: it answers record %d where %d was asked for", entries[0].Index, from)
	}
	last, err := canonical.DigestOf(entries[len(entries)-1])
	if err != nil {
		return err
	}
	begun, late := joined(entries)
	err = s.db.Tx(ctx, func(tx *database.Tx) error {
		result, err := tx.Exec(ctx, "UPDATE audit_position SET next = ?, last = ? WHERE id = 1 AND next = ?", from+uint64(len(entries)), last, from)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, errMoved)
		}
		for part := range slices.Chunk(begun, chunk) {
			if err := s.insert(ctx, tx, part); err != nil {
				return err
			}
		}
		for _, e := range late {
			if err := s.end(ctx, tx, e); err != nil {
				return err
			}
		}
		return s.relate(ctx, tx, begun)
	})
	if err == nil {
		return nil
	}
	s.mu.Lock() // what was noted was not written
	clear(s.scopes)
	clear(s.kin)
	s.mu.Unlock()
	if errors.Is(err, errMoved) {
		return err
	}
	return fmt.Errorf("could not index records from %d on: %w", from, err)
}

// joined makes acts of intents, ends those whose outcome is among the entries,
// and returns the outcomes of earlier ones.
func joined(entries []audit.Entry) (begun []*Act, late []audit.Entry) {
	type key struct {
		source string
		seq    int64
	}
	open := map[key]*Act{}
	for _, e := range entries {
		r := e.Record
		switch {
		case r.Act != nil:
			a := newAct(e)
			k := key{a.Source, a.Sequence}
			if open[k] == nil { // a spool that was sent twice
				open[k] = a
				begun = append(begun, a)
			}
		case r.Outcome != nil:
			if a := open[key{clean(r.Source), r.Intent}]; a != nil {
				a.finish(e)
			} else {
				late = append(late, e)
			}
		}
	}
	return begun, late
}

func newAct(e audit.Entry) *Act {
	r := e.Record
	a := &Act{
		Index: e.Index, Source: clean(r.Source), Sequence: r.Sequence, Time: r.Time.UTC().Truncate(time.Microsecond),
		Act: cleaned(*r.Act), Result: Underway, place: placeOf(r.Time, e.Index),
	}
	a.Namespace = scopeOf(a.Act, SubjectOf(a.Subject))
	a.Approval = approvalOf(a.Act, a.Namespace)
	if a.Class == "" {
		a.Class = audit.ClassSystem
	}
	return a
}

// finish adds the outcome.
func (a *Act) finish(e audit.Entry) {
	number, ended := e.Index, e.Record.Time.UTC().Truncate(time.Microsecond)
	a.OutcomeIndex, a.Ended = &number, &ended
	a.Result, a.Message = e.Record.Outcome.Result, clean(e.Record.Outcome.Message)
	if a.After == "" || e.Record.Outcome.After != "" {
		a.After = clean(e.Record.Outcome.After)
	}
	// The hub chose the rest of a generated name: the outcome says it.
	if made, ok := strings.CutPrefix(a.Message, audit.Made); ok && strings.HasSuffix(a.Subject, "*") {
		a.Subject = made
	}
}

// longest is how many bytes of a text are indexed; the log has all of it.
const longest = 4096

// clean keeps what SQL stores: valid text without zero bytes, of bounded length.
func clean(text string) string {
	if len(text) > longest {
		text = text[:longest]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", "�")
}

// longestKey is how many bytes of a text that has an index of its own are kept.
const longestKey = 512

func cleaned(act audit.Act) audit.Act {
	for _, text := range []*string{&act.Verdict, &act.Reason} {
		*text = clean(*text)
	}
	for _, text := range []*string{
		&act.Verb, &act.Person, &act.Subject, &act.Cluster, &act.Environment, &act.From, &act.Application, &act.Release,
		&act.Approval, &act.Ticket, &act.Before, &act.After, &act.Trace,
	} {
		*text = clean(*text)
		if len(*text) > longestKey {
			*text = strings.ToValidUTF8((*text)[:longestKey], "")
		}
	}
	act.Class = audit.Class(clean(string(act.Class)))
	details := slices.Clone(act.Details)
	for i := range details {
		details[i] = clean(details[i])
	}
	act.Details = details
	return act
}

// mostWords bounds the words of one act.
const mostWords = 4000

// words of an act: everything that somebody may look for.
func (a *Act) words() []string {
	texts := append([]string{
		a.Verb, a.Person, a.Subject, a.Application, a.Cluster, a.Environment, a.From, a.Release, a.Approval, a.Ticket,
		a.Reason, a.Verdict, a.Message, a.Before, a.After,
	}, a.Details...)
	words := wordsOf(strings.Join(texts, " "))
	return words[:min(len(words), mostWords)]
}

// columns in the order of values and of scan.
const columns = `place, number, ended_at, source, seq, began, ended, room, verb, person, subject, kind, namespace, name, scope, cluster,
	environment, origin, class, application, released, approval, verdict, reason, ticket, before_digest, after_digest, details, trace, result, message`

const columnCount = 31

func (a *Act) values() ([]any, error) {
	details := ""
	if len(a.Details) > 0 {
		raw, err := json.Marshal(a.Details)
		if err != nil {
			return nil, err
		}
		details = string(raw)
	}
	endedAt, ended := int64(-1), int64(0)
	if a.OutcomeIndex != nil {
		endedAt, ended = int64(*a.OutcomeIndex), a.Ended.UnixMicro() //nolint:gosec // a log is shorter
	}
	room, _, _ := strings.Cut(a.Verb, ".")
	of := SubjectOf(a.Subject)
	return []any{
		a.place, a.Index, endedAt, a.Source, a.Sequence, a.Time.UnixMicro(), ended, room, a.Verb, a.Person, a.Subject, of.Kind, of.Namespace, of.Name,
		a.Namespace, a.Cluster, a.Environment, a.From, string(a.Class), a.Application, a.Release, a.Approval, a.Verdict, a.Reason, a.Ticket,
		a.Before, a.After, details, a.Trace, string(a.Result), a.Message,
	}, nil
}

// insert writes new acts. One that is there already (a record that came twice)
// stays as it is.
func (s *Store) insert(ctx context.Context, tx *database.Tx, acts []*Act) error {
	width, into := columnCount, columns
	if s.db.Dialect == database.Postgres {
		width, into = width+1, columns+", words"
	}
	one := "(?" + strings.Repeat(",?", width-1) + ")"
	if s.db.Dialect == database.Postgres {
		one = strings.TrimSuffix(one, "?)") + "?::tsvector)"
	}
	args := make([]any, 0, width*len(acts))
	for _, a := range acts {
		values, err := a.values()
		if err != nil {
			return err
		}
		if args = append(args, values...); s.db.Dialect == database.Postgres {
			args = append(args, document(s.db.Dialect, a.words()))
		}
	}
	statement := "INSERT INTO audit_acts (" + into + ") VALUES " + one + strings.Repeat(","+one, len(acts)-1) + " ON CONFLICT DO NOTHING"
	result, err := tx.Exec(ctx, statement, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if int(n) == len(acts) {
		return s.insertWords(ctx, tx, acts)
	}
	if len(acts) == 1 {
		return s.squeeze(ctx, tx, acts[0])
	}
	// Some of them were there: one by one, so that their words fit.
	for i := range acts {
		var number uint64
		err := tx.QueryRow(ctx, "SELECT number FROM audit_acts WHERE place = ?", acts[i].place).Scan(&number)
		if err == nil && number == acts[i].Index {
			err = s.insertWords(ctx, tx, acts[i:i+1])
		} else if err == nil || errors.Is(err, sql.ErrNoRows) {
			err = s.squeeze(ctx, tx, acts[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// squeeze finds a free place for an act whose own is taken by another of the same
// microsecond. A record that was indexed before is left alone.
func (s *Store) squeeze(ctx context.Context, tx *database.Tx, a *Act) error {
	var known int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM audit_acts WHERE source = ? AND seq = ?", a.Source, a.Sequence).Scan(&known); err != nil || known > 0 {
		return err
	}
	var last sql.NullInt64
	err := tx.QueryRow(ctx, "SELECT max(place) FROM audit_acts WHERE place >= ? AND place < ?", a.place, a.place+nearby).Scan(&last)
	if err != nil {
		return err
	}
	if last.Valid {
		a.place = last.Int64 + 1
	}
	return s.insert(ctx, tx, []*Act{a})
}

// nearby is how far an act may be put from its own place: a millisecond.
const nearby = 1000 << tieBits

func (s *Store) insertWords(ctx context.Context, tx *database.Tx, acts []*Act) error {
	if s.db.Dialect == database.Postgres || len(acts) == 0 {
		return nil // they are a column
	}
	args := make([]any, 0, 2*len(acts))
	for _, a := range acts {
		args = append(args, a.place, document(s.db.Dialect, a.words()))
	}
	_, err := tx.Exec(ctx, "INSERT INTO audit_words (rowid, text) VALUES (?, ?)"+strings.Repeat(",(?, ?)", len(acts)-1), args...)
	return err
}

// end adds the outcome of an act that was indexed earlier.
func (s *Store) end(ctx context.Context, tx *database.Tx, e audit.Entry) error {
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM audit_acts WHERE source = ? AND seq = ? AND ended_at < 0", clean(e.Record.Source), e.Record.Intent)
	if err != nil {
		return err
	}
	acts, err := scanAll(rows)
	if err != nil || len(acts) == 0 {
		return err // an outcome that came twice, or whose intent was never seen
	}
	a := &acts[0]
	a.finish(e)
	of := SubjectOf(a.Subject)
	set := "ended_at = ?, ended = ?, result = ?, message = ?, after_digest = ?, subject = ?, name = ?"
	args := []any{*a.OutcomeIndex, a.Ended.UnixMicro(), string(a.Result), a.Message, a.After, a.Subject, of.Name}
	if s.db.Dialect == database.Postgres {
		set, args = set+", words = ?::tsvector", append(args, document(s.db.Dialect, a.words()))
	}
	if _, err := tx.Exec(ctx, "UPDATE audit_acts SET "+set+" WHERE place = ?", append(args, a.place)...); err != nil {
		return err
	}
	if err := s.relate(ctx, tx, []*Act{a}); err != nil {
		return err
	}
	if s.db.Dialect == database.Postgres || (a.Message == "" && e.Record.Outcome.After == "") {
		return nil
	}
	if _, err := tx.Exec(ctx, "DELETE FROM audit_words WHERE rowid = ?", a.place); err != nil {
		return err
	}
	return s.insertWords(ctx, tx, []*Act{a})
}

// relate notes which objects belong together, and whose namespaces there are.
func (s *Store) relate(ctx context.Context, tx *database.Tx, acts []*Act) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kin)+len(s.scopes) > 100_000 {
		clear(s.kin)
		clear(s.scopes)
	}
	for _, a := range acts {
		if !s.scopes[a.Namespace] {
			if _, err := tx.Exec(ctx, "INSERT INTO audit_scopes (scope) VALUES (?) ON CONFLICT DO NOTHING", a.Namespace); err != nil {
				return err
			}
			s.scopes[a.Namespace] = true
		}
		for _, pair := range relations(*a) {
			key := pair[0] + "\x00" + pair[1]
			if s.kin[key] {
				continue
			}
			if _, err := tx.Exec(ctx, "INSERT INTO audit_kin (parent, child) VALUES (?, ?) ON CONFLICT DO NOTHING", pair[0], pair[1]); err != nil {
				return err
			}
			s.kin[key] = true
		}
	}
	return nil
}

// relations of an act: an application has Releases, both have approvals.
func relations(a Act) (pairs [][2]string) {
	of := SubjectOf(a.Subject)
	chain := []string{}
	if a.Application != "" {
		chain = append(chain, "application/"+a.Application)
	}
	switch {
	case a.Release != "":
		chain = append(chain, "release/"+a.Release)
	case of.Kind == "release" && !strings.HasSuffix(of.Name, "*"):
		chain = append(chain, of.Key())
	}
	switch {
	case a.Approval != "":
		chain = append(chain, "approvalrequest/"+a.Approval)
	case of.Kind == "approvalrequest" && !strings.HasSuffix(of.Name, "*"):
		chain = append(chain, of.Key())
	}
	for i := 0; i+1 < len(chain); i++ {
		pairs = append(pairs, [2]string{chain[i], chain[i+1]})
	}
	return pairs
}
