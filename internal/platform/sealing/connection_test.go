// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// papers are an authority of X.509 as everybody knows it.
type papers struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newPapers(t *testing.T) sealing.Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: rand.Text()}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &papers{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (p *papers) PEM() []byte { return p.pem }

func (p *papers) Issue(t *testing.T, w sealing.Paper) (certificate, private []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return p.sign(t, w, key.Public()), keyPEM(t, key)
}

func (p *papers) sign(t *testing.T, w sealing.Paper, public any) []byte {
	t.Helper()
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	if w.ForClientOnly {
		usage = usage[:1]
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: w.Name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usage,
	}
	if w.From != 0 {
		template.NotBefore = time.Now().Add(w.From)
	}
	if w.Until != 0 {
		template.NotAfter = time.Now().Add(w.Until)
	}
	for _, host := range w.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.cert, public, p.key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	must(t, os.WriteFile(path, content, 0o600))
	return path
}

// bench is one kind at work: an authority, another, and a server.
type bench struct {
	kind         sealing.Kind
	known, other sealing.Authority
	ca           string
	server       sealing.Server
	address      string
	mu           sync.Mutex
	met          []sealing.Peer
	refused      []error
	keys         [][]byte
	acceptor     *sealing.Acceptor
	handshakes   sync.WaitGroup
}

// within bounds handshakes that nobody is to finish, and patience those of a server
// with others to serve meanwhile, on a busy machine.
const (
	within   = 400 * time.Millisecond
	patience = 2 * time.Second
)

// host answers at these.
var host = sealing.Paper{Name: "server", Hosts: []string{"127.0.0.1", "fairway.test"}}

// each puts a question to every kind.
func each(t *testing.T, change func(b *bench), question func(t *testing.T, b *bench)) {
	for _, kind := range sealing.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			kind.Use(t)
			b := newBench(t, kind)
			if change != nil {
				change(b)
			}
			b.serve(t)
			question(t, b)
		})
	}
}

func newBench(t *testing.T, kind sealing.Kind) *bench {
	t.Helper()
	own := kind.Own
	if own == nil {
		own = newPapers
	}
	b := &bench{kind: kind, known: own(t), other: own(t)}
	b.ca = file(t, b.known.PEM())
	b.server.CertFile, b.server.KeyFile = b.issue(t, b.known, host)
	return b
}

// issue makes a certificate in files.
func (b *bench) issue(t *testing.T, by sealing.Authority, p sealing.Paper) (certFile, keyFile string) {
	t.Helper()
	cert, key := by.Issue(t, p)
	b.keys = append(b.keys, key)
	return file(t, cert), file(t, key)
}

// serve repeats to everybody what they say.
func (b *bench) serve(t *testing.T) {
	t.Helper()
	acceptor, err := b.server.Open()
	must(t, err)
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	b.acceptor, b.address = acceptor, raw.Addr().String()
	sealed := acceptor.Listener(raw)
	b.handshakes.Go(func() {
		for {
			conn, err := sealed.Accept()
			if err != nil {
				return
			}
			b.handshakes.Go(func() { b.repeat(conn.(*sealing.Conn)) })
		}
	})
	t.Cleanup(func() {
		_ = raw.Close()
		b.handshakes.Wait()
		b.silentAboutKeys(t)
	})
}

func (b *bench) repeat(conn *sealing.Conn) {
	defer func() { _ = conn.Close() }()
	err := conn.Handshake(context.Background())
	b.mu.Lock()
	if err != nil {
		b.refused = append(b.refused, err)
	} else {
		b.met = append(b.met, conn.Peer())
	}
	b.mu.Unlock()
	if err != nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.Copy(conn, conn)
	_ = conn.CloseWrite()
}

// silentAboutKeys looks for a key in what was said of failures.
func (b *bench) silentAboutKeys(t *testing.T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, err := range b.refused {
		noKey(t, err, b.keys...)
	}
}

// noKey fails where an error holds a line of a key.
func noKey(t *testing.T, err error, keys ...[]byte) {
	t.Helper()
	if err == nil {
		return
	}
	for _, key := range keys {
		for line := range strings.Lines(string(key)) {
			if line = strings.TrimSpace(line); len(line) > 8 && !strings.HasPrefix(line, "-----") && strings.Contains(err.Error(), line) {
				t.Errorf("an error holds a key: %v", err)
			}
		}
	}
}

// lastMet is whom the server met last.
func (b *bench) lastMet(t *testing.T) sealing.Peer {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.met) == 0 {
		t.Fatal("the server met nobody")
	}
	return b.met[len(b.met)-1]
}

// hello connects, says something and hears it.
func (b *bench) hello(t *testing.T, c sealing.Client) (sealing.Peer, error) {
	t.Helper()
	if c.CAFile == "" {
		c.CAFile = b.ca
	}
	dialer, err := c.Open()
	if err != nil {
		return sealing.Peer{}, err
	}
	conn, err := dialer.Dial(t.Context(), b.address)
	if err != nil {
		noKey(t, err, b.keys...)
		return sealing.Peer{}, err
	}
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return sealing.Peer{}, err
	}
	if err := conn.CloseWrite(); err != nil {
		return sealing.Peer{}, err
	}
	heard, err := io.ReadAll(conn)
	if err != nil {
		return sealing.Peer{}, err
	}
	if string(heard) != "hello" {
		return sealing.Peer{}, io.ErrUnexpectedEOF
	}
	return conn.Peer(), nil
}

// stillServes says that others are served.
func (b *bench) stillServes(t *testing.T) {
	t.Helper()
	if _, err := b.hello(t, sealing.Client{}); err != nil {
		t.Errorf("others are served on: %v", err)
	}
}

func TestBothSidesShakeHands(t *testing.T) {
	each(t, func(b *bench) { b.server.Protocols = []string{"b", "c"} }, func(t *testing.T, b *bench) {
		peer, err := b.hello(t, sealing.Client{Protocols: []string{"a", "b"}})
		must(t, err)
		if len(peer.Certificates) != 1 || peer.Certificates[0].Subject.CommonName != "server" || peer.Version == "" || peer.Cipher == "" || peer.Protocol != "b" {
			t.Errorf("the client knows whom it met: %+v", peer)
		}
		if met := b.lastMet(t); len(met.Certificates) != 0 || met.Version != peer.Version || met.Protocol != "b" {
			t.Errorf("the server knows how: %+v", met)
		}
		// By name, over a connection that is there already.
		raw, err := net.Dial("tcp", b.address)
		must(t, err)
		dialer, err := sealing.Client{CAFile: b.ca, Name: "fairway.test"}.Open()
		must(t, err)
		conn, err := dialer.Over(t.Context(), raw)
		must(t, err)
		must(t, conn.Close())
		dialer, err = sealing.Client{CAFile: b.ca}.Open()
		must(t, err)
		raw, err = net.Dial("tcp", b.address)
		must(t, err)
		if _, err := dialer.Over(t.Context(), raw); err == nil {
			t.Error("a connection to nobody in particular is not made")
		}
	})
}

func TestClientsShowCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		clients sealing.Clients
		pinned  bool
		shows   string // known, other, expired or none
		served  bool
		seen    bool
	}{
		"Never, shown":          {sealing.ClientsNever, false, "known", true, false},
		"May, shown":            {sealing.ClientsMay, false, "known", true, true},
		"May, anybody's":        {sealing.ClientsMay, false, "other", true, true},
		"May, none":             {sealing.ClientsMay, false, "none", true, false},
		"May and pinned, shown": {sealing.ClientsMay, true, "known", true, true},
		// The server says whose it takes: a client that has none of them shows none.
		"May and pinned, other":  {sealing.ClientsMay, true, "other", true, false},
		"May and pinned, none":   {sealing.ClientsMay, true, "none", true, false},
		"Must, shown":            {sealing.ClientsMust, true, "known", true, true},
		"Must, none":             {sealing.ClientsMust, true, "none", false, false},
		"Must, other":            {sealing.ClientsMust, true, "other", false, false},
		"Must, expired":          {sealing.ClientsMust, true, "expired", false, false},
		"May and pinned, expiry": {sealing.ClientsMay, true, "expired", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(b *bench) {
				b.server.Clients = c.clients
				if c.pinned {
					b.server.ClientCAFile = b.ca
				}
			}, func(t *testing.T, b *bench) {
				said, paper := sealing.Client{}, sealing.Paper{Name: "zhang.san"}
				switch c.shows {
				case "known":
					said.CertFile, said.KeyFile = b.issue(t, b.known, paper)
				case "other":
					said.CertFile, said.KeyFile = b.issue(t, b.other, paper)
				case "expired":
					paper.Until = -time.Minute
					said.CertFile, said.KeyFile = b.issue(t, b.known, paper)
				}
				_, err := b.hello(t, said)
				noKey(t, err, b.keys...)
				if (err == nil) != c.served {
					t.Fatalf("served: %t, want %t: %v", err == nil, c.served, err)
				}
				if !c.served {
					b.handshook(t, 1)
					return
				}
				met := b.lastMet(t)
				if seen := len(met.Certificates) > 0; seen != c.seen || seen && met.Certificates[0].Subject.CommonName != "zhang.san" {
					t.Fatalf("the server saw %+v", met)
				}
				signers, err := sealing.ReadSigners(b.ca)
				must(t, err)
				if err := signers.Signed(met, time.Now()); (err == nil) != (c.seen && c.shows == "known") {
					t.Errorf("who signed it is told apart: %v", err)
				}
				if signers.Signed(met, time.Now().Add(48*time.Hour)) == nil {
					t.Error("a certificate has an end")
				}
			})
		})
	}
}

// handshook waits until the server has refused as many.
func (b *bench) handshook(t *testing.T, many int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		b.mu.Lock()
		n := len(b.refused)
		b.mu.Unlock()
		if n >= many {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server refused %d, want %d", n, many)
		}
	}
}

func TestAServerIsNotTrusted(t *testing.T) {
	for name, c := range map[string]struct {
		paper  sealing.Paper
		others bool
		name   string
	}{
		"another name":      {host, false, "other.test"},
		"no name":           {sealing.Paper{Name: "127.0.0.1"}, false, ""},
		"unknown authority": {host, true, ""},
		"expired":           {sealing.Paper{Name: "server", Hosts: host.Hosts, From: -2 * time.Hour, Until: -time.Minute}, false, ""},
		"not valid yet":     {sealing.Paper{Name: "server", Hosts: host.Hosts, From: time.Hour, Until: 2 * time.Hour}, false, ""},
		"for clients only":  {sealing.Paper{Name: "server", Hosts: host.Hosts, ForClientOnly: true}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var b *bench
			each(t, func(made *bench) {
				b = made
				by := b.known
				if c.others {
					by = b.other
				}
				b.server.CertFile, b.server.KeyFile = b.issue(t, by, c.paper)
			}, func(t *testing.T, b *bench) {
				for range 2 { // the second finds a server that goes on
					_, err := b.hello(t, sealing.Client{Name: c.name})
					var untrusted *sealing.Untrusted
					if !errors.As(err, &untrusted) || untrusted.Err == nil {
						t.Fatalf("it is said that the certificate does not hold: %v", err)
					}
				}
				b.handshook(t, 2)
			})
		})
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	canary := []byte("-----BEGIN PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString([]byte("canary-canary-canary-canary")) + "\n-----END PRIVATE KEY-----\n")
	each(t, nil, func(t *testing.T, b *bench) {
		cert, key := b.server.CertFile, b.server.KeyFile
		otherCert, otherKey := b.issue(t, b.known, host)
		garbage, empty, bare := file(t, canary), file(t, nil), file(t, []byte("canary-canary-canary-canary"))
		for name, pair := range map[string][2]string{
			"another's key":     {cert, otherKey},
			"another's paper":   {otherCert, key},
			"swapped":           {key, cert},
			"two keys":          {key, key},
			"two certificates":  {cert, cert},
			"a broken key":      {cert, garbage},
			"a secret":          {cert, bare},
			"a secret as paper": {bare, key},
			"an empty key":      {cert, empty},
			"an empty paper":    {empty, key},
			"no key":            {cert, filepath.Join(t.TempDir(), "none")},
			"no paper":          {filepath.Join(t.TempDir(), "none"), key},
			"no file at all":    {cert, ""},
		} {
			_, err := sealing.Server{CertFile: pair[0], KeyFile: pair[1]}.Open()
			_, clientErr := sealing.Client{CertFile: pair[0], KeyFile: pair[1]}.Open()
			for _, err := range []error{err, clientErr} {
				if err == nil || !strings.HasPrefix(err.Error(), "could not ") {
					t.Errorf("%s: %v", name, err)
					continue
				}
				noKey(t, err, append(b.keys, canary, []byte("canary-canary-canary-canary"))...)
			}
		}
		for name, ca := range map[string]string{"no certificate": bare, "a key": key, "an empty one": empty, "none": filepath.Join(t.TempDir(), "none")} {
			_, err := sealing.Client{CAFile: ca}.Open()
			_, serverErr := sealing.Server{CertFile: cert, KeyFile: key, Clients: sealing.ClientsMay, ClientCAFile: ca}.Open()
			_, signersErr := sealing.ReadSigners(ca)
			for _, err := range []error{err, serverErr, signersErr} {
				if err == nil || strings.Contains(err.Error(), "canary-canary") {
					t.Errorf("an authority that is %s: %v", name, err)
				}
				noKey(t, err, b.keys...)
			}
		}
		if _, err := (sealing.Server{CertFile: cert, KeyFile: key, Clients: sealing.ClientsMust}).Open(); err == nil {
			t.Error("whoever asks for certificates says whose")
		}
		if nobody, err := sealing.ReadSigners(""); nobody != nil || err != nil || nobody.Signed(sealing.Peer{}, time.Now()) == nil {
			t.Errorf("without a file nobody signs: %v %v", nobody, err)
		}
	})
}

func TestAReplacedCertificateIsServed(t *testing.T) {
	each(t, nil, func(t *testing.T, b *bench) {
		named := func() string {
			t.Helper()
			peer, err := b.hello(t, sealing.Client{})
			must(t, err)
			return peer.Certificates[0].Subject.CommonName
		}
		write := func(path string, content []byte, at time.Duration) {
			t.Helper()
			must(t, os.WriteFile(path, content, 0o600))
			must(t, os.Chtimes(path, time.Now().Add(at), time.Now().Add(at)))
		}
		if got := named(); got != "server" {
			t.Fatalf("at first it is %q", got)
		}
		dialer, err := sealing.Client{CAFile: b.ca}.Open()
		must(t, err)
		long, err := dialer.Dial(t.Context(), b.address)
		must(t, err)
		defer func() { _ = long.Close() }()

		renewed := host
		renewed.Name = "renewed"
		cert, key := b.known.Issue(t, renewed)
		b.keys = append(b.keys, key)
		write(b.server.CertFile, cert, time.Second)
		if got := named(); got != "server" {
			t.Errorf("half-written files change nothing: %q", got)
		}
		write(b.server.KeyFile, key[:len(key)/2], time.Second)
		if got := named(); got != "server" {
			t.Errorf("half a key changes nothing: %q", got)
		}
		write(b.server.KeyFile, key, 2*time.Second)
		if got := named(); got != "renewed" {
			t.Errorf("the next connection gets the new one: %q", got)
		}
		must(t, os.Remove(b.server.KeyFile))
		if got := named(); got != "renewed" {
			t.Errorf("files that are gone change nothing: %q", got)
		}
		if _, err := io.WriteString(long, "on"); err != nil {
			t.Errorf("a connection that is there goes on: %v", err)
		}
		if _, err := io.ReadFull(long, make([]byte, 2)); err != nil {
			t.Errorf("a connection that is there goes on: %v", err)
		}
	})
}

// beginning is what a client of the kind says first.
func (b *bench) beginning(t *testing.T) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	said := make(chan []byte, 1)
	go func() {
		buffer := make([]byte, 64<<10)
		_ = theirs.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, _ := theirs.Read(buffer)
		_ = theirs.Close()
		said <- buffer[:n]
	}()
	dialer, err := sealing.Client{CAFile: b.ca, Name: "fairway.test"}.Open()
	must(t, err)
	if _, err := dialer.Over(t.Context(), ours); err == nil {
		t.Fatal("nobody answered")
	}
	hello := <-said
	if len(hello) < 32 {
		t.Fatalf("a client says hello in %d bytes", len(hello))
	}
	return hello
}

// TestClientsThatMeanNoGood: whatever somebody sends, his handshake ends in time, and
// others are served meanwhile and afterwards.
func TestClientsThatMeanNoGood(t *testing.T) {
	each(t, func(b *bench) { b.server.Within = patience }, func(t *testing.T, b *bench) {
		hello := b.beginning(t)
		oversized := append([]byte{hello[0], hello[1], hello[2], 0xff, 0xff}, bytes.Repeat([]byte{1}, 70<<10)...)
		junk := make([]byte, 4096)
		_, _ = rand.Read(junk)
		changed := bytes.Clone(hello)
		changed[len(changed)/2] ^= 0xff
		bad := map[string][]byte{
			"plain text":      []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
			"an LDAP bind":    {0x30, 0x0c, 0x02, 0x01, 0x01, 0x60, 0x07, 0x02, 0x01, 0x03, 0x04, 0x00, 0x80, 0x00},
			"oversized":       oversized,
			"junk":            junk,
			"hello, changed":  append(changed, changed...),
			"hello, repeated": append(bytes.Clone(hello), hello...),
			"zeros":           make([]byte, 1<<10),
		}
		for _, n := range []int{1, 4, 5, 6, 20, len(hello) / 2, len(hello) - 1, len(hello)} {
			bad["cut after "+big.NewInt(int64(n)).String()] = hello[:n]
		}
		many := 0
		for _, said := range bad {
			conn, err := net.Dial("tcp", b.address)
			must(t, err)
			_, _ = conn.Write(said)
			_ = conn.Close()
			many++
		}
		// Those who say nothing, or too little too slowly, are not waited for.
		var waiting []net.Conn
		for i := range 24 {
			conn, err := net.Dial("tcp", b.address)
			must(t, err)
			defer func() { _ = conn.Close() }()
			if i%2 == 0 {
				_, _ = conn.Write(hello[:i])
			}
			waiting = append(waiting, conn)
			many++
		}
		slow, err := net.Dial("tcp", b.address)
		must(t, err)
		many++
		go func() {
			defer func() { _ = slow.Close() }()
			for _, c := range hello {
				if _, err := slow.Write([]byte{c}); err != nil {
					return
				}
				time.Sleep(patience / 20)
			}
		}()
		began := time.Now()
		b.stillServes(t)
		for _, conn := range waiting {
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("somebody who says nothing is kept")
			}
		}
		b.handshook(t, many)
		if took := time.Since(began); took > 5*patience {
			t.Errorf("handshakes end in time: %s", took)
		}
		b.stillServes(t)
	})
}

// TestServersThatMeanNoGood: a client ends in time with an error, whatever answers.
func TestServersThatMeanNoGood(t *testing.T) {
	each(t, nil, func(t *testing.T, b *bench) {
		hello := b.beginning(t)
		for name, answers := range map[string]func(net.Conn){
			"silent": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
			"cut":    func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 16)) },
			"plain text": func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			},
			"oversized": func(c net.Conn) {
				_, _ = c.Write(append([]byte{hello[0], hello[1], hello[2], 0xff, 0xff}, make([]byte, 70<<10)...))
			},
			"an echo": func(c net.Conn) { _, _ = io.Copy(c, c) },
			"slow": func(c net.Conn) {
				for {
					if _, err := c.Write([]byte{hello[0]}); err != nil {
						return
					}
					time.Sleep(within / 10)
				}
			},
		} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			var served sync.WaitGroup
			served.Go(func() {
				if conn, err := l.Accept(); err == nil {
					_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
					answers(conn)
					_ = conn.Close()
				}
			})
			dialer, err := sealing.Client{CAFile: b.ca, Within: within}.Open()
			must(t, err)
			began := time.Now()
			if _, err := dialer.Dial(t.Context(), l.Addr().String()); err == nil {
				t.Errorf("%s: it is no server", name)
			}
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("%s: ends in time: %s", name, took)
			}
			served.Wait()
			_ = l.Close()
		}
	})
}

// TestWhoGoesAwayIsNotWaitedFor: the caller's own end counts too.
func TestWhoGoesAwayIsNotWaitedFor(t *testing.T) {
	each(t, nil, func(t *testing.T, b *bench) {
		ours, theirs := net.Pipe()
		defer func() { _ = theirs.Close() }()
		dialer, err := sealing.Client{CAFile: b.ca, Name: "fairway.test", Within: time.Hour}.Open()
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, _ = theirs.Read(make([]byte, 1))
			cancel()
		}()
		if _, err := dialer.Over(ctx, ours); !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with its caller: %v", err)
		}
	})
}

// TestOldProtocols: SSL 3 to TLS 1.1 are refused both ways. A transport that is no TLS
// refuses them as well.
func TestOldProtocols(t *testing.T) {
	each(t, nil, func(t *testing.T, b *bench) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(b.known.PEM())
		many := 0
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			many++
			_, err := tls.Dial("tcp", b.address, &tls.Config{RootCAs: roots, MinVersion: version, MaxVersion: version})
			if err == nil {
				t.Errorf("%s is refused to clients", tls.VersionName(version))
			}
			cert, key := newPapers(t).Issue(t, host)
			pair, err := tls.X509KeyPair(cert, key)
			must(t, err)
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: version, MaxVersion: version})
			must(t, err)
			go func() {
				if conn, err := l.Accept(); err == nil {
					_ = conn.(*tls.Conn).HandshakeContext(t.Context())
					_ = conn.Close()
				}
			}()
			dialer, err := sealing.Client{CAFile: b.ca}.Open()
			must(t, err)
			var untrusted *sealing.Untrusted
			if _, err := dialer.Dial(t.Context(), l.Addr().String()); err == nil || errors.As(err, &untrusted) {
				t.Errorf("%s is refused to servers, before anything is believed: %v", tls.VersionName(version), err)
			}
			_ = l.Close()
		}
		// SSL 3: a hello of that version, as it was.
		conn, err := net.Dial("tcp", b.address)
		must(t, err)
		body := append([]byte{3, 0}, make([]byte, 33)...)
		body = append(body, 0, 2, 0, 0x2f, 1, 0)
		_, _ = conn.Write(append([]byte{22, 3, 0, 0, byte(len(body) + 4), 1, 0, 0, byte(len(body))}, body...))
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer, _ := io.ReadAll(conn)
		if len(answer) > 0 && answer[0] == 22 {
			t.Error("SSL 3 is refused")
		}
		_ = conn.Close()
		b.handshook(t, many+1)
		b.stillServes(t)
	})
}

// TestAServerWithTheWrongKindOfKey: it says that it has an ECDSA key, and shows a
// trusted certificate with another. A client ends with an error, and does not fall over
// (a library that was looked at did; see docs/design/0009-evidence.md).
func TestAServerWithTheWrongKindOfKey(t *testing.T) {
	secret, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	odd, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(t, err)
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	each(t, nil, func(t *testing.T, b *bench) {
		known, ok := b.known.(*papers)
		if !ok {
			t.Skip("its certificates are of its own kind")
		}
		for name, public := range map[string]any{"RSA": secret.Public(), "P-224": odd.Public(), "Ed25519": edwards} {
			for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_GCM_SHA256} {
				block, _ := pem.Decode(known.sign(t, host, public))
				l, err := net.Listen("tcp", "127.0.0.1:0")
				must(t, err)
				var served sync.WaitGroup
				served.Go(func() { lie(l, suite, block.Bytes) })
				dialer, err := sealing.Client{CAFile: b.ca, Within: within}.Open()
				must(t, err)
				if _, err := dialer.Dial(t.Context(), l.Addr().String()); err == nil {
					t.Errorf("%s under %s: it is no server", name, tls.CipherSuiteName(suite))
				}
				_ = l.Close()
				served.Wait()
			}
		}
	})
	// And what can be seen at once is said when the server starts.
	private := keyPEM(t, secret)
	ca := newPapers(t).(*papers)
	cert, _ := ca.Issue(t, host)
	if _, err := (sealing.Server{CertFile: file(t, cert), KeyFile: file(t, private)}).Open(); err == nil {
		t.Error("an RSA key for an ECDSA certificate is refused")
	} else {
		noKey(t, err, private)
	}
}

// lie is a server of TLS 1.2 that shows a certificate to which it has no key.
func lie(l net.Listener, suite uint16, der []byte) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 16<<10)); err != nil {
		return
	}
	long := func(n int) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }
	message := func(kind byte, body []byte) []byte {
		whole := append(append([]byte{kind}, long(len(body))...), body...)
		return append([]byte{22, 3, 3, byte(len(whole) >> 8), byte(len(whole))}, whole...)
	}
	hello := append([]byte{3, 3}, make([]byte, 33)...) // random, no session
	hello = append(hello, byte(suite>>8), byte(suite), 0)
	one := append(long(len(der)), der...)
	point, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return
	}
	raw, err := point.PublicKey.ECDH()
	if err != nil {
		return
	}
	exchange := append([]byte{3, 0, 23, 65}, raw.Bytes()...)
	exchange = append(exchange, 4, 3, 0, 8, 0x30, 6, 2, 1, 1, 2, 1, 1) // ECDSA, SHA-256, 1 and 1
	out := append(message(2, hello), message(11, append(long(len(one)), one...))...)
	if suite != tls.TLS_RSA_WITH_AES_128_GCM_SHA256 {
		out = append(out, message(12, exchange)...)
	}
	_, _ = conn.Write(append(out, message(14, nil)...))
	_, _ = io.Copy(io.Discard, conn)
}
