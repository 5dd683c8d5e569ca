// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/sandbox/state"
)

// ConfigVariable names the environment variable with the path of the configuration.
const ConfigVariable = "FAIRWAY_CONFIG"

// SandboxConfig is the file, in the folder of a sandbox, with which the command
// line reaches it.
const SandboxConfig = "cli.yaml"

// Access says how to reach a server. It is the content of the configuration file.
type Access struct {
	// Server is the address, such as https://fairway.bank.example:8443.
	Server string `json:"server"`
	// TokenFile holds the token; its mode must be 0600. Relative paths begin at
	// the configuration's own folder.
	TokenFile string `json:"tokenFile"`
	// CAFile holds the certificate of who signed the server's. Default: the system's.
	CAFile string `json:"caFile,omitempty"`
	// Namespace that is used where none is given. Default: all.
	Namespace string `json:"namespace,omitempty"`
}

// FindAccess completes what flags give with the configuration: $FAIRWAY_CONFIG,
// else ~/.config/fairway/config.yaml, else that of the one running sandbox.
func FindAccess(given Access) (Access, error) {
	if given.Server != "" && given.TokenFile != "" {
		return given, nil
	}
	found, path, err := readConfig()
	if err != nil {
		return given, err
	}
	if path == "" && given.Server == "" {
		return given, &Failure{Exit: ExitUsage, Cause: "could not find a server: no configuration, and no sandbox runs here",
			Next: "bring a sandbox up with \"fairway sandbox up\", or name a server with --server and --token-file"}
	}
	if given.Server == "" {
		given.Server = found.Server
	}
	if given.TokenFile == "" {
		given.TokenFile = beside(path, found.TokenFile)
	}
	if given.CAFile == "" {
		given.CAFile = beside(path, found.CAFile)
	}
	if given.Namespace == "" {
		given.Namespace = found.Namespace
	}
	return given, nil
}

func beside(config, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(config), path)
}

func readConfig() (Access, string, error) {
	paths, err := configPaths()
	if err != nil {
		return Access{}, "", err
	}
	for _, path := range paths {
		raw, err := os.ReadFile(filepath.Clean(path))
		if errors.Is(err, fs.ErrNotExist) && os.Getenv(ConfigVariable) == "" {
			continue
		}
		if err != nil {
			return Access{}, "", &Failure{Exit: ExitUsage, Cause: fmt.Sprintf("could not read configuration %q: %v", path, err)}
		}
		access := Access{}
		if err := yaml.UnmarshalStrict(raw, &access); err != nil {
			return Access{}, "", &Failure{Exit: ExitUsage, Cause: fmt.Sprintf("could not read configuration %q: %v", path, err),
				Next: "it holds server, tokenFile, caFile and namespace"}
		}
		return access, path, nil
	}
	return Access{}, "", nil
}

func configPaths() ([]string, error) {
	if path := os.Getenv(ConfigVariable); path != "" {
		return []string{path}, nil
	}
	var paths []string
	if dir, err := os.UserConfigDir(); err == nil {
		paths = append(paths, filepath.Join(dir, "fairway", "config.yaml"))
		if _, err := os.Stat(paths[0]); err == nil {
			return paths, nil
		}
	}
	sandboxes, err := filepath.Glob(filepath.Join(state.DefaultRoot(), "*", SandboxConfig))
	if err != nil {
		return paths, nil //nolint:nilerr // an odd folder name means no sandbox
	}
	if len(sandboxes) > 1 {
		var names []string
		for _, s := range sandboxes {
			names = append(names, filepath.Base(filepath.Dir(s)))
		}
		return nil, &Failure{Exit: ExitUsage, Cause: "could not choose a server: several sandboxes are here: " + strings.Join(names, ", "),
			Next: fmt.Sprintf("choose one with %s=%s", ConfigVariable, sandboxes[0])}
	}
	return append(paths, sandboxes...), nil
}
