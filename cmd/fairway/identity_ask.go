// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() {
	identityCommands = append(identityCommands, newCanI, newWhoCan, newPolicies, newImport)
}

// asked is what the questions about rights have in common.
type asked struct {
	caller
	name, output string
}

func (a *asked) question(command *cobra.Command) {
	a.flags(command)
	a.scope(command)
	command.Flags().StringVar(&a.name, "name", "", "the object (default: any)")
	command.Flags().StringVarP(&a.output, "output", "o", "", "json (default: words)")
	command.Args = cobra.ExactArgs(2)
}

func (a *asked) query(api *cli.Client, given []string) url.Values {
	values := url.Values{"verb": {given[0]}, "kind": {given[1]}}
	for key, value := range map[string]string{"namespace": api.Namespace(), "name": a.name} {
		if value != "" {
			values.Set(key, value)
		}
	}
	return values
}

// show prints the answer's JSON where that was asked for.
func show(cmd *cobra.Command, output string, answer cli.Answer, into any) (shown bool, err error) {
	switch cli.Output(output) {
	case cli.JSON:
		_, err = cmd.OutOrStdout().Write(answer.Body)
		if err == nil {
			err = answer.Decode(into)
		}
		return true, err
	case cli.Table:
		return false, answer.Decode(into)
	}
	return false, cli.Usage("could not show as %q: -o takes json", output)
}

func newCanI() *cobra.Command {
	a := &asked{}
	var as string
	command := &cobra.Command{
		Use:   "can-i VERB KIND",
		Short: "Says whether you may do something, and by which role",
		Long: `Says whether you may do something, and by which role.

Exit code 0: yes. 1: no.`,
		Example: `  fairway identity can-i create releases -n retail-prod
  fairway identity can-i create decisions -n retail-prod --as p10005`,
	}
	a.question(command)
	command.Flags().StringVar(&as, "as", "", "somebody else, by his id; groups that a directory vouches for at login are not known then")
	command.RunE = a.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
		query := a.query(api, given)
		if as != "" {
			query.Set("person", as)
		}
		answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/identity/can-i", Query: query})
		if err != nil {
			return err
		}
		got := struct {
			Allowed bool   `json:"allowed"`
			Reason  string `json:"reason"`
		}{}
		shown, err := show(cmd, a.output, answer, &got)
		if err == nil && !shown {
			word := "no"
			if got.Allowed {
				word = "yes"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", word, cli.Plain(got.Reason))
		}
		if err == nil && !got.Allowed {
			return &exitError{code: cli.ExitError}
		}
		return err
	})
	return command
}

func newWhoCan() *cobra.Command {
	a := &asked{}
	command := &cobra.Command{
		Use:     "who-can VERB KIND",
		Short:   "Lists who may do something, and by which role",
		Example: "  fairway identity who-can create decisions -n retail-prod",
	}
	a.question(command)
	command.RunE = a.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
		answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/identity/who-can", Query: a.query(api, given)})
		if err != nil {
			return err
		}
		got := struct {
			Items []struct {
				Kind, Name, Role, Binding string
				People                    []struct{ ID, Name string }
			} `json:"items"`
		}{}
		if shown, err := show(cmd, a.output, answer, &got); err != nil || shown {
			return err
		}
		if len(got.Items) == 0 {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "nobody")
			return err
		}
		rows := [][]string{{"WHO", "PEOPLE", "ROLE", "BY"}}
		for _, h := range got.Items {
			var people []string
			for _, p := range h.People {
				people = append(people, strings.TrimSpace(p.ID+" "+p.Name))
			}
			rows = append(rows, []string{cli.Plain(strings.ToLower(h.Kind) + " " + h.Name), cli.Plain(strings.Join(people, ", ")), cli.Plain(h.Role), cli.Plain(h.Binding)})
		}
		return cli.WriteTable(cmd.OutOrStdout(), rows)
	})
	return command
}

func newPolicies() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "policies",
		Short: "Says whether the hub's policies are those that the server was built with",
		Long: `Says whether the hub's admission policies, definitions and rights are those that the server was built with.

Exit code 0: they are. 1: they are not, and production acts are refused.`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/identity/policies"})
			if err != nil {
				return err
			}
			got := struct {
				Whole       bool     `json:"whole"`
				Reason      string   `json:"reason"`
				Differences []string `json:"differences"`
			}{}
			shown, err := show(cmd, output, answer, &got)
			if err != nil {
				return err
			}
			if !shown && got.Whole {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "whole: nothing differs")
			}
			for i := 0; err == nil && !shown && i < len(got.Differences); i++ {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), cli.Plain(got.Differences[i]))
			}
			if err == nil && !got.Whole {
				err = &cli.Failure{Exit: cli.ExitError, Cause: "production acts are refused: " + got.Reason}
			}
			return err
		}),
	}
	c.flags(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: a line for each difference)")
	return command
}

// mostImport is the largest file that the server takes.
const mostImport = 4 << 20

func newImport() *cobra.Command {
	c, why := &caller{}, &because{}
	var file, source string
	var dry, disableMissing bool
	var atMost int
	command := &cobra.Command{
		Use:   "import -f FILE",
		Short: "Brings people, or the tree of tenants, in from a CSV or JSON file: all or nothing",
		Long: `Brings people, or the tree of tenants, in from a CSV or JSON file: all or nothing.

The first line of a CSV file names its columns. People: id, displayName, staffNumber, unit, mail, state,
validUntil, duty, groups, logins, aliases. Tenants: name, displayName, kind, parent, environments. Values of
a list are separated by semicolons; a login is provider:login, provider#subject or provider:login#subject.
A column that is not there is left as it is. Nobody is deleted: who left is disabled.

What only takes rights away, and tenants, is written at once; everything else about people
becomes one amendment or several, to which another person agrees.`,
		Example: `  fairway identity import -f people.csv --dry-run
  fairway identity import -f people.csv --source hr --disable-missing`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			text, err := readBounded(file, cmd.InOrStdin(), mostImport)
			if err != nil {
				return err
			}
			query := url.Values{"source": {source}}
			for field, text := range why.body(map[string]any{}) {
				query.Set(field, fmt.Sprint(text))
			}
			if dry {
				query.Set("dryRun", "All")
			}
			if disableMissing {
				query.Set("disableMissing", "true")
			}
			if atMost > 0 {
				query.Set("disableAtMost", strconv.Itoa(atMost))
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: "/api/v1/identity/import", Query: query, Raw: text, Media: "text/plain; charset=utf-8"})
			if err != nil {
				return err
			}
			got := struct {
				Created, Updated, Disabled, Amendments []string
				Unchanged                              int
				Next                                   string
			}{}
			if err := answer.Decode(&got); err != nil {
				return err
			}
			suffix := ""
			switch {
			case dry:
				suffix = " (server dry run)"
			case len(got.Amendments) > 0:
				suffix = " (once another person has agreed)"
			}
			for _, did := range []struct {
				word string
				who  []string
			}{{"created", got.Created}, {"updated", got.Updated}, {"disabled", got.Disabled}} {
				for _, name := range did.who {
					_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s %s%s\n", cli.Plain(name), did.word, suffix)
				}
			}
			for _, name := range got.Amendments {
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "amendment %s proposed\n", cli.Plain(name))
			}
			if got.Next != "" {
				_, _ = fmt.Fprintf(progress(cmd), "next: %s\n", cli.Plain(got.Next))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d created, %d updated, %d disabled, %d unchanged%s\n", len(got.Created), len(got.Updated), len(got.Disabled), got.Unchanged, suffix)
			return err
		}),
	}
	c.flags(command)
	f := command.Flags()
	f.StringVarP(&file, "filename", "f", "", "CSV or JSON file, UTF-8; - reads what is piped in (required)")
	why.flags(command)
	f.StringVar(&source, "source", "import", "name of the list: --disable-missing looks at people of the same list")
	f.BoolVar(&dry, "dry-run", false, "check every row on the hub, write nothing")
	f.BoolVar(&disableMissing, "disable-missing", false, "disable active people of the list who are not on it any more")
	f.IntVar(&atMost, "disable-at-most", 0, "most people who are disabled at once (default: a tenth of the list, and five at least)")
	if err := command.MarkFlagRequired("filename"); err != nil {
		panic(err)
	}
	return command
}

// readBounded reads a file, or what is piped in, up to a bound.
func readBounded(path string, stdin io.Reader, most int64) ([]byte, error) {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, cli.Usage("could not read %q: %v", path, err)
		}
		defer file.Close() //nolint:errcheck // only read
		from = file
	}
	raw, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, cli.Usage("could not read %q: %v", path, err)
	}
	if int64(len(raw)) > most {
		return nil, cli.Usage("could not read %q: it is larger than %d MiB", path, most>>20)
	}
	return raw, nil
}
