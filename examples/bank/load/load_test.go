// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// bank is a small bank that can be made to misbehave.
type bank struct {
	mu        sync.Mutex
	sum       int64
	transfers int64
	connected map[string]bool
	transfer  func(n int64, w http.ResponseWriter, id string)
}

func (b *bank) serve(t *testing.T) string {
	t.Helper()
	b.sum, b.connected = 1000, map[string]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"dcn":"dcn-east-1"}`) })
	mux.HandleFunc("GET /accounts", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items":[{"account":"a"},{"account":"b"},{"account":"c"}]}`)
	})
	mux.HandleFunc("GET /sum", func(w http.ResponseWriter, _ *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		fmt.Fprintf(w, `{"sum":%d,"transfers":%d}`, b.sum, b.transfers)
	})
	mux.HandleFunc("POST /transfer", func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.connected[r.RemoteAddr] = true
		var order struct {
			ID, From, To string
			Amount       int
		}
		if err := json.NewDecoder(r.Body).Decode(&order); err != nil || order.From == order.To || order.Amount < 1 {
			t.Errorf("a transfer that is none: %+v %v", order, err)
		}
		b.transfers++
		if b.transfer != nil {
			b.transfer(b.transfers, w, order.ID)
			return
		}
		fmt.Fprintf(w, `{"id":%q,"status":"done"}`, order.ID)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestVerdict(t *testing.T) {
	for reason, tc := range map[string]struct {
		bank  *bank
		wrong string
	}{
		"all is well": {bank: &bank{}},
		"refusals are the bank's right": {bank: &bank{transfer: func(_ int64, w http.ResponseWriter, _ string) {
			w.WriteHeader(http.StatusConflict)
		}}},
		"a failure": {bank: &bank{transfer: func(n int64, w http.ResponseWriter, id string) {
			if n == 3 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			fmt.Fprintf(w, `{"id":%q,"status":"done"}`, id)
		}}, wrong: "1 of 20 transfers failed"},
		"an answer to something else": {bank: &bank{transfer: func(_ int64, w http.ResponseWriter, _ string) {
			fmt.Fprint(w, `{"id":"other","status":"done"}`)
		}}, wrong: "20 of 20 transfers failed"},
		"a connection that breaks is not tried again in secret": {bank: &bank{transfer: func(n int64, w http.ResponseWriter, id string) {
			if n == 5 {
				panic(http.ErrAbortHandler)
			}
			fmt.Fprintf(w, `{"id":%q,"status":"done"}`, id)
		}}, wrong: "1 of 20 transfers failed"},
	} {
		t.Run(reason, func(t *testing.T) {
			report := load(t, tc.bank.serve(t), "-count", "20", "-rate", "1000")
			if report.Total.Sent != 20 || tc.bank.transfers != 20 {
				t.Errorf("%d sent, %d arrived, want 20", report.Total.Sent, tc.bank.transfers)
			}
			if got := strings.Join(report.Targets[0].Wrong, "; "); got != tc.wrong || report.OK != (tc.wrong == "") {
				t.Errorf("ok %v, wrong %q, want %q", report.OK, got, tc.wrong)
			}
			if report.Targets[0].DCN != "dcn-east-1" {
				t.Errorf("dcn %q", report.Targets[0].DCN)
			}
		})
	}
}

func TestMoneyThatVanishesIsSeen(t *testing.T) {
	b := &bank{}
	b.transfer = func(_ int64, w http.ResponseWriter, id string) {
		b.sum--
		b.transfers-- // and forgets what it acknowledged
		fmt.Fprintf(w, `{"id":%q,"status":"done"}`, id)
	}
	report := load(t, b.serve(t), "-count", "3", "-rate", "1000")
	want := "the sum changed from 1000 to 997; 3 transfers were acknowledged but only 0 are recorded"
	if got := strings.Join(report.Targets[0].Wrong, "; "); got != want || report.OK {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestConnections(t *testing.T) {
	kept := &bank{}
	load(t, kept.serve(t), "-count", "30", "-in-flight", "1", "-rate", "1000")
	if len(kept.connected) != 1 {
		t.Errorf("%d connections for one customer at a time, want 1", len(kept.connected))
	}
	fresh := &bank{}
	load(t, fresh.serve(t), "-count", "30", "-in-flight", "1", "-rate", "1000", "-new-connections")
	if len(fresh.connected) != 30 {
		t.Errorf("%d connections, want a new one for each of 30", len(fresh.connected))
	}
}

func TestRateAndDurationBoundTheRun(t *testing.T) {
	b := &bank{}
	start := time.Now()
	report := load(t, b.serve(t), "-rate", "100", "-duration", "300ms")
	if took := time.Since(start); report.Total.Sent != 30 || took < 280*time.Millisecond {
		t.Errorf("%d sent in %s, want 30 in about 0.3 s", report.Total.Sent, took)
	}
}

func TestArguments(t *testing.T) {
	for _, arguments := range [][]string{{}, {"-url", "nowhere"}, {"-url", "http://x", "-rate", "0"}, {"-url", "http://x", "-accounts", "1"}} {
		if _, err := command(t.Context(), arguments, io.Discard); err == nil {
			t.Errorf("%q was taken", arguments)
		}
	}
	if _, err := command(t.Context(), []string{"-url", "http://127.0.0.1:1", "-settle", "0s"}, io.Discard); err == nil ||
		!strings.HasPrefix(err.Error(), `could not start at "http://127.0.0.1:1"`) {
		t.Errorf("a bank that is away: %v", err)
	}
}

// load runs the command and reads its JSON.
func load(t *testing.T, url string, arguments ...string) Report {
	t.Helper()
	var out bytes.Buffer
	good, err := command(context.WithoutCancel(t.Context()), append([]string{"-url", url, "-json", "-settle", "1s"}, arguments...), &out)
	if err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.OK != good {
		t.Errorf("the command says %v, the report %v", good, report.OK)
	}
	return report
}
