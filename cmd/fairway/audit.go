// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import "github.com/spf13/cobra"

func init() { commands = append(commands, newAuditCommand) }

// auditCommands are the commands of the group; each file adds its own in init.
var auditCommands []func() *cobra.Command

func newAuditCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "audit",
		Short: "Finds, shows, exports and verifies evidence: who did what, on whose approval, with which result",
	}
	for _, one := range auditCommands {
		command.AddCommand(one())
	}
	return command
}
