// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// Paper is a certificate that a test wants.
type Paper struct {
	Name          string
	Hosts         []string
	From, Until   time.Duration // from now; default: an hour ago, an hour ahead
	ForClientOnly bool
}

// Authority signs a test's certificates; all is PEM.
type Authority interface {
	PEM() []byte
	Issue(t *testing.T, p Paper) (certificate, key []byte)
}

// Authorities are those of transports whose certificates are of their own kind, by
// what they say about themselves. A file of the test with the transport's tag fills it.
var Authorities = map[string]func(t *testing.T) Authority{}

// Kind is a transport to which the contract is put.
type Kind struct {
	Name string
	// Own makes its authority. Nil: X.509 as the standard library knows it.
	Own func(t *testing.T) Authority
	// Client2 says that net/http speaks HTTP/2 over its clients.
	Client2 bool

	transport transport
}

// Kinds are the transports of this build, and those of the test.
func Kinds() []Kind {
	var all []transport
	for _, s := range suites {
		if s.transport != nil {
			all = append(all, s.transport)
		}
	}
	var kinds []Kind
	for _, t := range all {
		kinds = append(kinds, Kind{Name: t.about(), Own: Authorities[t.about()], transport: t})
	}
	kinds = append(kinds, Kind{Name: "newest only", transport: standard{least: tls.VersionTLS13}}, Kind{Name: "unknown to net/http", transport: &hidden{}})
	for i, k := range kinds {
		_, kinds[i].Client2 = k.transport.(nativeHTTP)
	}
	return kinds
}

// Use has everybody sealed by the kind until the test ends.
func (k Kind) Use(t *testing.T) {
	before, age := suites, certificateAge
	suites, certificateAge = append(slices.Clone(suites), suite{transport: k.transport}), 0
	t.Cleanup(func() { suites, certificateAge = before, age })
}

// Counted is a kind that counts whom it sealed.
func Counted() (Kind, *atomic.Int32) {
	h := &hidden{}
	return Kind{Name: "counted", transport: h}, &h.clients
}

// hidden is the standard transport in a shape that nobody outside knows.
type hidden struct {
	inner   standard
	clients atomic.Int32
}

type hiddenSession struct{ session }

func (h *hidden) about() string { return "hidden" }

func (h *hidden) client(said clientSide) (func(net.Conn, string) session, error) {
	seal, err := (standard{least: tls.VersionTLS12}).client(said)
	if err != nil {
		return nil, err
	}
	return func(raw net.Conn, name string) session {
		h.clients.Add(1)
		return hiddenSession{seal(raw, name)}
	}, nil
}

func (h *hidden) server(said serverSide) (func(net.Conn) session, error) {
	seal, err := (standard{least: tls.VersionTLS12}).server(said)
	if err != nil {
		return nil, err
	}
	return func(raw net.Conn) session { return hiddenSession{seal(raw)} }, nil
}

func (h *hidden) signers(pem []byte) (func([]*x509.Certificate, time.Time) error, error) {
	return h.inner.signers(pem)
}
