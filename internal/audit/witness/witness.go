// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package witness countersigns the checkpoints of evidence logs, as C2SP
// tlog-witness says. It runs in another administrative place than the log, with a
// key and a folder of its own. It remembers the last checkpoint that it signed for
// each log and signs another one only when that one holds everything the last one
// held: a log that was rewritten, even with its own key, gets no signature.
package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	flog "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sys/unix"

	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

const (
	// Path of the one thing that a witness does.
	Path = "/add-checkpoint"
	// SizeType is the media type of the answer that names the witness's own size.
	SizeType = "text/x.tlog.size"
	// KeyFile is the name of the witness's key.
	KeyFile = "witness.key"
	// Suffix ends the names of the files with the last checkpoints.
	Suffix = ".checkpoint"

	mostBody = 64 << 10
)

// Options of a witness. Every field without "Default" is needed.
type Options struct {
	// Dir holds key and checkpoints.
	Dir string
	// Logs are the public keys of the logs that are witnessed.
	Logs []string
	// Name of the key where one is made. Default: "witness".
	Name string
	// Log for what happens. Default: none.
	Log *slog.Logger
}

// Witness is the one of a folder.
type Witness struct {
	dir    string
	key    *sealing.Key
	signer note.Signer
	logs   []note.Verifier
	log    *slog.Logger
	lock   *os.File

	mu sync.Mutex
}

// EnsureKey returns the key of the witness in a folder; it makes one where there is none.
func EnsureKey(dir, name string) (*sealing.Key, error) {
	if name == "" {
		name = "witness"
	}
	return sealing.Ensure(filepath.Join(dir, KeyFile), name)
}

// Open opens the witness in a folder. One process at a time holds it.
func Open(o Options) (*Witness, error) {
	w := &Witness{dir: o.Dir, log: o.Log}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if w.key, err = EnsureKey(o.Dir, o.Name); err != nil {
		return nil, err
	}
	if w.signer, err = w.key.Cosigner(); err != nil {
		return nil, err
	}
	for _, text := range o.Logs {
		v, err := sealing.Verifier(text)
		if err != nil {
			return nil, err
		}
		w.logs = append(w.logs, v)
	}
	if len(w.logs) == 0 {
		return nil, errors.New("could not open the witness: no log is named")
	}
	if w.lock, err = os.OpenFile(filepath.Join(o.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("could not hold witness folder %q: %w", o.Dir, err)
	}
	if err := unix.Flock(int(w.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = w.lock.Close()
		return nil, fmt.Errorf("could not open the witness in %q: another process holds it; stop that one first", o.Dir)
	}
	return w, nil
}

// PublicKey of the witness.
func (w *Witness) PublicKey() string { return w.key.Public }

// Close lets go of the folder.
func (w *Witness) Close() error { return w.lock.Close() }

// refusal is an answer that is no signature.
type refusal struct {
	status int
	media  string
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, "text/plain; charset=utf-8", fmt.Sprintf(format, args...)}
}

// ServeHTTP implements http.Handler.
func (w *Witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	out.Header().Set("X-Content-Type-Options", "nosniff")
	switch {
	case r.URL.Path == "/healthz" && r.Method == http.MethodGet:
		fmt.Fprintln(out, "ok")
		return
	case r.URL.Path != Path:
		http.Error(out, "could not find this page: a witness answers POST "+Path, http.StatusNotFound)
		return
	case r.Method != http.MethodPost:
		out.Header().Set("Allow", http.MethodPost)
		http.Error(out, "use POST", http.StatusMethodNotAllowed)
		return
	}
	signature, err := w.add(http.MaxBytesReader(out, r.Body, mostBody))
	var no *refusal
	switch {
	case errors.As(err, &no):
		if no.media != SizeType {
			w.log.Error("a checkpoint is not countersigned", "cause", err.Error())
		}
		out.Header().Set("Content-Type", no.media)
		out.WriteHeader(no.status)
		fmt.Fprintln(out, no.text)
	case err != nil:
		w.log.Error("a checkpoint could not be countersigned", "cause", err.Error())
		http.Error(out, "could not countersign now: something failed inside; try again", http.StatusInternalServerError)
	default:
		out.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = out.Write(signature)
	}
}

// add checks a request, keeps its checkpoint and returns the signature line.
func (w *Witness) add(body io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "could not read the request: %v", err)
	}
	old, hashes, signed, err := parseRequest(raw)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "could not read the request: %v", err)
	}
	c, err := w.checkpoint(signed)
	if err != nil {
		return nil, err
	}
	if old > c.Size {
		return nil, refuse(http.StatusBadRequest, "the old size %d is beyond the checkpoint's %d", old, c.Size)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last, err := w.last(c.Origin)
	if err != nil {
		return nil, err
	}
	if err := follows(last, c, old, hashes); err != nil {
		return nil, err
	}
	line, cosigned, err := w.sign(signed)
	if err != nil {
		return nil, err
	}
	// Whoever gets the signature can rely on it that the witness knows of it.
	if err := tiles.WriteFile(w.path(c.Origin), cosigned); err != nil {
		return nil, err
	}
	return line, nil
}

// follows says whether a checkpoint holds everything that the last one held.
func follows(last, next *flog.Checkpoint, old uint64, hashes [][]byte) error {
	switch {
	case old != last.Size:
		return &refusal{http.StatusConflict, SizeType, strconv.FormatUint(last.Size, 10)}
	case next.Size == last.Size && !bytes.Equal(next.Hash, last.Hash) && last.Size > 0:
		return refuse(http.StatusConflict, "the log %q has two roots at size %d: it was rewritten", next.Origin, next.Size)
	case last.Size == 0 && len(hashes) > 0 || next.Size == last.Size && len(hashes) > 0:
		return refuse(http.StatusUnprocessableEntity, "a proof is given where none is needed")
	case last.Size == 0 || next.Size == last.Size:
		return nil
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, last.Size, next.Size, hashes, last.Hash, next.Hash); err != nil {
		return refuse(http.StatusUnprocessableEntity, "the log %q does not hold at size %d what it held at size %d: it was rewritten", next.Origin, next.Size, last.Size)
	}
	return nil
}

// checkpoint opens a signed checkpoint of one of the logs. A log's origin is the
// name of its key, a slash and the year.
func (w *Witness) checkpoint(signed []byte) (*flog.Checkpoint, error) {
	origin, _, _ := bytes.Cut(signed, []byte("\n"))
	name, year, ok := strings.Cut(string(origin), "/")
	known := false
	for _, v := range w.logs {
		if !ok || v.Name() != name || !isYear(year) {
			continue
		}
		known = true
		if c, _, _, err := flog.ParseCheckpoint(signed, string(origin), v); err == nil {
			return c, nil
		}
	}
	if !known {
		return nil, refuse(http.StatusNotFound, "this witness knows no log %q", clip(string(origin)))
	}
	return nil, refuse(http.StatusForbidden, "the checkpoint is not signed by the log %q", clip(string(origin)))
}

func isYear(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && len(s) == 4 && n > 0
}

func clip(s string) string { return s[:min(len(s), 100)] }

func (w *Witness) path(origin string) string {
	return filepath.Join(w.dir, url.PathEscape(origin)+Suffix)
}

// last is the last checkpoint that was signed for a log, or an empty one.
func (w *Witness) last(origin string) (*flog.Checkpoint, error) {
	signed, err := os.ReadFile(w.path(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return &flog.Checkpoint{Origin: origin}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read the last checkpoint of %q: %w", origin, err)
	}
	own, err := sealing.CosignatureVerifier(w.key.Public)
	if err != nil {
		return nil, err
	}
	c, _, _, err := flog.ParseCheckpoint(signed, origin, own)
	if err != nil {
		return nil, fmt.Errorf("could not read the last checkpoint of %q: it was altered: %w", origin, err)
	}
	return c, nil
}

// sign returns the signature line and the checkpoint with it.
func (w *Witness) sign(signed []byte) (line, cosigned []byte, err error) {
	text, _, ok := bytes.Cut(signed, []byte("\n\n"))
	if !ok {
		return nil, nil, errors.New("could not find the end of the checkpoint's text")
	}
	own, err := note.Sign(&note.Note{Text: string(text) + "\n"}, w.signer)
	if err != nil {
		return nil, nil, fmt.Errorf("could not sign: %w", err)
	}
	_, line, _ = bytes.Cut(own, []byte("\n\n"))
	return line, append(bytes.Clone(signed), line...), nil
}

// Request writes the body of a request: the size that the witness is thought to
// know, the proof from there, and the signed checkpoint.
func Request(old uint64, hashes [][]byte, signed []byte) []byte {
	body := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range hashes {
		body = append(base64.StdEncoding.AppendEncode(body, h), '\n')
	}
	return append(append(body, '\n'), signed...)
}

func parseRequest(raw []byte) (old uint64, hashes [][]byte, signed []byte, err error) {
	head, signed, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		return 0, nil, nil, errors.New("no empty line stands before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	number, ok := strings.CutPrefix(lines[0], "old ")
	if !ok {
		return 0, nil, nil, errors.New(`the first line is not "old" and a size`)
	}
	if old, err = strconv.ParseUint(number, 10, 64); err != nil || strconv.FormatUint(old, 10) != number {
		return 0, nil, nil, errors.New("the old size is no number")
	}
	if len(lines) > 64 {
		return 0, nil, nil, errors.New("the proof has more than 63 hashes")
	}
	for _, l := range lines[1:] {
		h, err := base64.StdEncoding.DecodeString(l)
		if err != nil || len(h) != rfc6962.DefaultHasher.Size() {
			return 0, nil, nil, errors.New("a line of the proof is no hash")
		}
		hashes = append(hashes, h)
	}
	return old, hashes, signed, nil
}
