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

func init() {
	commands = append(commands, newGetCommand, newDescribeCommand, newExplainCommand)
}

func newGetCommand() *cobra.Command {
	c := &caller{}
	var all bool
	var output string
	s := cli.Selection{}
	command := &cobra.Command{
		Use:   "get KIND [NAME...]",
		Short: "Lists objects, or shows those that are named",
		Example: `  fairway get instances -n retail-prod
  fairway get applications -A -o wide
  fairway get releases -n retail-prod --field-selector spec.application=mobile-bank --sort-by -metadata.creationTimestamp`,
		Args:              args(cobra.MinimumNArgs(1)),
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
			s.Namespace = api.Namespace()
			if all {
				s.Namespace = ""
			}
			view.Namespaces = s.Namespace == ""
			if len(given) > 1 {
				return getNamed(ctx, api, cmd, view, s, given[1:])
			}
			found, err := api.List(ctx, kind, s)
			if err != nil {
				return err
			}
			if len(found) == 0 && (view.Output == cli.Table || view.Output == cli.Wide) {
				_, _ = fmt.Fprintf(progress(cmd), "no %s found%s\n", kind.Plural, in(kind, s.Namespace))
				return nil
			}
			return view.ShowList(cmd.OutOrStdout(), found)
		}),
	}
	c.flags(command)
	c.scope(command)
	f := command.Flags()
	f.BoolVarP(&all, "all-namespaces", "A", false, "objects of all namespaces")
	f.StringVarP(&output, "output", "o", "", "wide, json, yaml or name (default: a table)")
	f.StringVarP(&s.LabelSelector, "selector", "l", "", "only objects with these labels: a=b,c!=d")
	f.StringVar(&s.FieldSelector, "field-selector", "", "only objects with these values: spec.application=pay")
	f.StringVar(&s.SortBy, "sort-by", "", "fields to sort by; a minus sign turns the order round: -metadata.creationTimestamp")
	f.IntVar(&s.Limit, "limit", 0, "most objects to list (default: all)")
	return command
}

func in(kind cli.Kind, namespace string) string {
	if kind.Namespaced && namespace != "" {
		return fmt.Sprintf(" in %q", namespace)
	}
	return ""
}

func getNamed(ctx context.Context, api *cli.Client, cmd *cobra.Command, view cli.View, s cli.Selection, names []string) error {
	var found []cli.Object
	for _, name := range names {
		var o cli.Object
		var err error
		if view.Kind.Kind == "Instance" {
			o, err = findInstance(ctx, api, s.Namespace, "", name)
		} else {
			o, err = api.Get(ctx, view.Kind, s.Namespace, name)
		}
		if err != nil {
			return err
		}
		found = append(found, o)
	}
	if len(found) == 1 {
		return view.ShowOne(cmd.OutOrStdout(), found[0])
	}
	return view.ShowList(cmd.OutOrStdout(), found)
}

// findInstance finds the one instance on a seat.
func findInstance(ctx context.Context, api *cli.Client, namespace, application, seat string) (cli.Object, error) {
	kinds, err := api.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	kind, err := kinds.Find("instances")
	if err != nil {
		return nil, err
	}
	selector := "seat=" + seat
	if strings.ContainsAny(seat, ",=!") {
		return nil, cli.Usage("could not read seat %q: it looks like account-1", seat)
	}
	if application != "" {
		selector += ",application=" + application
	}
	found, err := api.List(ctx, kind, cli.Selection{Namespace: namespace, FieldSelector: selector})
	if err != nil {
		return nil, err
	}
	owners := map[string]bool{}
	for _, o := range found {
		owners[fmt.Sprintf("-n %s -a %s", o["namespace"], o["application"])] = true
	}
	switch {
	case len(found) == 0:
		return nil, &cli.Failure{Exit: cli.ExitNotFound, Cause: fmt.Sprintf("could not find instance %q%s", seat, in(kind, namespace)),
			Next: "list what there is with: fairway get instances -A"}
	case len(owners) > 1:
		var list []string
		for o := range owners {
			list = append(list, o)
		}
		return nil, &cli.Failure{Exit: cli.ExitUsage, Cause: fmt.Sprintf("could not choose instance %q: several applications have that seat", seat),
			Next: "choose one: " + strings.Join(list, ", or ")}
	}
	return found[0], nil
}

func newDescribeCommand() *cobra.Command {
	c := &caller{}
	var application, output string
	command := &cobra.Command{
		Use:   "describe KIND NAME",
		Short: "Shows one object with all that is known of it",
		Example: `  fairway describe instance account-1 -n retail-prod
  fairway describe application mobile-bank -n retail-prod`,
		Args:              args(cobra.ExactArgs(2)),
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
				row, err := findInstance(ctx, api, api.Namespace(), application, given[1])
				if err != nil {
					return err
				}
				answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: instancePath(row)})
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
	command.Flags().StringVarP(&application, "application", "a", "", "application of the instance, where several have that seat")
	command.Flags().StringVarP(&output, "output", "o", "", "json or yaml (default: text)")
	return command
}

func instancePath(row cli.Object) string {
	return fmt.Sprintf("/api/v1/delivery/instances/%s/%s/%s", row["namespace"], row["application"], row["seat"])
}

func newExplainCommand() *cobra.Command {
	c := &caller{}
	command := &cobra.Command{
		Use:               "explain KIND[.FIELD...]",
		Short:             "Says what a kind and its fields mean",
		Example:           "  fairway explain application.spec.components.probes",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: c.completeKinds,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			kinds, err := api.Kinds(ctx)
			if err != nil {
				return err
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
