// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package crosscheck

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
	"github.com/fairway-cloud/fairway/internal/audit/index"
)

// folder is a log folder that is written as an API server and those who ship its
// log do.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f folder) add(name string, content ...string) {
	f.t.Helper()
	file, err := os.OpenFile(f.path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = file.WriteString(strings.Join(content, ""))
	}
	if err != nil || file.Close() != nil {
		f.t.Fatal(err)
	}
}

func (f folder) rename(from, to string) {
	f.t.Helper()
	if err := os.Rename(f.path(from), f.path(to)); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) age(name string, by time.Duration) {
	f.t.Helper()
	if err := os.Chtimes(f.path(name), time.Now().Add(-by), time.Now().Add(-by)); err != nil {
		f.t.Fatal(err)
	}
}

func entry(id string) string {
	return line(id, "ResponseComplete", "create", "admin", "system:masters", "", "release.fairway.cloud", "releases", "retail-prod", "r-1", "/apis", 201, noon)
}

// read returns the ids of the events that are new, and the problems.
func (f folder) read(by *follower) (got, problems []string) {
	f.t.Helper()
	p, err := by.read(func(line []byte) error {
		noted, err := Rules{Hub: true}.Read(line)
		if err == nil && noted.Write != nil {
			got = append(got, noted.Write.Audit)
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return got, p.problems
}

func TestALogIsFollowed(t *testing.T) {
	big := strings.Replace(entry("big"), `"level":"Metadata"`, `"level":"Metadata","requestObject":{"x":"`+strings.Repeat("x", 10<<20)+`"}`, 1)
	huge := strings.Replace(entry("huge"), `"level":"Metadata"`, `"level":"Metadata","requestObject":{"x":"`+strings.Repeat("x", longestLine)+`"}`, 1)
	cases := map[string]struct {
		reason string
		first  func(f folder)
		then   func(f folder)
		want   []string // of both readings
		wrong  string   // what the second reading complains about
	}{
		"appended": {
			reason: "each line is read once",
			first:  func(f folder) { f.add("audit.log", entry("1"), entry("2")) },
			then:   func(f folder) { f.add("audit.log", entry("3")) },
			want:   []string{"1", "2", "3"},
		},
		"rotated": {
			reason: "what was written before the file got its new name is read under that",
			first:  func(f folder) { f.add("audit.log", entry("1")) },
			then: func(f folder) {
				f.add("audit.log", entry("2"))
				f.rename("audit.log", "audit-2026-11-28T12-00-00.000.log")
				f.age("audit-2026-11-28T12-00-00.000.log", time.Minute)
				f.add("audit.log", entry("3"))
			},
			want: []string{"1", "2", "3"},
		},
		"copied and truncated": {
			reason: "the copy is the file that was known; what follows in the old place is new",
			first:  func(f folder) { f.add("audit.log", entry("1")) },
			then: func(f folder) {
				f.add("audit.log.1", entry("1"), entry("2"))
				f.age("audit.log.1", time.Minute)
				if err := os.WriteFile(f.path("audit.log"), []byte(entry("3")), 0o600); err != nil {
					f.t.Fatal(err)
				}
			},
			want: []string{"1", "2", "3"},
		},
		"shipped anew": {
			reason: "a tool that replaces the file by a longer copy",
			first:  func(f folder) { f.add("audit.log", entry("1")) },
			then: func(f folder) {
				f.add(".audit.log.x7", entry("1"), entry("2"))
				f.rename(".audit.log.x7", "audit.log")
			},
			want: []string{"1", "2"},
		},
		"half a line": {
			reason: "it waits for its end",
			first:  func(f folder) { f.add("audit.log", entry("1"), entry("2")[:300]) },
			then:   func(f folder) { f.add("audit.log", entry("2")[300:], entry("3")) },
			want:   []string{"1", "2", "3"},
		},
		"half a line for ever": {
			reason: "the API server was killed, and another file follows",
			first:  func(f folder) { f.add("audit.log", entry("1"), entry("2")[:300]) },
			then: func(f folder) {
				f.rename("audit.log", "audit-1.log")
				f.age("audit-1.log", 2*time.Minute)
				f.add("audit.log", entry("3"))
			},
			want: []string{"1", "3"}, wrong: "audit-1.log ends within a line",
		},
		"cut": {
			reason: "somebody made the file shorter",
			first:  func(f folder) { f.add("audit.log", entry("1"), entry("2")) },
			then: func(f folder) {
				if err := os.Truncate(f.path("audit.log"), int64(len(entry("1")))); err != nil {
					f.t.Fatal(err)
				}
				f.add("audit.log", entry("3")[:10])
			},
			want: []string{"1", "2"}, wrong: "audit.log became shorter: from",
		},
		"gone": {
			reason: "its last line was never whole",
			first:  func(f folder) { f.add("audit.log", entry("1"), entry("2")[:300]) },
			then:   func(f folder) { f.rename("audit.log", "audit.log.gz") },
			want:   []string{"1"}, wrong: "audit.log went before its last 300 bytes were read",
		},
		"no event": {
			reason: "somebody wrote something else",
			first:  func(f folder) { f.add("audit.log", entry("1")) },
			then:   func(f folder) { f.add("audit.log", "{\"kind\":\n", "\n", entry("2")) },
			want:   []string{"1", "2"}, wrong: "audit.log has a line that is no event",
		},
		"10 MiB": {
			reason: "an event with a large object",
			first:  func(f folder) { f.add("audit.log", big) },
			then:   func(f folder) { f.add("audit.log", entry("2")) },
			want:   []string{"big", "2"},
		},
		"too long": {
			reason: "memory is bounded, and what is left out is told",
			first:  func(f folder) { f.add("audit.log", entry("1")) },
			then:   func(f folder) { f.add("audit.log", huge, entry("2")) },
			want:   []string{"1", "2"}, wrong: "audit.log has a line of more than 16 MiB",
		},
		"other files": {
			reason: "links lead out of the folder, folders and hidden files are somebody else's",
			first:  func(f folder) { f.add("audit.log", entry("1")) },
			then: func(f folder) {
				f.add("elsewhere", entry("9"), entry("9"))
				if err := os.Symlink(f.path("elsewhere"), f.path("b.log")); err != nil {
					f.t.Fatal(err)
				}
				if err := os.Mkdir(f.path("c.log"), 0o700); err != nil {
					f.t.Fatal(err)
				}
			},
			want: []string{"1"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := folder{t, t.TempDir()}
			by := &follower{dir: f.dir, now: time.Now()}
			c.first(f)
			got, problems := f.read(by)
			if len(problems) > 0 {
				t.Errorf("at first: %q", problems)
			}
			c.then(f)
			more, problems := f.read(by)
			if diff := cmp.Diff(c.want, append(got, more...)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
			if (c.wrong == "") != (len(problems) == 0) || !strings.Contains(strings.Join(problems, "\n"), c.wrong) {
				t.Errorf("%s: complains %q, want %q", c.reason, problems, c.wrong)
			}
			if again, problems := f.read(by); len(again)+len(problems) > 0 {
				t.Errorf("a third reading finds %q, %q", again, problems)
			}
		})
	}
}

// world is a Watch whose clock and evidence are held by the test.
type world struct {
	t     *testing.T
	now   time.Time
	log   *audittest.Log
	index *index.Store
	watch *Watch
	told  []string
	hub   folder
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: noon, hub: folder{t, filepath.Join(t.TempDir(), "hub")}}
	w.log = audittest.New("server", func() time.Time { return w.now })
	if err := os.MkdirAll(w.hub.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.index, err = index.Open(t.Context(), filepath.Join(t.TempDir(), "index.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.index.Close() })
	w.start(filepath.Join(t.TempDir(), "state.json"))
	return w
}

// start begins with a new process.
func (w *world) start(state string) {
	w.watch = &Watch{
		Folder: filepath.Dir(w.hub.dir), State: state, Index: w.index, Log: w.log, Recorder: w.log, Logger: slog.New(slog.DiscardHandler),
		Clusters: func(context.Context) ([]Cluster, error) { return nil, nil }, Now: func() time.Time { return w.now },
		Tell: func(_ string, write Write) { w.told = append(w.told, write.Audit) },
	}
}

// pass lets time pass, and compares.
func (w *world) pass(by time.Duration) error {
	w.t.Helper()
	w.now = w.now.Add(by)
	if _, _, err := w.index.CatchUp(w.t.Context(), w.log); err != nil {
		w.t.Fatal(err)
	}
	return w.watch.Round(w.t.Context())
}

func (w *world) fine(by time.Duration) {
	w.t.Helper()
	if err := w.pass(by); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) patched(id string, at time.Time) string {
	return line(id, "ResponseComplete", "patch", "fairway", "fairway:system", "p-7", "release.fairway.cloud", "releases", "retail-prod", "r-1", "/apis", 200, at)
}

func (w *world) act() {
	w.t.Helper()
	err := audit.Do(w.t.Context(), w.log, audit.FailClosed, audit.Act{Verb: "release.update", Person: "p-7", Subject: "Release/retail-prod/r-1"}, func(context.Context) error { return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestClocksMayBeApartALittle(t *testing.T) {
	for skew, want := range map[time.Duration]int{-4 * time.Second: 0, 4 * time.Second: 0, -time.Hour: 1, time.Hour: 1} {
		t.Run(skew.String(), func(t *testing.T) {
			w := newWorld(t)
			w.fine(0)
			w.now = noon.Add(2 * time.Hour)
			w.act()
			w.hub.add("audit.log", w.patched("1", w.now.Add(skew)))
			w.fine(time.Second)
			if s, _ := w.watch.Status(HubName); (s.State == StateClockApart) != (skew == time.Hour) {
				t.Errorf("%+v", s)
			}
			w.fine(time.Minute)
			if len(w.told) != want {
				t.Errorf("told of %q, want %d", w.told, want)
			}
		})
	}
}

// What evidence cannot take now is not forgotten, and a record that comes late, as
// those of the way back do, takes back what was said.
func TestALogThatIsAway(t *testing.T) {
	w := newWorld(t)
	w.fine(0)
	w.hub.add("audit.log", w.patched("1", noon.Add(time.Second)))
	w.fine(2 * time.Second)
	w.log.SetAway(true)
	if err := w.pass(time.Minute); err == nil || len(w.told) != 0 {
		t.Errorf("without evidence nothing is told: %v %q", err, w.told)
	}
	w.log.SetAway(false)
	w.fine(time.Minute)
	w.fine(time.Minute)
	if s, _ := w.watch.Status(HubName); s.State != StateUnaccounted || len(w.told) != 1 || !strings.Contains(s.Message, "a patch of release/retail-prod/r-1 by p-7") {
		t.Errorf("%+v %q", s, w.told)
	}
	later := w.now
	w.now = noon.Add(time.Second) // as it was spooled
	w.act()
	w.now = later
	w.fine(time.Minute)
	if s, _ := w.watch.Status(HubName); s.State == StateUnaccounted || s.Unaccounted != 0 {
		t.Errorf("%+v", s)
	}
	page, err := w.index.Search(t.Context(), index.Query{Equal: map[string]string{"verb": VerbUnaccounted}, Limit: 10})
	if err != nil || len(page.Acts) != 1 {
		t.Errorf("what was recorded stays: %v %v", page.Acts, err)
	}
}

// A server that starts again goes on where it stopped, and a flood is bounded.
func TestAWatchGoesOn(t *testing.T) {
	w := newWorld(t)
	w.hub.add("audit.log", w.patched("before", noon.Add(-time.Hour)))
	w.fine(0)
	w.hub.add("audit.log", w.patched("1", noon.Add(time.Second)))
	w.fine(2 * time.Second) // read, not compared yet
	w.start(w.watch.State)
	w.fine(time.Minute)
	w.fine(time.Second)
	if diff := cmp.Diff([]string{"1"}, w.told); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	for i := range 1500 {
		w.hub.add("audit.log", w.patched(fmt.Sprint("flood-", i), w.now))
	}
	w.fine(time.Second)
	w.fine(time.Minute)
	w.fine(time.Second)
	s, _ := w.watch.Status(HubName)
	page, err := w.index.Search(t.Context(), index.Query{Equal: map[string]string{"verb": VerbUnaccounted}, Limit: 1000})
	if err != nil || len(page.Acts) != 1+mostRecords+1 || s.Unaccounted != mostFound || s.total != 1501 || len(s.Found) != mostShown {
		t.Errorf("%d records, %d kept, %d in all, %d shown: %v", len(page.Acts), s.Unaccounted, s.total, len(s.Found), err)
	}
	w.fine(8 * 24 * time.Hour)
	if s, _ := w.watch.Status(HubName); s.State != StateStale || s.Unaccounted != 0 {
		t.Errorf("after a week: %+v", s)
	}
}

func TestAStateThatCannotBeReadIsTold(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(w.watch.State, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.pass(0); err == nil || !strings.Contains(err.Error(), "are compared from now on") {
		t.Errorf("%v", err)
	}
}

func TestWithoutAFolderEverythingIsUnaudited(t *testing.T) {
	w := newWorld(t)
	w.watch.Folder = ""
	w.fine(0)
	if s, _ := w.watch.Status(HubName); s.State != StateUnaudited || !strings.Contains(s.Message, "--audit-logs") {
		t.Errorf("%+v", s)
	}
}
