// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	releasev1 "github.com/fairway-cloud/fairway/api/release/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() {
	commands = append(commands, newReleaseCommand, newInstanceCommand)
}

// why are the flags with which somebody says why.
type why struct{ reason, ticket string }

func (w *why) flags(command *cobra.Command) {
	command.Flags().StringVar(&w.reason, "reason", "", "why, in your own words")
	command.Flags().StringVar(&w.ticket, "ticket", "", "ticket of the change process")
}

func newReleaseCommand() *cobra.Command {
	command := &cobra.Command{Use: "release", Short: "Starts, shows, stops and resumes releases, which alone change what runs"}
	command.AddCommand(newReleaseStart(), newReleaseStatus(), newReleaseStop(), newReleaseResume())
	return command
}

// change are the flags with which somebody says how heavy a change is, and brings
// its papers.
type change struct {
	class, risk string
	attached    []string
}

func (ch *change) flags(command *cobra.Command) {
	f := command.Flags()
	f.StringVar(&ch.class, "change-class", "", "Standard, Normal, Important, Major or Emergency (default: Normal)")
	f.StringVar(&ch.risk, "risk", "", "Low, Medium or High (default: Medium)")
	f.StringArrayVar(&ch.attached, "attach", nil, "KIND=REFERENCE of a document that the change class asks for; kinds are TestReport, RiskAssessment, BackOutPlan, EmergencyPlan and VerificationScheme; repeatable")
}

// into writes what was said into the spec of a Release.
func (ch *change) into(spec cli.Object) error {
	if ch.class != "" {
		spec["changeClass"] = ch.class
	}
	if ch.risk != "" {
		spec["risk"] = ch.risk
	}
	var attachments []any
	for _, text := range ch.attached {
		kind, reference, ok := strings.Cut(text, "=")
		if !ok || kind == "" || reference == "" {
			return cli.Usage("could not read --attach %q: write KIND=REFERENCE, for example TestReport=DOC-2026-117", text)
		}
		attachments = append(attachments, cli.Object{"kind": kind, "reference": reference})
	}
	if len(attachments) > 0 {
		spec["attachments"] = attachments
	}
	return nil
}

func newReleaseStart() *cobra.Command {
	c, w, ch := &caller{}, &why{}, &change{}
	var revision, kind, placement, fenced, output string
	var wait bool
	command := &cobra.Command{
		Use:   "start APPLICATION",
		Short: "Brings a Revision of the application into service",
		Example: `  fairway release start mobile-bank -n retail-prod --reason "account 2.1" --wait
  fairway release start mobile-bank -n retail-prod --kind Rollback --revision mobile-bank-0a1b2c3d4e
  fairway release start mobile-bank -n retail-prod --placement mobile-bank-4c9e2b7f01 --reason "rack east-a is lost" --ticket INC-4711
  fairway release start ledger -n retail-prod --placement ledger-7d20b1c9aa --fenced "power of rack east-a cut at the PDU, CHG-9" --ticket INC-4711`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeApplications,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			spec := cli.Object{"application": given[0], "kind": kind, "reason": w.reason, "ticket": w.ticket}
			if err := ch.into(spec); err != nil {
				return err
			}
			if placement != "" {
				if kind != "Deploy" {
					return cli.Usage("only a Deploy brings instances to where a placement proposes")
				}
				spec["placement"] = placement
				if revision == "" {
					proposed, err := proposal(ctx, api, placement)
					if err != nil {
						return err
					}
					revision = proposed.Spec.Revision
				}
			}
			if fenced != "" {
				if kind != "Deploy" && kind != "Rollback" {
					return cli.Usage("only a Deploy or a Rollback says how hosts were fenced: others start nothing elsewhere")
				}
				spec["fenced"] = fenced
			}
			switch kind {
			case "Deploy", "Rollback":
				if revision == "" && kind == "Rollback" {
					return cli.Usage("a rollback names the revision to bring back: --revision; see fairway get revisions")
				}
				if revision == "" {
					latest, err := latestRevision(ctx, api, cmd, given[0])
					if err != nil {
						return err
					}
					revision = latest
				}
				spec["revision"] = revision
			case "Retire":
			default:
				return cli.Usage("could not start a release of kind %q: the kinds are Deploy, Rollback and Retire; restart instances with \"fairway instance restart\"", kind)
			}
			return startRelease(ctx, api, cmd, given[0], spec, output, wait)
		}),
	}
	c.flags(command)
	c.scope(command)
	w.flags(command)
	ch.flags(command)
	f := command.Flags()
	f.StringVar(&revision, "revision", "", "revision to bring in (default: the application's latest)")
	f.StringVar(&placement, "placement", "", "proposal to carry out, see \"fairway placement proposals\" (default: the scheduler decides)")
	f.StringVar(&fenced, "fenced", "", "how the lost hosts were cut off: asked for where what keeps an identity, or runs once only, starts elsewhere")
	f.StringVar(&kind, "kind", "Deploy", "Deploy, Rollback, or Retire to take the application out of service")
	f.BoolVar(&wait, "wait", false, "wait until the release is complete")
	f.StringVarP(&output, "output", "o", "", "name, json or yaml (default: a line)")
	return command
}

// latestRevision is the Revision of the application as it was last applied: one
// that is being made is waited for.
func latestRevision(ctx context.Context, api *cli.Client, cmd *cobra.Command, application string) (string, error) {
	kind, err := kindOf(ctx, api, "applications")
	if err != nil {
		return "", err
	}
	o, err := api.WaitRevision(ctx, kind, api.Namespace(), application, 0, progress(cmd))
	if err != nil {
		return "", err
	}
	status, _ := o["status"].(map[string]any)
	name, _ := status["latestRevision"].(string)
	return name, nil
}

func kindOf(ctx context.Context, api *cli.Client, word string) (cli.Kind, error) {
	kinds, err := api.Kinds(ctx)
	if err != nil {
		return cli.Kind{}, err
	}
	return kinds.Find(word)
}

// releases is the kind Release. The way back is asked for also while the server can tell
// nobody what kinds it has, since it knows nobody: its database is away.
func releases(ctx context.Context, api *cli.Client) (cli.Kind, error) {
	kind, err := kindOf(ctx, api, "releases")
	if cli.ExitOf(err) == cli.ExitUnavailable {
		group := releasev1.GroupVersion
		return cli.Kind{Room: "release", Group: group.Group, Version: group.Version, Kind: "Release", Plural: "releases", Singular: "release", Namespaced: true}, nil
	}
	return kind, err
}

func startRelease(ctx context.Context, api *cli.Client, cmd *cobra.Command, application string, spec cli.Object, output string, wait bool) error {
	kind, err := releases(ctx, api)
	if err != nil {
		return err
	}
	if api.Namespace() == "" {
		return cli.Usage("could not start a release: name the namespace with -n")
	}
	path := kind.Path("", "") + "/" + api.Namespace()
	if spec["kind"] == "Rollback" {
		path += "/rollback" // open also while evidence, gate or sessions are away
	}
	answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: path, Body: cli.Object{
		"apiVersion": kind.Group + "/" + kind.Version, "kind": kind.Kind,
		"metadata": cli.Object{"generateName": application + "-", "namespace": api.Namespace()},
		"spec":     spec,
	}})
	if err != nil {
		return err
	}
	made := cli.Object{}
	if err := answer.Decode(&made); err != nil {
		return err
	}
	name := cli.NameOf(made)
	if wait {
		_, _ = fmt.Fprintf(progress(cmd), "%s started\n", kind.FullName(name))
		if made, err = api.Wait(ctx, kind, api.Namespace(), name, progress(cmd)); err != nil {
			return err
		}
	}
	switch cli.Output(output) {
	case cli.Table:
		word := "started"
		if wait {
			word = "complete"
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", kind.FullName(name), word)
		return err
	case cli.JSON, cli.YAML, cli.Name:
		return cli.View{Kind: kind, Output: cli.Output(output), Now: time.Now()}.ShowOne(cmd.OutOrStdout(), made)
	}
	return cli.Usage("could not show as %q: -o takes name, json or yaml", output)
}

func newReleaseStatus() *cobra.Command {
	c := &caller{}
	var output string
	var wait bool
	command := &cobra.Command{
		Use:   "status RELEASE | status APPLICATION",
		Short: "Shows how far a release is; of an application, its newest one",
		Args:  cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			kind, err := kindOf(ctx, api, "releases")
			if err != nil {
				return err
			}
			o, err := findRelease(ctx, api, kind, given[0])
			if err != nil {
				return err
			}
			if wait {
				if o, err = api.Wait(ctx, kind, api.Namespace(), cli.NameOf(o), progress(cmd)); err != nil {
					return err
				}
			}
			view, err := c.view(output, kind)
			if err != nil {
				return err
			}
			if view.Output != cli.Table {
				return view.ShowOne(cmd.OutOrStdout(), o)
			}
			return cli.DescribeRelease(cmd.OutOrStdout(), o, time.Now())
		}),
	}
	c.flags(command)
	c.scope(command)
	command.Flags().StringVarP(&output, "output", "o", "", "wide, json, yaml or name (default: text)")
	command.Flags().BoolVar(&wait, "wait", false, "wait until the release is complete")
	return command
}

func findRelease(ctx context.Context, api *cli.Client, kind cli.Kind, name string) (cli.Object, error) {
	o, err := api.Get(ctx, kind, api.Namespace(), name)
	if err == nil || cli.ExitOf(err) != cli.ExitNotFound {
		return o, err
	}
	found, listErr := api.List(ctx, kind, cli.Selection{
		Namespace: api.Namespace(), FieldSelector: "spec.application=" + name, SortBy: "-metadata.creationTimestamp,-status.sequence", Limit: 1,
	})
	if listErr != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func newReleaseStop() *cobra.Command {
	c := &caller{}
	command := &cobra.Command{
		Use:   "stop RELEASE | stop APPLICATION",
		Short: "Stops a release: what is done stays, no further step is taken",
		Args:  cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			kind, err := releases(ctx, api)
			if err != nil {
				return err
			}
			name, err := stoppable(ctx, api, kind, given[0])
			if err != nil {
				return err
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: kind.Path(api.Namespace(), name) + "/stop"})
			if err != nil {
				return err
			}
			word := "stopped"
			if answer.Status == http.StatusAccepted {
				word = "is stopped as soon as the hub answers: the stop is kept, and no step is taken before it is written"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", kind.FullName(name), word)
			return err
		}),
	}
	c.flags(command)
	c.scope(command)
	return command
}

// stoppable is the name of the release to stop. While the hub is away it is what was
// given: the server finds out which one is meant.
func stoppable(ctx context.Context, api *cli.Client, kind cli.Kind, given string) (string, error) {
	if api.Namespace() == "" {
		return "", cli.Usage("could not stop a release: name the namespace with -n")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	o, err := findRelease(ctx, api, kind, given)
	switch cli.ExitOf(err) {
	case cli.ExitOK:
		return cli.NameOf(o), nil
	case cli.ExitUnavailable, cli.ExitTimeout:
		return given, nil
	}
	return "", err
}

func newReleaseResume() *cobra.Command {
	c, w := &caller{}, &why{}
	var wait bool
	command := &cobra.Command{
		Use:   "resume RELEASE | resume APPLICATION",
		Short: "Lets a stopped release go on where it was stopped",
		Long: `Lets a stopped release go on where it was stopped. The gate is asked before the
next step: where the approval policy names who operates it or reviews it on line,
they do so anew ("fairway approval operate", "fairway approval attend").`,
		Example: `  fairway release resume mobile-bank-7k2fz -n retail-prod --reason "the database answers again" --wait`,
		Args:    cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			kind, err := kindOf(ctx, api, "releases")
			if err != nil {
				return err
			}
			o, err := findRelease(ctx, api, kind, given[0])
			if err != nil {
				return err
			}
			name := cli.NameOf(o)
			if _, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: kind.Path(api.Namespace(), name) + "/resume", Body: cli.Object{"reason": w.reason, "ticket": w.ticket}}); err != nil {
				return err
			}
			if wait {
				_, _ = fmt.Fprintf(progress(cmd), "%s resumed\n", kind.FullName(name))
				if _, err := api.Wait(ctx, kind, api.Namespace(), name, progress(cmd)); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s complete\n", kind.FullName(name))
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s resumed\n", kind.FullName(name))
			return err
		}),
	}
	c.flags(command)
	c.scope(command)
	w.flags(command)
	command.Flags().BoolVar(&wait, "wait", false, "wait until the release is complete")
	return command
}

func newInstanceCommand() *cobra.Command {
	command := &cobra.Command{Use: "instance", Short: "Acts on named instances"}
	c, w, ch := &caller{}, &why{}, &change{}
	var application, output string
	var wait bool
	restart := &cobra.Command{
		Use:               "restart SEAT...",
		Short:             "Restarts instances, one after another, as a release",
		Example:           `  fairway instance restart account-1 -n retail-prod --reason "stuck thread" --wait`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: c.completeSeats,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, seats []string) error {
			for _, seat := range seats {
				row, err := api.FindInstance(ctx, api.Namespace(), application, seat)
				if err != nil {
					return err
				}
				if of := row.Application; application == "" {
					application = of
				} else if application != of {
					return cli.Usage("restart instances of one application at a time: %q belongs to %q", seat, of)
				}
			}
			spec := cli.Object{"application": application, "kind": "Restart", "seats": seats, "reason": w.reason, "ticket": w.ticket}
			if err := ch.into(spec); err != nil {
				return err
			}
			return startRelease(ctx, api, cmd, application, spec, output, wait)
		}),
	}
	c.flags(restart)
	c.scope(restart)
	w.flags(restart)
	ch.flags(restart)
	restart.Flags().StringVarP(&application, "app", "a", "", "application of the instances, where several have such a seat")
	restart.Flags().BoolVar(&wait, "wait", false, "wait until the instances answer again")
	restart.Flags().StringVarP(&output, "output", "o", "", "name, json or yaml (default: a line)")
	command.AddCommand(restart)
	return command
}
