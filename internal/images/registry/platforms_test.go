// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/fairway-cloud/fairway/internal/app"
)

// built is an image of a platform, as its configuration says.
func built(t *testing.T, system, architecture, user string) v1.Image {
	t.Helper()
	file, err := empty.Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config.User = system, architecture, user
	image, err := mutate.ConfigFile(empty.Image, file)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// entry lists an image or index; platform as "linux/arm64/v8", "" for none.
func entry(part mutate.Appendable, platform string, annotations map[string]string) mutate.IndexAddendum {
	out := mutate.IndexAddendum{Add: part, Descriptor: v1.Descriptor{Annotations: annotations}}
	if words := strings.Split(platform, "/"); platform != "" {
		out.Platform = &v1.Platform{OS: words[0], Architecture: words[1], Variant: strings.Join(words[2:], "/")}
	}
	return out
}

func index(entries ...mutate.IndexAddendum) v1.ImageIndex {
	return mutate.AppendManifests(empty.Index, entries...)
}

func TestArchitectures(t *testing.T) {
	server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	amd, arm, loong := built(t, "linux", "amd64", "1"), built(t, "linux", "arm64", "2"), built(t, "linux", "loong64", "3")
	mark := map[string]string{attestation: "attestation-manifest"}
	deep := index(entry(amd, "linux/amd64", nil))
	for range mostDepth {
		deep = index(entry(deep, "", nil))
	}
	var many, silent []mutate.IndexAddendum
	for i := range mostManifests + 1 {
		many = append(many, entry(amd, fmt.Sprintf("linux/amd64/v%d", i), nil))
	}
	for i := range mostConfigurations + 1 {
		silent = append(silent, entry(built(t, "linux", "arm64", fmt.Sprint(i)), "", nil))
	}
	cases := map[string]struct {
		reason string
		image  remote.Taggable
		want   []string
		user   string
		says   string // of a failure that needs a person
	}{
		"One":          {"an image says itself what it runs on", arm, []string{"arm64"}, "2", ""},
		"OtherName":    {"names that other tools give mean the same", built(t, "linux", "aarch64", "2"), []string{"arm64"}, "2", ""},
		"Silent":       {"an image that does not say it is not guessed at", built(t, "", "", "9"), nil, "9", ""},
		"Several":      {"an index lists them; the user is that of amd64", index(entry(arm, "linux/arm64/v8", nil), entry(amd, "linux/amd64", nil), entry(loong, "linux/loong64", nil)), []string{"amd64", "arm64", "loong64"}, "1", ""},
		"First":        {"without amd64 the first one's user counts", index(entry(loong, "linux/loong64", nil), entry(arm, "linux/arm64", nil)), []string{"arm64", "loong64"}, "3", ""},
		"Variants":     {"variants are one processor", index(entry(arm, "linux/arm64/v8", nil), entry(built(t, "linux", "arm64", "2"), "linux/arm64/v9", nil), entry(built(t, "linux", "arm", "4"), "linux/arm/v7", nil)), []string{"arm", "arm64"}, "2", ""},
		"Attested":     {"what is attested beside an image is none", index(entry(arm, "linux/arm64", nil), entry(built(t, "", "", ""), "unknown/unknown", mark), entry(built(t, "linux", "amd64", "root"), "linux/amd64", mark)), []string{"arm64"}, "2", ""},
		"Unmarked":     {"nor where it is not marked", index(entry(arm, "linux/arm64", nil), entry(built(t, "", "", ""), "unknown/unknown", nil)), []string{"arm64"}, "2", ""},
		"Nested":       {"indexes in an index count", index(entry(index(entry(arm, "linux/arm64", nil)), "", nil), entry(index(entry(amd, "linux/amd64", nil)), "", nil)), []string{"amd64", "arm64"}, "1", ""},
		"NotListed":    {"where an index does not say it, the image does", index(entry(arm, "", nil), entry(amd, "", nil)), []string{"amd64", "arm64"}, "1", ""},
		"OtherSystem":  {"an image of another system is named for it", index(entry(built(t, "windows", "amd64", "ContainerUser"), "windows/amd64", nil), entry(arm, "linux/arm64", nil)), []string{"arm64", "windows-amd64"}, "2", ""},
		"Empty":        {"an index without an image cannot be used", index(), nil, "", "holds no image"},
		"OnlyAttested": {"nor one of attestations alone", index(entry(built(t, "", "", ""), "unknown/unknown", mark)), nil, "", "holds no image"},
		"Deep":         {"nor one that goes down and down", deep, nil, "", "more than 3 deep"},
		"Many":         {"nor one that lists without end", index(many...), nil, "", "more than 256 manifests"},
		"ManySilent":   {"nor one that has each image asked", index(silent...), nil, "", "more than 16 images without"},
		"StrangeNames": {"a name that is none is left out", built(t, "linux", "amd64; rm -rf", "1"), nil, "1", ""},
		"NotAnImage":   {"a chart is no image", mutate.MediaType(mutate.ConfigMediaType(amd, "application/vnd.cncf.helm.config.v1+json"), "application/vnd.docker.distribution.manifest.v1+prettyjws"), nil, "", "and not an image"},
	}
	for label, tc := range cases {
		t.Run(label, func(t *testing.T) {
			at := "bank/" + strings.ToLower(label) + ":v1"
			reference, err := name.ParseReference(host+"/"+at, name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			switch image := tc.image.(type) {
			case v1.ImageIndex:
				err = remote.WriteIndex(reference, image)
			case v1.Image:
				err = remote.Write(reference, image)
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := New(Registry{Name: "registry.bank", Endpoint: host, Plain: true}).Resolve(context.Background(), "registry.bank/"+at)
			if tc.says != "" {
				if !errors.Is(err, app.ErrImageUnreadable) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("%s: %v, want %q", tc.reason, err, tc.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.Architectures); diff != "" || got.User != tc.user {
				t.Errorf("%s: user %q, want %q (-want +got):\n%s", tc.reason, got.User, tc.user, diff)
			}
		})
	}
}

// TestLies holds what registries say against what they give.
func TestLies(t *testing.T) {
	amd, arm := built(t, "linux", "amd64", "1"), built(t, "linux", "arm64", "2")
	manifest, err := amd.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := arm.Digest()
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := arm.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	huge := []byte(`{"schemaVersion":2,"manifests":[` + strings.Repeat(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"`+digest.String()+`"},`, 70_000) + `{}]}`)
	if len(huge) < 10<<20 {
		t.Fatalf("the manifest has %d bytes only", len(huge))
	}
	answer := func(kind types.MediaType, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(kind))
			_, _ = io.Copy(w, bytes.NewReader(body))
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "token s3cret")
		}
	}
	cases := map[string]struct {
		reason, image string
		manifests     http.HandlerFunc
		is            error // nil: it may be gone the next time
		says          string
	}{
		"Digest":  {"a manifest that is not the one of its digest", "bank/x@" + digest.String(), answer(types.DockerManifestSchema2, manifest), app.ErrImageUnreadable, "does not match"},
		"Config":  {"a configuration that is not the one of its digest", "bank/x:1", answer(types.DockerManifestSchema2, manifest), app.ErrImageUnreadable, "verifying"},
		"Huge":    {"a manifest of 10 MiB is not read", "bank/x:1", answer(types.OCIImageIndex, huge), app.ErrImageUnreadable, "more than 4 MiB"},
		"Garbage": {"what is no JSON", "bank/x:1", answer(types.OCIImageIndex, []byte("<html>")), app.ErrImageUnreadable, "invalid character"},
		"Page":    {"a login page", "bank/x:1", answer("text/html", []byte("<html>")), app.ErrImageUnreadable, "and not an image"},
		"Denied":  {"no right to read", "bank/x:1", status(http.StatusForbidden), app.ErrRegistryDenied, "does not let Fairway read it"},
		"Login":   {"no login", "bank/x:1", status(http.StatusUnauthorized), app.ErrRegistryDenied, "does not let Fairway read it"},
		"Busy":    {"a registry that is busy may be free again", "bank/x:1", status(http.StatusTooManyRequests), nil, "status 429"},
		"Broken":  {"a registry that is broken may be mended", "bank/x:1", status(http.StatusInternalServerError), nil, "status 500"},
		"Truncated": {"an answer that breaks off may be whole the next time", "bank/x:1", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "{")
		}, nil, "EOF"},
	}
	for label, tc := range cases {
		t.Run(label, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.Contains(r.URL.Path, "/manifests/"):
					tc.manifests(w, r)
				case strings.Contains(r.URL.Path, "/blobs/"):
					_, _ = w.Write(wrong)
				}
			}))
			defer server.Close()
			resolver := New(Registry{Name: "registry.bank", Endpoint: strings.TrimPrefix(server.URL, "http://"), Plain: true})
			got, err := resolver.Resolve(context.Background(), "registry.bank/"+tc.image)
			if err == nil || tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: %+v, %v; want %v %q", tc.reason, got, err, tc.is, tc.says)
			}
			for _, person := range []error{app.ErrImageNotFound, app.ErrRegistryRefused, app.ErrRegistryDenied, app.ErrImageUnreadable} {
				if tc.is == nil && errors.Is(err, person) {
					t.Errorf("%s: %v asks for a person", tc.reason, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: the error quotes what the registry said: %v", tc.reason, err)
			}
		})
	}
}

// TestStaysKnown has a registry go away: what its digest names is known, a tag is not.
func TestStaysKnown(t *testing.T) {
	var away atomic.Bool
	var asked atomic.Int64
	serve := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		serve.ServeHTTP(w, r)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	digest := push(t, host, "bank/x:1", "7")
	resolver := New(Registry{Name: "registry.bank", Endpoint: host, Plain: true})
	first, err := resolver.Resolve(context.Background(), "registry.bank/bank/x:1")
	if err != nil {
		t.Fatal(err)
	}
	away.Store(true)
	asked.Store(0)
	again, err := resolver.Resolve(context.Background(), "registry.bank/bank/x@"+digest)
	if err != nil || !cmp.Equal(first, again) || asked.Load() != 0 {
		t.Errorf("the digest is known: %+v, %v after %d questions", again, err, asked.Load())
	}
	if _, err := resolver.Resolve(context.Background(), "registry.bank/bank/x:1"); err == nil {
		t.Error("what a tag means now is not known")
	}
	if _, err := resolver.Resolve(context.Background(), "registry.bank/other/x@"+digest); err == nil {
		t.Error("what another repository holds is not known")
	}
}

func TestLogins(t *testing.T) {
	serve := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "fairway" || password != "s3cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="bank"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		serve.ServeHTTP(w, r)
	}))
	defer server.Close()
	open := httptest.NewServer(serve)
	defer open.Close()
	push(t, strings.TrimPrefix(open.URL, "http://"), "bank/x:1", "7")
	path := filepath.Join(t.TempDir(), "config.json")
	write := func(host, password string) {
		raw, err := json.Marshal(map[string]any{"auths": map[string]any{host: map[string]string{"username": "fairway", "password": password}}})
		if err == nil {
			err = os.WriteFile(path, raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("registry.bank", "old")
	logins, err := OpenLogins(path)
	if err != nil {
		t.Fatal(err)
	}
	resolver := New(Registry{Name: "registry.bank", Endpoint: strings.TrimPrefix(server.URL, "http://"), Plain: true}).WithLogins(logins)
	ask := func() error {
		_, err := resolver.Resolve(context.Background(), "registry.bank/bank/x:1")
		return err
	}
	if err := ask(); !errors.Is(err, app.ErrRegistryDenied) {
		t.Errorf("the wrong password: %v", err)
	}
	write("other.bank", "s3cret")
	if err := ask(); !errors.Is(err, app.ErrRegistryDenied) {
		t.Errorf("another registry's login: %v", err)
	}
	write("registry.bank", "s3cret")
	if err := ask(); err != nil {
		t.Errorf("the new password counts at once: %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"auths": {"registry.bank": {"auth": "s3cret!"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLogins(path); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a file that cannot be read is told without its content: %v", err)
	}
	if err := ask(); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("nor does a question quote it: %v", err)
	}
}
