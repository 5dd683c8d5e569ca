// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/audittest"
	"github.com/fairway-cloud/fairway/internal/audit/export"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	auditserver "github.com/fairway-cloud/fairway/internal/audit/server"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/server"
)

// Tokens are person ids here.
type anybody struct{}

func (anybody) Authenticate(_ context.Context, credential string) (identity.Person, error) {
	return identity.Person{ID: credential}, nil
}

// rights by person: the namespaces that he may read, "" means all.
type rights map[string][]string

func (r rights) May(_ context.Context, person identity.Person, q server.Question) (bool, error) {
	if person.ID == "unlucky" {
		return false, httpapi.NewProblem(httpapi.CodeUnavailable, "the hub does not say what you may see")
	}
	if q.Group != "audit.fairway.cloud" || q.Resource != "records" {
		return false, errors.New("asked about something else")
	}
	for _, namespace := range r[person.ID] {
		if namespace == q.Namespace && (q.Verb != "rebuild" || person.ID == "auditor") {
			return true, nil
		}
	}
	return false, nil
}

type site struct {
	t     *testing.T
	url   string
	log   *audittest.Log
	index *index.Store
	key   *sealing.Key
}

var begin = time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, log: audittest.New("server", audittest.Clock(begin))}
	done := audit.Outcome{Result: audit.Done}
	for _, act := range []audit.Act{
		{Verb: "app.apply", Person: "p-dev", Subject: "Application/retail-prod/mobile-bank", Reason: "password=hunter2"},
		{Verb: "release.create", Person: "p-op", Subject: "Release/retail-prod/mobile-bank-x7k2p", Application: "retail-prod/mobile-bank", Ticket: "CHG-7"},
		{Verb: "app.apply", Person: "p-dev", Subject: "Application/cards-prod/limits"},
		{Verb: "fleet.join", Person: "p-adm", Subject: "Cluster/east-2"},
	} {
		s.log.Act(act, done)
	}
	var err error
	if s.index, err = index.Open(t.Context(), filepath.Join(t.TempDir(), "index.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.index.Close() })
	if s.key, err = sealing.Ensure(filepath.Join(t.TempDir(), "export.key"), "test-export"); err != nil {
		t.Fatal(err)
	}
	s.catchUp()
	chain := &httpapi.Chain{Identity: anybody{}, Gate: approval.Unrestricted{}, Recorder: s.log, Log: slog.New(slog.DiscardHandler)}
	handler, err := chain.Mount(auditserver.Routes(auditserver.Deps{
		Index: s.index, Log: s.log, Recorder: s.log, Key: s.key, PublicKey: s.key.Public, Logger: slog.New(slog.DiscardHandler),
		Authority: rights{"auditor": {""}, "retailer": {"retail-prod"}, "both": {"retail-prod", "cards-prod"}},
		Checkpoint: func(context.Context) ([]byte, error) {
			return []byte("fairway/2026\n8\nroot\n\n— fairway sig\n"), nil
		},
		Kinds: []httpapi.Kind{{Kind: "Application", Plural: "applications", Singular: "application", ShortNames: []string{"app"}}},
		Kin: func(_ context.Context, s index.Subject) []index.Subject {
			if s.Name == "limits" {
				return []index.Subject{{Kind: "cluster", Name: "east-2"}}
			}
			return nil
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(handler)
	t.Cleanup(listener.Close)
	s.url = listener.URL
	return s
}

func (s *site) catchUp() {
	s.t.Helper()
	if _, _, err := s.index.CatchUp(s.t.Context(), s.log); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) do(method, person, path string) *http.Response {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+person)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

type list struct {
	Items []struct {
		Index     uint64
		Says      string
		Reason    string
		Namespace string
	}
	Metadata struct {
		Continue     string
		Covers, Size uint64
	}
	Code, Detail string
}

func (s *site) list(person, path string, status int) list {
	s.t.Helper()
	response := s.do(http.MethodGet, person, path)
	got := list{}
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || response.StatusCode != status {
		s.t.Fatalf("%s: want %d, got %d %+v %v", path, status, response.StatusCode, got, err)
	}
	return got
}

func (l list) numbers() []uint64 {
	var all []uint64
	for _, i := range l.Items {
		all = append(all, i.Index)
	}
	return all
}

func TestEverybodySeesWhatHeMayRead(t *testing.T) {
	s := newSite(t)
	const records, history = "/api/v1/audit/records", "/api/v1/audit/history/"
	tests := map[string]struct {
		person, path string
		want         []uint64
	}{
		"Auditor":            {"auditor", records, []uint64{6, 4, 2, 0}},
		"Retailer":           {"retailer", records, []uint64{2, 0}},
		"Both":               {"both", records, []uint64{4, 2, 0}},
		"Nobody":             {"p-dev", records, nil},
		"OfOneNamespace":     {"auditor", records + "?namespace=cards-prod", []uint64{4}},
		"OfForeignNamespace": {"retailer", records + "?namespace=cards-prod", nil},
		"OfNoNamespace":      {"both", records + "?name=east-2", nil},
		"ByTicket":           {"retailer", records + "?ticket=CHG-7", []uint64{2}},
		"ForeignByPerson":    {"retailer", records + "?person=p-adm", nil},
		"Kind":               {"auditor", records + "?kind=Release", []uint64{2}},
		"Oldest":             {"auditor", records + "?order=oldest", []uint64{0, 2, 4, 6}},
		"Since":              {"auditor", records + "?since=" + url.QueryEscape("2026-11-28T16:00:06+08:00"), []uint64{6}},
		"History":            {"retailer", history + "application/retail-prod/mobile-bank", []uint64{0, 2}},
		"HistoryPlural":      {"retailer", history + "Applications/retail-prod/mobile-bank", []uint64{0, 2}},
		"HistoryShort":       {"auditor", history + "app/cards-prod/limits", []uint64{4, 6}},
		"HistoryForeign":     {"retailer", history + "application/cards-prod/limits", nil},
		"HistoryKinForeign":  {"both", history + "application/cards-prod/limits", []uint64{4}},
		"HistoryOfCluster":   {"auditor", history + "cluster/east-2", []uint64{6}},
		"HistoryOfNothing":   {"auditor", history + "application/retail-prod/nothing", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.list(test.person, test.path, http.StatusOK)
			if diff := cmp.Diff(test.want, got.numbers()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Metadata.Covers != 8 || got.Metadata.Size != 8 {
				t.Errorf("an answer says how much of the log it covers: %+v", got.Metadata)
			}
		})
	}
	if got := s.list("retailer", records+"?order=oldest", http.StatusOK).Items[0]; got.Reason != "password=[secret]" ||
		got.Says != "p-dev applied application mobile-bank in retail-prod (password=[secret]): done" {
		t.Errorf("%+v", got)
	}
}

func TestOneRecord(t *testing.T) {
	s := newSite(t)
	if response := s.do(http.MethodGet, "retailer", "/api/v1/audit/records/3"); response.StatusCode != http.StatusOK {
		t.Errorf("an outcome's number finds the act: %d", response.StatusCode)
	}
	// What is foreign answers exactly as what is not there.
	foreign, missing := s.list("retailer", "/api/v1/audit/records/4", http.StatusNotFound), s.list("retailer", "/api/v1/audit/records/4000", http.StatusNotFound)
	if foreign.Code != missing.Code || strings.ReplaceAll(foreign.Detail, "4", "4000") != missing.Detail {
		t.Errorf("%+v differs from %+v", foreign, missing)
	}
	s.list("retailer", "/api/v1/audit/records/x", http.StatusNotFound)
	s.list("retailer", "/api/v1/audit/records/6", http.StatusNotFound)
}

func TestPagesAndBadQuestions(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/api/v1/audit/records?x=&", "/api/v1/audit/history/application/retail-prod/mobile-bank?"} {
		path = strings.Replace(path, "x=&", "", 1)
		if !strings.Contains(path, "?") {
			path += "?"
		}
		first := s.list("retailer", path+"&limit=1", http.StatusOK)
		second := s.list("retailer", path+"&limit=1&continue="+first.Metadata.Continue, http.StatusOK)
		if len(first.Items) != 1 || len(second.Items) != 1 || first.Items[0].Index == second.Items[0].Index || second.Metadata.Continue != "" {
			t.Errorf("%s: %+v %+v", path, first, second)
		}
	}
	first := s.list("auditor", "/api/v1/audit/records?limit=1", http.StatusOK)
	for name, query := range map[string]string{
		"unknown": "colour=red", "twice": "person=a&person=b", "limit": "limit=0", "much": "limit=1001", "time": "since=yesterday", "order": "order=up",
		"position": "continue=x", "foreignPosition": "person=p&continue=" + first.Metadata.Continue, "long": "text=" + strings.Repeat("x", 600),
	} {
		if got := s.list("auditor", "/api/v1/audit/records?"+query, http.StatusBadRequest); got.Code != "bad-request" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	s.list("unlucky", "/api/v1/audit/records", http.StatusServiceUnavailable)
}

func TestAnExportIsSignedAndRecorded(t *testing.T) {
	s := newSite(t)
	for _, format := range export.Formats() {
		response := s.do(http.MethodGet, "retailer", "/api/v1/audit/export?format="+format+"&person=p-op")
		_, params, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response.Status, err)
		}
		parts := multipart.NewReader(response.Body, params["boundary"])
		var contents []string
		for {
			part, err := parts.NextPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(part)
			if err != nil {
				t.Fatal(err)
			}
			contents = append(contents, string(raw))
		}
		verifier, err := sealing.Verifier(s.key.Public)
		if err != nil || len(contents) != 2 {
			t.Fatal(err, len(contents))
		}
		got, err := export.Check([]byte(contents[1]), strings.NewReader(contents[0]), verifier)
		if err != nil || got.Acts != 1 || got.By != "retailer" || got.Query != "person=p-op" || !strings.HasPrefix(got.Checkpoint, "fairway/2026\n8\n") {
			t.Errorf("%s: %+v %v", format, got, err)
		}
		entries := s.log.Entries()
		act, outcome := entries[len(entries)-2].Record.Act, entries[len(entries)-1].Record.Outcome
		if act == nil || act.Verb != "audit.export" || act.Person != "retailer" || !cmp.Equal(act.Details, []string{"person=p-op"}) {
			t.Errorf("%s: that it was exported is evidence: %+v", format, act)
		}
		if outcome == nil || outcome.Result != audit.Done || outcome.After != got.Digest {
			t.Errorf("%s: %+v", format, outcome)
		}
	}
	s.log.SetAway(true)
	if response := s.do(http.MethodGet, "retailer", "/api/v1/audit/export"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("what cannot be recorded is not exported: %s", response.Status)
	}
	s.log.SetAway(false)
	if response := s.do(http.MethodGet, "stranger", "/api/v1/audit/export"); response.StatusCode != http.StatusForbidden {
		t.Errorf("who may export nothing is told so, instead of being given nothing: %s", response.Status)
	}
	if response := s.do(http.MethodGet, "retailer", "/api/v1/audit/export?format=pdf"); response.StatusCode != http.StatusBadRequest {
		t.Errorf("%s", response.Status)
	}
}

func TestRebuilding(t *testing.T) {
	s := newSite(t)
	if response := s.do(http.MethodPost, "retailer", "/api/v1/audit/rebuild"); response.StatusCode != http.StatusForbidden {
		t.Errorf("%s", response.Status)
	}
	if response := s.do(http.MethodPost, "auditor", "/api/v1/audit/rebuild"); response.StatusCode != http.StatusAccepted {
		t.Errorf("%s", response.Status)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		// Two refused and accepted acts were recorded meanwhile.
		if covers, err := s.index.Covers(t.Context()); err == nil && covers > 8 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the index is not made anew")
		}
	}
	if got := s.list("retailer", "/api/v1/audit/records", http.StatusOK); len(got.Items) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestRetention(t *testing.T) {
	s := newSite(t)
	response := s.do(http.MethodGet, "auditor", "/api/v1/audit/retention")
	got := struct {
		Items []struct {
			Year      int
			KeptUntil time.Time
			May, Why  string
		}
	}{}
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || len(got.Items) != 1 || got.Items[0].Year != 2026 ||
		got.Items[0].May != "not go" || !got.Items[0].KeptUntil.Equal(time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v %v", got, err)
	}
	if response := s.do(http.MethodGet, "retailer", "/api/v1/audit/retention"); response.StatusCode != http.StatusForbidden {
		t.Errorf("%s", response.Status)
	}
}

func TestWithoutAnIndexNothingIsAnswered(t *testing.T) {
	chain := &httpapi.Chain{Identity: anybody{}, Gate: approval.Unrestricted{}, Recorder: audittest.New("s", time.Now), Log: slog.New(slog.DiscardHandler)}
	handler, err := chain.Mount(auditserver.Routes(auditserver.Deps{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"records", "records/1", "history/a/b", "history/a/b/c", "export", "key", "retention"} {
		request := httptest.NewRequest(http.MethodGet, "/api/v1/audit/"+path, nil)
		request.Header.Set("Authorization", "Bearer auditor")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
}
