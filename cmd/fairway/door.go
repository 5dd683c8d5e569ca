// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/directory"
	"github.com/fairway-cloud/fairway/internal/identity/header"
	"github.com/fairway-cloud/fairway/internal/identity/ldap"
	"github.com/fairway-cloud/fairway/internal/identity/local"
	"github.com/fairway-cloud/fairway/internal/identity/lockout"
	"github.com/fairway-cloud/fairway/internal/identity/oidc"
	"github.com/fairway-cloud/fairway/internal/identity/seal"
	doorserver "github.com/fairway-cloud/fairway/internal/identity/server"
	"github.com/fairway-cloud/fairway/internal/identity/session"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/server"
)

// door is where people come in.
type door struct {
	room        *doorserver.Room
	people      *directory.Directory
	credentials *credentials
	front       *header.Front
	proxies     []netip.Prefix
	// key seals what the server keeps to itself.
	key *seal.Key
}

// credentials knows the sessions and tokens of the database, and the token file
// with which an installation begins.
type credentials struct {
	bootstrap *tokenfile.Identity
	sessions  *session.Store
}

// Authenticate implements httpapi.Authenticator.
func (c *credentials) Authenticate(ctx context.Context, credential string) (identity.Person, error) {
	if c.bootstrap != nil {
		if person, err := c.bootstrap.Authenticate(ctx, credential); err == nil {
			return person, nil
		}
	}
	return c.sessions.Authenticate(ctx, credential)
}

// Remembered implements httpapi.Remembering.
func (c *credentials) Remembered(credential string) (identity.Person, bool) {
	return c.sessions.Remembered(credential)
}

// duties asks the hub who administers logins.
type duties struct{ authority server.Authority }

// MayHere implements doorserver.Authority.
func (d duties) MayHere(ctx context.Context, person identity.Person, verb, resource string) (bool, error) {
	return d.authority.May(ctx, person, server.Question{Verb: verb, Group: "identity.fairway.cloud", Resource: resource})
}

// openDoor opens the ways in that the settings name.
func (h *house) openDoor(ctx context.Context) error {
	settings, err := loginSettings(h.options.loginSettings)
	if err != nil {
		return err
	}
	key, err := seal.Ensure(h.options.identityKey())
	if err != nil {
		return err
	}
	people := directory.New(h.mgr.GetClient(), h.mgr.GetAPIReader(), time.Now)
	if err := people.Watch(ctx, h.mgr.GetCache()); err != nil {
		return err
	}
	d := &door{credentials: &credentials{}, people: people, key: key}
	if d.proxies, err = identity.Prefixes(settings.TrustedProxies); err != nil {
		return err
	}
	if !h.options.noBootstrap {
		if d.credentials.bootstrap, err = tokenfile.Ensure(h.options.bootstrapFile()); err != nil {
			return err
		}
	}
	if d.credentials.sessions, err = session.New(ctx, h.database, session.Options{Directory: people, Limits: settings.Sessions, Log: h.log}); err != nil {
		return err
	}
	attempts, err := lockout.New(ctx, h.database, nil)
	if err != nil {
		return err
	}
	reviews, err := authorizationclient.NewForConfig(h.mgr.GetConfig())
	if err != nil {
		return fmt.Errorf("could not reach the hub: %w", err)
	}
	counted, err := doorserver.NewMetrics(metrics.Registry)
	if err != nil {
		return fmt.Errorf("could not count logins: %w", err)
	}
	room := doorserver.Config{
		Metrics:   counted,
		Authority: duties{server.NewReviews(reviews.SubjectAccessReviews())},
		Sessions:  d.credentials.sessions, Lockout: attempts, Directory: people, Recorder: h.recorder, Key: key, Log: h.log,
	}
	for _, p := range settings.Providers {
		way, err := h.way(ctx, p, key)
		if err != nil {
			return err
		}
		if accounts, ok := way.Passwords.(*local.Accounts); ok {
			room.Accounts = accounts
		}
		room.Providers = append(room.Providers, way)
	}
	if err := h.firstAccount(ctx, room.Accounts); err != nil {
		return err
	}
	d.room = doorserver.New(room)
	if settings.Front != nil {
		d.front, err = header.New(header.Options{Settings: *settings.Front, Directory: people, Recorder: h.recorder, Log: h.log})
	}
	h.door = d
	return err
}

// way opens one way to log in.
func (h *house) way(ctx context.Context, p identity.ProviderSettings, key *seal.Key) (doorserver.Provider, error) {
	way := doorserver.Provider{Name: p.Name, DisplayName: p.DisplayName}
	var err error
	switch {
	case p.OIDC != nil:
		way.OIDC, err = oidc.New(oidc.Options{Name: p.Name, Settings: *p.OIDC})
	case p.LDAP != nil:
		var directory *ldap.Directory
		if directory, err = ldap.New(p.Name, *p.LDAP); err == nil {
			way.Passwords = directory
			err = h.renew(p.Name, directory, p.LDAP.Recheck.Duration)
		}
	default:
		way.Passwords, err = local.New(ctx, h.database, local.Options{Key: key, Log: h.log})
	}
	return way, err
}

// renew has the leader ask a directory again about those who are logged in.
func (h *house) renew(name string, directory *ldap.Directory, every time.Duration) error {
	return h.mgr.Add(leading(func(ctx context.Context) error {
		renewal := &session.Renewal{Store: h.door.credentials.sessions, Name: name, Provider: directory, Every: every, Recorder: h.recorder, Log: h.log}
		return renewal.Run(ctx)
	}))
}

// firstAccount opens the account with which an installation begins that has no
// token file, and leaves its invitation in a file that only the server's user reads.
func (h *house) firstAccount(ctx context.Context, accounts *local.Accounts) error {
	if h.options.firstAccount == "" {
		return nil
	}
	name, person, ok := strings.Cut(h.options.firstAccount, "=")
	if !ok || accounts == nil {
		return errors.New("could not open the first account: write --first-account NAME=PERSON, and offer local accounts")
	}
	if there, err := accounts.List(ctx); err != nil || len(there) > 0 {
		return err
	}
	invite, until, err := accounts.Add(ctx, name, person)
	if err != nil {
		return fmt.Errorf("could not open the first account %q: %w", name, err)
	}
	path := filepath.Join(h.options.dataDir, "first-account")
	text := fmt.Sprintf("%s\n", invite)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("could not write the invitation of the first account: %w", err)
	}
	h.log.Info("the first account waits for its password", "account", name, "invitation", path, "until", until.UTC().Format(time.RFC3339))
	return nil
}

// loginSettings reads the settings; without a file there are local accounts alone.
func loginSettings(path string) (identity.Settings, error) {
	if path == "" {
		return identity.ReadSettings(nil)
	}
	raw, err := os.ReadFile(filepath.Clean(path))
	if errors.Is(err, fs.ErrNotExist) {
		return identity.Settings{}, fmt.Errorf("could not read the login settings: there is no file %q", path)
	}
	if err != nil {
		return identity.Settings{}, fmt.Errorf("could not read the login settings: %w", err)
	}
	settings, err := identity.ReadSettings(raw)
	if err != nil {
		return identity.Settings{}, fmt.Errorf("%w; file %q", err, path)
	}
	return settings, nil
}

func (o serverOptions) identityKey() string {
	if o.identityKeyFile != "" {
		return o.identityKeyFile
	}
	return filepath.Join(o.dataDir, "identity.key")
}

func (o serverOptions) bootstrapFile() string {
	if o.tokenFile != "" {
		return o.tokenFile
	}
	return filepath.Join(o.dataDir, "admin.token")
}

func (o serverOptions) databaseSource() string {
	if o.database != "" {
		return o.database
	}
	return filepath.Join(o.dataDir, "fairway.db")
}

// asFront is the front, or no front at all: a nil pointer in an interface would be one.
func (d *door) asFront() httpapi.Front {
	if d.front == nil {
		return nil
	}
	return d.front
}

// clientCertificates asks clients for a certificate where the front is known by one. Whose
// it has to be is looked at with each request.
func (d *door) clientCertificates() sealing.Clients {
	if d.front != nil && d.front.WantsCertificates() {
		return sealing.ClientsMay
	}
	return sealing.ClientsNever
}
