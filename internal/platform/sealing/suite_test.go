// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// known are digests of "abc" that the standards give.
var known = map[string]string{
	"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	"sm3":    "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
}

// TestEverySuite puts each set of algorithms of this build to the same questions.
func TestEverySuite(t *testing.T) {
	for _, s := range signing() {
		t.Run(s.name, func(t *testing.T) {
			if got := hex.EncodeToString(s.digest([]byte("abc"))); got != known[s.name] {
				t.Errorf("the digest is the standard's: %s, want %s", got, known[s.name])
			}
			private, public, err := s.generate("bank/log")
			if err != nil {
				t.Fatal(err)
			}
			signer, err := s.signer(private)
			if err != nil {
				t.Fatal(err)
			}
			verifier, err := newVerifier(public)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := note.Sign(&note.Note{Text: "a checkpoint\n"}, signer)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := note.Open(signed, note.VerifierList(verifier)); err != nil {
				t.Errorf("what the key signed verifies: %v", err)
			}
			if _, err := note.Open([]byte(strings.Replace(string(signed), "a checkpoint", "b checkpoint", 1)), note.VerifierList(verifier)); err == nil {
				t.Error("another text does not")
			}
			signature, err := signer.Sign([]byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			for i := range signature {
				bad := slices.Clone(signature)
				bad[i] ^= 1
				if verifier.Verify([]byte("x"), bad) {
					t.Errorf("a signature with byte %d changed does not verify", i)
				}
			}
			_, other, err := s.generate("bank/log")
			if err != nil {
				t.Fatal(err)
			}
			stranger, err := newVerifier(other)
			if err != nil {
				t.Fatal(err)
			}
			if stranger.Verify([]byte("x"), signature) || stranger.KeyHash() == verifier.KeyHash() {
				t.Error("another key of the same name is another key")
			}
			for _, bad := range []string{"", "x", public + "x", strings.Replace(public, "bank", "band", 1), private, private[:len(private)-9]} {
				if _, err := s.verifier(bad); err == nil {
					t.Errorf("%q is no public key", bad[:min(len(bad), 20)])
				}
				if _, err := s.signer(bad); err == nil && bad != private {
					t.Errorf("%q is no private key", bad[:min(len(bad), 20)])
				}
			}
		})
	}
}

func TestDigest(t *testing.T) {
	for _, name := range Algorithms() {
		got, err := Digest(name, []byte("abc"))
		if err != nil || got != name+":"+known[name] {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if _, err := Digest("md5", nil); err == nil {
		t.Error("an algorithm that this build does not know is refused, not skipped")
	}
}

// TestCountersignatures: every suite of the build signs every note.
func TestCountersignatures(t *testing.T) {
	key, err := Ensure(filepath.Join(t.TempDir(), "log.key"), "bank")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: "a checkpoint\n"}, key.Signers()...)
	if err != nil {
		t.Fatal(err)
	}
	publics := append([]string{key.Public}, key.Counter...)
	if len(publics) != len(signing()) {
		t.Errorf("%d keys for %d sets of algorithms", len(publics), len(signing()))
	}
	for _, public := range publics {
		verifier, err := Verifier(public)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := note.Open(signed, note.VerifierList(verifier)); err != nil {
			t.Errorf("%s: %v", public, err)
		}
	}
}
