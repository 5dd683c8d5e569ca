// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEnsure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "log.key")
	key, err := Ensure(path, "bank/evidence")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("nobody else reads the key: %v, %v", info.Mode(), err)
	}
	again, err := Ensure(path, "another")
	if err != nil || again.Public != key.Public || again.Name() != "bank/evidence" {
		t.Errorf("a key is made once: %v, %v", again, err)
	}
	message := []byte("a checkpoint\n")
	signature, err := again.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	public, err := PublicKey(path + PublicSuffix)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := Verifier(public)
	if err != nil {
		t.Fatal(err)
	}
	if !verifier.Verify(message, signature) || verifier.Verify([]byte("another\n"), signature) {
		t.Error("the public half verifies what the key signed and nothing else")
	}
}

func TestEnsureRefuses(t *testing.T) {
	newKey := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "log.key")
		if _, err := Ensure(path, "bank"); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cases := map[string]struct {
		reason string
		spoil  func(t *testing.T, path string) error
		want   string
	}{
		"OpenToAll": {"a key that others can read is not used", func(_ *testing.T, p string) error { return os.Chmod(p, 0o644) }, "others may read it"},
		"NoKey":     {"what is no key is said so, without a word of it", func(_ *testing.T, p string) error { return os.WriteFile(p, []byte("PRIVATE+KEY+secret"), 0o600) }, "no signing key"},
		"OtherHalf": {"a public half of another key is seen", func(t *testing.T, p string) error {
			raw, err := os.ReadFile(newKey(t) + PublicSuffix)
			if err != nil {
				return err
			}
			return os.WriteFile(p+PublicSuffix, raw, 0o600)
		}, "not its public half"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := newKey(t)
			if err := tc.spoil(t, path); err != nil {
				t.Fatal(err)
			}
			_, err := Ensure(path, "bank")
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "PRIVATE+KEY") {
				t.Errorf("%s: %v", tc.reason, err)
			}
			if _, err := PublicKey(path); err == nil || strings.Contains(err.Error(), "PRIVATE+KEY") {
				t.Errorf("the private file is not taken for the public one, nor shown: %v", err)
			}
		})
	}
}
