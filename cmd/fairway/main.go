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

// exitCode is 1 for a failure unless the command says another: 2 wrong usage,
// 3 denied, 4 approval pending, 5 conflict.
func exitCode(err error) int {
	var coded *exitError
	if errors.As(err, &coded) {
		return coded.code
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
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{code: 2, err: err} })
	for _, command := range commands {
		root.AddCommand(command())
	}
	return root
}
