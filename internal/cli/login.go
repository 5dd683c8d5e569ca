// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairway-cloud/fairway/internal/cli/config"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
)

const identityPath = "/api/v1/identity"

// LoggedIn is what the server answers to a login.
type LoggedIn struct {
	// Token is the credential.
	Token string `json:"token"`
	// Person who logged in, with his groups.
	Person string   `json:"person"`
	Groups []string `json:"groups"`
	// Session that was opened.
	Session Session `json:"session"`
}

// Session as the server lists it.
type Session struct {
	ID       string    `json:"id"`
	Person   string    `json:"person"`
	Provider string    `json:"provider"`
	Login    string    `json:"login"`
	Address  string    `json:"address"`
	Agent    string    `json:"agent"`
	Purpose  string    `json:"purpose"`
	Created  time.Time `json:"created"`
	Seen     time.Time `json:"seen"`
	Expires  time.Time `json:"expires"`
}

// Provider is a way to log in.
type Provider struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Kind        string `json:"kind"`
}

// Providers lists the ways to log in.
func (c *Client) Providers(ctx context.Context) ([]Provider, error) {
	list := struct {
		Items []Provider `json:"items"`
	}{}
	return list.Items, c.get(ctx, identityPath+"/providers", &list)
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	return answer.Decode(into)
}

// ChooseProvider picks the way to log in: the one that is named, else the first that
// takes a password where a name is given, else the first.
func ChooseProvider(known []Provider, name string, byPassword bool) (Provider, error) {
	for _, p := range known {
		if name == p.Name || name == "" && (!byPassword || p.Kind == "password") {
			return p, nil
		}
	}
	var names []string
	for _, p := range known {
		names = append(names, p.Name)
	}
	return Provider{}, Usage("there is no way %q to log in; there are: %v", name, names)
}

// ByPassword logs in by name and password. CodeNeeded says whether the error only
// asks for a code of the second factor.
func (c *Client) ByPassword(ctx context.Context, provider, login, password, code string) (in LoggedIn, err error) {
	answer, err := c.Do(ctx, Request{Method: http.MethodPost, Path: identityPath + "/login", Body: map[string]any{
		"provider": provider, "login": login, "password": password, "code": code,
	}})
	if err != nil {
		return in, err
	}
	return in, answer.Decode(&in)
}

// CodeNeeded says whether a login only lacks a code of the second factor.
func CodeNeeded(err error) bool {
	var f *Failure
	return errors.As(err, &f) && slices.Contains(f.Reasons, "CodeNeeded")
}

// ByDevice logs in at an OpenID Connect provider: it says on tell which code to type
// where, and waits until that is done.
func (c *Client) ByDevice(ctx context.Context, provider string, tell io.Writer) (in LoggedIn, err error) {
	begun := struct {
		Handle   string    `json:"handle"`
		UserCode string    `json:"userCode"`
		URL      string    `json:"url"`
		Complete string    `json:"completeURL"`
		Expires  time.Time `json:"expires"`
		Interval int       `json:"interval"`
	}{}
	path := identityPath + "/oidc/" + provider + "/device"
	answer, err := c.Do(ctx, Request{Method: http.MethodPost, Path: path})
	if err != nil {
		return in, err
	}
	if err := answer.Decode(&begun); err != nil {
		return in, err
	}
	_, _ = fmt.Fprintf(tell, "Open %s in a browser and type the code %s\n", begun.URL, begun.UserCode)
	if begun.Complete != "" {
		_, _ = fmt.Fprintf(tell, "or open %s\n", begun.Complete)
	}
	ticker := time.NewTicker(time.Duration(max(begun.Interval, 1)) * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return in, c.unreachable(ctx, ctx.Err())
		case <-ticker.C:
		}
		answer, err := c.Do(ctx, Request{Method: http.MethodPost, Path: path + "/poll", Body: map[string]any{"handle": begun.Handle}})
		if err != nil {
			return in, err
		}
		if answer.Status != http.StatusAccepted {
			return in, answer.Decode(&in)
		}
	}
}

// ForLogin completes what flags give for somebody who has no token yet, and says
// which file keeps what he gets: the one given, the one in use, or the person's own.
func ForLogin(given Access) (access Access, file string, err error) {
	file, err = config.Find(given.Config, state.DefaultRoot())
	if errors.Is(err, config.ErrNone) {
		file, err = config.Home(), nil
	}
	if err != nil {
		return given, "", &Failure{Exit: ExitUsage, Cause: err.Error()}
	}
	if file == "" {
		return given, "", Usage("could not find a place for the login: this account has no home; name a file with --config")
	}
	known, err := config.Load(file)
	if err != nil {
		if _, missing := os.Stat(file); missing == nil || !os.IsNotExist(missing) {
			return given, "", &Failure{Exit: ExitUsage, Cause: err.Error(), Next: "correct the file, or name another with --config"}
		}
		known = config.Client{}
	}
	if used, err := known.Use(given.Context); err == nil {
		known = used
	}
	if given.Server == "" || given.Server == known.Server {
		given.Server = known.Server
		if given.CAFile == "" {
			given.CAFile = known.CAFile
		}
	}
	if given.Server == "" {
		return given, "", Usage("could not find a server to log in to: name one with --server")
	}
	return given, file, nil
}

// Keep writes the token into a file of its own, mode 0600, and the context into the
// client file, as the current one.
func Keep(file, name string, access Access, token string) error {
	known := config.Client{}
	if _, err := os.Stat(file); err == nil {
		if known, err = config.Load(file); err != nil {
			return &Failure{Exit: ExitUsage, Cause: err.Error()}
		}
	}
	tokens := filepath.Join(filepath.Dir(file), "tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return fmt.Errorf("could not keep the login: %w", err)
	}
	path := filepath.Join(tokens, name+".token")
	if err := writeSecret(path, token); err != nil {
		return err
	}
	ca := access.CAFile
	if ca != "" {
		var err error
		if ca, err = filepath.Abs(ca); err != nil {
			return fmt.Errorf("could not keep the login: %w", err)
		}
	}
	x := config.Context{Name: name, Server: access.Server, CAFile: ca, TokenFile: path, Namespace: access.Namespace,
		Provider: access.Provider, User: access.User, PasswordFile: access.PasswordFile}
	if err := config.Write(file, known.With(x)); err != nil {
		return err
	}
	return nil
}

// writeSecret writes the file with mode 0600, whole or not at all.
func writeSecret(path, secret string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".token-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("could not keep the login: %w", err)
	}
	_, err = file.WriteString(secret + "\n")
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("could not keep the login: %w", err)
	}
	return nil
}

// Forget takes a context that a login made out of the client file, with its token.
func Forget(file, name, tokenFile string) error {
	known, err := config.Load(file)
	if err != nil {
		return &Failure{Exit: ExitUsage, Cause: err.Error()}
	}
	known = known.Without(name)
	if err := os.Remove(tokenFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("could not forget the login: %w", err)
	}
	if known.Server == "" && len(known.Contexts) == 0 {
		return os.Remove(file)
	}
	return config.Write(file, known)
}
