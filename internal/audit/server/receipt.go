// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/mask"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// receipt answers with the proof that a record stands in the log, to whoever may read
// the act that it belongs to. A record that masking would change is left out of it: its
// hash stands in, and the record in the log's folder answers to it.
func (h *handlers) receipt(w http.ResponseWriter, r *http.Request) error {
	if err := parameters(r.URL.Query()); err != nil {
		return err
	}
	if h.Receipts == nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "this server gives no receipts")
	}
	subject := "record " + strconv.Quote(r.PathValue("index"))
	number, err := strconv.ParseUint(r.PathValue("index"), 10, 63)
	if err != nil {
		return httpapi.Missing(subject)
	}
	may, err := h.mayProve(r.Context(), r, number)
	if err != nil {
		return err
	}
	if !may {
		return httpapi.Missing(subject)
	}
	receipt, leaf, err := h.Receipts.Receipt(r.Context(), number)
	if errors.Is(err, ledger.ErrNoReceipt) {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not prove %s yet", subject).WithNext("Ask again in a moment: the witness confirms new records within seconds.").Because(err)
	}
	if err != nil {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not prove %s now", subject).Because(err)
	}
	if mask.Text(string(receipt.Entry)) != string(receipt.Entry) {
		receipt = receipt.Short(leaf)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(receipt.Text()))
	return nil
}

// mayProve says whether the person may read the act that a record belongs to.
func (h *handlers) mayProve(ctx context.Context, r *http.Request, number uint64) (bool, error) {
	a, ok, err := h.indexed(ctx, number)
	if err != nil {
		return false, away(err)
	}
	if !ok {
		return false, nil
	}
	return h.mayRead(ctx, who(r), a.Namespace)
}

const (
	// indexPatience is how long a receipt waits for the index, which follows the log.
	indexPatience = 3 * time.Second
	// mostAhead is how far beyond the newest checkpoint a record may be that is waited for.
	mostAhead = 16384
)

// indexed finds the act of a record. Whoever has just acted asks before the index has
// read of it, and waits a little.
func (h *handlers) indexed(ctx context.Context, number uint64) (a index.Act, ok bool, err error) {
	// Of a log that cannot say its size the index is asked once.
	size, sizeless := h.Log.Size(ctx)
	ctx, cancel := context.WithTimeout(ctx, indexPatience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		covers, err := h.Index.Covers(ctx)
		if err != nil {
			return a, false, err
		}
		if a, ok, err = h.Index.Get(ctx, number); err != nil || ok || covers > number || sizeless != nil || number >= size+mostAhead {
			return a, ok, err
		}
		select {
		case <-ctx.Done():
			return a, false, errors.New("the index of evidence has not read this record yet")
		case <-again.C:
		}
	}
}
