// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sinks

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// File is the file that names the sinks.
type File struct {
	// Sinks that evidence goes to.
	Sinks []Entry `json:"sinks"`
}

// Entry is one sink.
type Entry struct {
	// Name of the sink, small letters, digits and dashes. Its position is kept under it.
	Name string `json:"name"`
	// Syslog or Webhook says where it goes; one of them.
	Syslog  *SyslogEntry  `json:"syslog,omitempty"`
	Webhook *WebhookEntry `json:"webhook,omitempty"`
}

// SyslogEntry is a receiver of RFC 5424 over TLS.
type SyslogEntry struct {
	// Address is host:port.
	Address string `json:"address"`
	// CAFile is who signed the receiver's certificate, PEM. Default: the machine's.
	CAFile string `json:"caFile,omitempty"`
	// CertFile and KeyFile are our own certificate, PEM. Default: none.
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
}

// WebhookEntry is a receiver of signed JSON lines.
type WebhookEntry struct {
	// URL that is posted to.
	URL string `json:"url"`
	// SecretFile holds the secret that signs, mode 0600.
	SecretFile string `json:"secretFile"`
	// CAFile is who signed the receiver's certificate, PEM. Default: the machine's.
	CAFile string `json:"caFile,omitempty"`
}

var sinkName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// Load reads the sinks of a file.
func Load(path string) ([]Sink, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("could not read the sinks of evidence: %w", err)
	}
	file := File{}
	if err := yaml.UnmarshalStrict(raw, &file); err != nil {
		return nil, fmt.Errorf("could not read the sinks of evidence from %q: %w", path, err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "-"
	}
	var all []Sink
	seen := map[string]bool{}
	for i, e := range file.Sinks {
		if !sinkName.MatchString(e.Name) || seen[e.Name] {
			return nil, fmt.Errorf("could not use sink %d of %q: its name %q is taken or not made of small letters, digits and dashes", i+1, path, e.Name)
		}
		seen[e.Name] = true
		sink, err := e.sink(host)
		if err != nil {
			return nil, fmt.Errorf("could not use sink %q of %q: %w", e.Name, path, err)
		}
		all = append(all, sink)
	}
	return all, nil
}

func (e Entry) sink(host string) (Sink, error) {
	switch {
	case e.Syslog != nil && e.Webhook == nil:
		if _, _, err := net.SplitHostPort(e.Syslog.Address); err != nil {
			return nil, fmt.Errorf("its address %q is not host:port", e.Syslog.Address)
		}
		sealer, err := sealing.Client{CAFile: e.Syslog.CAFile, CertFile: e.Syslog.CertFile, KeyFile: e.Syslog.KeyFile}.Open()
		if err != nil {
			return nil, err
		}
		return &Syslog{Title: e.Name, Address: e.Syslog.Address, Sealer: sealer, Host: host}, nil
	case e.Webhook != nil && e.Syslog == nil:
		at, err := url.Parse(e.Webhook.URL)
		if err != nil || at.Host == "" || at.User != nil || at.Scheme != "https" && !(at.Scheme == "http" && loopback(at.Hostname())) {
			return nil, fmt.Errorf("its address is not https://host/path; http is for this machine only, and a secret belongs into secretFile")
		}
		secret, err := tokenfile.ReadSecret(e.Webhook.SecretFile)
		if err != nil {
			return nil, err
		}
		if len(secret) < 16 {
			return nil, fmt.Errorf("the secret in %q has less than 16 characters", e.Webhook.SecretFile)
		}
		sealed, err := sealing.Client{CAFile: e.Webhook.CAFile}.HTTP(&http.Transport{ForceAttemptHTTP2: true, MaxIdleConns: 2, IdleConnTimeout: time.Minute})
		if err != nil {
			return nil, err
		}
		return &Webhook{Title: e.Name, URL: e.Webhook.URL, Secret: []byte(secret), Client: &http.Client{
			Timeout: time.Minute, CheckRedirect: noRedirect, Transport: sealed,
		}}, nil
	}
	return nil, fmt.Errorf("it names syslog or webhook, one of them")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
