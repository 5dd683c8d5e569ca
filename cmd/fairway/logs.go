// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { commands = append(commands, newLogsCommand) }

func newLogsCommand() *cobra.Command {
	c := &caller{}
	var application string
	var follow, previous, timestamps bool
	var tail int
	var since time.Duration
	command := &cobra.Command{
		Use:               "logs SEAT",
		Short:             "Shows the log of an instance",
		Example:           "  fairway logs account-1 -n retail-prod --follow",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeSeats,
		RunE: func(cmd *cobra.Command, given []string) error {
			if follow && !cmd.Flags().Changed("timeout") {
				c.timeout = 365 * 24 * time.Hour // until the user ends it
			}
			return c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
				row, err := api.FindInstance(ctx, api.Namespace(), application, given[0])
				if err != nil {
					return err
				}
				query := url.Values{"tail": {strconv.Itoa(tail)}}
				for name, on := range map[string]bool{"follow": follow, "previous": previous, "timestamps": timestamps} {
					if on {
						query.Set(name, "true")
					}
				}
				if since > 0 {
					query.Set("since", since.String())
				}
				stream, err := api.Stream(ctx, cli.Request{Method: http.MethodGet, Path: row.Path() + "/logs", Query: query})
				if err != nil {
					return err
				}
				defer stream.Close() //nolint:errcheck // only read
				if _, err = io.Copy(cmd.OutOrStdout(), stream); err != nil && !errors.Is(cmd.Context().Err(), context.Canceled) {
					return &cli.Failure{Exit: cli.ExitUnavailable, Cause: "the log ended early: " + err.Error(), Next: "ask again"}
				}
				return nil
			})(cmd, given)
		},
	}
	c.flags(command)
	c.scope(command)
	f := command.Flags()
	f.StringVarP(&application, "app", "a", "", "application of the instance, where several have that seat")
	f.BoolVarP(&follow, "follow", "f", false, "go on as the instance writes")
	f.BoolVarP(&previous, "previous", "p", false, "the log of the container that ended before this one")
	f.BoolVar(&timestamps, "timestamps", false, "the time before each line")
	f.IntVar(&tail, "tail", 1000, "begin this many lines before the end")
	f.DurationVar(&since, "since", 0, "only what was written in this time, such as 10m")
	return command
}
