// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { commands = append(commands, newDiffCommand) }

func newDiffCommand() *cobra.Command {
	c, s := &caller{}, &sources{}
	return withFlags(&cobra.Command{
		Use:   "diff -f FILE",
		Short: "Shows what applying files would change, and what a release would restart",
		Long: `Shows field by field what "fairway apply" would change, and for applications what
a Release would change in what runs and which components it would restart.

Exit code 0: nothing differs. 1: something differs. Above 1: it could not be found out.`,
		Example: "  fairway diff -f mobile-bank.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, given []string) error {
			differs := false
			err := c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
				documents, err := s.read(ctx, api, cmd)
				if err != nil {
					return err
				}
				for _, d := range documents {
					one, err := api.Diff(ctx, d, cmd.OutOrStdout())
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
	}, c.flags, c.scope, s.flags)
}

// withFlags adds groups of flags to a command.
func withFlags(command *cobra.Command, groups ...func(*cobra.Command)) *cobra.Command {
	for _, add := range groups {
		add(command)
	}
	return command
}
