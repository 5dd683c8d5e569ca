// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/approval/itsm"
	"github.com/fairway-cloud/fairway/internal/approval/itsm/itsmtest"
)

// The server knows the systems that its file names, and no verdict passes without
// token, signature and a request that asks.
func TestVerdictsComeInThroughTheServer(t *testing.T) {
	system := itsmtest.New(t, "itsm", time.Now)
	file := system.Config(t, "sandbox-admin")
	notices := filepath.Join(filepath.Dir(file), "notify.yaml")
	if err := os.WriteFile(notices, []byte("language: en\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := startServer(t, func(_ *bench, o *serverOptions) { o.itsmConfig, o.notifyConfig = file, notices })
	caller := callerOf(t, b)
	defer caller.CloseIdleConnections()
	raw, err := os.ReadFile(filepath.Join(b.dir, "data", "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	token := "Bearer " + strings.TrimSpace(string(raw))
	verdict := system.Verdict(itsm.Request{Namespace: "retail-sit", Name: "none", UID: "0", Digest: "sha256:0"}, "Approve", "p-1")
	for name, c := range map[string]struct {
		change func(h http.Header)
		status int
		says   string
	}{
		"Signed":   {func(http.Header) {}, 404, "no such request asks this system"},
		"Unsigned": {func(h http.Header) { h.Del("Fairway-Signature") }, 403, "not signed as the protocol says"},
		"NoToken":  {func(h http.Header) { h.Del("Authorization") }, 401, "could not tell who asks"},
	} {
		t.Run(name, func(t *testing.T) {
			header, body := system.Sign(verdict, "nonce-of-"+name+"-0123456789")
			header.Set("Authorization", token)
			c.change(header)
			// Until the hub's policies were compared the answer is 503: send it again.
			var status int
			var answer string
			for deadline := time.Now().Add(time.Minute); status == 0 || (status == http.StatusServiceUnavailable && time.Now().Before(deadline)); {
				status, answer = post(t, caller, "https://"+b.address+"/api/v1/approval/verdicts", header, body)
			}
			if status != c.status || !strings.Contains(answer, c.says) {
				t.Errorf("%d %s", status, answer)
			}
		})
	}
}

// callerOf trusts the server's certificate.
func callerOf(t *testing.T, b *bench) *http.Client {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(b.dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(raw)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, Timeout: time.Minute}
}

func post(t *testing.T, caller *http.Client, url string, header http.Header, body []byte) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	response, err := caller.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		<-time.After(200 * time.Millisecond)
	}
	return response.StatusCode, string(raw)
}
