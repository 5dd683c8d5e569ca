// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package proof

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	approvalv1 "github.com/fairway-cloud/fairway/api/approval/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/approval"
	"github.com/fairway-cloud/fairway/internal/platform/canonical"
)

// Holds is how far the hub's stamp of an object may lie from its proof, either way.
const Holds = time.Minute

// version begins every proof, and is part of what it covers.
const version = "v1"

// said is what a proof covers. Nothing of it can be another without the proof failing.
type said struct {
	Version   string `json:"version"`
	Key       string `json:"key"`
	Issued    string `json:"issued"` // milliseconds, as text: JSON has no such whole numbers
	Nonce     string `json:"nonce"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Until is the latest end of a Delegation, in seconds. Empty: it has none.
	Until string `json:"until"`
	Spec  any    `json:"spec"`
}

// text writes a proof: version, key, milliseconds, nonce, the end where there is one,
// and the code.
func (s said) text(code []byte) string {
	parts := []string{s.Version, s.Key, s.Issued, s.Nonce}
	if s.Until != "" {
		parts = append(parts, s.Until)
	}
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(code)), ".")
}

func (s said) code(key []byte) ([]byte, error) {
	text, err := canonical.JSON(s)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil), nil
}

// ProveDecision sets the proof of a Decision that is about to be made under its name.
// The caller is certain that its author says exactly this now.
func (k *Keys) ProveDecision(ctx context.Context, d *approvalv1.Decision) (err error) {
	d.Spec.Proof, err = k.prove(ctx, ofDecision(d))
	return err
}

// ProveDelegation sets the proof of a Delegation that is about to be made. The caller
// is certain that its principal says exactly this now.
func (k *Keys) ProveDelegation(ctx context.Context, d *approvalv1.Delegation) (err error) {
	d.Spec.Proof, err = k.prove(ctx, ofDelegation(d))
	return err
}

// ProveRequest sets the proof of an ApprovalRequest that the server is about to make
// under its name.
func (k *Keys) ProveRequest(ctx context.Context, r *approvalv1.ApprovalRequest) (err error) {
	r.Spec.Proof, err = k.prove(ctx, ofRequest(r))
	return err
}

// Request says whether an ApprovalRequest carries a proof that holds.
func (k *Keys) Request(ctx context.Context, r *approvalv1.ApprovalRequest) (approval.Proof, error) {
	return k.check(ctx, r.Spec.Proof, ofRequest(r), r.CreationTimestamp)
}

// Decision says whether a Decision carries a proof that holds.
func (k *Keys) Decision(ctx context.Context, d *approvalv1.Decision) (approval.Proof, error) {
	return k.check(ctx, d.Spec.Proof, ofDecision(d), d.CreationTimestamp)
}

// Delegation says whether a Delegation carries a proof that holds. One that was
// shortened is covered by the proof of the longer one.
func (k *Keys) Delegation(ctx context.Context, d *approvalv1.Delegation) (approval.Proof, error) {
	s := ofDelegation(d)
	parts := strings.Split(d.Spec.Proof, ".")
	if len(parts) == 6 {
		proven, err := strconv.ParseInt(parts[4], 10, 64)
		if err != nil || d.Spec.Until.Unix() > proven {
			return approval.Proof{Why: "it lasts longer than what the server made"}, nil
		}
		s.Until = parts[4]
	}
	return k.check(ctx, d.Spec.Proof, s, d.CreationTimestamp)
}

func ofDecision(d *approvalv1.Decision) said {
	spec := *d.Spec.DeepCopy()
	spec.Proof = ""
	slices.Sort(spec.Groups)
	return said{Kind: "Decision", Namespace: d.Namespace, Name: d.Name, Spec: spec}
}

func ofRequest(r *approvalv1.ApprovalRequest) said {
	spec := *r.Spec.DeepCopy()
	spec.Proof = ""
	return said{Kind: "ApprovalRequest", Namespace: r.Namespace, Name: r.Name, Spec: spec}
}

func ofDelegation(d *approvalv1.Delegation) said {
	spec := *d.Spec.DeepCopy()
	spec.Proof, spec.Until = "", metav1.Time{}
	slices.Sort(spec.Groups)
	return said{Kind: "Delegation", Name: d.Name, Until: strconv.FormatInt(d.Spec.Until.Unix(), 10), Spec: spec}
}

func (k *Keys) prove(ctx context.Context, s said) (string, error) {
	if s.Name == "" {
		return "", fmt.Errorf("could not prove a %s: it has no name yet, and a proof is bound to it", s.Kind)
	}
	id, key, err := k.current(ctx)
	if err != nil {
		return "", err
	}
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // never fails, as of Go 1.24
	s.Version, s.Key, s.Issued, s.Nonce = version, id, strconv.FormatInt(k.now().UnixMilli(), 10), hex.EncodeToString(nonce[:])
	code, err := s.code(key)
	if err != nil {
		return "", fmt.Errorf("could not prove %s %q: %w", s.Kind, s.Name, err)
	}
	return s.text(code), nil
}

// check holds a proof against what it should cover. made is when the hub made the object.
func (k *Keys) check(ctx context.Context, text string, s said, made metav1.Time) (approval.Proof, error) {
	if text == "" {
		return approval.Proof{Why: approval.Unproven}, nil
	}
	parts := strings.Split(text, ".")
	want := 5
	if s.Until != "" {
		want = 6
	}
	if len(parts) != want || parts[0] != version {
		return approval.Proof{Why: "its proof is none of this server"}, nil
	}
	s.Version, s.Key, s.Issued, s.Nonce = parts[0], parts[1], parts[2], parts[3]
	key, found, err := k.key(ctx, s.Key)
	if err != nil {
		return approval.Proof{}, err
	}
	if !found {
		return approval.Proof{Why: "its proof was made with a key that this server does not have (any more)"}, nil
	}
	code, err := s.code(key)
	if err != nil {
		return approval.Proof{}, fmt.Errorf("could not check the proof of %s %q: %w", s.Kind, s.Name, err)
	}
	if !hmac.Equal([]byte(s.text(code)), []byte(text)) {
		return approval.Proof{Why: "its proof is for something else: the person never said this to the server, or said it elsewhere"}, nil
	}
	issued, err := strconv.ParseInt(s.Issued, 10, 64)
	if err != nil {
		return approval.Proof{}, fmt.Errorf("could not check the proof of %s %q: %w", s.Kind, s.Name, err)
	}
	if apart := made.Sub(time.UnixMilli(issued)).Abs(); apart > Holds {
		return approval.Proof{Why: fmt.Sprintf("the hub made it %s from when it was said: it was made again, or held back", apart.Round(time.Second))}, nil
	}
	return approval.Proof{Holds: true, Said: time.UnixMilli(issued)}, nil
}
