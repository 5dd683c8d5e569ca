// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/sandbox/control"
	"github.com/fairway-cloud/fairway/internal/sandbox/daemon"
	"github.com/fairway-cloud/fairway/internal/sandbox/kubebox"
	"github.com/fairway-cloud/fairway/internal/sandbox/launch"
	"github.com/fairway-cloud/fairway/internal/sandbox/state"
)

// defaultTopology is the file that "up" reads unless told another.
const defaultTopology = "examples/bank/sandbox.yaml"

// sandboxSteps are what comes after the sandbox's control planes and hosts:
// Fairway's server, the example's images and objects. Files that own such a
// step add it in init.
var sandboxSteps []daemon.Step

func init() { commands = append(commands, newSandbox) }

// sandboxFlags name the sandbox a command is about.
type sandboxFlags struct {
	name  string
	state string
}

func (f *sandboxFlags) folder() state.Folder { return state.Folder{Root: f.state, Name: f.name} }

func (f *sandboxFlags) client() *control.Client { return control.NewClient(f.folder().Socket()) }

func newSandbox() *cobra.Command {
	flags := &sandboxFlags{}
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Real Kubernetes clusters of several data centres on this machine",
	}
	cmd.PersistentFlags().StringVar(&flags.name, "name", "bank", "name of the sandbox")
	cmd.PersistentFlags().StringVar(&flags.state, "state", state.DefaultRoot(), "folder that holds the sandboxes of this machine (or $"+state.RootVariable+")")
	cmd.AddCommand(
		newSandboxUp(flags), newSandboxDown(flags), newSandboxStatus(flags), newSandboxRun(flags), newSandboxNetpol(flags),
		newSandboxHost(flags), newSandboxLink(flags), newSandboxSite(flags),
		newSandboxKubeconfig(flags), newSandboxKubectl(flags), newSandboxLogs(flags),
	)
	return cmd
}

func newSandboxUp(flags *sandboxFlags) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Starts the sandbox of a topology file, or what is not running of it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			content, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("could not read the topology: %w", err)
			}
			name := ""
			if cmd.Flags().Changed("name") {
				name = flags.name
			}
			status, err := launch.Up(cmd.Context(), launch.Options{
				Topology: content, Root: flags.state, Name: name, Progress: launch.NewProgress(cmd.ErrOrStderr()),
			})
			if err != nil {
				return err
			}
			printURLs(cmd.OutOrStdout(), status)
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", defaultTopology, "topology file")
	return cmd
}

func newSandboxDown(flags *sandboxFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Takes the sandbox down and leaves nothing behind, its data included",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return launch.Down(cmd.Context(), flags.folder(), launch.NewProgress(cmd.ErrOrStderr()))
		},
	}
}

// newSandboxRun is the daemon; "up" starts it.
func newSandboxRun(flags *sandboxFlags) *cobra.Command {
	var box string
	cmd := &cobra.Command{
		Use:    "run",
		Short:  "Runs the sandbox's supervisor in the foreground",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if box == "" {
				path, err := kubebox.Ensure(cmd.Context(), kubebox.Options{Progress: cmd.ErrOrStderr()})
				if err != nil {
					return err
				}
				box = path
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("could not find the running binary: %w", err)
			}
			return daemon.Run(cmd.Context(), daemon.Options{
				Folder: flags.folder(), Kubebox: box, Self: self, Steps: sandboxSteps, Missing: daemon.Preflight(),
			})
		},
	}
	cmd.Flags().StringVar(&box, "kubebox", "", "path of the kubebox binary; built when empty")
	return cmd
}

// newSandboxNetpol enforces NetworkPolicies; the daemon starts one per cluster.
func newSandboxNetpol(flags *sandboxFlags) *cobra.Command {
	var cluster, kubeconfig string
	cmd := &cobra.Command{
		Use:    "netpol",
		Short:  "Enforces the NetworkPolicies of a cluster on its real hosts",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return daemon.RunPolicyAgent(cmd.Context(), flags.folder(), cluster, kubeconfig)
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "name of the cluster")
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig of the agent's account")
	return cmd
}

func newSandboxStatus(flags *sandboxFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Shows every component of the sandbox with its state",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := sandboxStatus(cmd.Context(), flags)
			if err != nil {
				return err
			}
			switch output {
			case "json", "yaml":
				raw, err := json.MarshalIndent(status, "", "  ")
				if err == nil && output == "yaml" {
					raw, err = yaml.JSONToYAML(raw)
				}
				if err != nil {
					return err
				}
				_, _ = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(string(raw)))
			case "", "wide":
				printStatus(cmd.OutOrStdout(), status)
			default:
				return &exitError{code: 2, err: fmt.Errorf("could not print as %q: use json, yaml or wide", output)}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, yaml or wide")
	return cmd
}

// sandboxStatus asks the daemon, or tells from the folder that there is none.
func sandboxStatus(ctx context.Context, flags *sandboxFlags) (*control.Status, error) {
	folder := flags.folder()
	saved, err := folder.Load()
	if err != nil {
		return nil, err
	}
	status, err := flags.client().Status(ctx, true)
	if errors.Is(err, control.ErrNoDaemon) {
		return &control.Status{
			Name: folder.Name, Index: saved.Index, State: control.Gone, LogDir: folder.Logs(),
			Message: "its supervisor is gone; \"fairway sandbox up\" takes over what still runs, \"fairway sandbox down\" removes it",
		}, nil
	}
	return status, err
}

func newSandboxHost(flags *sandboxFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "host", Short: "Switches hosts off and on"}
	cmd.AddCommand(
		act("stop NAME", "Switches a host off as a loss of power does", 1, func(ctx context.Context, args []string) error {
			return flags.client().StopHost(ctx, args[0])
		}),
		act("start NAME", "Switches a host on again", 1, func(ctx context.Context, args []string) error {
			return flags.client().StartHost(ctx, args[0])
		}),
	)
	return cmd
}

func newSandboxLink(flags *sandboxFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "link", Short: "Cuts and heals links",
		Long: "Cuts and heals the link between two ends: two data centres, hub and a data centre, a data centre and one of its racks, a rack and one of its hosts.",
	}
	cmd.AddCommand(
		act("cut A B", "Cuts the link between two ends", 2, func(ctx context.Context, args []string) error {
			return flags.client().CutLink(ctx, args[0], args[1])
		}),
		act("heal A B", "Heals the link between two ends", 2, func(ctx context.Context, args []string) error {
			return flags.client().HealLink(ctx, args[0], args[1])
		}),
	)
	return cmd
}

func newSandboxSite(flags *sandboxFlags) *cobra.Command {
	cmd := &cobra.Command{Use: "site", Short: "Loses and restores data centres"}
	cmd.AddCommand(
		act("lose NAME", "Switches a whole data centre off: hosts, control planes and links", 1, func(ctx context.Context, args []string) error {
			return flags.client().LoseSite(ctx, args[0])
		}),
		act("restore NAME", "Switches a lost data centre on again", 1, func(ctx context.Context, args []string) error {
			return flags.client().RestoreSite(ctx, args[0])
		}),
	)
	return cmd
}

// act is a command that asks the daemon for one thing and says how long it took.
func act(use, short string, args int, do func(context.Context, []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			began := time.Now()
			if err := do(cmd.Context(), args); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "done in %s\n", time.Since(began).Round(10*time.Millisecond))
			return nil
		},
	}
}

func newSandboxKubeconfig(flags *sandboxFlags) *cobra.Command {
	return &cobra.Command{
		Use: "kubeconfig CLUSTER", Short: "Prints the administrator's kubeconfig of a cluster (hub, east-1, …)", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := kubeconfigOf(flags, args[0])
			if err != nil {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("could not read the kubeconfig of cluster %q: %w", args[0], err)
			}
			_, err = cmd.OutOrStdout().Write(content)
			return err
		},
	}
}

func kubeconfigOf(flags *sandboxFlags, cluster string) (string, error) {
	plan, _, err := flags.folder().Plan()
	if err != nil {
		return "", err
	}
	if _, ok := plan.Cluster(cluster); !ok {
		var names []string
		for _, c := range plan.Clusters {
			names = append(names, c.Name)
		}
		return "", fmt.Errorf("could not find cluster %q in sandbox %q: it has %s", cluster, flags.name, strings.Join(names, ", "))
	}
	return flags.folder().Kubeconfig(cluster), nil
}

func newSandboxKubectl(flags *sandboxFlags) *cobra.Command {
	return &cobra.Command{
		Use: "kubectl CLUSTER -- ARGS…", Short: "Runs kubectl as administrator of a cluster", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := kubeconfigOf(flags, args[0])
			if err != nil {
				return err
			}
			box, err := kubebox.Ensure(cmd.Context(), kubebox.Options{Progress: cmd.ErrOrStderr()})
			if err != nil {
				return err
			}
			return syscall.Exec(box, append([]string{"kubectl"}, args[1:]...), append(os.Environ(), "KUBECONFIG="+path))
		},
	}
}

func newSandboxLogs(flags *sandboxFlags) *cobra.Command {
	var follow bool
	var lines int
	cmd := &cobra.Command{
		Use: "logs [COMPONENT]", Short: "Prints a component's log, or lists the logs", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := flags.folder().Logs()
			if len(args) == 0 {
				files, _ := filepath.Glob(filepath.Join(dir, "*.log"))
				for _, file := range files {
					_, _ = fmt.Fprintln(cmd.OutOrStdout(), file)
				}
				return nil
			}
			file := filepath.Join(dir, strings.ReplaceAll(args[0], "/", "-")+".log")
			if _, err := os.Stat(file); err != nil {
				return fmt.Errorf("could not find the log of %q in %q: \"fairway sandbox status\" names the components", args[0], dir)
			}
			tail := exec.CommandContext(cmd.Context(), "tail", "-n", fmt.Sprint(lines), file)
			if follow {
				tail.Args = append(tail.Args, "-F")
			}
			tail.Stdout, tail.Stderr = cmd.OutOrStdout(), io.Discard
			return tail.Run()
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as the log grows")
	cmd.Flags().IntVar(&lines, "tail", 200, "lines to print")
	return cmd
}
