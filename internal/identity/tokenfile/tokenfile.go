// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package tokenfile is the identity of a sandbox: one administrator, whose
// credential is a random token in a file that only its owner can read.
package tokenfile

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// The person behind the token.
const (
	// Administrator is the person id.
	Administrator = "sandbox-admin"
	// Group is the administrator's group; RBAC on the hub is bound to it.
	Group = "fairway:administrators"
)

// shortest is the least length of a token, so that a weak one is not taken by mistake.
const shortest = 32

// Identity knows the one token.
type Identity struct {
	digest [sha256.Size]byte
}

// Ensure makes the file with a fresh token unless it is there, and opens it.
func Ensure(path string) (*Identity, error) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, as of Go 1.24
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return Open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("could not make token file %q: %w", path, err)
	}
	_, err = file.WriteString(base64.RawURLEncoding.EncodeToString(random[:]) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		_ = os.Remove(path)
		return nil, fmt.Errorf("could not write token file %q: %w", path, err)
	}
	return Open(path)
}

// Open reads the token. It fails where others than the owner could have read it.
func Open(path string) (*Identity, error) {
	token, err := Read(path)
	if err != nil {
		return nil, err
	}
	return &Identity{digest: sha256.Sum256([]byte(token))}, nil
}

// Read returns the token of a file that only its owner can read. Clients use it too.
func Read(path string) (string, error) {
	token, err := ReadSecret(path)
	if err != nil {
		return "", err
	}
	if len(token) < shortest || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("could not use token file %q: it holds no single token of at least %d characters", path, shortest)
	}
	return token, nil
}

// ReadSecret returns what a file holds that only its owner can read, without the
// white space around it: a password, or another secret that somebody else made.
func ReadSecret(path string) (string, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "", fmt.Errorf("could not read token file %q: %w", path, err)
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("could not read token file %q: %w", path, err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("could not trust token file %q: its mode is %s; make it a file with mode 0600 and renew the token", path, info.Mode())
	}
	raw := make([]byte, 4097)
	n, err := file.Read(raw)
	if err != nil || n > 4096 {
		return "", fmt.Errorf("could not read token file %q: it is empty or too long", path)
	}
	secret := strings.TrimSpace(string(raw[:n]))
	if secret == "" {
		return "", fmt.Errorf("could not read token file %q: it is empty or too long", path)
	}
	return secret, nil
}

// Authenticate says whose token it is, in constant time.
func (i *Identity) Authenticate(_ context.Context, credential string) (identity.Person, error) {
	given := sha256.Sum256([]byte(credential))
	if subtle.ConstantTimeCompare(given[:], i.digest[:]) != 1 {
		return identity.Person{}, httpapi.ErrUnknownCredential
	}
	return identity.Person{ID: Administrator, Groups: []string{Group}, Provider: identity.Bootstrap}, nil
}
