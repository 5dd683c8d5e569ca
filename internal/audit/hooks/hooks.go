// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package hooks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/fairway-cloud/fairway/internal/audit"
	"github.com/fairway-cloud/fairway/internal/platform/admission"
	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

// Path is where the hub asks; the token follows it.
const Path = "/hooks/evidence/"

// requestExtra carries the mark of the server's own chain.
const requestExtra = "fairway.cloud/request"

// Config of the hook. Every field without "Default" is needed.
type Config struct {
	// Recorder keeps the evidence.
	Recorder audit.Recorder
	// Token that the hub's address ends with: nobody else asks.
	Token string
	// Clients are the authorities of the hub's client certificate. Default: the
	// token alone says that it is the hub.
	Clients *sealing.Signers
	// InFlight says whether a write carries the mark of the server's own chain, which
	// has recorded it.
	InFlight func(person, value string) bool
	// Look reads an object as it is now; nil where there is none.
	Look func(ctx context.Context, group, version, kind, namespace, name string) (map[string]any, error)
	// Log for what the hub is not told.
	Log *slog.Logger
	// Settle is the time after which an outcome is read back. Default: 1 s.
	Settle time.Duration
}

// Hook records writes that come past the server.
type Hook struct {
	config  Config
	door    *admission.Door
	pending chan *pending
}

// mostPending is how many outcomes wait to be read back.
const mostPending = 10_000

// New makes a hook. Run must be running for outcomes to be read back.
func New(config Config) (*Hook, error) {
	if config.Recorder == nil || config.InFlight == nil || config.Look == nil || config.Log == nil || len(config.Token) < 32 {
		return nil, errors.New("could not make the evidence hook: recorder, token (32 characters), in-flight requests, reader and log are needed")
	}
	if config.Settle <= 0 {
		config.Settle = time.Second
	}
	h := &Hook{config: config, pending: make(chan *pending, mostPending)}
	h.door = &admission.Door{Path: Path, Token: config.Token, Clients: config.Clients, Judge: h.judge}
	return h, nil
}

// Owns says whether the hook answers a path.
func Owns(path string) bool { return strings.HasPrefix(path, Path) }

// ServeHTTP implements http.Handler.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.door.ServeHTTP(w, r) }

// judge records a write, and lets it pass where it is recorded.
func (h *Hook) judge(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	pass := admission.Pass()
	if request.DryRun != nil && *request.DryRun {
		return pass
	}
	for _, group := range request.UserInfo.Groups {
		if group == admission.OwnGroup { // the configuration leaves it out already
			return pass
		}
	}
	for _, value := range request.UserInfo.Extra[requestExtra] {
		if h.config.InFlight(request.UserInfo.Username, value) {
			return pass
		}
	}
	w, err := writeOf(request)
	if err != nil {
		h.config.Log.Error("a write past the server could not be read and was refused", "actor", request.UserInfo.Username, "cause", err.Error())
		return admission.Away("could not record the write: the object cannot be read")
	}
	if request.Operation == admissionv1.Delete && request.Name == "" && len(request.OldObject.Raw) == 0 {
		return pass // a collection: each of its objects is announced by itself
	}
	away := audit.FailClosed
	if w.back {
		away = audit.FailOpen
	}
	end, lost, err := audit.Begin(ctx, h.config.Recorder, away, w.act)
	if err != nil {
		h.config.Log.Error("a write past the server was refused: the evidence log is away", "actor", w.act.Person, "verb", w.act.Verb, "subject", w.act.Subject, "cause", err.Error())
		return admission.Away("the evidence log does not take the record, so nothing was changed; try again when it is back. Rolling back and stopping a release are possible")
	}
	if lost != nil {
		h.config.Log.Error("the way back was taken past the server without a record", "actor", w.act.Person, "verb", w.act.Verb, "subject", w.act.Subject, "cause", lost.Error())
	}
	h.await(&pending{target: w.target, end: end, since: time.Now()})
	return pass
}
