// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"errors"
	"fmt"

	"github.com/fairway-cloud/fairway/internal/cli/config"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
)

// Access says how to reach a server, and as whom.
type Access struct {
	// Config is the client file to use. Default: see config.Find.
	Config string
	// Context is the ready account to use. Default: the file's current one.
	Context string
	// Server is the address, such as https://fairway.bank.example:8443.
	Server string
	// TokenFile holds the token; its mode must be 0600.
	TokenFile string
	// CAFile holds the certificate of who signed the server's. Default: the system's.
	CAFile string
	// Namespace that is used where none is given. Default: all.
	Namespace string
	// Provider, User and PasswordFile log a ready account in where no session holds.
	// Empty: nobody is logged in by itself.
	Provider, User, PasswordFile string
}

// FindAccess completes what flags give with the client file. A token belongs to
// the server that its file names: with a server given by hand, the file's token
// is not sent there.
func FindAccess(given Access) (Access, error) {
	if given.Server != "" && given.TokenFile != "" && given.Context == "" {
		return given, nil
	}
	path, err := config.Find(given.Config, state.DefaultRoot())
	switch {
	case errors.Is(err, config.ErrNone) && given.Server == "":
		return given, &Failure{Exit: ExitUsage, Cause: "could not find a server: no configuration, and no sandbox runs here",
			Next: "bring a sandbox up with \"fairway sandbox up\", or name a server with --server and --token-file"}
	case errors.Is(err, config.ErrNone):
		return given, noToken(given)
	case err != nil:
		return given, &Failure{Exit: ExitUsage, Cause: err.Error()}
	}
	file, err := config.Load(path)
	if err != nil {
		return given, &Failure{Exit: ExitUsage, Cause: err.Error(), Next: "correct the file, or name another with --config"}
	}
	file, err = file.Use(given.Context)
	if err != nil {
		return given, &Failure{Exit: ExitUsage, Cause: err.Error(), Next: "name one of them with --context"}
	}
	if given.Server != "" && given.Server != file.Server {
		return given, noToken(given)
	}
	for into, value := range map[*string]string{
		&given.Server: file.Server, &given.TokenFile: file.TokenFile, &given.CAFile: file.CAFile, &given.Namespace: file.Namespace,
	} {
		if *into == "" {
			*into = value
		}
	}
	if given.TokenFile == "" {
		return given, noToken(given)
	}
	if file.Ready != nil && given.TokenFile == file.TokenFile {
		given.Provider, given.User, given.PasswordFile = file.Ready.Provider, file.Ready.User, file.Ready.PasswordFile
	}
	return given, nil
}

func noToken(a Access) error {
	return &Failure{Exit: ExitUsage, Cause: fmt.Sprintf("could not log in to %s: no token is given for it", a.Server), Next: "log in with \"fairway login\", or name the file of your token with --token-file"}
}
