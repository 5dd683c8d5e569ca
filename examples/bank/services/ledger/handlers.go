// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fairway-cloud/fairway/examples/bank/services/instance"
	"github.com/fairway-cloud/fairway/examples/bank/services/ledger/book"
	"github.com/fairway-cloud/fairway/examples/bank/services/serving"
	"github.com/fairway-cloud/fairway/examples/bank/services/settings"
)

var errWaiting = errors.New("waits for another ledger to let go of the volume")

// ledger answers for the book once it is open.
type ledger struct {
	who      *instance.Instance
	settings *settings.File[Settings]
	book     atomic.Pointer[book.Book]
	release  func() error // lets go of the volume; set before book
}

func (l *ledger) current() *book.Book { return l.book.Load() }

func (l *ledger) ready() error {
	if l.current() == nil {
		return errWaiting
	}
	return nil
}

// handler serves /, POST /transfer, /sum, /accounts and /journal?from=&limit=.
func (l *ledger) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", l.identify)
	mux.HandleFunc("POST /transfer", l.transfer)
	mux.HandleFunc("GET /sum", func(w http.ResponseWriter, r *http.Request) {
		summary, err := l.current().Summary(r.Context())
		reply(w, summary, err)
	})
	mux.HandleFunc("GET /accounts", func(w http.ResponseWriter, r *http.Request) {
		balances, err := l.current().Balances(r.Context())
		reply(w, map[string]any{"items": balances}, err)
	})
	mux.HandleFunc("GET /journal", l.journal)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Served-By", l.who.Card().Seat)
		if l.current() == nil {
			serving.Refuse(w, http.StatusServiceUnavailable, errWaiting)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (l *ledger) identify(w http.ResponseWriter, _ *http.Request) {
	serving.JSON(w, http.StatusOK, struct {
		instance.Card
		Greeting string `json:"greeting"`
	}{l.who.Card(), l.settings.Current().Greeting})
}

// transfer answers 200 for money that moved, 409 for a refusal that is in the
// journal, 422 for what can never be a transfer.
func (l *ledger) transfer(w http.ResponseWriter, r *http.Request) {
	var t book.Transfer
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&t); err != nil {
		serving.Refuse(w, http.StatusBadRequest, fmt.Errorf("could not read the transfer: %w: send id, from, to and amount", err))
		return
	}
	record, err := l.current().Post(r.Context(), t, l.who.Card().Seat, time.Now().UTC().Format(time.RFC3339Nano))
	if err == nil && record.Kind == book.Refused {
		serving.JSON(w, http.StatusConflict, record)
		return
	}
	reply(w, record, err)
}

func (l *ledger) journal(w http.ResponseWriter, r *http.Request) {
	from, err := number(r, "from", 1)
	limit, err2 := number(r, "limit", 1000)
	if err := errors.Join(err, err2); err != nil {
		serving.Refuse(w, http.StatusBadRequest, err)
		return
	}
	records, err := l.current().Journal(r.Context(), from, int(min(max(limit, 1), 10_000)))
	reply(w, map[string]any{"items": records}, err)
}

func number(r *http.Request, name string, missing int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return missing, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("parameter %s=%q is not a number", name, text)
	}
	return value, nil
}

func reply(w http.ResponseWriter, value any, err error) {
	var bad *book.Invalid
	switch {
	case errors.As(err, &bad):
		serving.Refuse(w, http.StatusUnprocessableEntity, err)
	case err != nil: // closed, or the caller left: asking again is safe
		serving.Refuse(w, http.StatusServiceUnavailable, err)
	default:
		serving.JSON(w, http.StatusOK, value)
	}
}
