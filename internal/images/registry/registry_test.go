// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package registry

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/fairway-cloud/fairway/internal/app"
)

func push(t *testing.T, host, repository, user string) string {
	t.Helper()
	image, err := mutate.Config(empty.Image, v1.Config{User: user})
	if err != nil {
		t.Fatal(err)
	}
	reference, err := name.ParseReference(host+"/"+repository, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func TestResolve(t *testing.T) {
	server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	digest := push(t, host, "bank/channel:v1", "65532")

	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a foreign host was asked")
	}))
	defer elsewhere.Close()
	sends := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/bank") {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}
	}))
	defer sends.Close()

	resolver := New(
		Registry{Name: "registry.bank:5000", Endpoint: host, Plain: true},
		Registry{Name: "sends.bank", Endpoint: strings.TrimPrefix(sends.URL, "http://"), Plain: true},
		Registry{Name: "away.bank", Endpoint: "127.0.0.1:1", Plain: true},
	)
	cases := map[string]struct {
		reason, image string
		want          app.ImageFacts
		is            error
		says          string
	}{
		"Tag":      {"a tag gives digest and user", "registry.bank:5000/bank/channel:v1", app.ImageFacts{Digest: digest, User: "65532"}, nil, ""},
		"Digest":   {"a digest gives the same", "registry.bank:5000/bank/channel@" + digest, app.ImageFacts{Digest: digest, User: "65532"}, nil, ""},
		"Missing":  {"an image that is not there needs a person", "registry.bank:5000/bank/channel:v9", app.ImageFacts{}, app.ErrImageNotFound, "channel:v9"},
		"Unknown":  {"a registry that was not named is never asked", strings.TrimPrefix(elsewhere.URL, "http://") + "/x:1", app.ImageFacts{}, app.ErrRegistryRefused, "not one of the platform's"},
		"Garbage":  {"what is no image needs a person", "UPPER CASE", app.ImageFacts{}, app.ErrRegistryRefused, "could not read image"},
		"Redirect": {"a registry cannot send the server elsewhere", "sends.bank/bank/x:1", app.ImageFacts{}, nil, "which is not one of the platform's registries"},
		"Away":     {"a registry that is away may be back", "away.bank/bank/x:1", app.ImageFacts{}, nil, "refused"},
	}
	for label, tc := range cases {
		t.Run(label, func(t *testing.T) {
			got, err := resolver.Resolve(context.Background(), tc.image)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if (err == nil) != (tc.is == nil && tc.says == "") || tc.is != nil && !errors.Is(err, tc.is) || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: %v, want %v %q", tc.reason, err, tc.is, tc.says)
			}
			if tc.is == nil && (errors.Is(err, app.ErrImageNotFound) || errors.Is(err, app.ErrRegistryRefused)) {
				t.Errorf("%s: %v asks for a person", tc.reason, err)
			}
		})
	}
}

func TestParseRegistry(t *testing.T) {
	for text, want := range map[string]Registry{
		"registry.bank:5000":                {Name: "registry.bank:5000", Endpoint: "registry.bank:5000", Plain: true},
		"registry.bank:5000=127.0.0.1:5000": {Name: "registry.bank:5000", Endpoint: "127.0.0.1:5000", Plain: true},
		"":                                  {},
		"http://registry.bank":              {},
		"a=b/c":                             {},
	} {
		got, err := ParseRegistry(text, true)
		if got != want || (err == nil) != (want != Registry{}) {
			t.Errorf("ParseRegistry(%q) = %+v, %v", text, got, err)
		}
	}
}
