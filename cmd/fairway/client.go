// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

// caller holds the flags that every command of the REST API has.
type caller struct {
	access  cli.Access
	timeout time.Duration
	verbose int
}

// flags adds the flags that say where the server is.
func (c *caller) flags(command *cobra.Command) {
	f := command.Flags()
	f.StringVar(&c.access.Config, "config", "", "client file with the server's address and your token's file (default: $FAIRWAY_CONFIG, ~/.config/fairway/config.yaml, or the running sandbox's)")
	f.StringVar(&c.access.Server, "server", "", "address of the server (default: from the client file)")
	f.StringVar(&c.access.TokenFile, "token-file", "", "file that holds your token, mode 0600")
	f.StringVar(&c.access.Context, "context", "", "account to use among those that the client file holds (default: its current one)")
	f.StringVar(&c.access.Context, "as-account", "", "the same as --context: act as another ready account")
	f.StringVar(&c.access.CAFile, "ca-file", "", "certificate of who signed the server's")
	f.DurationVar(&c.timeout, "timeout", 5*time.Minute, "how long the command may take, waiting included")
	f.BoolP("quiet", "q", false, "say nothing beside data and errors")
	f.IntVarP(&c.verbose, "verbose", "v", 0, "6 shows each request on stderr, without secrets")
}

// scope adds -n, and says which namespace is meant.
func (c *caller) scope(command *cobra.Command) {
	command.Flags().StringVarP(&c.access.Namespace, "namespace", "n", "", "namespace, <tenant>-<environment> (default: from the client file)")
	if err := command.RegisterFlagCompletionFunc("namespace", c.completeNamespaces); err != nil {
		panic(err) // the flag is not there
	}
}

func (c *caller) open() (*cli.Client, error) {
	access, err := cli.FindAccess(c.access)
	if err != nil {
		return nil, err
	}
	made, err := cli.NewClient(access)
	if err == nil && c.verbose >= 6 {
		made.Trace = os.Stderr
	}
	return made, err
}

// run opens the client and runs the command, bounded in time, with exit codes.
func (c *caller) run(do func(ctx context.Context, api *cli.Client, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		api, err := c.open()
		if err != nil {
			return coded(err)
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), c.timeout)
		defer cancel()
		if quiet, _ := cmd.Flags().GetBool("quiet"); !quiet {
			api.Kept = func(record string) {
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "evidence: record %s, confirmed by the witness\n", cli.Plain(record))
			}
		}
		return coded(do(ctx, api, cmd, args))
	}
}

// coded gives an error its exit code.
func coded(err error) error {
	var already *exitError
	if err == nil || errors.As(err, &already) {
		return err
	}
	return &exitError{code: cli.ExitOf(err), err: err}
}

// view says how what the command found is shown.
func (c *caller) view(output string, kind cli.Kind) (cli.View, error) {
	o, err := cli.ParseOutput(output)
	return cli.View{Kind: kind, Output: o, Now: time.Now()}, err
}

// completeKinds completes kinds, and after them names.
func (c *caller) completeKinds(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Second)
	defer cancel()
	api, err := c.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	kinds, err := api.Kinds(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if len(given) == 0 {
		var words []string
		for _, k := range kinds {
			words = append(words, k.Plural)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	kind, err := kinds.Find(given[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, err := api.List(ctx, kind, cli.Selection{Namespace: c.access.Namespace, Limit: 200})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, o := range found {
		names = append(names, cli.NameOf(o))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeSeats completes the seats of the namespace.
func (c *caller) completeSeats(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return c.completeKinds(cmd, []string{"instances"}, word)
}

// completeApplications completes the applications of the namespace.
func (c *caller) completeApplications(cmd *cobra.Command, given []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.completeKinds(cmd, []string{"applications"}, word)
}

// progress is where a command says what it waits for.
func progress(cmd *cobra.Command) io.Writer {
	if quiet, err := cmd.Flags().GetBool("quiet"); err == nil && quiet {
		return io.Discard
	}
	return cmd.ErrOrStderr()
}

// complete completes a flag with its values.
func complete(command *cobra.Command, flag string, values ...string) {
	if err := command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is not there
	}
}

// completeNamespaces completes the namespaces that the person may see something in.
func (c *caller) completeNamespaces(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Second)
	defer cancel()
	api, err := c.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return api.Namespaces(ctx), cobra.ShellCompDirectiveNoFileComp
}
