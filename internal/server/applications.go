// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	appv1 "github.com/fairway-cloud/fairway/api/app/v1alpha1"
	"github.com/fairway-cloud/fairway/internal/identity"
	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// ApplicationFunc answers a question about an application as somebody wants it:
// the go-live checks, or what would change. The answer becomes JSON.
type ApplicationFunc func(ctx context.Context, application *appv1.Application) (any, error)

// JoinRequest asks for a cluster to be taken in.
type JoinRequest struct {
	// Kubeconfig reaches the cluster. It holds its credentials inside.
	Kubeconfig string `json:"kubeconfig"`
	// DataCenter that the cluster stands in.
	DataCenter string `json:"dataCenter"`
	// Environment that the cluster serves.
	Environment string `json:"environment"`
	// StorageClasses says which storage class of the cluster provides which kind of
	// volume. Default: none, volumes cannot be placed there.
	StorageClasses []JoinStorage `json:"storageClasses,omitempty"`
}

// JoinStorage maps one kind of volume to a storage class of the cluster.
type JoinStorage struct {
	// Kind is Local, Shared or Block.
	Kind string `json:"kind"`
	// ClassName is the cluster's storage class.
	ClassName string `json:"className"`
}

// JoinFunc takes a cluster in. Its errors say what is wrong with the kubeconfig
// without repeating anything secret of it.
type JoinFunc func(ctx context.Context, name string, request JoinRequest) error

func (s *Server) applicationRoutes() []httpapi.Route {
	one := "/api/v1/app/applications/{namespace}/{name}"
	return []httpapi.Route{
		{Method: http.MethodPost, Pattern: one + "/check", Room: "app", Kind: "Application", Verb: "check", Effect: httpapi.Reads, BodyLimit: objectLimit,
			Handler: s.onApplication(s.config.Check),
			Doc:     httpapi.Doc{Summary: "Runs the go-live checks over the application sent, or over the stored one if no body is sent.", Request: "app.Application", Response: "app.Findings"}},
		{Method: http.MethodPost, Pattern: one + "/diff", Room: "app", Kind: "Application", Verb: "diff", Effect: httpapi.Reads, BodyLimit: objectLimit,
			Handler: s.onApplication(s.config.Diff),
			Doc:     httpapi.Doc{Summary: "Says what a release of the application sent, or of the stored one, would change and restart.", Request: "app.Application", Response: "app.Changes"}},
	}
}

func (s *Server) onApplication(answer ApplicationFunc) httpapi.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if answer == nil {
			return httpapi.NewProblem(httpapi.CodeUnavailable, "this server does not answer the question yet")
		}
		if err := noQuery(r); err != nil {
			return err
		}
		k, ok := s.kind("Application")
		if !ok {
			return httpapi.NewProblem(httpapi.CodeUnavailable, "this server knows no applications")
		}
		h := kindHandlers{server: s, kind: k}
		application, err := h.applicationOf(r)
		if err != nil {
			return err
		}
		result, err := answer(r.Context(), application)
		if err != nil {
			return err
		}
		return httpapi.WriteJSON(w, http.StatusOK, result)
	}
}

// applicationOf takes the application from the body, checked by the hub as a
// dry run, or the stored one.
func (h kindHandlers) applicationOf(r *http.Request) (*appv1.Application, error) {
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	person := who(r)
	var answer Answer
	var err error
	if len(bytes.TrimSpace(httpapi.Body(r))) == 0 {
		answer, err = h.read(r.Context(), person, namespace, name)
	} else {
		answer, err = h.wouldBe(r, person, namespace, name)
	}
	if err != nil {
		return nil, err
	}
	application := &appv1.Application{}
	if err := json.Unmarshal(answer.Body, application); err != nil {
		return nil, httpapi.NewProblem(httpapi.CodeUnavailable, "the hub's answer cannot be read").Because(err)
	}
	return application, nil
}

// wouldBe has the hub apply the body without keeping it: with its defaults, its
// validation and its admission.
func (h kindHandlers) wouldBe(r *http.Request, person identity.Person, namespace, name string) (Answer, error) {
	object, err := h.readObject(r, "application/json", "application/apply-patch+yaml")
	if err != nil {
		return Answer{}, err
	}
	delete(object, "status")
	body, err := json.Marshal(object)
	if err != nil {
		return Answer{}, fmt.Errorf("could not write the object: %w", err)
	}
	answer, err := h.server.hub.Do(r.Context(), person, Call{
		Method: http.MethodPatch, Path: objectPath(h.kind, namespace, name), Media: "application/apply-patch+yaml", Body: body,
		Query:   url.Values{"fieldValidation": {"Strict"}, "fieldManager": {"fairway-cli"}, "force": {"true"}, "dryRun": {"All"}},
		Subject: h.subject(namespace, name),
	})
	if err != nil {
		return answer, h.hidden(r.Context(), person, namespace, name, answer, err)
	}
	return answer, nil
}

func (s *Server) releaseRoutes() []httpapi.Route {
	return []httpapi.Route{
		{Method: http.MethodPost, Pattern: "/api/v1/release/releases/{namespace}/{name}/stop", Room: "release", Kind: "Release", Verb: "stop",
			Effect: httpapi.Writes, WayBack: true, Describe: s.describePath("Release"), Handler: s.stopRelease,
			Doc: httpapi.Doc{Summary: "Stops a release: what is done stays, no further step is taken. Never refused because evidence or gate is away; while the hub is, the stop is kept (202) and written before any step is taken.", Response: "release.Release"}},
		{Method: http.MethodPost, Pattern: "/api/v1/release/releases/{namespace}/{name}/resume", Room: "release", Kind: "Release", Verb: "resume",
			Effect: httpapi.Writes, BodyLimit: resumeLimit, Describe: s.describeResume, Handler: s.resumeRelease,
			Doc: httpapi.Doc{Summary: "Lets a stopped release go on where it was stopped. The gate is asked before its next step: where the policy names who operates it or reviews it on line, they do so anew.",
				Request: "release.Resume", Response: "release.Release"}},
		{Method: http.MethodPost, Pattern: "/api/v1/release/releases/{namespace}/rollback", Room: "release", Kind: "Release", Verb: "rollback",
			Effect: httpapi.Writes, WayBack: true, BodyLimit: objectLimit, Describe: s.onReleases(kindHandlers.describe), Handler: s.rollBack,
			Doc: httpapi.Doc{Summary: "Asks for a release that brings an earlier revision back. Asking is never refused because evidence, gate or sessions are away; whether the way needs agreement, the gate says.",
				Request: "release.Release", Response: "release.Release"}},
	}
}

// onReleases describes a request by the handlers of the kind Release.
func (s *Server) onReleases(describe func(kindHandlers, *http.Request) (httpapi.Act, error)) func(*http.Request) (httpapi.Act, error) {
	return func(r *http.Request) (httpapi.Act, error) {
		k, ok := s.kind("Release")
		if !ok {
			return httpapi.Act{}, httpapi.NewProblem(httpapi.CodeUnavailable, "this server knows no releases")
		}
		return describe(kindHandlers{server: s, kind: k}, r)
	}
}

// rollBack makes a Release of kind Rollback and of no other.
func (s *Server) rollBack(w http.ResponseWriter, r *http.Request) error {
	object, err := strictObject(httpapi.Body(r))
	if err != nil {
		return err
	}
	if !asksBack(object) {
		return invalid("spec.kind", "must be Rollback here: ask for any other release at POST /api/v1/release/releases/{namespace}")
	}
	k, _ := s.kind("Release")
	return kindHandlers{server: s, kind: k}.create(w, r)
}

func (s *Server) describePath(kind string) func(*http.Request) (httpapi.Act, error) {
	return func(r *http.Request) (httpapi.Act, error) {
		k, _ := s.kind(kind)
		k.Kind = kind
		namespace := r.PathValue("namespace")
		act := httpapi.Act{Subject: subjectOf(k, namespace, r.PathValue("name"))}
		if k.Namespaced {
			act.Environment = environmentOf(namespace)
		}
		return act, nil
	}
}

func (s *Server) stopRelease(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	k, ok := s.kind("Release")
	if !ok {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "this server knows no releases")
	}
	ctx, cancel := context.WithTimeout(r.Context(), stopPatience)
	defer cancel()
	answer, err := kindHandlers{server: s, kind: k}.desire(r.WithContext(ctx), "Stop", false)
	switch {
	case err != nil && s.config.KeepStop != nil && away(err):
		return s.keepStop(w, r, err)
	case err != nil:
		return err
	}
	return relay(w, http.StatusOK, answer)
}

// desire says whether a Release goes on, and nothing else of it. dry: nothing is
// changed, and it is only seen whether the person may.
func (h kindHandlers) desire(r *http.Request, desired string, dry bool) (Answer, error) {
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	query := url.Values{"fieldValidation": {"Strict"}, "fieldManager": {"fairway-api"}}
	if dry {
		query.Set("dryRun", "All")
	}
	answer, err := h.server.hub.Do(r.Context(), who(r), Call{
		Method: http.MethodPatch, Path: objectPath(h.kind, namespace, name), Media: "application/merge-patch+json",
		Query: query, Body: []byte(`{"spec":{"desired":"` + desired + `"}}`), Subject: h.subject(namespace, name),
	})
	if err != nil {
		return answer, h.hidden(r.Context(), who(r), namespace, name, answer, err)
	}
	return answer, nil
}

// joinLimit bounds a kubeconfig, JSON quoting included.
const joinLimit = 512 << 10

func (s *Server) joinRoutes() []httpapi.Route {
	return []httpapi.Route{
		{Method: http.MethodPost, Pattern: "/api/v1/fleet/clusters/{name}/join", Room: "fleet", Kind: "Cluster", Verb: "join",
			Effect: httpapi.Writes, BodyLimit: joinLimit, Handler: s.join,
			Describe: func(r *http.Request) (httpapi.Act, error) {
				return httpapi.Act{Subject: "Cluster/" + r.PathValue("name"), Secret: true}, nil
			},
			Doc: httpapi.Doc{Summary: "Takes a cluster in: checks the kubeconfig and the cluster behind it, keeps the credentials, makes the Cluster.", Request: "fleet.Join", Response: "fleet.Cluster"}},
	}
}

func (s *Server) join(w http.ResponseWriter, r *http.Request) error {
	if err := noQuery(r); err != nil {
		return err
	}
	k, ok := s.kind("Cluster")
	if s.config.Join == nil || !ok {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "this server does not take clusters in yet")
	}
	h, name := kindHandlers{server: s, kind: k}, r.PathValue("name")
	allowed, err := s.authority.May(r.Context(), who(r), h.question("create", "", name))
	if err != nil {
		return err
	}
	if !allowed {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not take cluster %q in: your roles do not allow to make clusters", name)
	}
	if err := contentType(r, "application/json"); err != nil {
		return err
	}
	if err := wellFormed(httpapi.Body(r)); err != nil {
		return err
	}
	request := JoinRequest{}
	decoder := json.NewDecoder(bytes.NewReader(httpapi.Body(r)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the body: it holds kubeconfig, dataCenter, environment and perhaps storageClasses, and nothing else")
	}
	if err := s.config.Join(r.Context(), name, request); err != nil {
		return err
	}
	answer, err := h.read(r.Context(), who(r), "", name)
	if err != nil {
		return err
	}
	w.Header().Set("Location", locationOf(k, "", name))
	return relay(w, http.StatusCreated, answer)
}
