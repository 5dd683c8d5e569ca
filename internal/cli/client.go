// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// Client calls the REST API.
type Client struct {
	access Access
	base   *url.URL
	token  string
	http   *http.Client
	// Trace gets a line for each request, with secrets left out. Nil: none.
	Trace io.Writer
	// Kept is told the number of the record that the witness has confirmed, for each
	// act in production. Nil: nobody is.
	Kept func(record string)

	kinds Kinds
	// entering says that a ready account is being logged in.
	entering bool
}

// NewClient reads the token and prepares the connection.
func NewClient(access Access) (*Client, error) {
	c, err := NewStranger(access)
	if err != nil {
		return nil, err
	}
	c.token, err = tokenfile.Read(access.TokenFile)
	if err != nil && access.PasswordFile == "" {
		return nil, &Failure{Exit: ExitDenied, Cause: err.Error(), Next: "log in with \"fairway login\", or name the file of your token with --token-file"}
	}
	return c, nil
}

// NewStranger prepares the connection of somebody who has yet to log in.
func NewStranger(access Access) (*Client, error) {
	base, err := url.Parse(access.Server)
	if err != nil || base.Host == "" || base.User != nil || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, Usage("could not use server address %q: it looks like https://fairway.bank.example:8443", access.Server)
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		return nil, Usage("could not use server address %q: a token goes over https only", access.Server)
	}
	sealed, err := sealing.Client{CAFile: access.CAFile}.HTTP(&http.Transport{
		ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: 90 * time.Second,
	})
	if err != nil {
		return nil, Usage("%v; see --ca-file", err)
	}
	return &Client{access: access, base: base, http: &http.Client{
		Transport: sealed,
		// The token must not follow a redirect to somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// Access says where the client calls, and as whom.
func (c *Client) Access() Access { return c.access }

// As is the same connection with another token.
func (c *Client) As(token string) *Client {
	other := *c
	other.token, other.kinds, other.access.PasswordFile = token, nil, ""
	return &other
}

// Namespace is the configured namespace; empty means all.
func (c *Client) Namespace() string { return c.access.Namespace }

// Request is one call.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	// Body becomes JSON. Nil: none.
	Body any
	// Raw is a body that is sent as it is, in place of Body. Nil: none.
	Raw []byte
	// Media of the body. Default: application/json.
	Media string
	// IfMatch is the version that is changed.
	IfMatch string
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the answer's JSON.
func (a Answer) Decode(into any) error {
	decoder := json.NewDecoder(bytes.NewReader(a.Body))
	decoder.UseNumber() // 1000000 stays 1000000
	if err := decoder.Decode(into); err != nil {
		return &Failure{Exit: ExitUnavailable, Cause: fmt.Sprintf("could not read the server's answer: %v", err), Next: "check that --server names a Fairway server"}
	}
	return nil
}

// Do makes a call. What the server refuses is a *Failure.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	response, err := c.open(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, c.unreachable(ctx, err)
	}
	if record, witnessed := strings.CutSuffix(response.Header.Get("Fairway-Evidence"), ";witnessed"); witnessed && c.Kept != nil {
		c.Kept(record)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// Stream makes a call and hands the answer's body over; the caller closes it.
func (c *Client) Stream(ctx context.Context, r Request) (io.ReadCloser, error) {
	response, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// open makes a call; a ready account whose session has ended is logged in, and asks
// once more: what was refused so has not begun.
func (c *Client) open(ctx context.Context, r Request) (*http.Response, error) {
	if c.access.PasswordFile == "" || c.entering {
		return c.call(ctx, r)
	}
	if c.token == "" {
		if err := c.enter(ctx); err != nil {
			return nil, err
		}
		return c.call(ctx, r)
	}
	response, err := c.call(ctx, r)
	var refused *Failure
	if !errors.As(err, &refused) || refused.Code != "unauthenticated" {
		return response, err
	}
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	return c.call(ctx, r)
}

// enter logs a ready account in, and keeps its token for the next command.
func (c *Client) enter(ctx context.Context) error {
	c.entering = true
	defer func() { c.entering = false }()
	password, err := tokenfile.ReadSecret(c.access.PasswordFile)
	if err != nil {
		return &Failure{Exit: ExitDenied, Cause: err.Error(), Next: "log in with \"fairway login\""}
	}
	c.token = ""
	in, err := c.ByPassword(ctx, c.access.Provider, c.access.User, password, "")
	if err != nil {
		return err
	}
	c.token = in.Token
	if err := os.MkdirAll(filepath.Dir(c.access.TokenFile), 0o700); err != nil {
		return fmt.Errorf("could not keep the login: %w", err)
	}
	return writeSecret(c.access.TokenFile, in.Token)
}

func (c *Client) call(ctx context.Context, r Request) (*http.Response, error) {
	target := *c.base
	target.Path = strings.TrimSuffix(target.Path, "/") + r.Path
	target.RawQuery = r.Query.Encode()
	var body io.Reader
	if r.Body != nil {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("could not write the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	if r.Raw != nil {
		body = bytes.NewReader(r.Raw)
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, target.String(), body)
	if err != nil {
		return nil, Usage("could not ask for %q: %v", r.Path, err)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	request.Header.Set("User-Agent", "fairway-cli")
	if r.Body != nil || r.Raw != nil {
		media := r.Media
		if media == "" {
			media = "application/json"
		}
		request.Header.Set("Content-Type", media)
	}
	if r.IfMatch != "" {
		request.Header.Set("If-Match", `"`+r.IfMatch+`"`)
	}
	began := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if c.Trace != nil {
		_, _ = fmt.Fprintf(c.Trace, "%s %s -> %d in %s, trace %s\n", r.Method, target.RequestURI(), response.StatusCode,
			time.Since(began).Round(time.Millisecond), response.Header.Get("Trace-Id"))
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	p := problem{}
	if json.Unmarshal(raw, &p) != nil || p.Code == "" {
		return nil, &Failure{Exit: ExitUnavailable, Cause: fmt.Sprintf("the server at %s answers %d without a reason", c.base.Host, response.StatusCode),
			Next: "check that --server names a Fairway server"}
	}
	return nil, p.failure()
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Failure{Exit: ExitTimeout, Cause: fmt.Sprintf("the server at %s did not answer in time", c.base.Host), Next: "try again, or give more time with --timeout"}
	}
	if ctx.Err() != nil {
		return &Failure{Exit: ExitInterrupted, Cause: "ended by you"}
	}
	var unknown *sealing.Untrusted
	if errors.As(err, &unknown) {
		return &Failure{Exit: ExitUnavailable, Cause: fmt.Sprintf("could not trust the server at %s: %v", c.base.Host, unknown.Err), Next: "name the file of its CA with --ca-file"}
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &Failure{Exit: ExitUnavailable, Cause: fmt.Sprintf("could not reach the server at %s: %v", c.base.Host, err),
		Next: "check that it runs: \"fairway sandbox status\" for a sandbox. What runs in the clusters goes on without it"}
}
