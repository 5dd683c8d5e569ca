// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// Pace of a stream.
const (
	eventPace  = time.Second
	eventPulse = 15 * time.Second
	// mostStreams bounds the streams of one server.
	mostStreams = 2000
)

var eventsDoc = []httpapi.Parameter{
	{Name: "kinds", Text: "Only these kinds, as room.Kind, separated by commas: app.Application,delivery.Instance. Default: all."},
	{Name: "namespace", Text: "Only objects of this namespace. Default: all that you may list."},
}

// events streams what changed. The person's rights are asked at each message, so
// that a right that is taken away ends what it showed within seconds.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r, "kinds", "namespace"); err != nil {
		return err
	}
	wanted, err := s.wantedKinds(r.URL.Query().Get("kinds"))
	if err != nil {
		return err
	}
	if s.config.Changes.count() >= mostStreams {
		return httpapi.NewProblem(httpapi.CodeTooManyRequests, "this server has as many event streams as it takes")
	}
	namespace := r.URL.Query().Get("namespace")
	waiting, stop := s.config.Changes.listen(func(c Change) bool {
		return (wanted == nil || wanted[c.Room+"."+c.Kind]) && (namespace == "" || c.Namespace == namespace || c.Namespace == "")
	})
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s.tellChanges(w, r, waiting)
	return nil
}

func (s *Server) wantedKinds(text string) (map[string]bool, error) {
	if text == "" {
		return nil, nil
	}
	known := map[string]bool{instanceKind.SchemaName(): true}
	for _, k := range s.kinds {
		known[k.SchemaName()] = true
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(text, ",") {
		if !known[name] {
			return nil, badQuery("kinds", "there is no kind %q; write room.Kind, such as app.Application", name)
		}
		wanted[name] = true
	}
	return wanted, nil
}

func (s *Server) tellChanges(w http.ResponseWriter, r *http.Request, waiting *pending) {
	if !send(w, ": fairway\n\n") {
		return
	}
	pace, checked, pulsed := time.NewTicker(eventPace), time.Now(), time.Now()
	defer pace.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-pace.C:
		}
		if time.Since(checked) >= recheck {
			if httpapi.StillValid(r.Context()) != nil {
				return
			}
			checked = time.Now()
		}
		changes, err := s.allowed(r.Context(), who(r), waiting.take())
		if err != nil {
			return // the client comes back and fetches everything anew
		}
		switch {
		case len(changes) > 0:
			body, err := json.Marshal(map[string]any{"changes": changes})
			if err != nil || !send(w, "event: change\ndata: "+string(body)+"\n\n") {
				return
			}
			pulsed = time.Now()
		case time.Since(pulsed) >= eventPulse:
			if !send(w, ": still here\n\n") {
				return
			}
			pulsed = time.Now()
		}
	}
}

func send(w http.ResponseWriter, text string) bool {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := w.Write([]byte(text)); err != nil {
		return false
	}
	flush(w)
	return true
}

// allowed keeps the changes that the person may list.
func (s *Server) allowed(ctx context.Context, person identity.Person, changes []Change) ([]Change, error) {
	var kept []Change
	scopes := map[string]*scope{}
	for _, c := range changes {
		k, ok := s.kind(c.Kind)
		if !ok && c.Kind == instanceKind.Kind {
			k, ok = instanceKind, true
		}
		if !ok {
			continue
		}
		sees := scopes[c.Kind]
		if sees == nil {
			var err error
			if sees, err = scopeOf(ctx, s.authority, person, Question{Verb: "list", Group: k.Group, Resource: k.Plural}); err != nil {
				return nil, err
			}
			scopes[c.Kind] = sees
		}
		shown := sees.all
		if !shown && k.Namespaced && c.Namespace != "" {
			var err error
			if shown, err = sees.sees(c.Namespace); err != nil {
				return nil, err
			}
		}
		// A change told in bulk, without a namespace, says nothing about anybody's objects.
		if !shown && k.Namespaced && c.Namespace == "" {
			shown = true
		}
		if shown {
			kept = append(kept, c)
		}
	}
	return kept, nil
}
