// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairway-cloud/fairway/internal/audit/witness"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

func init() { commands = append(commands, newWitnessCommand) }

// witnessOptions are the flags of "fairway witness".
type witnessOptions struct {
	dir, listen, name string
	logKeys           []string
	certFile, keyFile string
	verbosity         int
}

func newWitnessCommand() *cobra.Command {
	o := witnessOptions{}
	command := &cobra.Command{
		Use:   "witness",
		Short: "Countersigns the checkpoints of evidence logs, from another administrative place",
		Long: `Runs a witness (C2SP tlog-witness). It remembers the last checkpoint of each log
that it has signed, and signs another only when that one holds everything the
last one held. A log that was rewritten, even with its own key, gets no signature.

It belongs where those who run the log have no say. Its key is made at the first
start; <dir>/witness.key.pub is what servers and auditors need.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runWitness(cmd.Context(), o) },
	}
	flags := command.Flags()
	flags.StringVar(&o.dir, "dir", "", "folder for the witness's key and the last checkpoints (required)")
	flags.StringArrayVar(&o.logKeys, "log-key", nil, "public key of a log: the key itself or its file, such as evidence/log.key.pub; repeatable (required)")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8444", "address to listen on")
	flags.StringVar(&o.name, "name", "witness", "name of the key where one is made, such as witness.dr.bank.example")
	flags.StringVar(&o.certFile, "tls-cert", "", "certificate, PEM; needed on other addresses than this machine's own")
	flags.StringVar(&o.keyFile, "tls-key", "", "key of the certificate, PEM")
	flags.IntVar(&o.verbosity, "verbosity", 0, "0: what changed; 1: and why")
	for _, name := range []string{"dir", "log-key"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return command
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func runWitness(ctx context.Context, o witnessOptions) (err error) {
	if o.certFile == "" && !isLoopback(o.listen) {
		return fmt.Errorf("could not listen on %q: --tls-cert and --tls-key are needed on other addresses than this machine's own", o.listen)
	}
	logger := newLogger(o.verbosity)
	var keys []string
	for _, argument := range o.logKeys {
		key, err := sealing.PublicKey(argument)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	w, err := witness.Open(witness.Options{Dir: o.dir, Logs: keys, Name: o.name, Log: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	s := &http.Server{Handler: w, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
	serve := s.Serve
	if o.certFile != "" {
		sealed, err := sealing.Server{CertFile: o.certFile, KeyFile: o.keyFile, Protocols: sealing.HTTP}.Open()
		if err != nil {
			return err
		}
		serve = func(l net.Listener) error { return sealed.Serve(s, l) }
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("could not listen on %q: %w", o.listen, err)
	}
	logger.Info("the witness starts", "version", version, "listen", o.listen, "dir", o.dir, "key", w.PublicKey(), "logs", len(keys), "sealing", sealing.Build())
	ended := make(chan error, 1)
	go func() { ended <- serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("the witness ended: %w", err)
	case <-ctx.Done():
	}
	drain, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	return s.Shutdown(drain)
}
