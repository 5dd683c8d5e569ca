// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package inventory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/app"
	"github.com/fairway-cloud/fairway/internal/platform/webhook"
)

// Config is the file that names the receivers (fairway server --cmdb-config). It holds no
// secret: keys lie in files of their own.
type Config struct {
	// Receivers of what changes.
	Receivers []ReceiverConfig `json:"receivers"`
}

// ReceiverConfig is one system of the bank, such as its CMDB.
type ReceiverConfig struct {
	// Name of the receiver.
	Name string `json:"name"`
	// URL that messages are posted to, https.
	URL string `json:"url"`
	// CAFile, PEM, that its certificate is checked against. Default: the machine's.
	CAFile string `json:"caFile,omitempty"`
	// Networks that its address lies in; no other address is dialled. Default: every
	// address but those of this machine.
	Networks []string `json:"networks,omitempty"`
	// Key signs what goes out.
	Key KeyFile `json:"key"`
	// Environments that it is told of. Default: all.
	Environments []string `json:"environments,omitempty"`
}

// KeyFile names a key and the file, mode 0600, that holds it.
type KeyFile struct {
	ID   string `json:"id"`
	File string `json:"file"`
}

// Receiver is a system that is told what changes.
type Receiver struct {
	Name string
	// Target that messages are posted to.
	Target *webhook.Target
	// Environments that it is told of. None: all.
	Environments []string
}

var receiverName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

// ReadConfig reads the file and the keys that it names.
func ReadConfig(path string, now clock.PassiveClock) ([]Receiver, error) {
	raw, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("could not read the receivers of the inventory: %w", err)
	}
	config := Config{}
	if err := yaml.UnmarshalStrict(raw, &config); err != nil {
		return nil, fmt.Errorf("could not read the receivers of the inventory in %q: %w", path, err)
	}
	var out []Receiver
	for _, c := range config.Receivers {
		r, err := c.open(filepath.Dir(path), now)
		if err != nil {
			return nil, fmt.Errorf("receiver %q in %q: %w", c.Name, path, err)
		}
		if slices.ContainsFunc(out, func(o Receiver) bool { return o.Name == r.Name }) {
			return nil, fmt.Errorf("receiver %q in %q: its name is another's too", c.Name, path)
		}
		out = append(out, r)
	}
	return out, nil
}

func (c ReceiverConfig) open(folder string, now clock.PassiveClock) (Receiver, error) {
	if !receiverName.MatchString(c.Name) {
		return Receiver{}, errors.New("a name has 1 to 32 lower-case letters, digits and dashes")
	}
	beside := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(folder, path)
	}
	key, err := webhook.ReadKey(c.Key.ID, beside(c.Key.File))
	if err != nil {
		return Receiver{}, err
	}
	target, err := webhook.NewTarget(webhook.TargetOptions{URL: c.URL, CAFile: beside(c.CAFile), Networks: c.Networks, Key: key, Clock: now})
	return Receiver{Name: c.Name, Target: target, Environments: c.Environments}, err
}

// hears reports whether the receiver is told of a namespace.
func (r Receiver) hears(namespace string) bool {
	_, environment, _ := app.SplitNamespace(namespace)
	return len(r.Environments) == 0 || slices.Contains(r.Environments, environment)
}
