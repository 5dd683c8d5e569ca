// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package fleet_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/fleet"
	"github.com/fairway-cloud/fairway/internal/sandbox/pki"
)

const base = `apiVersion: v1
kind: Config
current-context: east
clusters:
- name: east
  cluster:
    server: https://10.1.0.1:6443
contexts:
- name: east
  context: {cluster: east, user: fairway}
users:
- name: fairway
  user:
    token: s3cr3t-canary
`

func TestCheckKubeconfig(t *testing.T) {
	swap := func(old, now string) string {
		if !strings.Contains(base, old) {
			t.Fatalf("the base has no %q", old)
		}
		return strings.Replace(base, old, now, 1)
	}
	user := func(line string) string { return swap("    token: s3cr3t-canary", "    "+line) }
	cluster := func(line string) string {
		return swap("    server: https://10.1.0.1:6443", "    server: https://10.1.0.1:6443\n    "+line)
	}
	b64 := base64.StdEncoding.EncodeToString
	cases := map[string]struct {
		reason string
		config string
		want   string // part of the error; empty: accepted
	}{
		"plain":               {reason: "a token and a URL are enough", config: base},
		"preferences":         {reason: "what kubectl writes beside is harmless", config: base + "preferences: {}\n"},
		"not insecure":        {reason: "false is the safe value", config: cluster("insecure-skip-tls-verify: false")},
		"empty":               {reason: "nothing is given", config: " \n", want: "empty"},
		"too large":           {reason: "nobody needs that much", config: base + "#" + strings.Repeat("x", fleet.MaxKubeconfig), want: "bytes"},
		"not YAML":            {reason: "something else was uploaded", config: "\x7fELF\x00", want: "not YAML"},
		"wrong kind":          {reason: "a Kubernetes object was given", config: swap("kind: Config", "kind: Secret"), want: "not Config"},
		"two documents":       {reason: "it is unclear which is meant", config: base + "---\n" + base, want: "several documents"},
		"alias bomb":          {reason: "a small file that grows without end", config: base + "extensions:\n  a: &a [x,x]\n  b: [*a,*a]\n", want: "aliases"},
		"deep":                {reason: "nesting costs the reader", config: base + "extensions: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n", want: "nested"},
		"unknown field":       {reason: "a field of a newer version may mean anything", config: base + "surprise: yes\n", want: "unknown field \"surprise\""},
		"field twice":         {reason: "which of the two is meant?", config: cluster("server: https://10.1.0.2:6443"), want: "twice"},
		"wrong type":          {reason: "base64 is expected", config: cluster("certificate-authority-data: '***'"), want: "wrong type"},
		"exec":                {reason: "it would run a program on the hub", config: user("exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh}"), want: "exec would run a program"},
		"auth provider":       {reason: "it would run code on the hub", config: user("auth-provider: {name: gcp}"), want: "auth-provider would run"},
		"authority file":      {reason: "it would read a file of the hub", config: cluster("certificate-authority: /etc/shadow"), want: "certificate-authority-data"},
		"certificate file":    {reason: "it would read a file of the hub", config: user("client-certificate: /etc/x"), want: "client-certificate-data"},
		"key file":            {reason: "it would read a file of the hub", config: user("client-key: /etc/x"), want: "client-key-data"},
		"token file":          {reason: "it would read a file of the hub", config: user("tokenFile: /var/run/secrets/token"), want: "tokenFile"},
		"proxy":               {reason: "it would lead the hub elsewhere", config: cluster("proxy-url: http://10.0.0.9:3128"), want: "proxy-url"},
		"insecure":            {reason: "anybody could answer", config: cluster("insecure-skip-tls-verify: true"), want: "insecure-skip-tls-verify"},
		"impersonation":       {reason: "the member would see somebody else", config: swap("    token: s3cr3t-canary", "    token: s3cr3t-canary\n    as: admin"), want: "as would act"},
		"impersonated groups": {reason: "the member would see somebody else", config: swap("    token: s3cr3t-canary", "    token: s3cr3t-canary\n    as-groups: [system:masters]"), want: "as-groups would act"},
		"password":            {reason: "it is long gone", config: user("username: admin"), want: "client certificate or a service account"},
		"no credentials":      {reason: "nothing to log in with", config: swap("    token: s3cr3t-canary", "    {}"), want: "neither"},
		"token of two lines":  {reason: "it would break a header", config: user("token: \"a\\r\\nX: y\""), want: "token contains"},
		"certificate only":    {reason: "a certificate without its key", config: user("client-certificate-data: " + b64([]byte("x"))), want: "no certificate with its key"},
		"two contexts":        {reason: "it is unclear which cluster is meant", config: swap("contexts:\n", "contexts:\n- name: west\n  context: {cluster: east, user: fairway}\n"), want: "2 contexts"},
		"no context":          {reason: "it is unclear which cluster is meant", config: swap("contexts:\n- name: east\n  context: {cluster: east, user: fairway}\n", ""), want: "0 contexts"},
		"other context":       {reason: "current-context leads nowhere", config: swap("current-context: east", "current-context: west"), want: "current-context"},
		"other cluster":       {reason: "the context leads nowhere", config: swap("{cluster: east,", "{cluster: west,"), want: "\"west\""},
		"other user":          {reason: "the context leads nowhere", config: swap("user: fairway}", "user: root}"), want: "\"root\""},
		"http":                {reason: "the token would be seen on the way", config: swap("https://10.1", "http://10.1"), want: "https"},
		"file URL":            {reason: "it would read a file", config: swap("https://10.1.0.1:6443", "file:///etc/passwd"), want: "no URL"},
		"user in URL":         {reason: "a password in a URL reaches logs", config: swap("https://", "https://a:s3cr3t-canary@"), want: "user or password"},
		"query in URL":        {reason: "nobody needs it", config: swap(":6443", ":6443/?x=y"), want: "query"},
		"no server":           {reason: "where to?", config: swap("    server: https://10.1.0.1:6443", "    {}"), want: "no URL"},
		"server name":         {reason: "no host name", config: cluster("tls-server-name: 'a b'"), want: "tls-server-name"},
		"authority is none":   {reason: "not a certificate", config: cluster("certificate-authority-data: " + b64([]byte("hello"))), want: "no list of certificates"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := fleet.CheckKubeconfig([]byte(tc.config))
			if tc.want == "" {
				if err != nil {
					t.Fatalf("%s: %v", tc.reason, err)
				}
				if diff := cmp.Diff(fleet.Credentials{Server: "https://10.1.0.1:6443", Token: "s3cr3t-canary"}, got); diff != "" {
					t.Errorf("%s: -want +got\n%s", tc.reason, diff)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got error %v, want one with %q", tc.reason, err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("no error repeats a secret: %v", err)
			}
		})
	}
}

func TestCheckKubeconfigWithCertificates(t *testing.T) {
	authority, err := pki.New("east-1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Request{CommonName: "fairway"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := pki.Kubeconfig("east-1", "fairway", "https://10.1.0.1:6443", authority.CertPEM(), pair)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fleet.CheckKubeconfig(raw)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.CertData) != string(pair.Cert) || string(got.CAData) != string(authority.CertPEM()) {
		t.Error("the certificates must be those of the file")
	}
	for _, text := range []string{fmt.Sprint(got), fmt.Sprintf("%+v %#v %s", got, got, got), fmt.Sprint(&got)} {
		if strings.Contains(text, "BEGIN") {
			t.Errorf("printing credentials must show no secret: %s", text)
		}
	}
}

func FuzzCheckKubeconfig(f *testing.F) {
	f.Add([]byte(base))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("users: [{user: {exec: {}}}]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := fleet.CheckKubeconfig(raw)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("an error is one sentence: %q", err)
			}
			return
		}
		if !strings.HasPrefix(strings.ToLower(got.Server), "https://") {
			t.Errorf("only https is dialled, not %q", got.Server)
		}
		if strings.ContainsAny(got.Server+got.Token, "\r\n\x00") {
			t.Error("nothing may break a header")
		}
	})
}

func TestCheckAddress(t *testing.T) {
	cases := map[string]struct {
		reason   string
		loopback bool
		want     bool
	}{
		"10.1.0.1":         {reason: "a cluster on the bank's network", want: true},
		"2001:db8::1":      {reason: "also by IPv6", want: true},
		"127.0.0.1":        {reason: "the hub itself", want: false},
		"::1":              {reason: "the hub itself", want: false},
		"::ffff:127.0.0.1": {reason: "the hub itself in disguise", want: false},
		"169.254.169.254":  {reason: "the cloud's credentials", loopback: true, want: false},
		"fe80::1":          {reason: "link-local", loopback: true, want: false},
		"0.0.0.0":          {reason: "any address is the hub itself", loopback: true, want: false},
		"224.0.0.1":        {reason: "a group", loopback: true, want: false},
	}
	for address, tc := range cases {
		err := fleet.CheckAddress(netip.MustParseAddr(address), tc.loopback)
		if (err == nil) != tc.want {
			t.Errorf("%s (%s): %v", address, tc.reason, err)
		}
	}
	if err := fleet.CheckAddress(netip.MustParseAddr("127.0.0.1"), true); err != nil {
		t.Errorf("the sandbox has members on loopback: %v", err)
	}
	if errors.Is(fleet.CheckAddress(netip.Addr{}, true), nil) {
		t.Error("no address is refused")
	}
}
