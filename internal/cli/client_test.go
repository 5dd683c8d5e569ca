// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/cli/config"
)

func TestProblemsBecomeExitCodes(t *testing.T) {
	for code, want := range map[string]int{
		"unauthenticated": 3, "denied": 3, "approval-pending": 4, "conflict": 5, "already-exists": 5, "precondition-required": 5,
		"not-found": 6, "timeout": 7, "invalid": 8, "bad-request": 8, "unavailable": 9, "cluster-not-connected": 9, "evidence-away": 9,
		"internal": 1, "of-a-later-version": 1,
	} {
		a, c := newAPI(t)
		a.on("GET /x", 400, problemOf(400, code, "could not do it"))
		_, err := c.Do(context.Background(), Request{Method: http.MethodGet, Path: "/x"})
		if got := ExitOf(err); got != want {
			t.Errorf("%s: a script must be able to tell, want exit %d, got %d", code, want, got)
		}
	}
}

func TestFailureSaysWhatToDo(t *testing.T) {
	a, c := newAPI(t)
	a.on("GET /x", 422, `{"detail":"could not accept application \"pay\"","code":"invalid","trace":"0af7","next":"Correct it.","causes":[{"field":"spec.image","message":"no such field"}]}`)
	_, err := c.Do(context.Background(), Request{Method: http.MethodGet, Path: "/x"})
	want := "could not accept application \"pay\"\n  - spec.image: no such field\n  next: Correct it.\n  code: invalid  trace: 0af7"
	if err == nil {
		t.Fatal("a problem is a failure")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("cause in one line, fields, next step, code and trace: (-want +got)\n%s", diff)
	}
}

func TestTraceShowsNoSecret(t *testing.T) {
	a, c := newAPI(t)
	a.on("POST /x", 200, "{}")
	trace := &bytes.Buffer{}
	c.Trace = trace
	if _, err := c.Do(context.Background(), Request{Method: http.MethodPost, Path: "/x", Body: Object{"kubeconfig": "s3cret"}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(trace.String(), "POST /x -> 200") || strings.Contains(trace.String(), a.token) || strings.Contains(trace.String(), "s3cret") {
		t.Errorf("requests are shown without token and body: %s", trace)
	}
}

func TestSomethingElseAnswers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			_, c := newAPI(t)
			other, err := NewClient(Access{Server: server.URL, TokenFile: c.access.TokenFile})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Do(context.Background(), Request{Method: http.MethodGet, Path: "/x"}); ExitOf(err) != ExitUnavailable || !strings.Contains(err.Error(), "--server") {
				t.Errorf("what is no problem of ours is told as such, got %v", err)
			}
		})
	}
}

func TestNoAnswerInTime(t *testing.T) {
	_, c := newAPI(t)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	other, err := NewClient(Access{Server: slow.URL, TokenFile: c.access.TokenFile})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := other.Do(ctx, Request{Method: http.MethodGet, Path: "/x"}); ExitOf(err) != ExitTimeout {
		t.Errorf("want exit %d, got %v", ExitTimeout, err)
	}
}

func TestTokenOfOthersIsRefused(t *testing.T) {
	_, c := newAPI(t)
	if err := os.Chmod(c.access.TokenFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(c.access); ExitOf(err) != ExitDenied {
		t.Errorf("a token that others can read is no secret, got %v", err)
	}
}

func TestFindAccess(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "client.yaml")
	if err := config.Write(path, config.Client{Server: "https://a:1", CAFile: "ca.crt", TokenFile: "token", Namespace: "retail-sit"}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		reason string
		given  Access
		want   Access
		exit   int
	}{
		"file": {"the file says all", Access{}, Access{Server: "https://a:1", CAFile: dir + "/ca.crt", TokenFile: dir + "/token", Namespace: "retail-sit"}, 0},
		"flag": {"a flag goes before the file", Access{Namespace: "retail-prod"}, Access{Server: "https://a:1", CAFile: dir + "/ca.crt", TokenFile: dir + "/token", Namespace: "retail-prod"}, 0},
		"other": {"a token is not sent to another server than its own", Access{Server: "https://b:1"},
			Access{Server: "https://b:1"}, ExitUsage},
		"both": {"flags alone are enough", Access{Server: "https://b:1", TokenFile: "t"}, Access{Server: "https://b:1", TokenFile: "t"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(config.Variable, path)
			got, err := FindAccess(tc.given)
			if ExitOf(err) != tc.exit {
				t.Errorf("%s: want exit %d, got %v", tc.reason, tc.exit, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func TestListReadsAllPages(t *testing.T) {
	a, c := newAPI(t)
	a.answers["GET /api/v1/fleet/pools"] = func(r *http.Request, _ string) (int, string) {
		if r.URL.Query().Get("continue") == "" {
			return 200, `{"items":[{"metadata":{"name":"a"}}],"metadata":{"continue":"next","remainingItemCount":1}}`
		}
		return 200, `{"items":[{"metadata":{"name":"b"}}],"metadata":{}}`
	}
	found, err := c.List(context.Background(), kindOf(t, "pools"), Selection{})
	if err != nil || len(found) != 2 || NameOf(found[1]) != "b" {
		t.Errorf("want both pages, got %v %v", found, err)
	}
	first, more, err := c.Page(context.Background(), kindOf(t, "pools"), Selection{Limit: 1})
	if err != nil || len(first) != 1 || more.Continue != "next" || more.Remaining != 1 {
		t.Errorf("want the first page and what follows, got %v %+v %v", first, more, err)
	}
}

func TestFindInstance(t *testing.T) {
	row := func(application string) string {
		return `{"seat":"account-1","namespace":"retail-prod","application":"` + application + `"}`
	}
	for name, tc := range map[string]struct {
		reason, items string
		exit          int
	}{
		"one":     {"a seat is enough where it is the only one", row("bank"), 0},
		"none":    {"one that is not there", "", ExitNotFound},
		"several": {"seats of several applications are not guessed at", row("bank") + "," + row("cards"), ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			a, c := newAPI(t)
			a.on("GET /api/v1/delivery/instances", 200, `{"items":[`+tc.items+`]}`)
			i, err := c.FindInstance(context.Background(), "retail-prod", "", "account-1")
			if ExitOf(err) != tc.exit {
				t.Fatalf("%s: want exit %d, got %v", tc.reason, tc.exit, err)
			}
			if tc.exit == 0 && i.Path() != "/api/v1/delivery/instances/retail-prod/bank/account-1" {
				t.Errorf("%s: got %q", tc.reason, i.Path())
			}
			if name == "several" && !strings.Contains(err.Error(), "-n retail-prod --app cards") {
				t.Errorf("%s: the choice is shown, got %v", tc.reason, err)
			}
		})
	}
}

func TestInterruptedIsToldApart(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := pause(ctx, time.Hour)
	var f *Failure
	if !errors.As(err, &f) || f.Exit != ExitInterrupted {
		t.Errorf("want exit %d, got %v", ExitInterrupted, err)
	}
}
