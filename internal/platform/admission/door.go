// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package admission

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairway-cloud/fairway/internal/platform/sealing"
)

const (
	// mostReview is what the hub may send: an object before and after.
	mostReview = 16 << 20
	// patience is how long a judgement may take; the hub waits for seconds.
	patience = 4 * time.Second
)

// Door is where the hub asks about one matter.
type Door struct {
	// Path where the hub asks, such as "/hooks/evidence/"; the token follows it.
	Path string
	// Token that the hub's address ends with: nobody else asks.
	Token string
	// Clients are the authorities of the hub's client certificate. Nil: the token
	// alone says that it is the hub.
	Clients *sealing.Signers
	// Judge answers.
	Judge func(context.Context, *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse
}

// Owns says whether the door answers a path.
func (d *Door) Owns(path string) bool { return strings.HasPrefix(path, d.Path) }

// ServeHTTP implements http.Handler.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !d.isHub(r) {
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
	answer := d.Judge(ctx, review.Request)
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
func (d *Door) isHub(r *http.Request) bool {
	given := strings.TrimPrefix(r.URL.Path, d.Path)
	if subtle.ConstantTimeCompare([]byte(given), []byte(d.Token)) != 1 {
		return false
	}
	if d.Clients == nil {
		return true
	}
	return d.Clients.Signed(sealing.PeerOf(r), time.Now()) == nil
}

// Pass lets a write through.
func Pass() *admissionv1.AdmissionResponse { return &admissionv1.AdmissionResponse{Allowed: true} }

// Refused turns a write away for good, with the reason.
func Refused(message string) *admissionv1.AdmissionResponse {
	return refusal(http.StatusForbidden, metav1.StatusReasonForbidden, message)
}

// Away turns a write away because it cannot be judged now.
func Away(message string) *admissionv1.AdmissionResponse {
	return refusal(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, message)
}

func refusal(code int32, reason metav1.StatusReason, message string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{Status: metav1.StatusFailure, Message: message, Reason: reason, Code: code}}
}
