// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package measure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"sigs.k8s.io/yaml"
)

// Config says which Prometheus is asked.
type Config struct {
	Prometheus []SourceConfig `json:"prometheus"`
}

// SourceConfig is one Prometheus, or what answers as one.
type SourceConfig struct {
	// Name in messages: lower-case letters, digits and dashes.
	Name string `json:"name"`
	// URL as https://host/prefix, without user and query. http is taken to this machine's
	// own addresses alone.
	URL string `json:"url"`
	// Clusters that it knows. None: all that no other names.
	Clusters []string `json:"clusters,omitempty"`
	// CAFile holds the certificates, PEM, that its own is checked against. Default: those
	// of the machine.
	CAFile string `json:"caFile,omitempty"`
	// Networks that its address lies in. No other address is dialled. Default: all but
	// those of this machine, its link and multicast.
	Networks []string `json:"networks,omitempty"`
	// User and PasswordFile for basic authentication, or TokenFile for a bearer token.
	// The files are read again for each question; only their owner may read them.
	User         string `json:"user,omitempty"`
	PasswordFile string `json:"passwordFile,omitempty"`
	TokenFile    string `json:"tokenFile,omitempty"`
}

var sourceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// ReadConfig reads the file that says which Prometheus is asked.
func ReadConfig(path string) ([]*Source, error) {
	raw, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("could not read which Prometheus is asked: %w", err)
	}
	config := Config{}
	if err := yaml.UnmarshalStrict(raw, &config); err != nil {
		return nil, fmt.Errorf("could not read which Prometheus is asked in %q: %w", path, err)
	}
	var sources []*Source
	known := map[string]string{}
	for _, c := range config.Prometheus {
		s, err := c.open(filepath.Dir(path))
		if err != nil {
			return nil, fmt.Errorf("could not use %q: prometheus %q: %w", path, c.Name, err)
		}
		if slices.ContainsFunc(sources, func(o *Source) bool { return o.Name == s.Name }) {
			return nil, fmt.Errorf("could not use %q: two are named %q", path, s.Name)
		}
		clusters := s.Clusters
		if len(clusters) == 0 {
			clusters = []string{""}
		}
		for _, cluster := range clusters {
			if other, taken := known[cluster]; taken {
				return nil, fmt.Errorf("could not use %q: %q and %q both know cluster %q; of each cluster one is asked (none named: all the others)", path, other, s.Name, cluster)
			}
			known[cluster] = s.Name
		}
		sources = append(sources, s)
	}
	return sources, nil
}

func (c SourceConfig) open(folder string) (*Source, error) {
	if !sourceName.MatchString(c.Name) {
		return nil, errors.New("a name has 1 to 63 lower-case letters, digits and dashes")
	}
	if (c.User == "") != (c.PasswordFile == "") || c.TokenFile != "" && c.User != "" {
		return nil, errors.New("give user and passwordFile together, or tokenFile, or none of them")
	}
	for _, file := range []*string{&c.CAFile, &c.PasswordFile, &c.TokenFile} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(folder, *file)
		}
	}
	s, err := newSource(c)
	if err != nil {
		return nil, err
	}
	// What is wrong with a credential is found when the server starts, and not at night.
	_, err = s.credential()
	return s, err
}

// For is the Prometheus that knows a cluster; nil: none does.
func For(sources []*Source, cluster string) *Source {
	var others *Source
	for _, s := range sources {
		switch {
		case slices.Contains(s.Clusters, cluster):
			return s
		case len(s.Clusters) == 0:
			others = s
		}
	}
	return others
}
