// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package canonical turns values into canonical JSON (RFC 8785) and digests it, so that two
// people who look at the same content compute the same digest.
package canonical

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gowebpki/jcs"
)

// prefix names the algorithm; it leaves room for others (SM3).
const prefix = "sha256:"

// JSON returns the canonical JSON of a value. Whole numbers beyond 2^53 lose digits in
// RFC 8785, so values carry such numbers as text.
func JSON(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("could not write %T as JSON: %w", v, err)
	}
	out, err := jcs.Transform(raw)
	if err != nil {
		return "", fmt.Errorf("could not bring %T into canonical JSON: %w", v, err)
	}
	return string(out), nil
}

// Digest returns "sha256:" and 64 hex digits over exactly these bytes.
func Digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return prefix + hex.EncodeToString(sum[:])
}

// DigestOf returns the digest of a value's canonical JSON.
func DigestOf(v any) (string, error) {
	content, err := JSON(v)
	if err != nil {
		return "", err
	}
	return Digest(content), nil
}

// Verify recomputes the digest of content and checks that content is canonical. Whoever
// relies on stored content calls it first.
func Verify(content, digest string) error {
	if !strings.HasPrefix(digest, prefix) {
		return fmt.Errorf("could not verify digest %q: its algorithm is not known here; expected %q", digest, prefix+"…")
	}
	if got := Digest(content); got != digest {
		return fmt.Errorf("could not verify content: its digest is %q, not %q; the content was altered", got, digest)
	}
	again, err := jcs.Transform([]byte(content))
	if err != nil {
		return fmt.Errorf("could not verify content of %q: it is not JSON: %w", digest, err)
	}
	if string(again) != content {
		return fmt.Errorf("could not verify content of %q: it is not in canonical form (RFC 8785)", digest)
	}
	return nil
}

// Short returns the first n hex digits of a digest, without its prefix.
func Short(digest string, n int) string {
	hexed := strings.TrimPrefix(digest, prefix)
	return hexed[:min(n, len(hexed))]
}
