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
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	fleetv1 "github.com/fairway-cloud/fairway/api/fleet/v1alpha1"
	"github.com/fairway-cloud/fairway/config"
	approvalserver "github.com/fairway-cloud/fairway/internal/approval/server"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
	"github.com/fairway-cloud/fairway/internal/platform/readmodel"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
	"github.com/fairway-cloud/fairway/internal/server"
)

func (h *house) addReadModel(context.Context) error {
	return errors.Join(h.mgr.Add(everywhere(h.sink.Run)), h.mgr.Add(everywhere(h.keepSeen)))
}

// seenEvery is how often the read model notes which members answer.
const seenEvery = 20 * time.Second

// keepSeen notes which members answer, so that a quiet one is not taken for one
// that is away, and forgets those that have left the fleet.
func (h *house) keepSeen(ctx context.Context) error {
	ticker := time.NewTicker(seenEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := h.noteSeen(ctx); err != nil && ctx.Err() == nil {
			h.log.Error("could not note which members answer; it is tried again", "cause", err.Error())
		}
	}
}

func (h *house) noteSeen(ctx context.Context) error {
	clusters := &fleetv1.ClusterList{}
	if err := h.mgr.GetClient().List(ctx, clusters); err != nil {
		return err
	}
	var answer []string
	known := map[string]bool{}
	for i := range clusters.Items {
		name := clusters.Items[i].Name
		known[name] = true
		if _, err := h.members.Get(name); err == nil {
			answer = append(answer, name)
		}
	}
	err := h.store.Touch(ctx, answer...)
	rows, listErr := h.store.Clusters(ctx)
	for _, name := range rows {
		if !known[name] {
			err = errors.Join(err, h.store.Forget(ctx, name))
		}
	}
	return errors.Join(err, listErr)
}

// everywhere is a runnable of every replica, not of the leader alone.
type everywhere func(context.Context) error

func (e everywhere) Start(ctx context.Context) error { return e(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (everywhere) NeedLeaderElection() bool { return false }

// addAPI puts the REST API together and serves it.
func (h *house) addAPI(ctx context.Context) error {
	kinds, err := httpapi.Kinds(config.CRDs)
	if err != nil {
		return err
	}
	hub, err := server.NewHub(h.mgr.GetConfig())
	if err != nil {
		return err
	}
	if err := hub.Bound(ctx, h.options.actAs); err != nil {
		return err
	}
	h.caller = hub
	reviews, err := authorizationclient.NewForConfig(h.mgr.GetConfig())
	if err != nil {
		return fmt.Errorf("could not reach the hub: %w", err)
	}
	changes := server.NewChanges()
	h.store.OnChange(func(c readmodel.Change) {
		changes.Publish(server.Change{Room: "delivery", Kind: "Instance", Namespace: c.Namespace, Name: c.Seat})
	})
	if err := h.watch(ctx, kinds, changes); err != nil {
		return err
	}
	h.reviews = reviews.SubjectAccessReviews()
	authority := server.NewReviews(h.reviews)
	desk, people := h.desk(authority), h.register(kinds)
	api, err := server.New(server.Config{
		Kinds: kinds, Version: version, Hub: hub, Lister: h.mgr.GetCache(), Direct: h.mgr.GetAPIReader(), Authority: authority,
		Identity: h.door.credentials, Front: h.door.asFront(), TrustedProxies: h.door.proxies, About: h.door.room.About,
		Rooms: h.rooms(authority, desk, people, kinds), Schemas: roomSchemas(), Before: alsoConfirmations(people, h.early(authority, desk)), Prove: alsoAmendments(h.proofs, approvalserver.Prove(h.proofs)),
		KeepStop: h.keepStop, Gate: h.gate, Recorder: h.recorder, Receipts: h.ledger, Instances: h.store, Members: h.members,
		Join: h.join(), Check: h.check(), Diff: h.diff(), Changes: changes, Metrics: metrics.Registry, Log: h.log,
		Ready: []server.Readiness{{Name: "hub", Check: hub.Ping}, {Name: "read model", Check: h.store.Ping}, {Name: "lists", Check: h.synced}},
	})
	if err != nil {
		return err
	}
	handler, err := api.Handler()
	if err != nil {
		return err
	}
	if handler, err = h.hook(hub, desk, handler); err != nil {
		return err
	}
	return errors.Join(h.listenAPI(handler), h.listenPlain(h.options.metricsAddress, metricsHandler()), h.listenPlain(h.options.pprofAddress, pprofHandler()))
}

// watch keeps a list of every kind and tells the event streams what changed.
func (h *house) watch(ctx context.Context, kinds []httpapi.Kind, changes *server.Changes) error {
	for _, k := range kinds {
		informer, err := h.mgr.GetCache().GetInformer(ctx, watched(k))
		if err != nil {
			return fmt.Errorf("could not watch %s: %w", k.Plural, err)
		}
		tell := func(object any) {
			if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			if o, ok := object.(client.Object); ok {
				changes.Publish(server.Change{Room: k.Room, Kind: k.Kind, Namespace: o.GetNamespace(), Name: o.GetName()})
			}
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: tell, DeleteFunc: tell,
			UpdateFunc: func(before, after any) {
				b, okB := before.(client.Object)
				a, okA := after.(client.Object)
				if okA && okB && a.GetResourceVersion() == b.GetResourceVersion() {
					return // a resync
				}
				tell(after)
			},
		})
		if err != nil {
			return fmt.Errorf("could not watch %s: %w", k.Plural, err)
		}
	}
	return nil
}

// watched is what is kept of a kind: whole objects, and of large ones only who they are.
func watched(k httpapi.Kind) client.Object {
	if k.Large {
		o := &metav1.PartialObjectMetadata{}
		o.SetGroupVersionKind(k.GVK())
		return o
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(k.GVK())
	return o
}

// synced says whether the lists have been filled once.
func (h *house) synced(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if !h.mgr.GetCache().WaitForCacheSync(ctx) {
		return errors.New("the lists are still being filled")
	}
	return nil
}

// listenAPI serves the REST API over TLS. The certificate is read again when its
// file changes, so that it is renewed without a restart.
func (h *house) listenAPI(handler http.Handler) error {
	sealed, err := sealing.Server{CertFile: h.options.certFile, KeyFile: h.options.keyFile, Protocols: sealing.HTTP, Clients: h.clientCertificates()}.Open()
	if err != nil {
		return err
	}
	return h.serve(&http.Server{
		Addr: h.options.listen, Handler: handler,
		// Slow clients hold nothing for long; answers that stream set their own deadlines.
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}, sealed)
}

// listenPlain serves a handler over plain HTTP on a loopback address.
func (h *house) listenPlain(address string, handler http.Handler) error {
	if address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("could not listen on %q: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("could not listen on %q: metrics and profiles without a token are served on a loopback address only, such as 127.0.0.1:9443", address)
	}
	return h.serve(&http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}, nil)
}

// serve listens now, so that a taken address is told at the start, and serves
// with the manager, on every replica. Without sealed it serves plain HTTP.
func (h *house) serve(s *http.Server, sealed *sealing.Acceptor) error {
	listener, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("could not listen on %q: %w", s.Addr, err)
	}
	// What clients do wrong, such as plain HTTP on the TLS address, is theirs: no line of
	// it in a log that people read.
	s.ErrorLog = slog.NewLogLogger(h.log.Handler(), slog.LevelDebug)
	return h.mgr.Add(everywhere(func(ctx context.Context) error {
		ended := make(chan error, 1)
		live, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		s.BaseContext = func(net.Listener) context.Context { return live }
		go func() {
			if sealed != nil {
				ended <- sealed.Serve(s, listener)
				return
			}
			ended <- s.Serve(listener)
		}()
		select {
		case err := <-ended:
			return fmt.Errorf("the listener on %q ended: %w", s.Addr, err)
		case <-ctx.Done():
		}
		// Streams have no end of their own: give short requests their time, then end the rest.
		drain, done := context.WithTimeout(context.WithoutCancel(ctx), h.options.drain)
		defer done()
		time.AfterFunc(h.options.drain/2, cancel)
		if err := s.Shutdown(drain); err != nil {
			return errors.Join(s.Close())
		}
		return nil
	}))
}

func metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{}))
	return mux
}

func pprofHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
