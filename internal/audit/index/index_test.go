// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package index_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
)

// each runs a test on both engines.
func each(t *testing.T, test func(t *testing.T, open func() *index.Store)) {
	run := func(source func(t *testing.T) string) func(t *testing.T) {
		return func(t *testing.T) {
			at := source(t)
			test(t, func() *index.Store {
				s, err := index.Open(t.Context(), at)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			})
		}
	}
	t.Run("SQLite", run(func(t *testing.T) string { return filepath.Join(t.TempDir(), "index.db") }))
	t.Run("PostgreSQL", run(func(t *testing.T) string { return databasetest.Postgres(t) }))
}

func catchUp(t *testing.T, s *index.Store, log audit.Log) {
	t.Helper()
	if _, _, err := s.CatchUp(t.Context(), log); err != nil {
		t.Fatal(err)
	}
}

func logOf(entries []audit.Entry) *audittest.Log {
	log := audittest.New("server-1", audittest.Clock(monday))
	log.Set(entries)
	return log
}

// numbers of all acts that a question finds, page by page.
func numbers(t *testing.T, s *index.Store, q index.Query) []uint64 {
	t.Helper()
	var all []uint64
	for {
		page, err := s.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Acts {
			all = append(all, a.Index)
		}
		if page.Next == 0 {
			return all
		}
		q.After = page.Next
	}
}

// A release as it is asked for, approved and carried out.
func story() *audittest.Log {
	log := audittest.New("server-1", audittest.Clock(monday))
	done := audit.Outcome{Result: audit.Done}
	log.Act(audit.Act{Verb: "identity.login", Person: "p-dev", Subject: "Person/p-dev", Class: audit.ClassLogin, From: "10.1.2.3"}, done)
	log.Act(audit.Act{Verb: "app.apply", Person: "p-dev", Subject: "Application/retail-prod/mobile-bank", Environment: "prod", After: "sha256:aa"}, done)
	log.Act(audit.Act{Verb: "release.create", Person: "p-op", Subject: "Release/retail-prod/mobile-bank-*", Application: "retail-prod/mobile-bank",
		Environment: "prod", Reason: "账户服务 2.1 上线", Ticket: "CHG-7", Class: audit.ClassChange, Trace: "t1"},
		audit.Outcome{Result: audit.Done, Message: "made Release/retail-prod/mobile-bank-x7k2p"})
	log.Act(audit.Act{Verb: "approval.decide", Person: "p-biz", Subject: "Decision/retail-prod/req-1-biz", Release: "retail-prod/mobile-bank-x7k2p",
		Approval: "req-1", Class: audit.ClassApproval}, done)
	log.Act(audit.Act{Verb: "approval.decide", Person: "p-op", Subject: "Decision/retail-prod/req-1-op", Approval: "retail-prod/req-1", Class: audit.ClassApproval},
		audit.Outcome{Result: audit.Refused, Message: "the maker is not the checker"})
	log.Act(audit.Act{Verb: "delivery.step", Person: "p-op", Subject: "Delivery/fairway-cluster-east-1/retail-prod-mobile-bank", Cluster: "east-1",
		Application: "retail-prod/mobile-bank", Release: "retail-prod/mobile-bank-x7k2p", Approval: "req-1", Details: []string{"apply Deployment account"}}, done)
	log.Act(audit.Act{Verb: "app.apply", Person: "p-dev", Subject: "Application/retail-prod/mobile-bank-two", Environment: "prod"}, done)
	log.Act(audit.Act{Verb: "server.hub", Person: "p-adm", Subject: "PATCH /apis/release.fairway.cloud/v1alpha1/namespaces/retail-prod/releases/mobile-bank-x7k2p"}, done)
	if _, err := log.Intent(context.Background(), audit.Act{Verb: "fleet.join", Person: "p-adm", Subject: "Cluster/east-2"}); err != nil {
		panic(err)
	}
	return log
}

func TestActsAreFoundByWhatIsKnownOfThem(t *testing.T) {
	each(t, func(t *testing.T, open func() *index.Store) {
		s := open()
		catchUp(t, s, story())
		tests := map[string]struct {
			query  index.Query
			want   []uint64
			reason string
		}{
			"Everything":      {index.Query{}, []uint64{16, 14, 12, 10, 8, 6, 4, 2, 0}, "newest first"},
			"Oldest":          {index.Query{Oldest: true}, []uint64{0, 2, 4, 6, 8, 10, 12, 14, 16}, "or oldest first"},
			"Person":          {index.Query{Equal: map[string]string{"person": "p-op"}}, []uint64{10, 8, 4}, ""},
			"Verb":            {index.Query{Equal: map[string]string{"verb": "app.apply"}}, []uint64{12, 2}, ""},
			"Room":            {index.Query{Equal: map[string]string{"room": "approval"}}, []uint64{8, 6}, ""},
			"Kind":            {index.Query{Equal: map[string]string{"kind": "release"}}, []uint64{14, 4}, "a path of the hub names its kind too"},
			"Name":            {index.Query{Equal: map[string]string{"name": "mobile-bank"}}, []uint64{2}, ""},
			"GeneratedName":   {index.Query{Equal: map[string]string{"name": "mobile-bank-x7k2p"}}, []uint64{14, 4}, "the outcome said the whole name"},
			"Namespace":       {index.Query{Equal: map[string]string{"namespace": "retail-prod"}}, []uint64{14, 12, 10, 8, 6, 4, 2}, "a delivery belongs to its application's namespace"},
			"Cluster":         {index.Query{Equal: map[string]string{"cluster": "east-1"}}, []uint64{10}, ""},
			"Environment":     {index.Query{Equal: map[string]string{"environment": "prod"}}, []uint64{12, 4, 2}, ""},
			"Address":         {index.Query{Equal: map[string]string{"address": "10.1.2.3"}}, []uint64{0}, ""},
			"Ticket":          {index.Query{Equal: map[string]string{"ticket": "CHG-7"}}, []uint64{4}, ""},
			"Release":         {index.Query{Equal: map[string]string{"release": "retail-prod/mobile-bank-x7k2p"}}, []uint64{10, 6}, ""},
			"Approval":        {index.Query{Equal: map[string]string{"approval": "retail-prod/req-1"}}, []uint64{10, 8, 6}, "with or without its namespace in the record"},
			"Result":          {index.Query{Equal: map[string]string{"result": "Refused"}}, []uint64{8}, ""},
			"Underway":        {index.Query{Equal: map[string]string{"result": "Open"}}, []uint64{16}, "an intent without its outcome shows"},
			"Class":           {index.Query{Equal: map[string]string{"class": "system"}}, []uint64{16, 14, 12, 10, 2}, "what names no class is of the system"},
			"Trace":           {index.Query{Equal: map[string]string{"trace": "t1"}}, []uint64{4}, ""},
			"Both":            {index.Query{Equal: map[string]string{"person": "p-op", "room": "delivery"}}, []uint64{10}, "all of them must fit"},
			"Text":            {index.Query{Text: "deployment"}, []uint64{10}, "in small letters too"},
			"Beginning":       {index.Query{Text: "deploy acc"}, []uint64{10}, "words may go on"},
			"Chinese":         {index.Query{Text: "服务"}, []uint64{4}, "two characters in the middle of a sentence"},
			"ChineseOne":      {index.Query{Text: "线"}, []uint64{4}, "one character, at the end"},
			"ChineseMixed":    {index.Query{Text: "上线 chg-7"}, []uint64{4}, ""},
			"ChineseReversed": {index.Query{Text: "务服"}, nil, "the order counts"},
			"Message":         {index.Query{Text: "maker checker"}, []uint64{8}, "what the outcome said"},
			"Row":             {index.Query{Text: "bank-mobile"}, nil, "words joined by a dash stand in that order"},
			"NameInText":      {index.Query{Text: "mobile-bank-x7"}, []uint64{14, 10, 6, 4}, ""},
			"TextAndField":    {index.Query{Text: "mobile", Equal: map[string]string{"ticket": "CHG-7"}}, []uint64{4}, ""},
			"Nothing":         {index.Query{Text: "-- '\" %"}, nil, "signs alone find nothing"},
			"Quotes":          {index.Query{Text: `x" OR 1=1 --`}, nil, "no text becomes a statement"},
			"Days":            {index.Query{From: monday.Add(4 * time.Second), To: monday.Add(9 * time.Second)}, []uint64{6, 4}, "from is included, to is not"},
			"Scopes":          {index.Query{Scopes: []string{"retail-prod", "other"}}, []uint64{14, 12, 10, 8, 6, 4, 2}, ""},
			"NoScopes":        {index.Query{Scopes: []string{}}, nil, "who may read nothing finds nothing"},
			"ForeignScope":    {index.Query{Scopes: []string{"other"}, Equal: map[string]string{"namespace": "retail-prod"}}, nil, "asking by name opens nothing"},
			"ForeignTicket":   {index.Query{Scopes: []string{"other"}, Equal: map[string]string{"ticket": "CHG-7"}}, nil, ""},
			"ForeignText":     {index.Query{Scopes: []string{"other"}, Text: "deployment"}, nil, ""},
		}
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				for _, limit := range []int{1, 2, 100} {
					test.query.Limit = limit
					if diff := cmp.Diff(test.want, numbers(t, s, test.query)); diff != "" {
						t.Errorf("%s: pages of %d (-want +got):\n%s", test.reason, limit, diff)
					}
				}
			})
		}
		if _, err := s.Search(t.Context(), index.Query{Limit: 1, Equal: map[string]string{"colour": "red"}}); err == nil || !strings.Contains(err.Error(), "there are trace, ticket") {
			t.Errorf("an unknown field names those there are: %v", err)
		}
	})
}

func TestAnActHasEverythingThatItsTwoRecordsSay(t *testing.T) {
	each(t, func(t *testing.T, open func() *index.Store) {
		s := open()
		log := story()
		catchUp(t, s, log)
		for _, number := range []uint64{4, 5} { // by its intent and by its outcome
			got, ok, err := s.Get(t.Context(), number)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			want := *log.Entries()[4].Record.Act
			want.Subject = "Release/retail-prod/mobile-bank-x7k2p"
			if diff := cmp.Diff(want, got.Act); diff != "" {
				t.Errorf("record %d (-want +got):\n%s", number, diff)
			}
			if got.Result != audit.Done || got.OutcomeIndex == nil || *got.OutcomeIndex != 5 || !got.Ended.Equal(log.Entries()[5].Record.Time) || got.Namespace != "retail-prod" {
				t.Errorf("%+v", got)
			}
		}
		if _, ok, err := s.Get(t.Context(), 4711); ok || err != nil {
			t.Errorf("what is not there is not found: %v %v", ok, err)
		}
	})
}

func TestHistoryTellsTheWholeStory(t *testing.T) {
	each(t, func(t *testing.T, open func() *index.Store) {
		s := open()
		catchUp(t, s, story())
		tests := map[string]struct {
			history index.History
			want    []uint64
		}{
			"Application": {index.History{Subject: index.Subject{Kind: "application", Namespace: "retail-prod", Name: "mobile-bank"}}, []uint64{2, 4, 6, 8, 10, 14}},
			"Release":     {index.History{Subject: index.Subject{Kind: "release", Namespace: "retail-prod", Name: "mobile-bank-x7k2p"}}, []uint64{4, 6, 8, 10, 14}},
			"Approval":    {index.History{Subject: index.Subject{Kind: "approvalrequest", Namespace: "retail-prod", Name: "req-1"}}, []uint64{6, 8, 10}},
			"Cluster":     {index.History{Subject: index.Subject{Kind: "cluster", Name: "east-1"}}, []uint64{10}},
			"Person":      {index.History{Subject: index.Subject{Kind: "person", Name: "p-op"}}, []uint64{4, 8, 10}},
			"Kin": {index.History{Subject: index.Subject{Kind: "application", Namespace: "retail-prod", Name: "mobile-bank-two"},
				Kin: []index.Subject{{Kind: "cluster", Name: "east-2"}}}, []uint64{12, 16}},
			"Foreign": {index.History{Subject: index.Subject{Kind: "application", Namespace: "retail-prod", Name: "mobile-bank"}, Scopes: []string{"other"}}, nil},
			"Nobody":  {index.History{Subject: index.Subject{Kind: "application", Namespace: "retail-prod", Name: "mobile-bank"}, Scopes: []string{}}, nil},
		}
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				for _, limit := range []int{1, 100} {
					h, got := test.history, []uint64(nil)
					for h.Limit = limit; ; {
						page, err := s.History(t.Context(), h)
						if err != nil {
							t.Fatal(err)
						}
						for _, a := range page.Acts {
							got = append(got, a.Index)
						}
						if h.After = page.Next; page.Next == 0 {
							break
						}
					}
					if diff := cmp.Diff(test.want, got); diff != "" {
						t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
					}
				}
			})
		}
	})
}

// A dumb search over all acts must find the same as the index.
func TestTheIndexFindsWhatADumbSearchFinds(t *testing.T) {
	each(t, func(t *testing.T, open func() *index.Store) {
		entries := bank{seed: 7, acts: 3000, applications: 5, people: 12}.records()
		s := open()
		catchUp(t, s, logOf(entries))
		acts := dumb(entries)
		chance := rand.New(rand.NewPCG(3, 4))
		texts := []string{"", "", "", "网点", "stuck thread", "上线 app-1", "deploy 409", "req-1", "扩", "nothing", "sha256", "10.1"}
		for i := range 250 {
			q := index.Query{Equal: map[string]string{}, Limit: 1 + chance.IntN(90), Oldest: chance.IntN(2) == 0, Text: pick(chance, texts)}
			like := acts[chance.IntN(len(acts))]
			for _, name := range index.Fields() {
				if v := like.value(name); v != "" && chance.IntN(6) == 0 {
					q.Equal[name] = v
				}
			}
			if chance.IntN(3) == 0 {
				q.Scopes = []string{pick(chance, tenants) + "-prod", like.value("namespace")}
			}
			if chance.IntN(3) == 0 {
				q.From = monday.Add(time.Duration(chance.IntN(3000)) * time.Second)
				q.To = q.From.Add(time.Duration(chance.IntN(2000)) * time.Second)
			}
			var want []uint64
			for _, a := range acts {
				if a.fits(q) {
					want = append(want, a.number)
				}
			}
			if !q.Oldest {
				slices.Reverse(want)
			}
			if diff := cmp.Diff(want, numbers(t, s, q)); diff != "" {
				t.Fatalf("question %d, %+v (-want +got):\n%s", i, q, diff)
			}
		}
	})
}

func TestReadingGoesOnWhereItStopped(t *testing.T) {
	each(t, func(t *testing.T, open func() *index.Store) {
		entries := bank{seed: 9, acts: 4000, applications: 3, people: 5}.records()
		log := logOf(nil)
		chance := rand.New(rand.NewPCG(5, 6))
		// The process ends at any moment: the context ends, and another one opens the index.
		for size := 0; size < len(entries); {
			size = min(len(entries), size+chance.IntN(1500))
			log.Set(entries[:size])
			ctx, kill := context.WithTimeout(t.Context(), time.Duration(chance.IntN(60))*time.Millisecond)
			s := open()
			_, _, err := s.CatchUp(ctx, log)
			_ = s.Close()
			kill()
			if err != nil && ctx.Err() == nil {
				t.Fatal(err)
			}
		}
		s := open()
		catchUp(t, s, log)
		want, got := dumb(entries), []uint64(nil)
		got = numbers(t, s, index.Query{Limit: 500, Oldest: true})
		if len(got) != len(want) {
			t.Fatalf("want %d acts, got %d", len(want), len(got))
		}
		for _, a := range want {
			found, ok, err := s.Get(t.Context(), a.number)
			if err != nil || !ok || string(found.Result) != a.value("result") || found.Message != a.message {
				t.Fatalf("act %d: want %s %q, got %+v %v", a.number, a.value("result"), a.message, found, err)
			}
		}
		if covers, err := s.Covers(t.Context()); err != nil || covers != uint64(len(entries)) {
			t.Errorf("covers %d of %d: %v", covers, len(entries), err)
		}
	})
}

func TestAnIndexOfAnotherLogIsMadeAnew(t *testing.T) {
	each(t, func(t *testing.T, open func() *index.Store) {
		s, log := open(), story()
		catchUp(t, s, log)
		other := bank{seed: 2, acts: 40, applications: 2, people: 2}.records()
		for name, entries := range map[string][]audit.Entry{"Shorter": log.Entries()[:4], "Other": other} {
			log.Set(entries)
			if _, anew, err := s.CatchUp(t.Context(), log); err != nil || !anew {
				t.Fatalf("%s: must be made anew: %v %v", name, anew, err)
			}
			if got, want := len(numbers(t, s, index.Query{Limit: 100})), len(dumb(entries)); got != want {
				t.Errorf("%s: want %d acts, got %d", name, want, got)
			}
		}
		if read, err := s.Rebuild(t.Context(), log); err != nil || read == 0 {
			t.Errorf("rebuilding reads the whole log: %d %v", read, err)
		}
		if _, anew, err := s.CatchUp(t.Context(), log); err != nil || anew {
			t.Errorf("nothing is new then: %v %v", anew, err)
		}
	})
}

func TestADamagedIndexIsThrownAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := index.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	catchUp(t, s, story())
	if got := numbers(t, s, index.Query{Limit: 100}); len(got) != 9 {
		t.Errorf("got %v", got)
	}
}

func TestHostileRecordsAreFoundToo(t *testing.T) {
	each(t, func(t *testing.T, open func() *index.Store) {
		s, log := open(), audittest.New("s", func() time.Time { return monday }) // all at the same moment
		long := strings.Repeat("长", 5000)
		for i, text := range []string{"a\x00b", "\xff\xfe", "'; DROP TABLE audit_acts; --", long, strings.Repeat("x", 9000), "\u202etxt.exe", "", "////", "a b c"} {
			log.Act(audit.Act{
				Verb: text, Person: text, Subject: text, Application: text, Release: text, Approval: text, Reason: text, Ticket: text, Trace: text, Details: []string{text, text},
			}, audit.Outcome{Result: audit.Result("Done"), Message: fmt.Sprint(i, text)})
		}
		for range 2500 {
			log.Act(audit.Act{Verb: "v", Person: "p", Subject: "Cluster/c"}, audit.Outcome{Result: audit.Done})
		}
		entries := log.Entries()
		twice := append(slices.Clone(entries), audit.Entry{Index: uint64(len(entries)), Record: entries[0].Record}) // a spool that came twice
		log.Set(twice)
		catchUp(t, s, log)
		if got := numbers(t, s, index.Query{Limit: 1000}); len(got) != 2509 {
			t.Errorf("got %d acts", len(got))
		}
		if got := numbers(t, s, index.Query{Limit: 10, Text: "drop"}); !cmp.Equal(got, []uint64{4}) {
			t.Errorf("got %v", got)
		}
	})
}

// broken fails after a while.
type broken struct {
	*audittest.Log
	after int
}

func (b *broken) Read(ctx context.Context, from uint64, limit int) ([]audit.Entry, error) {
	if b.after--; b.after < 0 {
		return nil, errors.New("the disk is slow")
	}
	return b.Log.Read(ctx, from, limit)
}

func TestFollowingGoesOnAfterAFailure(t *testing.T) {
	s, err := index.Open(t.Context(), filepath.Join(t.TempDir(), "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	log := &broken{Log: story(), after: 0}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := make(chan error, 100)
	ended := make(chan error)
	go func() {
		ended <- s.Follow(ctx, log, time.Millisecond, func(_ bool, err error) {
			log.after = 1000
			heard <- err
		})
	}()
	if err := <-heard; err == nil || !strings.Contains(err.Error(), "could not read the evidence log") {
		t.Errorf("a failure is told: %v", err)
	}
	for covers := uint64(0); covers < 17; {
		if covers, err = s.Covers(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ends without an error: %v", err)
	}
}
