// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
)

// Device is a login on the command line that is under way (RFC 8628).
type Device struct {
	// Code that the server asks with. The client keeps it, sealed.
	Code string
	// UserCode is typed at URL; Complete is both in one.
	UserCode, URL, Complete string
	// Ends when, and how often may be asked.
	Ends     time.Time
	Interval time.Duration
}

// StartDevice begins a login on the command line.
func (p *Provider) StartDevice(ctx context.Context) (Device, error) {
	f, err := p.discover(ctx)
	if err != nil {
		return Device{}, err
	}
	if f.device == "" {
		return Device{}, p.refused("the provider knows no device codes; log in in the console, or by password")
	}
	answer := struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
		URL        string `json:"verification_uri"`
		Complete   string `json:"verification_uri_complete"`
		Expires    int64  `json:"expires_in"`
		Interval   int64  `json:"interval"`
	}{}
	if err := p.post(ctx, f.device, url.Values{"scope": {strings.Join(f.config.Scopes, " ")}}, &answer); err != nil {
		return Device{}, err
	}
	if answer.DeviceCode == "" || answer.UserCode == "" || !safe(answer.URL) || (answer.Complete != "" && !safe(answer.Complete)) {
		return Device{}, p.away(errors.New("its answer cannot be used"))
	}
	holds := min(max(time.Duration(answer.Expires)*time.Second, time.Minute), 30*time.Minute)
	return Device{
		Code: answer.DeviceCode, UserCode: identity.Shown(answer.UserCode, 64), URL: answer.URL, Complete: answer.Complete,
		Ends: p.now().Add(holds), Interval: min(max(time.Duration(answer.Interval)*time.Second, time.Second), time.Minute),
	}, nil
}

// Poll asks once whether the login was agreed to. It fails with
// identity.ErrPending, identity.ErrRefused or identity.ErrAway.
func (p *Provider) Poll(ctx context.Context, code string) (identity.Vouched, error) {
	f, err := p.discover(ctx)
	if err != nil {
		return identity.Vouched{}, err
	}
	answer := struct {
		IDToken     string `json:"id_token"`
		AccessToken string `json:"access_token"`
	}{}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code}}
	if err := p.post(ctx, f.config.Endpoint.TokenURL, form, &answer); err != nil {
		return identity.Vouched{}, err
	}
	return p.verify(ctx, f, answer.IDToken, answer.AccessToken, "")
}

// post sends a form as this client.
func (p *Provider) post(ctx context.Context, where string, form url.Values, into any) error {
	form.Set("client_id", p.settings.ClientID)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, where, nil)
	if err != nil {
		return p.away(err)
	}
	if p.secret != "" {
		request.SetBasicAuth(url.QueryEscape(p.settings.ClientID), url.QueryEscape(p.secret))
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	encoded := form.Encode()
	request.Body, request.ContentLength = io.NopCloser(strings.NewReader(encoded)), int64(len(encoded))
	response, err := p.client.Do(request)
	if err != nil {
		var transport *url.Error
		if errors.As(err, &transport) {
			err = transport.Err
		}
		return p.away(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return p.away(errors.New("its answer ended early or is too large"))
	}
	if response.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, into); err != nil {
			return p.away(errors.New("its answer is no JSON"))
		}
		return nil
	}
	bad := struct {
		Error string `json:"error"`
	}{}
	_ = json.Unmarshal(body, &bad)
	switch {
	case bad.Error == "authorization_pending" || bad.Error == "slow_down":
		return fmt.Errorf("could not log in at provider %q yet: %w", p.name, identity.ErrPending)
	case response.StatusCode < 500 && bad.Error != "":
		return p.refused("the provider answers " + word(bad.Error))
	}
	return p.away(fmt.Errorf("it answers %d", response.StatusCode))
}

// bounded cuts answers off that are too large.
type bounded struct{ inner http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.inner.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, mostAnswer)
	}
	return response, err
}
