// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package config is the file that tells the command line where its server is:
// address, certificate and the file of its token. A sandbox writes one into its
// folder, a person keeps one at home.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Variable names the environment variable with the path of the file.
const Variable = "FAIRWAY_CONFIG"

// SandboxFile is the name of the file in a sandbox's folder.
const SandboxFile = "client.yaml"

// DefaultSandbox is the sandbox that is meant when several run, as for "fairway sandbox".
const DefaultSandbox = "bank"

// Client says how to reach a server. Relative paths are relative to the file's folder.
type Client struct {
	// Server is the address of the REST API, such as https://127.0.0.1:8443.
	Server string `json:"server"`
	// CAFile holds the certificates that the server's is checked with, PEM.
	// Default: those that this machine trusts.
	CAFile string `json:"caFile,omitempty"`
	// TokenFile holds the bearer token; nobody but its owner may read it (mode 0600).
	TokenFile string `json:"tokenFile,omitempty"`
	// Namespace is used where -n is not given. Default: none.
	Namespace string `json:"namespace,omitempty"`
}

// ErrNone says that no file was found and no sandbox runs.
var ErrNone = errors.New("no server is configured")

// Write writes the file with mode 0600, whole or not at all.
func Write(path string, c Client) error {
	content, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("could not write client file %q: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".client-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("could not write client file %q: %w", path, err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("could not write client file %q: %w", path, err)
	}
	return nil
}

// Load reads a file. Unknown fields are refused.
func Load(path string) (Client, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Client{}, fmt.Errorf("could not read client file: %w", err)
	}
	c := Client{}
	if err := yaml.UnmarshalStrict(content, &c); err != nil {
		return Client{}, fmt.Errorf("could not read client file %q: it holds server, caFile, tokenFile and namespace: %w", path, err)
	}
	if c.Server == "" {
		return Client{}, fmt.Errorf("could not use client file %q: it names no server", path)
	}
	for _, p := range []*string{&c.CAFile, &c.TokenFile} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(path), *p)
		}
	}
	return c, nil
}

// Find returns the file to use: the one given, else $FAIRWAY_CONFIG, else the
// person's own (see Home), else that of the sandbox that runs below the root.
// The error is ErrNone where there is none.
func Find(given, sandboxes string) (string, error) {
	if given != "" {
		return given, nil
	}
	if path := os.Getenv(Variable); path != "" {
		return path, nil
	}
	if path := Home(); path != "" {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	found, err := filepath.Glob(filepath.Join(sandboxes, "*", SandboxFile))
	if err != nil {
		return "", fmt.Errorf("could not look for sandboxes in %q: %w", sandboxes, err)
	}
	switch len(found) {
	case 0:
		return "", ErrNone
	case 1:
		return found[0], nil
	}
	for _, path := range found {
		if filepath.Base(filepath.Dir(path)) == DefaultSandbox {
			return path, nil
		}
	}
	return "", fmt.Errorf("could not choose among several sandboxes; give one of them with --config: %s", strings.Join(found, ", "))
}

// Home is the person's own file, ~/.config/fairway/config.yaml; "" where there is no home.
func Home() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "fairway", "config.yaml")
}
