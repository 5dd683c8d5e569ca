// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package verify

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	flog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

func TestAWholeLogVerifies(t *testing.T) {
	p := build(t, 400)
	for _, dir := range []string{p.log, p.copy} {
		o := p.options()
		o.Dir, o.Copy = dir, p.copy
		r := mustVerify(t, o)
		for _, f := range r.Faults {
			t.Errorf("%s: %s", dir, f)
		}
		if r.Records != 2*(400*2+2) || len(r.Years) != 2 || r.Open != 0 || len(r.Notes) != 0 || r.Sources["server"] != int64(r.Records) {
			t.Errorf("%+v", r)
		}
	}
	// The copy is verified with nothing but public keys.
	if _, err := os.Stat(filepath.Join(p.copy, ledger.KeyFile)); err == nil {
		t.Error("the private key is never copied")
	}
}

// entryPath is the file with an entry of a year.
func bundleFile(p place, year string, index int) string {
	path := filepath.Join(p.log, year, "tile", "entries", fmt.Sprintf("%03d", index/256))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	parts, _ := filepath.Glob(path + ".p/*")
	return parts[len(parts)-1]
}

// TestTheFirstWrongRecordIsNamed changes one byte in a record's words.
func TestTheFirstWrongRecordIsNamed(t *testing.T) {
	p := build(t, 300)
	for _, subject := range []string{"2026-0", "2026-77", "2026-299", "2027-150", "2027-299"} {
		t.Run(subject, func(t *testing.T) {
			found := false
			for i := 0; i < 602 && !found; i += 256 {
				path := bundleFile(p, subject[:4], i)
				good := read(t, path)
				at := bytes.Index(good, []byte("Application/retail/"+subject+`"`))
				if at < 0 {
					continue
				}
				found = true
				bad := bytes.Clone(good)
				bad[at] = 'X'
				write(t, path, bad)
				r := mustVerify(t, p.options())
				write(t, path, good)
				if len(r.Faults) == 0 {
					t.Fatal("the change is found")
				}
				var year, n int
				fmt.Sscanf(subject, "%d-%d", &year, &n)
				want := int64((year-2026)*602 + 2 + 2*n)
				if f := r.Faults[0]; f.Index != want || f.Source != "server" || f.Sequence != want+1 || !strings.Contains(f.Says, "Xpplication/retail/"+subject) {
					t.Errorf("record %d is named, with its source, number and words: %s", want, f)
				}
			}
			if !found {
				t.Fatal("the fixture has no such record")
			}
		})
	}
}

// forge writes a year's log anew with the log's own key, as somebody who has it
// could: every tile, every hash and the checkpoint fit.
func forge(t *testing.T, p place, year string, change func(entries [][]byte) [][]byte) {
	t.Helper()
	dir := filepath.Join(p.log, year)
	key, err := sealing.Ensure(filepath.Join(p.log, ledger.KeyFile), "")
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := sealing.Verifier(key.Public)
	if err != nil {
		t.Fatal(err)
	}
	origin := key.Name() + "/" + year
	c, _, _, err := flog.ParseCheckpoint(read(t, filepath.Join(dir, "checkpoint")), origin, verifier)
	if err != nil {
		t.Fatal(err)
	}
	var entries [][]byte
	for from := uint64(0); from < c.Size; from += tiles.Width {
		count := int(min(c.Size-from, tiles.Width))
		raw, err := tiles.ReadBundle(dir, from/tiles.Width, count%tiles.Width)
		if err != nil {
			t.Fatal(err)
		}
		some, err := tiles.Split(raw, count)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, some...)
	}
	if err := os.RemoveAll(filepath.Join(dir, "tile")); err != nil {
		t.Fatal(err)
	}
	pending, _ := filepath.Glob(filepath.Join(dir, "pending-*"))
	for _, f := range pending {
		os.Remove(f)
	}
	tree, err := tiles.Open(dir, 0, rfc6962.DefaultHasher.EmptyRoot())
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Grow(change(entries)); err != nil {
		t.Fatal(err)
	}
	text := flog.Checkpoint{Origin: origin, Size: tree.Size(), Hash: tree.Root()}.Marshal()
	signed, err := note.Sign(&note.Note{Text: string(text)}, key.Signers()...)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "checkpoint"), signed)
}

// TestForgery tries what somebody can do who has the log's key and its folder.
func TestForgery(t *testing.T) {
	innocent := func(e [][]byte) [][]byte {
		e[7] = bytes.Replace(e[7], []byte("Done"), []byte("Fail"), 1)
		e[6] = bytes.Replace(e[6], []byte(`"p-`), []byte(`"q-`), 1)
		return e
	}
	cases := map[string]struct {
		reason string
		do     func(t *testing.T, p place)
		want   string
	}{
		"Rewrite": {"one record says something else", func(t *testing.T, p place) { forge(t, p, "2027", innocent) }, "not what the witness confirmed"},
		"RewriteWithoutCosigned": {"and the countersigned checkpoint is taken away", func(t *testing.T, p place) {
			forge(t, p, "2027", innocent)
			os.Remove(filepath.Join(p.log, "2027", "cosigned"))
		}, "no checkpoint that the witness confirmed"},
		"OldYear": {"an earlier year is rewritten", func(t *testing.T, p place) { forge(t, p, "2026", innocent) }, "not chained"},
		"Truncate": {"the last records go", func(t *testing.T, p place) {
			forge(t, p, "2027", func(e [][]byte) [][]byte { return e[:len(e)-2] })
			os.Remove(filepath.Join(p.log, "2027", "cosigned"))
		}, "this record is missing: the witness has confirmed"},
		"Delete": {"a record in the middle goes", func(t *testing.T, p place) {
			forge(t, p, "2027", func(e [][]byte) [][]byte { return append(e[:8:8], e[10:]...) })
		}, "a record was removed, added or moved"},
		"Reorder": {"two records change places", func(t *testing.T, p place) {
			forge(t, p, "2027", func(e [][]byte) [][]byte { e[8], e[10] = e[10], e[8]; return e })
		}, "a record was removed, added or moved"},
		"Renumber": {"a record goes, and what follows is numbered anew", func(t *testing.T, p place) {
			forge(t, p, "2027", func(e [][]byte) [][]byte {
				e = append(e[:8:8], e[10:]...)
				for i := 8; i < len(e); i++ {
					r, err := audit.ParseRecord(e[i])
					if err != nil {
						t.Fatal(err)
					}
					r.Sequence -= 2
					if r.Kind == audit.KindOutcome {
						r.Intent -= 2
					}
					e[i] = r.Canonical()
				}
				return e
			})
		}, "not what the witness confirmed"},
		"Invent": {"an outcome without an intent", func(t *testing.T, p place) {
			forge(t, p, "2027", func(e [][]byte) [][]byte {
				r := audit.Record{Source: "server", Sequence: 1205, Kind: audit.KindOutcome, Intent: 3, Outcome: &audit.Outcome{Result: audit.Done}}
				return append(e, r.Canonical())
			})
		}, "which is not open"},
		"YearGone":     {"the newest year goes", func(_ *testing.T, p place) { os.RemoveAll(filepath.Join(p.log, "2027")) }, "which is not here"},
		"FirstYear":    {"the first year goes", func(_ *testing.T, p place) { os.RemoveAll(filepath.Join(p.log, "2026")) }, "which is not here"},
		"OtherKey":     {"the checkpoint is another key's", func(t *testing.T, p place) { otherKey(t, p) }, "not as the log's key signed it"},
		"OldCopy":      {"an older checkpoint is put back", func(t *testing.T, p place) { forgeSize(t, p, 100) }, ""},
		"WitnessFalse": {"the witness's file is made up", func(t *testing.T, p place) { falseWitness(t, p) }, "not signed by it"},
	}
	whole := build(t, 300)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := whole.clone(t)
			tc.do(t, p)
			o := p.options()
			r := mustVerify(t, o)
			var all []string
			for _, f := range r.Faults {
				all = append(all, f.String())
			}
			if tc.want == "" {
				// Everything is there, under the countersigned checkpoint: nothing is lost.
				if len(all) != 0 || r.Records != 2*602 {
					t.Errorf("%s: %q", tc.reason, all)
				}
				return
			}
			if !strings.Contains(strings.Join(all, "\n"), tc.want) {
				t.Errorf("%s: found is %q, want %q", tc.reason, all, tc.want)
			}
		})
	}
}

// TestTheCopyNamesWhatAForgerChanged compares a forged log with its copy.
func TestTheCopyNamesWhatAForgerChanged(t *testing.T) {
	p := build(t, 300)
	forge(t, p, "2027", func(e [][]byte) [][]byte {
		e[420] = bytes.Replace(e[420], []byte(`"p-`), []byte(`"q-`), 1)
		return e
	})
	o := p.options()
	o.Copy = p.copy
	r := mustVerify(t, o)
	if len(r.Faults) == 0 || r.Faults[0].Index != 602+420 || !strings.Contains(r.Faults[0].What, `"p-`) {
		t.Errorf("record %d is named, with what it said: %v", 602+420, r.Faults)
	}
}

// TestASavedCheckpointIsEnough verifies without the witness's folder.
func TestASavedCheckpointIsEnough(t *testing.T) {
	p := build(t, 300)
	saved := read(t, filepath.Join(p.log, "2027", "cosigned"))
	forge(t, p, "2027", func(e [][]byte) [][]byte { return e[:300] })
	os.Remove(filepath.Join(p.log, "2027", "cosigned"))
	r := mustVerify(t, Options{Dir: p.log, LogKey: p.logKey, WitnessKey: p.witnessKey, Checkpoints: [][]byte{saved}})
	found := false
	for _, f := range r.Faults {
		found = found || f.Index == 602+300 && strings.Contains(f.What, "missing")
	}
	if !found {
		t.Errorf("the first record that is gone is named: %v", r.Faults)
	}
}

func TestArchivedYears(t *testing.T) {
	p := build(t, 50)
	if err := os.RemoveAll(filepath.Join(p.log, "2026")); err != nil {
		t.Fatal(err)
	}
	o := p.options()
	o.From = 2027
	if r := mustVerify(t, o); len(r.Faults) != 0 {
		t.Errorf("a year that was archived is not missed: %v", r.Faults)
	}
}

func otherKey(t *testing.T, p place) {
	other, err := sealing.Ensure(filepath.Join(t.TempDir(), "key"), "other")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.log, "2027", "checkpoint")
	text, _, _ := strings.Cut(string(read(t, path)), "\n\n")
	signed, err := note.Sign(&note.Note{Text: text + "\n"}, other.Signer())
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, signed)
}

// forgeSize puts a checkpoint of an earlier size back, as a backup would.
func forgeSize(t *testing.T, p place, size uint64) {
	key, err := sealing.Ensure(filepath.Join(p.log, ledger.KeyFile), "")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(p.log, "2027")
	raw, err := tiles.ReadTile(dir, 0, 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	edge := [][]byte{}
	for i := range int(size) {
		edge = append(edge, raw[i*32:(i+1)*32])
	}
	text := flog.Checkpoint{Origin: key.Name() + "/2027", Size: size, Hash: tiles.Root([][][]byte{edge})}.Marshal()
	signed, err := note.Sign(&note.Note{Text: string(text)}, key.Signers()...)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "checkpoint"), signed)
}

func falseWitness(t *testing.T, p place) {
	files, err := filepath.Glob(filepath.Join(p.witness, "*"+witnessSuffix))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	raw := read(t, files[1])
	raw[bytes.LastIndexByte(raw, ' ')+20] ^= 1
	write(t, files[1], raw)
}
