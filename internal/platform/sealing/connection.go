// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// transport is one way to seal connections. Its file belongs to this package, and
// to a suite: see the comment of the package. It reads PEM as it understands it: one
// that needs two certificates, as TLCP does to sign and to encrypt, takes both pairs
// out of the same two files, the signing one first. A server's may look at the first
// bytes and leave clients of another protocol to the standard one.
type transport interface {
	// about names protocol and origin, for people.
	about() string
	// client prepares what a client says. What it returns seals one connection to the
	// name; it does not shake hands yet. No error holds a key.
	client(said clientSide) (func(raw net.Conn, name string) session, error)
	// server prepares what a server says; as client.
	server(said serverSide) (func(raw net.Conn) session, error)
	// signers returns the check whether authorities, PEM, signed a client's chain, its own
	// certificate first, and whether it holds at that time.
	signers(authorities []byte) (func(chain []*x509.Certificate, now time.Time) error, error)
}

// session is one connection of a transport.
type session interface {
	net.Conn
	// CloseWrite says in a sealed way that no more will be written.
	CloseWrite() error
	// HandshakeContext shakes hands. A second call returns what the first did. Whoever's
	// certificate does not hold is *Untrusted.
	HandshakeContext(ctx context.Context) error
	// peer is known after the handshake.
	peer() Peer
}

// clientSide and serverSide are what is said, read from the files. authorities are
// nil where none were named.
type clientSide struct {
	authorities, certificate, key []byte
	protocols                     []string
}

type serverSide struct {
	certificate, key []byte
	clients          Clients
	authorities      []byte
	protocols        []string
}

// handshakeWithin bounds a handshake where nobody says otherwise.
const handshakeWithin = 10 * time.Second

// errNoAuthority says that a file of authorities is none.
var errNoAuthority = errors.New("it holds no certificate in PEM")

// Untrusted says that the other side's certificate does not hold: its name, its time,
// its use, or who signed it.
type Untrusted struct {
	// Err is what is wrong with it.
	Err error
}

// Error implements error.
func (u *Untrusted) Error() string {
	return "the certificate of the other side does not hold: " + u.Err.Error()
}

// Unwrap returns what is wrong.
func (u *Untrusted) Unwrap() error { return u.Err }

// Peer is what is known of the other side after the handshake.
type Peer struct {
	// Version of the protocol, such as "TLS 1.3"; Cipher is its set of algorithms.
	// Empty: the connection is not sealed.
	Version, Cipher string
	// Protocol that was agreed within, such as "h2". Empty: none.
	Protocol string
	// Certificates that it showed, its own first. Whether anybody vouches for them is
	// known where Server or Client name authorities; else Signers tells. None: it showed none.
	Certificates []*x509.Certificate
}

// Client is what one says who connects.
type Client struct {
	// CAFile holds the authorities, PEM, that the other side's certificate must chain to.
	// Default: those of the machine.
	CAFile string
	// Name that the other side's certificate must bear. Default: the host of the address
	// that is dialled; Over has no address, and needs one.
	Name string
	// CertFile and KeyFile are our own certificate and its key, PEM, shown where the other
	// side asks. Default: none.
	CertFile, KeyFile string
	// Protocols that are offered within, the best first. Default: none. HTTP has its own.
	Protocols []string
	// Within bounds a handshake. Default: 10 s.
	Within time.Duration
}

// Dialer makes sealed connections to others.
type Dialer struct {
	said Client
	by   transport
	seal func(raw net.Conn, name string) session
}

// Open reads the files.
func (c Client) Open() (*Dialer, error) {
	authorities, err := readAuthorities(c.CAFile)
	if err != nil {
		return nil, err
	}
	said := clientSide{authorities: authorities, protocols: c.Protocols}
	if c.CertFile != "" || c.KeyFile != "" {
		if said.certificate, said.key, err = readPair(c.CertFile, c.KeyFile); err != nil {
			return nil, err
		}
	}
	d := &Dialer{said: c, by: chosen()}
	if d.seal, err = d.by.client(said); err != nil {
		if errors.Is(err, errNoAuthority) {
			return nil, fmt.Errorf("could not use certificate authority %q: %w", c.CAFile, err)
		}
		return nil, fmt.Errorf("could not use certificate %q with key %q: %w", c.CertFile, c.KeyFile, err)
	}
	return d, nil
}

// Dial connects to host:port over TCP and shakes hands.
func (d *Dialer) Dial(ctx context.Context, address string) (*Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return d.over(ctx, raw, address)
}

// over seals a connection to host:port. It closes it where that fails.
func (d *Dialer) over(ctx context.Context, raw net.Conn, address string) (*Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return d.shake(ctx, raw, cmp.Or(d.said.Name, host))
}

// Over seals a connection that is there already, as STARTTLS does, and shakes hands.
// Where that fails, raw is closed: nothing is said over it in the clear.
func (d *Dialer) Over(ctx context.Context, raw net.Conn) (*Conn, error) {
	if d.said.Name == "" {
		return nil, errors.Join(errors.New("could not seal the connection: nobody said whom it leads to"), raw.Close())
	}
	return d.shake(ctx, raw, d.said.Name)
}

func (d *Dialer) shake(ctx context.Context, raw net.Conn, name string) (*Conn, error) {
	c := newConn(d.by, d.seal(raw, name), raw, d.said.Within)
	if err := c.Handshake(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// Clients says whether those who connect show a certificate.
type Clients string

const (
	// ClientsNever are not asked for one.
	ClientsNever Clients = ""
	// ClientsMay show one. Without ClientCAFile anybody's is taken, and has to be looked
	// at with each request.
	ClientsMay Clients = "May"
	// ClientsMust show one that ClientCAFile vouches for.
	ClientsMust Clients = "Must"
)

// Server is what one says who is connected to.
type Server struct {
	// CertFile and KeyFile are the certificate and its key, PEM. They are read again when
	// they change, and serve connections that come later; files that do not fit together,
	// as while they are written, change nothing.
	CertFile, KeyFile string
	// Clients says whether clients show a certificate, and ClientCAFile, PEM, whose.
	Clients      Clients
	ClientCAFile string
	// Protocols that are offered within, the best first. Default: none. Serve needs HTTP's.
	Protocols []string
	// Within bounds a handshake. Default: 10 s.
	Within time.Duration
}

// HTTP are the protocols of a server that speaks HTTP.
var HTTP = []string{"h2", "http/1.1"}

// Acceptor seals connections that come in.
type Acceptor struct {
	said Server
	by   transport
	pair *certificate
}

// Open reads the files.
func (s Server) Open() (*Acceptor, error) {
	if s.Clients == ClientsMust && s.ClientCAFile == "" {
		return nil, errors.New("could not ask clients for certificates: nobody said who vouches for them")
	}
	authorities, err := readAuthorities(s.ClientCAFile)
	if err != nil {
		return nil, err
	}
	a := &Acceptor{said: s, by: chosen()}
	if authorities != nil {
		if _, err := a.by.signers(authorities); err != nil {
			return nil, fmt.Errorf("could not use certificate authority %q: %w", s.ClientCAFile, err)
		}
	}
	a.pair = &certificate{certFile: s.CertFile, keyFile: s.KeyFile, open: func(certificate, key []byte) (func(net.Conn) session, error) {
		return a.by.server(serverSide{certificate: certificate, key: key, clients: s.Clients, authorities: authorities, protocols: s.Protocols})
	}}
	_, err = a.pair.current()
	return a, err
}

// Listener returns l with its connections sealed. Accept waits for no handshake: it
// happens with the first read, write or Handshake of a connection, each bounded, so
// that nobody who is slow holds others up.
func (a *Acceptor) Listener(l net.Listener) net.Listener { return &listener{Listener: l, acceptor: a} }

type listener struct {
	net.Listener
	acceptor *Acceptor
}

// Accept implements net.Listener; the connection is a *Conn.
func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.acceptor.over(raw)
}

func (a *Acceptor) over(raw net.Conn) (*Conn, error) {
	seal, err := a.pair.current()
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return newConn(a.by, seal(raw), raw, a.said.Within), nil
}

// Conn is a sealed connection.
type Conn struct {
	session
	by     transport
	raw    net.Conn
	within time.Duration

	once sync.Once
	err  error
}

func newConn(by transport, s session, raw net.Conn, within time.Duration) *Conn {
	return &Conn{session: s, by: by, raw: raw, within: cmp.Or(within, handshakeWithin)}
}

// Handshake shakes hands, once. Whoever's certificate does not hold is *Untrusted. It
// ends in time whatever the other side does, and whatever the transport makes of ctx.
func (c *Conn) Handshake(ctx context.Context) error {
	c.once.Do(func() {
		bound, cancel := context.WithTimeout(ctx, c.within)
		defer cancel()
		stop := context.AfterFunc(bound, func() { _ = c.raw.Close() })
		c.err = c.session.HandshakeContext(bound)
		if stop() && c.err == nil {
			return
		}
		switch {
		case ctx.Err() != nil:
			c.err = fmt.Errorf("could not shake hands: %w", ctx.Err())
		case bound.Err() != nil:
			c.err = fmt.Errorf("could not shake hands within %s: %w", c.within, bound.Err())
		}
	})
	return c.err
}

// HandshakeContext is Handshake.
func (c *Conn) HandshakeContext(ctx context.Context) error { return c.Handshake(ctx) }

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if err := c.Handshake(context.Background()); err != nil {
		return 0, err
	}
	return c.session.Read(b)
}

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (int, error) {
	if err := c.Handshake(context.Background()); err != nil {
		return 0, err
	}
	return c.session.Write(b)
}

// Peer is the other side; it is known after the handshake.
func (c *Conn) Peer() Peer { return c.peer() }

// Signers are the authorities who sign certificates of those who connect. Nil: nobody.
type Signers struct {
	check func(chain []*x509.Certificate, now time.Time) error
}

// ReadSigners reads a file of authorities, PEM. Without a file there are none.
func ReadSigners(file string) (*Signers, error) {
	authorities, err := readAuthorities(file)
	if err != nil || authorities == nil {
		return nil, err
	}
	check, err := chosen().signers(authorities)
	if err != nil {
		return nil, fmt.Errorf("could not use certificate authority %q: %w", file, err)
	}
	return &Signers{check}, nil
}

// Signed says why p's certificate is none of theirs, or does not hold at that time.
func (s *Signers) Signed(p Peer, now time.Time) error {
	if s == nil || len(p.Certificates) == 0 {
		return errors.New("it shows no certificate that anybody vouches for")
	}
	return s.check(p.Certificates, now)
}

func readAuthorities(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("could not read certificate authority: %w", err)
	}
	return append([]byte{}, raw...), nil // an empty file is no authority, and not the machine's
}

func readPair(certFile, keyFile string) (certificate, key []byte, err error) {
	if certificate, err = os.ReadFile(certFile); err == nil {
		key, err = os.ReadFile(keyFile)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("could not read certificate %q with key %q: %w", certFile, keyFile, err)
	}
	return certificate, key, nil
}
