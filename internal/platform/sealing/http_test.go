// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// site is a bench that speaks HTTP: it answers who asked, and how.
func site(t *testing.T, b *bench) (address string) {
	t.Helper()
	b.server.Protocols = sealing.HTTP
	acceptor, err := b.server.Open()
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := sealing.PeerOf(r)
		who := "nobody"
		if len(peer.Certificates) > 0 {
			who = peer.Certificates[0].Subject.CommonName
		}
		_, _ = fmt.Fprintf(w, "%s|%s|%s|%t", r.Proto, peer.Protocol, who, peer.Version != "")
	})}
	ended := make(chan error, 1)
	go func() { ended <- acceptor.Serve(server, l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; err != http.ErrServerClosed {
			t.Errorf("the server ended: %v", err)
		}
	})
	return l.Addr().String()
}

// get asks once, over a connection of its own.
func get(t *testing.T, c sealing.Client, base *http.Transport, address string) (string, error) {
	t.Helper()
	transport, err := c.HTTP(base)
	must(t, err)
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("https://" + address + "/")
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestHTTP(t *testing.T) {
	each(t, func(b *bench) { b.server.Clients = sealing.ClientsMay }, func(t *testing.T, b *bench) {
		address := site(t, b)
		newest := map[bool]string{true: "HTTP/2.0|h2|", false: "HTTP/1.1|http/1.1|"}[b.kind.Client2]
		shown := sealing.Client{CAFile: b.ca}
		shown.CertFile, shown.KeyFile = b.issue(t, b.known, sealing.Paper{Name: "zhang.san"})
		for name, c := range map[string]struct {
			client sealing.Client
			forced bool
			want   string
		}{
			"plainly":            {sealing.Client{CAFile: b.ca}, false, "HTTP/1.1||nobody|true"},
			"the newest":         {sealing.Client{CAFile: b.ca}, true, newest + "nobody|true"},
			"with a certificate": {shown, false, "HTTP/1.1||zhang.san|true"},
			"with both":          {shown, true, newest + "zhang.san|true"},
		} {
			got, err := get(t, c.client, &http.Transport{ForceAttemptHTTP2: c.forced}, address)
			if err != nil || got != c.want {
				t.Errorf("%s: %q, want %q: %v", name, got, c.want, err)
			}
		}
		_, err := get(t, sealing.Client{}, &http.Transport{}, address)
		if err == nil || !strings.Contains(err.Error(), "does not hold") {
			t.Errorf("the machine's authorities do not know the server: %v", err)
		}
		// A server that speaks plain HTTP is told by what it is, where net/http can see it.
		plain := httptest.NewServer(http.NotFoundHandler())
		defer plain.Close()
		_, err = get(t, sealing.Client{}, &http.Transport{}, strings.TrimPrefix(plain.URL, "http://"))
		if err == nil || b.kind.Client2 && !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
			t.Errorf("plain HTTP instead: %v", err)
		}
		// Plain HTTP is refused, and nobody is kept who says nothing.
		if response, err := http.Get("http://" + address); err == nil {
			_ = response.Body.Close()
			if response.StatusCode != http.StatusBadRequest {
				t.Errorf("plain HTTP: %d", response.StatusCode)
			}
		}
		conn, err := net.Dial("tcp", address)
		must(t, err)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("somebody who says nothing is sent away: %v", err)
		}
		_ = conn.Close()
	})
}

// A server speaks HTTP/2 over a transport that net/http does not know, too.
func TestHTTP2IsServedOverAnyTransport(t *testing.T) {
	each(t, func(b *bench) { b.server.Clients = sealing.ClientsMay }, func(t *testing.T, b *bench) {
		if b.kind.Own != nil {
			t.Skip("no other client speaks it")
		}
		address := site(t, b)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(b.known.PEM())
		certFile, keyFile := b.issue(t, b.known, sealing.Paper{Name: "bastion"})
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		must(t, err)
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}}
		response, err := client.Get("https://" + address)
		must(t, err)
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if string(body) != "HTTP/2.0|h2|bastion|true" {
			t.Errorf("%q %v", body, err)
		}
		client.CloseIdleConnections()
	})
}

// forward is a proxy that leads on after CONNECT, or answers as it is told to.
func forward(t *testing.T, asked chan<- string, l net.Listener, answer string) {
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				asked <- r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
				if answer != "" {
					_, _ = io.WriteString(conn, answer)
					return
				}
				onward, err := net.Dial("tcp", r.Host)
				if err != nil {
					return
				}
				defer func() { _ = onward.Close() }()
				_, _ = io.WriteString(conn, "HTTP/1.1 200 go on\r\n\r\n")
				go func() { _, _ = io.Copy(onward, conn) }()
				_, _ = io.Copy(conn, onward)
			}()
		}
	}()
}

func TestThroughAProxy(t *testing.T) {
	each(t, nil, func(t *testing.T, b *bench) {
		address := site(t, b)
		through := func(proxy string) (string, error) {
			at, err := url.Parse(proxy)
			must(t, err)
			return get(t, sealing.Client{CAFile: b.ca}, &http.Transport{Proxy: http.ProxyURL(at)}, address)
		}
		listen := func() net.Listener {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			return l
		}
		asked := make(chan string, 10)
		plain := listen()
		forward(t, asked, plain, "")
		sealed := listen()
		forward(t, asked, b.acceptor.Listener(sealed), "")
		want := "CONNECT " + address + " Basic " + base64.StdEncoding.EncodeToString([]byte("zhang:s3cret-canary"))
		for _, proxy := range []string{"http://zhang:s3cret-canary@" + plain.Addr().String(), "https://zhang:s3cret-canary@" + sealed.Addr().String()} {
			got, err := through(proxy)
			if err != nil || got != "HTTP/1.1||nobody|true" {
				t.Fatalf("%s: %q %v", proxy, got, err)
			}
			if got := <-asked; got != want {
				t.Errorf("the proxy was asked %q", got)
			}
		}
		for name, answer := range map[string]string{
			"refused": "HTTP/1.1 403 s3cret-canary\r\n\r\n", "no HTTP": "s3cret-canary", "endless": "HTTP/1.1 200 ok\r\nX: " + strings.Repeat("a", 1<<20),
			"talks first": "HTTP/1.1 200 ok\r\n\r\ns3cret-canary",
		} {
			l := listen()
			forward(t, asked, l, answer)
			_, err := through("http://zhang:s3cret-canary@" + l.Addr().String())
			if err == nil || strings.Contains(err.Error(), "s3cret-canary") || strings.Contains(err.Error(), "HTTP/2") {
				t.Errorf("%s: %v", name, err)
			}
			<-asked
		}
		for name, proxy := range map[string]string{"away": "http://zhang:s3cret-canary@127.0.0.1:1", "unknown": "gopher://zhang:s3cret-canary@127.0.0.1:1", "socks away": "socks5://zhang:s3cret-canary@127.0.0.1:1"} {
			if _, err := through(proxy); err == nil || strings.Contains(err.Error(), "s3cret-canary") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got, err := through("socks5://" + socks(t)); err != nil || got != "HTTP/1.1||nobody|true" {
			t.Errorf("SOCKS: %q %v", got, err)
		}
	})
}

// socks is a proxy of SOCKS 5 without passwords that leads to IPv4 addresses.
func socks(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		greeting := make([]byte, 2)
		if _, err := io.ReadFull(conn, greeting); err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, conn, int64(greeting[1]))
		_, _ = conn.Write([]byte{5, 0})
		ask := make([]byte, 10)
		if _, err := io.ReadFull(conn, ask); err != nil || ask[3] != 1 {
			return
		}
		onward, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", fmt.Sprintf("%s:%d", net.IP(ask[4:8]), int(ask[8])<<8|int(ask[9])))
		if err != nil {
			return
		}
		defer func() { _ = onward.Close() }()
		_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		go func() { _, _ = io.Copy(onward, conn) }()
		_, _ = io.Copy(conn, onward)
	}()
	return l.Addr().String()
}
