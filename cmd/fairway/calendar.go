// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { commands = append(commands, newCalendarCommand) }

func newCalendarCommand() *cobra.Command {
	command := &cobra.Command{Use: "calendar", Short: "Says when changes may happen"}
	command.AddCommand(newCalendarCheck())
	return command
}

// windows is the server's answer.
type windows struct {
	Namespace        string
	At               time.Time
	EnvironmentClass string
	Policies         []struct {
		Policy, Outside, State                  string
		Acts, ChangeClasses, Calendars, Reasons []string
		Next, Until                             *time.Time
	}
}

func newCalendarCheck() *cobra.Command {
	c := &caller{}
	var application, at, output string
	command := &cobra.Command{
		Use:   "check",
		Short: "Says whether a change of an environment may run now, and if not, when",
		Long: `Says for each approval policy that covers changes in the namespace whether its
change windows are open and no freeze holds, and when that changes.

Exit code 0: the answer is there. Scripts read it with -o json.`,
		Example: `  fairway calendar check -n retail-prod
  fairway calendar check -n retail-prod --app mobile-bank --at "2026-12-31 22:00"`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			if api.Namespace() == "" {
				return cli.Usage("name the namespace with -n")
			}
			query := url.Values{"namespace": {api.Namespace()}}
			if application != "" {
				query.Set("application", application)
			}
			if at != "" {
				moment, err := parseMoment("at", at)
				if err != nil {
					return err
				}
				query.Set("at", moment.Format(time.RFC3339))
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/approval/windows", Query: query})
			if err != nil {
				return err
			}
			switch output {
			case "json":
				_, err := cmd.OutOrStdout().Write(answer.Body)
				return err
			case "":
				return showWindows(cmd, answer)
			}
			return cli.Usage("could not show as %q: -o takes json", output)
		}),
	}
	c.flags(command)
	c.scope(command)
	command.Flags().StringVar(&application, "app", "", "application (default: every one, so that a freeze of any of them counts)")
	command.Flags().StringVar(&at, "at", "", `moment, such as "2026-12-31 22:00" (your time zone) (default: now)`)
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: a table)")
	return command
}

func showWindows(cmd *cobra.Command, answer cli.Answer) error {
	w := windows{}
	if err := answer.Decode(&w); err != nil {
		return err
	}
	rows := [][]string{{"POLICY", "ACTS", "CLASSES", "NOW", "CHANGES AT", "WHY"}}
	for _, p := range w.Policies {
		turns := "unknown"
		switch {
		case p.Next != nil:
			turns = p.Next.Format("2006-01-02 15:04 -07:00")
		case p.Until != nil:
			turns = p.Until.Format("2006-01-02 15:04 -07:00")
		case p.State == "Open":
			turns = "-"
		}
		if p.Policy == "" {
			p.Policy = "(none)"
		}
		rows = append(rows, []string{p.Policy, every(p.Acts), every(p.ChangeClasses), p.State, turns, cli.Plain(strings.Join(p.Reasons, "; "))})
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s (%s) at %s\n", w.Namespace, w.EnvironmentClass, w.At.Local().Format("2006-01-02 15:04 -07:00")); err != nil {
		return err
	}
	return cli.WriteTable(cmd.OutOrStdout(), rows)
}

// every shows a list that selects: an empty one takes all.
func every(list []string) string {
	if len(list) == 0 {
		return "all"
	}
	return strings.Join(list, ",")
}
