// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package itsm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

// Config is the file that names the systems (fairway server --itsm-config). It
// holds no secret: keys lie in files of their own.
type Config struct {
	// Systems that approval policies may name.
	Systems []SystemConfig `json:"systems"`
}

// SystemConfig is one system of the bank.
type SystemConfig struct {
	// Name that approval policies call it by (spec.external.system).
	Name string `json:"name"`
	// URL that requests are posted to, https.
	URL string `json:"url"`
	// CAFile, PEM, that its certificate is checked against. Default: the machine's.
	CAFile string `json:"caFile,omitempty"`
	// Networks that its address lies in; no other address is dialled. Default: every
	// address but those of this machine.
	Networks []string `json:"networks,omitempty"`
	// RequestKey signs what goes out.
	RequestKey KeyFile `json:"requestKey"`
	// VerdictKeys check what comes in. Two of them while a key is changed.
	VerdictKeys []KeyFile `json:"verdictKeys"`
	// Account is the person id of the machine account under which verdicts come in.
	Account string `json:"account"`
}

// KeyFile names a key and the file, mode 0600, that holds it.
type KeyFile struct {
	ID   string `json:"id"`
	File string `json:"file"`
}

// System is a system of the bank that requests are sent to and verdicts come from.
type System struct {
	// Name that approval policies call it by.
	Name string
	// Account under which its verdicts come in.
	Account string
	// Keys that check verdicts.
	Keys []webhook.Key
	// Target that requests are posted to.
	Target *webhook.Target
}

// ReadConfig reads the file and the keys that it names.
func ReadConfig(path string, now clock.PassiveClock) ([]System, error) {
	raw, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("could not read the systems of the bank: %w", err)
	}
	config := Config{}
	if err := yaml.UnmarshalStrict(raw, &config); err != nil {
		return nil, fmt.Errorf("could not read the systems of the bank in %q: %w", path, err)
	}
	var systems []System
	names, accounts := map[string]bool{}, map[string]bool{}
	for _, c := range config.Systems {
		s, err := c.open(filepath.Dir(path), now)
		if err != nil {
			return nil, fmt.Errorf("system %q in %q: %w", c.Name, path, err)
		}
		if names[c.Name] || accounts[c.Account] {
			return nil, fmt.Errorf("system %q in %q: its name or account is another system's too; each has its own", c.Name, path)
		}
		names[c.Name], accounts[c.Account] = true, true
		systems = append(systems, s)
	}
	return systems, nil
}

var systemName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (c SystemConfig) open(folder string, now clock.PassiveClock) (System, error) {
	switch {
	case !systemName.MatchString(c.Name):
		return System{}, errors.New("a name has 1 to 63 lower-case letters, digits and dashes")
	case c.Account == "" || len(c.Account) > 128:
		return System{}, errors.New("name the machine account under which its verdicts come in (account)")
	case len(c.VerdictKeys) == 0 || len(c.VerdictKeys) > 4:
		return System{}, errors.New("name one to four keys that check its verdicts (verdictKeys)")
	}
	out := System{Name: c.Name, Account: c.Account}
	for _, k := range c.VerdictKeys {
		key, err := webhook.ReadKey(k.ID, beside(folder, k.File))
		if err != nil {
			return System{}, err
		}
		out.Keys = append(out.Keys, key)
	}
	key, err := webhook.ReadKey(c.RequestKey.ID, beside(folder, c.RequestKey.File))
	if err != nil {
		return System{}, err
	}
	if c.CAFile != "" {
		c.CAFile = beside(folder, c.CAFile)
	}
	out.Target, err = webhook.NewTarget(webhook.TargetOptions{URL: c.URL, CAFile: c.CAFile, Networks: c.Networks, Key: key, Clock: now})
	return out, err
}

// beside reads a relative path from where the configuration lies.
func beside(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}
