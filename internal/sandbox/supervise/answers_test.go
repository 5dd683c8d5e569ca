// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package supervise_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairway-cloud/fairway/internal/sandbox/supervise"
)

// TestAnswers asks a server that is not ready, one that is, and one of which nobody has the
// authority.
func TestAnswers(t *testing.T) {
	status := http.StatusServiceUnavailable
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(s.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := supervise.Answers(s.URL, authority)(t.Context()); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v: want what it answered", err)
	}
	status = http.StatusOK
	if err := supervise.Answers(s.URL, authority)(t.Context()); err != nil {
		t.Errorf("it is ready: %v", err)
	}
	if err := supervise.Answers(s.URL, nil)(t.Context()); err == nil {
		t.Error("nobody has its authority, and it was believed")
	}
}
