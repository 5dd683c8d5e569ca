// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package httpapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// wrote is a route that takes a body and changes something.
func wrote(pattern string) httpapi.Route {
	return httpapi.Route{
		Method: http.MethodPost, Pattern: pattern, Room: "app", Verb: "create", Effect: httpapi.Writes, BodyLimit: 8,
		Describe: func(*http.Request) (httpapi.Act, error) { return httpapi.Act{Subject: "X//y"}, nil },
		Handler:  func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusCreated); return nil },
	}
}

func send(t *testing.T, method, url, body string, headers ...string) int {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = io.MultiReader(strings.NewReader(body)) // whose length is not known
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func fine(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusOK); return nil }

// A page of another origin gets nothing, whatever the browser sends along.
func TestPagesOfOthers(t *testing.T) {
	server, _, _ := serve(t, read("/x", fine))
	for origin, want := range map[string]int{"https://evil.example": 403, "null": 403, server.URL: 200, "": 200} {
		headers := []string{"Authorization", "Bearer p-1"}
		if origin != "" {
			headers = append(headers, "Origin", origin)
		}
		if got := send(t, http.MethodGet, server.URL+"/x", "", headers...); got != want {
			t.Errorf("origin %q: want %d, got %d", origin, want, got)
		}
	}
}

// A body whose length nobody has said is bounded too, and the answer says by what.
func TestBodiesWithoutALength(t *testing.T) {
	server, _, _ := serve(t, wrote("/x"))
	for body, want := range map[string]int{"12345678": 201, "123456789": 413} {
		if got := send(t, http.MethodPost, server.URL+"/x", body, "Authorization", "Bearer p-1"); got != want {
			t.Errorf("%d bytes: want %d, got %d", len(body), want, got)
		}
	}
}

// One credential, of one kind, that names somebody.
func TestCredentials(t *testing.T) {
	server, _, _ := serve(t, read("/x", fine))
	for reason, c := range map[string]struct {
		headers []string
		want    int
	}{
		"a token":                      {[]string{"Authorization", "Bearer p-1"}, 200},
		"none":                         {nil, 401},
		"another scheme":               {[]string{"Authorization", "Basic p-1"}, 401},
		"no scheme":                    {[]string{"Authorization", "p-1"}, 401},
		"two tokens":                   {[]string{"Authorization", "Bearer p-1", "Authorization", "Bearer p-2"}, 401},
		"an endless token":             {[]string{"Authorization", "Bearer " + strings.Repeat("p", 4097)}, 401},
		"a token that names nobody":    {[]string{"Authorization", "Bearer nobody"}, 401},
		"the console's cookie":         {[]string{"Cookie", httpapi.SessionCookie + "=p-1"}, 200},
		"a second one, planted":        {[]string{"Cookie", httpapi.SessionCookie + "=p-1; " + httpapi.SessionCookie + "=p-2"}, 401},
		"an endless cookie":            {[]string{"Cookie", httpapi.SessionCookie + "=" + strings.Repeat("p", 4097)}, 401},
		"a cookie beside a bad scheme": {[]string{"Authorization", "Basic p-1", "Cookie", httpapi.SessionCookie + "=p-1"}, 401},
	} {
		if got := send(t, http.MethodGet, server.URL+"/x", "", c.headers...); got != c.want {
			t.Errorf("%s: want %d, got %d", reason, c.want, got)
		}
	}
}

// Only a route that offers it is asked what would be: elsewhere the word would leave
// gate and evidence out.
func TestDryRunIsOffered(t *testing.T) {
	offers := wrote("/offers")
	offers.DryRun = true
	server, _, _ := serve(t, wrote("/x"), offers)
	for path, want := range map[string]int{"/x?dryRun=All": 400, "/offers?dryRun=All": 201, "/offers?dryRun=None": 400, "/offers?dryRun=All&dryRun=All": 400, "/offers?dryRun=": 400} {
		if got := send(t, http.MethodPost, server.URL+path, "", "Authorization", "Bearer p-1"); got != want {
			t.Errorf("%s: want %d, got %d", path, want, got)
		}
	}
}
