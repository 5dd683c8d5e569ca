// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

func init() { commands = append(commands, newClusterCommand, newAppCommand, newVersionCommand) }

// mostKubeconfig is the most bytes of a kubeconfig that are sent.
const mostKubeconfig = 256 << 10

func newClusterCommand() *cobra.Command {
	command := &cobra.Command{Use: "cluster", Short: "Takes clusters into the fleet"}
	c := &caller{}
	var kubeconfig, dataCenter, environment string
	var classes map[string]string
	var wait bool
	join := &cobra.Command{
		Use:     "join NAME --kubeconfig FILE --data-center NAME --environment NAME",
		Short:   "Takes a cluster in: checks the kubeconfig and the cluster, and keeps its credentials",
		Example: "  fairway cluster join east-1 --kubeconfig east-1.kubeconfig --data-center dc-east --environment prod --wait",
		Args:    cobra.ExactArgs(1),
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			if kubeconfig == "" || dataCenter == "" || environment == "" {
				return cli.Usage("--kubeconfig, --data-center and --environment are needed")
			}
			content, err := readKubeconfig(kubeconfig, cmd.InOrStdin())
			if err != nil {
				return err
			}
			kind, err := kindOf(ctx, api, "clusters")
			if err != nil {
				return err
			}
			_, err = api.Do(ctx, cli.Request{Method: http.MethodPost, Path: kind.Path("", given[0]) + "/join", Body: cli.Object{
				"kubeconfig": content, "dataCenter": dataCenter, "environment": environment, "storageClasses": storageClasses(classes),
			}})
			if err != nil {
				return err
			}
			if wait {
				if _, err := api.Wait(ctx, kind, "", given[0], progress(cmd)); err != nil {
					return err
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s joined\n", kind.FullName(given[0]))
			return err
		}),
	}
	c.flags(join)
	f := join.Flags()
	f.StringVar(&kubeconfig, "kubeconfig", "", "file of a kubeconfig with its credentials inside, - for standard input (required)")
	f.StringVar(&dataCenter, "data-center", "", "data centre that the cluster stands in (required)")
	f.StringVar(&environment, "environment", "", "environment that the cluster serves (required)")
	f.StringToStringVar(&classes, "storage-class", nil, "KIND=CLASS: the cluster's storage class for volumes of the kind Local, Shared or Block; repeatable")
	f.BoolVar(&wait, "wait", false, "wait until the cluster is ready")
	command.AddCommand(join)
	return command
}

// storageClasses says which of the cluster's storage classes give the volumes of
// the model.
func storageClasses(classes map[string]string) []any {
	list := []any{}
	for _, volume := range slices.Sorted(maps.Keys(classes)) {
		list = append(list, cli.Object{"kind": volume, "className": classes[volume]})
	}
	return list
}

func readKubeconfig(path string, stdin io.Reader) (string, error) {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", cli.Usage("could not read kubeconfig %q: %v", path, err)
		}
		defer file.Close() //nolint:errcheck // only read
		from = file
	}
	raw, err := io.ReadAll(io.LimitReader(from, mostKubeconfig+1))
	if err != nil {
		return "", cli.Usage("could not read kubeconfig %q: %v", path, err)
	}
	if len(raw) > mostKubeconfig {
		return "", cli.Usage("could not read kubeconfig %q: it is larger than %d KiB", path, mostKubeconfig>>10)
	}
	return string(raw), nil
}

func newAppCommand() *cobra.Command {
	command := &cobra.Command{Use: "app", Short: "Checks applications"}
	c, s := &caller{}, &sources{}
	var output string
	check := &cobra.Command{
		Use:   "check -f FILE | check APPLICATION",
		Short: "Runs the go-live checks; each finding says what to change",
		Long: `Runs the go-live checks over the applications in files, or over a stored one.

Exit code 0: no error was found, warnings perhaps. 1: at least one error.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: c.completeApplications,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			kind, err := kindOf(ctx, api, "applications")
			if err != nil {
				return err
			}
			if len(given) == 1 {
				findings, err := api.Check(ctx, kind, api.Namespace(), given[0], nil)
				if err != nil {
					return err
				}
				return cli.ShowFindings(cmd.OutOrStdout(), kind, given[0], findings, cli.Output(output))
			}
			documents, err := s.read(ctx, api, cmd)
			if err != nil {
				return err
			}
			var worst error
			for _, d := range documents {
				if d.Kind.Kind != kind.Kind {
					continue
				}
				findings, err := api.Check(ctx, kind, cli.NamespaceOf(d.Object), cli.NameOf(d.Object), d.Object)
				if err == nil {
					err = cli.ShowFindings(cmd.OutOrStdout(), kind, cli.NameOf(d.Object), findings, cli.Output(output))
				}
				worst = errors.Join(worst, err)
			}
			return worst
		}),
	}
	c.flags(check)
	c.scope(check)
	s.flags(check)
	check.Flags().StringVarP(&output, "output", "o", "", "json (default: a line per finding)")
	command.AddCommand(check)
	return command
}

func newVersionCommand() *cobra.Command {
	c := &caller{}
	var only bool
	command := &cobra.Command{
		Use:   "version",
		Short: "Shows the versions of the command line and of the server",
		Long: `Shows the versions of the command line and of the server, and the algorithms with
which this program hashes, signs and seals connections.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, given []string) error {
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "client: %s\nseals:  %s\n", version, sealing.Build())
			if only {
				return nil
			}
			return c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
				answer, err := api.Do(ctx, cli.Request{Method: http.MethodGet, Path: "/api/v1/kinds"})
				if err != nil {
					return err
				}
				server := struct {
					Version string `json:"version"`
				}{}
				if err := answer.Decode(&server); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "server: %s\n", server.Version)
				return err
			})(cmd, given)
		},
	}
	c.flags(command)
	command.Flags().BoolVar(&only, "client", false, "only the command line's own version")
	return command
}
