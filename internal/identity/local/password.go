// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package local

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// Cost is what checking a password costs. It is kept beside each digest, so that it
// can be raised; a digest of a lower cost is made anew at the next login.
type Cost struct {
	// Memory in KiB, Passes over it, and Lanes at once.
	Memory, Passes uint32
	Lanes          uint8
}

// DefaultCost is the second choice of RFC 9106 with one lane: 64 MiB, 3 passes.
var DefaultCost = Cost{Memory: 64 << 10, Passes: 3, Lanes: 1}

const (
	saltBytes   = 16
	digestBytes = 32
)

// encode writes a digest as the reference implementation of argon2 does.
func (c Cost) encode(salt, digest []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Passes, c.Lanes, b.EncodeToString(salt), b.EncodeToString(digest))
}

func decode(encoded string) (c Cost, salt, digest []byte, err error) {
	damaged := errors.New("could not read the digest of a password: it is damaged")
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, damaged
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Passes, &c.Lanes); err != nil || c.Memory == 0 || c.Memory > 1<<20 || c.Passes == 0 || c.Passes > 20 || c.Lanes == 0 {
		return c, nil, nil, damaged
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	digest, errDigest := base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errDigest != nil || len(salt) < 8 || len(digest) != digestBytes {
		return c, nil, nil, damaged
	}
	return c, salt, digest, nil
}

// atOnce is how many passwords are checked at once: each takes Cost.Memory.
const atOnce = 4

// patience is how long a login waits for its turn.
const patience = 10 * time.Second

// hasher bounds what strangers can make the server compute.
type hasher struct {
	cost  Cost
	turns chan struct{}
}

func newHasher(cost Cost) *hasher { return &hasher{cost: cost, turns: make(chan struct{}, atOnce)} }

// ErrBusy says that too many passwords are being checked. Callers try again later.
var ErrBusy = errors.New("too many passwords are being checked at once")

func (h *hasher) turn(ctx context.Context) (release func(), err error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-timer.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// digest makes the digest of a new password.
func (h *hasher) digest(ctx context.Context, password string) (string, error) {
	release, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, as of Go 1.24
	return h.cost.encode(salt, argon2.IDKey([]byte(password), salt, h.cost.Passes, h.cost.Memory, h.cost.Lanes, digestBytes)), nil
}

// matches says whether the password is the one of the digest. With no digest it
// works as long and says no, so that an account that is not there answers like one
// that is.
func (h *hasher) matches(ctx context.Context, encoded, password string) (bool, error) {
	cost, salt, want := h.cost, make([]byte, saltBytes), make([]byte, digestBytes)
	if encoded != "" {
		var err error
		if cost, salt, want, err = decode(encoded); err != nil {
			return false, err
		}
	}
	release, err := h.turn(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	got := argon2.IDKey([]byte(password), salt, cost.Passes, cost.Memory, cost.Lanes, digestBytes)
	return subtle.ConstantTimeCompare(got, want) == 1 && encoded != "", nil
}

// stale says whether a digest was made at another cost than the one of today.
func (h *hasher) stale(encoded string) bool {
	cost, _, _, err := decode(encoded)
	return err == nil && cost != h.cost
}
