// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// ProveFunc puts into an object, of which nothing else will change, the proof that this
// server makes it for the person of ctx. It leaves it out of what is not his to say:
// the hub refuses that. Its problem refuses.
type ProveFunc func(ctx context.Context, kind string, object map[string]any) error

// proven are the kinds whose objects carry a proof, by plural, and their groups: what is
// counted of what people say.
var proven = map[string]string{"decisions": "Decision", "delegations": "Delegation", "amendments": "Amendment", "confirmations": "Confirmation"}

var provenGroups = map[string]string{
	"decisions": "approval.fairway.cloud", "delegations": "approval.fairway.cloud", "amendments": "identity.fairway.cloud", "confirmations": "identity.fairway.cloud",
}

// unproven refuses a proof that a client gives to what is about to be made.
func unproven(kind string, object map[string]any) error {
	if _, given, _ := unstructured.NestedFieldNoCopy(object, "spec", "proof"); given && isProven(kind) {
		return invalid("spec.proof", "is made by the server, leave it out")
	}
	return nil
}

// prove completes an object that is about to be made: its name, and its proof. A trial
// proves nothing.
func (s *Server) prove(r *http.Request, kind string, object map[string]any) error {
	if s.config.Prove == nil || !isProven(kind) || r.URL.Query().Has("dryRun") {
		return nil
	}
	if metadata, ok := object["metadata"].(map[string]any); ok && text(metadata["name"]) == "" {
		// The proof is bound to the name, so the server chooses it in the hub's stead.
		if prefix := text(metadata["generateName"]); prefix != "" {
			metadata["name"] = prefix + strings.ToLower(rand.Text()[:8])
			delete(metadata, "generateName")
		}
	}
	return s.config.Prove(r.Context(), kind, object)
}

func isProven(kind string) bool {
	for _, k := range proven {
		if k == kind {
			return true
		}
	}
	return false
}

// reapplied carries over into what is applied what the server set when the object was
// made: applying it again changes nothing of it. made is false where it is not there.
func (s *Server) reapplied(ctx context.Context, person identity.Person, k httpapi.Kind, object map[string]any) (made bool, err error) {
	namespace, name := text(lookup(object, []string{"metadata", "namespace"})), text(lookup(object, []string{"metadata", "name"}))
	answer, err := s.hub.Do(ctx, person, Call{Method: http.MethodGet, Path: objectPath(k, namespace, name), Subject: k.Singular})
	switch answer.Code {
	case http.StatusNotFound:
		return false, nil
	case http.StatusForbidden:
		unstructured.RemoveNestedField(object, "spec", "proof")
		return true, nil // whoever may not look learns nothing: the hub refuses him
	}
	if err != nil {
		return false, err
	}
	there, err := decode(answer.Body)
	if err != nil {
		return false, fmt.Errorf("could not read what is there: %w", err)
	}
	before, _ := there["spec"].(map[string]any)
	spec, ok := object["spec"].(map[string]any)
	if !ok || text(before["author"]) != text(spec["author"]) || text(before["principal"]) != text(spec["principal"]) {
		return true, nil // another's: the hub refuses it
	}
	set := []string{"proof"}
	if k.Kind != "Delegation" {
		set = append(set, "groups", "session")
	}
	for _, field := range set {
		if value, had := before[field]; had {
			spec[field] = value
		} else {
			delete(spec, field)
		}
	}
	return true, nil
}

// said is what kubectl is about to make of the kinds that carry a proof.
type said struct {
	kind            httpapi.Kind
	namespace, name string
	apply           bool
}

// proxiedSaid says what of those kinds a request to the hub makes. Every other way to
// change one, the hub refuses.
func (s *Server) proxiedSaid(r *http.Request, target string) (said, bool) {
	parts := strings.Split(strings.Trim(target, "/"), "/")
	if len(parts) < 4 || parts[0] != "apis" {
		return said{}, false
	}
	out, rest := said{}, parts[3:]
	if len(rest) > 2 && rest[0] == "namespaces" {
		out.namespace, rest = rest[1], rest[2:]
	}
	kind, known := s.kind(proven[rest[0]])
	if !known || parts[1] != provenGroups[rest[0]] || kind.Namespaced != (out.namespace != "") || kind.Version != parts[2] {
		return said{}, false
	}
	out.kind = kind
	switch {
	case r.Method == http.MethodPost && len(rest) == 1:
		return out, true
	case r.Method == http.MethodPatch && len(rest) == 2:
		media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		out.name, out.apply = rest[1], true
		return out, strings.HasPrefix(media, "application/apply-patch")
	}
	return said{}, false
}

// beforeProxied is asked before kubectl makes one of those kinds. It fills in what the
// hub would, asks Before about a Decision or a Confirmation, proves it, and puts that in place of
// the client's body. What cannot be read goes up as it is: the hub says what is wrong
// with it, and without a proof it would count for nothing.
func (s *Server) beforeProxied(r *http.Request, target string, upstream *http.Request) error {
	what, is := s.proxiedSaid(r, target)
	if !is {
		return nil
	}
	object, err := readSaid(r)
	if err != nil {
		var p *httpapi.Problem
		if errors.As(err, &p) && p.Code == httpapi.CodeUnsupportedMedia {
			return err
		}
		return nil
	}
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return nil // the hub says what is wrong with it
	}
	if err := s.fillSaid(r, what, object, spec); err != nil {
		return err
	}
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("could not write the object: %w", err)
	}
	upstream.Body, upstream.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	upstream.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	upstream.Header.Set("Content-Type", "application/json")
	if what.apply {
		upstream.Header.Set("Content-Type", "application/apply-patch+yaml") // JSON is YAML
	}
	return nil
}

func (s *Server) fillSaid(r *http.Request, what said, object, spec map[string]any) error {
	for field, value := range s.own(what.kind, who(r)) {
		given, there := spec[field]
		if !there {
			spec[field] = value
		} else if said, is := given.(string); is && said != value {
			return nil // in another's name, or in another login: the hub refuses it
		}
	}
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		object["metadata"] = metadata
	}
	for field, value := range map[string]string{"namespace": what.namespace, "name": what.name} {
		if metadata[field] == nil && value != "" {
			metadata[field] = value // another one than the path's the hub refuses
		}
	}
	if what.apply {
		return s.appliedSaid(r, what.kind, object, spec)
	}
	return s.makeSaid(r, what.kind.Kind, object)
}

// appliedSaid completes what is applied: made anew, or as it was.
func (s *Server) appliedSaid(r *http.Request, k httpapi.Kind, object, spec map[string]any) error {
	given := spec["proof"]
	there, err := s.reapplied(r.Context(), who(r), k, object)
	if err != nil {
		return err
	}
	if now := spec["proof"]; there && (given == nil || now == nil || given == now) {
		return nil
	}
	return s.makeSaid(r, k.Kind, object)
}

func (s *Server) makeSaid(r *http.Request, kind string, object map[string]any) error {
	if err := unproven(kind, object); err != nil {
		return err
	}
	if s.config.Before != nil && (kind == "Decision" || kind == "Confirmation") {
		if err := s.config.Before(r.Context(), kind, object); err != nil {
			return err
		}
	}
	return s.prove(r, kind, object)
}

// readSaid reads one object of JSON or YAML.
func readSaid(r *http.Request) (map[string]any, error) {
	body, media := httpapi.Body(r), r.Header.Get("Content-Type")
	if media != "" {
		if err := contentType(r, "application/json", "application/yaml", "application/apply-patch+yaml"); err != nil {
			return nil, err
		}
		media, _, _ = mime.ParseMediaType(media)
	}
	if strings.HasSuffix(media, "yaml") {
		converted, err := yaml.YAMLToJSONStrict(body)
		if err != nil {
			return nil, httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the body as YAML: %v", err)
		}
		body = converted
	}
	return strictObject(body)
}
