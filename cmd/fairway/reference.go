// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairway-cloud/fairway/internal/sandbox/state"
)

//go:generate go run . reference ../../docs/reference/cli.md

func init() { commands = append(commands, newReferenceCommand) }

// newReferenceCommand writes docs/reference/cli.md; "make generate" runs it.
func newReferenceCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "reference FILE",
		Short:  "Writes the reference of all commands as Markdown",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := reference()
			if err != nil {
				return err
			}
			if err := os.WriteFile(args[0], []byte(text), 0o644); err != nil { //nolint:gosec // documentation is for everybody
				return fmt.Errorf("could not write the reference: %w", err)
			}
			return nil
		},
	}
}

// reference is the reference of all commands, the same on every machine.
func reference() (string, error) {
	before, set := os.LookupEnv(state.RootVariable)
	if err := os.Setenv(state.RootVariable, "/var/lib/fairway"); err != nil {
		return "", err
	}
	root := newRoot()
	if set {
		_ = os.Setenv(state.RootVariable, before)
	} else {
		_ = os.Unsetenv(state.RootVariable)
	}
	b := &strings.Builder{}
	b.WriteString(`# Commands

Written by ` + "`make generate`" + ` from the commands themselves; ` + "`fairway COMMAND --help`" + ` shows the same.
What commands end with: [exit codes](exit-codes.md). Installed as ` + "`kubectl-fairway`" + `, the binary is a
plugin of kubectl: ` + "`kubectl fairway get instances`" + `. ` + "`fairway completion SHELL`" + ` writes what a shell
needs to complete kinds, names, seats and namespaces.

`)
	var all []*cobra.Command
	collect(root, &all)
	for _, c := range all {
		fmt.Fprintf(b, "- [`%s`](#%s): %s\n", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
	}
	for i, c := range all {
		if i == 0 {
			b.WriteString(usual(root))
		}
		section(b, c)
	}
	return b.String(), nil
}

// collect lists the commands that do something, in the order of their names.
func collect(parent *cobra.Command, into *[]*cobra.Command) {
	for _, c := range parent.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if !c.HasSubCommands() || asks(c) { // a group asks nothing by itself
			*into = append(*into, c)
		}
		collect(c, into)
	}
}

func section(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."))
	if c.Long != "" && c.Long != c.Short {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(c.Long))
	}
	fmt.Fprintf(b, "\n```\n%s\n```\n", c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\nExamples:\n\n```sh\n%s\n```\n", outdent(c.Example))
	}
	var rows []string
	row := func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || (asks(c) && slices.Contains(usualFlags, f.Name)) {
			return
		}
		rows = append(rows, flagRow(f))
	}
	c.LocalFlags().VisitAll(row)
	c.InheritedFlags().VisitAll(row)
	if len(rows) > 0 {
		fmt.Fprintf(b, "\n%s", flagTable(rows))
	}
	if asks(c) {
		b.WriteString("\nAnd the [usual flags](#usual-flags).\n")
	}
}

// usualFlags are those of every command that asks the server.
var usualFlags = []string{"config", "server", "token-file", "context", "as-account", "ca-file", "timeout", "quiet", "verbose"}

// asks says whether the command asks the server.
func asks(c *cobra.Command) bool {
	return c.Flags().Lookup("config") != nil && c.Flags().Lookup("ca-file") != nil
}

// usual explains the flags that all commands of the server have.
func usual(root *cobra.Command) string {
	get, _, err := root.Find([]string{"get"})
	if err != nil {
		return ""
	}
	var rows []string
	for _, name := range usualFlags {
		if f := get.Flags().Lookup(name); f != nil {
			rows = append(rows, flagRow(f))
		}
	}
	return "\n## Usual flags\n\nEvery command that asks the server has these.\n\n" + flagTable(rows)
}

func flagTable(rows []string) string {
	return "| Flag | Meaning |\n|---|---|\n" + strings.Join(rows, "\n") + "\n"
}

func flagRow(f *pflag.Flag) string {
	name := "`--" + f.Name + "`"
	if f.Shorthand != "" {
		name = "`-" + f.Shorthand + "`, " + name
	}
	text := strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(f.Usage)
	switch f.DefValue {
	case "", "false", "0", "0s", "[]":
	default:
		text += " (default `" + f.DefValue + "`)"
	}
	return fmt.Sprintf("| %s | %s |", name, text)
}

func outdent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
