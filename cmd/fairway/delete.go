// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { commands = append(commands, newDeleteCommand) }

func newDeleteCommand() *cobra.Command {
	c, s := &caller{}, &sources{}
	var dry string
	var wait bool
	command := &cobra.Command{
		Use:   "delete KIND NAME... | delete -f FILE",
		Short: "Deletes objects; nothing that runs is deleted with them",
		Long: `Deletes objects on the hub. Nothing that runs is deleted with them: while an
application runs its deletion is refused, and a Release of kind Retire takes it
out of service first.`,
		ValidArgsFunction: c.completeKinds,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			dryly, err := dryRun(dry)
			if err != nil {
				return err
			}
			targets, err := deletions(ctx, api, cmd, s, given)
			if err != nil {
				return err
			}
			query := url.Values{}
			word := "deleted"
			if dryly {
				query.Set("dryRun", "All")
				word += " (dry run)"
			}
			for _, t := range targets {
				if _, err := api.Do(ctx, cli.Request{Method: http.MethodDelete, Path: t.kind.Path(t.namespace, t.name), Query: query}); err != nil {
					return err
				}
				if wait && !dryly {
					if err := api.WaitGone(ctx, t.kind, t.namespace, t.name); err != nil {
						return err
					}
				}
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", t.kind.FullName(t.name), word)
			}
			return nil
		}),
	}
	c.flags(command)
	c.scope(command)
	s.flags(command)
	command.Flags().StringVar(&dry, "dry-run", "none", "server: check everything, change nothing")
	command.Flags().BoolVar(&wait, "wait", false, "wait until the objects are gone")
	return command
}

type deletion struct {
	kind            cli.Kind
	namespace, name string
}

func deletions(ctx context.Context, api *cli.Client, cmd *cobra.Command, s *sources, given []string) ([]deletion, error) {
	var targets []deletion
	if len(s.files) > 0 {
		if len(given) > 0 {
			return nil, cli.Usage("name objects either by kind and name or by file")
		}
		documents, err := s.read(ctx, api, cmd)
		if err != nil {
			return nil, err
		}
		// What others were made from goes last.
		for i := len(documents) - 1; i >= 0; i-- {
			d := documents[i]
			targets = append(targets, deletion{d.Kind, cli.NamespaceOf(d.Object), cli.NameOf(d.Object)})
		}
		return targets, nil
	}
	if len(given) < 2 {
		return nil, cli.Usage("name a kind and at least one object")
	}
	kinds, err := api.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	kind, err := kinds.Find(given[0])
	if err != nil {
		return nil, err
	}
	if kind.Namespaced && api.Namespace() == "" {
		return nil, cli.Usage("could not delete %s: name the namespace with -n", kind.Plural)
	}
	for _, name := range given[1:] {
		targets = append(targets, deletion{kind, api.Namespace(), name})
	}
	return targets, nil
}
