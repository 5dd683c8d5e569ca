// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/audit/crosscheck"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { auditCommands = append(auditCommands, newAuditCrosscheck) }

func newAuditCrosscheck() *cobra.Command {
	c := &caller{}
	var hub string
	var members map[string]string
	command := &cobra.Command{
		Use:   "crosscheck",
		Short: "Compares evidence with the audit logs of the API servers, and names writes that no record accounts for",
		Long: `Tells how what the API servers themselves noted compares with evidence, as the
server does all the time (--audit-logs). On the hub every write to Fairway's kinds,
in members every write of Fairway's account or in its namespaces has to have its
record. A cluster whose log is not read is named as unaudited. With files the command
compares them itself: audit logs of Kubernetes, JSON lines, level Metadata or more.
Exit code 1: a write has no record.`,
		Example: `  fairway audit crosscheck
  fairway audit crosscheck --audit-log hub-audit.log --member-audit-log east-1=east-1-audit.log`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			if hub == "" && len(members) == 0 {
				return tellCrosscheck(ctx, api, cmd.OutOrStdout())
			}
			out, missing := cmd.OutOrStdout(), 0
			report := func(cluster, path string, read func(io.Reader) ([]crosscheck.Write, error), left func([]crosscheck.Write, []index.Act) []crosscheck.Write) error {
				n, err := crossCheck(ctx, api, out, cluster, path, read, left)
				missing += n
				return err
			}
			if hub == "" {
				_, _ = fmt.Fprintln(out, "hub: unaudited, no audit log is given")
			} else if err := report("hub", hub, crosscheck.Hub, crosscheck.Unaccounted); err != nil {
				return err
			}
			for _, cluster := range slices.Sorted(maps.Keys(members)) {
				err := report(cluster, members[cluster], crosscheck.Member, func(w []crosscheck.Write, a []index.Act) []crosscheck.Write {
					return crosscheck.UnaccountedIn(cluster, w, a)
				})
				if err != nil {
					return err
				}
			}
			if err := sayUnaudited(ctx, api, out, members); err != nil {
				return err
			}
			if missing > 0 {
				return fmt.Errorf("%d writes have no record", missing)
			}
			return nil
		}),
	}
	c.flags(command)
	command.Flags().StringVar(&hub, "audit-log", "", "audit log of the hub's API server")
	command.Flags().StringToStringVar(&members, "member-audit-log", nil, "audit log of a member, CLUSTER=FILE; repeatable")
	return command
}

// tellCrosscheck tells what the server found.
func tellCrosscheck(ctx context.Context, api *cli.Client, out io.Writer) error {
	answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/audit/crosscheck"})
	if err != nil {
		return err
	}
	list := struct {
		Items []struct {
			Cluster, State, Message string
			Since, Newest           time.Time
			Compared, Unaccounted   int
			Found                   []string
		}
	}{}
	if err := answer.Decode(&list); err != nil {
		return err
	}
	moment := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format(time.RFC3339)
	}
	missing := 0
	rows := [][]string{{"CLUSTER", "STATE", "SINCE", "NEWEST LINE", "WRITES", "WITHOUT A RECORD", "WHY"}}
	for _, s := range list.Items {
		rows = append(rows, []string{cli.Plain(s.Cluster), s.State, moment(s.Since), moment(s.Newest), strconv.Itoa(s.Compared), strconv.Itoa(s.Unaccounted), cli.Plain(s.Message)})
		missing += s.Unaccounted
	}
	if err := cli.WriteTable(out, rows); err != nil {
		return err
	}
	for _, s := range list.Items {
		for _, f := range s.Found {
			if _, err := fmt.Fprintf(out, "%s: %s\n", cli.Plain(s.Cluster), cli.Plain(f)); err != nil {
				return err
			}
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d writes have no record", missing)
	}
	return nil
}

// crossCheck compares one log, and returns how many writes have no record.
func crossCheck(ctx context.Context, api *cli.Client, out io.Writer, cluster, path string,
	read func(io.Reader) ([]crosscheck.Write, error), left func([]crosscheck.Write, []index.Act) []crosscheck.Write,
) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, cli.Usage("could not read the audit log of %s: %v", cluster, err)
	}
	writes, err := read(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return 0, fmt.Errorf("%s: %w", cluster, err)
	}
	var acts []index.Act
	if len(writes) > 0 {
		from, to := crosscheck.Window(writes)
		query := url.Values{"since": {from.Format(time.RFC3339)}, "until": {to.Add(time.Second).Format(time.RFC3339)}}
		if cluster != "hub" {
			query.Set("cluster", cluster)
		}
		found, behind, err := api.Evidence(ctx, "/api/v1/audit/records", query, 0)
		if err != nil {
			return 0, err
		}
		if behind > 0 {
			return 0, fmt.Errorf("the index has not read the newest %d records yet; try again in a moment", behind)
		}
		for _, a := range found {
			acts = append(acts, a.Act)
		}
	}
	missing := left(writes, acts)
	_, err = fmt.Fprintf(out, "%s: %d writes, %d without a record\n", cluster, len(writes), len(missing))
	for _, w := range missing {
		_, err = fmt.Fprintf(out, "  %s\n", cli.Plain(w.String()))
	}
	return len(missing), err
}

// sayUnaudited names the clusters whose log was not given.
func sayUnaudited(ctx context.Context, api *cli.Client, out io.Writer, given map[string]string) error {
	kind, err := kindOf(ctx, api, "clusters")
	if err != nil {
		return err
	}
	clusters, err := api.List(ctx, kind, cli.Selection{})
	if cli.ExitOf(err) == cli.ExitDenied {
		_, err = fmt.Fprintln(out, "you may not list clusters: whether others are unaudited is not known")
		return err
	}
	if err != nil {
		return err
	}
	for _, o := range clusters {
		if name := cli.NameOf(o); given[name] == "" {
			if _, err := fmt.Fprintf(out, "%s: unaudited, no audit log is given\n", strings.TrimSpace(name)); err != nil {
				return err
			}
		}
	}
	return nil
}
