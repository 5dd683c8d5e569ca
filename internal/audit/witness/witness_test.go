// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package witness

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	flog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// aLog is a log to be witnessed.
type aLog struct {
	dir  string
	key  *sealing.Key
	tree *tiles.Tree
}

func newLog(t *testing.T, key *sealing.Key) *aLog {
	t.Helper()
	dir := t.TempDir()
	tree, err := tiles.Open(dir, 0, rfc6962.DefaultHasher.EmptyRoot())
	if err != nil {
		t.Fatal(err)
	}
	return &aLog{dir, key, tree}
}

func (l *aLog) grow(t *testing.T, word string, n int) {
	t.Helper()
	var batch [][]byte
	for i := range n {
		batch = append(batch, fmt.Appendf(nil, "%s %d", word, i))
	}
	if err := l.tree.Grow(batch); err != nil {
		t.Fatal(err)
	}
}

func (l *aLog) signed(t *testing.T, origin string, key *sealing.Key) []byte {
	t.Helper()
	text := flog.Checkpoint{Origin: origin, Size: l.tree.Size(), Hash: l.tree.Root()}.Marshal()
	out, err := note.Sign(&note.Note{Text: string(text)}, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (l *aLog) proof(t *testing.T, old uint64) [][]byte {
	t.Helper()
	if old == 0 || old == l.tree.Size() {
		return nil
	}
	b, err := client.NewProofBuilder(t.Context(), l.tree.Size(), client.FileFetcher{Root: l.dir}.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := b.ConsistencyProof(t.Context(), old, l.tree.Size())
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func key(t *testing.T, name string) *sealing.Key {
	t.Helper()
	k, err := sealing.Ensure(filepath.Join(t.TempDir(), "key"), name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func openWitness(t *testing.T, dir string, logs ...string) *Witness {
	t.Helper()
	w, err := Open(Options{Dir: dir, Logs: logs})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func ask(w *Witness, body []byte) (int, string, string) {
	out := httptest.NewRecorder()
	w.ServeHTTP(out, httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(body)))
	raw, _ := io.ReadAll(out.Result().Body)
	return out.Code, out.Header().Get("Content-Type"), string(raw)
}

func TestWitness(t *testing.T) {
	k, other := key(t, "bank"), key(t, "bank")
	dir := t.TempDir()
	w := openWitness(t, dir, k.Public)
	honest := newLog(t, k)
	const origin = "bank/2026"
	add := func(old uint64, l *aLog) (int, string, string) {
		return ask(w, Request(old, l.proof(t, old), l.signed(t, origin, k)))
	}

	honest.grow(t, "honest", 300)
	code, _, signature := add(0, honest)
	if code != http.StatusOK {
		t.Fatalf("the first checkpoint is signed: %d %s", code, signature)
	}
	verifier, err := sealing.CosignatureVerifier(w.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(append(honest.signed(t, origin, k), signature...), note.VerifierList(verifier)); err != nil {
		t.Errorf("the answer is the witness's signature on the checkpoint: %v", err)
	}

	// A fork: the same log, signed with its key, with another beginning.
	fork := newLog(t, k)
	fork.grow(t, "fork", 300)
	if code, _, text := add(300, fork); code != http.StatusConflict {
		t.Errorf("another root at the same size is refused: %d %s", code, text)
	}
	fork.grow(t, "fork", 100)
	if code, _, text := add(300, fork); code != http.StatusUnprocessableEntity {
		t.Errorf("a log that was rewritten is refused: %d %s", code, text)
	}

	// A restart forgets nothing.
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = openWitness(t, dir, k.Public)
	if code, media, text := add(0, fork); code != http.StatusConflict || media != SizeType || text != "300\n" {
		t.Errorf("whoever does not know the last size is told it: %d %s %q", code, media, text)
	}
	honest.grow(t, "more", 1000)
	if code, _, text := add(300, honest); code != http.StatusOK {
		t.Errorf("a log that grew is signed: %d %s", code, text)
	}
	if code, _, text := add(1300, honest); code != http.StatusOK {
		t.Errorf("the same checkpoint is signed again: %d %s", code, text)
	}

	small := newLog(t, k)
	small.grow(t, "honest", 300)
	cases := map[string]struct {
		reason string
		body   []byte
		want   int
	}{
		"Rollback":    {"a smaller log than before is refused", Request(1300, nil, small.signed(t, origin, k)), http.StatusBadRequest},
		"RollbackOld": {"also where the old size is hidden", Request(300, nil, small.signed(t, origin, k)), http.StatusConflict},
		"Unknown":     {"a log that nobody named is not known", Request(0, nil, small.signed(t, "other/2026", k)), http.StatusNotFound},
		"NoYear":      {"the origin of a log has a year", Request(0, nil, small.signed(t, "bank/../../x", k)), http.StatusNotFound},
		"WrongKey":    {"a checkpoint of another key is forbidden", Request(0, nil, small.signed(t, origin, other)), http.StatusForbidden},
		"NoBlank":     {"a request without its empty line", []byte("old 0\n"), http.StatusBadRequest},
		"NoOld":       {"a request without the old size", []byte("new 0\n\n"), http.StatusBadRequest},
		"Negative":    {"a size that is none", []byte("old -1\n\nx"), http.StatusBadRequest},
		"Zeros":       {"a size written otherwise", []byte("old 0300\n\nx"), http.StatusBadRequest},
		"BadHash":     {"a proof of something else than hashes", append([]byte("old 300\nAAAA\n\n"), honest.signed(t, origin, k)...), http.StatusBadRequest},
		"Long":        {"a proof that never ends", append([]byte("old 300\n"+strings.Repeat("AAAA\n", 100)+"\n"), honest.signed(t, origin, k)...), http.StatusBadRequest},
		"Huge":        {"a body of a megabyte", bytes.Repeat([]byte("x"), 1<<20), http.StatusBadRequest},
		"Empty":       {"nothing", nil, http.StatusBadRequest},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if code, _, text := ask(w, tc.body); code != tc.want {
				t.Errorf("%s: %d %s, want %d", tc.reason, code, text, tc.want)
			}
		})
	}
	if out := httptest.NewRecorder(); true {
		w.ServeHTTP(out, httptest.NewRequest(http.MethodGet, Path, nil))
		if out.Code != http.StatusMethodNotAllowed {
			t.Errorf("GET is not for this: %d", out.Code)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), Suffix) && f.Name() != "bank%2F2026"+Suffix {
			t.Errorf("only logs that are known leave a file: %q", f.Name())
		}
	}
}

func TestAWitnessThatCannotRememberDoesNotSign(t *testing.T) {
	k := key(t, "bank")
	dir := filepath.Join(t.TempDir(), "witness")
	w := openWitness(t, dir, k.Public)
	l := newLog(t, k)
	l.grow(t, "honest", 3)
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, text := ask(w, Request(0, nil, l.signed(t, "bank/2026", k))); code != http.StatusInternalServerError {
		t.Errorf("a signature without its record could be forgotten: %d %s", code, text)
	}
}

func TestOneProcessHoldsTheWitness(t *testing.T) {
	k, dir := key(t, "bank"), t.TempDir()
	openWitness(t, dir, k.Public)
	if _, err := Open(Options{Dir: dir, Logs: []string{k.Public}}); err == nil {
		t.Error("two witnesses in one folder could contradict each other")
	}
	if _, err := Open(Options{Dir: t.TempDir()}); err == nil {
		t.Error("a witness of no log is of no use")
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("old 0\n\nbank/2026\n1\nAAAA\n\n— bank AAAA\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		old, hashes, signed, err := parseRequest(raw)
		if err == nil && !bytes.Equal(Request(old, hashes, signed), raw) && len(hashes) == 0 {
			t.Errorf("%q is read as another request", raw)
		}
	})
}
