// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

// machineList is the server's answer.
type machineList struct {
	Items []struct {
		Application, Seat, DCN, DataCenter, Rack, Host, Address, Source, Stale string
		ObservedAt                                                             time.Time
	}
	Doubts []struct{ Application, Automation, Why string }
	Total  int
	// Continue is where the next page begins.
	Continue string
}

func newPlacementMachines() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "machines [APPLICATION]",
		Short: "Lists the instances that run on virtual machines still, and says whether that may be relied on",
		Long: `Lists the instances that run on virtual machines still. They count towards the number
per DCN and the spread over racks. Where nobody has confirmed them for too long, or two
sources contradict each other, they count as before, a Release that a person asks for
says so, and nothing acts by itself on the application.`,
		Example:           "  fairway placement machines mobile-bank -n retail-prod",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.completeApplications,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			if api.Namespace() == "" {
				return cli.Usage("name the namespace with -n")
			}
			query := url.Values{"namespace": {api.Namespace()}, "limit": {"500"}}
			if len(given) > 0 {
				query.Set("application", given[0])
			}
			rows := [][]string{{"APPLICATION", "SEAT", "DCN", "DATA CENTRE", "RACK", "HOST", "ADDRESS", "SOURCE", "OBSERVED", "STALE"}}
			var page machineList
			for {
				answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/placement/machines", Query: query})
				if err != nil {
					return err
				}
				page = machineList{}
				if shown, err := show(cmd, output, answer, &page); err != nil {
					return err
				} else if shown {
					_, err = fmt.Fprintln(cmd.OutOrStdout())
					if err != nil {
						return err
					}
				}
				for _, m := range page.Items {
					rows = append(rows, []string{m.Application, m.Seat, m.DCN, m.DataCenter, m.Rack, m.Host, m.Address, m.Source, m.ObservedAt.Local().Format("2006-01-02 15:04"), cli.Plain(m.Stale)})
				}
				if page.Continue == "" {
					break
				}
				query.Set("continue", page.Continue)
			}
			if output != "" {
				return nil
			}
			return tellMachines(cmd.OutOrStdout(), rows, page)
		}),
	}
	c.flags(command)
	c.scope(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json, one object a page (default: a table)")
	command.AddCommand(newPlacementMachinesImport())
	return command
}

// machinesNow are the instances of an application that run on virtual machines now: how many,
// and what is in doubt.
func machinesNow(ctx context.Context, api *cli.Client, application string) (machineList, error) {
	var page machineList
	answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/placement/machines", Query: url.Values{"namespace": {api.Namespace()}, "application": {application}, "limit": {"1"}}})
	if err != nil {
		return page, err
	}
	return page, answer.Decode(&page)
}

// explainMachines says what has come of virtual machines since the Placement was decided.
func explainMachines(out io.Writer, now machineList) error {
	if now.Total == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(out, "\nnow %d on virtual machines: fairway placement machines\n", now.Total); err != nil {
		return err
	}
	for _, d := range now.Doubts {
		if _, err := fmt.Fprintf(out, "nothing acts by itself on %s: %s\n", cli.Plain(d.Application), cli.Plain(d.Why)); err != nil {
			return err
		}
	}
	return nil
}

func tellMachines(out io.Writer, rows [][]string, last machineList) error {
	if len(rows) == 1 {
		if _, err := fmt.Fprintln(out, "no instance runs on a virtual machine, as far as anybody has said"); err != nil {
			return err
		}
	} else if err := cli.WriteTable(out, rows); err != nil {
		return err
	}
	for _, d := range last.Doubts {
		if _, err := fmt.Fprintf(out, "nothing acts by itself on %s: %s\n", cli.Plain(d.Application), cli.Plain(d.Why)); err != nil {
			return err
		}
	}
	return nil
}

func newPlacementMachinesImport() *cobra.Command {
	c := &caller{}
	var file, source, observed, valid string
	var none []string
	var gone int
	var dry bool
	command := &cobra.Command{
		Use:   "import -f FILE",
		Short: "Brings in from a CSV or JSON file which instances run on virtual machines: all or nothing",
		Long: `Brings in from a CSV or JSON file which instances run on virtual machines: all or nothing.

The first line of a CSV file names its columns: namespace, application, component, seat,
dcn, dataCenter, rack, host, address. JSON has the same names: {"machines": [{…}]}. With -n
the column namespace may be left out. A seat is the number that the CMDB gave the instance,
from 1; containers of the component get no number of the same thousand.

Absence of data deletes nothing. An application that the file does not name stays as it is;
that one has no machines any more is said with --none. Where more than one machine in ten
is missing of an application that had more, the import is held: look at the file, and say
with --gone how many machines are gone indeed.

A file is as old as it was written (--observed-at says otherwise), and is relied on for a
day. The same file imported again writes nothing.`,
		Example: `  fairway placement machines import -f vms.csv --dry-run
  fairway placement machines import -f vms.csv -n retail-prod --source cmdb`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			at, err := observedAt(file, observed)
			if err != nil {
				return err
			}
			text, err := readBounded(file, cmd.InOrStdin(), mostImport)
			if err != nil {
				return err
			}
			query := url.Values{"source": {source}, "observedAt": {at}, "none": none}
			for name, value := range map[string]string{"namespace": api.Namespace(), "validFor": valid} {
				if value != "" {
					query.Set(name, value)
				}
			}
			if gone > 0 {
				query.Set("gone", strconv.Itoa(gone))
			}
			if dry {
				query.Set("dryRun", "All")
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: "/api/v1/placement/machines", Query: query, Raw: text, Media: "text/plain; charset=utf-8"})
			if err != nil {
				return err
			}
			var got importedMachines
			if err := answer.Decode(&got); err != nil {
				return err
			}
			return tellImported(cmd.OutOrStdout(), got)
		}),
	}
	c.flags(command)
	c.scope(command)
	f := command.Flags()
	f.StringVarP(&file, "filename", "f", "", "CSV or JSON file, UTF-8; - reads what is piped in (required)")
	f.StringVar(&source, "source", "cmdb", "where the file comes from")
	f.StringVar(&observed, "observed-at", "", "when the source saw it so, RFC 3339 (default: when the file was written)")
	f.StringVar(&valid, "valid-for", "", "for how long it may be relied on, such as 24h (default 24h)")
	f.StringArrayVar(&none, "none", nil, "NAMESPACE/APPLICATION that has no machines any more; repeatable")
	f.IntVar(&gone, "gone", 0, "how many machines, in all, are gone indeed")
	f.BoolVar(&dry, "dry-run", false, "check everything on the hub, write nothing")
	if err := command.MarkFlagRequired("filename"); err != nil {
		panic(err)
	}
	return command
}

// importedMachines is the server's answer.
type importedMachines struct {
	DryRun                       bool
	Created, Updated, Gone, Left []string
	Unchanged, Machines          int
	Held, Stale                  string
}

// observedAt is how old a file is.
func observedAt(file, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	if file == "-" {
		return "", cli.Usage("say with --observed-at when the source saw it so: what is piped in does not tell")
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", cli.Usage("could not read %q: %v", file, err)
	}
	return info.ModTime().UTC().Truncate(time.Second).Format(time.RFC3339), nil
}

func tellImported(out io.Writer, got importedMachines) error {
	suffix := ""
	if got.DryRun {
		suffix = " (server dry run)"
	}
	for _, did := range []struct {
		word string
		what []string
	}{{"created", got.Created}, {"updated", got.Updated}, {"gone", got.Gone}, {"not in the file, and left as it is", got.Left}} {
		for _, name := range did.what {
			if _, err := fmt.Fprintf(out, "%s %s%s\n", cli.Plain(name), did.word, suffix); err != nil {
				return err
			}
		}
	}
	for _, text := range []string{got.Held, got.Stale} {
		if text != "" {
			if _, err := fmt.Fprintln(out, cli.Plain(text)); err != nil {
				return err
			}
		}
	}
	if got.Held != "" {
		if _, err := fmt.Fprintf(out, "it would be held: see whether the file is complete, or say --gone %d\n", len(got.Gone)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%d machines: %d applications created, %d updated, %d unchanged%s\n", got.Machines, len(got.Created), len(got.Updated), got.Unchanged, suffix)
	return err
}
