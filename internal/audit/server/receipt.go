// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/fairway-cloud/fairway/internal/audit"
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

// mayProve says whether the person may read the act that a record belongs to. What the
// index has not read yet is looked up in the log.
func (h *handlers) mayProve(ctx context.Context, r *http.Request, number uint64) (bool, error) {
	a, ok, err := h.Index.Get(ctx, number)
	if err != nil {
		return false, away(err)
	}
	if ok {
		return h.mayRead(ctx, who(r), a.Namespace)
	}
	var entries []audit.Entry
	if entries, err = h.Log.Read(ctx, number, 1); err != nil {
		return false, httpapi.NewProblem(httpapi.CodeUnavailable, "could not read the evidence log").Because(err)
	}
	if len(entries) == 0 {
		return false, nil
	}
	// Of what is not indexed nobody knows the namespace: whoever may read all may see it.
	return h.mayRead(ctx, who(r), "")
}
