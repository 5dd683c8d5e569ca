// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/members"
)

// Config is what a server is made of. Every field without "Default" is needed.
type Config struct {
	// Kinds that are served (see httpapi.Kinds).
	Kinds []httpapi.Kind
	// Version of Fairway, as shown.
	Version string
	// Hub is called as the person who asks.
	Hub *Hub
	// Lister lists the kinds from the server's cache.
	Lister client.Reader
	// Direct lists large kinds from the hub itself. Default: Lister.
	Direct client.Reader
	// Authority says what a person may see.
	Authority Authority
	// Identity, Gate and Recorder are the three ports of the chain.
	Identity httpapi.Authenticator
	Gate     approval.Gate
	Recorder audit.Recorder
	// Receipts proves what the Recorder kept. Nil: acts in production carry no receipt.
	Receipts httpapi.Receipts
	// Front is the bank's system in front that vouches for people. Default: none.
	Front httpapi.Front
	// TrustedProxies are the addresses whose X-Forwarded-For is believed. Default: none.
	TrustedProxies []netip.Prefix
	// About says more about who asks, for /api/v1/whoami. Default: nothing.
	About func(ctx context.Context, person identity.Person) map[string]any
	// Instances is the read model.
	Instances Instances
	// Members reaches the clusters, for cards and logs.
	Members members.Source
	// Join takes a cluster in. Default: the route answers that it is not available.
	Join JoinFunc
	// Check and Diff answer for applications. Default: not available.
	Check ApplicationFunc
	Diff  ApplicationFunc
	// Rooms are the routes of rooms with handlers of their own, and Schemas what their
	// documents name.
	Rooms   []httpapi.Route
	Schemas map[string]any
	// Before is asked before an object is made, with what is set for the person
	// already in it; its problem refuses. What kubectl makes through /hub is asked about
	// where it is a Decision. Default: nothing is asked.
	Before BeforeFunc
	// Prove puts the server's proof into a Decision or a Delegation that is about to be
	// made. Default: none is made, and the Gate counts nothing.
	Prove ProveFunc
	// KeepStop keeps a stop that the hub does not take now. Default: it is refused.
	KeepStop KeepStopFunc
	// Changes feeds the event streams. Default: none, streams only say that they live.
	Changes *Changes
	// Ready lists what must be well for /readyz. Default: nothing.
	Ready []Readiness
	// Metrics is where metrics are registered and read from. Default: a registry of its own.
	Metrics Registry
	// Log for what clients are not told.
	Log *slog.Logger
}

// Registry registers and gathers metrics.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// BeforeFunc says early why an object is not to be made.
type BeforeFunc func(ctx context.Context, kind string, object map[string]any) error

// KeepStopFunc keeps a stop of a Release until the hub takes it. An error says that it
// is kept nowhere.
type KeepStopFunc func(ctx context.Context, person identity.Person, namespace, name string) error

// Readiness is one condition of being ready.
type Readiness struct {
	// Name of the condition.
	Name string
	// Check returns nil when it holds.
	Check func(ctx context.Context) error
}

// Server holds what handlers need.
type Server struct {
	config    Config
	kinds     []httpapi.Kind
	hub       *Hub
	lister    client.Reader
	authority Authority
	instances Instances
	members   members.Source
	metrics   Registry
	log       *slog.Logger

	routes  []httpapi.Route
	chain   *httpapi.Chain
	openAPI func() ([]byte, error)
}

// New builds the server and its route table.
func New(config Config) (*Server, error) {
	if config.Hub == nil || config.Lister == nil || config.Authority == nil || config.Instances == nil || config.Members == nil || len(config.Kinds) == 0 {
		return nil, errors.New("could not make the server: kinds, hub, lister, authority, instances and members are needed")
	}
	if config.Log == nil {
		return nil, errors.New("could not make the server: a log is needed")
	}
	if config.Metrics == nil {
		config.Metrics = prometheus.NewRegistry()
	}
	if config.Changes == nil {
		config.Changes = NewChanges()
	}
	if config.Direct == nil {
		config.Direct = config.Lister
	}
	metrics, err := httpapi.NewMetrics(config.Metrics)
	if err != nil {
		return nil, fmt.Errorf("could not make the server: %w", err)
	}
	s := &Server{
		config: config, kinds: config.Kinds, hub: config.Hub, lister: config.Lister, authority: config.Authority,
		instances: config.Instances, members: config.Members, metrics: config.Metrics, log: config.Log,
		chain: &httpapi.Chain{
			Identity: config.Identity, Gate: config.Gate, Recorder: config.Recorder, Receipts: config.Receipts, Log: config.Log, Metrics: metrics,
			Front: config.Front, TrustedProxies: config.TrustedProxies,
		},
	}
	s.routes = s.table()
	s.openAPI = sync.OnceValues(func() ([]byte, error) {
		schemas := extraSchemas()
		maps.Copy(schemas, config.Schemas)
		return httpapi.OpenAPI(s.routes, s.kinds, schemas)
	})
	return s, nil
}

// Routes is the whole API.
func (s *Server) Routes() []httpapi.Route { return s.routes }

// Handler returns the mounted API.
func (s *Server) Handler() (http.Handler, error) { return s.chain.Mount(s.routes) }

// table lists every route there is. What is not here does not exist.
func (s *Server) table() []httpapi.Route {
	routes := []httpapi.Route{
		{Method: http.MethodGet, Pattern: "/healthz", Room: "server", Verb: "healthz", Effect: httpapi.Reads, Open: true, Handler: s.healthz,
			Doc: httpapi.Doc{Summary: "Says that the process answers.", Media: "text/plain"}},
		{Method: http.MethodGet, Pattern: "/readyz", Room: "server", Verb: "readyz", Effect: httpapi.Reads, Open: true, Handler: s.readyz,
			Doc: httpapi.Doc{Summary: "Says whether requests can be answered, and if not, what is missing.", Media: "text/plain"}},
		{Method: http.MethodGet, Pattern: "/metrics", Room: "server", Verb: "metrics", Effect: httpapi.Reads, Handler: s.metricsPage,
			Doc: httpapi.Doc{Summary: "Metrics in the text format of Prometheus.", Media: "text/plain"}},
		{Method: http.MethodGet, Pattern: "/openapi.json", Room: "server", Verb: "openapi", Effect: httpapi.Reads, Handler: s.document,
			Doc: httpapi.Doc{Summary: "This document."}},
		{Method: http.MethodGet, Pattern: "/api/v1/kinds", Room: "server", Verb: "kinds", Effect: httpapi.Reads, Handler: s.listKinds,
			Doc: httpapi.Doc{Summary: "Lists the kinds with the columns of their tables.", Response: "server.KindList"}},
		{Method: http.MethodGet, Pattern: "/api/v1/whoami", Room: "identity", Verb: "whoami", Effect: httpapi.Reads, Handler: s.whoami,
			Doc: httpapi.Doc{Summary: "Says who the token belongs to.", Response: "identity.Person"}},
		{Method: http.MethodGet, Pattern: "/api/v1/events", Room: "server", Verb: "events", Effect: httpapi.Reads, Streams: true, Handler: s.events,
			Doc: httpapi.Doc{Summary: "Streams what changed, at most one message a second. One stream per tab.", Query: eventsDoc, Media: "text/event-stream"}},
	}
	for _, k := range s.kinds {
		routes = append(routes, s.kindRoutes(k)...)
	}
	routes = append(routes, s.instanceRoutes()...)
	routes = append(routes, s.applicationRoutes()...)
	routes = append(routes, s.releaseRoutes()...)
	routes = append(routes, s.joinRoutes()...)
	routes = append(routes, s.config.Rooms...)
	return append(routes, s.proxyRoutes()...)
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
	return nil
}

// readyz names what is missing, without its inner error: the page is open to all.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	var waiting []string
	for _, ready := range s.config.Ready {
		if err := ready.Check(r.Context()); err != nil {
			s.log.Debug("not ready", "condition", ready.Name, "cause", err.Error())
			waiting = append(waiting, ready.Name)
		}
	}
	if len(waiting) > 0 {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "not ready: %v", waiting)
	}
	return s.healthz(w, r)
}

func (s *Server) metricsPage(w http.ResponseWriter, r *http.Request) error {
	promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}

func (s *Server) document(w http.ResponseWriter, _ *http.Request) error {
	body, err := s.openAPI()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
	return nil
}

func (s *Server) listKinds(w http.ResponseWriter, _ *http.Request) error {
	return httpapi.WriteJSON(w, http.StatusOK, map[string]any{
		"version": s.config.Version, "items": append(append([]httpapi.Kind{}, s.kinds...), instanceKind),
	})
}

func (s *Server) whoami(w http.ResponseWriter, r *http.Request) error {
	person := who(r)
	answer := map[string]any{"id": person.ID, "groups": person.Groups}
	for name, value := range map[string]string{"provider": person.Provider, "session": person.Session, "machine": person.Machine} {
		if value != "" {
			answer[name] = value
		}
	}
	if person.Scope != nil {
		answer["scope"] = person.Scope
	}
	if s.config.About != nil {
		maps.Copy(answer, s.config.About(r.Context(), person))
	}
	return httpapi.WriteJSON(w, http.StatusOK, answer)
}
