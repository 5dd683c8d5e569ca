// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairway-cloud/fairway/internal/identity/seal"
)

func TestWhatIsSealedOpensInItsPlaceAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key, err := seal.Ensure(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("only the owner reads the key: %v", err)
	}
	again, err := seal.Ensure(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := seal.Ensure(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := key.Seal("totp", "zhang.san", "canary")
	if strings.Contains(sealed, "canary") || sealed == key.Seal("totp", "zhang.san", "canary") {
		t.Errorf("got %q", sealed)
	}
	if got, err := again.Unseal("totp", "zhang.san", sealed); err != nil || got != "canary" {
		t.Errorf("got %q %v", got, err)
	}
	for reason, open := range map[string]func() (string, error){
		"another account": func() (string, error) { return key.Unseal("totp", "li.si", sealed) },
		"another use":     func() (string, error) { return key.Unseal("oidc", "zhang.san", sealed) },
		"another key":     func() (string, error) { return other.Unseal("totp", "zhang.san", sealed) },
		"one bit":         func() (string, error) { return key.Unseal("totp", "zhang.san", "B"+sealed[1:]) },
		"cut":             func() (string, error) { return key.Unseal("totp", "zhang.san", sealed[:8]) },
		"empty":           func() (string, error) { return key.Unseal("totp", "zhang.san", "") },
		"no base64":       func() (string, error) { return key.Unseal("totp", "zhang.san", "\x00\xff") },
	} {
		if got, err := open(); (err == nil || got != "") && !(reason == "one bit" && sealed[0] == 'B') {
			t.Errorf("%s: got %q %v", reason, got, err)
		}
	}
	if bytes.Equal(key.For("a"), key.For("b")) || !bytes.Equal(key.For("a"), again.For("a")) {
		t.Error("every use has a key of its own, always the same")
	}
	for reason, content := range map[string]string{"short": "abcd", "no hex": strings.Repeat("z", 64)} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.Open(bad); err == nil || strings.Contains(err.Error(), content) {
			t.Errorf("%s: %v", reason, err)
		}
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(open, []byte(strings.Repeat("a", 64)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Open(open); err == nil {
		t.Error("a key that everybody can read is none")
	}
}
