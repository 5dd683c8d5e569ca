// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Column is one column of a kind's tables.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	JSONPath string `json:"jsonPath"`
	Priority int    `json:"priority"`
}

// Kind is one kind as the server tells it; the client knows none by itself.
type Kind struct {
	Room       string   `json:"room"`
	Group      string   `json:"group"`
	Version    string   `json:"version"`
	Kind       string   `json:"kind"`
	Plural     string   `json:"plural"`
	Singular   string   `json:"singular"`
	ShortNames []string `json:"shortNames"`
	Namespaced bool     `json:"namespaced"`
	// Written says who makes objects: People, or Fairway.
	Written string   `json:"written"`
	Columns []Column `json:"columns"`
}

// APIVersion is what objects of the kind say.
func (k Kind) APIVersion() string { return k.Group + "/" + k.Version }

// Schema is the name of the kind's schema in the OpenAPI document.
func (k Kind) Schema() string { return k.Room + "." + k.Kind }

// Path of the kind's objects, or of one. Leave namespace out where there is none.
func (k Kind) Path(words ...string) string {
	return Path(slices.Concat([]string{"api", "v1", k.Room, k.Plural}, words)...)
}

// One is the path of one object.
func (k Kind) One(namespace, name string) string {
	if k.Namespaced {
		return k.Path(namespace, name)
	}
	return k.Path(name)
}

// words are all that mean the kind on the command line.
func (k Kind) words() []string {
	names := append([]string{k.Plural, k.Singular, strings.ToLower(k.Kind)}, k.ShortNames...)
	for _, n := range names[:3] {
		names = append(names, n+"."+k.Room, n+"."+k.Group)
	}
	return names
}

// Means says whether the word of a command line means the kind.
func (k Kind) Means(word string) bool { return slices.Contains(k.words(), strings.ToLower(word)) }

// Kinds returns the kinds that the server serves.
func (c *Client) Kinds() ([]Kind, error) {
	kinds, _, err := c.kinds()
	return kinds, err
}

// Version returns the server's version.
func (c *Client) Version() (string, error) {
	_, version, err := c.kinds()
	return version, err
}

func (c *Client) fetchKinds() ([]Kind, string, error) {
	answer, err := c.Do(context.Background(), Request{Method: http.MethodGet, Path: "/api/v1/kinds"})
	if err != nil {
		return nil, "", err
	}
	var list struct {
		Version string `json:"version"`
		Items   []Kind `json:"items"`
	}
	if err := json.Unmarshal(answer.Body, &list); err != nil {
		return nil, "", fmt.Errorf("could not read the kinds that %s serves: %w", c.base, err)
	}
	if len(list.Items) == 0 {
		return nil, "", fmt.Errorf("could not use %s: it serves no kinds", c.base)
	}
	return list.Items, list.Version, nil
}

// OpenAPI returns the server's description of itself.
func (c *Client) OpenAPI() (map[string]any, error) { return c.openAPI() }

func (c *Client) fetchOpenAPI() (map[string]any, error) {
	answer, err := c.Do(context.Background(), Request{Method: http.MethodGet, Path: "/openapi.json"})
	if err != nil {
		return nil, err
	}
	return Decode(answer.Body)
}

// Decode reads one JSON object and keeps numbers as they are written.
func Decode(raw []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	object := map[string]any{}
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("could not read the server's answer: %w", err)
	}
	return object, nil
}

// onceOK remembers the first answer that is no error.
func onceOK(f func() ([]Kind, string, error)) func() ([]Kind, string, error) {
	var mu sync.Mutex
	var kinds []Kind
	var version string
	return func() ([]Kind, string, error) {
		mu.Lock()
		defer mu.Unlock()
		if kinds != nil {
			return kinds, version, nil
		}
		var err error
		kinds, version, err = f()
		return kinds, version, err
	}
}
