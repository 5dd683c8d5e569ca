// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() {
	identityCommands = append(identityCommands, newPropose, newAmendmentShow,
		func() *cobra.Command {
			return newConfirm("agree", "Agree", "agreed to", "Agrees to what another administrator proposed about who is who")
		},
		func() *cobra.Command {
			return newConfirm("refuse", "Refuse", "refused", "Refuses what another administrator proposed, for good; its author takes it back so")
		})
}

func newPropose() *cobra.Command {
	c, s := &caller{}, &sources{}
	var reason, ticket, output string
	var remove []string
	command := &cobra.Command{
		Use:   "propose -f FILE --reason WHY",
		Short: "Proposes to change who is who: people, mappings of groups, approval policies",
		Long: `Proposes to change who is who: people, mappings of groups, approval policies.

Nobody changes these alone. What the files say becomes an amendment; once another
security administrator or an audit administrator has agreed (fairway identity agree),
Fairway carries it out, if what it replaces has not changed meanwhile. It waits for 72
hours. An object is replaced as a whole by what the file says; labels and annotations
that are there stay.`,
		Example: `  fairway identity propose -f person.yaml --reason "joins the releasers" --ticket HR-7
  fairway identity propose --delete groupmapping/ops --reason "the group is gone"`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			proposal := cli.Proposal{Reason: reason, Ticket: ticket}
			if len(s.files) > 0 {
				documents, err := s.read(ctx, api, cmd)
				if err != nil {
					return err
				}
				for _, d := range documents {
					proposal.Objects = append(proposal.Objects, d.Object)
				}
			}
			for _, one := range remove {
				word, name, ok := strings.Cut(one, "/")
				kind, err := kindOf(ctx, api, word)
				if err != nil {
					return err
				}
				if !ok || name == "" {
					return cli.Usage("could not read --delete=%s: write kind/name", one)
				}
				proposal.Delete = append(proposal.Delete, cli.Target{Kind: kind.Kind, Name: name})
			}
			if len(proposal.Objects)+len(proposal.Delete) == 0 {
				return cli.Usage("could not tell what to propose: name a file with -f, or --delete")
			}
			made, answer, err := proposal.Send(ctx, api)
			if err != nil {
				return err
			}
			switch cli.Output(output) {
			case cli.JSON:
				_, err = cmd.OutOrStdout().Write(answer.Body)
				return err
			case cli.Name:
				for _, a := range made.Amendments {
					_, _ = fmt.Fprintln(cmd.OutOrStdout(), a.Name)
				}
				return nil
			case cli.Table:
				return made.Tell(cmd.OutOrStdout())
			}
			return cli.Usage("could not show as %q: -o takes name or json", output)
		}),
	}
	c.flags(command)
	s.flags(command)
	f := command.Flags()
	f.StringVar(&reason, "reason", "", "why, for whoever agrees (required)")
	f.StringVar(&ticket, "ticket", "", "ticket of the bank's process")
	f.StringSliceVar(&remove, "delete", nil, "kind/name to delete; repeatable")
	f.StringVarP(&output, "output", "o", "", "name or json (default: words)")
	return command
}

// amendmentView is an amendment as the server shows it.
type amendmentView struct {
	Name, Author, Reason, Ticket, UID, Digest, State, Message, May, Why string
	Created, Until                                                      time.Time
	Changes, Moved, Left                                                []string
	Said                                                                []struct {
		Author, Verdict, Comment, Counts, Why string
		At                                    time.Time
	}
}

func amendmentOf(ctx context.Context, api *cli.Client, name string) (amendmentView, cli.Answer, error) {
	view := amendmentView{}
	answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/identity/amendments/" + url.PathEscape(name) + "/view"})
	if err != nil {
		return view, answer, err
	}
	return view, answer, answer.Decode(&view)
}

func newAmendmentShow() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "show AMENDMENT",
		Short: "Shows an amendment: what changes, who said what, and whether you may agree",
		Long: `Shows an amendment: what changes, who said what, and whether you may agree.

"fairway get amendments" lists them.`,
		Args: cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			view, answer, err := amendmentOf(ctx, api, given[0])
			if err != nil {
				return err
			}
			if output != "" {
				if cli.Output(output) != cli.JSON {
					return cli.Usage("could not show as %q: -o takes json", output)
				}
				_, err := cmd.OutOrStdout().Write(answer.Body)
				return err
			}
			return view.tell(cmd.OutOrStdout())
		}),
	}
	c.flags(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: words)")
	return command
}

func (v amendmentView) tell(w io.Writer) error {
	lines := []string{
		fmt.Sprintf("%s  %s: %s", v.Name, v.State, v.Message),
		fmt.Sprintf("proposed by %s at %s, holds until %s", v.Author, clockTime(v.Created), clockTime(v.Until)),
		"reason: " + v.Reason,
	}
	if v.Ticket != "" {
		lines = append(lines, "ticket: "+v.Ticket)
	}
	lines = append(append(lines, "digest: "+v.Digest, ""), v.Changes...)
	for _, list := range []struct {
		head string
		of   []string
	}{{"not as it was any more, so that nothing would be written:", v.Moved}, {"not carried out:", v.Left}} {
		if len(list.of) > 0 {
			lines = append(append(lines, "", list.head), list.of...)
		}
	}
	if len(v.Said) > 0 {
		lines = append(lines, "")
	}
	for _, s := range v.Said {
		line := fmt.Sprintf("%s %s %s", clockTime(s.At), s.Author, strings.ToLower(s.Verdict)+"s")
		if s.Comment != "" {
			line += ": " + s.Comment
		}
		if s.Counts != "True" {
			line += " (does not count: " + s.Why + ")"
		}
		lines = append(lines, line)
	}
	if v.State == "Waiting" {
		if v.May == "Yes" {
			lines = append(lines, "", "you may agree: fairway identity agree "+v.Name)
		} else {
			lines = append(lines, "", "you do not agree to it: "+v.Why)
		}
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, cli.Plain(line)); err != nil {
			return err
		}
	}
	return nil
}

func newConfirm(verb, verdict, done, short string) *cobra.Command {
	c := &caller{}
	var comment, digest string
	command := &cobra.Command{
		Use: verb + " AMENDMENT", Short: short, Args: cobra.MinimumNArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			kind, err := kindOf(ctx, api, "confirmations")
			if err != nil {
				return err
			}
			if digest != "" && len(given) > 1 {
				return cli.Usage("could not compare --digest with %d amendments: name one", len(given))
			}
			for _, name := range slices.Compact(given) {
				view, _, err := amendmentOf(ctx, api, name)
				if err != nil {
					return err
				}
				if digest != "" && digest != view.Digest {
					return &cli.Failure{Exit: cli.ExitConflict, Cause: fmt.Sprintf("amendment %q is %s, not %s", name, view.Digest, digest), Next: "fairway identity show " + name}
				}
				spec := cli.Object{"amendment": view.Name, "uid": view.UID, "digest": view.Digest, "verdict": verdict}
				if comment != "" {
					spec["comment"] = comment
				}
				if _, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: kind.Path("", ""), Body: cli.Object{
					"apiVersion": kind.Group + "/" + kind.Version, "kind": kind.Kind, "metadata": cli.Object{"generateName": name + "-"}, "spec": spec,
				}}); err != nil {
					return err
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "amendment %s %s (%s)\n", name, done, view.Digest); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	if verdict == "Agree" {
		command.Use = verb + " AMENDMENT..."
	}
	c.flags(command)
	f := command.Flags()
	f.StringVar(&comment, "comment", "", "what you have to say; whoever refuses says why")
	f.StringVar(&digest, "digest", "", "digest of what you have read: another one is not decided on (default: as the amendment says now)")
	return command
}
