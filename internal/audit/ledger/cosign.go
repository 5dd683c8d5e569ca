// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package ledger

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"

	"github.com/fairway-cloud/fairway/internal/audit/tiles"
	"github.com/fairway-cloud/fairway/internal/audit/witness"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

const (
	// cosignRetry is the time after which a witness that failed is asked again, and
	// cosignPause the least, where there is a new checkpoint.
	cosignRetry = 500 * time.Millisecond
	cosignPause = 50 * time.Millisecond
)

// cosigner asks the witness.
type cosigner struct {
	url      string
	verifier note.Verifier
	client   *http.Client
	patience time.Duration

	asking sync.Mutex // one request at a time

	mu sync.Mutex
	// asked is closed and made anew after each attempt; failure is its error.
	asked   chan struct{}
	failure error
}

func newCosigner(w *Witness) (*cosigner, error) {
	if w == nil {
		return nil, nil
	}
	verifier, err := sealing.CosignatureVerifier(w.Key)
	if err != nil {
		return nil, err
	}
	asks := w.Client
	if asks == nil {
		sealed, err := sealing.Client{}.HTTP(&http.Transport{MaxIdleConns: 2, IdleConnTimeout: time.Minute})
		if err != nil {
			return nil, err
		}
		asks = &http.Client{Transport: sealed}
	}
	return &cosigner{
		url: strings.TrimSuffix(w.URL, "/") + witness.Path, verifier: verifier, client: asks,
		patience: cmp.Or(w.Patience, 2*time.Second), asked: make(chan struct{}),
	}, nil
}

// cosignAll has every checkpoint countersigned, the newest first of all.
func (l *Ledger) cosignAll() {
	defer l.running.Done()
	for {
		l.mu.RLock()
		published := l.published
		l.mu.RUnlock()
		behind, err := l.cosignOnce()
		l.cosigner.tell(l, err)
		if behind && err == nil {
			continue
		}
		var retry <-chan time.Time
		if err != nil {
			retry = time.After(cosignRetry)
			// A witness that refuses is not asked as fast as it can refuse.
			select {
			case <-l.live.Done():
				return
			case <-time.After(cosignPause):
			}
		}
		select {
		case <-l.live.Done():
			return
		case <-published:
		case <-retry:
		}
	}
}

// tell keeps the result of an attempt for those who wait.
func (c *cosigner) tell(l *Ledger, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if (err == nil) != (c.failure == nil) && l.live.Err() == nil {
		if err != nil {
			l.log.Error("the witness does not countersign; acts in production are refused until it does", "cause", err.Error())
		} else {
			l.log.Info("the witness countersigns again")
		}
	}
	c.failure = err
	close(c.asked)
	c.asked = make(chan struct{})
}

// cosignOnce brings each year's newest checkpoint to the witness. behind says that
// there are newer ones by now.
func (l *Ledger) cosignOnce() (behind bool, err error) {
	l.cosigner.asking.Lock()
	defer l.cosigner.asking.Unlock()
	for _, y := range l.logs() {
		newest := y.newest.Load()
		if newest.Size == 0 || newest.Size == y.cosignedSize() {
			continue
		}
		ctx, cancel := context.WithTimeout(l.live, l.cosigner.patience)
		signed, e := l.cosigner.cosign(ctx, y, newest)
		cancel()
		if e == nil {
			e = tiles.WriteFile(filepath.Join(y.dir, CosignedFile), signed)
		}
		if e != nil {
			err = errors.Join(err, fmt.Errorf("could not have the checkpoint of %d countersigned: %w", y.year, e))
			continue
		}
		y.cosigned.Store(&checkpoint{newest.Checkpoint, signed})
		signal(l.copying)
		behind = behind || y.size() > newest.Size
	}
	return behind, err
}

// cosign asks for a signature on the checkpoint and returns it with both.
func (c *cosigner) cosign(ctx context.Context, y *yearLog, newest *checkpoint) ([]byte, error) {
	old := y.cosignedSize()
	for range 2 { // the witness may know of another one than we do
		answer, size, err := c.post(ctx, y, newest, old)
		if err != nil {
			return nil, err
		}
		if answer == nil {
			if size > newest.Size {
				return nil, fmt.Errorf("the witness has confirmed %d records and the log has %d: records were removed, or another log uses the same key", size, newest.Size)
			}
			old = size
			continue
		}
		signed := append(bytes.Clone(newest.signed), answer...)
		opened, err := note.Open(signed, note.VerifierList(c.verifier))
		if err != nil {
			return nil, fmt.Errorf("the witness answered with a signature that is not its own: %w", err)
		}
		if len(opened.UnverifiedSigs) != bytes.Count(newest.signed, []byte("\n— ")) {
			return nil, errors.New("the witness answered with more than its signature")
		}
		return signed, nil
	}
	return nil, errors.New("the witness changes its mind about the last checkpoint; somebody else uses it for this log")
}

// post sends the request of C2SP tlog-witness. Where the witness knows another
// checkpoint than old, its size comes back.
func (c *cosigner) post(ctx context.Context, y *yearLog, newest *checkpoint, old uint64) (answer []byte, size uint64, err error) {
	proof, err := y.consistency(ctx, old, newest.Size)
	if err != nil {
		return nil, 0, err
	}
	body := witness.Request(old, proof, newest.signed)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 16<<10))
	if err != nil {
		return nil, 0, err
	}
	switch {
	case response.StatusCode == http.StatusOK:
		return raw, 0, nil
	case response.StatusCode == http.StatusConflict && response.Header.Get("Content-Type") == witness.SizeType:
		size, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
		return nil, size, err
	}
	return nil, 0, fmt.Errorf("the witness answered %s: %s", response.Status, strings.TrimSpace(string(raw)))
}

func (y *yearLog) consistency(ctx context.Context, old, size uint64) ([][]byte, error) {
	if old == 0 || old == size {
		return nil, nil
	}
	builder, err := y.proofs(ctx, size)
	if err != nil {
		return nil, fmt.Errorf("could not prove that the log only grew: %w", err)
	}
	return builder.ConsistencyProof(ctx, old, size)
}

// proofs builds proofs about the log at a size from its tiles.
func (y *yearLog) proofs(ctx context.Context, size uint64) (*client.ProofBuilder, error) {
	return client.NewProofBuilder(ctx, size, func(_ context.Context, level, index uint64, p uint8) ([]byte, error) {
		return tiles.ReadTile(y.dir, level, index, int(p))
	})
}

// confirmed waits until the witness has signed a checkpoint that covers the entry.
func (l *Ledger) confirmed(ctx context.Context, e *entry) error {
	ctx, cancel := context.WithTimeout(ctx, l.cosigner.patience)
	defer cancel()
	signal(l.urgent)
	for {
		l.cosigner.mu.Lock()
		asked, failure := l.cosigner.asked, l.cosigner.failure
		l.cosigner.mu.Unlock()
		if e.year.cosignedSize() > e.index {
			return nil
		}
		select {
		case <-asked:
		case <-ctx.Done():
			if failure != nil {
				// What the witness or the network said stays in the server's log.
				return fmt.Errorf("%w within %s: it is away", ErrUnwitnessed, l.cosigner.patience)
			}
			return fmt.Errorf("%w within %s", ErrUnwitnessed, l.cosigner.patience)
		}
	}
}
