// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
)

// loginLimit bounds the file of logins, in bytes.
const loginLimit = 1 << 20

// Logins are the platform's own logins at registries, from a file such as
// ~/.docker/config.json:
//
//	{"auths": {"registry.bank.example": {"username": "fairway", "password": "…"}}}
//
// The file is read at each question, so that a new password needs no restart. Where it names
// no login for a registry, that one is asked without.
type Logins struct {
	path string
	// called maps where registries answer to what images call them.
	called map[string]string
}

// OpenLogins reads the file once, so that a mistake in it is told when the server starts.
func OpenLogins(path string) (*Logins, error) {
	l := &Logins{path: path}
	_, err := l.read()
	return l, err
}

var _ authn.Keychain = &Logins{}

// Resolve implements authn.Keychain.
func (l *Logins) Resolve(at authn.Resource) (authn.Authenticator, error) {
	logins, err := l.read()
	if err != nil {
		return nil, err
	}
	for _, host := range []string{l.called[at.RegistryStr()], at.RegistryStr()} {
		for _, key := range []string{host, "https://" + host, "https://" + host + "/v1/"} {
			if login, ok := logins[key]; ok && host != "" {
				return authn.FromConfig(login), nil
			}
		}
	}
	return authn.Anonymous, nil
}

// read reads the logins. What it says of a failure quotes nothing of the file but its name.
func (l *Logins) read() (map[string]authn.AuthConfig, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, fmt.Errorf("could not read the logins at registries: %w", err)
	}
	defer func() { _ = file.Close() }()
	raw, err := io.ReadAll(io.LimitReader(file, loginLimit))
	if err != nil {
		return nil, fmt.Errorf("could not read the logins at registries: %w", err)
	}
	var content struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	if err := json.Unmarshal(raw, &content); err != nil {
		return nil, fmt.Errorf("could not read the logins at registries from %q: %w", l.path, errLogins)
	}
	return content.Auths, nil
}

// errLogins says nothing of what the file holds: the decoder's own error might quote it.
var errLogins = errors.New(`it is not of the form {"auths": {"registry": {"username": "…", "password": "…"}}}`)
