// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { identityCommands = append(identityCommands, newAccountCommand) }

func newAccountCommand() *cobra.Command {
	command := &cobra.Command{Use: "account", Short: "Administers local accounts, as a security administrator"}
	command.AddCommand(newAccountAdd(), newAccountInvite(), newAccountList(),
		accountAct("unlock NAME", "Forgets the failed attempts at an account", "POST", "/unlock", "account %s is unlocked\n"),
		accountAct("close NAME", "Closes an account; its sessions end", "DELETE", "", "account %s is closed; its sessions have ended\n"))
	return command
}

const accountsPath = "/api/v1/identity/accounts"

// invited shows an invitation: alone on standard output, what to do with it beside.
func invited(cmd *cobra.Command, api *cli.Client, answer cli.Answer) error {
	made := struct {
		Name, Invitation string
		Expires          time.Time
	}{}
	if err := answer.Decode(&made); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(progress(cmd), "the owner of account %s sets its password until %s, with this invitation, which is shown this once:\n  fairway password --server %s --invitation-file FILE\n",
		made.Name, clockTime(made.Expires), api.Access().Server)
	_, _ = fmt.Fprintln(cmd.OutOrStdout(), made.Invitation)
	return nil
}

func newAccountAdd() *cobra.Command {
	c := &caller{}
	var person string
	command := &cobra.Command{
		Use:   "add NAME --person ID",
		Short: "Opens a local account for a person, and shows its invitation",
		Args:  cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			if person == "" {
				return cli.Usage("could not open account %q: say with --person whose it is", given[0])
			}
			answer, err := api.Do(ctx, cli.Request{Method: "POST", Path: accountsPath, Body: map[string]any{"name": given[0], "person": person}})
			if err != nil {
				return err
			}
			return invited(cmd, api, answer)
		}),
	}
	c.flags(command)
	command.Flags().StringVar(&person, "person", "", "id of the Person whose account it is (required)")
	return command
}

func newAccountInvite() *cobra.Command {
	c := &caller{}
	command := &cobra.Command{
		Use:   "invite NAME",
		Short: "Lets an account's owner choose a new password; the old one, the second factor and the sessions end now",
		Args:  cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			answer, err := api.Do(ctx, cli.Request{Method: "POST", Path: accountsPath + "/" + url.PathEscape(given[0]) + "/invite"})
			if err != nil {
				return err
			}
			return invited(cmd, api, answer)
		}),
	}
	c.flags(command)
	return command
}

func accountAct(use, short, method, suffix, done string) *cobra.Command {
	c := &caller{}
	command := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			if _, err := api.Do(ctx, cli.Request{Method: method, Path: accountsPath + "/" + url.PathEscape(given[0]) + suffix}); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), done, given[0])
			return nil
		}),
	}
	c.flags(command)
	return command
}

func newAccountList() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use: "list", Short: "Lists the local accounts", Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			answer, err := api.Do(ctx, cli.Request{Method: "GET", Path: accountsPath})
			if err != nil {
				return err
			}
			if output == "json" {
				_, err := cmd.OutOrStdout().Write(answer.Body)
				return err
			}
			list := struct {
				Items []struct {
					Name, Person, State, SecondFactor string
					Created                           time.Time
				}
			}{}
			if err := answer.Decode(&list); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 3, ' ', 0)
			_, _ = fmt.Fprintln(w, "NAME\tPERSON\tSTATE\tSECOND FACTOR\tSINCE")
			for _, a := range list.Items {
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Name, a.Person, a.State, a.SecondFactor, clockTime(a.Created))
			}
			return w.Flush()
		}),
	}
	c.flags(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: a table)")
	return command
}
