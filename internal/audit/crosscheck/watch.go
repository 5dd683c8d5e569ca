// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/index"
)

// Index finds acts. index.Store implements it.
type Index interface {
	Search(ctx context.Context, q index.Query) (index.Page, error)
	Covers(ctx context.Context) (uint64, error)
}

// Cluster is a member of the fleet, as the Watch needs it.
type Cluster struct {
	// Name of the Cluster.
	Name string
	// Ours says whether a namespace there is one that Fairway made.
	Ours func(namespace string) bool
}

// Watch reads the audit logs of the hub and of the members all the time and
// compares them with evidence. It runs on the leader only.
type Watch struct {
	// Folder holds a folder for each cluster, named as the Cluster, and "hub" for the
	// hub. In it lie the files of that API server's audit log, rotated ones too. Empty:
	// no log is read, and every cluster is unaudited.
	Folder string
	// State is the file that keeps how far the logs were compared.
	State string
	// Index and Log are those of evidence.
	Index Index
	Log   audit.Log
	// Recorder keeps a record of what nobody accounts for.
	Recorder audit.Recorder
	// Clusters lists the members of the fleet.
	Clusters func(ctx context.Context) ([]Cluster, error)
	// Known are accounts as in Rules.
	Known []string
	// Mark leaves a mark in a cluster's log (see MarkName). It costs a request and
	// changes nothing. Default: none is left, and every log is stale.
	Mark func(ctx context.Context, cluster string) error
	// Tell hears of each write that nobody accounts for, once its record is durable.
	// Default: nobody does.
	Tell func(cluster string, w Write)
	// Logger for what went wrong.
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Every is how often the logs are looked at. Default: 2 s.
	Every time.Duration
	// Settle is how long a write waits for its record to reach the index. Default: 10 s.
	Settle time.Duration
	// Patience is how long a mark may take to arrive; a third of it lies between marks.
	// Default: 15 min.
	Patience time.Duration

	mu       sync.Mutex
	changed  []func(cluster string)
	statuses map[string]Status
	known    map[string]*kept
	marked   map[string]time.Time // when the next mark is left
}

// Run compares until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	if err := w.open(); err != nil {
		return err
	}
	ticker := time.NewTicker(w.Every)
	defer ticker.Stop()
	for {
		if err := w.Round(ctx); err != nil && ctx.Err() == nil {
			w.Logger.Error("audit logs could not be compared with evidence; it is tried again", "cause", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (w *Watch) open() (err error) {
	w.Every, w.Settle, w.Patience = cmp.Or(w.Every, 2*time.Second), cmp.Or(w.Settle, 10*time.Second), cmp.Or(w.Patience, 15*time.Minute)
	if w.Now == nil {
		w.Now = time.Now
	}
	w.marked = map[string]time.Time{}
	w.known, err = load(w.State)
	return err
}

// Round reads what is new, compares what has settled and leaves marks, once.
func (w *Watch) Round(ctx context.Context) error {
	if w.known == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	members, err := w.Clusters(ctx)
	if err != nil {
		return fmt.Errorf("could not list the clusters whose audit logs are compared: %w", err)
	}
	all := map[string]Rules{HubName: {Hub: true}}
	for _, m := range members {
		if m.Name != HubName { // its folder is the hub's
			all[m.Name] = Rules{Ours: m.Ours, Known: w.Known}
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		errs = append(errs, w.cluster(ctx, name, all[name]))
	}
	maps.DeleteFunc(w.known, func(name string, _ *kept) bool { _, there := all[name]; return !there })
	if w.Folder != "" {
		errs = append(errs, save(w.State, w.known))
	}
	w.drop(all)
	return errors.Join(errs...)
}

// cluster reads and compares one log.
func (w *Watch) cluster(ctx context.Context, name string, rules Rules) error {
	if w.Folder == "" {
		w.set(statusOf(name, nil, 0, "", w.Now(), w.Patience))
		return nil
	}
	k := w.known[name]
	if k == nil {
		k = &kept{Since: w.Now()}
		w.known[name] = k
	}
	folder := filepath.Join(w.Folder, name)
	p, err := w.read(folder, rules, k)
	if err == nil {
		err = w.compare(ctx, name, rules, k)
	}
	w.leaveMark(ctx, name, p.files)
	k.forget(w.Now())
	w.set(statusOf(name, k, p.files, folder, w.Now(), w.Patience))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// mostPending is how many writes wait to be compared before reading stops.
const mostPending = 20_000

func (w *Watch) read(folder string, rules Rules, k *kept) (progress, error) {
	if len(k.Pending) >= mostPending {
		return progress{files: 1}, nil
	}
	now := w.Now()
	f := &follower{dir: folder, now: now, positions: k.Positions}
	p, err := f.read(func(line []byte) error {
		noted, err := rules.Read(line)
		if err != nil {
			return err
		}
		if noted.Time.After(k.Newest) {
			k.Newest = noted.Time
		}
		if noted.Mark && noted.Time.After(k.Marked) {
			k.Marked = noted.Time
		}
		if noted.Write != nil && !noted.Time.Before(k.Since) {
			k.Pending = append(k.Pending, pending{*noted.Write, now})
		}
		return nil
	})
	k.Positions = f.positions
	for _, text := range p.problems {
		w.Logger.Error("a part of an audit log cannot be read", "folder", folder, "cause", text)
		k.Problems = append(k.Problems, Problem{now, text})
	}
	return p, err
}

// leaveMark has the API server note something of ours now and then, where there is
// a log to note it in.
func (w *Watch) leaveMark(ctx context.Context, cluster string, files int) {
	if w.Mark == nil || files == 0 || w.Now().Before(w.marked[cluster]) {
		return
	}
	w.marked[cluster] = w.Now().Add(w.Patience / 3)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := w.Mark(ctx, cluster); err != nil {
		// A cluster that is not connected yet is asked again soon.
		w.marked[cluster] = w.Now().Add(w.Patience / 90)
		w.Logger.Debug("no mark could be left in the audit log of a cluster", "cluster", cluster, "cause", err.Error())
	}
}

// compare judges the writes that have settled, and those found before: the record
// of the way back may come late.
func (w *Watch) compare(ctx context.Context, cluster string, rules Rules, k *kept) error {
	now := w.Now()
	n := 0
	for n < len(k.Pending) && now.Sub(k.Pending[n].Read) >= w.Settle {
		n++
	}
	if n == 0 && len(k.Found) == 0 {
		return nil
	}
	if current, err := w.current(ctx); err != nil || !current {
		return err
	}
	var settled, found []Write
	for _, p := range k.Pending[:n] {
		settled = append(settled, p.Write)
	}
	for _, f := range k.Found {
		found = append(found, f.Write)
	}
	if err := w.late(ctx, cluster, rules, k, found); err != nil {
		return err
	}
	missing, err := w.missing(ctx, cluster, rules, settled)
	if err != nil {
		return err
	}
	if err := w.record(ctx, cluster, missing); err != nil {
		return err
	}
	for _, one := range missing {
		k.Found = append(k.Found, Found{one, now})
		if w.Tell != nil {
			w.Tell(cluster, one)
		}
	}
	k.Total += len(missing)
	k.Compared += n
	k.Pending = slices.Delete(k.Pending, 0, n)
	return nil
}

// current says whether the index has read all of the log.
func (w *Watch) current(ctx context.Context) (bool, error) {
	size, err := w.Log.Size(ctx)
	if err != nil {
		return false, err
	}
	covers, err := w.Index.Covers(ctx)
	return covers >= size, err
}

// late forgets what a record accounts for by now, and records that.
func (w *Watch) late(ctx context.Context, cluster string, rules Rules, k *kept, found []Write) error {
	still, err := w.missing(ctx, cluster, rules, found)
	if err != nil || len(still) == len(found) {
		return err
	}
	events := map[string]bool{}
	for _, one := range still {
		events[one.Audit] = true
	}
	var late []Write
	for _, one := range found {
		if !events[one.Audit] {
			late = append(late, one)
		}
	}
	for _, one := range late {
		act := actOf(VerbLate, cluster, one)
		act.Details = append(act.Details, "its record came late: it was kept elsewhere while the log was away")
		if err := w.keep(ctx, act); err != nil {
			return err
		}
	}
	k.Found = slices.DeleteFunc(k.Found, func(f Found) bool { return !events[f.Audit] })
	return nil
}

// missing returns the writes that no act accounts for.
func (w *Watch) missing(ctx context.Context, cluster string, rules Rules, all []Write) ([]Write, error) {
	if len(all) == 0 {
		return nil, nil
	}
	var acts []index.Act
	for _, some := range windows(all) {
		q := index.Query{From: some.from, To: some.to.Add(time.Microsecond), Oldest: true, Limit: 1000}
		if !rules.Hub {
			q.Equal = map[string]string{"cluster": cluster}
		}
		for {
			page, err := w.Index.Search(ctx, q)
			if err != nil {
				return nil, err
			}
			acts = append(acts, page.Acts...)
			if q.After = page.Next; q.After == 0 {
				break
			}
		}
	}
	if rules.Hub {
		return Unaccounted(all, acts), nil
	}
	return UnaccountedIn(cluster, all, acts), nil
}

type window struct{ from, to time.Time }

// windows are the times in which acts can account for writes, apart where the
// writes are far apart.
func windows(all []Write) []window {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Write) int { return a.Time.Compare(b.Time) })
	var out []window
	for _, one := range all {
		from, to := Window([]Write{one})
		if len(out) > 0 && !from.After(out[len(out)-1].to) {
			out[len(out)-1].to = to
			continue
		}
		out = append(out, window{from, to})
	}
	return out
}

// mostRecords bounds how many writes of one round have records of their own.
const mostRecords = 100

// record makes what was found durable: one record for each write, and one for all
// that are too many.
func (w *Watch) record(ctx context.Context, cluster string, missing []Write) error {
	for i, one := range missing {
		act := actOf(VerbUnaccounted, cluster, one)
		if more := len(missing) - mostRecords; i == mostRecords {
			act.Details = append(act.Details, fmt.Sprintf("and %d more writes at the same time, named in the audit log alone", more-1))
		}
		if err := w.keep(ctx, act); err != nil {
			return err
		}
		if i == mostRecords {
			return nil
		}
	}
	return nil
}

func (w *Watch) keep(ctx context.Context, act audit.Act) error {
	return audit.Do(ctx, w.Recorder, audit.FailClosed, act, func(context.Context) error { return nil })
}

// actOf is the act that says what was found: by whoever wrote, on what he wrote.
func actOf(verb, cluster string, one Write) audit.Act {
	act := audit.Act{
		Verb: verb, Person: one.Person, Subject: one.Subject.Kind + "/" + one.Subject.Namespace + "/" + one.Subject.Name,
		From: "the audit log of " + cluster, Class: audit.ClassCrosscheck,
		Details: []string{one.String()},
	}
	if cluster != HubName {
		act.Cluster = cluster
	}
	if one.Foreign != "" {
		act.Details = append(act.Details, one.Foreign)
	}
	if one.Subject.Namespace == "" {
		act.Subject = one.Subject.Kind + "/" + one.Subject.Name
	}
	return act
}

// Status tells how the comparison with a cluster's log stands; the hub is "hub".
func (w *Watch) Status(cluster string) (Status, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.statuses[cluster]
	return s, ok
}

// Statuses tells of all, the hub first.
func (w *Watch) Statuses() []Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Collect(maps.Values(w.statuses))
	slices.SortFunc(all, func(a, b Status) int {
		if (a.Cluster == HubName) != (b.Cluster == HubName) {
			if a.Cluster == HubName {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Cluster, b.Cluster)
	})
	return all
}

func (w *Watch) set(s Status) {
	w.mu.Lock()
	if w.statuses == nil {
		w.statuses = map[string]Status{}
	}
	before, known := w.statuses[s.Cluster]
	w.statuses[s.Cluster] = s
	changed := slices.Clone(w.changed)
	w.mu.Unlock()
	if known && before.State == s.State && before.Message == s.Message {
		return
	}
	for _, tell := range changed {
		tell(s.Cluster)
	}
}

// OnChange has tell called with a cluster's name when its Status is another one.
// tell returns at once.
func (w *Watch) OnChange(tell func(cluster string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed = append(w.changed, tell)
}

func (w *Watch) drop(there map[string]Rules) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.statuses, func(name string, _ Status) bool { _, ok := there[name]; return !ok })
}
