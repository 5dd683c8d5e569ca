// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package tokenfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

func TestEnsureMakesOneTokenForGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	who, err := tokenfile.Ensure(path)
	if err != nil {
		t.Fatal(err)
	}
	token, err := tokenfile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("only the owner may read the token: %v %v", info.Mode(), err)
	}
	got, err := who.Authenticate(t.Context(), token)
	want := identity.Person{ID: "sandbox-admin", Groups: []string{"fairway:administrators"}, Provider: "bootstrap"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v -want +got:\n%s", err, diff)
	}
	if _, err := tokenfile.Ensure(path); err != nil {
		t.Fatal(err)
	}
	if again, err := tokenfile.Read(path); err != nil || again != token {
		t.Errorf("the token stays: %v", err)
	}
	for _, wrong := range []string{"", " ", token + "a", token[:len(token)-1], strings.ToUpper(token)} {
		if _, err := who.Authenticate(t.Context(), wrong); !errors.Is(err, httpapi.ErrUnknownCredential) {
			t.Errorf("a wrong token is nobody's, got %v", err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	good := strings.Repeat("a", 43)
	tests := map[string]struct {
		content string
		mode    os.FileMode
		reason  string
	}{
		"Group": {good, 0o640, "the group could have read it"},
		"World": {good, 0o604, "everybody could have read it"},
		"Short": {"secret", 0o600, "it can be guessed"},
		"Empty": {"", 0o600, "it would let everybody in"},
		"Two":   {good + "\n" + good, 0o600, "which of them counts?"},
		"Long":  {strings.Repeat("a", 5000), 0o600, "it is no token"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(path, []byte(test.content), test.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			_, err := tokenfile.Open(path)
			if err == nil {
				t.Fatalf("must be refused: %s", test.reason)
			}
			if test.content != "" && strings.Contains(err.Error(), test.content) {
				t.Error("the error must not tell the token")
			}
		})
	}
	if _, err := tokenfile.Open(t.TempDir()); err == nil {
		t.Error("a folder is no token")
	}
}
