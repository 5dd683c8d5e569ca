// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"sync"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// RequestExtra is the key of the impersonation that carries which request of the
// chain a write belongs to. Admission reads it: what the chain has recorded is not
// recorded twice.
const RequestExtra = "fairway.cloud/request"

const requestHeader = "Impersonate-Extra-fairway.cloud%2frequest"

// inFlight are the writes that are on their way to the hub now.
type inFlight struct {
	mu    sync.Mutex
	calls map[string]string // value of the extra, to the person it was made for
}

// mark says in the headers of a write which request it belongs to, until end is
// called. The value cannot be guessed: a client may choose the trace, and whoever
// may impersonate could else pass for the chain. Reads carry nothing.
func (f *inFlight) mark(ctx context.Context, h http.Header, method string, person identity.Person) (end func()) {
	if isReading(method) {
		return func() {}
	}
	value, end := f.begin(ctx, person)
	h[requestHeader] = []string{value}
	return end
}

func (f *inFlight) begin(ctx context.Context, person identity.Person) (value string, end func()) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails, as of Go 1.24
	value = httpapi.Trace(ctx) + "." + hex.EncodeToString(nonce[:])
	f.mu.Lock()
	if f.calls == nil {
		f.calls = map[string]string{}
	}
	f.calls[value] = person.ID
	f.mu.Unlock()
	return value, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.calls, value)
	}
}

func isReading(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// Mark returns the extra of an impersonation for writes that a request of the
// chain makes through a client of its own. It holds until ctx ends.
func (h *Hub) Mark(ctx context.Context, person identity.Person) map[string][]string {
	value, end := h.flights.begin(ctx, person)
	context.AfterFunc(ctx, end)
	return map[string][]string{RequestExtra: {value}}
}

// InFlight says whether a write of the person that carries value is on its way
// from this server's chain, which has recorded it.
func (h *Hub) InFlight(person, value string) bool {
	h.flights.mu.Lock()
	defer h.flights.mu.Unlock()
	of, ok := h.flights.calls[value]
	return ok && of == person
}
