// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/placement/profile"
	profiles "github.com/fairway-cloud/fairway/internal/placement/profile/controller"
	"github.com/fairway-cloud/fairway/internal/placement/profile/measure"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// addProfiles measures what TagRules want to know, and keeps the profiles of applications.
func (h *house) addProfiles(context.Context) error {
	var sources []*measure.Source
	if h.options.prometheusConfig != "" {
		var err error
		if sources, err = measure.ReadConfig(h.options.prometheusConfig); err != nil {
			return err
		}
	}
	meter := measure.New(h.mgr.GetClient(), sources, clock.RealClock{}, h.mgr.GetLogger().WithName("placement.profiles"))
	if err := errors.Join(registered(metrics.Registry, meter.Metrics()), h.mgr.Add(meter)); err != nil {
		return err
	}
	return (&profiles.Reconciler{Hub: h.mgr.GetClient(), Meter: meter, Clock: clock.RealClock{}}).SetupWithManager(h.mgr)
}

func newPlacementProfile() *cobra.Command {
	c := &caller{}
	var output string
	command := &cobra.Command{
		Use:   "profile APPLICATION",
		Short: "Says what is known of the ways of an application's components, and where each tag came from",
		Long: `Says for each component which tags it has (such as io-heavy or latency-sensitive) and
who gave each: the Application itself, an import with its algorithm, version and date, or a
TagRule with what it measured. The scheduler keeps look-alikes apart by them.

A component has a tag that anybody gives it, unless the Application says that it is without
it: then the tag is overruled. A measured tag holds while there is no answer, however old it
is.`,
		Example:           "  fairway placement profile mobile-bank -n retail-prod",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeApplications,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			if api.Namespace() == "" {
				return cli.Usage("name the namespace with -n")
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/placement/profiles/" + url.PathEscape(api.Namespace()) + "/" + url.PathEscape(given[0])})
			var problem *httpapi.Problem
			if errors.As(err, &problem) && problem.Code == httpapi.CodeNotFound {
				return fmt.Errorf("could not find a profile of application %q in %q: nobody has given it a tag, or it is not there", given[0], api.Namespace())
			}
			if err != nil {
				return err
			}
			var found placementv1.Profile
			if err := answer.Decode(&found); err != nil {
				return err
			}
			return shown(cmd.OutOrStdout(), output, found, func(out io.Writer) error {
				return tellProfile(out, &found, time.Now())
			})
		}),
	}
	c.flags(command)
	c.scope(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json (default: words)")
	command.AddCommand(newProfileImport())
	return command
}

// tellProfile writes a Profile as a person reads it.
func tellProfile(out io.Writer, p *placementv1.Profile, now time.Time) error {
	rows := [][]string{{"COMPONENT", "TAG", "FROM", "SINCE", "STATE"}}
	for _, t := range p.Status.Tags {
		from := string(t.From)
		switch t.From {
		case placementv1.TagFromSpec:
			from = "the application's spec"
		case placementv1.TagImported:
			from = "import from " + t.Source
			for _, more := range []string{t.Algorithm, t.Version} {
				if more != "" {
					from += ", " + more
				}
			}
		case placementv1.TagMeasured:
			from = "measured by tagrule " + t.Source
			if t.Version != "" {
				from += ", " + t.Version
			}
		}
		if t.Value != "" {
			from += ": " + t.Value
		}
		since := "-"
		if t.At != nil {
			since = t.At.Local().Format("2006-01-02 15:04")
		}
		state := "counts"
		if t.Effect == placementv1.TagOverruled {
			state = "overruled: the application says it is without it"
		}
		if t.OldSince != nil {
			state += fmt.Sprintf(", %s: no answer for %s", strings.ToLower(string(t.Freshness)), now.Sub(t.OldSince.Time).Round(time.Minute))
		}
		rows = append(rows, []string{t.Component, t.Tag, cli.Plain(from), since, state})
	}
	if len(rows) == 1 {
		_, err := fmt.Fprintln(out, "nobody gives its components a tag")
		return err
	}
	return cli.WriteTable(out, rows)
}

func newProfileImport() *cobra.Command {
	c := &caller{}
	var file, source, format string
	var dry bool
	command := &cobra.Command{
		Use:   "import -f FILE",
		Short: "Brings tags of applications in from a CSV or JSON file: all or nothing",
		Long: `Brings tags of applications in from a CSV or JSON file: all or nothing.

The first line of a CSV file names its columns: application (as namespace/name), component,
tag and date, and where they are known value, source, algorithm and version. JSON is
{"tags": [...]} with the same fields. Of each component in the file, what the source says
replaces what the same source said before; a row without a tag says that there is none any
more. What other sources say, and components that the file does not name, stay as they are.`,
		Example: `  fairway placement profile import -f tags.csv --dry-run
  fairway placement profile import -f tags.json --source portrait`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			text, err := readBounded(file, cmd.InOrStdin(), profile.MostBytes)
			if err != nil {
				return err
			}
			if format == "" && strings.HasSuffix(file, ".json") {
				format = "json"
			}
			query := url.Values{"source": {source}, "format": {cmp.Or(format, "csv")}}
			if dry {
				query.Set("dryRun", "All")
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: "/api/v1/placement/profiles/import", Query: query, Raw: text, Media: "text/plain; charset=utf-8"})
			if err != nil {
				return err
			}
			got := struct {
				Created, Updated []string
				Rows, Unchanged  int
			}{}
			if err := answer.Decode(&got); err != nil {
				return err
			}
			suffix := ""
			if dry {
				suffix = " (server dry run)"
			}
			for _, name := range slices.Sorted(slices.Values(slices.Concat(got.Created, got.Updated))) {
				word := "updated"
				if slices.Contains(got.Created, name) {
					word = "created"
				}
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "profile %s %s%s\n", cli.Plain(name), word, suffix)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d rows; %d applications unchanged\n", got.Rows, got.Unchanged)
			return err
		}),
	}
	c.flags(command)
	f := command.Flags()
	f.StringVarP(&file, "file", "f", "", "CSV or JSON file; - reads standard input")
	f.StringVar(&source, "source", "cmdb", "source of rows that name none")
	f.StringVar(&format, "format", "", "csv or json (default: json where the file's name ends so, else csv)")
	f.BoolVar(&dry, "dry-run", false, "have the server check everything and write nothing")
	if err := command.MarkFlagRequired("file"); err != nil {
		panic(err)
	}
	return command
}
