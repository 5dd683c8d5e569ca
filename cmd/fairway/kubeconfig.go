// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fairway-cloud/fairway/internal/cli"
)

func init() { commands = append(commands, newKubeconfigCommand) }

func newKubeconfigCommand() *cobra.Command {
	c := &caller{}
	var file string
	command := &cobra.Command{
		Use:   "kubeconfig [token]",
		Short: "Writes a kubeconfig with which kubectl reaches the hub as you",
		Long: `Writes a kubeconfig that holds no credential: kubectl asks this command for a token
("fairway kubeconfig token"), which holds for 15 minutes and ends with your login.
Requests go through the server's /hub, under your own name.`,
		Example: `  fairway kubeconfig --file ~/.kube/fairway
  kubectl --kubeconfig ~/.kube/fairway get applications -n retail-sit`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"token"},
		RunE: c.run(func(ctx context.Context, api *cli.Client, cmd *cobra.Command, given []string) error {
			if len(given) == 1 {
				return kubectlToken(ctx, api, cmd)
			}
			raw, err := c.kubeconfig(api)
			if err != nil {
				return err
			}
			if file == "" || file == "-" {
				_, err := cmd.OutOrStdout().Write(raw)
				return err
			}
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				return fmt.Errorf("could not write the kubeconfig: %w", err)
			}
			_, _ = fmt.Fprintf(progress(cmd), "wrote %s; use it with kubectl --kubeconfig %s\n", file, file)
			return nil
		}),
	}
	c.flags(command)
	command.Flags().StringVar(&file, "file", "", "file to write, mode 0600 (default: standard output)")
	return command
}

// kubeconfig names the server's /hub and this command as the one that gives tokens.
func (c *caller) kubeconfig(api *cli.Client) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("could not find out where this command is: %w", err)
	}
	access := api.Access()
	arguments := []string{"kubeconfig", "token"}
	name, file := c.context()
	if name != "" {
		if file, err = filepath.Abs(file); err != nil {
			return nil, err
		}
		arguments = append(arguments, "--config", file, "--context", name)
	} else {
		tokenFile, err := filepath.Abs(access.TokenFile)
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, "--server", access.Server, "--token-file", tokenFile)
		if access.CAFile != "" {
			authority, err := filepath.Abs(access.CAFile)
			if err != nil {
				return nil, err
			}
			arguments = append(arguments, "--ca-file", authority)
		}
	}
	cluster := &clientcmdapi.Cluster{Server: strings.TrimSuffix(access.Server, "/") + "/hub"}
	if access.CAFile != "" {
		if cluster.CertificateAuthorityData, err = os.ReadFile(access.CAFile); err != nil {
			return nil, fmt.Errorf("could not read the certificate of who signed the server's: %w", err)
		}
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["fairway"] = cluster
	config.AuthInfos["fairway"] = &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: self, Args: arguments, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		InstallHint: "fairway is needed on this machine",
	}}
	config.Contexts["fairway"] = &clientcmdapi.Context{Cluster: "fairway", AuthInfo: "fairway", Namespace: access.Namespace}
	config.CurrentContext = "fairway"
	return clientcmd.Write(*config)
}

// kubectlToken answers kubectl with a token of its own.
func kubectlToken(ctx context.Context, api *cli.Client, cmd *cobra.Command) error {
	answer, err := api.Do(ctx, cli.Request{Method: "POST", Path: "/api/v1/identity/kubectl"})
	if err != nil {
		return err
	}
	in := cli.LoggedIn{}
	if err := answer.Decode(&in); err != nil {
		return err
	}
	// A little early, so that no request meets its end.
	until := metav1.NewTime(in.Session.Expires.Add(-30 * time.Second).UTC())
	return json.NewEncoder(cmd.OutOrStdout()).Encode(clientauthentication.ExecCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: "client.authentication.k8s.io/v1", Kind: "ExecCredential"},
		Status:   &clientauthentication.ExecCredentialStatus{Token: in.Token, ExpirationTimestamp: &until},
	})
}
