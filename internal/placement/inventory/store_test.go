// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/placement/inventory"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/database/databasetest"
)

func store(t testing.TB) *inventory.Store {
	t.Helper()
	db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "fairway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s, err := inventory.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keep makes an application of a namespace have n seats, with texts as long as they come.
func keep(t testing.TB, s *inventory.Store, namespace, name string, n int32, minutes int) int {
	t.Helper()
	p := placed("p", minutes, "")
	p.Name, p.Spec.Application, p.Spec.Revision = name+"-0123456789", name, name+"-abcdef0123"
	p.Spec.Assignments = p.Spec.Assignments[:1]
	p.Spec.Assignments[0].Cell = placementv1.Cell{Cluster: "east-1-" + strings.Repeat("x", 20), Pool: "retail-" + strings.Repeat("y", 30), Zone: "business", Rack: "rack-" + strings.Repeat("z", 20), DCN: "dcn-east"}
	for i := range n {
		p.Spec.Assignments[0].Seats = append(p.Spec.Assignments[0].Seats, i)
	}
	seen := inventory.Seen{Namespace: namespace, Name: name, Application: application(), Placements: []placementv1.Placement{p}}
	var err error
	if seen.Before, err = s.Of(t.Context(), namespace, name); err != nil {
		t.Fatal(err)
	}
	changed, err := s.Apply(t.Context(), namespace, name, inventory.Truth(seen, now), now)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// Pages are bounded in bytes whatever is asked for, follow each other without a gap, and
// show a reader nothing that is not his.
func TestPages(t *testing.T) {
	s := store(t)
	for i := range 4 {
		keep(t, s, fmt.Sprintf("t%d-prod", i%2), fmt.Sprintf("app-%d", i), 400, 1)
	}
	for name, c := range map[string]struct {
		namespaces []string
		limit      int
		want       int
	}{"all": {nil, 500, 1600}, "one": {[]string{"t1-prod"}, 33, 800}, "none": {[]string{}, 100, 0}} {
		t.Run(name, func(t *testing.T) {
			q, seen := inventory.Query{Namespaces: c.namespaces, Limit: c.limit}, map[inventory.Position]bool{}
			var order []string
			for {
				found, more, err := s.List(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				raw, _ := json.Marshal(found)
				if len(raw) > 200<<10 || len(found) > c.limit {
					t.Fatalf("a page of %d instances has %d bytes", len(found), len(raw))
				}
				for _, i := range found {
					if c.namespaces != nil && !slices.Contains(c.namespaces, i.Namespace) {
						t.Fatalf("%s is shown", i.Namespace)
					}
					seen[i.Position()], q.After = true, i.Position()
					order = append(order, fmt.Sprintf("%s/%s/%05d", i.Namespace, i.Application, i.Position().Number))
				}
				if !more {
					break
				}
			}
			if len(seen) != c.want || !slices.IsSorted(order) {
				t.Errorf("want %d in order, got %d", c.want, len(seen))
			}
			changes, since := 0, int64(0)
			for {
				found, more, err := s.Changes(t.Context(), inventory.Query{Namespaces: c.namespaces, Limit: c.limit}, since)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range found {
					if i.Sequence <= since {
						t.Fatalf("number %d comes after %d", i.Sequence, since)
					}
					since = i.Sequence
				}
				if changes += len(found); !more {
					break
				}
			}
			if changes != c.want {
				t.Errorf("want %d changes, got %d", c.want, changes)
			}
		})
	}
}

// Each change has one number, what stays has none, and what is gone stays in the list of
// changes.
func TestSequence(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, connect func() *database.DB) {
		s, err := inventory.Open(t.Context(), connect())
		if err != nil {
			t.Fatal(err)
		}
		sequence(t, s)
	})
}

func sequence(t *testing.T, s *inventory.Store) {
	t.Helper()
	if n := keep(t, s, "t-prod", "pay", 3, 9); n != 3 {
		t.Fatalf("three came, and %d changed", n)
	}
	if n := keep(t, s, "t-prod", "pay", 3, 9); n != 0 {
		t.Fatalf("nothing changed, and %d did", n)
	}
	if n := keep(t, s, "t-prod", "pay", 2, 8); n != 1 {
		t.Fatalf("one went, and %d changed", n)
	}
	head, err := s.Head(t.Context())
	if err != nil || head != 4 {
		t.Fatalf("four changes, and the sequence is at %d: %v", head, err)
	}
	found, _, err := s.Changes(t.Context(), inventory.Query{Limit: 10}, 3)
	if err != nil || len(found) != 1 || found[0].State != inventory.Gone || found[0].Seat != "web-2" || found[0].Sequence != 4 {
		t.Errorf("want web-2 gone as number 4, got %+v %v", found, err)
	}
	again := keep(t, s, "t-prod", "pay", 3, 7)
	of, err := s.Of(t.Context(), "t-prod", "pay")
	if err != nil || again != 1 || len(of) != 3 || of[2].State != inventory.Reserved {
		t.Errorf("a seat comes back: %d %v %v", again, of, err)
	}
	page, more, err := s.List(t.Context(), inventory.Query{Namespaces: []string{"t-prod"}, DCN: "dcn-east", Limit: 1, After: of[0].Position()})
	if err != nil || !more || len(page) != 1 || page[0].Seat != "web-1" {
		t.Errorf("a page from the middle: %v %v %v", page, more, err)
	}
}

// A page of the inventory of 10,000 instances, from the first one and from the middle, and
// what changed.
func BenchmarkInventory10000(b *testing.B) {
	s := store(b)
	for i := range 20 {
		keep(b, s, fmt.Sprintf("t%d-prod", i%5), fmt.Sprintf("app-%02d", i), 500, 1)
	}
	head, err := s.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		ask  func(ctx context.Context) ([]inventory.Instance, error)
	}{
		{"first", func(ctx context.Context) ([]inventory.Instance, error) {
			found, _, err := s.List(ctx, inventory.Query{Limit: 200})
			return found, err
		}},
		{"middle", func(ctx context.Context) ([]inventory.Instance, error) {
			found, _, err := s.List(ctx, inventory.Query{Limit: 200, After: inventory.Position{Namespace: "t2-prod", Application: "app-12", Component: "web", Number: 250}})
			return found, err
		}},
		{"changes", func(ctx context.Context) ([]inventory.Instance, error) {
			found, _, err := s.Changes(ctx, inventory.Query{Limit: 200, Namespaces: []string{"t1-prod", "t4-prod"}}, head-2000)
			return found, err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				found, err := c.ask(b.Context())
				if err != nil || len(found) != 200 {
					b.Fatalf("%d instances, %v", len(found), err)
				}
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}
