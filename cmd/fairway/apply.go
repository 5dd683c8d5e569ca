// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() {
	commands = append(commands, newApplyCommand, newDiffCommand, newDeleteCommand)
}

// sources are the flags that name files.
type sources struct {
	files []string
	deep  bool
}

func (s *sources) flags(command *cobra.Command) {
	command.Flags().StringSliceVarP(&s.files, "filename", "f", nil, "file or folder of YAML or JSON, - for standard input; repeatable")
	command.Flags().BoolVarP(&s.deep, "recursive", "R", false, "folders below a folder too")
}

func (s *sources) read(ctx context.Context, api *cli.Client, cmd *cobra.Command) ([]cli.Document, error) {
	if len(s.files) == 0 {
		return nil, cli.Usage("could not tell what to read: name a file with -f")
	}
	kinds, err := api.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	return cli.ReadDocuments(s.files, s.deep, cmd.InOrStdin(), kinds, api.Namespace())
}

// dryRun reads --dry-run.
func dryRun(text string) (bool, error) {
	switch text {
	case "", "none":
		return false, nil
	case "server":
		return true, nil
	}
	return false, cli.Usage("could not read --dry-run=%s: the values are none and server", text)
}

func newApplyCommand() *cobra.Command {
	c, s := &caller{}, &sources{}
	var dry, output string
	var wait, force bool
	command := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Makes or changes objects as files say; nothing that runs is changed by it",
		Long: `Makes or changes objects as files say. All files are read and checked before
the first object is sent; objects without a namespace come first. Applying an
application makes a Revision; only a Release changes what runs.`,
		Example: `  fairway apply -f examples/bank -R
  fairway apply -f mobile-bank.yaml --dry-run=server`,
		Args: args(cobra.NoArgs),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			dryly, err := dryRun(dry)
			if err != nil {
				return err
			}
			documents, err := s.read(ctx, api, cmd)
			if err != nil {
				return err
			}
			return applyAll(ctx, api, cmd, documents, cli.ApplyOptions{DryRun: dryly, Force: force}, output, wait && !dryly)
		}),
	}
	c.flags(command)
	c.scope(command)
	s.flags(command)
	f := command.Flags()
	f.StringVar(&dry, "dry-run", "none", "server: check everything, change nothing")
	f.BoolVar(&wait, "wait", false, "wait until what was applied is ready")
	f.BoolVar(&force, "force-conflicts", false, "take over fields that somebody else manages")
	f.StringVarP(&output, "output", "o", "", "name, json or yaml (default: a line per object)")
	return command
}

func applyAll(ctx context.Context, api *cli.Client, cmd *cobra.Command, documents []cli.Document, o cli.ApplyOptions, output string, wait bool) error {
	applied := make([]cli.Object, 0, len(documents))
	for i, d := range documents {
		if i > 0 && d.Kind.Namespaced && !documents[0].Kind.Namespaced && !o.DryRun {
			// The namespace may be in the making: its tenant was applied just now.
			o.Patience = 30 * time.Second
		}
		done, err := api.Apply(ctx, d, o)
		if err != nil {
			return err
		}
		applied = append(applied, done.Object)
		if output == "" {
			word := done.Word
			if o.DryRun {
				word += " (dry run)"
			}
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", d.Kind.FullName(cli.NameOf(d.Object)), word)
		}
		if output == string(cli.Name) {
			_, _ = fmt.Fprintln(cmd.OutOrStdout(), d.Kind.FullName(cli.NameOf(d.Object)))
		}
	}
	if output == string(cli.JSON) || output == string(cli.YAML) {
		view := cli.View{Output: cli.Output(output)}
		if err := view.ShowList(cmd.OutOrStdout(), applied); err != nil {
			return err
		}
	} else if output != "" && output != string(cli.Name) {
		return cli.Usage("could not show as %q: -o takes name, json or yaml", output)
	}
	if !wait {
		return nil
	}
	for _, d := range documents {
		if !waits(d) {
			continue
		}
		if _, err := api.Wait(ctx, d.Kind, cli.NamespaceOf(d.Object), cli.NameOf(d.Object), progress(cmd)); err != nil {
			return err
		}
	}
	return nil
}

// waits says whether the kind says of itself when it is ready: its table shows it.
func waits(d cli.Document) bool {
	for _, c := range d.Kind.Columns {
		if strings.Contains(c.JSONPath, `"Ready"`) {
			return true
		}
	}
	return false
}

func newDiffCommand() *cobra.Command {
	c, s := &caller{}, &sources{}
	command := &cobra.Command{
		Use:   "diff -f FILE",
		Short: "Shows what applying files would change, and what a release would restart",
		Long: `Shows field by field what "fairway apply" would change, and for applications what
a Release would change in what runs and which components it would restart.

Exit code 0: nothing differs. 1: something differs. Above 1: it could not be found out.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, given []string) error {
			differs := false
			err := c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
				documents, err := s.read(ctx, api, cmd)
				if err != nil {
					return err
				}
				for _, d := range documents {
					one, err := diffOne(ctx, api, cmd, d)
					if err != nil {
						return err
					}
					differs = differs || one
				}
				return nil
			})(cmd, given)
			var failed *exitError
			if errors.As(err, &failed) && failed.code == cli.ExitDiffers {
				failed.code = cli.ExitUnavailable
			}
			if err == nil && differs {
				return &exitError{code: cli.ExitDiffers}
			}
			return err
		},
	}
	c.flags(command)
	c.scope(command)
	s.flags(command)
	return command
}

func diffOne(ctx context.Context, api *cli.Client, cmd *cobra.Command, d cli.Document) (bool, error) {
	namespace, name := cli.NamespaceOf(d.Object), cli.NameOf(d.Object)
	before, err := api.Get(ctx, d.Kind, namespace, name)
	if err != nil && cli.ExitOf(err) != cli.ExitNotFound {
		return false, err
	}
	would, err := api.Apply(ctx, d, cli.ApplyOptions{DryRun: true, Force: true})
	if err != nil {
		return false, err
	}
	out := cmd.OutOrStdout()
	differences := cli.Compare(before, would.Object)
	if len(differences) > 0 {
		_, _ = fmt.Fprintln(out, d.Kind.FullName(name))
		for _, line := range differences {
			_, _ = fmt.Fprintln(out, " ", line)
		}
	}
	running := false
	if d.Kind.Kind == "Application" {
		if running, err = diffRunning(ctx, api, cmd, d); err != nil {
			return false, err
		}
	}
	return len(differences) > 0 || running, nil
}

// diffRunning shows what a release would change in what runs.
func diffRunning(ctx context.Context, api *cli.Client, cmd *cobra.Command, d cli.Document) (bool, error) {
	answer, err := api.Do(ctx, cli.Request{
		Method: http.MethodPost, Path: d.Kind.Path(cli.NamespaceOf(d.Object), cli.NameOf(d.Object)) + "/diff", Body: d.Object, Query: url.Values{},
	})
	if err != nil {
		return false, err
	}
	result := struct {
		Against  string   `json:"against"`
		Restarts []string `json:"restarts"`
		Note     string   `json:"note"`
		Changes  []struct {
			Path, Before, After string
			Restarts            []string
		} `json:"changes"`
	}{}
	if err := answer.Decode(&result); err != nil {
		return false, err
	}
	out := cmd.OutOrStdout()
	if result.Note != "" {
		_, _ = fmt.Fprintf(out, "  %s\n", cli.Plain(result.Note))
	}
	if len(result.Changes) == 0 {
		return false, nil
	}
	against := "nothing runs yet"
	if result.Against != "" {
		against = "against " + result.Against + ", which runs"
	}
	_, _ = fmt.Fprintf(out, "  a release would change (%s):\n", against)
	for _, change := range result.Changes {
		line := cli.Difference{Path: change.Path}
		if change.Before != "" {
			line.Before = change.Before
		}
		if change.After != "" {
			line.After = change.After
		}
		note := ""
		if len(change.Restarts) > 0 {
			note = " (restarts " + strings.Join(change.Restarts, ", ") + ")"
		}
		_, _ = fmt.Fprintf(out, "    %s%s\n", line, note)
	}
	return true, nil
}

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
