// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi_test

import (
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/audit/verify"
	"github.com/fairway-cloud/fairway/internal/audit/witness"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// TestActsInProductionCarryTheirReceipt acts through a chain with a real log and a real
// witness: what happens in production is answered with a receipt that proves it, what
// happens elsewhere with the number of its record, also where the hub refused it.
func TestActsInProductionCarryTheirReceipt(t *testing.T) {
	dir := t.TempDir()
	key, err := ledger.EnsureKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.Open(witness.Options{Dir: t.TempDir(), Logs: []string{key.Public}})
	if err != nil {
		t.Fatal(err)
	}
	countersigns := httptest.NewServer(w)
	t.Cleanup(func() { countersigns.Close(); _ = w.Close() })
	log, err := ledger.Open(ledger.Options{
		Dir: dir, Interval: 5 * time.Millisecond, Witness: &ledger.Witness{URL: countersigns.URL, Key: w.PublicKey()},
		Witnessed: func(a audit.Act) bool { return a.Environment == "prod" },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	routes := []httpapi.Route{{
		Method: http.MethodPost, Pattern: "/act/{environment}", Room: "release", Verb: "start", Effect: httpapi.Writes,
		Describe: func(r *http.Request) (httpapi.Act, error) {
			return httpapi.Act{Subject: "Release/retail/x", Environment: r.PathValue("environment")}, nil
		},
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			if r.URL.Query().Has("refused") {
				return httpapi.NewProblem(httpapi.CodeDenied, "could not start it")
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		},
	}}
	handler, err := (&httpapi.Chain{Identity: anybody{}, Gate: approval.Unrestricted{}, Recorder: log, Receipts: log, Log: slog.New(slog.DiscardHandler)}).Mount(routes)
	if err != nil {
		t.Fatal(err)
	}
	act := func(path string) http.Header {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
		r.Header.Set("Authorization", "Bearer ops")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Result().Header
	}
	for _, path := range []string{"/act/prod", "/act/prod?refused"} {
		header := act(path)
		if !strings.HasSuffix(header.Get(httpapi.EvidenceHeader), ";witnessed") {
			t.Errorf("%s: the record is named %q", path, header.Get(httpapi.EvidenceHeader))
		}
		text, err := base64.RawURLEncoding.DecodeString(header.Get(httpapi.ReceiptHeader))
		if err != nil || len(text) == 0 || len(text) > 8<<10 {
			t.Fatalf("%s: a receipt of %d bytes: %v", path, len(text), err)
		}
		if proved, err := verify.Receipt(text, verify.Keys{Log: key.Public, Witness: w.PublicKey(), Counter: key.Counter}); err != nil || proved.Witnessed.IsZero() {
			t.Errorf("%s: %+v, %v", path, proved, err)
		}
	}
	if header := act("/act/sit"); header.Get(httpapi.EvidenceHeader) == "" || header.Get(httpapi.ReceiptHeader) != "" || strings.Contains(header.Get(httpapi.EvidenceHeader), "witnessed") {
		t.Errorf("outside production: %v", header)
	}
}
