// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package pki issues the certificates of the sandbox: one authority per
// cluster, one for etcd, all made on this machine and kept in the sandbox's
// state folder with mode 0600. They are good for a sandbox and nothing else.
package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Lifetime is how long certificates hold; Renew is how long before the end a
// stored one is replaced.
const (
	Lifetime = 365 * 24 * time.Hour
	Renew    = 30 * 24 * time.Hour
)

// Pair is a PEM certificate and its PEM private key.
type Pair struct {
	Cert []byte
	Key  []byte
}

// Request says what a certificate is for.
type Request struct {
	// CommonName is the user or server name.
	CommonName string
	// Organizations become the user's groups in Kubernetes.
	Organizations []string
	// DNSNames and IPs are the server's addresses; a certificate without any
	// serves clients only.
	DNSNames []string
	IPs      []net.IP
}

// Authority signs certificates.
type Authority struct {
	pair Pair
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time
}

// New makes an authority with a fresh key.
func New(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("could not make the key of authority %q: %w", name, err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(10 * Lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("could not sign authority %q: %w", name, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return parse(Pair{Cert: encode("CERTIFICATE", der), Key: keyPEM})
}

// Open reads the authority stored as name.crt and name.key in dir, or makes
// and stores a new one.
func Open(dir, name string) (*Authority, error) {
	pair, err := read(dir, name)
	if err == nil {
		return parse(pair)
	}
	if !os.IsNotExist(err) {
		return nil, fmt.Errorf("could not read authority %q in %q: %w", name, dir, err)
	}
	authority, err := New(name)
	if err != nil {
		return nil, err
	}
	if err := write(dir, name, authority.pair); err != nil {
		return nil, err
	}
	return authority, nil
}

// CertPEM is the authority's own certificate, which those who trust it need.
func (a *Authority) CertPEM() []byte { return a.pair.Cert }

// Issue signs a new certificate for r.
func (a *Authority) Issue(r Request) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("could not make the key of %q: %w", r.CommonName, err)
	}
	now := a.now()
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(r.DNSNames)+len(r.IPs) > 0 {
		usage = append(usage, x509.ExtKeyUsageServerAuth)
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: r.CommonName, Organization: r.Organizations},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(Lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  usage,
		DNSNames:     r.DNSNames,
		IPAddresses:  r.IPs,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("could not sign the certificate of %q: %w", r.CommonName, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Cert: encode("CERTIFICATE", der), Key: keyPEM}, nil
}

// IssueFile returns the pair stored as name.crt and name.key in dir when it
// still answers r, else issues and stores a new one.
func (a *Authority) IssueFile(dir, name string, r Request) (Pair, error) {
	pair, err := read(dir, name)
	if err == nil && a.answers(pair, r) {
		return pair, nil
	}
	if pair, err = a.Issue(r); err != nil {
		return Pair{}, err
	}
	return pair, write(dir, name, pair)
}

// answers reports whether pair is ours, valid for long enough and says just
// what r asks for.
func (a *Authority) answers(pair Pair, r Request) bool {
	both, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return false
	}
	cert, err := x509.ParseCertificate(both.Certificate[0])
	if err != nil || cert.CheckSignatureFrom(a.cert) != nil {
		return false
	}
	return cert.NotAfter.After(a.now().Add(Renew)) &&
		cert.Subject.CommonName == r.CommonName &&
		slices.Equal(cert.Subject.Organization, r.Organizations) &&
		slices.Equal(cert.DNSNames, r.DNSNames) &&
		slices.EqualFunc(cert.IPAddresses, r.IPs, net.IP.Equal)
}

func parse(pair Pair) (*Authority, error) {
	both, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, fmt.Errorf("could not read a stored authority: %w", err)
	}
	cert, err := x509.ParseCertificate(both.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("could not read a stored authority: %w", err)
	}
	key, ok := both.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("could not use authority %q: its key is not ECDSA", cert.Subject.CommonName)
	}
	return &Authority{pair: pair, cert: cert, key: key, now: time.Now}, nil
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return big.NewInt(time.Now().UnixNano())
	}
	return n
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("could not encode a private key: %w", err)
	}
	return encode("EC PRIVATE KEY", der), nil
}

func read(dir, name string) (Pair, error) {
	cert, err := os.ReadFile(filepath.Join(dir, name+".crt"))
	if err != nil {
		return Pair{}, err
	}
	key, err := os.ReadFile(filepath.Join(dir, name+".key"))
	return Pair{Cert: cert, Key: key}, err
}

func write(dir, name string, pair Pair) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("could not store certificate %q: %w", name, err)
	}
	for suffix, content := range map[string][]byte{".crt": pair.Cert, ".key": pair.Key} {
		if err := WriteFile(filepath.Join(dir, name+suffix), content); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile stores content under path with mode 0600, whole or not at all, and
// leaves a file that already holds it alone.
func WriteFile(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return os.Chmod(path, 0o600)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("could not write %q: %w", path, err)
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(content)
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("could not write %q: %w", path, err)
	}
	return nil
}
