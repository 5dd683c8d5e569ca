// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { commands = append(commands, newTokenCommand) }

func newTokenCommand() *cobra.Command {
	command := &cobra.Command{Use: "token", Short: "Makes, lists and revokes the tokens of machines"}
	command.AddCommand(newTokenCreate(), newTokenList(), newTokenRevoke())
	return command
}

func newTokenCreate() *cobra.Command {
	c := &caller{}
	var holds time.Duration
	var readOnly bool
	var namespaces []string
	command := &cobra.Command{
		Use:   "create NAME",
		Short: "Makes a token with which a machine acts for you; it is shown once",
		Long: `Makes a token with which a machine acts for you, within a scope and until it ends.
What the machine does is yours: a change that it makes, you cannot approve. A
machine never approves anything and never changes who may come in.`,
		Example: `  fairway token create nightly-report --expires 2160h --read-only
  fairway token create ci --expires 720h --in retail-sit --in retail-uat > ci.token`,
		Args: cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			if holds <= 0 {
				return cli.Usage("could not make a token: say with --expires when it ends, at most 8784h (a year)")
			}
			answer, err := api.Do(ctx, cli.Request{Method: "POST", Path: "/api/v1/identity/tokens", Body: map[string]any{
				"name": given[0], "expires": time.Now().Add(holds).UTC().Format(time.RFC3339),
				"scope": map[string]any{"readOnly": readOnly, "namespaces": namespaces},
			}})
			if err != nil {
				return err
			}
			made := struct {
				Token    string
				Metadata struct {
					ID      string
					Expires time.Time
				}
			}{}
			if err := answer.Decode(&made); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(progress(cmd), "token %s (%s) is good until %s; it is shown this once\n", given[0], made.Metadata.ID, clockTime(made.Metadata.Expires))
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), made.Token)
			return nil
		}),
	}
	c.flags(command)
	f := command.Flags()
	f.DurationVar(&holds, "expires", 0, "how long it holds, such as 720h; at most 8784h (required)")
	f.BoolVar(&readOnly, "read-only", false, "the token changes nothing")
	f.StringSliceVar(&namespaces, "in", nil, "namespace that it is good for; repeatable (default: all that you may enter)")
	return command
}

func newTokenList() *cobra.Command {
	return listing(&caller{}, "list", "Lists your machines' tokens", "/api/v1/identity/tokens", func(w *tabwriter.Writer, answer cli.Answer) error {
		list := struct {
			Items []struct {
				ID, Person, Name string
				Scope            struct {
					ReadOnly   bool
					Namespaces []string
				}
				Created, Expires time.Time
				Seen             *time.Time
			}
		}{}
		if err := answer.Decode(&list); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(w, "ID\tNAME\tOWNER\tMAY\tIN\tUSED\tUNTIL")
		for _, t := range list.Items {
			may, in, used := "write", "everywhere", "never"
			if t.Scope.ReadOnly {
				may = "read"
			}
			if len(t.Scope.Namespaces) > 0 {
				in = strings.Join(t.Scope.Namespaces, ",")
			}
			if t.Seen != nil {
				used = clockTime(*t.Seen)
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.Person, may, in, used, clockTime(t.Expires))
		}
		return nil
	})
}

func newTokenRevoke() *cobra.Command {
	c := &caller{}
	command := &cobra.Command{
		Use:   "revoke ID...",
		Short: "Revokes tokens: yours, or as a security administrator anybody's",
		Args:  cobra.MinimumNArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, ids []string) error {
			for _, id := range ids {
				if _, err := api.Do(ctx, cli.Request{Method: "DELETE", Path: "/api/v1/identity/tokens/" + url.PathEscape(id)}); err != nil {
					return err
				}
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "token %s is revoked\n", id)
			}
			return nil
		}),
	}
	c.flags(command)
	return command
}
