// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	desk "github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/audit/hooks"
	"github.com/fairway-cloud/fairway/internal/cli"
	"github.com/fairway-cloud/fairway/internal/identity/tokenfile"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/server"
	"github.com/fairway-cloud/fairway/internal/server/hooked"
)

func init() { commands = append(commands, newHubCommand) }

// hookOptions are the flags about writes that come past the server, and about
// where evidence goes.
type hookOptions struct {
	tokenFile, clientCA string
	at, ca              string
	sinks, retention    string
	auditLogs           string
	knownAccounts       []string
}

// notAsked says aloud that the hub does not ask this server.
const notAsked = "none"

func (o *hookOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.at, "hooks", "", "address at which the hub asks this server before it stores something, as given to \"fairway hub install-hooks --url\"; production acts are refused while it does not ask there. \"none\": it does not ask at all, so that writes past the server leave no evidence (required)")
	flags.StringVar(&o.ca, "hooks-ca", "", "certificate authority by which the hub knows this server, as given to \"fairway hub install-hooks --ca-file\", PEM (default: the file of --tls-cert)")
	flags.StringVar(&o.tokenFile, "hooks-token", "", "file of the token with which the hub asks, mode 0600, the same for all servers; made when missing (default <data-dir>/hook.token)")
	flags.StringVar(&o.clientCA, "hooks-client-ca", "", "certificate authority of the hub's client certificate, PEM: the token alone is not enough then (default: none)")
	flags.StringVar(&o.sinks, "evidence-sinks", "", "file that names the systems to which evidence is passed on, see docs/howto/find-and-export-evidence.md; empty: none")
	flags.StringVar(&o.auditLogs, "audit-logs", "", "folder with the audit logs of the API servers, a folder for each cluster and \"hub\" for the hub; all the time they are compared with evidence; empty: every cluster is unaudited")
	flags.StringSliceVar(&o.knownAccounts, "audit-known-account", nil, "account, or group:NAME, whose writes in Fairway's namespaces of members are its own business, such as an operator's service account; repeatable")
	flags.StringVar(&o.retention, "evidence-retention", "", "file that says how long classes of evidence are kept, and what is held (default: system and login 1 year, change 5, approval and crosscheck 10)")
}

// hookToken is that with which the hub asks; it is made when it is missing.
func (h *house) hookToken() (string, error) {
	file := cmp.Or(h.options.hook.tokenFile, filepath.Join(h.options.dataDir, "hook.token"))
	if _, err := tokenfile.Ensure(file); err != nil {
		return "", err
	}
	return tokenfile.Read(file)
}

// hooked is the configuration with which the hub is to ask this server; nil where it
// is said that it does not.
func (h *house) hooked() (*admissionregistrationv1.ValidatingWebhookConfiguration, error) {
	o := h.options.hook
	if o.at == notAsked {
		h.log.Warn("the hub does not ask this server (--hooks none): writes past it leave no evidence, and a decision that does not count is not refused when it is made")
		return nil, nil
	}
	at, err := hooksAddress(o.at)
	if err != nil {
		return nil, fmt.Errorf("could not tell where the hub asks this server: %w; give --hooks the address, or \"none\"", err)
	}
	ca, err := os.ReadFile(cmp.Or(o.ca, h.options.certFile))
	if err != nil {
		return nil, fmt.Errorf("could not read by which authority the hub knows this server: %w", err)
	}
	token, err := h.hookToken()
	if err != nil {
		return nil, err
	}
	return hooked.Configuration(admission.Server{URL: at, Token: token, CA: ca})
}

// hooksAddress is the address at which the hub reaches a server.
func hooksAddress(text string) (string, error) {
	at, err := url.Parse(text)
	if err != nil || at.Scheme != "https" || at.Host == "" || strings.Trim(at.Path, "/") != "" || at.RawQuery != "" {
		return "", fmt.Errorf("could not use address %q: it looks like https://fairway.bank.example:8443", text)
	}
	return "https://" + at.Host, nil
}

// hook answers the hub beside the API: it has its own way to know who asks.
func (h *house) hook(hub *server.Hub, decisions *desk.Desk, api http.Handler) (http.Handler, error) {
	token, err := h.hookToken()
	if err != nil {
		return nil, err
	}
	clients, err := sealing.ReadSigners(h.options.hook.clientCA)
	if err != nil {
		return nil, err
	}
	evidence, err := hooks.New(hooks.Config{Recorder: h.recorder, Token: token, Clients: clients, InFlight: hub.InFlight, Look: look(h.mgr.GetAPIReader()), Log: h.log})
	if err != nil {
		return nil, err
	}
	if err := h.mgr.Add(everywhere(evidence.Run)); err != nil {
		return nil, err
	}
	early := &admission.Door{Path: desk.HookPath, Token: token, Clients: clients, Judge: decisions.Judge(h.log)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case hooks.Owns(r.URL.Path):
			evidence.ServeHTTP(w, r)
		case early.Owns(r.URL.Path):
			early.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	}), nil
}

// clientCertificates asks for a client certificate where somebody looks at it.
func (h *house) clientCertificates() sealing.Clients {
	if h.options.hook.clientCA != "" {
		return sealing.ClientsMay
	}
	return h.door.clientCertificates()
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
		Use:   "install-hooks --url URL --token-file FILE --ca-file FILE",
		Short: "Prints the admission configuration with which the hub asks the server before it stores something",
		Long: `Prints the ValidatingWebhookConfiguration with which the hub asks the server: before
every write to Fairway's kinds, so that a cluster administrator with kubectl is recorded
too, and before a decision on an approval, so that one that would not count is refused
at once, however it is made. Whoever installs the hub applies it, after the server runs
with the same address in --hooks: the server writes no admission configuration, and
refuses production acts while this one is missing or altered. It holds the token of the
hooks: handle it as a secret. While the server does not answer, nobody but Fairway's own
account writes these kinds.`,
		Example: `  fairway hub install-hooks --url https://fairway.bank.example:8443 --token-file data/hook.token --ca-file ca.crt | kubectl apply -f -`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := hooksAddress(address)
			if err != nil {
				return coded(cli.Usage("%v", err))
			}
			token, err := tokenfile.Read(tokenFile)
			if err != nil {
				return coded(cli.Usage("%v", err))
			}
			ca, err := os.ReadFile(caFile)
			if err != nil {
				return coded(cli.Usage("could not read the server's certificate authority: %v", err))
			}
			if _, err := sealing.ReadSigners(caFile); err != nil {
				return coded(cli.Usage("%v", err))
			}
			made, err := hooked.Configuration(admission.Server{URL: at, Token: token, CA: ca})
			if err != nil {
				return err
			}
			raw, err := yaml.Marshal(made)
			if err != nil {
				return fmt.Errorf("could not write the configuration: %w", err)
			}
			_, err = cmd.OutOrStdout().Write(raw)
			return err
		},
	}
	f := install.Flags()
	f.StringVar(&address, "url", "", "address at which the hub reaches the server (required)")
	f.StringVar(&tokenFile, "token-file", "", "file of the hooks' token, <data-dir>/hook.token of the server (required)")
	f.StringVar(&caFile, "ca-file", "", "certificate authority of the server's certificate, PEM (required)")
	if err := errors.Join(install.MarkFlagRequired("url"), install.MarkFlagRequired("token-file"), install.MarkFlagRequired("ca-file")); err != nil {
		panic(err) // a flag is not there
	}
	command.AddCommand(install)
	return command
}
