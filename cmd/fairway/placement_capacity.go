// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

// pools is the server's answer.
type pools struct {
	Pools []struct {
		Pool        string
		Hosts       int
		Packing     string
		SpareHosts  int
		SurgeHosts  int
		Total, Held capacityAmount
		More        []struct {
			Size      string
			Instances int64
		}
		Losses []struct {
			Kind, Name string
			Free       capacityAmount
		}
		Trend struct {
			HistoryDays float64
			FullInDays  *float64
			Why         string
		}
	}
}

type capacityAmount struct{ CPU, Memory, Instances int64 }

func (a capacityAmount) words() string {
	return fmt.Sprintf("%.1f CPU, %.1f GiB", float64(a.CPU)/1000, float64(a.Memory)/(1<<30))
}

func newPlacementCapacity() *cobra.Command {
	c := &caller{}
	var pool, output string
	command := &cobra.Command{
		Use:   "capacity",
		Short: "Says how full pools are, how much more fits, what a loss leaves, and when they are full",
		Long: `Says for each pool what its hosts could hold and what Placements reserve; how many
instances more of each sizing class fit, host by host, each class on its own; what is
left free when the largest rack or data centre is lost and its instances have come to
the rest; and in how many days the pool is full if it grows as it did. It takes a week
of history for that, and says how much there is.`,
		Example: "  fairway placement capacity --pool retail-business",
		Args:    cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if pool != "" {
				query.Set("pool", pool)
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/placement/capacity", Query: query})
			if err != nil {
				return err
			}
			var got pools
			shown, err := show(cmd, output, answer, &got)
			if err != nil || shown {
				return err
			}
			return tellCapacity(cmd.OutOrStdout(), got)
		}),
	}
	c.flags(command)
	command.Flags().StringVar(&pool, "pool", "", "only this pool (default: all)")
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: words)")
	return command
}

func tellCapacity(out io.Writer, p pools) error {
	var text strings.Builder
	for _, one := range p.Pools {
		fmt.Fprintf(&text, "%s: %d hosts, %s in all, %s reserved\n", one.Pool, one.Hosts, one.Total.words(), one.Held.words())
		fmt.Fprintf(&text, "  new instances: %s; kept free: %d hosts' worth for lost hosts, %d for releases\n", map[string]string{"Pack": "fill hosts in use first"}[one.Packing]+map[string]string{"Spread": "go where most is free"}[one.Packing], one.SpareHosts, one.SurgeHosts)
		var more []string
		for _, m := range one.More {
			more = append(more, fmt.Sprintf("%d %s", m.Instances, m.Size))
		}
		fmt.Fprintf(&text, "  fits more, of one size: %s\n", strings.Join(more, ", or "))
		for _, l := range one.Losses {
			what := map[string]string{"Rack": "rack", "DataCenter": "data centre"}[l.Kind]
			fmt.Fprintf(&text, "  without its largest %s (%s): %s left\n", what, l.Name, l.Free.words())
		}
		full := one.Trend.Why
		if one.Trend.FullInDays != nil {
			full = fmt.Sprintf("in %.0f days, %s", *one.Trend.FullInDays, one.Trend.Why)
		}
		fmt.Fprintf(&text, "  full: %s (%.0f days of history)\n", full, one.Trend.HistoryDays)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
