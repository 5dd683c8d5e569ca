// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestIssue(t *testing.T) {
	authority, err := New("east-1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(Request{CommonName: "kube-apiserver", DNSNames: []string{"kubernetes"}, IPs: []net.IP{net.IPv4(10, 1, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(pair.Cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.CertPEM())
	for _, name := range []string{"kubernetes", "10.1.0.1"} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
			t.Errorf("a server certificate must hold for %q: %v", name, err)
		}
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "elsewhere"}); err == nil {
		t.Error("a server certificate must not hold for a name nobody asked for")
	}
	client, err := authority.Issue(Request{CommonName: "admin", Organizations: []string{"system:masters"}})
	if err != nil {
		t.Fatal(err)
	}
	block, _ = pem.Decode(client.Cert)
	if cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
		t.Error("a client's certificate must not serve")
	}
}

func TestIssueFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	authority, err := Open(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	asked := Request{CommonName: "server", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}
	first, err := authority.IssueFile(dir, "server", asked)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "server.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a key must be readable by its owner only: %v, %v", info.Mode(), err)
	}
	cases := map[string]struct {
		reason  string
		request Request
		later   time.Duration
		keep    bool
	}{
		"same":         {reason: "a second up keeps what holds", request: asked, keep: true},
		"other ip":     {reason: "a moved server needs a new certificate", request: Request{CommonName: "server", IPs: []net.IP{net.IPv4(10, 0, 0, 1)}}},
		"other groups": {reason: "groups are rights", request: Request{CommonName: "server", Organizations: []string{"x"}, IPs: asked.IPs}},
		"old":          {reason: "one that ends soon is renewed", request: asked, later: Lifetime - Renew + time.Hour},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := write(dir, "server", first); err != nil {
				t.Fatal(err)
			}
			again, err := Open(dir, "ca")
			if err != nil {
				t.Fatal(err)
			}
			again.now = func() time.Time { return time.Now().Add(tc.later) }
			got, err := again.IssueFile(dir, "server", tc.request)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(got.Cert, first.Cert) != tc.keep {
				t.Errorf("%s: kept = %v", tc.reason, !tc.keep)
			}
		})
	}
}
