// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import "github.com/spf13/cobra"

func init() { commands = append(commands, newIdentityCommand) }

// identityCommands are the commands of the group; each file adds its own in init.
var identityCommands []func() *cobra.Command

func newIdentityCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "identity",
		Short: "Administers who may come in",
	}
	for _, one := range identityCommands {
		command.AddCommand(one())
	}
	return command
}
