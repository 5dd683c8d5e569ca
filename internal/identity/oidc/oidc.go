// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package oidc lets people in by an OpenID Connect provider: by its authorization
// code with PKCE in the browser, and by its device code on the command line. Only
// ID tokens that the provider signed with a public key for this client count; no
// token of the provider is kept.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

const (
	// patience is how long the provider may take to answer.
	patience = 10 * time.Second
	// skew is how far its clock may be ahead of ours.
	skew = 2 * time.Minute
	// mostAnswer is the most bytes that are read of an answer.
	mostAnswer = 1 << 20
	// rediscover is how often at most a provider that was away is asked who it is.
	rediscover = 5 * time.Second
)

// signed are the algorithms that a provider signs with: public keys alone. With
// "none" and with shared secrets anybody could sign.
var signed = []string{goidc.RS256, goidc.RS384, goidc.RS512, goidc.PS256, goidc.PS384, goidc.PS512, goidc.ES256, goidc.ES384, goidc.ES512, goidc.EdDSA}

// Options of a provider.
type Options struct {
	// Name among the ways of logging in.
	Name string
	// Settings of the provider.
	Settings identity.OIDCSettings
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Provider is an OpenID Connect provider.
type Provider struct {
	name     string
	settings identity.OIDCSettings
	secret   string
	client   *http.Client
	now      func() time.Time

	mu    sync.Mutex
	found *found
	tried time.Time
	why   error
}

// found is what the provider says of itself.
type found struct {
	config   oauth2.Config
	provider *goidc.Provider
	device   string
	verifier *goidc.IDTokenVerifier
}

// New reads the files that the settings name. The provider itself is asked at the
// first login, so that the server starts while it is away.
func New(o Options) (*Provider, error) {
	p := &Provider{name: o.Name, settings: o.Settings, now: o.Now}
	if p.now == nil {
		p.now = time.Now
	}
	if o.Settings.ClientSecretFile != "" {
		var err error
		if p.secret, err = tokenfile.ReadSecret(o.Settings.ClientSecretFile); err != nil {
			return nil, fmt.Errorf("could not use provider %q: %w", o.Name, err)
		}
	}
	sealed, err := sealing.Client{CAFile: o.Settings.CAFile, Within: patience}.HTTP(&http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("could not use provider %q: %w", o.Name, err)
	}
	p.client = &http.Client{
		Timeout:   patience,
		Transport: &bounded{sealed},
		// A redirect could send the client's secret or a code somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p, nil
}

// away says that the provider could not be asked.
func (p *Provider) away(err error) error {
	return fmt.Errorf("could not ask provider %q: %w: %w", p.name, identity.ErrAway, err)
}

// discover asks the provider who it is, once. Endpoints elsewhere than https (or
// this machine) are refused: they would see secrets.
func (p *Provider) discover(ctx context.Context) (*found, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if since := p.now().Sub(p.tried); p.why != nil && since >= 0 && since < rediscover {
		return nil, p.why
	}
	p.tried = p.now()
	asked, cancel := context.WithTimeout(goidc.ClientContext(ctx, p.client), patience)
	defer cancel()
	provider, err := goidc.NewProvider(asked, p.settings.Issuer)
	if err != nil && ctx.Err() != nil {
		return nil, p.away(ctx.Err()) // it is the client who has gone
	}
	if err != nil {
		p.why = p.away(err)
		return nil, p.why
	}
	extra := struct {
		Device string `json:"device_authorization_endpoint"`
		Keys   string `json:"jwks_uri"`
	}{}
	if err := provider.Claims(&extra); err != nil {
		p.why = p.away(err)
		return nil, p.why
	}
	endpoint := provider.Endpoint()
	for _, where := range []string{endpoint.AuthURL, endpoint.TokenURL, extra.Keys, extra.Device, provider.UserInfoEndpoint()} {
		if where != "" && !safe(where) {
			p.why = p.away(fmt.Errorf("it names the address %q, which is not https", where))
			return nil, p.why
		}
	}
	// The key set lives as long as the provider: not with the request that came first.
	keys := goidc.NewRemoteKeySet(goidc.ClientContext(context.Background(), p.client), extra.Keys)
	p.found = &found{
		config: oauth2.Config{
			ClientID: p.settings.ClientID, ClientSecret: p.secret, Endpoint: endpoint, RedirectURL: p.settings.RedirectURL,
			Scopes: append([]string{goidc.ScopeOpenID}, p.settings.Scopes...),
		},
		provider: provider,
		device:   extra.Device,
		verifier: goidc.NewVerifier(p.settings.Issuer, keys, &goidc.Config{ClientID: p.settings.ClientID, SupportedSigningAlgs: signed, Now: p.now}),
	}
	p.why = nil
	return p.found, nil
}

func safe(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	host := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1")
}

// Flow is a login in the browser that is under way. The browser keeps it, sealed.
type Flow struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Next     string    `json:"x"`
	Ends     time.Time `json:"e"`
}

// flowHolds is how long somebody may take at the provider.
const flowHolds = 10 * time.Minute

func random() string {
	var bytes [32]byte
	_, _ = rand.Read(bytes[:]) // never fails, as of Go 1.24
	return base64.RawURLEncoding.EncodeToString(bytes[:])
}

// Start says where the browser goes, and what to keep for Finish.
func (p *Provider) Start(ctx context.Context, next string) (where string, flow Flow, err error) {
	f, err := p.discover(ctx)
	if err != nil {
		return "", Flow{}, err
	}
	flow = Flow{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Next: next, Ends: p.now().Add(flowHolds)}
	where = f.config.AuthCodeURL(flow.State, goidc.Nonce(flow.Nonce), oauth2.S256ChallengeOption(flow.Verifier))
	return where, flow, nil
}

// Finish turns the code that the browser brings back into who the provider vouches
// for. It fails with identity.ErrRefused or identity.ErrAway.
func (p *Provider) Finish(ctx context.Context, flow Flow, state, code string) (identity.Vouched, error) {
	if flow.State == "" || subtle.ConstantTimeCompare([]byte(flow.State), []byte(state)) != 1 {
		return identity.Vouched{}, p.refused("the state is not the one that the login began with")
	}
	if now := p.now(); !now.Before(flow.Ends) || flow.Ends.Sub(now) > flowHolds+skew {
		return identity.Vouched{}, p.refused("the login took too long")
	}
	f, err := p.discover(ctx)
	if err != nil {
		return identity.Vouched{}, err
	}
	token, err := f.config.Exchange(goidc.ClientContext(ctx, p.client), code, oauth2.VerifierOption(flow.Verifier))
	if err != nil {
		return identity.Vouched{}, p.exchangeFailed(err)
	}
	raw, _ := token.Extra("id_token").(string)
	return p.verify(ctx, f, raw, token.AccessToken, flow.Nonce)
}

// exchangeFailed tells what the provider refuses from what it cannot answer. The
// provider's own text stays out of it: it may hold what was sent.
func (p *Provider) exchangeFailed(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < 500 {
		return p.refused("the provider answers " + word(refused.ErrorCode))
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		return p.away(transport.Err)
	}
	return p.away(errors.New("its answer cannot be used"))
}

// word keeps a provider's error code to what such codes are made of.
func word(code string) string {
	if code == "" || len(code) > 40 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "with an error"
	}
	return code
}

func (p *Provider) refused(why string) error {
	return fmt.Errorf("could not log in at provider %q: %w: %s", p.name, identity.ErrRefused, why)
}

// verify checks an ID token and reads who it is about. What it leaves out is asked of
// the provider with the access token, which is then forgotten.
func (p *Provider) verify(ctx context.Context, f *found, raw, access, nonce string) (identity.Vouched, error) {
	if raw == "" {
		return identity.Vouched{}, p.refused("the provider gave no ID token")
	}
	token, err := f.verifier.Verify(goidc.ClientContext(ctx, p.client), raw)
	if err != nil {
		if strings.Contains(err.Error(), "fetching keys") || errors.Is(err, context.DeadlineExceeded) {
			return identity.Vouched{}, p.away(errors.New("it does not give its keys"))
		}
		return identity.Vouched{}, p.refused("its ID token does not hold: " + reason(err))
	}
	switch {
	case nonce != "" && subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return identity.Vouched{}, p.refused("the ID token is of another login")
	case token.IssuedAt.Sub(p.now()) > skew:
		return identity.Vouched{}, p.refused("the ID token comes from the future; look at the clocks")
	case token.Subject == "":
		return identity.Vouched{}, p.refused("the ID token names nobody")
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return identity.Vouched{}, p.refused("the ID token cannot be read")
	}
	if azp, given := claims["azp"]; given && azp != p.settings.ClientID {
		return identity.Vouched{}, p.refused("the ID token was made for another client")
	}
	if err := p.complete(ctx, f, claims, token.Subject, access); err != nil {
		return identity.Vouched{}, err
	}
	text := func(name string) string {
		value, _ := claims[name].(string)
		return identity.Shown(value, 256)
	}
	claim := identity.Claim{
		Provider: p.name, Subject: token.Subject, Name: text(p.settings.NameClaim), Mail: text(p.settings.MailClaim),
		StaffNumber: text(p.settings.StaffNumberClaim), Unit: text(p.settings.UnitClaim), Groups: groups(claims[p.settings.GroupsClaim]),
	}
	// The login is a name that people go by; one that holds what is not seen is nobody's.
	if login, _ := claims[p.settings.LoginClaim].(string); identity.CheckLogin(login) == "" {
		claim.Login = login
	}
	return identity.Vouched{Claim: claim}, nil
}

// complete adds the claims that the ID token leaves out. Those that it has stay: they
// are signed. What is about somebody else is refused.
func (p *Provider) complete(ctx context.Context, f *found, claims map[string]any, subject, access string) error {
	_, login := claims[p.settings.LoginClaim]
	_, groups := claims[p.settings.GroupsClaim]
	if (login && groups) || access == "" || f.provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := f.provider.UserInfo(goidc.ClientContext(ctx, p.client), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: access}))
	if err != nil {
		return p.away(errors.New("it does not say more about the person"))
	}
	if info.Subject != subject {
		return p.refused("what it says of the person is about somebody else")
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return p.refused("what it says of the person cannot be read")
	}
	for name, value := range more {
		if _, signed := claims[name]; !signed {
			claims[name] = value
		}
	}
	return nil
}

// reason says in our words why a token does not hold; the library's hold parts of it.
func reason(err error) string {
	var expired *goidc.TokenExpiredError
	text := err.Error()
	switch {
	case errors.As(err, &expired):
		return "it has expired"
	case strings.Contains(text, "issued by a different provider"):
		return "another provider issued it"
	case strings.Contains(text, "audience"):
		return "it is meant for another client"
	case strings.Contains(text, "unsupported algorithm"), strings.Contains(text, "unexpected signature algorithm"), strings.Contains(text, "signature algorithm"):
		return "it is signed in a way that is not accepted"
	case strings.Contains(text, "failed to verify signature"):
		return "its signature is wrong"
	}
	return "it cannot be read"
}

// mostGroups that are taken from a token.
const mostGroups = 500

func groups(value any) []string {
	list, _ := value.([]any)
	if one, ok := value.(string); ok {
		list = []any{one}
	}
	var found []string
	for _, item := range list {
		if name, ok := item.(string); ok && name != "" && len(found) < mostGroups {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
