// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

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

// inForce is the Placement that an application runs by.
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
		return nil, fmt.Errorf("could not find a placement of application %q in %q that a release uses: start one with \"fairway release start %s\"", application, api.Namespace(), application)
	}
	return found, nil
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

// explain writes a Placement as a person reads it.
func explain(out io.Writer, p *placementv1.Placement) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s runs revision %s by placement %s, decided %s for release %s\n", p.Spec.Application, p.Spec.Revision, p.Name,
		p.CreationTimestamp.Local().Format("2006-01-02 15:04:05 -07:00"), p.Status.Release)
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
				a.Cell.Cluster, a.Cell.Pool, a.Cell.Zone, a.Cell.Rack, strings.Join(a.Hosts, ", "))
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

// simulated is the server's answer.
type simulated struct {
	Notes []string
	Moves []struct {
		Application, Component string
		Cell                   placementv1.Cell
		By                     int
	}
	Unplaced []struct {
		Application string
		Reasons     []string
	}
	Trials []struct {
		Application, Verdict string
		Notes                []string
		Placement            placementv1.PlacementSpec
	}
}

func newPlacementSimulate() *cobra.Command {
	c := &caller{}
	var lose, add []string
	var file, output string
	command := &cobra.Command{
		Use:   "simulate",
		Short: "Says where applications would run: one from a file, or all after a loss or with more hosts",
		Long: `Says where applications would run if parts of the fleet were lost or hosts came, and
what would not fit; and where an application from a file (-f) would run, applied already
or not, and why. It decides as releases do, on the fleet as it was last seen, and writes
nothing. An application alone needs the right to read Placements in its namespace; a
change of the fleet needs it for all namespaces.

What is lost is named KIND/NAME with the kinds datacenter, cluster, pool, rack and host:
datacenter/dc-east, cluster/east-1, pool/retail-business, rack/dc-east/east-a,
host/east-1/east-biz-1. Hosts come as POOL/CLUSTER/RACK=COUNT and are as large as the
pool's largest host in that cluster. A file (-f) holds Applications as "fairway apply"
takes them, or says the same as YAML or JSON: lists "lose" of kind and name, and "add" of
pool, cluster, rack, count, cpu and memory.

Exit code 1: something would not fit.`,
		Example: `  fairway placement simulate -f mobile-bank.yaml -n retail-prod
  fairway placement simulate -f mobile-bank.yaml -n retail-prod --lose datacenter/dc-east
  fairway placement simulate --lose datacenter/dc-east
  fairway placement simulate --lose rack/dc-east/east-a --add-hosts retail-business/east-1/east-b=2`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			change, err := changeOf(file, api.Namespace(), lose, add)
			if err != nil {
				return err
			}
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: "/api/v1/placement/simulate", Body: change})
			if err != nil {
				return err
			}
			var got simulated
			shown, err := show(cmd, output, answer, &got)
			if err != nil {
				return err
			}
			if !shown {
				if err := tellSimulated(cmd.OutOrStdout(), got); err != nil {
					return err
				}
			}
			if len(got.Unplaced) > 0 {
				return &exitError{code: cli.ExitError}
			}
			return nil
		}),
	}
	c.flags(command)
	c.scope(command)
	f := command.Flags()
	f.StringArrayVar(&lose, "lose", nil, "KIND/NAME of what is lost; repeatable")
	f.StringArrayVar(&add, "add-hosts", nil, "POOL/CLUSTER/RACK=COUNT of hosts that come; repeatable")
	f.StringVarP(&file, "file", "f", "", "file with Applications or with what is lost and added; - reads standard input")
	f.StringVarP(&output, "output", "o", "", "json (default: words)")
	return command
}

var lossKinds = map[string]string{"datacenter": "DataCenter", "cluster": "Cluster", "pool": "Pool", "rack": "Rack", "host": "Host"}

// changeOf is the body of the question.
func changeOf(file, namespace string, lose, add []string) (map[string][]any, error) {
	change := map[string][]any{"lose": {}, "add": {}, "applications": {}}
	if file != "" {
		text, err := readFile(file)
		if err != nil {
			return nil, err
		}
		if err := readChange(change, file, namespace, text); err != nil {
			return nil, err
		}
	}
	for _, text := range lose {
		kind, name, ok := strings.Cut(text, "/")
		if !ok || lossKinds[strings.ToLower(kind)] == "" || name == "" {
			return nil, cli.Usage("could not read --lose %q: write KIND/NAME with a kind of datacenter, cluster, pool, rack or host", text)
		}
		change["lose"] = append(change["lose"], map[string]any{"kind": lossKinds[strings.ToLower(kind)], "name": name})
	}
	for _, text := range add {
		where, number, ok := strings.Cut(text, "=")
		parts := strings.Split(where, "/")
		count, err := strconv.Atoi(number)
		if !ok || err != nil || len(parts) != 3 {
			return nil, cli.Usage("could not read --add-hosts %q: write POOL/CLUSTER/RACK=COUNT", text)
		}
		change["add"] = append(change["add"], map[string]any{"pool": parts[0], "cluster": parts[1], "rack": parts[2], "count": count})
	}
	if len(change["lose"])+len(change["add"])+len(change["applications"]) == 0 {
		return nil, cli.Usage("say what is lost (--lose) or added (--add-hosts), or give a file (-f)")
	}
	return change, nil
}

// readChange adds what the documents of a file say: Applications, or lists lose and add.
func readChange(change map[string][]any, file, namespace string, text []byte) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return cli.Usage("could not read %s: %v", file, err)
		}
		var a struct {
			Kind     string         `json:"kind"`
			Metadata map[string]any `json:"metadata"`
		}
		whole := map[string]any{}
		if err := errors.Join(yaml.Unmarshal(document, &whole), yaml.Unmarshal(document, &a)); err != nil {
			return cli.Usage("could not read %s: %v", file, err)
		}
		switch {
		case len(whole) == 0:
		case a.Kind == "Application":
			if a.Metadata == nil {
				a.Metadata = map[string]any{}
			}
			if a.Metadata["namespace"] == nil {
				if namespace == "" {
					return cli.Usage("could not tell the namespace of an application in %s: write it in metadata, or name it with -n", file)
				}
				a.Metadata["namespace"] = namespace
			}
			whole["metadata"] = a.Metadata
			delete(whole, "status")
			change["applications"] = append(change["applications"], whole)
		default:
			lists := map[string][]any{}
			if err := yaml.UnmarshalStrict(document, &lists); err != nil {
				return cli.Usage("could not read %s: %v; it holds Applications, or the lists lose and add", file, err)
			}
			for name, list := range lists {
				if name != "lose" && name != "add" {
					return cli.Usage("could not read %s: there is no list %q; it holds Applications, or the lists lose and add", file, name)
				}
				change[name] = append(change[name], list...)
			}
		}
	}
}

func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(os.Stdin, 2<<20))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("could not read %s: %w", name, err)
	}
	return text, nil
}

func tellSimulated(out io.Writer, s simulated) error {
	for _, n := range s.Notes {
		if _, err := fmt.Fprintln(out, cli.Plain(n)); err != nil {
			return err
		}
	}
	rows := [][]string{{"APPLICATION", "COMPONENT", "DCN", "CLUSTER", "POOL", "RACK", "INSTANCES"}}
	for _, m := range s.Moves {
		rows = append(rows, []string{m.Application, m.Component, m.Cell.DCN, m.Cell.Cluster, m.Cell.Pool, m.Cell.Rack, fmt.Sprintf("%+d", m.By)})
	}
	if len(rows) == 1 {
		if _, err := fmt.Fprintln(out, "nothing would move"); err != nil {
			return err
		}
	} else if err := cli.WriteTable(out, rows); err != nil {
		return err
	}
	if err := tellTrials(out, s); err != nil {
		return err
	}
	for _, u := range s.Unplaced {
		if _, err := fmt.Fprintf(out, "%s would not fit:\n", u.Application); err != nil {
			return err
		}
		for _, r := range u.Reasons {
			if _, err := fmt.Fprintf(out, "  %s\n", cli.Plain(r)); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellTrials explains where the applications would run that were sent along.
func tellTrials(out io.Writer, s simulated) error {
	var text strings.Builder
	for _, t := range s.Trials {
		fmt.Fprintf(&text, "\n%s would be %s", t.Application, map[string]string{"Placed": "placed"}[t.Verdict]+map[string]string{"Refused": "refused"}[t.Verdict])
		if by := t.Placement.Policy; by != nil {
			fmt.Fprintf(&text, ", by %s", policyWords(by))
		}
		text.WriteString("\n")
		for _, n := range t.Notes {
			fmt.Fprintf(&text, "  note: %s\n", cli.Plain(n))
		}
		explainGroups(&text, &t.Placement)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

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
