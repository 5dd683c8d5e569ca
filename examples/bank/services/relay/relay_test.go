// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package relay

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/examples/bank/services/instance"
	"github.com/fairway-cloud/fairway/examples/bank/services/settings"
)

// relayTo makes a relay of a component before an address.
func relayTo(t *testing.T, component, address, config string) *httptest.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := settings.Open(path, defaults(), check)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(instance.New("/nowhere", instance.Card{Component: component, DCN: "dcn-east-1"}), address, file)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.Handler())
	t.Cleanup(server.Close)
	return server
}

func call(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func TestTheAnswerNamesEveryComponent(t *testing.T) {
	ledger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"component":"ledger"}`)
	}))
	defer ledger.Close()
	account := relayTo(t, "account", ledger.URL, `{}`)
	channel := relayTo(t, "channel", account.URL, `{"greeting":"good day"}`)

	code, body := call(t, http.MethodGet, channel.URL+"/", "")
	var got struct {
		Component, Greeting, DCN string
		Next                     struct {
			Component string
			Next      struct{ Component string }
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if code != 200 || got.Component != "channel" || got.Greeting != "good day" || got.DCN != "dcn-east-1" ||
		got.Next.Component != "account" || got.Next.Next.Component != "ledger" {
		t.Errorf("%d %s", code, body)
	}
}

func TestANextThatIsAwayIsSaid(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	server := relayTo(t, "account", gone.URL, `{"patience":"100ms"}`)
	code, body := call(t, http.MethodGet, server.URL+"/", "")
	if code != 502 || !strings.Contains(body, `"component":"account"`) || !strings.Contains(body, "could not reach") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := call(t, http.MethodPost, server.URL+"/transfer", `{"id":"a","amount":1}`); code != 502 {
		t.Errorf("%d %s", code, body)
	}
}

func TestTransfersAreRepeatedUntilTheLedgerAnswers(t *testing.T) {
	var calls atomic.Int32
	var seen atomic.Value
	ledger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch calls.Add(1) {
		case 1: // a ledger that waits for the lock
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2: // one that dies in the middle
			panic(http.ErrAbortHandler)
		default:
			body, _ := io.ReadAll(r.Body)
			seen.Store(r.Header.Get("Idempotency-Key") + " " + string(body))
			fmt.Fprint(w, `{"status":"done"}`)
		}
	}))
	defer ledger.Close()
	server := relayTo(t, "account", ledger.URL, `{}`)
	order := `{"id":"t-1","from":"a","to":"b","amount":5}`
	code, body := call(t, http.MethodPost, server.URL+"/transfer", order)
	if code != 200 || body != `{"status":"done"}` {
		t.Errorf("%d %s", code, body)
	}
	if diff := cmp.Diff("t-1 "+order, seen.Load()); diff != "" {
		t.Errorf("what the ledger saw (-want +got):\n%s", diff)
	}
}

func TestTransfersRefusedHere(t *testing.T) {
	ledger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a refused transfer reached the ledger")
	}))
	defer ledger.Close()
	server := relayTo(t, "account", ledger.URL, `{"limit":100}`)
	for reason, tc := range map[string]struct {
		body string
		want int
	}{
		"not JSON":       {`{`, 400},
		"without an id":  {`{"amount":1}`, 400},
		"over the limit": {`{"id":"a","amount":101}`, 422},
		"too long":       {`{"id":"` + strings.Repeat("a", 70<<10) + `"}`, 400},
	} {
		if code, body := call(t, http.MethodPost, server.URL+"/transfer", tc.body); code != tc.want {
			t.Errorf("%s: %d %s, want %d", reason, code, body, tc.want)
		}
	}
}

func TestTheLedgersRefusalComesThrough(t *testing.T) {
	ledger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"error":"overdraft"}`)
	}))
	defer ledger.Close()
	server := relayTo(t, "account", ledger.URL, `{}`)
	if code, body := call(t, http.MethodPost, server.URL+"/transfer", `{"id":"a"}`); code != 409 || body != `{"error":"overdraft"}` {
		t.Errorf("%d %s", code, body)
	}
}

func TestAddressesAreChecked(t *testing.T) {
	for _, address := range []string{"", "account:8080", "https://account", "http://"} {
		if _, err := New(nil, address, nil); err == nil {
			t.Errorf("address %q was taken", address)
		}
	}
}
