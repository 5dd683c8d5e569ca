// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Command ledger is the component of the example bank that holds the money.
// It keeps its journal on a volume; an instance that replaces another waits
// until that one has let go of it, and is not ready meanwhile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/fairway-cloud/fairway/examples/bank/services/build"
	"github.com/fairway-cloud/fairway/examples/bank/services/instance"
	"github.com/fairway-cloud/fairway/examples/bank/services/ledger/book"
	"github.com/fairway-cloud/fairway/examples/bank/services/serving"
	"github.com/fairway-cloud/fairway/examples/bank/services/settings"
)

// Settings is the configuration file of the ledger.
type Settings struct {
	// Greeting is part of the answer, so that a reload can be seen.
	Greeting string `json:"greeting"`
	// LogLevel is debug (each request), info, warn or error.
	LogLevel slog.Level `json:"logLevel"`
	// Drain is how long to keep serving after SIGTERM.
	Drain settings.Duration `json:"drain"`
	// Accounts and Balance are what a new ledger begins with; one that has a
	// journal keeps what it has.
	Accounts int   `json:"accounts"`
	Balance  int64 `json:"balance"`
}

func defaults() Settings {
	return Settings{Greeting: "the books are right", Drain: settings.Duration(2 * time.Second), Accounts: 100, Balance: 100_000}
}

func check(s Settings) error {
	if s.Drain < 0 || s.Accounts < 2 || s.Accounts > 100_000 || s.Balance < 0 || s.Balance > 1_000_000_000 {
		return errors.New("drain must not be negative, accounts between 2 and 100,000, balance between 0 and 1,000,000,000")
	}
	return nil
}

func (s Settings) opening() []book.Balance {
	out := make([]book.Balance, s.Accounts)
	for i := range out {
		out[i] = book.Balance{Account: fmt.Sprintf("acc-%06d", i+1), Balance: s.Balance}
	}
	return out
}

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	config := flag.String("config", settings.Path(), "configuration file (JSON), followed while running")
	dir := flag.String("dir", "/var/lib/ledger", "folder of the journal")
	flag.Parse()
	if err := run(context.Background(), *listen, *config, *dir); err != nil {
		slog.Error("ended", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, config, dir string) error {
	level := new(slog.LevelVar)
	who := instance.FromEnvironment("ledger")
	serving.Logs(level, "component", who.Card().Component, "version", build.Version)
	file, err := settings.Open(config, defaults(), check)
	if err != nil {
		return err
	}
	level.Set(file.Current().LogLevel)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go file.Follow(ctx, time.Second, func(s Settings) { level.Set(s.LogLevel) })

	l := &ledger{who: who, settings: file}
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		if err := l.open(ctx, dir); err != nil {
			cancel(err)
			return
		}
		go func() {
			<-l.current().Failed()
			cancel(errors.New("the journal's disk failed: a new process reads what is there"))
		}()
	}()
	err = serving.Run(ctx, serving.Service{
		Listen:  listen,
		Handler: l.handler(),
		Ready:   l.ready,
		Drain: func() time.Duration {
			if l.current() == nil || ctx.Err() != nil {
				return 0 // nobody can be served
			}
			return time.Duration(file.Current().Drain)
		},
	})
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(err, cause)
	}
	cancel(nil)
	<-opened
	return errors.Join(err, l.close())
}

// open waits for the lock and reads the journal.
func (l *ledger) open(ctx context.Context, dir string) error {
	slog.Info("waiting for the volume", "dir", dir)
	release, err := book.Lock(ctx, dir)
	if err != nil {
		return err
	}
	disk, err := book.OpenFile(dir)
	if err != nil {
		return errors.Join(err, release())
	}
	opened, err := book.Open(disk, l.settings.Current().opening())
	if err != nil {
		return errors.Join(err, release())
	}
	summary, err := opened.Summary(ctx)
	if err != nil {
		return errors.Join(err, release())
	}
	slog.Info("book open", "seq", summary.Seq, "sum", summary.Sum, "accounts", summary.Accounts)
	l.release = release
	l.book.Store(opened)
	return nil
}

// close answers what is under way and hands the volume on.
func (l *ledger) close() error {
	if l.release == nil {
		return nil
	}
	l.current().Close()
	return l.release()
}
