// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/config"
	"github.com/fairway-cloud/fairway/internal/audit/hooks"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/server"
)

func init() { commands = append(commands, newHubCommand) }

// hookOptions are the flags about writes that come past the server, and about
// where evidence goes.
type hookOptions struct {
	tokenFile, clientCA string
	sinks, retention    string
	auditLogs           string
	knownAccounts       []string
}

func (o *hookOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.tokenFile, "evidence-hook-token", "", "file of the token with which the hub asks before writes past the server, mode 0600, the same for all servers; made when missing (default <data-dir>/hook.token)")
	flags.StringVar(&o.clientCA, "evidence-hook-ca", "", "certificate authority of the hub's client certificate, PEM: the token alone is not enough then (default: none)")
	flags.StringVar(&o.sinks, "evidence-sinks", "", "file that names the systems to which evidence is passed on, see docs/howto/find-and-export-evidence.md; empty: none")
	flags.StringVar(&o.auditLogs, "audit-logs", "", "folder with the audit logs of the API servers, a folder for each cluster and \"hub\" for the hub; all the time they are compared with evidence; empty: every cluster is unaudited")
	flags.StringSliceVar(&o.knownAccounts, "audit-known-account", nil, "account, or group:NAME, whose writes in Fairway's namespaces of members are its own business, such as an operator's service account; repeatable")
	flags.StringVar(&o.retention, "evidence-retention", "", "file that says how long classes of evidence are kept, and what is held (default: system and login 1 year, change 5, approval and crosscheck 10)")
}

// hook answers the hub beside the API: it has its own way to know who asks.
func (h *house) hook(hub *server.Hub, api http.Handler) (http.Handler, error) {
	o := h.options.hook
	if o.tokenFile == "" {
		o.tokenFile = filepath.Join(h.options.dataDir, "hook.token")
	}
	if _, err := tokenfile.Ensure(o.tokenFile); err != nil {
		return nil, err
	}
	token, err := tokenfile.Read(o.tokenFile)
	if err != nil {
		return nil, err
	}
	clients, err := authorities(o.clientCA)
	if err != nil {
		return nil, err
	}
	hook, err := hooks.New(hooks.Config{Recorder: h.recorder, Token: token, Clients: clients, InFlight: hub.InFlight, Look: look(h.mgr.GetAPIReader()), Log: h.log})
	if err != nil {
		return nil, err
	}
	if err := h.mgr.Add(everywhere(hook.Run)); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hooks.Owns(r.URL.Path) {
			hook.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	}), nil
}

// clientAuth asks for a client certificate where somebody looks at it.
func (h *house) clientAuth() tls.ClientAuthType {
	if h.options.hook.clientCA != "" {
		return tls.RequestClientCert
	}
	return h.door.clientAuth()
}

// look reads an object of the hub as it is.
func look(hub client.Reader) func(ctx context.Context, group, version, kind, namespace, name string) (map[string]any, error) {
	return func(ctx context.Context, group, version, kind, namespace, name string) (map[string]any, error) {
		o := &unstructured.Unstructured{}
		o.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: version, Kind: kind})
		err := hub.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return o.Object, err
	}
}

func newHubCommand() *cobra.Command {
	command := &cobra.Command{Use: "hub", Short: "Prints what is installed on the hub"}
	var address, tokenFile, caFile string
	install := &cobra.Command{
		Use:   "install-evidence --url URL --token-file FILE --ca-file FILE",
		Short: "Prints the admission configuration with which the hub has writes past the server recorded",
		Long: `Prints the ValidatingWebhookConfiguration with which the hub asks the server before
every write to Fairway's kinds, so that a cluster administrator with kubectl is
recorded too. Whoever installs the hub applies it, after the server runs: the server
writes no admission configuration. It holds the token of the hook: handle it as a
secret. While the server does not answer, nobody but Fairway's own account writes
these kinds.`,
		Example: `  fairway hub install-evidence --url https://fairway.bank.example:8443 --token-file data/hook.token --ca-file ca.crt | kubectl apply -f -`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := url.Parse(address)
			if err != nil || at.Scheme != "https" || at.Host == "" || strings.Trim(at.Path, "/") != "" {
				return coded(cli.Usage("could not use address %q: it looks like https://fairway.bank.example:8443", address))
			}
			token, err := tokenfile.Read(tokenFile)
			if err != nil {
				return coded(cli.Usage("%v", err))
			}
			ca, err := os.ReadFile(caFile)
			if err != nil {
				return coded(cli.Usage("could not read the server's certificate authority: %v", err))
			}
			if _, err := authorities(caFile); err != nil {
				return coded(cli.Usage("%v", err))
			}
			kinds, err := httpapi.Kinds(config.CRDs)
			if err != nil {
				return err
			}
			raw, err := yaml.Marshal(hooks.Configuration("https://"+at.Host+hooks.Path+token, ca, kinds))
			if err != nil {
				return fmt.Errorf("could not write the configuration: %w", err)
			}
			_, err = cmd.OutOrStdout().Write(raw)
			return err
		},
	}
	f := install.Flags()
	f.StringVar(&address, "url", "", "address at which the hub reaches the server (required)")
	f.StringVar(&tokenFile, "token-file", "", "file of the hook's token, <data-dir>/hook.token of the server (required)")
	f.StringVar(&caFile, "ca-file", "", "certificate authority of the server's certificate, PEM (required)")
	if err := errors.Join(install.MarkFlagRequired("url"), install.MarkFlagRequired("token-file"), install.MarkFlagRequired("ca-file")); err != nil {
		panic(err) // a flag is not there
	}
	command.AddCommand(install)
	return command
}
