// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { commands = append(commands, newApplyCommand) }

// sources are the flags that name files.
type sources struct {
	files []string
	deep  bool
}

func (s *sources) flags(command *cobra.Command) {
	command.Flags().StringSliceVarP(&s.files, "filename", "f", nil, "file or folder of YAML or JSON, - for standard input; repeatable")
	command.Flags().BoolVarP(&s.deep, "recursive", "R", false, "folders below a folder too")
}

// read reads the files and holds them to the server's kinds and their fields.
func (s *sources) read(ctx context.Context, api *cli.Client, cmd *cobra.Command) ([]cli.Document, error) {
	if len(s.files) == 0 {
		return nil, cli.Usage("could not tell what to read: name a file with -f")
	}
	kinds, err := api.Kinds(ctx)
	if err != nil {
		return nil, err
	}
	openAPI, err := openAPI(ctx, api)
	if err != nil {
		return nil, err
	}
	r := &cli.Reading{Paths: s.files, Deep: s.deep, Stdin: cmd.InOrStdin(), Kinds: kinds, Namespace: api.Namespace(), OpenAPI: openAPI}
	documents, err := r.Documents()
	for _, where := range r.Skipped() {
		_, _ = fmt.Fprintf(progress(cmd), "left out %s: it is for \"fairway sandbox up\"\n", where)
	}
	return documents, err
}

func openAPI(ctx context.Context, api *cli.Client) (cli.Object, error) {
	answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/openapi.json"})
	if err != nil {
		return nil, err
	}
	document := cli.Object{}
	return document, answer.Decode(&document)
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
	a := cli.Apply{}
	var dry, output string
	command := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Makes or changes objects as files say; nothing that runs is changed by it",
		Long: `Makes or changes objects as files say. All files are read and checked before
the first object is sent, and all mistakes are told at once; what others build
on comes first. Applying an application makes a Revision; only a Release changes
what runs.

Who is who and what approvals need nobody changes alone: of Persons, GroupMappings and
ApprovalPolicies a security administrator's files make an amendment, to which another
person agrees (fairway identity agree). The exit code is 4 then.

With --wait the command ends when what was applied is ready, and for an
application when its Revision is there: its name is printed, and what the go-live
checks find.

With --dry-run=server nothing is changed: the hub and the go-live checks say what
they would. Exit code 1: a finding is an error, so that no Revision would come of it.`,
		Example: `  fairway apply -R -f examples/bank/world
  fairway apply -f mobile-bank.yaml --wait
  fairway apply -f mobile-bank.yaml --dry-run=server`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) (err error) {
			if a.DryRun, err = dryRun(dry); err != nil {
				return err
			}
			documents, err := s.read(ctx, api, cmd)
			if err != nil {
				return err
			}
			a.Output, a.Out, a.Progress = cli.Output(output), cmd.OutOrStdout(), progress(cmd)
			return a.Run(ctx, api, documents)
		}),
	}
	c.flags(command)
	c.scope(command)
	s.flags(command)
	f := command.Flags()
	f.StringVar(&dry, "dry-run", "none", "server: check everything, change nothing")
	f.BoolVar(&a.Wait, "wait", false, "wait until what was applied is ready, and for the Revision of an application")
	f.BoolVar(&a.Force, "force-conflicts", false, "take over fields that somebody else manages")
	f.StringVar(&a.Reason, "reason", "", "why, where another person has to agree (default: applied from files)")
	f.StringVar(&a.Ticket, "ticket", "", "ticket, where another person has to agree")
	f.StringVarP(&output, "output", "o", "", "name, json or yaml (default: a line per object)")
	return command
}
