// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/placement/lost"
	placementserver "github.com/fairway-cloud/fairway/internal/placement/server"
)

func newPlacementLost() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "lost",
		Short: "Says which racks, clusters and data centres are away, what is proposed, what finds no place and what is held back",
		Long: `Says which racks, clusters and data centres are away and since when, what is proposed,
which applications lost instances for which there is no place, and what does not happen by
itself and why. What is away may run happily: nobody knows until it answers.`,
		Example: "  fairway placement lost",
		Args:    cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/placement/lost"})
			if err != nil {
				return err
			}
			var s placementserver.Situation
			if shown, err := show(cmd, output, answer, &s); shown || err != nil {
				return err
			}
			return tellSituation(cmd.OutOrStdout(), s)
		}),
	}
	c.flags(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: words)")
	return command
}

func tellSituation(out io.Writer, s placementserver.Situation) error {
	var text strings.Builder
	if len(s.Places) == 0 {
		text.WriteString("nothing is away\n")
	}
	for _, p := range s.Places {
		fmt.Fprintf(&text, "%s %s of %s is away since %s", p.Kind, p.Name, p.Environment, moment(p.Since))
		if p.State == "Lost" {
			text.WriteString(": it counts as lost")
		} else {
			fmt.Fprintf(&text, ": it counts as lost from %s on", moment(p.LostFrom))
		}
		if p.Times > 1 {
			fmt.Fprintf(&text, "; it went away %d times lately", p.Times)
		}
		text.WriteString("\n")
	}
	for _, p := range s.Proposals {
		fmt.Fprintf(&text, "%s is proposed for %s: %s\n", p.Placement, p.Application, cli.Plain(p.Why))
		for _, check := range p.Check {
			fmt.Fprintf(&text, "  make sure: %s\n", cli.Plain(check))
		}
	}
	for _, u := range s.Unplaced {
		fmt.Fprintf(&text, "no place for %s: %s\n", u.Application, cli.Plain(u.Why))
	}
	for _, h := range s.Held {
		fmt.Fprintf(&text, "held by %s: %s\n", h.Guard, cli.Plain(cmp.Or(h.Application, h.Environment)+": "+h.Why))
	}
	for _, l := range s.Left {
		fmt.Fprintf(&text, "not looked at: %s\n", cli.Plain(l))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -07:00") }

// proposal reads a Placement.
func proposal(ctx context.Context, api *cli.Client, name string) (*placementv1.Placement, error) {
	if api.Namespace() == "" {
		return nil, cli.Usage("name the namespace with -n")
	}
	answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/placement/placements/" + url.PathEscape(api.Namespace()) + "/" + url.PathEscape(name)})
	if err != nil {
		return nil, err
	}
	found := &placementv1.Placement{}
	return found, answer.Decode(found)
}

func newPlacementProposals() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "proposals",
		Short: "Lists the placements that are proposed after a loss, after a place is back, or for what waits for room",
		Long: `Lists the placements that are proposed after a loss, after a place is back, or because
instances wait for room. Each holds its room until it expires; while its cause lasts it is
proposed anew. A person carries one out: fairway release start APPLICATION --placement NAME.`,
		Example: "  fairway placement proposals -n retail-prod",
		Args:    cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			if api.Namespace() == "" {
				return cli.Usage("name the namespace with -n")
			}
			found, err := proposals(ctx, api)
			if err != nil {
				return err
			}
			return shown(cmd.OutOrStdout(), output, found, func(out io.Writer) error {
				return tellProposals(out, found)
			})
		}),
	}
	c.flags(command)
	c.scope(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: words)")
	return command
}

func proposals(ctx context.Context, api *cli.Client) ([]placementv1.Placement, error) {
	out := []placementv1.Placement{}
	held, err := reserving(ctx, api, url.Values{})
	for _, p := range held {
		if p.Spec.Cause != nil && p.Status.Release == "" {
			out = append(out, p)
		}
	}
	return out, err
}

func tellProposals(out io.Writer, found []placementv1.Placement) error {
	var text strings.Builder
	if len(found) == 0 {
		text.WriteString("nothing is proposed\n")
	}
	for _, p := range found {
		fmt.Fprintf(&text, "%s for %s, revision %s, by policy %s; its room is held until %s\n  %s\n", p.Name, p.Spec.Application, p.Spec.Revision, p.Spec.Cause.Policy, moment(p.Spec.ExpiresAt.Time), cli.Plain(lost.Told(*p.Spec.Cause)))
		for _, check := range p.Spec.Cause.Check {
			fmt.Fprintf(&text, "  make sure: %s\n", cli.Plain(check))
		}
		fenced := ""
		if len(p.Spec.Cause.Fence) > 0 {
			fenced = " --fenced …"
		}
		fmt.Fprintf(&text, "  carry it out: fairway release start %s -n %s --placement %s%s --reason … --ticket …\n", p.Spec.Application, p.Namespace, p.Name, fenced)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func newPlacementBrake() *cobra.Command {
	command := &cobra.Command{Use: "brake", Short: "Stops automation (急停), and lets it go on"}
	command.AddCommand(newBrakeSet(), newBrakeRelease(), newBrakeList())
	return command
}

func newBrakeSet() *cobra.Command {
	c := &caller{}
	var reason, name string
	var environments []string
	command := &cobra.Command{
		Use:   "set",
		Short: "Stops automation: nothing is started by itself after a loss, and what was started so takes no further step",
		Long: `Stops automation: from the answer on nothing is started by itself after a loss, and what
was started so takes no further step. Releases that people started go on: stop them one by
one (fairway release stop).`,
		Example: `  fairway placement brake set --environment prod --reason "instances move back and forth"`,
		Args:    cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			if reason == "" {
				return cli.Usage("say why with --reason: whoever finds automation stopped reads it")
			}
			body := cli.Object{"reason": reason}
			if len(environments) > 0 {
				body["environments"] = environments
			}
			name = cmp.Or(name, "by-hand-"+time.Now().UTC().Format("20060102-150405"))
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: "/api/v1/placement/brakes/" + url.PathEscape(name) + "/set", Body: body})
			if err != nil {
				return err
			}
			word := "automation is stopped"
			if answer.Status == http.StatusAccepted {
				word = "automation is stopped; the hub does not answer, and the brake is kept and written before automation does anything"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "brake %s set: %s\n", name, word)
			return err
		}),
	}
	c.flags(command)
	f := command.Flags()
	f.StringVar(&reason, "reason", "", "why (required)")
	f.StringVar(&name, "name", "", "name of the brake (default: by-hand- and the time)")
	f.StringSliceVar(&environments, "environment", nil, "environment in which automation stops; repeatable (default: all)")
	return command
}

func newBrakeRelease() *cobra.Command {
	c := &caller{}
	var reason string
	command := &cobra.Command{
		Use:     "release NAME",
		Short:   "Releases a brake; it stays on record",
		Long:    "Releases a brake; it stays on record. What automation had started stays stopped until a\nperson resumes it (fairway release resume).",
		Example: `  fairway placement brake release sick-prod-20260310-030010 --reason "the switch is replaced, all hosts answer"`,
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return c.completeKinds(cmd, []string{"brakes"}, word)
		},
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			if reason == "" {
				return cli.Usage("say with --reason why automation may go on")
			}
			_, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: "/api/v1/placement/brakes/" + url.PathEscape(given[0]) + "/release", Body: cli.Object{"reason": reason}})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "brake %s released\n", given[0])
			return err
		}),
	}
	c.flags(command)
	command.Flags().StringVar(&reason, "reason", "", "why automation may go on (required)")
	return command
}

func newBrakeList() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "list",
		Short: "Lists the brakes, those that were released included",
		Args:  cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			k, err := kindOf(ctx, api, "brakes")
			if err != nil {
				return err
			}
			view, err := c.view(output, k)
			if err != nil {
				return err
			}
			found, err := api.List(ctx, k, cli.Selection{})
			if err != nil {
				return err
			}
			if len(found) == 0 && view.Output == cli.Table {
				_, err := fmt.Fprintln(progress(cmd), "no brake was ever set")
				return err
			}
			return view.ShowList(cmd.OutOrStdout(), found)
		}),
	}
	c.flags(command)
	command.Flags().StringVarP(&output, "output", "o", "", "wide, json, yaml or name (default: a table)")
	return command
}
