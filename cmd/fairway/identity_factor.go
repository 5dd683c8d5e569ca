// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { identityCommands = append(identityCommands, newFactorCommand) }

const factorPath = "/api/v1/identity/second-factor"

func newFactorCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "second-factor",
		Short: "Sets up a second factor for your own local account, or takes it away",
		Long: `Sets up a second factor (TOTP) for the local account that you are logged in with, or
takes it away. From then on a login needs a code of your authenticator besides the
password. Who lost the authenticator is invited anew by a security administrator.`,
	}
	command.AddCommand(newFactorEnrol(),
		factorCode("confirm", "Turns the second factor on with a code of your authenticator", "/confirm", "the second factor is on: the next login needs a code\n"),
		factorCode("remove", "Turns the second factor off with a code of your authenticator", "/remove", "the second factor is off: the password alone logs you in\n"))
	return command
}

func newFactorEnrol() *cobra.Command {
	c := &caller{}
	return c.withFlags(&cobra.Command{
		Use:   "enrol",
		Short: "Shows the secret of a new second factor, once",
		Long: `Shows the secret of a new second factor, once: an otpauth address for an
authenticator. Nothing changes until "fairway identity second-factor confirm".`,
		Example: `  fairway identity second-factor enrol
  fairway identity second-factor confirm --code 123456`,
		Args: cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) error {
			answer, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: factorPath})
			if err != nil {
				return err
			}
			made := struct {
				URL string `json:"url"`
			}{}
			if err := answer.Decode(&made); err != nil {
				return err
			}
			_, _ = fmt.Fprintln(progress(cmd), "give this address to your authenticator; it is shown this once. Then: fairway identity second-factor confirm")
			_, err = fmt.Fprintln(cmd.OutOrStdout(), made.URL)
			return err
		}),
	})
}

// factorCode is a command that a code of the second factor allows.
func factorCode(use, short, path, said string) *cobra.Command {
	c := &caller{}
	var code string
	command := c.withFlags(&cobra.Command{
		Use:     use,
		Short:   short,
		Example: "  fairway identity second-factor " + use + " --code 123456",
		Args:    cobra.NoArgs,
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, _ []string) (err error) {
			given := code
			if given == "" {
				if given, err = (&secrets{in: cmd.InOrStdin(), tell: progress(cmd)}).read("code of the second factor", ""); err != nil {
					return err
				}
			}
			if _, err := api.Do(ctx, cli.Request{Method: http.MethodPost, Path: factorPath + path, Body: map[string]any{"code": given}}); err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), said)
			return err
		}),
	})
	command.Flags().StringVar(&code, "code", "", "six digits, good once (default: asked for)")
	return command
}
