// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/audit/sinks"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/ldap"
	"github.com/fairway-cloud/fairway/internal/identity/oidc"
	"github.com/fairway-cloud/fairway/internal/images/registry"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

// TestUsersKnowNoTransport: those who connect are sealed by whatever the build has,
// with no word changed. What answers here seals nothing: it only matters who begins.
func TestUsersKnowNoTransport(t *testing.T) {
	kind, sealed := sealing.Counted()
	kind.Use(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				begins := make([]byte, 1)
				if _, err := io.ReadFull(conn, begins); err != nil {
					return
				}
				if begins[0] == 0x30 { // LDAP: yes to STARTTLS
					_, _ = io.ReadFull(conn, make([]byte, 30))
					_, _ = conn.Write([]byte{0x30, 0x0c, 2, 1, 1, 0x78, 7, 0x0a, 1, 0, 4, 0, 4, 0})
					_, _ = conn.Read(make([]byte, 1))
				}
			}()
		}
	}()
	address := l.Addr().String()
	secret := file(t, []byte("s3cret-of-both-sides"))
	must(t, os.Chmod(secret, 0o600))
	sinksFile := func(content string) string {
		path := filepath.Join(t.TempDir(), "sinks.yaml")
		must(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	send := func(t *testing.T, content string) {
		t.Helper()
		all, err := sinks.Load(sinksFile(content))
		must(t, err)
		if err := all[0].Send(t.Context(), []audit.Entry{{}}); err == nil {
			t.Error("nobody took it")
		}
	}
	directory := func(t *testing.T, at string) {
		t.Helper()
		settings, err := identity.ReadSettings([]byte("providers: [{name: ad, ldap: {url: '" + at + "', bindDN: 'cn=fairway', passwordFile: " + secret + ", baseDN: 'dc=bank'}}]"))
		must(t, err)
		d, err := ldap.New("ad", *settings.Providers[0].LDAP)
		must(t, err)
		if _, err := d.Vouch(t.Context(), "zhang.san", "pass", ""); err == nil {
			t.Error("nobody vouched")
		}
	}
	for name, connect := range map[string]func(t *testing.T){
		"syslog": func(t *testing.T) { send(t, "sinks: [{name: a, syslog: {address: '"+address+"'}}]") },
		"webhook sink": func(t *testing.T) {
			send(t, "sinks: [{name: a, webhook: {url: 'https://"+address+"/', secretFile: "+secret+"}}]")
		},
		"webhook": func(t *testing.T) {
			key, err := webhook.ReadKey("k", file(t, []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")))
			must(t, err)
			target, err := webhook.NewTarget(webhook.TargetOptions{URL: "https://" + address + "/", Networks: []string{"127.0.0.0/8"}, Key: key})
			must(t, err)
			if _, err := target.Post(t.Context(), "p", "id", nil); err == nil {
				t.Error("nobody answered")
			}
		},
		"LDAP":              func(t *testing.T) { directory(t, "ldaps://"+address) },
		"LDAP and STARTTLS": func(t *testing.T) { directory(t, "ldap://"+address) },
		"OIDC": func(t *testing.T) {
			p, err := oidc.New(oidc.Options{Name: "sso", Settings: identity.OIDCSettings{Issuer: "https://" + address, ClientID: "fairway"}})
			must(t, err)
			if _, _, err := p.Start(t.Context(), "/"); err == nil {
				t.Error("nobody answered")
			}
		},
		"command line": func(t *testing.T) {
			c, err := cli.NewStranger(cli.Access{Server: "https://" + address})
			must(t, err)
			if _, err := c.Do(t.Context(), cli.Request{Method: "GET", Path: "/"}); err == nil {
				t.Error("nobody answered")
			}
		},
		"registry": func(t *testing.T) {
			r := registry.New(registry.Registry{Name: "registry.bank", Endpoint: address})
			if _, err := r.Resolve(t.Context(), "registry.bank/bank/pay:1"); err == nil {
				t.Error("nobody answered")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := sealed.Load()
			connect(t)
			if sealed.Load() == before {
				t.Error("it is sealed by something else than the build's transport")
			}
		})
	}
}
