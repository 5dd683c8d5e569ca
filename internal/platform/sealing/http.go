// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
)

// nativeHTTP is an ability of a transport whose sessions are those of Go's standard
// library: net/http knows them, and speaks HTTP/2 over them both ways. Over another
// transport its servers speak HTTP/2 too, and its clients HTTP/1.1.
type nativeHTTP interface{ native(session) *tls.Conn }

// HTTP has base seal its connections to https addresses, directly and through the
// proxies that base.Proxy names, and returns it. HTTP/2 is offered where
// base.ForceAttemptHTTP2 asks for it. What base says of TLS itself does not count.
func (c Client) HTTP(base *http.Transport) (*http.Transport, error) {
	native, is := chosen().(nativeHTTP)
	c.Protocols = nil
	switch {
	case base.ForceAttemptHTTP2 && is:
		c.Protocols = HTTP
	case base.ForceAttemptHTTP2:
		c.Protocols = HTTP[1:]
	}
	dialer, err := c.Open()
	if err != nil {
		return nil, err
	}
	c.Protocols = nil
	toProxy, err := c.Open()
	if err != nil {
		return nil, err
	}
	dial, proxy := base.DialContext, base.Proxy
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	if proxy == nil {
		proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	base.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme == "https" {
			return nil, nil // the tunnel is part of the connection, see below
		}
		return proxy(r)
	}
	base.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := route{proxy, dial, toProxy}.to(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn, err := dialer.over(ctx, raw, address)
		if err != nil {
			return nil, err
		}
		if is {
			return native.native(conn.session), nil
		}
		return conn, nil
	}
	return base, nil
}

type connKey struct{}

// Serve serves HTTP over l until h is shut down. Handlers ask PeerOf who the client is.
// A handshake is bounded by h's time for headers, or by Within where it has none.
func (a *Acceptor) Serve(h *http.Server, l net.Listener) error {
	if native, is := a.by.(nativeHTTP); is {
		if h.ReadHeaderTimeout <= 0 && h.ReadTimeout <= 0 && h.WriteTimeout <= 0 {
			h.ReadHeaderTimeout = cmp.Or(a.said.Within, handshakeWithin)
		}
		return h.Serve(&nativeListener{l, a, native})
	}
	// The protocol was agreed on in the handshake; the server sees it by how a client begins.
	h.Protocols = &http.Protocols{}
	h.Protocols.SetHTTP1(true)
	h.Protocols.SetUnencryptedHTTP2(true)
	before := h.ConnContext
	h.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if before != nil {
			ctx = before(ctx, c)
		}
		return context.WithValue(ctx, connKey{}, c)
	}
	return h.Serve(a.Listener(l))
}

type nativeListener struct {
	net.Listener
	acceptor *Acceptor
	by       nativeHTTP
}

// Accept implements net.Listener.
func (l *nativeListener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn, err := l.acceptor.over(raw)
	if err != nil {
		return nil, err
	}
	return l.by.native(conn.session), nil
}

// PeerOf is the client of a request. Over plain HTTP nothing is known of it.
func PeerOf(r *http.Request) Peer {
	if conn, ok := r.Context().Value(connKey{}).(*Conn); ok {
		return conn.Peer()
	}
	if r.TLS != nil {
		return peerOf(*r.TLS)
	}
	return Peer{}
}
