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
	command.AddCommand(newAccountAdd(), newAccountInvite(), newAccountCode(), newAccountList(),
		accountAct("unlock NAME", "Forgets the failed attempts at an account", "POST", "/unlock", "account %s is unlocked\n"),
		accountAct("close NAME", "Closes an account; its sessions end", "DELETE", "", "account %s is closed; its sessions have ended\n"))
	return command
}

const accountsPath = "/api/v1/identity/accounts"

// invited shows an invitation, or the amendment to which another person agrees first:
// alone on standard output, what to do with it beside.
func invited(cmd *cobra.Command, api *cli.Client, answer cli.Answer) error {
	made := struct {
		Name, Invitation, Amendment, Next string
		Expires                           time.Time
	}{}
	if err := answer.Decode(&made); err != nil {
		return err
	}
	if made.Amendment != "" {
		_, _ = fmt.Fprintf(progress(cmd), "next: %s\n", cli.Plain(made.Next))
		_, _ = fmt.Fprintln(cmd.OutOrStdout(), made.Amendment)
		return nil
	}
	_, _ = fmt.Fprintf(progress(cmd), "the owner of account %s sets its password until %s, with this invitation, which is shown this once:\n  fairway password --server %s --invitation-file FILE\n",
		made.Name, clockTime(made.Expires), api.Access().Server)
	_, _ = fmt.Fprintln(cmd.OutOrStdout(), made.Invitation)
	return nil
}

func newAccountAdd() *cobra.Command {
	c := &caller{}
	var person string
	why := &because{}
	command := &cobra.Command{
		Use:   "add NAME --person ID --reason WHY",
		Short: "Opens a local account for a person, once another administrator has agreed",
		Long: `Opens a local account for a person, once another administrator has agreed.

What is printed is the amendment, to which another security administrator or an audit
administrator agrees (fairway identity agree). Then each of the two has one code for the
account's owner (fairway identity account code), who needs both. The founder, while an
installation begins, needs nobody and gets the invitation at once.`,
		Args: cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			if person == "" {
				return cli.Usage("could not open account %q: say with --person whose it is", given[0])
			}
			answer, err := api.Do(ctx, cli.Request{Method: "POST", Path: accountsPath, Body: why.body(map[string]any{"name": given[0], "person": person})})
			if err != nil {
				return err
			}
			return invited(cmd, api, answer)
		}),
	}
	c.flags(command)
	why.flags(command)
	command.Flags().StringVar(&person, "person", "", "id of the Person whose account it is (required)")
	return command
}

// because is why something is proposed.
type because struct{ reason, ticket string }

func (b *because) flags(command *cobra.Command) {
	command.Flags().StringVar(&b.reason, "reason", "", "why, for whoever agrees; the founder needs none")
	command.Flags().StringVar(&b.ticket, "ticket", "", "ticket of the bank's process")
}

// body adds it to a body.
func (b *because) body(to map[string]any) map[string]any {
	for field, text := range map[string]string{"reason": b.reason, "ticket": b.ticket} {
		if text != "" {
			to[field] = text
		}
	}
	return to
}

func newAccountCode() *cobra.Command {
	c := &caller{}
	command := &cobra.Command{
		Use:   "code NAME",
		Short: "Shows your code of an account's invitation, if you are one of the two who agreed to it",
		Long: `Shows your code of an account's invitation, if you are one of the two who agreed to it.

It is shown this once. Give it to the account's owner; the other one gives him the other
code. With both, one a line, he sets his password: fairway password --invitation-file FILE.`,
		Args: cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			answer, err := api.Do(ctx, cli.Request{Method: "POST", Path: accountsPath + "/" + url.PathEscape(given[0]) + "/code"})
			if err != nil {
				return err
			}
			made := struct {
				Name, Code string
				Expires    time.Time
			}{}
			if err := answer.Decode(&made); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(progress(cmd), "the owner of account %s needs this code, which is shown this once, and the other one's, until %s\n", made.Name, clockTime(made.Expires))
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), made.Code)
			return nil
		}),
	}
	c.flags(command)
	return command
}

func newAccountInvite() *cobra.Command {
	c, why := &caller{}, &because{}
	command := &cobra.Command{
		Use:   "invite NAME --reason WHY",
		Short: "Lets an account's owner choose a new password, once another administrator has agreed; the old one, the second factor and the sessions end then",
		Args:  cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			answer, err := api.Do(ctx, cli.Request{Method: "POST", Path: accountsPath + "/" + url.PathEscape(given[0]) + "/invite", Body: why.body(map[string]any{})})
			if err != nil {
				return err
			}
			return invited(cmd, api, answer)
		}),
	}
	c.flags(command)
	why.flags(command)
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
