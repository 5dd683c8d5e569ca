// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fairway-cloud/fairway/internal/audit/mask"
	"github.com/fairway-cloud/fairway/internal/audit/retention"
	"github.com/fairway-cloud/fairway/internal/platform/database"
	"github.com/fairway-cloud/fairway/internal/platform/members/connections"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/release/kept"
)

// serverOptions are the flags of "fairway server".
type serverOptions struct {
	kubeconfig      string
	listen          string
	certFile        string
	keyFile         string
	dataDir         string
	tokenFile       string
	noBootstrap     bool
	firstAccount    string
	loginSettings   string
	identityKeyFile string
	database        string
	actAs           []string
	evidence        evidenceOptions
	hook            hookOptions
	metricsAddress  string
	pprofAddress    string
	loopback        bool
	registries      []string
	plainRegistries []string
	registryLogin   string
	dnsNetworks     []string
	drain           time.Duration
	verbosity       int
	itsmConfig      string
	notifyConfig    string
	cmdbConfig      string
	// prometheusConfig says which Prometheus TagRules ask.
	prometheusConfig string
}

func init() { commands = append(commands, newServerCommand) }

func newServerCommand() *cobra.Command {
	o := serverOptions{}
	command := &cobra.Command{
		Use:   "server",
		Short: "Runs controllers and REST API (profile single: one replica, SQLite, local disk)",
		Long: `Runs Fairway: the controllers, which the holder of the lease runs, and the REST API.

The profile "single" keeps its data (evidence, read model) in one folder, and a
second server on the same folder refuses to start.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runServer(cmd.Context(), o)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of the hub, with the server's own credential (required)")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8443", "address of the REST API")
	flags.StringVar(&o.certFile, "tls-cert", "", "certificate of the REST API, PEM (required)")
	flags.StringVar(&o.keyFile, "tls-key", "", "key of the certificate, PEM (required)")
	flags.StringVar(&o.dataDir, "data-dir", "", "folder for evidence and read model (required)")
	flags.StringVar(&o.tokenFile, "token-file", "", "file of the administrator's token, mode 0600; made when missing (default <data-dir>/admin.token)")
	flags.BoolVar(&o.noBootstrap, "no-bootstrap-token", false, "take no administrator's token: people log in, and nobody else")
	flags.StringVar(&o.firstAccount, "first-account", "", "NAME=PERSON: open this local account where there is none yet, and leave its invitation in <data-dir>/first-account")
	flags.StringVar(&o.loginSettings, "login-settings", "", "file with the ways to log in, see docs/reference/login.md (default: local accounts alone)")
	flags.StringVar(&o.identityKeyFile, "identity-key-file", "", "key that seals second factors, mode 0600, the same for all servers; made when missing (default <data-dir>/identity.key)")
	flags.StringVar(&o.database, "database", "", "sessions, tokens and local accounts: postgres://… or a SQLite file (default <data-dir>/fairway.db)")
	o.evidence.add(flags)
	flags.StringSliceVar(&o.actAs, "impersonate-group", nil, "the only groups of people that are taken to the hub; needed where the hub is older than Kubernetes 1.36; repeatable")
	o.hook.add(flags)
	flags.StringVar(&o.metricsAddress, "metrics-address", "", "loopback address that serves /metrics without a token, such as 127.0.0.1:9443; empty: none")
	flags.StringVar(&o.pprofAddress, "pprof-address", "", "loopback address that serves /debug/pprof; empty: none")
	flags.BoolVar(&o.loopback, "allow-loopback-members", false, "accept members on this machine's own addresses, as the sandbox has them")
	flags.StringSliceVar(&o.registries, "registry", nil, "registry that is asked for image digests, name or name=host:port; no other is asked; repeatable")
	flags.StringSliceVar(&o.plainRegistries, "plain-http-registry", nil, "the same, over plain HTTP; repeatable")
	flags.StringVar(&o.registryLogin, "registry-login", "", "file with the logins at these registries, as docker writes it (config.json); read at each question; empty: asked without")
	flags.StringSliceVar(&o.dnsNetworks, "dns-network", nil, "network of name servers that instances may ask besides the cluster's own; repeatable")
	flags.DurationVar(&o.drain, "drain", 10*time.Second, "time that requests under way have to end when the server stops")
	flags.StringVar(&o.itsmConfig, "itsm-config", "", "file that names the systems of the bank, such as its ITSM, that approval policies ask; empty: none")
	flags.StringVar(&o.cmdbConfig, "cmdb-config", "", "file that names who is told which instances there are, such as the CMDB; empty: nobody")
	flags.StringVar(&o.notifyConfig, "notify-config", "", "file that says how people are told of approvals, by mail and webhook; empty: nobody is told")
	flags.StringVar(&o.prometheusConfig, "prometheus-config", "", "file that says which Prometheus the tag rules of profiles ask; empty: none")
	flags.IntVar(&o.verbosity, "verbosity", 0, "0: what changed; 1: and why")
	for _, name := range []string{"kubeconfig", "tls-cert", "tls-key", "data-dir", "hooks"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return command
}

// runServer opens what the server owns, runs it until ctx ends, and closes in
// the reverse order.
func runServer(ctx context.Context, o serverOptions) (err error) {
	logger := newLogger(o.verbosity)
	unlock, err := ownFolder(o.dataDir)
	if err != nil {
		return err
	}
	defer unlock()
	inProduction := &production{}
	evidence, err := o.evidence.open(o.dataDir, inProduction, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, evidence.Close()) }()
	if err := evidence.Register(metrics.Registry); err != nil {
		return err
	}
	store, err := readmodel.Open(ctx, filepath.Join(o.dataDir, "readmodel.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	owned, err := database.Open(ctx, o.databaseSource())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, owned.Close()) }()

	stops, err := kept.Open(filepath.Join(o.dataDir, "stops"))
	if err != nil {
		return err
	}
	mgr, lock, err := newManager(o, logger)
	if err != nil {
		return err
	}
	inProduction.know(mgr.GetClient())
	images, err := newResolver(o)
	if err != nil {
		return err
	}
	if err := images.Keep(ctx, owned, logger); err != nil {
		return err
	}
	h := &house{
		options: o, log: logger, mgr: mgr, lock: lock, database: owned, recorder: mask.Recorder(retention.Recorder(evidence)), ledger: evidence, images: images,
		store: store, sink: readmodel.NewSink(store, logger), stops: stops,
	}
	h.members = connections.New(connections.Options{Fence: lock, Log: mgr.GetLogger().WithName("members"), Loopback: o.loopback})
	if err := h.openDoor(ctx); err != nil {
		return err
	}
	if err := h.openGate(ctx); err != nil {
		return err
	}
	if err := h.wire(ctx); err != nil {
		return err
	}
	logger.Info("the server starts", "version", version, "listen", o.listen, "data", o.dataDir, "sealing", sealing.Build())
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("the server stopped: %w", err)
	}
	logger.Info("the server has stopped")
	return nil
}

// ownFolder makes the data folder and holds it: a second server on the same
// folder refuses to start.
func ownFolder(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("could not make data folder %q: %w", dir, err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("could not hold data folder %q: %w", dir, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("could not start: another server uses data folder %q; the profile single has one replica, stop that one first", dir)
	}
	return func() { _ = file.Close() }, nil
}

// newLogger is the one handler behind slog, logr and klog. It writes JSON lines
// to stderr.
func newLogger(verbosity int) *slog.Logger {
	level := slog.LevelInfo
	if verbosity > 0 {
		level = slog.Level(-verbosity)
	}
	if verbosity > 1 {
		level = slog.LevelDebug
	}
	logger := slog.New(mask.Handler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	bridge := logr.FromSlogHandler(logger.Handler())
	ctrl.SetLogger(bridge)
	klog.SetLogger(bridge)
	return logger
}
