// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/placement/observed"
)

func newPlacementExplain() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "explain APPLICATION",
		Short: "Says why the instances of an application run where they do",
		Long: `Says for each component and DCN how many instances run in which cell (cluster,
pool, zone, rack and DCN), why each cell was chosen before the next best, and which
cells were excluded by which rule. It shows the Placement in force as it was decided;
the fleet may have changed since.`,
		Example:           "  fairway placement explain mobile-bank -n retail-prod",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeApplications,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			found, err := inForce(ctx, api, given[0])
			if err != nil {
				return err
			}
			return shown(cmd.OutOrStdout(), output, found, func(out io.Writer) error {
				if err := explain(out, found); err != nil {
					return err
				}
				now, err := machinesNow(ctx, api, given[0])
				if err != nil {
					return err
				}
				return explainMachines(out, now)
			})
		}),
	}
	c.flags(command)
	c.scope(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: words)")
	return command
}

// inForce is the Placement that an application runs by, or is to run by where nothing of it
// runs yet.
func inForce(ctx context.Context, api *cli.Client, application string) (*placementv1.Placement, error) {
	if api.Namespace() == "" {
		return nil, cli.Usage("name the namespace with -n")
	}
	held, err := reserving(ctx, api, url.Values{"fieldSelector": {"spec.application=" + application}})
	if err != nil {
		return nil, err
	}
	found := observed.InForce(held)
	if found == nil {
		found = observed.Planned(held)
	}
	if found == nil {
		return nil, fmt.Errorf("could not find a placement of application %q in %q that a release uses: start one with \"fairway release start %s\"", application, api.Namespace(), application)
	}
	return found, nil
}

// explain writes a Placement as a person reads it.
func explain(out io.Writer, p *placementv1.Placement) error {
	var text strings.Builder
	runs, yet := "runs", ""
	if !observed.Begun(p) {
		runs, yet = "is to run", ", which has not taken a step yet"
	}
	fmt.Fprintf(&text, "%s %s revision %s by placement %s, decided %s for release %s%s\n", p.Spec.Application, runs, p.Spec.Revision, p.Name,
		p.CreationTimestamp.Local().Format("2006-01-02 15:04:05 -07:00"), p.Status.Release, yet)
	if by := p.Spec.Policy; by != nil {
		fmt.Fprintf(&text, "decided with %s\n", policyWords(by))
	}
	explainGroups(&text, &p.Spec)
	_, err := io.WriteString(out, text.String())
	return err
}

// explainGroups writes a decision component by component and DCN by DCN.
func explainGroups(text *strings.Builder, p *placementv1.PlacementSpec) {
	type group struct{ component, dcn string }
	var groups []group
	see := func(g group) {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	for _, a := range p.Assignments {
		see(group{a.Component, a.Cell.DCN})
	}
	for _, r := range p.Reasons {
		see(group{r.Component, r.DCN})
	}
	slices.SortFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.component, b.component), cmp.Compare(a.dcn, b.dcn))
	})
	for _, g := range groups {
		fmt.Fprintf(text, "\n%s in %s\n", cmp.Or(g.component, "application"), cmp.Or(g.dcn, "every DCN"))
		for _, a := range p.Assignments {
			if a.Component != g.component || a.Cell.DCN != g.dcn || len(a.Seats) == 0 {
				continue
			}
			fmt.Fprintf(text, "  %d × %s CPU, %s: cluster %s, pool %s, zone %s, rack %s; any of the hosts %s\n", len(a.Seats), a.CPU.String(), a.Memory.String(),
				a.Cell.Cluster, a.Cell.Pool, a.Cell.Zone, a.Cell.Rack, strings.Join(p.HostsOf(a), ", "))
		}
		for _, r := range p.Reasons {
			if r.Component == g.component && r.DCN == g.dcn {
				fmt.Fprintf(text, "  - %s: %s\n", r.Rule, cli.Plain(r.Message))
			}
		}
	}
}

// policyWords says what a decision was made with.
func policyWords(by *placementv1.DecidedBy) string {
	var weights []string
	for _, w := range by.Weights {
		weights = append(weights, fmt.Sprintf("%s %d", w.Score, w.Weight))
	}
	text := fmt.Sprintf("placement policy %s (%s): weights %s", by.Name, by.Digest, strings.Join(weights, ", "))
	if by.Generation > 0 {
		text = fmt.Sprintf("placement policy %s, generation %d (%s): weights %s", by.Name, by.Generation, by.Digest, strings.Join(weights, ", "))
	}
	if by.SpareFrom > 0 {
		text += fmt.Sprintf("; cells of %d hosts and more keep one host's worth free", by.SpareFrom)
	}
	if by.SurgePercent > 0 {
		text += fmt.Sprintf("; %d %% of hosts' worth is kept for releases", by.SurgePercent)
	}
	return cli.Plain(text)
}
