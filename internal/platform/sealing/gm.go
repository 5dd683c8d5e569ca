// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

//go:build gm

package sealing

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"golang.org/x/mod/sumdb/note"
)

func init() {
	suites = append(suites, suite{
		name: "sm3", suffix: ".sm2",
		digest:   func(content []byte) []byte { sum := sm3.Sum(content); return sum[:] },
		generate: generateSM2, signer: newSM2Signer, verifier: newSM2Verifier,
	})
}

// sm2Type names the kind of key within a signed note: the byte for kinds that have
// no number, and the kind's name.
const sm2Type = "\xffSM2-SM3\x00"

// userID is the signer's identity in GB/T 32918 where no other was agreed.
var userID = []byte("1234567812345678")

const privatePrefix = "PRIVATE+KEY+"

var errNoSM2 = errors.New("it is no SM2 key")

// sm2Key is the public half.
type sm2Key struct {
	name   string
	hash   uint32
	public *ecdsa.PublicKey
}

func (k *sm2Key) Name() string    { return k.name }
func (k *sm2Key) KeyHash() uint32 { return k.hash }

// Verify implements note.Verifier.
func (k *sm2Key) Verify(message, signature []byte) bool {
	return sm2.VerifyASN1WithSM2(k.public, userID, message, signature)
}

type sm2Signer struct {
	sm2Key
	private *sm2.PrivateKey
}

// Sign implements note.Signer.
func (s *sm2Signer) Sign(message []byte) ([]byte, error) {
	return s.private.SignWithSM2(rand.Reader, userID, message)
}

func generateSM2(name string) (private, public string, err error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", err
	}
	content := append([]byte(sm2Type), point(&key.PublicKey)...)
	hash := hashOf(name, content)
	encode := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	d := key.D.FillBytes(make([]byte, 32))
	return fmt.Sprintf("%s%s+%08x+%s", privatePrefix, name, hash, encode(append([]byte(sm2Type), d...))),
		fmt.Sprintf("%s+%08x+%s", name, hash, encode(content)), nil
}

func point(k *ecdsa.PublicKey) []byte {
	out := append([]byte{4}, k.X.FillBytes(make([]byte, 32))...)
	return append(out, k.Y.FillBytes(make([]byte, 32))...)
}

// hashOf is the key's short name, as signed notes define it.
func hashOf(name string, content []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), content...))
	return binary.BigEndian.Uint32(sum[:])
}

func splitKey(text string) (name string, hash uint32, content []byte, err error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 || parts[0] == "" {
		return "", 0, nil, errNoSM2
	}
	n, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil || len(parts[1]) != 8 {
		return "", 0, nil, errNoSM2
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || !strings.HasPrefix(string(raw), sm2Type) {
		return "", 0, nil, errNoSM2
	}
	return parts[0], uint32(n), raw, nil
}

func newSM2Verifier(text string) (note.Verifier, error) {
	name, hash, content, err := splitKey(text)
	if err != nil {
		return nil, err
	}
	raw := content[len(sm2Type):]
	if len(raw) != 65 || raw[0] != 4 || hashOf(name, content) != hash {
		return nil, errNoSM2
	}
	key := &ecdsa.PublicKey{Curve: sm2.P256(), X: new(big.Int).SetBytes(raw[1:33]), Y: new(big.Int).SetBytes(raw[33:])}
	if !key.Curve.IsOnCurve(key.X, key.Y) { //nolint:staticcheck // the library has no other check for this curve
		return nil, errNoSM2
	}
	return &sm2Key{name, hash, key}, nil
}

func newSM2Signer(text string) (note.Signer, error) {
	rest, ok := strings.CutPrefix(text, privatePrefix)
	if !ok {
		return nil, errNoSM2
	}
	name, hash, content, err := splitKey(rest)
	if err != nil {
		return nil, err
	}
	d := new(big.Int).SetBytes(content[len(sm2Type):])
	curve := sm2.P256()
	if len(content) != len(sm2Type)+32 || d.Sign() == 0 || d.Cmp(curve.Params().N) >= 0 {
		return nil, errNoSM2
	}
	private := &sm2.PrivateKey{}
	private.Curve, private.D = curve, d
	private.X, private.Y = curve.ScalarBaseMult(d.FillBytes(make([]byte, 32))) //nolint:staticcheck // as above
	if hashOf(name, append([]byte(sm2Type), point(&private.PublicKey)...)) != hash {
		return nil, errNoSM2
	}
	return &sm2Signer{sm2Key{name, hash, &private.PublicKey}, private}, nil
}
