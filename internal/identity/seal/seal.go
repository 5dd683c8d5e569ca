// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package seal keeps small secrets in the database unreadable without a key that
// is kept in a file beside it. Every use has a key of its own, made from the file's.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
)

// Key is the secret of a file.
type Key struct {
	secret []byte
}

// Ensure makes the file with a fresh key, mode 0600, unless it is there, and opens
// it. All servers of an installation share one.
func Ensure(path string) (*Key, error) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, as of Go 1.24
	file, err := os.OpenFile(filepath.Clean(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return Open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("could not make key file %q: %w", path, err)
	}
	_, err = file.WriteString(hex.EncodeToString(random[:]) + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		_ = os.Remove(path)
		return nil, fmt.Errorf("could not write key file %q: %w", path, err)
	}
	return Open(path)
}

// Open reads the key. It fails where others than the owner could have read it.
func Open(path string) (*Key, error) {
	text, err := tokenfile.Read(path)
	if err != nil {
		return nil, fmt.Errorf("could not use the key of identities: %w", err)
	}
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != 32 {
		return nil, fmt.Errorf("could not use key file %q: it holds no key of 64 hex digits", path)
	}
	return &Key{secret}, nil
}

// For returns the key of one use.
func (k *Key) For(use string) []byte {
	key, err := hkdf.Key(sha256.New, k.secret, nil, "fairway identity "+use, 32)
	if err != nil {
		panic(err) // only for lengths that SHA-256 cannot give
	}
	return key
}

func (k *Key) aead(use string) cipher.AEAD {
	block, err := aes.NewCipher(k.For(use))
	if err != nil {
		panic(err) // only for keys of another length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// Seal makes a text unreadable. about is what it belongs to; it opens there only.
func (k *Key) Seal(use, about, text string) string {
	aead := k.aead(use)
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	return base64.RawStdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(text), []byte(about)))
}

// Unseal reads what Seal wrote. It fails where the key is another one or the text
// belongs to something else.
func (k *Key) Unseal(use, about, sealed string) (string, error) {
	aead := k.aead(use)
	raw, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil || len(raw) < aead.NonceSize() {
		return "", errors.New("could not read a sealed secret: it is damaged")
	}
	text, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(about))
	if err != nil {
		return "", errors.New("could not read a sealed secret: the key file is not the one that it was sealed with, or it was moved")
	}
	return string(text), nil
}
