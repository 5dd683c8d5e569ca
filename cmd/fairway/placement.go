// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

func init() { commands = append(commands, newPlacementCommand) }

func newPlacementCommand() *cobra.Command {
	command := &cobra.Command{Use: "placement", Short: "Says why instances run where they do, what would follow of a loss, and how full pools are"}
	command.AddCommand(newPlacementExplain(), newPlacementSimulate(), newPlacementCapacity(), newPlacementMachines(), newPlacementInventory(), newPlacementLost(), newPlacementProposals(), newPlacementBrake())
	command.AddCommand(newPlacementProfile())
	return command
}

// shown writes an answer as the flag -o asks: as JSON, or in words.
func shown(out io.Writer, output string, answer any, words func(io.Writer) error) error {
	switch output {
	case "json":
		text, err := json.MarshalIndent(answer, "", "  ")
		if err == nil {
			_, err = fmt.Fprintln(out, string(text))
		}
		return err
	case "":
		return words(out)
	}
	return cli.Usage("could not show as %q: -o takes json", output)
}

// reserving are the Placements of a namespace that hold room, of those that a query names.
func reserving(ctx context.Context, api *cli.Client, query url.Values) ([]placementv1.Placement, error) {
	var held []placementv1.Placement
	query.Set("limit", "200")
	for {
		answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/placement/placements/" + url.PathEscape(api.Namespace()), Query: query})
		if err != nil {
			return nil, err
		}
		var list struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []placementv1.Placement `json:"items"`
		}
		if err := answer.Decode(&list); err != nil {
			return nil, err
		}
		for i := range list.Items {
			if observed.Holds(&list.Items[i], time.Now()) {
				held = append(held, list.Items[i])
			}
		}
		if list.Metadata.Continue == "" {
			return held, nil
		}
		query.Set("continue", list.Metadata.Continue)
	}
}
