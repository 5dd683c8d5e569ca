// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/cli/config"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
)

func init() {
	commands = append(commands, newLoginCommand, newLogoutCommand, newPasswordCommand, newWhoamiCommand)
}

// secrets are read from a file, from standard input, or from a terminal that does
// not show them: never from the command line, which others on the machine can see.
type secrets struct {
	in   io.Reader
	tell io.Writer
	line *bufio.Reader
}

// read reads one secret. from is a file, "-" for standard input, or "" for the terminal.
func (s *secrets) read(what, from string) (string, error) {
	switch {
	case from == "-":
		return s.next(what)
	case from != "":
		secret, err := tokenfile.ReadSecret(from)
		if err != nil {
			return "", cli.Usage("%v", err)
		}
		return secret, nil
	}
	terminal, ok := s.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", cli.Usage("could not ask for the %s: this is no terminal; name a file (mode 0600), or - for standard input", what)
	}
	_, _ = fmt.Fprintf(s.tell, "%s: ", what)
	secret, err := term.ReadPassword(int(terminal.Fd()))
	_, _ = fmt.Fprintln(s.tell)
	if err != nil {
		return "", fmt.Errorf("could not read the %s: %w", what, err)
	}
	return string(secret), nil
}

// next reads a line of standard input.
func (s *secrets) next(what string) (string, error) {
	if s.line == nil {
		s.line = bufio.NewReader(io.LimitReader(s.in, 64<<10))
	}
	text, err := s.line.ReadString('\n')
	text = strings.TrimRight(text, "\r\n")
	if text == "" {
		return "", cli.Usage("could not read the %s: standard input holds none (%v)", what, err)
	}
	return text, nil
}

// ask reads something that may be shown.
func (s *secrets) ask(what string) (string, error) {
	terminal, ok := s.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", cli.Usage("could not ask for the %s: this is no terminal; give it with a flag", what)
	}
	_, _ = fmt.Fprintf(s.tell, "%s: ", what)
	return s.next(what)
}

type loginFlags struct {
	provider, user, passwordFile, code string
	ready                              bool
}

func newLoginCommand() *cobra.Command {
	c, l := &caller{}, &loginFlags{}
	command := &cobra.Command{
		Use:   "login",
		Short: "Logs in, and keeps the session as a context of the client file",
		Long: `Logs in by password, or in a browser at the bank's single sign-on, and keeps the
session's token in a file of its own (mode 0600) beside the client file. Several
logins stand side by side there, one context each: --context picks one.`,
		Example: `  fairway login --server https://fairway.bank.example:8443
  fairway login --provider ldap --user zhang.san
  fairway login --user ci-admin --password-file - --context admin < password`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), c.timeout)
			defer cancel()
			return coded(login(ctx, cmd, c, l))
		},
	}
	c.flags(command)
	f := command.Flags()
	f.StringVar(&l.provider, "provider", "", "way to log in (default: the first that the server offers)")
	f.StringVar(&l.user, "user", "", "name to log in with (default: asked for)")
	f.StringVar(&l.passwordFile, "password-file", "", "file that holds the password, mode 0600, or - for a line of standard input (default: asked for, not shown)")
	f.StringVar(&l.code, "code", "", "code of the second factor (default: asked for where one is needed)")
	f.BoolVar(&l.ready, "ready", false, "keep in the context where the password is, so that the account logs in by itself when its session has ended")
	return command
}

func login(ctx context.Context, cmd *cobra.Command, c *caller, l *loginFlags) error {
	name := c.access.Context
	if l.ready && (l.passwordFile == "" || l.passwordFile == "-" || l.user == "") {
		return cli.Usage("could not make the account ready: name the account with --user, and the file of its password with --password-file")
	}
	access, file, err := cli.ForLogin(c.access)
	if err != nil {
		return err
	}
	api, err := cli.NewStranger(access)
	if err != nil {
		return err
	}
	if c.verbose >= 6 {
		api.Trace = os.Stderr
	}
	known, err := api.Providers(ctx)
	if err != nil {
		return err
	}
	provider, err := cli.ChooseProvider(known, l.provider, l.user != "" || l.passwordFile != "")
	if err != nil {
		return err
	}
	in, err := comeIn(ctx, cmd, api, provider, l)
	if err != nil {
		return err
	}
	if name == "" {
		name = in.Person
	}
	if !identity.PlainName(name) {
		return cli.Usage(`could not keep the login as %q: a context has letters, digits, "-", "_" and "."`, name)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("could not keep the login: %w", err)
	}
	if l.ready {
		if access.PasswordFile, err = filepath.Abs(l.passwordFile); err != nil {
			return fmt.Errorf("could not keep the login: %w", err)
		}
		access.Provider, access.User = provider.Name, l.user
	}
	if err := cli.Keep(file, name, access, in.Token); err != nil {
		// A session that nobody can use is not left open.
		_, _ = api.As(in.Token).Do(ctx, cli.Request{Method: "POST", Path: "/api/v1/identity/logout"})
		return err
	}
	_, _ = fmt.Fprintf(cmd.OutOrStdout(), "logged in to %s as %s until %s (context %s)\n", access.Server, in.Person, in.Session.Expires.Local().Format("2006-01-02 15:04"), name)
	return nil
}

// comeIn logs in by the provider's way.
func comeIn(ctx context.Context, cmd *cobra.Command, api *cli.Client, provider cli.Provider, l *loginFlags) (cli.LoggedIn, error) {
	if provider.Kind == "oidc" {
		return api.ByDevice(ctx, provider.Name, cmd.ErrOrStderr())
	}
	from := &secrets{in: cmd.InOrStdin(), tell: cmd.ErrOrStderr()}
	user, err := l.user, error(nil)
	if user == "" {
		if user, err = from.ask("name at " + provider.DisplayName); err != nil {
			return cli.LoggedIn{}, err
		}
	}
	password, err := from.read("password", l.passwordFile)
	if err != nil {
		return cli.LoggedIn{}, err
	}
	in, err := api.ByPassword(ctx, provider.Name, user, password, l.code)
	if !cli.CodeNeeded(err) || l.code != "" {
		return in, err
	}
	code, errAsk := from.ask("code of the second factor")
	if errAsk != nil {
		return in, err // the server's own words say what is missing
	}
	return api.ByPassword(ctx, provider.Name, user, password, code)
}

func newLogoutCommand() *cobra.Command {
	c := &caller{}
	command := &cobra.Command{
		Use:   "logout",
		Short: "Ends the session, and forgets its context",
		Args:  cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			_, err := api.Do(ctx, cli.Request{Method: "POST", Path: "/api/v1/identity/logout"})
			var refused *cli.Failure
			if errors.As(err, &refused) && refused.Code == "unauthenticated" {
				err = nil // it had ended already
			}
			if err != nil {
				return err
			}
			if name, file := c.context(); name != "" {
				if err := cli.Forget(file, name, api.Access().TokenFile); err != nil {
					return err
				}
			}
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), "logged out")
			return nil
		}),
	}
	c.flags(command)
	return command
}

// context is the context in use, and the file that holds it. Empty: none is.
func (c *caller) context() (name, file string) {
	_, file, err := cli.ForLogin(c.access)
	if err != nil {
		return "", ""
	}
	known, err := config.Load(file)
	if err != nil {
		return "", ""
	}
	used, err := known.Use(c.access.Context)
	if err != nil {
		return "", ""
	}
	return used.Current, file
}

func newPasswordCommand() *cobra.Command {
	c := &caller{}
	var invitation, user, oldFile, newFile, code string
	command := &cobra.Command{
		Use:   "password",
		Short: "Sets the password of a local account, by an invitation or by the old password",
		Example: `  fairway password --server https://fairway.bank.example:8443 --invitation-file invitation
  fairway password --user admin-1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), c.timeout)
			defer cancel()
			return coded(func() error {
				access, _, err := cli.ForLogin(c.access)
				if err != nil {
					return err
				}
				api, err := cli.NewStranger(access)
				if err != nil {
					return err
				}
				body, err := newPassword(cmd, invitation, user, oldFile, newFile, code)
				if err != nil {
					return err
				}
				answer, err := api.Do(ctx, cli.Request{Method: "POST", Path: "/api/v1/identity/password", Body: body})
				if err != nil {
					return err
				}
				set := struct{ Login, Person string }{}
				if err := answer.Decode(&set); err != nil {
					return err
				}
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "the password of account %s is set; its sessions have ended\n", set.Login)
				return nil
			}())
		},
	}
	c.flags(command)
	f := command.Flags()
	f.StringVar(&invitation, "invitation-file", "", "file that holds the invitation, mode 0600, or - for a line of standard input")
	f.StringVar(&user, "user", "", "account whose old password you know")
	f.StringVar(&oldFile, "password-file", "", "file that holds the old password, or - (default: asked for, not shown)")
	f.StringVar(&newFile, "new-password-file", "", "file that holds the new password, or - (default: asked for twice, not shown)")
	f.StringVar(&code, "code", "", "code of the second factor, where there is one")
	return command
}

func newPassword(cmd *cobra.Command, invitation, user, oldFile, newFile, code string) (map[string]any, error) {
	from := &secrets{in: cmd.InOrStdin(), tell: cmd.ErrOrStderr()}
	body := map[string]any{}
	var err error
	switch {
	case invitation != "" && user == "":
		body["invitation"], err = from.read("invitation", invitation)
	case user != "" && invitation == "":
		body["login"], body["code"] = user, code
		body["password"], err = from.read("old password", oldFile)
	default:
		return nil, cli.Usage("could not set a password: give --invitation-file, or --user")
	}
	if err != nil {
		return nil, err
	}
	next, err := from.read("new password", newFile)
	if err != nil {
		return nil, err
	}
	if newFile == "" {
		again, err := from.read("new password, again", "")
		if err != nil {
			return nil, err
		}
		if again != next {
			return nil, cli.Usage("could not set the password: the two are not the same")
		}
	}
	body["newPassword"] = next
	return body, nil
}

func newWhoamiCommand() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "whoami",
		Short: "Says who you are to the server, with which groups, since when and until when",
		Args:  cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			answer, err := api.Do(ctx, cli.Request{Method: "GET", Path: "/api/v1/whoami"})
			if err != nil {
				return err
			}
			if output == "json" {
				_, err := cmd.OutOrStdout().Write(answer.Body)
				return err
			}
			if output != "" {
				return cli.Usage("could not show it as %q: json, or nothing", output)
			}
			who := struct {
				ID, Provider, Login, Session, Machine string
				Groups                                []string
				Since, Expires                        time.Time
				LastLogin                             *struct {
					Time    time.Time
					Address string
				}
			}{}
			if err := answer.Decode(&who); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			row := func(name, value string) {
				if value != "" {
					_, _ = fmt.Fprintf(out, "%-12s%s\n", name+":", value)
				}
			}
			row("Person", who.ID)
			row("Groups", strings.Join(who.Groups, ", "))
			row("Server", api.Access().Server)
			row("Login", strings.TrimPrefix(who.Provider+"/"+who.Login, "/"))
			row("Machine", who.Machine)
			row("Session", who.Session)
			if !who.Since.IsZero() {
				row("Since", who.Since.Local().Format("2006-01-02 15:04"))
				row("Until", who.Expires.Local().Format("2006-01-02 15:04"))
			}
			if who.LastLogin != nil {
				row("Last login", who.LastLogin.Time.Local().Format("2006-01-02 15:04")+" from "+who.LastLogin.Address)
			}
			return nil
		}),
	}
	c.flags(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: lines)")
	return command
}
