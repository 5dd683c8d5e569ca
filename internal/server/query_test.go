// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func object(namespace, name string, spec map[string]any) map[string]any {
	return map[string]any{"metadata": map[string]any{"namespace": namespace, "name": name}, "spec": spec}
}

// Pages agree with a dumb sort of everything, whatever kinds of values are mixed.
func TestPagesAgreeWithADumbSort(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	values := []any{nil, "a", "b", 3.0, 10.0, true, false, int64(7), map[string]any{"x": 1}}
	var all []map[string]any
	for n := range 120 {
		all = append(all, object([]string{"a-sit", "b-sit"}[random.IntN(2)], fmt.Sprintf("o-%03d", n), map[string]any{
			"v": values[random.IntN(len(values))], "w": values[random.IntN(len(values))],
		}))
	}
	for _, sort := range []string{"", "spec.v", "-spec.v", "spec.v,-spec.w", "-spec.w,metadata.name"} {
		q, err := parseQuery(url.Values{"sort": {sort}, "limit": {"1000"}})
		if err != nil {
			t.Fatal(err)
		}
		whole, next, _ := page(all, q)
		if next != "" || len(whole) != len(all) {
			t.Fatalf("sort %q: one page holds all", sort)
		}
		var walked []string
		values := url.Values{"sort": {sort}, "limit": {"7"}}
		for range 100 {
			q, err := parseQuery(values)
			if err != nil {
				t.Fatal(err)
			}
			items, next, remaining := page(all, q)
			for _, o := range items {
				walked = append(walked, keyOf(o))
			}
			if next == "" {
				break
			}
			if len(walked)+remaining != len(all) {
				t.Fatalf("sort %q: %d seen and %d remaining are not %d", sort, len(walked), remaining, len(all))
			}
			values.Set("continue", next)
		}
		var want []string
		for _, o := range whole {
			want = append(want, keyOf(o))
		}
		if diff := cmp.Diff(want, walked); diff != "" {
			t.Errorf("sort %q:\n%s", sort, diff)
		}
	}
}

// An object that comes or goes between two pages moves no other one.
func TestPagesStandStillWhileObjectsMove(t *testing.T) {
	objects := func(names ...string) (list []map[string]any) {
		for _, n := range names {
			list = append(list, object("a-sit", n, nil))
		}
		return list
	}
	values := url.Values{"limit": {"2"}}
	q, _ := parseQuery(values)
	first, next, _ := page(objects("b", "d", "f", "h"), q)
	values.Set("continue", next)
	q, err := parseQuery(values)
	if err != nil {
		t.Fatal(err)
	}
	second, _, _ := page(objects("a", "b", "c", "e", "f", "h"), q) // a, c, e came, d went
	var got []string
	for _, o := range append(first, second...) {
		got = append(got, text(lookup(o, []string{"metadata", "name"})))
	}
	if diff := cmp.Diff([]string{"b", "d", "e", "f"}, got); diff != "" {
		t.Errorf("nothing twice, nothing left out that was there before and after:\n%s", diff)
	}
}

func TestLookup(t *testing.T) {
	o := map[string]any{"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}, "spec": map[string]any{
		"components": []any{map[string]any{"name": "account", "image": "x"}}, "replicas": 1000000.0,
	}}
	for path, want := range map[string]string{
		"status.conditions.Ready.status": "True", "spec.components.account.image": "x", "spec.components.0.image": "x",
		"spec.components.9.image": "", "spec.none.none": "", "spec.replicas": "1000000", "status.conditions.Ready.status.deeper": "",
	} {
		if got := text(lookup(o, strings.Split(path, "."))); got != want {
			t.Errorf("%s: want %q, got %q", path, want, got)
		}
	}
}

func FuzzStrictObject(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"x"},"spec":[1,{"a":null}]}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(`{"a":{}} {}`))
	f.Add([]byte(strings.Repeat(`[`, 200)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := strictObject(raw)
		if err != nil {
			return
		}
		loose := map[string]any{}
		if jsonErr := json.Unmarshal(raw, &loose); jsonErr != nil || len(loose) != len(got) {
			t.Fatalf("what is taken, every parser takes alike: %v, %d and %d names", jsonErr, len(loose), len(got))
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("limit=2&sort=-spec.a,metadata.name&fieldSelector=spec.a!=b")
	f.Add("continue=eyJiIjoiIn0&labelSelector=a in (b,c)")
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, err := parseQuery(values)
		if err != nil {
			return
		}
		items, next, remaining := page([]map[string]any{object("a", "b", map[string]any{"a": "b"}), object("a", "c", nil)}, q)
		if len(items) > q.limit || remaining < 0 || (next == "") != (remaining == 0) {
			t.Fatalf("%d items of %d, next %q, %d remaining", len(items), q.limit, next, remaining)
		}
	})
}

func TestBulkChanges(t *testing.T) {
	changes := NewChanges()
	waiting, stop := changes.listen(func(c Change) bool { return c.Kind != "Other" })
	for n := range 10 * mostPending {
		changes.Publish(Change{Room: "app", Kind: "Application", Namespace: fmt.Sprintf("n-%d", n%3), Name: fmt.Sprint(n)})
		changes.Publish(Change{Kind: "Other"})
	}
	got := waiting.take()
	if len(got) > mostPending {
		t.Errorf("what waits is bounded, got %d", len(got))
	}
	for n := range 3 {
		if !slices.Contains(got, Change{Room: "app", Kind: "Application", Namespace: fmt.Sprintf("n-%d", n)}) {
			t.Errorf("namespace n-%d is told in bulk", n)
		}
	}
	if waiting.take() != nil {
		t.Error("what was told is not told again")
	}
	stop()
	if changes.count() != 0 {
		t.Error("a stream that ended listens no more")
	}
}
