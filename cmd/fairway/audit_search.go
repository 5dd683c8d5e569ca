// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { auditCommands = append(auditCommands, newAuditSearch, newAuditHistory) }

// sought are the flags with which evidence is searched for.
type sought struct {
	values map[string]*string
	text   string
	from   string
	until  string
}

// fieldFlags say what each field's flag means.
var fieldFlags = map[string]string{
	"address": "where the request came from", "application": "application that it was about, NAMESPACE/NAME",
	"approval": "approval that covered it, NAMESPACE/NAME", "class": "how long it is kept: system, login, change or approval",
	"cluster": "cluster that was written to", "environment": "environment that was acted in", "kind": "kind of what was acted on, such as release",
	"name": "name of what was acted on", "person": "person id of who acted", "release": "Release that it happened for, NAMESPACE/NAME",
	"result": "Done, Refused, Failed, Unknown, or Open where there is no outcome yet", "room": "room, such as approval",
	"ticket": "ticket that was given", "trace": "trace id of the request", "verb": "what was done, such as release.step",
}

func (s *sought) flags(command *cobra.Command) {
	f := command.Flags()
	s.values = map[string]*string{}
	for _, name := range cli.EvidenceFields() {
		if text, ok := fieldFlags[name]; ok { // -n is the namespace
			s.values[name] = f.String(name, "", text)
		}
	}
	f.StringVar(&s.text, "text", "", "words that it speaks of, or their beginnings; in Chinese any characters in a row")
	f.StringVar(&s.from, "from", "", "it began then or later: 2026-11-28, RFC 3339, or how long ago: 24h, 7d")
	f.StringVar(&s.until, "to", "", "it began before")
	complete(command, "result", "Done", "Refused", "Failed", "Unknown", "Open")
	complete(command, "class", "system", "login", "change", "approval")
}

// query is what the flags ask for.
func (s *sought) query(namespace string, now time.Time) (url.Values, error) {
	query := url.Values{}
	for name, value := range s.values {
		if *value != "" {
			query.Set(name, *value)
		}
	}
	if namespace != "" {
		query.Set("namespace", namespace)
	}
	if s.text != "" {
		query.Set("text", s.text)
	}
	for name, text := range map[string]string{"since": s.from, "until": s.until} {
		if text == "" {
			continue
		}
		at, err := cli.Moment(text, now)
		if err != nil {
			return nil, err
		}
		query.Set(name, at.Format(time.RFC3339))
	}
	return query, nil
}

func newAuditSearch() *cobra.Command {
	c, s := &caller{}, &sought{}
	var output string
	var limit int
	var everywhere, oldest bool
	command := &cobra.Command{
		Use:   "search",
		Short: "Finds evidence by who, what, where, when, ticket, object, result and words, newest first",
		Example: `  fairway audit search -n retail-prod --result Failed --from 7d
  fairway audit search --ticket CHG-20261128-7 -o json
  fairway audit search -A --person p-0231 --text "网点 扩容"`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			namespace := api.Namespace()
			if everywhere {
				namespace = ""
			}
			query, err := s.query(namespace, time.Now())
			if err != nil {
				return err
			}
			if oldest {
				query.Set("order", "oldest")
			}
			acts, behind, err := api.Evidence(ctx, "/api/v1/audit/records", query, limit)
			if err != nil {
				return err
			}
			sayBehind(cmd, behind)
			return cli.ShowEvidence(cmd.OutOrStdout(), output, false, acts)
		}),
	}
	c.flags(command)
	c.scope(command)
	s.flags(command)
	f := command.Flags()
	f.BoolVarP(&everywhere, "all-namespaces", "A", false, "evidence of all namespaces that you may read")
	f.BoolVar(&oldest, "oldest-first", false, "begin with the oldest")
	f.IntVar(&limit, "limit", 100, "most acts to show; 0: all")
	f.StringVarP(&output, "output", "o", "", "json, yaml or csv (default: a table)")
	complete(command, "output", "json", "yaml", "csv")
	return command
}

// sayBehind says that the index has not read all of the log.
func sayBehind(cmd *cobra.Command, behind uint64) {
	if behind > 0 {
		_, _ = fmt.Fprintf(progress(cmd), "the newest %d records are not indexed yet; ask again in a moment\n", behind)
	}
}

func newAuditHistory() *cobra.Command {
	c := &caller{}
	var output string
	var limit int
	command := &cobra.Command{
		Use:   "history KIND/NAME",
		Short: "Tells everything that happened to an object and to what belongs to it, in order",
		Long: `Tells everything that happened to an object, in order and in plain words. An
application's story has its releases in it, a release's story its approvals, and
both the steps that were taken for them in clusters.`,
		Example: `  fairway audit history application/mobile-bank -n retail-prod
  fairway audit history release/mobile-bank-x7k2p -n retail-prod
  fairway audit history cluster/east-1 -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeKinds,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			word, name, ok := strings.Cut(given[0], "/")
			if !ok || word == "" || name == "" || strings.Contains(name, "/") {
				return cli.Usage("could not find %q: write KIND/NAME, such as application/mobile-bank", given[0])
			}
			kind, err := kindOf(ctx, api, word)
			if err != nil {
				return err
			}
			if kind.Namespaced && api.Namespace() == "" {
				return cli.Usage("could not tell the history of %s %q: name its namespace with -n", kind.Singular, name)
			}
			acts, behind, err := api.Evidence(ctx, cli.HistoryPath(kind, api.Namespace(), name), url.Values{}, limit)
			if err != nil {
				return err
			}
			sayBehind(cmd, behind)
			if len(acts) == 0 && output == "" {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "nothing that you may read is recorded of %s %q\n", kind.Singular, name)
				return err
			}
			return cli.ShowEvidence(cmd.OutOrStdout(), output, true, acts)
		}),
	}
	c.flags(command)
	c.scope(command)
	f := command.Flags()
	f.IntVar(&limit, "limit", 0, "most acts to tell (default: all)")
	f.StringVarP(&output, "output", "o", "", "json, yaml or csv (default: sentences)")
	complete(command, "output", "json", "yaml", "csv")
	return command
}
