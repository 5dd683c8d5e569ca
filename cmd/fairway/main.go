// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command fairway is the container cloud platform's one binary: the server,
// the command line, and the sandbox.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set when the binary is built.
var version = "unknown"

// commands are the top-level commands; each file adds its own in init.
var commands []func() *cobra.Command

// exitError carries the exit code that a command wants, with its reason.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return "" // the code says it all
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		if text := err.Error(); text != "" {
			fmt.Fprintln(os.Stderr, "fairway:", text)
		}
		stop()
		os.Exit(exitCode(err))
	}
}

// exitCode is 1 for a failure unless the command says another;
// docs/reference/exit-codes.md lists them.
func exitCode(err error) int {
	var coded *exitError
	if errors.As(err, &coded) {
		return coded.code
	}
	// What cobra itself finds wrong with the command line carries no type.
	for _, usage := range []string{"unknown command", "required flag"} {
		if strings.HasPrefix(err.Error(), usage) {
			return 2
		}
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "fairway",
		Short:         "Fairway runs a bank's applications on many Kubernetes clusters",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	if strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-") {
		// As a plugin of kubectl the help says how we are called.
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl fairway"}
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{code: 2, err: err} })
	for _, command := range commands {
		root.AddCommand(command())
	}
	strict(root)
	return root
}

// strict makes wrong arguments an error of usage, with its exit code, in every
// command; a group refuses what is not one of its commands.
func strict(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		strict(c)
		if c.HasSubCommands() && !c.Runnable() {
			c.Args = cobra.ArbitraryArgs
			c.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					return cmd.Help()
				}
				return &exitError{code: 2, err: fmt.Errorf("unknown command %q for %q; see --help", args[0], cmd.CommandPath())}
			}
		}
		if check := c.Args; check != nil {
			c.Args = func(cmd *cobra.Command, args []string) error {
				err := check(cmd, args)
				var already *exitError
				if err == nil || errors.As(err, &already) {
					return err
				}
				return &exitError{code: 2, err: fmt.Errorf("%w; see --help", err)}
			}
		}
	}
}
