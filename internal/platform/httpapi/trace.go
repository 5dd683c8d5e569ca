// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
)

type traceKey struct{}

var traceParent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)

const noTrace = "00000000000000000000000000000000"

// traceOf takes the trace id that the client sent (W3C traceparent), or makes one.
func traceOf(r *http.Request) string {
	if m := traceParent.FindStringSubmatch(r.Header.Get("Traceparent")); m != nil && m[1] != noTrace {
		return m[1]
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, as of Go 1.24
	return hex.EncodeToString(id[:])
}

// Trace returns the trace id of the request that ctx belongs to.
func Trace(ctx context.Context) string {
	trace, _ := ctx.Value(traceKey{}).(string)
	return trace
}
