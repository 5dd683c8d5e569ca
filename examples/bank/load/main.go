// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command load moves money between accounts of the example bank, as many
// customers would, and checks that none appears or disappears.
//
//	go run ./examples/bank/load -url http://east:30080 -url http://west:30080 -rate 50 -duration 30s
//
// Each transfer is sent once: a retry would hide the fault that is looked for.
// The command ends with 1 when a transfer failed, when the sum over all
// accounts of a URL changed, or when a ledger knows fewer transfers than were
// acknowledged. A refusal by the bank (an overdraft) is not a failure.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// urls is a flag that may be given several times.
type urls []string

func (u *urls) String() string { return strings.Join(*u, " ") }

func (u *urls) Set(value string) error {
	parsed, err := url.Parse(value)
	if err != nil || parsed.Scheme == "" || parsed.Host == "" {
		return errors.New("write http://host:port")
	}
	*u = append(*u, strings.TrimSuffix(value, "/"))
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	good, err := command(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case !good:
		os.Exit(1)
	}
}

// command runs the load that the arguments ask for and writes the report.
func command(ctx context.Context, arguments []string, out io.Writer) (bool, error) {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	var o options
	flags.Var((*urls)(&o.urls), "url", "where an application of the bank answers; several times for several DCNs")
	flags.Float64Var(&o.rate, "rate", 50, "transfers per second, over all URLs")
	flags.DurationVar(&o.duration, "duration", 30*time.Second, "how long to send")
	flags.IntVar(&o.count, "count", 0, "how many transfers to send at most; 0 means what the duration allows")
	flags.IntVar(&o.accounts, "accounts", 100, "how many accounts to use per URL, at most")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long one transfer may take")
	flags.DurationVar(&o.settle, "settle", 30*time.Second, "how long to try to read the sums, before and after")
	flags.IntVar(&o.inFlight, "in-flight", 200, "transfers under way at once, at most; later ones wait and count as slow")
	flags.IntVar(&o.retries, "retries", 0, "how often to send a failed transfer again, under the same id")
	flags.BoolVar(&o.fresh, "new-connections", false, "take a new connection for each transfer")
	asJSON := flags.Bool("json", false, "report as JSON")
	if err := flags.Parse(arguments); err != nil {
		return false, err
	}
	if err := o.check(); err != nil {
		return false, err
	}
	report, err := run(ctx, o)
	if err != nil {
		return false, err
	}
	if *asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		_, err = io.WriteString(out, report.text())
	}
	return report.OK, err
}
