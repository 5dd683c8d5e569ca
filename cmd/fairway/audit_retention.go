// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/audit/retention"
	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { auditCommands = append(auditCommands, newAuditRetention) }

func newAuditRetention() *cobra.Command {
	c := &caller{}
	return c.withFlags(&cobra.Command{
		Use:   "retention",
		Short: "Shows which years' logs are kept, until when, and what holds them",
		Long: `Shows which years' logs are kept, until when, and what holds them. Nothing in
Fairway removes a record: whoever keeps the disk removes the folder of a whole year,
the oldest first, once it may go.`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/audit/retention"})
			if err != nil {
				return err
			}
			list := struct {
				Items []retention.Verdict `json:"items"`
			}{}
			if err := answer.Decode(&list); err != nil {
				return err
			}
			rows := [][]string{{"YEAR", "CLASSES", "KEPT UNTIL", "HELD FOR", "MAY", "WHY"}}
			for _, v := range list.Items {
				var classes []string
				for _, class := range v.Classes {
					classes = append(classes, string(class))
				}
				rows = append(rows, []string{strconv.Itoa(v.Year.Year), strings.Join(classes, ","), v.KeptUntil.Format(time.DateOnly), cli.Plain(strings.Join(v.Holds, ",")), v.May, cli.Plain(v.Why)})
			}
			return cli.WriteTable(cmd.OutOrStdout(), rows)
		}),
	})
}

// withFlags adds the flags of every command of the API.
func (c *caller) withFlags(command *cobra.Command) *cobra.Command {
	c.flags(command)
	return command
}
