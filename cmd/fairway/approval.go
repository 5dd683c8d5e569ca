// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() {
	commands = append(commands, newApprovalCommand,
		func() *cobra.Command { return verdictCommand(approve) }, func() *cobra.Command { return verdictCommand(reject) })
}

// verdict is one thing that people say about a request.
type verdict struct{ use, says, short, done string }

var (
	approve = verdict{"approve", "Approve", "Agrees to what an approval request asks for", "approved"}
	reject  = verdict{"reject", "Reject", "Refuses what an approval request asks for, for good, and says why", "rejected"}
	// more is what is said less often: below "fairway approval".
	more = []verdict{
		{"withdraw", "Withdraw", "Takes your own agreement back; while the act goes on, this holds its next step", "withdrawn"},
		{"operate", "Operate", "Starts what was approved, or lets it go on after a stop, as its operator", "operated"},
		{"attend", "Attend", "Is present at the start or resumption and agrees to it there (在线复核)", "attended"},
		{"verify", "Verify", "Confirms the result afterwards", "verified"},
		{"review", "Review", "Reviews an emergency change afterwards, and names its ticket", "reviewed"},
	}
)

func newApprovalCommand() *cobra.Command {
	command := &cobra.Command{Use: "approval", Short: "Shows what waits for agreement, and answers it"}
	command.AddCommand(newApprovalList(), newApprovalShow(), verdictCommand(approve), verdictCommand(reject))
	for _, v := range more {
		command.AddCommand(verdictCommand(v))
	}
	return command
}

func newApprovalList() *cobra.Command {
	c := &caller{}
	var tab, output string
	command := &cobra.Command{
		Use:   "list",
		Short: "Lists approval requests as they concern you, newest first",
		Example: `  fairway approval list                # what waits for you
  fairway approval list --tab mine     # what you asked for or made`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			query := url.Values{"tab": {tab}}
			if namespace := api.Namespace(); namespace != "" && cmd.Flags().Changed("namespace") {
				query.Set("namespace", namespace)
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/approval/inbox", Query: query})
			if err != nil {
				return err
			}
			inbox := cli.Inbox{}
			if err := answer.Decode(&inbox); err != nil {
				return err
			}
			return cli.ShowInbox(cmd.OutOrStdout(), inbox, cli.Output(output))
		}),
	}
	c.flags(command)
	c.scope(command)
	command.Flags().StringVar(&tab, "tab", "todo", "todo (waits for you), done, mine, copied or all")
	command.Flags().StringVarP(&output, "output", "o", "", "json or yaml (default: a table)")
	return command
}

func newApprovalShow() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "show REQUEST",
		Short: "Shows a request in plain words: what will happen, where, what differs, who has agreed, what you may say",
		Args:  cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			item, err := requestView(ctx, api, given[0])
			if err != nil {
				return err
			}
			return cli.ShowRequest(cmd.OutOrStdout(), item, cli.Output(output))
		}),
	}
	c.flags(command)
	c.scope(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json or yaml (default: text)")
	return command
}

func requestView(ctx context.Context, api *cli.Client, name string) (cli.Approval, error) {
	item := cli.Approval{}
	if api.Namespace() == "" {
		return item, cli.Usage("name the namespace of the request with -n")
	}
	answer, err := api.Do(ctx, cli.Request{
		Method: http.MethodGet, Path: "/api/v1/approval/approvalrequests/" + url.PathEscape(api.Namespace()) + "/" + url.PathEscape(name) + "/view",
	})
	if err != nil {
		return item, err
	}
	return item, answer.Decode(&item)
}

// verdictCommand says one thing about a request. The digest of what was read is
// part of what is said: a request that changed meanwhile is another one.
func verdictCommand(v verdict) *cobra.Command {
	c := &caller{}
	var comment, ticket, principal, digest string
	command := &cobra.Command{
		Use:     v.use + " REQUEST",
		Short:   v.short,
		Example: fmt.Sprintf("  fairway approval %s mobile-bank-7k2fz-1 -n retail-prod --comment \"seen in the test report\"", v.use),
		Args:    cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			item, err := requestView(ctx, api, given[0])
			if err != nil {
				return err
			}
			if digest != "" && digest != item.Digest {
				return &cli.Failure{Exit: cli.ExitConflict, Cause: fmt.Sprintf("request %q asks for plan %s, not %s", given[0], item.Digest, digest), Next: "fairway approval show " + given[0] + " -n " + api.Namespace()}
			}
			kind, err := kindOf(ctx, api, "decisions")
			if err != nil {
				return err
			}
			spec := cli.Object{"request": given[0], "digest": item.Digest, "verdict": v.says, "comment": comment}
			if ticket != "" {
				spec["ticket"] = ticket
			}
			if principal != "" {
				spec["onBehalfOf"] = principal
			}
			_, err = api.Do(ctx, cli.Request{Method: http.MethodPost, Path: kind.Path("", "") + "/" + api.Namespace(), Body: cli.Object{
				"apiVersion": kind.Group + "/" + kind.Version, "kind": kind.Kind,
				"metadata": cli.Object{"generateName": given[0] + "-", "namespace": api.Namespace()},
				"spec":     spec,
			}})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "request %s %s (plan %s)\n", given[0], v.done, item.Digest)
			return err
		}),
	}
	c.flags(command)
	c.scope(command)
	f := command.Flags()
	f.StringVar(&comment, "comment", "", "what you have to say; whoever rejects says why")
	f.StringVar(&principal, "on-behalf-of", "", "person for whom you stand in, by a delegation that holds now")
	f.StringVar(&digest, "digest", "", "digest of the plan that you have read: another one is not decided on (default: as the request says now)")
	if v.says == "Review" {
		f.StringVar(&ticket, "ticket", "", "ticket of the emergency change, where it had none")
	}
	return command
}
