// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package server

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fairway-cloud/fairway/internal/platform/httpapi"
)

// proxyLimit is what the API server itself takes as a body.
const proxyLimit = 3 << 20

// proxyRoutes let kubectl reach the hub under the person's own name.
func (s *Server) proxyRoutes() []httpapi.Route {
	return []httpapi.Route{{
		Method: "*", Pattern: "/hub/", Room: "server", Verb: "hub", Effect: httpapi.Writes, Hub: true, DryRun: true, Streams: true,
		BodyLimit: proxyLimit, Handler: s.hubProxy,
		Describe: func(r *http.Request) (httpapi.Act, error) {
			target, err := hubTarget(r)
			if err != nil {
				return httpapi.Act{}, err
			}
			act := httpapi.Act{Subject: r.Method + " " + target, Secret: true}
			parts := strings.Split(target, "/")
			act.WayBack = hubWayBack(r, parts)
			for i := 0; i+1 < len(parts); i++ {
				if parts[i] == "namespaces" {
					act.Environment = environmentOf(parts[i+1])
				}
			}
			return act, nil
		},
		Doc: httpapi.Doc{Summary: "Passes requests of kubectl to the hub, under your own name. Upgrades and nodes/proxy are refused."},
	}}
}

// hubWayBack says whether kubectl asks for a Rollback or stops a Release.
func hubWayBack(r *http.Request, parts []string) bool {
	if !slices.Contains(parts, "release.fairway.cloud") || !slices.Contains(parts, "releases") {
		return false
	}
	object, err := strictObject(httpapi.Body(r))
	if err != nil {
		return false // YAML among others: what cannot be read is not taken for the way back
	}
	return r.Method == http.MethodPost && asksBack(object) || r.Method == http.MethodPatch && stops(object)
}

// Headers that go up and come down. Everything else stays here: hop-by-hop
// headers, credentials, and whatever a client could use to speak for somebody else.
var (
	upHeaders   = []string{"Accept", "Accept-Language", "Content-Type", "If-Match", "If-None-Match", "If-Modified-Since", "User-Agent", "Traceparent"}
	downHeaders = []string{"Content-Type", "ETag", "Last-Modified", "Warning", "Retry-After", "Cache-Control", "Vary", "Location", "Audit-Id",
		"X-Kubernetes-Pf-Flowschema-Uid", "X-Kubernetes-Pf-Prioritylevel-Uid"}
)

// hubMethods are what kubectl needs.
var hubMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

func (s *Server) hubProxy(w http.ResponseWriter, r *http.Request) error {
	target, err := hubTarget(r)
	if err != nil {
		return err
	}
	upstream, err := s.upstream(r, target)
	if err != nil {
		return err
	}
	if err := s.beforeProxied(r, target, upstream); err != nil {
		return err
	}
	defer s.hub.flights.mark(r.Context(), upstream.Header, r.Method, who(r))()
	response, err := s.hub.http.Do(upstream)
	if err != nil {
		return unreachable(r.Context(), "the request", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode == http.StatusSwitchingProtocols {
		return httpapi.NewProblem(httpapi.CodeDenied, "could not pass the request on: the hub wants to change the protocol")
	}
	if response.StatusCode >= 300 && response.StatusCode < 400 && response.StatusCode != http.StatusNotModified {
		return httpapi.NewProblem(httpapi.CodeUnavailable, "could not pass the request on: the hub answers with a redirect, which is not followed")
	}
	for _, name := range downHeaders {
		for _, v := range response.Header.Values(name) {
			w.Header().Add(name, v)
		}
	}
	w.WriteHeader(response.StatusCode)
	flush(w)
	s.passDown(w, r, response.Body)
	return nil
}

// passDown copies the answer, and ends a long one (a watch) when the credential
// no longer holds.
func (s *Server) passDown(w http.ResponseWriter, r *http.Request, body io.ReadCloser) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		ticker := time.NewTicker(recheck)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if httpapi.StillValid(r.Context()) != nil {
					_ = body.Close()
					return
				}
			}
		}
	}()
	copyLive(w, body)
}

// upstream builds the request to the hub anew.
func (s *Server) upstream(r *http.Request, target string) (*http.Request, error) {
	for _, name := range []string{"Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol"} {
		if r.Header.Get(name) != "" {
			return nil, httpapi.NewProblem(httpapi.CodeDenied, "could not pass the request on: sessions do not go through the hub").
				WithNext("Use fairway logs; shells into instances go through the access room.")
		}
	}
	query := r.URL.Query()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		query.Set("fieldValidation", "Strict")
		if dry := query.Get("dryRun"); dry != "" && dry != "All" {
			return nil, badQuery("dryRun", "the only value is All")
		}
	}
	where := *s.hub.base
	where.Path = strings.TrimSuffix(where.Path, "/") + target
	where.RawQuery = query.Encode()
	var body io.Reader
	if sent := httpapi.Body(r); len(sent) > 0 {
		body = bytes.NewReader(sent)
	}
	upstream, err := http.NewRequestWithContext(r.Context(), r.Method, where.String(), body)
	if err != nil {
		return nil, httpapi.NewProblem(httpapi.CodeBadRequest, "could not pass the request on: the path cannot be read").Because(err)
	}
	dropped := hopByHop(r.Header)
	for _, name := range upHeaders {
		if values := r.Header.Values(name); len(values) > 0 && !dropped[strings.ToLower(name)] {
			upstream.Header[name] = values
		}
	}
	if err := s.hub.impersonate(upstream.Header, who(r)); err != nil {
		return nil, httpapi.NewProblem(httpapi.CodeDenied, "could not pass the request on: the person who asks cannot act on the hub").Because(err)
	}
	return upstream, nil
}

// hopByHop are the headers that the client's Connection header names; they end here.
func hopByHop(h http.Header) map[string]bool {
	named := map[string]bool{}
	for _, value := range h.Values("Connection") {
		for name := range strings.SplitSeq(value, ",") {
			named[strings.ToLower(strings.TrimSpace(name))] = true
		}
	}
	return named
}

// hubTarget is the path on the hub. Paths that could mean two things, and those
// that lead past the API server to something else, are refused.
func hubTarget(r *http.Request) (string, error) {
	if !contains(hubMethods, r.Method) {
		return "", httpapi.NewProblem(httpapi.CodeMethodNotAllowed, "could not pass a %s on", r.Method)
	}
	raw := r.URL.EscapedPath()
	target, err := url.PathUnescape(raw)
	if err != nil {
		return "", httpapi.NewProblem(httpapi.CodeBadRequest, "could not read the path")
	}
	target = strings.TrimPrefix(target, "/hub")
	clean := path.Clean(target)
	if strings.ContainsAny(raw, "%\\") || (clean != target && clean+"/" != target) {
		return "", httpapi.NewProblem(httpapi.CodeBadRequest, "could not pass the request on: the path has parts that could mean two things").
			WithNext("Write the path plainly, without %%, .. or //.")
	}
	parts := strings.Split(strings.Trim(clean, "/"), "/")
	for i := 2; i < len(parts); i++ {
		// …/nodes/<name>/proxy, …/services/<name>/proxy, …/pods/<name>/proxy and what follows them
		// reach kubelets and workloads under the API server's own credential.
		if parts[i] == "proxy" && contains([]string{"nodes", "services", "pods"}, parts[i-2]) {
			return "", httpapi.NewProblem(httpapi.CodeDenied, "could not pass the request on: %s/proxy leads past the hub", parts[i-2])
		}
		if parts[i-2] == "pods" && contains([]string{"exec", "attach", "portforward"}, parts[i]) {
			return "", httpapi.NewProblem(httpapi.CodeDenied, "could not pass the request on: pods/%s does not go through the hub", parts[i]).
				WithNext("Use fairway logs; shells into instances go through the access room.")
		}
	}
	return target, nil
}

func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}
