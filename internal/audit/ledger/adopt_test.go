// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lines as the version before wrote them; the last one is torn.
const oldLines = `{"seq":1,"time":"2026-05-01T08:00:00.123456789Z","kind":"intent","act":{"verb":"app.apply","person":"sandbox-admin","subject":"Application/retail-sit/pay"}}
{"seq":2,"time":"2026-05-01T08:00:01Z","kind":"outcome","intent":1,"outcome":{"result":"Done"}}
{"seq":3,"time":"2026-05-01T08:00:02Z","kind":"intent","act":{"verb":"release.step","person":"p-1","subject":"Delivery/x/y","details":["<one> & two"]}}
{"seq":4,"time":"2026-05-01T08:00:03Z","kind":"outc`

func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(t.TempDir(), "evidence.jsonl")
	if err := os.WriteFile(path, []byte(oldLines), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // broken off before the file was renamed, it goes on
		l, err := Open(Options{Dir: dir, Now: at(2026)})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Adopt(path); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+AdoptedSuffix, path); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"server 1: audit.open EvidenceLog//2026", "server 2: 1 was Done",
		"journal 1: app.apply Application/retail-sit/pay", "journal 2: 1 was Done", "journal 3: release.step Delivery/x/y", "journal 4: 3 was " + unknown,
	}
	if diff := cmp.Diff(want, told(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r, err := OpenReader(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.Read(ctx, 2, 1)
	if err != nil || !first[0].Record.Time.Equal(time.Date(2026, 5, 1, 8, 0, 0, 123456789, time.UTC)) {
		t.Errorf("a record keeps its time: %v, %v", first, err)
	}
}

func TestAdoptRefusesWhatIsBroken(t *testing.T) {
	l := open(t, Options{Dir: t.TempDir()})
	if err := l.Adopt(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("where there is nothing, nothing is done: %v", err)
	}
	lines := strings.SplitAfter(oldLines, "\n")
	for name, content := range map[string]string{"NoJSON": lines[0] + "x\n", "Gap": lines[0] + lines[2], "Torn": lines[0] + "{\n" + lines[1]} {
		path := filepath.Join(t.TempDir(), "evidence.jsonl")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := l.Adopt(path); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: the line is named: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: the file stays: %v", name, err)
		}
	}
}
