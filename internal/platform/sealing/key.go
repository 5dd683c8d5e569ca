// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package sealing

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Key signs, and knows its public half.
type Key struct {
	// Public is the verifier key as text, "<name>+<hash>+<key>". It is no secret.
	Public string
	// Counter are the public halves of the keys that countersign, in builds that have
	// more than one set of algorithms.
	Counter []string

	private string
	signer  note.Signer
	counter []note.Signer
}

// PublicSuffix ends the name of the file that holds a key's public half.
const PublicSuffix = ".pub"

// Ensure reads the key from a file of mode 0600, or makes one with the name where
// there is none. Its public half stands beside it, for everybody to read. A build
// with more than one set of algorithms has a key for each, in files with their own
// suffix.
func Ensure(path, name string) (*Key, error) {
	var key *Key
	for _, s := range signing() {
		private, public, err := ensure(path+s.suffix, name, s)
		if err != nil {
			return nil, err
		}
		signer, err := pair(path+s.suffix, private, public, s)
		if err != nil {
			return nil, err
		}
		if key == nil {
			key, name = &Key{Public: public, private: private, signer: signer}, signer.Name()
			continue
		}
		key.Counter, key.counter = append(key.Counter, public), append(key.counter, signer)
	}
	return key, nil
}

func ensure(path, name string, s suite) (private, public string, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return generate(path, name, s)
	}
	if err != nil {
		return "", "", fmt.Errorf("could not read key %q: %w", path, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		return "", "", fmt.Errorf("could not use key %q: others may read it; chmod 600 it, and if somebody did read it, replace it", path)
	}
	half, err := os.ReadFile(path + PublicSuffix)
	if err != nil {
		return "", "", fmt.Errorf("could not read the public half of key %q: %w", path, err)
	}
	return strings.TrimSpace(string(raw)), strings.TrimSpace(string(half)), nil
}

func pair(path, private, public string, s suite) (note.Signer, error) {
	signer, err := s.signer(private)
	if err != nil {
		return nil, fmt.Errorf("could not use key %q: it is no signing key", path) // the inner error may quote it
	}
	verifier, err := s.verifier(public)
	if err != nil || verifier.Name() != signer.Name() || verifier.KeyHash() != signer.KeyHash() {
		return nil, fmt.Errorf("could not use key %q: %q is not its public half", path, path+PublicSuffix)
	}
	return signer, nil
}

// generate makes a key. The public half is written first: a key without it would
// be of no use after a crash in between.
func generate(path, name string, s suite) (private, public string, err error) {
	if private, public, err = s.generate(name); err != nil {
		return "", "", fmt.Errorf("could not make a key named %q: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", "", fmt.Errorf("could not make key %q: %w", path, err)
	}
	for _, file := range []struct {
		path, content string
		mode          os.FileMode
	}{{path + PublicSuffix, public, 0o644}, {path, private, 0o600}} {
		if err := writeDurably(file.path, file.content+"\n", file.mode); err != nil {
			return "", "", fmt.Errorf("could not make key %q: %w", path, err)
		}
	}
	return private, public, nil
}

func writeDurably(path, content string, mode os.FileMode) error {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Name of the key.
func (k *Key) Name() string { return k.signer.Name() }

// Signer of notes.
func (k *Key) Signer() note.Signer { return k.signer }

// Signers of notes: the key's own, and those that countersign.
func (k *Key) Signers() []note.Signer { return append([]note.Signer{k.signer}, k.counter...) }

// Sign signs bytes.
func (k *Key) Sign(message []byte) ([]byte, error) { return k.signer.Sign(message) }

// Cosigner signs checkpoints of others, with the time (C2SP tlog-cosignature).
func (k *Key) Cosigner() (note.Signer, error) {
	signer, err := fnote.NewSignerForCosignatureV1(k.private)
	if err != nil {
		return nil, fmt.Errorf("could not use key %q to cosign", k.Name())
	}
	return signer, nil
}

// Verifier checks signatures of the public half that text holds. text is the key
// itself.
func Verifier(text string) (note.Verifier, error) {
	v, err := newVerifier(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("could not read public key %q: %w; expected <name>+<hash>+<key>", strings.TrimSpace(text), err)
	}
	return v, nil
}

// CosignatureVerifier checks cosignatures of the public half that text holds.
func CosignatureVerifier(text string) (note.Verifier, error) {
	v, err := fnote.NewVerifierForCosignatureV1(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("could not read public key %q: %w; expected <name>+<hash>+<key>", strings.TrimSpace(text), err)
	}
	return v, nil
}

// PublicKey returns the public key that an argument names: the key itself, or a
// file that holds it.
func PublicKey(argument string) (string, error) {
	if _, err := newVerifier(argument); err == nil {
		return argument, nil
	}
	raw, err := os.ReadFile(argument)
	if err != nil {
		return "", fmt.Errorf("could not read public key %q: it is neither a key, <name>+<hash>+<key>, nor a file: %w", argument, err)
	}
	text := strings.TrimSpace(string(raw))
	if _, err := newVerifier(text); err != nil {
		// Whoever names the private file by mistake does not see it in a log.
		return "", fmt.Errorf("could not read public key in %q: expected one line, <name>+<hash>+<key>", argument)
	}
	return text, nil
}
