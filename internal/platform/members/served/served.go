// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

// Package served finds out what a member's API server serves: its version, its
// kinds, and the fields of the kinds that Fairway renders.
package served

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// groups are the API groups whose fields are learned: those Fairway renders to.
// Fields of other groups are answered with no.
var groups = []string{
	"", "apps", "autoscaling", "batch", "extensions", "policy",
	"gateway.networking.k8s.io", "networking.k8s.io", "storage.k8s.io",
}

// API is what one API server serves at one moment. It does not change and may
// be shared.
type API struct {
	version string
	digest  string
	kinds   map[string]bool      // "apps/v1 Deployment"
	fields  map[string]*document // by group and version, "apps/v1"
}

// Version is the server's Kubernetes version, such as "v1.36.3".
func (a *API) Version() string { return a.version }

// Digest changes when the version, the kinds or the fields change.
func (a *API) Digest() string { return a.digest }

// Kind says whether a kind is served.
func (a *API) Kind(apiVersion, kind string) bool { return a.kinds[apiVersion+" "+kind] }

// Field says whether a kind has a field, such as "spec.ordinals.start". Steps
// into lists and maps need no sign of their own.
func (a *API) Field(apiVersion, kind, path string) bool {
	doc := a.fields[apiVersion]
	return doc != nil && a.Kind(apiVersion, kind) && doc.has(apiVersion, kind, path)
}

// Kinds lists what is served as "apps/v1 Deployment", sorted.
func (a *API) Kinds() []string {
	all := make([]string, 0, len(a.kinds))
	for kind := range a.kinds {
		all = append(all, kind)
	}
	slices.Sort(all)
	return all
}

// Library remembers the documents of one process, so that members of the same
// version share one copy. Documents are known by their own bytes, never by what
// a server calls them: a member cannot change what another is thought to serve.
type Library struct{ shelf shelf }

// Discover asks the server behind config.
func (l *Library) Discover(ctx context.Context, config *rest.Config, httpClient *http.Client) (*API, error) {
	client, err := discovery.NewDiscoveryClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("could not ask what the cluster serves: %w", err)
	}
	version, err := serverVersion(ctx, client)
	if err != nil {
		return nil, err
	}
	api := &API{version: version, fields: map[string]*document{}}
	if api.kinds, err = kinds(client); err != nil {
		return nil, err
	}
	index, err := paths(ctx, client)
	if err != nil {
		return nil, err
	}
	if index == nil { // before Kubernetes 1.24: one document for all
		raw, err := client.RESTClient().Get().AbsPath("/openapi/v2").SetHeader("Accept", "application/json").Do(ctx).Raw()
		if err != nil {
			return nil, fmt.Errorf("could not read the fields that the cluster serves: %w", err)
		}
		doc, err := l.shelf.take(raw)
		if err != nil {
			return nil, err
		}
		for kind := range api.kinds {
			groupVersion, _, _ := strings.Cut(kind, " ")
			api.fields[groupVersion] = doc
		}
		api.digest = api.sum(map[string]string{"v2": digest(raw)})
		return api, nil
	}
	for groupVersion, path := range index {
		if !rendered(groupVersion) {
			continue
		}
		raw, err := get(ctx, client, path)
		if err != nil {
			return nil, fmt.Errorf("could not read the fields of %q that the cluster serves: %w", groupVersion, err)
		}
		if api.fields[groupVersion], err = l.shelf.take(raw); err != nil {
			return nil, err
		}
	}
	api.digest = api.sum(index)
	return api, nil
}

// Digest asks the server for the digest only. It costs two small requests.
func Digest(ctx context.Context, config *rest.Config, httpClient *http.Client, known *API) (string, error) {
	client, err := discovery.NewDiscoveryClientForConfigAndClient(config, httpClient)
	if err != nil {
		return "", fmt.Errorf("could not ask what the cluster serves: %w", err)
	}
	version, err := serverVersion(ctx, client)
	if err != nil {
		return "", err
	}
	index, err := paths(ctx, client)
	if err != nil {
		return "", err
	}
	if index == nil {
		if version == known.version {
			return known.digest, nil
		}
		return "", nil
	}
	now := API{version: version}
	return now.sum(index), nil
}

func (a *API) sum(index map[string]string) string {
	keys := make([]string, 0, len(index))
	for key := range index {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var text strings.Builder
	text.WriteString(a.version)
	for _, key := range keys {
		text.WriteString("\n" + key + " " + index[key])
	}
	return "sha256:" + digest([]byte(text.String()))
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func serverVersion(ctx context.Context, client *discovery.DiscoveryClient) (string, error) {
	raw, err := client.RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil {
		return "", fmt.Errorf("could not read the cluster's version: %w", err)
	}
	var info struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(raw, &info); err != nil || info.GitVersion == "" || len(info.GitVersion) > 64 {
		return "", errors.New("could not read the cluster's version: the answer is none that a Kubernetes API server gives: check the address")
	}
	return info.GitVersion, nil
}

// kinds lists what is served. Groups whose extension server does not answer are
// left out, as they cannot be used now.
func kinds(client *discovery.DiscoveryClient) (map[string]bool, error) {
	_, lists, err := client.ServerGroupsAndResources()
	var partly *discovery.ErrGroupDiscoveryFailed
	if err != nil && (!errors.As(err, &partly) || len(lists) == 0) {
		return nil, fmt.Errorf("could not read the kinds that the cluster serves: %w", err)
	}
	all := map[string]bool{}
	for _, list := range lists {
		for _, resource := range list.APIResources {
			if !strings.Contains(resource.Name, "/") {
				all[list.GroupVersion+" "+resource.Kind] = true
			}
		}
	}
	return all, nil
}

// paths returns where each group and version keeps its fields, nil when the
// server has no such index.
func paths(ctx context.Context, client *discovery.DiscoveryClient) (map[string]string, error) {
	raw, err := client.RESTClient().Get().AbsPath("/openapi/v3").SetHeader("Accept", "application/json").Do(ctx).Raw()
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("could not read the fields that the cluster serves: %w", err)
	}
	var index struct {
		Paths map[string]struct {
			URL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("could not read the fields that the cluster serves: %w", err)
	}
	all := map[string]string{}
	for path, at := range index.Paths {
		switch {
		case strings.HasPrefix(path, "apis/") && strings.Count(path, "/") == 2:
			all[strings.TrimPrefix(path, "apis/")] = at.URL
		case strings.HasPrefix(path, "api/"):
			all[strings.TrimPrefix(path, "api/")] = at.URL
		}
	}
	return all, nil
}

func get(ctx context.Context, client *discovery.DiscoveryClient, path string) ([]byte, error) {
	path, query, _ := strings.Cut(path, "?")
	if !strings.HasPrefix(path, "/openapi/v3/") {
		return nil, fmt.Errorf("the cluster names %q, which is outside its own /openapi/v3", path)
	}
	request := client.RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json")
	if hash, ok := strings.CutPrefix(query, "hash="); ok {
		request = request.Param("hash", hash)
	}
	return request.Do(ctx).Raw()
}

func rendered(groupVersion string) bool {
	group, _, ok := strings.Cut(groupVersion, "/")
	if !ok {
		group = ""
	}
	return slices.Contains(groups, group)
}
