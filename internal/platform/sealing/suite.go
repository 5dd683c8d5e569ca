// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// suite is one set of algorithms: a digest with a signature, a way to seal
// connections, or both.
type suite struct {
	// name is how digests begin, without the colon. Empty: the suite has neither digest
	// nor signature.
	name string
	// suffix is appended to the file of the key. The first suite has none.
	suffix   string
	digest   func(content []byte) []byte
	generate func(name string) (private, public string, err error)
	signer   func(private string) (note.Signer, error)
	verifier func(public string) (note.Verifier, error)
	// transport seals connections. Nil: the suite seals none.
	transport transport
}

// suites lists the algorithms of this build. The first signs every note; the
// others countersign it. Connections are sealed by one: the last that can.
var suites = []suite{{
	name:     "sha256",
	digest:   func(content []byte) []byte { sum := sha256.Sum256(content); return sum[:] },
	generate: func(name string) (string, string, error) { return note.GenerateKey(rand.Reader, name) },
	signer:   note.NewSigner,
	verifier: note.NewVerifier,

	transport: standard{least: tls.VersionTLS12},
}}

// signing are the suites with a digest and a signature.
func signing() []suite {
	return slices.DeleteFunc(slices.Clone(suites), func(s suite) bool { return s.name == "" })
}

// chosen is how this build seals connections.
func chosen() transport {
	for _, s := range slices.Backward(suites) {
		if s.transport != nil {
			return s.transport
		}
	}
	panic("no suite seals connections") // the first one does
}

// Build says what this build hashes, signs and seals with.
func Build() string {
	return "digests " + strings.Join(Algorithms(), " and ") + "; connections " + chosen().about()
}

// Algorithms of this build, as digests begin.
func Algorithms() []string {
	var names []string
	for _, s := range signing() {
		names = append(names, s.name)
	}
	return names
}

// Digest returns the digest of content, such as "sha256:…". The error says that
// this build does not know the algorithm.
func Digest(algorithm string, content []byte) (string, error) {
	for _, s := range signing() {
		if s.name == algorithm {
			return s.name + ":" + hex.EncodeToString(s.digest(content)), nil
		}
	}
	return "", fmt.Errorf("could not take a digest with %q: this build knows %s", algorithm, strings.Join(Algorithms(), " and "))
}

// Sum returns the digest of content by the first algorithm, "sha256:…".
func Sum(content []byte) string {
	return suites[0].name + ":" + hex.EncodeToString(suites[0].digest(content))
}

// newVerifier reads a public key of any suite.
func newVerifier(public string) (note.Verifier, error) {
	var first error
	for _, s := range signing() {
		v, err := s.verifier(public)
		if err == nil {
			return v, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}
