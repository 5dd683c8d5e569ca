// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { commands = append(commands, newFreezeCommand) }

func newFreezeCommand() *cobra.Command {
	command := &cobra.Command{Use: "freeze", Short: "Keeps changes from happening (封网), and lets them happen again"}
	command.AddCommand(newFreezeStart(), newFreezeEnd(), newFreezeList())
	return command
}

func newFreezeStart() *cobra.Command {
	c, w := &caller{}, &why{}
	var kind, from, to, output string
	var length time.Duration
	var environments, tenants, applications []string
	command := &cobra.Command{
		Use:   "start NAME",
		Short: "Begins a freeze: releases that it covers wait or are refused, as their policy says",
		Long: `Begins a freeze. What it covers is what all given lists name; without lists that is
everything. Stop, pause, drain and the way back are never frozen.

The bank's scheduler begins a freeze of kind Batch when a batch begins, and ends
it when the batch has ended: a running batch blocks releases.`,
		Example: `  fairway freeze start year-end --environment prod --from "2026-12-25 00:00" --to "2027-01-04 00:00" --reason "年终决算"
  fairway freeze start eod-20260310 --kind Batch --environment prod --tenant retail --reason "end-of-day batch runs" -q`,
		Args: cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			now := time.Now()
			spec := cli.Object{"kind": kind, "reason": w.reason, "from": now.UTC().Format(time.RFC3339)}
			if w.reason == "" {
				return cli.Usage("say why with --reason: whoever is refused reads it")
			}
			if w.ticket != "" {
				spec["ticket"] = w.ticket
			}
			if to != "" && length != 0 {
				return cli.Usage("say when the freeze ends with --to or with --for, not with both")
			}
			begin := now
			for _, m := range []struct{ flag, text string }{{"from", from}, {"to", to}} {
				if m.text == "" {
					continue
				}
				at, err := parseMoment(m.flag, m.text)
				if err != nil {
					return err
				}
				if m.flag == "from" {
					begin = at
				}
				spec[m.flag] = at.UTC().Format(time.RFC3339)
			}
			if length != 0 {
				spec["to"] = begin.Add(length).UTC().Format(time.RFC3339)
			}
			scope := cli.Object{}
			for field, names := range map[string][]string{"environments": environments, "tenants": tenants, "applications": applications} {
				if len(names) > 0 {
					scope[field] = names
				}
			}
			spec["scope"] = scope
			k, err := kindOf(ctx, api, "freezes")
			if err != nil {
				return err
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: k.Path("", ""), Body: cli.Object{
				"apiVersion": k.Group + "/" + k.Version, "kind": k.Kind, "metadata": cli.Object{"name": given[0]}, "spec": spec,
			}})
			if err != nil {
				return err
			}
			return showFreeze(cmd, k, answer, output, "started")
		}),
	}
	c.flags(command)
	w.flags(command)
	f := command.Flags()
	f.StringVar(&kind, "kind", "Freeze", "Freeze, Batch for a running batch, or Protection for a special protection period")
	f.StringSliceVar(&environments, "environment", nil, "environment that is frozen; repeatable (default: all)")
	f.StringSliceVar(&tenants, "tenant", nil, "tenant that is frozen; repeatable (default: all)")
	f.StringSliceVar(&applications, "app", nil, "application that is frozen; repeatable (default: all)")
	f.StringVar(&from, "from", "", `when it begins, such as "2026-12-25 00:00" (your time zone) or 2026-12-25T00:00:00+08:00 (default: now)`)
	f.StringVar(&to, "to", "", "when it ends by itself (default: when somebody ends it)")
	f.DurationVar(&length, "for", 0, "how long it holds, such as 8h, instead of --to")
	f.StringVarP(&output, "output", "o", "", "name, json or yaml (default: a line)")
	complete(command, "kind", "Freeze", "Batch", "Protection")
	return command
}

func newFreezeEnd() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:     "end NAME",
		Short:   "Ends a freeze; it stays on record",
		Example: "  fairway freeze end eod-20260310",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return c.completeKinds(cmd, []string{"freezes"}, word)
		},
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			k, err := kindOf(ctx, api, "freezes")
			if err != nil {
				return err
			}
			o, err := api.Get(ctx, k, "", given[0])
			if err != nil {
				return err
			}
			spec, _ := o["spec"].(map[string]any)
			if ended, ok := spec["ended"].(string); ok {
				return &cli.Failure{Exit: cli.ExitConflict, Cause: fmt.Sprintf("could not end freeze %q: it was ended at %s", given[0], ended), Next: "see which hold: fairway freeze list"}
			}
			spec["ended"] = time.Now().UTC().Format(time.RFC3339)
			metadata, _ := o["metadata"].(map[string]any)
			read, _ := metadata["resourceVersion"].(string)
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodPut, Path: k.Path("", given[0]), Body: o, IfMatch: read})
			if err != nil {
				return err
			}
			return showFreeze(cmd, k, answer, output, "ended")
		}),
	}
	c.flags(command)
	command.Flags().StringVarP(&output, "output", "o", "", "name, json or yaml (default: a line)")
	return command
}

func showFreeze(cmd *cobra.Command, kind cli.Kind, answer cli.Answer, output, word string) error {
	o := cli.Object{}
	if err := answer.Decode(&o); err != nil {
		return err
	}
	switch cli.Output(output) {
	case cli.Table:
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", kind.FullName(cli.NameOf(o)), word)
		return err
	case cli.JSON, cli.YAML, cli.Name:
		return cli.View{Kind: kind, Output: cli.Output(output), Now: time.Now()}.ShowOne(cmd.OutOrStdout(), o)
	}
	return cli.Usage("could not show as %q: -o takes name, json or yaml", output)
}

func newFreezeList() *cobra.Command {
	c := &caller{}
	var output string
	var all bool
	command := &cobra.Command{
		Use:   "list",
		Short: "Lists the freezes that hold or will hold",
		Args:  cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			k, err := kindOf(ctx, api, "freezes")
			if err != nil {
				return err
			}
			view, err := c.view(output, k)
			if err != nil {
				return err
			}
			found, err := api.List(ctx, k, cli.Selection{SortBy: "spec.from"})
			if err != nil {
				return err
			}
			items := []cli.Object{}
			for _, o := range found {
				if all || !passed(o, time.Now()) {
					items = append(items, o)
				}
			}
			if len(items) == 0 && view.Output == cli.Table {
				_, err := fmt.Fprintln(progress(cmd), "no freeze holds or is planned")
				return err
			}
			return view.ShowList(cmd.OutOrStdout(), items)
		}),
	}
	c.flags(command)
	command.Flags().BoolVar(&all, "all", false, "also those that have passed or were ended")
	command.Flags().StringVarP(&output, "output", "o", "", "wide, json, yaml or name (default: a table)")
	return command
}

// passed says whether a freeze will never hold again.
func passed(o cli.Object, now time.Time) bool {
	spec, _ := o["spec"].(map[string]any)
	for _, field := range []string{"to", "ended"} {
		text, _ := spec[field].(string)
		if at, err := time.Parse(time.RFC3339, text); err == nil && !now.Before(at) {
			return true
		}
	}
	return false
}

// parseMoment reads a moment that somebody typed: with a zone, or in his own.
func parseMoment(flag, text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, strings.TrimSpace(text), time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, cli.Usage(`could not read --%s %q: write it as "2026-12-25 00:00" or 2026-12-25T00:00:00+08:00`, flag, text)
}
