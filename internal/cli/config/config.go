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
	"slices"
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
	Server string `json:"server,omitempty"`
	// CAFile holds the certificates that the server's is checked with, PEM.
	// Default: those that this machine trusts.
	CAFile string `json:"caFile,omitempty"`
	// TokenFile holds the bearer token; nobody but its owner may read it (mode 0600).
	TokenFile string `json:"tokenFile,omitempty"`
	// Namespace is used where -n is not given. Default: none.
	Namespace string `json:"namespace,omitempty"`
	// Current is the context that is used where none is named. Default: the fields above.
	Current string `json:"current,omitempty"`
	// Contexts are accounts that are ready to be used, one of them at a time.
	Contexts []Context `json:"contexts,omitempty"`

	// Ready is how the account that is used logs in by itself. Nil: it does not.
	Ready *Context `json:"-"`
}

// Context is one account at a server. What it leaves out is taken from the file's
// own fields; a token only where the server is the same.
type Context struct {
	// Name of the context, such as "approver-a".
	Name string `json:"name"`
	// Server, CAFile, TokenFile and Namespace as in Client.
	Server    string `json:"server,omitempty"`
	CAFile    string `json:"caFile,omitempty"`
	TokenFile string `json:"tokenFile,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// Provider, User and PasswordFile make an account ready: who uses the context is
	// logged in by them where no session holds. The file's mode is 0600.
	Provider     string `json:"provider,omitempty"`
	User         string `json:"user,omitempty"`
	PasswordFile string `json:"passwordFile,omitempty"`
}

// Use returns what the context of that name says, completed by the file's own
// fields; "" is the current one.
func (c Client) Use(name string) (Client, error) {
	if name == "" {
		name = c.Current
	}
	if name == "" {
		return c, nil
	}
	for _, x := range c.Contexts {
		if x.Name != name {
			continue
		}
		used := Client{Server: x.Server, CAFile: x.CAFile, TokenFile: x.TokenFile, Namespace: x.Namespace, Current: name}
		if used.Server == "" || used.Server == c.Server {
			used.Server = c.Server
			if used.CAFile == "" {
				used.CAFile = c.CAFile
			}
		}
		if used.Namespace == "" {
			used.Namespace = c.Namespace
		}
		if x.User != "" && x.PasswordFile != "" {
			used.Ready = &x
		}
		return used, nil
	}
	var known []string
	for _, x := range c.Contexts {
		known = append(known, x.Name)
	}
	if known == nil {
		return Client{}, fmt.Errorf("there is no account or context %q: the client file has none; log in with \"fairway login\"", name)
	}
	return Client{}, fmt.Errorf("there is no account or context %q; there are: %s", name, strings.Join(known, ", "))
}

// With returns the file with the context added, or replaced where there is one of
// its name, and made the current one.
func (c Client) With(x Context) Client {
	c.Contexts = slices.Clone(c.Contexts)
	at := slices.IndexFunc(c.Contexts, func(known Context) bool { return known.Name == x.Name })
	if at < 0 {
		c.Contexts = append(c.Contexts, x)
	} else {
		c.Contexts[at] = x
	}
	c.Current = x.Name
	return c
}

// Without returns the file without the context of that name.
func (c Client) Without(name string) Client {
	c.Contexts = slices.DeleteFunc(slices.Clone(c.Contexts), func(x Context) bool { return x.Name == name })
	if c.Current == name {
		c.Current = ""
	}
	return c
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
		return Client{}, fmt.Errorf("could not read client file %q: it holds server, caFile, tokenFile, namespace, current and contexts: %w", path, err)
	}
	files := []*string{&c.CAFile, &c.TokenFile}
	for i := range c.Contexts {
		x := &c.Contexts[i]
		if x.Name == "" || x.Server == "" && c.Server == "" {
			return Client{}, fmt.Errorf("could not use client file %q: context %q has no name or names no server", path, x.Name)
		}
		files = append(files, &x.CAFile, &x.TokenFile, &x.PasswordFile)
	}
	if c.Server == "" && len(c.Contexts) == 0 {
		return Client{}, fmt.Errorf("could not use client file %q: it names no server", path)
	}
	for _, p := range files {
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
