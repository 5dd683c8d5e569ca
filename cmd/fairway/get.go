// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() {
	commands = append(commands, newGetCommand, newDescribeCommand, newExplainCommand)
}

func newGetCommand() *cobra.Command {
	c := &caller{}
	g := cli.Get{}
	var output string
	command := &cobra.Command{
		Use:   "get KIND[,KIND...] [NAME...] | get KIND/NAME...",
		Short: "Lists objects, or shows those that are named",
		Long: `Lists objects in the columns that the server gives their kind, or shows those
that are named. Without -n objects of all namespaces that you may see are listed.`,
		Example: `  fairway get instances -n retail-prod
  fairway get instances -n retail-prod --app mobile-bank --sort-by host
  fairway get applications,releases -A -o wide
  fairway get release/mobile-bank-x7k2p -n retail-prod -o yaml
  fairway get releases -n retail-prod --field-selector spec.application=mobile-bank --sort-by age`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: c.completeKinds,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			var err error
			if g.Output, err = cli.ParseOutput(output); err != nil {
				return err
			}
			if !g.Everywhere {
				g.Namespace = api.Namespace()
			}
			g.Out, g.Progress, g.Now = cmd.OutOrStdout(), progress(cmd), time.Now()
			return g.Run(ctx, api, given)
		}),
	}
	c.flags(command)
	c.scope(command)
	f := command.Flags()
	f.BoolVarP(&g.Everywhere, "all-namespaces", "A", false, "objects of all namespaces")
	f.StringVarP(&output, "output", "o", "", "wide, json, yaml or name (default: a table)")
	f.StringVar(&g.Application, "app", "", "only what belongs to this application")
	f.StringVarP(&g.LabelSelector, "selector", "l", "", "only objects with these labels: a=b,c!=d")
	f.StringVar(&g.FieldSelector, "field-selector", "", "only objects with these values: spec.application=pay; of instances: state!=Running,host=east-biz-1")
	f.StringVar(&g.SortBy, "sort-by", "", "columns or fields to sort by; a minus sign turns the order round: -age, metadata.name")
	f.IntVar(&g.Limit, "limit", 0, "most objects to list (default: all)")
	f.StringVar(&g.Continue, "continue", "", "go on where an earlier list with --limit ended")
	f.BoolVar(&g.NoHeadings, "no-headers", false, "leave the headings of tables out")
	complete(command, "output", "wide", "json", "yaml", "name")
	return command
}

func newDescribeCommand() *cobra.Command {
	c := &caller{}
	var application, output string
	command := &cobra.Command{
		Use:   "describe KIND NAME",
		Short: "Shows one object with all that is known of it",
		Example: `  fairway describe instance account-1 -n retail-prod
  fairway describe application mobile-bank -n retail-prod`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: c.completeKinds,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			kinds, err := api.Kinds(ctx)
			if err != nil {
				return err
			}
			kind, err := kinds.Find(given[0])
			if err != nil {
				return err
			}
			view, err := c.view(output, kind)
			if err != nil {
				return err
			}
			if kind.Kind == "Instance" {
				row, err := api.FindInstance(ctx, api.Namespace(), application, given[1])
				if err != nil {
					return err
				}
				answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: row.Path()})
				if err != nil {
					return err
				}
				card := cli.Object{}
				if err := answer.Decode(&card); err != nil {
					return err
				}
				if view.Output != cli.Table {
					return view.ShowOne(cmd.OutOrStdout(), card)
				}
				return cli.DescribeInstance(cmd.OutOrStdout(), card, time.Now())
			}
			o, err := api.Get(ctx, kind, api.Namespace(), given[1])
			if err != nil {
				return err
			}
			if view.Output != cli.Table {
				return view.ShowOne(cmd.OutOrStdout(), o)
			}
			return cli.Describe(cmd.OutOrStdout(), kind, o, time.Now())
		}),
	}
	c.flags(command)
	c.scope(command)
	command.Flags().StringVarP(&application, "app", "a", "", "application of the instance, where several have that seat")
	command.Flags().StringVarP(&output, "output", "o", "", "json or yaml (default: text)")
	complete(command, "output", "json", "yaml")
	return command
}

func newExplainCommand() *cobra.Command {
	c := &caller{}
	command := &cobra.Command{
		Use:   "explain [KIND[.FIELD...]]",
		Short: "Says what a kind and its fields mean; without a kind, which there are",
		Example: `  fairway explain
  fairway explain application.spec.components.probes`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.completeKinds,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			kinds, err := api.Kinds(ctx)
			if err != nil {
				return err
			}
			if len(given) == 0 {
				return cli.ExplainKinds(cmd.OutOrStdout(), kinds)
			}
			word, path, _ := strings.Cut(given[0], ".")
			kind, err := kinds.Find(word)
			if err != nil {
				return err
			}
			document, err := openAPI(ctx, api)
			if err != nil {
				return err
			}
			var fields []string
			if path != "" {
				fields = strings.Split(path, ".")
			}
			return cli.Explain(cmd.OutOrStdout(), document, kind, fields)
		}),
	}
	c.flags(command)
	return command
}
