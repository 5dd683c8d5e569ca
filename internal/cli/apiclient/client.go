// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package apiclient

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Options say where the server is and who asks.
type Options struct {
	// Server is the address, such as https://127.0.0.1:8443.
	Server string
	// CAFile holds the certificates that the server's is checked with, PEM.
	// Default: those that this machine trusts.
	CAFile string
	// TokenFile holds the token. Default: none, and the server refuses most.
	TokenFile string
	// Agent is the name of the program in requests.
	Agent string
	// Trace is where requests and answers are told, without secrets. Default: nowhere.
	Trace io.Writer
	// Patience is how long an answer may take that is no stream. Default: 30 s.
	Patience time.Duration
}

// Client asks one server.
type Client struct {
	base     *url.URL
	token    string
	agent    string
	trace    io.Writer
	patience time.Duration
	http     *http.Client

	kinds   func() ([]Kind, string, error)
	openAPI func() (map[string]any, error)
}

// mostAnswer bounds an answer that is no stream.
const mostAnswer = 128 << 20

// New returns a client.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.Server)
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("could not use server address %q: write it as https://host:port", o.Server)
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		return nil, fmt.Errorf("could not use server address %q: the token would cross the network in the clear; use https", o.Server)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	c := &Client{base: base, agent: o.Agent, trace: o.Trace, patience: o.Patience}
	if c.patience == 0 {
		c.patience = 30 * time.Second
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("could not read the server's certificate authority: %w", err)
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("could not use certificate authority %q: it holds no certificate", o.CAFile)
		}
	}
	if o.TokenFile != "" {
		if c.token, err = readToken(o.TokenFile); err != nil {
			return nil, err
		}
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.kinds = onceOK(c.fetchKinds)
	c.openAPI = sync.OnceValues(c.fetchOpenAPI)
	return c, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// readToken reads a token that only its owner may read.
func readToken(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("could not read the token: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("could not use token file %q: others may read it (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("could not read the token: %w", err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("could not use token file %q: it holds no token", path)
	}
	return token, nil
}

// Server is the address that is asked.
func (c *Client) Server() string { return c.base.String() }

// Request is one question.
type Request struct {
	// Method is the HTTP method.
	Method string
	// Path, its words escaped (see Path).
	Path string
	// Query parameters.
	Query url.Values
	// Body becomes JSON; nil sends none.
	Body any
	// Media of the body. Default: application/json.
	Media string
}

// Answer is what came back.
type Answer struct {
	// Status is the HTTP status.
	Status int
	// Body as it came.
	Body []byte
	// Warnings from the server.
	Warnings []string
}

// Path joins words, each escaped.
func Path(words ...string) string {
	path := ""
	for _, w := range words {
		path += "/" + url.PathEscape(w)
	}
	return path
}

// Do asks and reads the whole answer. What is no success is a *Failure.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errSlow)
	defer cancel()
	response, err := c.send(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer+1))
	if err != nil {
		return Answer{}, c.unreachable(ctx, err)
	}
	if len(body) > mostAnswer {
		return Answer{}, fmt.Errorf("could not read the answer of %s: it is longer than %d bytes", r.Path, mostAnswer)
	}
	return Answer{Status: response.StatusCode, Body: body, Warnings: response.Header.Values("Warning")}, nil
}

// Stream asks and returns the answer as it comes. The caller closes it.
func (c *Client) Stream(ctx context.Context, r Request) (io.ReadCloser, error) {
	response, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

var errSlow = errors.New("the server did not answer in time")

func (c *Client) send(ctx context.Context, r Request) (*http.Response, error) {
	request, trace, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		c.tell("%s %s: %v", r.Method, request.URL, err)
		failure := c.unreachable(ctx, err)
		failure.Trace = trace
		return nil, failure
	}
	c.tell("%s %s %s %d in %s trace=%s", r.Method, request.URL, masked(request.Header), response.StatusCode, time.Since(began).Round(time.Millisecond), trace)
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	failure := failureOf(response.StatusCode, response.Header.Get("Content-Type"), body)
	if failure.Trace == "" {
		failure.Trace = trace
	}
	return nil, failure
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, string, error) {
	var body io.Reader
	if r.Body != nil {
		raw, err := json.Marshal(r.Body)
		if err != nil {
			return nil, "", fmt.Errorf("could not write the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	target := c.base.String() + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, target, body)
	if err != nil {
		return nil, "", fmt.Errorf("could not write the request: %w", err)
	}
	var id [24]byte
	_, _ = rand.Read(id[:]) // never fails, as of Go 1.24
	trace := hex.EncodeToString(id[:16])
	request.Header.Set("Traceparent", "00-"+trace+"-"+hex.EncodeToString(id[16:])+"-01")
	request.Header.Set("User-Agent", c.agent)
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	if r.Body != nil {
		media := r.Media
		if media == "" {
			media = "application/json"
		}
		request.Header.Set("Content-Type", media)
	}
	return request, trace, nil
}

// unreachable says why no answer came.
func (c *Client) unreachable(ctx context.Context, err error) *Failure {
	failure := &Failure{
		Code: CodeUnreachable, Detail: fmt.Sprintf("could not reach Fairway at %s: %v", c.base, innermost(err)), err: err,
		Next: "See whether it runs (fairway sandbox status), and check --server and --ca-file.",
	}
	if errors.Is(context.Cause(ctx), errSlow) || errors.Is(err, context.DeadlineExceeded) {
		failure.Code, failure.Detail = CodeTimeout, fmt.Sprintf("could not get an answer from %s in time", c.base)
		failure.Next = "Try again; look at the object first, since a change may have happened."
	}
	return failure
}

// innermost takes off what repeats method and address.
func innermost(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// tell writes one line of trace.
func (c *Client) tell(format string, args ...any) {
	if c.trace != nil {
		fmt.Fprintf(c.trace, format+"\n", args...)
	}
}

// masked shows the headers without what they keep secret. Bodies are never shown.
func masked(h http.Header) string {
	var shown []string
	for _, name := range []string{"Authorization", "Content-Type", "User-Agent"} {
		value := h.Get(name)
		if value == "" {
			continue
		}
		if name == "Authorization" {
			value = "Bearer ***"
		}
		shown = append(shown, name+": "+value)
	}
	return "[" + strings.Join(shown, ", ") + "]"
}
