// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// lost is a log that takes nothing, and whose spool takes nothing either.
type lost struct{ spool bool }

var errFull = errors.New("no space left on device")

func (lost) Intent(context.Context, audit.Act) (string, error)    { return "", errFull }
func (lost) Outcome(context.Context, string, audit.Outcome) error { return errFull }
func (l lost) Spool(context.Context, audit.Act) (string, error) {
	if l.spool {
		return "spooled-1", nil
	}
	return "", errFull
}

// unknowing is a Gate that cannot find out.
type unknowing struct{}

func (unknowing) Check(context.Context, approval.Act) (approval.Verdict, error) {
	return approval.Verdict{}, errors.New("the hub is away")
}

// What asks for the way back is never refused because something is away; everything
// else is, with a word why.
func TestTheWayBackPassesTheChain(t *testing.T) {
	describe := func(r *http.Request) (httpapi.Act, error) {
		return httpapi.Act{Subject: "Release/retail-prod/x", Environment: "prod", WayBack: r.URL.Query().Get("desired") == "Stop"}, nil
	}
	done := func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusNoContent); return nil }
	routes := []httpapi.Route{
		{Method: http.MethodPost, Pattern: "/stop", Room: "release", Verb: "stop", Effect: httpapi.Writes, WayBack: true, Describe: describe, Handler: done},
		{Method: http.MethodPatch, Pattern: "/patch", Room: "release", Verb: "patch", Effect: httpapi.Writes, Describe: describe, Handler: done},
	}
	for name, test := range map[string]struct {
		gate     approval.Gate
		recorder audit.Recorder
	}{
		"gate away":                {unknowing{}, silent{}},
		"log away, spool takes it": {approval.Unrestricted{}, lost{spool: true}},
		"every disk full":          {approval.Unrestricted{}, lost{}},
		"all of it":                {unknowing{}, lost{}},
	} {
		chain := &httpapi.Chain{Identity: anybody{}, Gate: test.gate, Recorder: test.recorder, Log: slog.New(slog.DiscardHandler)}
		handler, err := chain.Mount(routes)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		for what, want := range map[string]int{
			"POST /stop": http.StatusNoContent, "PATCH /patch?desired=Stop": http.StatusNoContent, "PATCH /patch?desired=Run": http.StatusServiceUnavailable,
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				method, path, _ := strings.Cut(what, " ")
				request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Authorization", "Bearer ops")
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if response.StatusCode != want {
					t.Errorf("got %s, wanted %d", response.Status, want)
				}
			})
		}
	}
}
