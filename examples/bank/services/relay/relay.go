// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package relay is a component of the bank that stands before another one:
// it answers who it is together with what the next component says, and hands
// transfers and questions about accounts down to the ledger.
package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/examples/bank/services/build"
	"github.com/fairway-cloud/fairway/examples/bank/services/instance"
	"github.com/fairway-cloud/fairway/examples/bank/services/serving"
	"github.com/fairway-cloud/fairway/examples/bank/services/settings"
)

// Settings is the configuration file of a relay.
type Settings struct {
	// Greeting is part of the answer, so that a reload can be seen.
	Greeting string `json:"greeting"`
	// LogLevel is debug (each request), info, warn or error.
	LogLevel slog.Level `json:"logLevel"`
	// Drain is how long to keep serving after SIGTERM.
	Drain settings.Duration `json:"drain"`
	// Attempt is how long one try at the next component may take.
	Attempt settings.Duration `json:"attempt"`
	// Patience is how long to try in all before answering 502.
	Patience settings.Duration `json:"patience"`
	// Limit is the largest amount of one transfer; 0 means none.
	Limit int64 `json:"limit"`
}

func defaults() Settings {
	return Settings{
		Greeting: "welcome",
		Drain:    settings.Duration(5 * time.Second),
		Attempt:  settings.Duration(2 * time.Second),
		Patience: settings.Duration(6 * time.Second),
	}
}

func check(s Settings) error {
	if s.Drain < 0 || s.Attempt <= 0 || s.Patience <= 0 || s.Limit < 0 {
		return errors.New("drain and limit must not be negative, attempt and patience must be positive")
	}
	return nil
}

// Relay answers for one component.
type Relay struct {
	who      *instance.Instance
	next     *next
	settings *settings.File[Settings]
}

// Main is the whole program of a component that stands before another.
func Main(component, nextComponent string) {
	if err := run(context.Background(), component, nextComponent); err != nil {
		slog.Error("ended", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, component, nextComponent string) error {
	listen := flag.String("listen", ":8080", "address to serve on")
	config := flag.String("config", settings.Path(), "configuration file (JSON), followed while running")
	flag.Parse()

	level := new(slog.LevelVar)
	who := instance.FromEnvironment(component)
	serving.Logs(level, "component", who.Card().Component, "version", build.Version)
	file, err := settings.Open(*config, defaults(), check)
	if err != nil {
		return err
	}
	level.Set(file.Current().LogLevel)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go file.Follow(ctx, time.Second, func(s Settings) { level.Set(s.LogLevel) })

	variable := "FAIRWAY_DEPENDENCY_" + strings.ToUpper(nextComponent) + "_URL"
	relay, err := New(who, os.Getenv(variable), file)
	if err != nil {
		return fmt.Errorf("could not start %q: %w: declare a dependency on %q, which sets %s", component, err, nextComponent, variable)
	}
	return serving.Run(ctx, serving.Service{
		Listen:  *listen,
		Handler: relay.Handler(),
		Drain:   func() time.Duration { return time.Duration(file.Current().Drain) },
	})
}

// New makes a relay to the component at address, "http://host:port".
func New(who *instance.Instance, address string, file *settings.File[Settings]) (*Relay, error) {
	n, err := newNext(address)
	if err != nil {
		return nil, err
	}
	return &Relay{who: who, next: n, settings: file}, nil
}

// Handler serves / (who answers, all the way down), POST /transfer, and hands
// GET /sum, /accounts and /journal on.
func (r *Relay) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", r.identify)
	mux.HandleFunc("POST /transfer", r.transfer)
	for _, path := range []string{"/sum", "/accounts", "/journal"} {
		mux.HandleFunc("GET "+path, r.pass)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Served-By", r.who.Card().Seat)
		mux.ServeHTTP(w, request)
	})
}

// identity is the answer to GET /.
type identity struct {
	instance.Card
	Greeting string          `json:"greeting"`
	Next     json.RawMessage `json:"next,omitempty"`
	Error    string          `json:"nextError,omitempty"`
}

func (r *Relay) identify(w http.ResponseWriter, request *http.Request) {
	said := identity{Card: r.who.Card(), Greeting: r.settings.Current().Greeting}
	got, err := r.ask(request.Context(), http.MethodGet, "/", "", nil)
	code := http.StatusOK
	switch {
	case err != nil:
		code, said.Error = http.StatusBadGateway, err.Error()
	case json.Valid(got.body):
		said.Next = got.body
		if got.status != http.StatusOK {
			code, said.Error = http.StatusBadGateway, fmt.Sprintf("it answers %d", got.status)
		}
	default:
		code, said.Error = http.StatusBadGateway, fmt.Sprintf("it answers %d and no JSON", got.status)
	}
	serving.JSON(w, code, said)
}

func (r *Relay) transfer(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, 64<<10))
	if err != nil {
		serving.Refuse(w, http.StatusBadRequest, fmt.Errorf("could not read the transfer: %w", err))
		return
	}
	var order struct {
		ID     string `json:"id"`
		Amount int64  `json:"amount"`
	}
	if err := json.Unmarshal(body, &order); err != nil {
		serving.Refuse(w, http.StatusBadRequest, fmt.Errorf("could not read the transfer: %w: send id, from, to and amount", err))
		return
	}
	if order.ID == "" {
		serving.Refuse(w, http.StatusBadRequest, errors.New("the transfer has no id: give each one its own, so that it can be repeated safely"))
		return
	}
	if limit := r.settings.Current().Limit; limit > 0 && order.Amount > limit {
		serving.Refuse(w, http.StatusUnprocessableEntity, fmt.Errorf("amount %d is over the limit of %d", order.Amount, limit))
		return
	}
	r.hand(w, request, http.MethodPost, "/transfer", order.ID, body)
}

func (r *Relay) pass(w http.ResponseWriter, request *http.Request) {
	path := request.URL.Path
	if request.URL.RawQuery != "" {
		path += "?" + request.URL.RawQuery
	}
	r.hand(w, request, http.MethodGet, path, "", nil)
}

func (r *Relay) hand(w http.ResponseWriter, request *http.Request, method, path, id string, body []byte) {
	got, err := r.ask(request.Context(), method, path, id, body)
	if err != nil {
		slog.Warn("next component failed", "path", request.URL.Path, "error", err)
		serving.Refuse(w, http.StatusBadGateway, err)
		return
	}
	if got.kind != "" {
		w.Header().Set("Content-Type", got.kind)
	}
	w.WriteHeader(got.status)
	_, _ = io.Copy(w, bytes.NewReader(got.body)) // the client went away: nobody left to tell
}

func (r *Relay) ask(ctx context.Context, method, path, id string, body []byte) (answer, error) {
	s := r.settings.Current()
	return r.next.ask(ctx, method, path, id, body, time.Duration(s.Attempt), time.Duration(s.Patience))
}
