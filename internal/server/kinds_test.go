// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var releaseKind = schema.GroupVersionKind{Group: "release.fairway.cloud", Version: "v1alpha1", Kind: "ReleaseList"}

func dataCenter(name string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"city":"Frankfurt","role":"Active","racks":[{"name":"a"}]}}`, name)
}

func release(application string) string {
	return fmt.Sprintf(`{"metadata":{"generateName":"r-"},"spec":{"application":%q,"kind":"Retire","reason":"a test"}}`, application)
}

func TestKindsRoundTrip(t *testing.T) {
	s := newSite(t)
	made := s.do(http.MethodPost, "/api/v1/fleet/datacenters", adminToken, dataCenter("dc-round"))
	if made.status != http.StatusCreated {
		t.Fatalf("create: %d %s", made.status, made.body)
	}
	if got := made.header.Get("Location"); got != "/api/v1/fleet/datacenters/dc-round" {
		t.Errorf("create must say where the object is, got %q", got)
	}
	read := s.do(http.MethodGet, "/api/v1/fleet/datacenters/dc-round", adminToken, "")
	etag := read.header.Get("ETag")
	if read.status != http.StatusOK || etag == "" {
		t.Fatalf("get: %d %q %s", read.status, etag, read.body)
	}
	if strings.Contains(string(read.body), "managedFields") {
		t.Error("managed fields must not fill answers")
	}
	body := strings.Replace(dataCenter("dc-round"), "Frankfurt", "Hanau", 1)
	if got := s.do(http.MethodPut, "/api/v1/fleet/datacenters/dc-round", adminToken, body); got.status != http.StatusPreconditionRequired {
		t.Errorf("an update without If-Match must be refused, got %d %s", got.status, got.body)
	}
	updated := s.do(http.MethodPut, "/api/v1/fleet/datacenters/dc-round", adminToken, body, "If-Match", etag)
	if updated.status != http.StatusOK {
		t.Fatalf("update: %d %s", updated.status, updated.body)
	}
	if got := s.do(http.MethodPut, "/api/v1/fleet/datacenters/dc-round", adminToken, body, "If-Match", etag); got.status != http.StatusConflict {
		t.Errorf("an update of an older version must be refused, got %d %s", got.status, got.body)
	}
	applied := s.do(http.MethodPatch, "/api/v1/fleet/datacenters/dc-round?fieldManager=test&force=true", adminToken, dataCenter("dc-round"), "Content-Type", "application/apply-patch+yaml")
	if applied.status != http.StatusOK {
		t.Errorf("apply: %d %s", applied.status, applied.body)
	}
	if got := s.do(http.MethodDelete, "/api/v1/fleet/datacenters/dc-round", adminToken, "", "If-Match", etag); got.status != http.StatusConflict {
		t.Errorf("a delete of an older version must be refused, got %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodDelete, "/api/v1/fleet/datacenters/dc-round", adminToken, ""); got.status != http.StatusNoContent {
		t.Errorf("delete: %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodGet, "/api/v1/fleet/datacenters/dc-round", adminToken, ""); got.status != http.StatusNotFound || got.code(t) != "not-found" {
		t.Errorf("a deleted object is not found, got %d %s", got.status, got.body)
	}
	acts, outcomes := s.recorder.seen()
	var got []string
	for i, a := range acts {
		got = append(got, a.Verb+" "+a.Subject+" "+a.Person+" "+string(outcomes[i].Result))
	}
	want := []string{
		"fleet.create DataCenter/dc-round sandbox-admin Done",
		"fleet.update DataCenter/dc-round sandbox-admin Refused",
		"fleet.update DataCenter/dc-round sandbox-admin Done",
		"fleet.update DataCenter/dc-round sandbox-admin Refused",
		"fleet.apply DataCenter/dc-round sandbox-admin Done",
		"fleet.delete DataCenter/dc-round sandbox-admin Refused",
		"fleet.delete DataCenter/dc-round sandbox-admin Done",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("each act has one intent and one outcome (-want +got):\n%s", diff)
	}
}

func TestDryRunChangesAndRecordsNothing(t *testing.T) {
	s := newSite(t)
	got := s.do(http.MethodPatch, "/api/v1/fleet/datacenters/dc-dry?dryRun=All", adminToken, dataCenter("dc-dry"), "Content-Type", "application/apply-patch+yaml")
	if got.status != http.StatusCreated {
		t.Fatalf("dry run: %d %s", got.status, got.body)
	}
	if got := s.do(http.MethodGet, "/api/v1/fleet/datacenters/dc-dry", adminToken, ""); got.status != http.StatusNotFound {
		t.Errorf("a dry run must make nothing, got %d", got.status)
	}
	if acts, _ := s.recorder.seen(); len(acts) != 0 {
		t.Errorf("a dry run is no act, got %v", acts)
	}
}

func TestBadBodies(t *testing.T) {
	s := newSite(t)
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	tests := map[string]struct {
		body, media string
		status      int
		field       string
		reason      string
	}{
		"UnknownField":   {body: `{"metadata":{"name":"x"},"spec":{"city":"F","role":"Active","colour":"red"}}`, status: 422, field: "spec.colour", reason: "unknown fields are refused with their path, never dropped"},
		"Duplicate":      {body: `{"metadata":{"name":"x"},"metadata":{"name":"y"},"spec":{}}`, status: 422, field: "metadata", reason: "two parsers could read two things"},
		"NotJSON":        {body: "metadata: {name: x}", status: 400, reason: "YAML bombs are kept out by taking JSON only"},
		"Trailing":       {body: `{"metadata":{"name":"x"}} {}`, status: 400, reason: "something follows the object"},
		"Array":          {body: `[]`, status: 400, reason: "a list is no object"},
		"Deep":           {body: deep, status: 400, reason: "nesting is bounded"},
		"Empty":          {body: " ", status: 400, reason: "an empty body makes nothing"},
		"OtherKind":      {body: `{"kind":"Cluster","metadata":{"name":"x"},"spec":{}}`, status: 422, field: "kind", reason: "the path says the kind"},
		"OtherNamespace": {body: `{"metadata":{"name":"x","namespace":"y"},"spec":{}}`, status: 422, field: "metadata.namespace", reason: "a cluster-scoped kind has no namespace"},
		"Media":          {body: `{}`, media: "text/plain", status: 415, reason: "only JSON is read"},
		"TooLarge":       {body: `{"x":"` + strings.Repeat("a", 2<<20) + `"}`, status: 413, reason: "size is bounded"},
		"GBK":            {body: "{\"metadata\":{\"name\":\"\xc9\xcf\xba\xa3\"}}", status: 422, reason: "broken text makes no name"},
		"LongName":       {body: dataCenter(strings.Repeat("a", 254)), status: 422, reason: "names are bounded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			media := test.media
			if media == "" {
				media = "application/json"
			}
			got := s.do(http.MethodPost, "/api/v1/fleet/datacenters", adminToken, test.body, "Content-Type", media)
			if got.status != test.status {
				t.Fatalf("%s: want %d, got %d %s", test.reason, test.status, got.status, got.body)
			}
			got.code(t)
			if test.field != "" && !strings.Contains(string(got.body), `"field":"`+test.field+`"`) {
				t.Errorf("%s: the answer must name %s: %s", test.reason, test.field, got.body)
			}
			if got.object(t)["next"] == "" {
				t.Errorf("a problem says what to do next: %s", got.body)
			}
		})
	}
}

func TestForeignAnswersAsMissing(t *testing.T) {
	s := newSite(t)
	mine, foreign := hub.Namespace(t), hub.Namespace(t)
	allowIn(t, mine)
	name := map[string]string{}
	for _, n := range []string{mine, foreign} {
		made := s.do(http.MethodPost, "/api/v1/release/releases/"+n, adminToken, release("pay"))
		if made.status != http.StatusCreated {
			t.Fatalf("create in %s: %d %s", n, made.status, made.body)
		}
		name[n] = made.object(t)["metadata"].(map[string]any)["name"].(string)
	}
	same := func(body []byte, namespace, name string) string {
		text := strings.ReplaceAll(strings.ReplaceAll(string(body), namespace, "NS"), name, "NAME")
		return text[:strings.Index(text, `"trace"`)] + text[strings.Index(text, `"next"`):]
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPatch, http.MethodPut} {
		body, headers := "", []string{}
		if method == http.MethodPatch || method == http.MethodPut {
			body, headers = `{"spec":{"application":"pay","kind":"Retire","reason":"a test"}}`, []string{"If-Match", `"1"`}
		}
		if method == http.MethodPatch {
			headers = nil
		}
		there := s.do(method, "/api/v1/release/releases/"+foreign+"/"+name[foreign], tellerToken, body, headers...)
		nowhere := s.do(method, "/api/v1/release/releases/"+foreign+"/r-none", tellerToken, body, headers...)
		if there.status != http.StatusNotFound || nowhere.status != http.StatusNotFound {
			t.Errorf("%s: want 404 for both, got %d and %d: %s %s", method, there.status, nowhere.status, there.body, nowhere.body)
			continue
		}
		if diff := cmp.Diff(same(nowhere.body, foreign, "r-none"), same(there.body, foreign, name[foreign])); diff != "" {
			t.Errorf("%s: a foreign object must answer exactly as a missing one:\n%s", method, diff)
		}
	}
	list := s.do(http.MethodGet, "/api/v1/release/releases", tellerToken, "").object(t)
	items := list["items"].([]any)
	if len(items) != 1 || items[0].(map[string]any)["metadata"].(map[string]any)["namespace"] != mine {
		t.Errorf("a list across namespaces shows only what one may see, got %v", items)
	}
	if got := s.do(http.MethodGet, "/api/v1/fleet/clusters", tellerToken, "").object(t)["items"].([]any); len(got) != 0 {
		t.Errorf("the teller may list no clusters, got %v", got)
	}
}

func TestReleaseIsRequestedByWhoAsks(t *testing.T) {
	s := newSite(t)
	namespace := hub.Namespace(t)
	made := s.do(http.MethodPost, "/api/v1/release/releases/"+namespace, adminToken, release("pay"))
	if got := made.object(t)["spec"].(map[string]any)["requester"]; got != "sandbox-admin" {
		t.Errorf("the requester is the person who asks, got %v", got)
	}
	forged := strings.Replace(release("pay"), `"kind"`, `"requester":"somebody-else","kind"`, 1)
	if got := s.do(http.MethodPost, "/api/v1/release/releases/"+namespace, adminToken, forged); got.status != 422 {
		t.Errorf("nobody requests in another's name, got %d %s", got.status, got.body)
	}
	name := made.object(t)["metadata"].(map[string]any)["name"].(string)
	s.recorder.reset(true)
	stopped := s.do(http.MethodPost, "/api/v1/release/releases/"+namespace+"/"+name+"/stop", adminToken, "")
	if stopped.status != http.StatusOK || stopped.object(t)["spec"].(map[string]any)["desired"] != "Stop" {
		t.Errorf("stop must work while the evidence log is away: %d %s", stopped.status, stopped.body)
	}
	if got := s.do(http.MethodPost, "/api/v1/release/releases/"+namespace, adminToken, release("pay")); got.status != http.StatusServiceUnavailable || got.code(t) != "evidence-away" {
		t.Errorf("nothing else is begun while the evidence log is away: %d %s", got.status, got.body)
	}
}

func TestPages(t *testing.T) {
	s := newSite(t)
	namespace := hub.Namespace(t)
	for _, a := range []string{"c", "a", "e", "b", "d"} {
		body := strings.Replace(release(a), `"generateName":"r-"`, `"name":"r-`+a+`","labels":{"who":"`+a+`"}`, 1)
		if got := s.do(http.MethodPost, "/api/v1/release/releases/"+namespace, adminToken, body); got.status != 201 {
			t.Fatal(string(got.body))
		}
	}
	walk := func(query string) []string {
		var seen []string
		next := ""
		for range 10 {
			page := s.do(http.MethodGet, "/api/v1/release/releases?namespace="+namespace+"&limit=2"+query+next, adminToken, "").object(t)
			for _, item := range page["items"].([]any) {
				seen = append(seen, item.(map[string]any)["spec"].(map[string]any)["application"].(string))
			}
			token, _ := page["metadata"].(map[string]any)["continue"].(string)
			if token == "" {
				return seen
			}
			next = "&continue=" + token
		}
		t.Fatal("the pages do not end")
		return nil
	}
	tests := map[string]struct {
		query string
		want  []string
	}{
		"ByName":        {"", []string{"a", "b", "c", "d", "e"}},
		"Descending":    {"&sort=-spec.application", []string{"e", "d", "c", "b", "a"}},
		"FieldSelector": {"&fieldSelector=spec.application!=c", []string{"a", "b", "d", "e"}},
		"LabelSelector": {"&labelSelector=who+in+(a,e)", []string{"a", "e"}},
		"Ties":          {"&sort=spec.kind", []string{"a", "b", "c", "d", "e"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, walk(test.query)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	first := s.do(http.MethodGet, "/api/v1/release/releases?limit=1&namespace="+namespace, adminToken, "").object(t)
	token := first["metadata"].(map[string]any)["continue"].(string)
	for name, query := range map[string]string{
		"OtherQuestion": "?limit=1&continue=" + token,
		"Forged":        "?continue=AAAA",
		"UnknownName":   "?colour=red",
		"Limit":         "?limit=1001",
		"Twice":         "?limit=1&limit=2",
		"BadSelector":   "?labelSelector=" + "%21%21",
		"BadField":      "?fieldSelector=spec",
	} {
		if got := s.do(http.MethodGet, "/api/v1/release/releases"+query, adminToken, ""); got.status != http.StatusBadRequest || got.code(t) != "bad-request" {
			t.Errorf("%s: want 400, got %d %s", name, got.status, got.body)
		}
	}
}
