// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package readmodel_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/delivery"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
)

func open(t testing.TB) *readmodel.Store {
	t.Helper()
	s, err := readmodel.Open(context.Background(), filepath.Join(t.TempDir(), "read model.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func instance(namespace, application, component string, number int) delivery.Instance {
	seat := fmt.Sprintf("%s-%d", component, number)
	return delivery.Instance{
		Namespace: namespace, Application: application, Component: component, Seat: seat, IP: fmt.Sprintf("10.0.%d.%d", number/250, number%250),
		DCN: "dcn-east-1", DataCenter: "dc-east", Zone: "business", Rack: "east-a", Host: fmt.Sprintf("east-biz-%d", number%2+1), Pool: "retail-business",
		Revision: application + "-0a1b2c3d4e", State: "Running", Restarts: int32(number % 3), CreatedAt: time.Date(2026, 11, 20, 13, 0, number%60, 0, time.UTC),
		UID: namespace + "/" + application + "/" + seat, Pod: application + "-" + seat, PodNamespace: namespace + "-" + application, Ready: true, Message: "对",
	}
}

func seats(page readmodel.Page) []string {
	var list []string
	for _, i := range page.Instances {
		list = append(list, i.Seat+"@"+i.Cluster)
	}
	return list
}

func list(t *testing.T, s *readmodel.Store, q readmodel.Query) []string {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := s.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return seats(page)
}

func TestStory(t *testing.T) {
	s := open(t)
	var told []string
	s.OnChange(func(c readmodel.Change) { told = append(told, c.Namespace+"/"+c.Application+"/"+c.Seat) })
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Replace(ctx, "east-1", []delivery.Instance{instance("retail-prod", "pay", "account", 2), instance("retail-prod", "pay", "account", 10)}))
	must(s.Upsert(ctx, "west-1", instance("retail-prod", "pay", "ledger", 0)))
	if diff := cmp.Diff([]string{"account-2@east-1", "account-10@east-1", "ledger-0@west-1"}, list(t, s, readmodel.Query{})); diff != "" {
		t.Errorf("seats are ordered by number:\n%s", diff)
	}
	moved := instance("retail-prod", "pay", "account", 2)
	moved.State, moved.Host = "Lost", "east-biz-9"
	must(s.Upsert(ctx, "east-1", moved))
	if diff := cmp.Diff([]string{"account-2@east-1"}, list(t, s, readmodel.Query{Equal: map[string]string{"state": "Lost"}})); diff != "" {
		t.Errorf("an upsert changes the row:\n%s", diff)
	}
	found, ok, err := s.Find(ctx, "retail-prod", "pay", "account-2")
	moved.Cluster = "east-1"
	if diff := cmp.Diff(moved, found); !ok || err != nil || diff != "" {
		t.Errorf("what goes in comes out (%v %v):\n%s", ok, err, diff)
	}
	must(s.Remove(ctx, "east-1", "retail-prod/pay/account-10", "never-there"))
	must(s.Replace(ctx, "west-1", nil))
	if diff := cmp.Diff([]string{"account-2@east-1"}, list(t, s, readmodel.Query{})); diff != "" {
		t.Errorf("what a complete list does not name is gone, in that cluster alone:\n%s", diff)
	}
	if seen, err := s.LastSeen(ctx, "west-1"); err != nil || time.Since(seen) > time.Minute {
		t.Errorf("a cluster that reports nothing was still seen: %v %v", seen, err)
	}
	if seen, err := s.LastSeen(ctx, "north-1"); err != nil || !seen.IsZero() {
		t.Errorf("a cluster that never reported was never seen: %v %v", seen, err)
	}
	must(s.Touch(ctx, "south-1"))
	if names, err := s.Clusters(ctx); err != nil || !slices.Equal(names, []string{"east-1", "south-1", "west-1"}) {
		t.Errorf("clusters that reported or answered: %v %v", names, err)
	}
	must(s.Forget(ctx, "east-1"))
	if got := list(t, s, readmodel.Query{}); got != nil {
		t.Errorf("a cluster that left leaves no rows: %v", got)
	}
	want := []string{"retail-prod/pay/", "retail-prod/pay/ledger-0", "retail-prod/pay/account-2", "retail-prod/pay/account-10", "retail-prod/pay/", "retail-prod/pay/"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("each change is told:\n%s", diff)
	}
}

// Two pods on one seat, while one takes over: the ready one is shown.
func TestFindPrefersWhoAnswers(t *testing.T) {
	s := open(t)
	old, young := instance("retail-prod", "pay", "account", 1), instance("retail-prod", "pay", "account", 1)
	old.UID, old.Ready = "old", false
	young.UID, young.CreatedAt = "young", old.CreatedAt.Add(-time.Hour)
	if err := s.Upsert(t.Context(), "east-1", old, young); err != nil {
		t.Fatal(err)
	}
	if found, ok, err := s.Find(t.Context(), "retail-prod", "pay", "account-1"); err != nil || !ok || found.UID != "young" {
		t.Errorf("want the one that answers, got %v %v %v", found.UID, ok, err)
	}
}

// Pages in any order are the same as a dumb sort of everything.
func TestPagesAgreeWithADumbSort(t *testing.T) {
	s := open(t)
	random := rand.New(rand.NewPCG(1, 2))
	var all []delivery.Instance
	for n := range 300 {
		i := instance([]string{"retail-prod", "cards-sit"}[random.IntN(2)], []string{"pay", "loan"}[random.IntN(2)], []string{"a", "b", "c"}[random.IntN(3)], n)
		i.State = []string{"Running", "NotReady", "Lost"}[random.IntN(3)]
		all = append(all, i)
	}
	if err := s.Replace(t.Context(), "east-1", all); err != nil {
		t.Fatal(err)
	}
	values := map[string]func(delivery.Instance) string{
		"state":     func(i delivery.Instance) string { return i.State },
		"restarts":  func(i delivery.Instance) string { return fmt.Sprintf("%09d", i.Restarts) },
		"createdAt": func(i delivery.Instance) string { return i.CreatedAt.Format(time.RFC3339) },
		"host":      func(i delivery.Instance) string { return i.Host },
		"seat":      func(i delivery.Instance) string { return i.Component + seatKey(i) },
	}
	for field, value := range values {
		for _, down := range []bool{false, true} {
			want := slices.Clone(all)
			slices.SortFunc(want, func(a, b delivery.Instance) int {
				c := strings.Compare(value(a), value(b))
				if down {
					c = -c
				}
				if c == 0 {
					c = strings.Compare(a.Namespace+"\x00"+a.Application+"\x00"+a.Component+"\x00"+seatKey(a), b.Namespace+"\x00"+b.Application+"\x00"+b.Component+"\x00"+seatKey(b))
				}
				return c
			})
			var got []string
			q := readmodel.Query{Sort: []readmodel.Order{{Field: field, Down: down}}, Limit: 7}
			for {
				page, err := s.List(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range page.Instances {
					got = append(got, i.UID)
				}
				if page.Next == nil {
					break
				}
				if len(got)+page.Remaining != len(all) {
					t.Fatalf("%s: %d seen and %d remaining are not %d", field, len(got), page.Remaining, len(all))
				}
				q.After = page.Next
			}
			var wantIDs []string
			for _, i := range want {
				wantIDs = append(wantIDs, i.UID)
			}
			if diff := cmp.Diff(wantIDs, got); diff != "" {
				t.Fatalf("by %s, down %v:\n%s", field, down, diff)
			}
		}
	}
}

func seatKey(i delivery.Instance) string {
	var n int
	_, _ = fmt.Sscanf(i.Seat[strings.LastIndexByte(i.Seat, '-')+1:], "%d", &n)
	return fmt.Sprintf("%09d", n)
}

func TestScopeAndHostileValues(t *testing.T) {
	s := open(t)
	if err := s.Upsert(t.Context(), "east-1", instance("retail-prod", "pay", "a", 1), instance("cards-prod", "pay", "a", 1)); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		query  readmodel.Query
		want   int
		reason string
	}{
		"Nobody":    {readmodel.Query{Namespaces: []string{}}, 0, "who may see no namespace sees nothing"},
		"One":       {readmodel.Query{Namespaces: []string{"cards-prod"}}, 1, "only what may be seen"},
		"All":       {readmodel.Query{}, 2, "nil is everything"},
		"Injection": {readmodel.Query{Equal: map[string]string{"host": "x' OR '1'='1"}}, 0, "values are never part of the statement"},
		"Differ":    {readmodel.Query{Differ: map[string]string{"namespace": "cards-prod"}}, 1, "all but"},
		"Simulated": {readmodel.Query{Equal: map[string]string{"simulated": "false"}}, 2, "words for booleans"},
		"Nonsense":  {readmodel.Query{Equal: map[string]string{"simulated": "maybe"}}, 0, "a word that is none matches nothing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := list(t, s, test.query); len(got) != test.want {
				t.Errorf("%s: want %d, got %v", test.reason, test.want, got)
			}
		})
	}
	for _, q := range []readmodel.Query{{Sort: []readmodel.Order{{Field: "1;DROP TABLE instances"}}}, {Equal: map[string]string{"uid": "x"}}, {After: []any{1}}} {
		q.Limit = 1
		if _, err := s.List(t.Context(), q); err == nil {
			t.Errorf("%v must be refused", q)
		}
	}
}

func TestDamagedFileIsMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "readmodel.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := readmodel.Open(t.Context(), path)
	if err != nil {
		t.Fatalf("what is derived is made anew: %v", err)
	}
	defer s.Close()
	if err := s.Upsert(t.Context(), "east-1", instance("retail-prod", "pay", "a", 1)); err != nil {
		t.Fatal(err)
	}
}

// Rows of a member that is away stay over a restart.
func TestRowsOutliveTheServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "readmodel.db")
	for round := range 2 {
		s, err := readmodel.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			err = s.Upsert(t.Context(), "east-1", instance("retail-prod", "pay", "a", 1))
		} else if got := list(t, s, readmodel.Query{}); len(got) != 1 {
			t.Errorf("want the row of before, got %v", got)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSinkWritesBehind(t *testing.T) {
	s := open(t)
	sink := readmodel.NewSink(s, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	a, b := instance("retail-prod", "pay", "a", 1), instance("retail-prod", "pay", "a", 2)
	sink.Upsert("east-1", a) // before a complete list: the list counts
	sink.Replace("east-1", []delivery.Instance{b})
	late := b
	late.State = "Lost"
	sink.Upsert("east-1", late)
	sink.Upsert("west-1", a)
	sink.Remove("west-1", a.UID)
	go func() { done <- sink.Run(ctx) }()
	sink.Upsert("west-1", b)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	page, err := s.List(t.Context(), readmodel.Query{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a-2@east-1", "a-2@west-1"}, seats(page)); diff != "" || page.Instances[0].State != "Lost" {
		t.Errorf("the last word counts, and nothing is lost at the end (%s):\n%s", page.Instances[0].State, diff)
	}
}

func BenchmarkList50000(b *testing.B) {
	s := open(b)
	var all []delivery.Instance
	for n := range 50000 {
		all = append(all, instance(fmt.Sprintf("t%d-prod", n%50), "pay", "account", n))
	}
	if err := s.Replace(context.Background(), "east-1", all); err != nil {
		b.Fatal(err)
	}
	for _, q := range []struct {
		name  string
		query readmodel.Query
	}{
		{"first", readmodel.Query{Limit: 100}},
		{"sorted", readmodel.Query{Limit: 100, Sort: []readmodel.Order{{Field: "createdAt", Down: true}}}},
		{"filtered", readmodel.Query{Limit: 100, Equal: map[string]string{"namespace": "t7-prod", "state": "Running"}}},
	} {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.List(context.Background(), q.query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
