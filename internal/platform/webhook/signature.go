// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package webhook speaks with one other system over HTTP: messages are signed,
// go to the one address that the configuration names, and follow no redirect.
// It also checks the signatures of messages that come in.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed message.
const (
	// HeaderTimestamp is when it was signed, in seconds since 1970.
	HeaderTimestamp = "Fairway-Timestamp"
	// HeaderNonce is a word that is used once: 16 to 64 letters, digits, "-" and "_".
	HeaderNonce = "Fairway-Nonce"
	// HeaderKey names the key that signed.
	HeaderKey = "Fairway-Key"
	// HeaderSignature is "sha256=" and the signature in hexadecimal.
	HeaderSignature = "Fairway-Signature"
)

// Skew is how far the clocks of two systems may differ.
const Skew = 5 * time.Minute

// shortestKey is the least length of a key in bytes.
const shortestKey = 32

// Key is a secret that two systems share, for one purpose and direction.
type Key struct {
	// ID names the key, so that it can be changed without a gap.
	ID string
	// secret is never printed.
	secret []byte
}

// String keeps the secret out of whatever prints a key.
func (k Key) String() string { return "key " + strconv.Quote(k.ID) }

// GoString does as well.
func (k Key) GoString() string { return k.String() }

// NewKey returns a key of at least 32 bytes.
func NewKey(id, secret string) (Key, error) {
	if id == "" || len(id) > 64 || strings.Trim(id, nonceCharacters) != "" {
		return Key{}, fmt.Errorf("could not use a key named %q: its name has 1 to 64 letters, digits, - and _", id)
	}
	if len(secret) < shortestKey {
		return Key{}, fmt.Errorf("could not use key %q: it has fewer than %d characters; make one with openssl rand -hex 32", id, shortestKey)
	}
	return Key{ID: id, secret: []byte(secret)}, nil
}

// ReadKey reads a key from a file that only its owner can read.
func ReadKey(id, path string) (Key, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return Key{}, fmt.Errorf("could not read key %q: %w", id, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Key{}, fmt.Errorf("could not read key %q: %w", id, err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || info.Size() > 4096 {
		return Key{}, fmt.Errorf("could not use key file %q: others can read it, or it is no file with one key: chmod 600", path)
	}
	raw, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil {
		return Key{}, fmt.Errorf("could not read key %q: %w", id, err)
	}
	return NewKey(id, strings.TrimSpace(string(raw)))
}

// Sign writes the headers of a signed message. Purpose says what the message is
// for: a signature for one purpose does not hold for another.
func (k Key) Sign(header http.Header, purpose, nonce string, body []byte, now time.Time) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header.Set(HeaderTimestamp, timestamp)
	header.Set(HeaderNonce, nonce)
	header.Set(HeaderKey, k.ID)
	header.Set(HeaderSignature, "sha256="+hex.EncodeToString(k.mac(purpose, timestamp, nonce, body)))
}

// mac is over four parts, none of which can run into the next: the first three
// hold no line feed.
func (k Key) mac(purpose, timestamp, nonce string, body []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	_, _ = mac.Write([]byte(purpose + "\n" + timestamp + "\n" + nonce + "\n"))
	_, _ = mac.Write(body)
	return mac.Sum(nil)
}

// Why a message is refused. Which of them it was is for the log; whoever sent it
// learns what to look at.
var (
	// ErrUnsigned: a header is missing, twice there, or cannot be read.
	ErrUnsigned = errors.New("the message is not signed as the protocol says")
	// ErrSignature: no known key of that name made the signature over this message.
	ErrSignature = errors.New("the signature does not fit the message")
	// ErrTime: the message was signed too long ago, or in the future.
	ErrTime = errors.New("the message was signed more than 5 minutes ago or in the future: look at the clocks")
)

// Verify checks that one of the keys signed the message for the purpose, within
// Skew of now. It returns the nonce, which the caller has to take once.
func Verify(keys []Key, header http.Header, purpose string, body []byte, now time.Time) (nonce string, err error) {
	var words [4]string
	for i, name := range []string{HeaderTimestamp, HeaderNonce, HeaderKey, HeaderSignature} {
		values := header.Values(name)
		if len(values) != 1 || len(values[0]) > 256 {
			return "", fmt.Errorf("%w: header %s is needed once", ErrUnsigned, name)
		}
		words[i] = values[0]
	}
	timestamp, nonce, id := words[0], words[1], words[2]
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != timestamp {
		return "", fmt.Errorf("%w: %s is the seconds since 1970", ErrUnsigned, HeaderTimestamp)
	}
	if len(nonce) < 16 || len(nonce) > 64 || strings.Trim(nonce, nonceCharacters) != "" {
		return "", fmt.Errorf("%w: %s has 16 to 64 letters, digits, - and _", ErrUnsigned, HeaderNonce)
	}
	digest, ok := strings.CutPrefix(words[3], "sha256=")
	got, err := hex.DecodeString(digest)
	if !ok || err != nil || len(got) != sha256.Size {
		return "", fmt.Errorf("%w: %s is sha256= and 64 hexadecimal digits", ErrUnsigned, HeaderSignature)
	}
	// The signature goes first: nobody without a key learns anything about clocks.
	fits := false
	for _, k := range keys {
		if k.ID == id && hmac.Equal(got, k.mac(purpose, timestamp, nonce, body)) {
			fits = true
		}
	}
	if !fits {
		return "", ErrSignature
	}
	if skew := now.Unix() - seconds; skew > int64(Skew/time.Second) || skew < -int64(Skew/time.Second) {
		return "", ErrTime
	}
	return nonce, nil
}

const nonceCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
