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

func init() { commands = append(commands, newSessionCommand) }

func newSessionCommand() *cobra.Command {
	command := &cobra.Command{Use: "session", Short: "Lists and ends logins"}
	command.AddCommand(newSessionList(), newSessionEnd())
	return command
}

// listing asks for a list, shows it as JSON, or hands it over to be shown as a table.
func listing(c *caller, use, short, path string, table func(w *tabwriter.Writer, answer cli.Answer) error) *cobra.Command {
	var person, output string
	command := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if person != "" {
				query.Set("person", person)
			}
			answer, err := api.Do(ctx, cli.Request{Method: "GET", Path: path, Query: query})
			if err != nil {
				return err
			}
			switch output {
			case "json":
				_, err := cmd.OutOrStdout().Write(answer.Body)
				return err
			case "":
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 3, ' ', 0)
				if err := table(w, answer); err != nil {
					return err
				}
				return w.Flush()
			}
			return cli.Usage("could not show it as %q: json, or nothing", output)
		}),
	}
	c.flags(command)
	command.Flags().StringVar(&person, "person", "", "whose: a person's id, or * for everybody's; for security administrators (default: yours)")
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: a table)")
	return command
}

func newSessionList() *cobra.Command {
	return listing(&caller{}, "list", "Lists your sessions", "/api/v1/identity/sessions", func(w *tabwriter.Writer, answer cli.Answer) error {
		list := struct {
			Items   []cli.Session
			Current string
		}{}
		if err := answer.Decode(&list); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(w, "ID\tPERSON\tLOGIN\tFOR\tFROM\tSINCE\tUSED\t")
		for _, s := range list.Items {
			note := ""
			if s.ID == list.Current {
				note = "this one"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.Person, s.Provider+"/"+s.Login, s.Purpose, s.Address, clockTime(s.Created), clockTime(s.Seen), note)
		}
		return nil
	})
}

func clockTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

func newSessionEnd() *cobra.Command {
	c := &caller{}
	var person string
	command := &cobra.Command{
		Use:     "revoke [ID...]",
		Aliases: []string{"end"},
		Short:   "Ends sessions: yours, or as a security administrator anybody's; open streams end within 5 seconds",
		Example: `  fairway session revoke s-0a1b2c3d4e5f6071
  fairway session revoke --person p10023`,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, ids []string) error {
			if (len(ids) == 0) == (person == "") {
				return cli.Usage("could not end sessions: name sessions, or --person for all of somebody's")
			}
			for _, id := range ids {
				if _, err := api.Do(ctx, cli.Request{Method: "DELETE", Path: "/api/v1/identity/sessions/" + url.PathEscape(id)}); err != nil {
					return err
				}
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "session %s has ended\n", id)
			}
			if person == "" {
				return nil
			}
			answer, err := api.Do(ctx, cli.Request{Method: "DELETE", Path: "/api/v1/identity/people/" + url.PathEscape(person) + "/sessions"})
			if err != nil {
				return err
			}
			ended := struct{ Ended int }{}
			if err := answer.Decode(&ended); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%d sessions of %s have ended\n", ended.Ended, person)
			return nil
		}),
	}
	c.flags(command)
	command.Flags().StringVar(&person, "person", "", "end every session of this person")
	return command
}
