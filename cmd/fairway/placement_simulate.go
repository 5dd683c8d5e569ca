// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	placementv1 "github.com/fairway-cloud/fairway/api/placement/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/cli"
)

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
host/east-1/east-biz-1; or by a name that only one thing bears: dc-east. It goes by the rules
by which losses are proposed: of lost hosts the rest of their cell takes what it has room
for, and what has volumes that do not move is told, not moved.

Hosts come as POOL/CLUSTER/RACK=COUNT and are as the pool's largest host in that cluster;
behind it may stand ,cpu=16,memory=64Gi (both) and ,arch=arm64. With a size and no arch they
are as the pool's hosts there, or amd64 where these are not alike: a line says which. A rack
that the data centre does not list needs ,new.

A file (-f) holds Applications as "fairway apply" takes them, or says the same as YAML or
JSON: lists "lose" of kind and name, and "add" of pool, cluster, rack, count, cpu, memory,
arch and rackIs (Known or New), or of what the flags take.

Exit code 1: something would not fit.`,
		Example: `  fairway placement simulate -f mobile-bank.yaml -n retail-prod
  fairway placement simulate -f mobile-bank.yaml -n retail-prod --lose datacenter/dc-east
  fairway placement simulate --lose dc-east
  fairway placement simulate --lose host/east-1/east-biz-1 --lose host/east-1/east-biz-2
  fairway placement simulate --lose rack/dc-east/east-a --add-hosts retail-business/east-1/east-b=2
  fairway placement simulate --add-hosts retail-business/east-1/east-c=4,cpu=16,memory=64Gi,arch=arm64,new`,
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
	f.StringArrayVar(&lose, "lose", nil, "what is lost: KIND/NAME, or a name that only one thing bears; repeatable")
	f.StringArrayVar(&add, "add-hosts", nil, "POOL/CLUSTER/RACK=COUNT[,cpu=16,memory=64Gi][,arch=arm64][,new] of hosts that come; repeatable")
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
		one, err := lossOf(text)
		if err != nil {
			return nil, err
		}
		change["lose"] = append(change["lose"], one)
	}
	for _, text := range add {
		one, err := additionOf(text)
		if err != nil {
			return nil, err
		}
		change["add"] = append(change["add"], one)
	}
	if len(change["lose"])+len(change["add"])+len(change["applications"]) == 0 {
		return nil, cli.Usage("say what is lost (--lose) or added (--add-hosts), or give a file (-f)")
	}
	return change, nil
}

// lossOf reads KIND/NAME, or a name that only one thing bears.
func lossOf(text string) (map[string]any, error) {
	kind, name, _ := strings.Cut(text, "/")
	switch known := lossKinds[strings.ToLower(kind)]; {
	case strings.TrimSpace(text) == "", known != "" && strings.HasPrefix(text, kind+"/") && name == "":
		return nil, cli.Usage("could not read --lose %q: write KIND/NAME with a kind of datacenter, cluster, pool, rack or host, or a name that only one thing bears", text)
	case known != "" && name != "":
		return map[string]any{"kind": known, "name": name}, nil
	}
	return map[string]any{"name": text}, nil
}

// additionOf reads POOL/CLUSTER/RACK=COUNT and what each host is: cpu, memory and arch, and
// whether the rack is new.
func additionOf(text string) (map[string]any, error) {
	words := strings.Split(text, ",")
	where, number, ok := strings.Cut(words[0], "=")
	parts := strings.Split(where, "/")
	count, err := strconv.Atoi(number)
	if !ok || err != nil || len(parts) != 3 || slices.Contains(parts, "") {
		return nil, cli.Usage("could not read --add-hosts %q: write POOL/CLUSTER/RACK=COUNT, and behind it perhaps ,cpu=16,memory=64Gi,arch=arm64,new", text)
	}
	one := map[string]any{"pool": parts[0], "cluster": parts[1], "rack": parts[2], "count": count}
	for _, word := range words[1:] {
		name, value, given := strings.Cut(word, "=")
		switch {
		case word == "new":
			name, value = "rackIs", "New"
		case !given || value == "" || name != "cpu" && name != "memory" && name != "arch":
			return nil, cli.Usage("could not read %q in --add-hosts %q: there are cpu=16, memory=64Gi, arch=arm64 and new", word, text)
		}
		if one[name] != nil {
			return nil, cli.Usage("could not read --add-hosts %q: it says %s twice", text, strings.TrimSuffix(word, "="+value))
		}
		one[name] = value
	}
	return one, nil
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
				for _, one := range list {
					if text, short := one.(string); short {
						if one, err = map[string]func(string) (map[string]any, error){"lose": lossOf, "add": additionOf}[name](text); err != nil {
							return err
						}
					}
					change[name] = append(change[name], one)
				}
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
