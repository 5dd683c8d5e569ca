// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/audit/export"
	"github.com/fairway-cloud/fairway/internal/audit/index"
	"github.com/fairway-cloud/fairway/internal/audit/ledger"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

func init() {
	auditCommands = append(auditCommands, newAuditExport, newAuditCheckExport, newAuditRebuild)
}

func newAuditExport() *cobra.Command {
	c, s := &caller{}, &sought{}
	var format, out string
	var everywhere bool
	command := &cobra.Command{
		Use:   "export --out FILE",
		Short: "Writes evidence to a file for people outside, with a signed statement beside it",
		Long: `Writes evidence to a file, oldest first: as CSV, as JSON lines, or as a page that
an examiner prints. What people wrote is masked. FILE.statement says, signed, what
the file's digest is, who asked for what, and on which checkpoint of the log it
rests; "fairway audit check-export" compares them. That it was exported is
recorded too.`,
		Example: `  fairway audit export -n retail-prod --from 2026-10-01 --to 2026-11-01 --format report --out october.html
  fairway audit export -A --class approval --format jsonl --out approvals.jsonl`,
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
			query.Set("format", format)
			if err := api.Export(ctx, query, out); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s and %s written\n", out, out+cli.StatementSuffix)
			return err
		}),
	}
	c.flags(command)
	c.scope(command)
	s.flags(command)
	f := command.Flags()
	f.BoolVarP(&everywhere, "all-namespaces", "A", false, "evidence of all namespaces that you may read")
	f.StringVar(&format, "format", string(export.CSV), "csv, jsonl or report")
	f.StringVar(&out, "out", "", "file to write (required); one that is there is not written over")
	if err := command.MarkFlagRequired("out"); err != nil {
		panic(err) // the flag is not there
	}
	complete(command, "format", export.Formats()...)
	return command
}

func newAuditCheckExport() *cobra.Command {
	var key, statement string
	command := &cobra.Command{
		Use:   "check-export FILE --key KEY",
		Short: "Says whether a file is what was exported; needs no server",
		Long: `Compares an exported file with the signed statement beside it. The key is the
public key of exports as "GET /api/v1/audit/key" shows it; have it from somebody
you trust, not with the file.`,
		Example: `  fairway audit check-export october.html --key export.key.pub`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if statement == "" {
				statement = given[0] + cli.StatementSuffix
			}
			public, err := sealing.PublicKey(key)
			if err != nil {
				return coded(cli.Usage("%v", err))
			}
			verifier, err := sealing.Verifier(public)
			if err != nil {
				return coded(cli.Usage("%v", err))
			}
			signed, err := os.ReadFile(statement)
			if err != nil {
				return coded(cli.Usage("could not read the statement: %v", err))
			}
			file, err := os.Open(given[0])
			if err != nil {
				return coded(cli.Usage("could not read the exported file: %v", err))
			}
			defer file.Close() //nolint:errcheck // only read
			s, err := export.Check(signed, file, verifier)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is what was exported: %d acts (%s) for %s at %s, from the first %d records of the log\n%s",
				given[0], s.Acts, cli.Plain(s.Query), cli.Plain(s.By), s.At.Format(time.RFC3339), s.Covers, s.Checkpoint)
			return err
		},
	}
	command.Flags().StringVar(&key, "key", "", "public key of exports, or the file that holds it (required)")
	command.Flags().StringVar(&statement, "statement", "", "file of the statement (default FILE"+cli.StatementSuffix+")")
	if err := command.MarkFlagRequired("key"); err != nil {
		panic(err) // the flag is not there
	}
	return command
}

func newAuditRebuild() *cobra.Command {
	c := &caller{}
	var folder, key, into string
	command := &cobra.Command{
		Use:   "rebuild",
		Short: "Makes the index of evidence anew from the log",
		Long: `Has the server make its index of evidence anew from the log. Nothing is lost:
everything in the index comes from the log. With --log-dir an index is made from a
copied folder, without a server, for whoever searches it with SQL.`,
		Example: `  fairway audit rebuild
  fairway audit rebuild --log-dir /mnt/evidence --key evidence.key.pub --into index.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, given []string) error {
			if folder != "" {
				return coded(rebuildOffline(cmd, folder, key, into))
			}
			return c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
				answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: "/api/v1/audit/rebuild"})
				if err != nil {
					return err
				}
				begun := struct {
					Records uint64 `json:"records"`
				}{}
				if err := answer.Decode(&begun); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "the index is being made anew from %d records\n", begun.Records)
				return err
			})(cmd, given)
		},
	}
	c.flags(command)
	f := command.Flags()
	f.StringVar(&folder, "log-dir", "", "folder of the log, or a copy of it; no server is asked")
	f.StringVar(&key, "key", "", "public key of the log, or the file that holds it; with --log-dir")
	f.StringVar(&into, "into", "", "file of the index; with --log-dir")
	return command
}

func rebuildOffline(cmd *cobra.Command, folder, key, into string) error {
	if key == "" || into == "" {
		return cli.Usage("could not make an index from %q: name the log's public key with --key and the index's file with --into", folder)
	}
	public, err := sealing.PublicKey(key)
	if err != nil {
		return cli.Usage("%v", err)
	}
	log, err := ledger.OpenReader(folder, public)
	if err != nil {
		return err
	}
	store, err := index.Open(cmd.Context(), into)
	if err != nil {
		return err
	}
	read, err := store.Rebuild(cmd.Context(), log)
	if closed := store.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d records indexed in %s\n", read, into)
	return err
}
