// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package hooks

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-cloud/fairway/internal/audit"
)

// Path is where the hub asks; the token follows it.
const Path = "/hooks/evidence/"

// OwnGroup is the group of Fairway's own account, whose acts its controllers record.
const OwnGroup = "fairway:system"

// requestExtra carries the mark of the server's own chain.
const requestExtra = "fairway.cloud/request"

const (
	// mostReview is what the hub may send: an object before and after.
	mostReview = 16 << 20
	// patience is how long the log has; the hub waits for 5 seconds.
	patience = 4 * time.Second
)

// Config of the hook. Every field without "Default" is needed.
type Config struct {
	// Recorder keeps the evidence.
	Recorder audit.Recorder
	// Token that the hub's address ends with: nobody else asks.
	Token string
	// Clients are the authorities of the hub's client certificate. Default: the
	// token alone says that it is the hub.
	Clients *x509.CertPool
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
	return &Hook{config: config, pending: make(chan *pending, mostPending)}, nil
}

// Owns says whether the hook answers a path.
func Owns(path string) bool { return strings.HasPrefix(path, Path) }

// ServeHTTP implements http.Handler.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.isHub(r) {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "the hub sends AdmissionReviews with POST", http.StatusMethodNotAllowed)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostReview))
	if err != nil {
		http.Error(w, "could not read the review", http.StatusBadRequest)
		return
	}
	review := admissionv1.AdmissionReview{}
	if err := json.Unmarshal(raw, &review); err != nil || review.Request == nil {
		http.Error(w, "could not read the review: it is no AdmissionReview of admission.k8s.io/v1", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	answer := h.judge(ctx, review.Request)
	answer.UID = review.Request.UID
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Response: answer})
	if err != nil {
		http.Error(w, "could not answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// isHub says whether the hub asks: by the token of its address, and by its
// certificate where one is wanted. Anybody else is told that there is nothing.
func (h *Hook) isHub(r *http.Request) bool {
	given := strings.TrimPrefix(r.URL.Path, Path)
	if subtle.ConstantTimeCompare([]byte(given), []byte(h.config.Token)) != 1 {
		return false
	}
	if h.config.Clients == nil {
		return true
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return false
	}
	between := x509.NewCertPool()
	for _, c := range r.TLS.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := r.TLS.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: h.config.Clients, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

// judge records a write, and lets it pass where it is recorded.
func (h *Hook) judge(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	pass := &admissionv1.AdmissionResponse{Allowed: true}
	if request.DryRun != nil && *request.DryRun {
		return pass
	}
	for _, group := range request.UserInfo.Groups {
		if group == OwnGroup { // the configuration leaves it out already
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
		return refused("could not record the write: the object cannot be read")
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
		return refused("the evidence log does not take the record, so nothing was changed; try again when it is back. Rolling back and stopping a release are possible")
	}
	if lost != nil {
		h.config.Log.Error("the way back was taken past the server without a record", "actor", w.act.Person, "verb", w.act.Verb, "subject", w.act.Subject, "cause", lost.Error())
	}
	h.await(&pending{target: w.target, end: end, since: time.Now()})
	return pass
}

func refused(message string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{Status: metav1.StatusFailure, Message: message, Reason: metav1.StatusReasonServiceUnavailable, Code: http.StatusServiceUnavailable}}
}
