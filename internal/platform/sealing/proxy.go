// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/proxy"
)

// mostTunnel is what is read of a proxy's answer, in bytes.
const mostTunnel = 64 << 10

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// DialContext implements proxy.ContextDialer.
func (d dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// Dial implements proxy.Dialer.
func (d dialFunc) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

// route is how others are reached.
type route struct {
	// named says which proxy leads to an address. Nil: none does.
	named func(*http.Request) (*url.URL, error)
	dial  dialFunc
	// sealer of connections to a proxy that wants them sealed; it is known by the same
	// authorities as those behind it.
	sealer *Dialer
}

// to connects to host:port.
func (o route) to(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	at := &url.URL{Scheme: "https", Host: address}
	if port == "443" {
		at.Host = host
	}
	by, err := o.named((&http.Request{Method: http.MethodGet, URL: at, Host: at.Host, Header: http.Header{}}).WithContext(ctx))
	if err != nil {
		return nil, errors.New("could not read the address of the proxy") // it may hold a password
	}
	if by == nil {
		return o.dial(ctx, network, address)
	}
	conn, err := o.tunnel(ctx, by, network, address)
	if err != nil {
		return nil, fmt.Errorf("could not connect through the proxy at %s: %w", by.Host, err)
	}
	return conn, nil
}

func (o route) tunnel(ctx context.Context, by *url.URL, network, address string) (net.Conn, error) {
	password, _ := by.User.Password()
	switch by.Scheme {
	case "socks5", "socks5h":
		var auth *proxy.Auth
		if by.User != nil {
			auth = &proxy.Auth{User: by.User.Username(), Password: password}
		}
		socks, err := proxy.SOCKS5(network, net.JoinHostPort(by.Hostname(), cmp.Or(by.Port(), "1080")), auth, o.dial)
		if err != nil {
			return nil, err
		}
		return socks.(proxy.ContextDialer).DialContext(ctx, network, address)
	case "http", "https":
	default:
		return nil, fmt.Errorf("it speaks %q, which is not known here", by.Scheme)
	}
	raw, err := o.dial(ctx, network, net.JoinHostPort(by.Hostname(), cmp.Or(by.Port(), map[string]string{"http": "80", "https": "443"}[by.Scheme])))
	if err != nil {
		return nil, err
	}
	if by.Scheme == "https" {
		if raw, err = o.sealer.shake(ctx, raw, by.Hostname()); err != nil {
			return nil, err
		}
	}
	ask := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if by.User != nil {
		ask.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(by.User.Username()+":"+password)))
	}
	if err := connect(ctx, raw, ask); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return raw, nil
}

// connect asks a proxy to lead on. What it says besides yes or no is not believed.
func connect(ctx context.Context, raw net.Conn, ask *http.Request) error {
	bound, cancel := context.WithTimeout(ctx, handshakeWithin)
	defer cancel()
	stop := context.AfterFunc(bound, func() { _ = raw.Close() })
	defer stop()
	if err := ask.Write(raw); err != nil {
		return err
	}
	reader := bufio.NewReader(io.LimitReader(raw, mostTunnel))
	answer, err := http.ReadResponse(reader, ask)
	switch {
	case bound.Err() != nil:
		return fmt.Errorf("it does not answer: %w", bound.Err())
	case err != nil:
		return errors.New("it answers with something else than HTTP")
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("it answers %d", answer.StatusCode)
	case reader.Buffered() > 0:
		return errors.New("it speaks before the other side does")
	case !stop():
		return bound.Err()
	}
	return nil
}
