// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrNoDaemon says that no daemon answers on the socket.
var ErrNoDaemon = errors.New("no daemon answers")

// Client talks to the daemon of one sandbox.
type Client struct{ http *http.Client }

// NewClient makes a client for a socket.
func NewClient(socket string) *Client {
	return &Client{http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Status asks how the sandbox is; with usage it also counts memory and
// processor time, which takes longer.
func (c *Client) Status(ctx context.Context, usage bool) (*Status, error) {
	path := "/status"
	if usage {
		path += "?usage=true"
	}
	status := &Status{}
	return status, c.do(ctx, http.MethodGet, path, nil, status)
}

// Retry asks a sandbox that failed to come up to try again.
func (c *Client) Retry(ctx context.Context) error { return c.post(ctx, "/retry", nil) }

// Down asks the daemon to take the sandbox down and end; it answers before it does.
func (c *Client) Down(ctx context.Context) error { return c.post(ctx, "/down", DownRequest{}) }

// StopHost switches a host off as a loss of power does.
func (c *Client) StopHost(ctx context.Context, name string) error {
	return c.post(ctx, "/hosts/"+url.PathEscape(name)+"/stop", nil)
}

// StartHost switches it on again.
func (c *Client) StartHost(ctx context.Context, name string) error {
	return c.post(ctx, "/hosts/"+url.PathEscape(name)+"/start", nil)
}

// CutLink cuts the link between two ends; HealLink mends it.
func (c *Client) CutLink(ctx context.Context, a, b string) error {
	return c.post(ctx, "/links/cut", LinkRequest{A: a, B: b})
}

// HealLink mends a cut link.
func (c *Client) HealLink(ctx context.Context, a, b string) error {
	return c.post(ctx, "/links/heal", LinkRequest{A: a, B: b})
}

// LoseSite switches a whole data centre off.
func (c *Client) LoseSite(ctx context.Context, name string) error {
	return c.post(ctx, "/sites/"+url.PathEscape(name)+"/lose", nil)
}

// RestoreSite switches it on again.
func (c *Client) RestoreSite(ctx context.Context, name string) error {
	return c.post(ctx, "/sites/"+url.PathEscape(name)+"/restore", nil)
}

func (c *Client) post(ctx context.Context, path string, body any) error {
	return c.do(ctx, http.MethodPost, path, body, nil)
}

func (c *Client) do(ctx context.Context, method, path string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://sandbox"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", ErrNoDaemon, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("could not read the daemon's answer: %w", err)
	}
	if response.StatusCode >= 300 {
		return errors.New(strings.TrimSpace(string(content)))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("could not read the daemon's answer: %w", err)
	}
	return nil
}
