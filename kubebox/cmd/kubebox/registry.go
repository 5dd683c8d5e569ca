// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
)

// runRegistry serves one OCI registry over plain HTTP from a directory.
func runRegistry() int {
	flags := pflag.NewFlagSet("registry", pflag.ExitOnError)
	listen := flags.StringSlice("listen", []string{"127.0.0.1:5000"}, "addresses to serve on, with commas between them")
	root := flags.String("root", "", "directory that holds the images (required)")
	readonly := flags.Bool("read-only", false, "refuse every push and delete")
	_ = flags.Parse(os.Args[1:])
	if *root == "" {
		fmt.Fprintln(os.Stderr, "registry: --root is missing: name the directory that holds the images")
		return 2
	}
	if err := serveRegistry(*listen, *root, *readonly); err != nil {
		fmt.Fprintf(os.Stderr, "registry: could not serve %q on %q: %v\n", *root, *listen, err)
		return 1
	}
	return 0
}

func serveRegistry(listen []string, root string, readonly bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	config := &configuration.Configuration{
		Version: configuration.CurrentVersion,
		Storage: configuration.Storage{
			"filesystem": configuration.Parameters{"rootdirectory": root, "maxthreads": 25},
			"delete":     configuration.Parameters{"enabled": true},
			"maintenance": configuration.Parameters{
				"readonly":      map[any]any{"enabled": readonly},
				"uploadpurging": map[any]any{"enabled": false},
			},
		},
	}
	logrus.SetLevel(logrus.WarnLevel) // the registry leaves that to its own main
	config.Log.Level = "warn"
	config.Log.AccessLog.Disabled = true
	config.HTTP.Secret = "sandbox"
	config.Catalog.MaxEntries = 1000

	server := &http.Server{Handler: handlers.NewApp(ctx, config), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, len(listen))
	for _, address := range listen {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		go func() { failed <- server.Serve(listener) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	shutdown, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(shutdown); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close()
}
