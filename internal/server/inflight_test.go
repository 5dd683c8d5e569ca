// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/server"
)

// A write carries a mark that holds while it is on its way, for its person alone.
func TestWritesCarryAMarkWhileTheyAreUnderWay(t *testing.T) {
	var caller *server.Hub
	var seen []string
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value := r.Header.Get("Impersonate-Extra-fairway.cloud%2frequest")
		if value != "" && (!caller.InFlight("p-7", value) || caller.InFlight("p-8", value)) {
			t.Error("the mark holds for its person alone")
		}
		seen = append(seen, value)
	}))
	defer hub.Close()
	var err error
	if caller, err = server.NewHub(&rest.Config{Host: hub.URL}); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		if _, err := caller.Do(t.Context(), identity.Person{ID: "p-7"}, server.Call{Method: method, Path: "/apis/x"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 4 || seen[0] != "" || seen[1] == "" || seen[1] == seen[2] {
		t.Errorf("writes carry a mark of their own, reads none: %q", seen)
	}
	if caller.InFlight("p-7", seen[1]) || caller.InFlight("", "") {
		t.Error("a mark ends with its write")
	}
	ctx, end := context.WithCancel(t.Context())
	value := caller.Mark(ctx, identity.Person{ID: "p-7"})[server.RequestExtra][0]
	if !caller.InFlight("p-7", value) {
		t.Error("a mark for a client of its own holds")
	}
	end()
	for caller.InFlight("p-7", value) { // until the context has told
		continue
	}
}
