// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

// inventoryPage is the server's answer.
type inventoryPage struct {
	Epoch    string            `json:"epoch"`
	Sequence int64             `json:"sequence"`
	Continue string            `json:"continue"`
	Items    []json.RawMessage `json:"items"`
}

// inventoryRow is what a table shows of an instance.
type inventoryRow struct {
	Namespace, System, Code, Application, Seat, On, State, DCN, DataCenter, Rack, Host, Address, Revision string
	Sequence                                                                                              int64
}

func newPlacementInventory() *cobra.Command {
	c := &caller{}
	var application, dcn, epoch, output string
	var since int64
	command := &cobra.Command{
		Use:   "inventory",
		Short: "Lists all instances seat by seat, on containers and on virtual machines, or what changed of them",
		Long: `Lists all instances seat by seat, on containers and on virtual machines, as the bank's
CMDB learns of them. Every change has a number; with --since it lists what changed after
one, each instance as it is now, and what is gone. The last line says the number to go on
from. -o json prints one instance a line, and that line.`,
		Example: `  fairway placement inventory -n retail-prod
  fairway placement inventory --since 1200 -o json`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return cli.Usage("could not show as %q: -o takes json", output)
			}
			query := url.Values{"limit": {"200"}}
			for name, value := range map[string]string{"namespace": api.Namespace(), "application": application, "dcn": dcn, "epoch": epoch} {
				if value != "" {
					query.Set(name, value)
				}
			}
			if since >= 0 {
				query.Set("since", strconv.FormatInt(since, 10))
			}
			rows := [][]string{{"NAMESPACE", "SYSTEM", "CODE", "APPLICATION", "SEAT", "ON", "STATE", "DCN", "DATA CENTRE", "RACK", "HOST", "ADDRESS", "REVISION", "SEQUENCE"}}
			var page inventoryPage
			for {
				answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/placement/inventory", Query: query})
				if err != nil {
					return err
				}
				page = inventoryPage{}
				if err := answer.Decode(&page); err != nil {
					return err
				}
				for _, raw := range page.Items {
					if output == "json" {
						if _, err := fmt.Fprintln(cmd.OutOrStdout(), string(raw)); err != nil {
							return err
						}
						continue
					}
					var i inventoryRow
					if err := json.Unmarshal(raw, &i); err != nil {
						return fmt.Errorf("could not read the answer: %w", err)
					}
					rows = append(rows, []string{i.Namespace, i.System, i.Code, i.Application, i.Seat, i.On, i.State, i.DCN, i.DataCenter, i.Rack, i.Host, i.Address, i.Revision, strconv.FormatInt(i.Sequence, 10)})
				}
				if page.Continue == "" {
					break
				}
				query.Set("continue", page.Continue)
			}
			if output == "json" {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "{\"epoch\":%q,\"sequence\":%d}\n", page.Epoch, page.Sequence)
				return err
			}
			if len(rows) > 1 {
				if err := cli.WriteTable(cmd.OutOrStdout(), rows); err != nil {
					return err
				}
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d instances; go on with --since %d --epoch %s\n", len(rows)-1, page.Sequence, cli.Plain(page.Epoch))
			return err
		}),
	}
	c.flags(command)
	c.scope(command)
	f := command.Flags()
	f.StringVar(&application, "application", "", "only applications of this name (default: all)")
	f.StringVar(&dcn, "dcn", "", "only this DCN (default: all)")
	f.Int64Var(&since, "since", -1, "only what changed after this number, what is gone included (default: what there is)")
	f.StringVar(&epoch, "epoch", "", "the list that --since is from; refused where it was begun anew")
	f.StringVarP(&output, "output", "o", "", "json, one instance a line (default: a table)")
	command.AddCommand(newPlacementReplay())
	return command
}

func newPlacementReplay() *cobra.Command {
	c := &caller{}
	var after int64
	command := &cobra.Command{
		Use:   "replay RECEIVER",
		Short: "Has a receiver of the inventory, such as the CMDB, told anew what changed",
		Long: `Has a receiver of the inventory, such as the CMDB, told anew what changed after a number
of the sequence; 0: everything, what is gone included. A system administrator does it.`,
		Example: "  fairway placement inventory replay cmdb --after 0",
		Args:    cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			_, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: "/api/v1/placement/inventory/replay", Body: map[string]any{"receiver": given[0], "after": after}})
			if err == nil {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is told anew what changed after %d\n", cli.Plain(given[0]), after)
			}
			return err
		}),
	}
	c.flags(command)
	command.Flags().Int64Var(&after, "after", 0, "number of the sequence after which it is told anew (0: everything)")
	return command
}
