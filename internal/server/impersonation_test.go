// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/server"
)

// A hub that does not bound whom the server acts as is used with groups that are
// named, or not at all.
func TestOlderHubs(t *testing.T) {
	seen := make(chan http.Header, 1)
	minor := ""
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			_, _ = fmt.Fprintf(w, `{"major":"1","minor":%q}`, minor)
			return
		}
		seen <- r.Header.Clone()
		_, _ = w.Write([]byte("{}"))
	}))
	defer old.Close()
	for name, test := range map[string]struct {
		minor string
		named []string
		want  string
	}{
		"Now":     {"36", nil, ""},
		"Later":   {"37+", nil, ""},
		"Older":   {"35", nil, "bring it to 1.36, or name the groups"},
		"Named":   {"30+", []string{"retail-dev"}, ""},
		"Masters": {"30", []string{"system:masters"}, "belongs to the platform itself"},
		"Own":     {"36", []string{"fairway:system"}, "belongs to the platform itself"},
		"Nothing": {"", nil, "could not read the hub's version"},
	} {
		t.Run(name, func(t *testing.T) {
			minor = test.minor
			hub, err := server.NewHub(&rest.Config{Host: old.URL})
			if err != nil {
				t.Fatal(err)
			}
			err = hub.Bound(t.Context(), test.named)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v", err)
			}
			if name == "Older" && !errors.Is(err, server.ErrUnbounded) {
				t.Errorf("callers can tell: %v", err)
			}
			if err != nil {
				return
			}
			if _, err := hub.Do(t.Context(), identity.Person{ID: "p1", Groups: []string{"retail-dev", "other"}}, server.Call{Method: "GET", Path: "/api"}); err != nil {
				t.Fatal(err)
			}
			want := "retail-dev,other"
			if test.named != nil {
				want = "retail-dev"
			}
			if got := strings.Join((<-seen).Values("Impersonate-Group"), ","); got != want {
				t.Errorf("got groups %q, want %q", got, want)
			}
			if _, err := hub.Do(t.Context(), identity.Person{ID: "p1", Groups: []string{"system:masters"}}, server.Call{Method: "GET", Path: "/api"}); err == nil {
				t.Error("never system:*")
			}
		})
	}
	real, err := server.NewHub(hub.Config())
	if err != nil {
		t.Fatal(err)
	}
	if err := real.Bound(t.Context(), nil); err != nil {
		t.Errorf("the hub of the sandbox is new enough: %v", err)
	}
}
