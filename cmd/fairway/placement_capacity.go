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

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
	placementserver "github.com/fairway-cloud/fairway/internal/placement/server"
)

// pools is the server's answer.
type pools struct {
	Pools []placementserver.Pool
}

func amountWords(a placementserver.Amount) string {
	return fmt.Sprintf("%.1f CPU, %.1f GiB", float64(a.CPU)/1000, float64(a.Memory)/(1<<30))
}

func moreWords(all []placementserver.More) string {
	parts := make([]string, len(all))
	for i, m := range all {
		parts[i] = fmt.Sprintf("%d %s", m.Instances, m.Size)
		if m.Separate > m.Instances {
			parts[i] += fmt.Sprintf(" (%d if sizes had hosts of their own)", m.Separate)
		}
	}
	return strings.Join(parts, ", or ")
}

func newPlacementCapacity() *cobra.Command {
	c := &caller{}
	var pool, output string
	command := &cobra.Command{
		Use:   "capacity",
		Short: "Says how full pools are, how much more fits, what a loss leaves, and when they are full",
		Long: `Says for each pool what its hosts could hold and what Placements reserve; how many hosts
there are of each size and processor, and what is free on these: where hosts of several
kinds stand in a rack, the cluster's scheduler chooses, and what is certain to be free is
told beside what is free at most; how many
instances more of each sizing class that it takes fit for certain, host by host and in
any order, each class on its own, and how many would if sizes had hosts of their own;
which sizes should have them, where that brings much; what is left free when the
largest rack or data centre is lost and its instances have come to the rest; and in how
many days the pool is full if it grows as it did. It takes a week of history for that,
which the server records day by day from its first day on, and says how much there is.`,
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
		fmt.Fprintf(&text, "%s: %d hosts, %s in all, %s reserved\n", one.Pool, one.Hosts, amountWords(one.Total), amountWords(one.Held))
		how := "go where most is free"
		if one.Packing == fleetv1.PackingPack {
			how = "fill hosts in use first"
		}
		fmt.Fprintf(&text, "  new instances: %s; kept free: %d hosts' worth for lost hosts, %d for releases\n", how, one.SpareHosts, one.SurgeHosts)
		for _, k := range one.Classes {
			free := amountWords(k.Free) + " free"
			if k.FreeAtMost != k.Free {
				free = fmt.Sprintf("%s certain to be free, %s at most", amountWords(k.Free), amountWords(k.FreeAtMost))
			}
			fmt.Fprintf(&text, "    %d of %s: %s\n", k.Hosts, cli.Plain(k.Class), free)
		}
		fmt.Fprintf(&text, "  fits more, of one size: %s\n", moreWords(one.More))
		for _, s := range one.Sites {
			if len(one.Sites) > 1 {
				fmt.Fprintf(&text, "    in %s, %s free: %s\n", s.DataCenter, amountWords(s.Free), moreWords(s.More))
			}
		}
		if one.Advice != "" {
			fmt.Fprintf(&text, "  advice: %s\n", one.Advice)
		}
		for _, l := range one.Losses {
			what := map[string]string{"Rack": "rack", "DataCenter": "data centre"}[l.Kind]
			fmt.Fprintf(&text, "  without its largest %s (%s): %s left\n", what, l.Name, amountWords(l.Free))
		}
		full := one.Trend.Why
		if one.Trend.FullInDays != nil {
			full = fmt.Sprintf("in %.0f days, %s", *one.Trend.FullInDays, one.Trend.Why)
		}
		since := ""
		if one.Trend.Since != "" {
			since = ", since " + one.Trend.Since
		}
		fmt.Fprintf(&text, "  full: %s (%.0f days of history%s)\n", full, one.Trend.HistoryDays, since)
	}
	_, err := io.WriteString(out, text.String())
	return err
}
