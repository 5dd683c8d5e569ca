// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"
)

// standard is the TLS of Go's standard library, of the least version or a newer one.
type standard struct{ least uint16 }

func (s standard) about() string {
	if s.least == tls.VersionTLS13 {
		return "TLS 1.3 (Go's standard library)"
	}
	return "TLS 1.2 and 1.3 (Go's standard library)"
}

func (s standard) client(said clientSide) (func(net.Conn, string) session, error) {
	config := &tls.Config{MinVersion: s.least, NextProtos: said.protocols}
	var err error
	if config.RootCAs, err = poolOf(said.authorities); err != nil {
		return nil, err
	}
	if said.certificate != nil {
		pair, err := tls.X509KeyPair(said.certificate, said.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return func(raw net.Conn, name string) session {
		own := config.Clone()
		own.ServerName = name
		return standardSession{tls.Client(raw, own)}
	}, nil
}

func (s standard) server(said serverSide) (func(net.Conn) session, error) {
	pair, err := tls.X509KeyPair(said.certificate, said.key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: s.least, NextProtos: said.protocols, Certificates: []tls.Certificate{pair}}
	if config.ClientCAs, err = poolOf(said.authorities); err != nil {
		return nil, err
	}
	switch {
	case said.clients == ClientsMust:
		config.ClientAuth = tls.RequireAndVerifyClientCert
	case said.clients == ClientsMay && config.ClientCAs != nil:
		config.ClientAuth = tls.VerifyClientCertIfGiven
	case said.clients == ClientsMay:
		config.ClientAuth = tls.RequestClientCert
	}
	return func(raw net.Conn) session { return standardSession{tls.Server(raw, config)} }, nil
}

func (standard) signers(pem []byte) (func([]*x509.Certificate, time.Time) error, error) {
	roots, err := poolOf(pem)
	if err != nil {
		return nil, err
	}
	return func(chain []*x509.Certificate, now time.Time) error {
		between := x509.NewCertPool()
		for _, c := range chain[1:] {
			between.AddCert(c)
		}
		_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		return err
	}, nil
}

// native implements nativeHTTP.
func (standard) native(s session) *tls.Conn { return s.(standardSession).Conn }

func poolOf(pem []byte) (*x509.CertPool, error) {
	if pem == nil {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errNoAuthority
	}
	return pool, nil
}

type standardSession struct{ *tls.Conn }

// HandshakeContext tells who is not trusted from what went wrong.
func (s standardSession) HandshakeContext(ctx context.Context) error {
	err := s.Conn.HandshakeContext(ctx)
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return &Untrusted{Err: untrusted.Err}
	}
	return err
}

func (s standardSession) peer() Peer { return peerOf(s.ConnectionState()) }

func peerOf(state tls.ConnectionState) Peer {
	return Peer{
		Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite), Protocol: state.NegotiatedProtocol,
		Certificates: state.PeerCertificates,
	}
}
