// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package measure_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/placement/profile"
	"github.com/fairway-cloud/fairway/internal/placement/profile/measure"
	"github.com/fairway-cloud/fairway/internal/placement/profile/measure/prometheustest"
)

// TestRealPrometheus asks Debian's Prometheus.
func TestRealPrometheus(t *testing.T) {
	p := prometheustest.Start(t)
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "many{number=\"%d\"} 1\n", i)
	}
	p.Expose("disk_writes{namespace=\"retail-prod-pay\"} 42.5\ntwo{a=\"1\"} 1\ntwo{a=\"2\"} 2\nnothing 0\n" + many.String())
	s := p.Source()
	for name, c := range map[string]struct {
		query string
		want  float64
		fault string
		is    error
	}{
		"one number":   {query: `disk_writes{namespace="retail-prod-pay"}`, want: 42.5},
		"a sum":        {query: `sum(two)`, want: 3},
		"a scalar":     {query: `scalar(disk_writes) * 2`, want: 85},
		"several":      {query: `two`, fault: "the answer has 2 series: sum or average them in the query"},
		"none":         {query: `no_such_metric`, fault: "the answer is empty: no series matches the query"},
		"not a number": {query: `nothing / nothing`, fault: "the answer is no number (NaN): a division by zero, as a rule"},
		"infinite":     {query: `disk_writes / on() nothing`, fault: "the answer is infinite: a division by zero, as a rule"},
		"a range":      {query: `disk_writes[1m]`, fault: "the query cannot be read by Prometheus: it gives a matrix, and one number is needed", is: measure.ErrQuery},
		"no query":     {query: `sum(`, fault: "the query cannot be read by Prometheus: ", is: measure.ErrQuery},
		"too much":     {query: `many`, fault: `prometheus "test": its answer is larger than 256 KiB: have the query give one number`},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := s.Ask(t.Context(), c.query, time.Now())
			got := 0.0
			if err == nil {
				got, err = profile.Number(values)
			}
			switch {
			case c.fault == "" && (err != nil || got != c.want):
				t.Errorf("%v, %v", got, err)
			case c.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), c.fault)):
				t.Errorf("want %q, got %v", c.fault, err)
			case c.is != nil && !errors.Is(err, c.is):
				t.Errorf("%v is not %v", err, c.is)
			}
		})
	}
	p.Stop()
	if _, err := s.Ask(t.Context(), "vector(1)", time.Now()); !errors.Is(err, measure.ErrAway) {
		t.Errorf("nobody listens: %v", err)
	}
}

// config writes a configuration with one Prometheus at url.
func config(t *testing.T, url, more string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "prometheus.yaml")
	if err := os.WriteFile(file, []byte("prometheus:\n- {name: central, url: \""+url+"\""+more+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const secret = "s3cret-of-the-bank"

// TestNothingLeaks asks servers that answer badly: no error holds a credential, an answer
// or what was asked.
func TestNothingLeaks(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		want   string
	}{
		"5xx": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "died with "+r.Header.Get("Authorization"), http.StatusInternalServerError)
		}, `prometheus "central": it answered with an error (server_error)`},
		"401": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusUnauthorized)
		}, `prometheus "central": it answered with an error (client_error)`},
		"redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
			`prometheus "central": it answered with an error (bad_response)`},
		"not JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, `prometheus "central": it answered with an error (bad_response)`},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				if _, err := w.Write([]byte(strings.Repeat(" ", 4096))); err != nil {
					return
				}
			}
		}, `prometheus "central": its answer is larger than 256 KiB: have the query give one number`},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, `prometheus "central": no answer comes from Prometheus: it cannot be reached`},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(c.answer))
			server.StartTLS()
			t.Cleanup(server.Close)
			ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
			sources, err := measure.ReadConfig(config(t, server.URL, ", caFile: ca.crt, tokenFile: token, networks: [127.0.0.0/8]", map[string]string{"ca.crt": ca, "token": secret + "\n"}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = sources[0].Ask(t.Context(), "vector(1)", time.Now())
			if err == nil || err.Error() != c.want {
				t.Errorf("want %q, got %v", c.want, err)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "127.0.0.1")) {
				t.Errorf("the error tells too much: %v", err)
			}
		})
	}
}

// TestCredential asks with what the files hold now: they may change.
func TestCredential(t *testing.T) {
	var got string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}`))
	}))
	server.StartTLS()
	t.Cleanup(server.Close)
	files := map[string]string{"ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), "password": "one"}
	file := config(t, server.URL, ", caFile: ca.crt, user: fairway, passwordFile: password, networks: [127.0.0.0/8]", files)
	sources, err := measure.ReadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Basic ZmFpcndheTpvbmU=", "Basic ZmFpcndheTp0d28="} {
		if values, err := sources[0].Ask(t.Context(), "1", time.Now()); err != nil || len(values) != 1 || values[0] != 7 || got != want {
			t.Errorf("%v, %v: asked with %q, want %q", values, err, got, want)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "password"), []byte("two"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(filepath.Dir(file), "password"), 0o644); err != nil {
		t.Fatal(err)
	}
	got = ""
	if _, err := sources[0].Ask(t.Context(), "1", time.Now()); err == nil || got != "" || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("others can read the password, and it is used: %v", err)
	}
}

func TestReadConfig(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"user in the address":  {`[{name: a, url: "https://user:` + secret + `@host/"}]`, "without user and query"},
		"plain elsewhere":      {`[{name: a, url: "gopher://host/"}]`, "without user and query"},
		"unknown field":        {`[{name: a, url: "https://host", password: x}]`, "unknown field"},
		"password alone":       {`[{name: a, url: "https://host", passwordFile: p}]`, "give user and passwordFile together"},
		"no such file":         {`[{name: a, url: "https://host", tokenFile: gone}]`, "its credential cannot be read"},
		"two of one name":      {`[{name: a, url: "https://host", clusters: [x]}, {name: a, url: "https://host", clusters: [y]}]`, `two are named "a"`},
		"two for one cluster":  {`[{name: a, url: "https://host", clusters: [x]}, {name: b, url: "https://host", clusters: [x]}]`, `both know cluster "x"`},
		"two for all the rest": {`[{name: a, url: "https://host"}, {name: b, url: "https://host"}]`, "of each cluster one is asked"},
		"network":              {`[{name: a, url: "https://host", networks: [10.1.2.3/8]}]`, "could not read the network"},
		"name":                 {`[{name: A B, url: "https://host"}]`, "lower-case letters"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "prometheus.yaml")
			if err := os.WriteFile(file, []byte("prometheus: "+c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := measure.ReadConfig(file)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "prometheus.yaml")
	if err := os.WriteFile(file, []byte(`prometheus: [{name: east, url: "https://host", clusters: [east-1]}, {name: rest, url: "https://host"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	sources, err := measure.ReadConfig(file)
	if err != nil || measure.For(sources, "east-1").Name != "east" || measure.For(sources, "west-1").Name != "rest" || measure.For(sources[:1], "west-1") != nil {
		t.Errorf("%v", err)
	}
}

// TestOtherAddresses holds that nothing is dialled but what the configuration names.
func TestOtherAddresses(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was dialled") }))
	t.Cleanup(server.Close)
	sources, err := measure.ReadConfig(config(t, server.URL, "", nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sources[0].Ask(t.Context(), "1", time.Now()); !errors.Is(err, measure.ErrAway) {
		t.Errorf("the machine's own address is not among the networks: %v", err)
	}
}
