// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Column is a column of a kind's table.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	JSONPath string `json:"jsonPath"`
	Priority int    `json:"priority"`
}

// Kind is a kind as the server describes it.
type Kind struct {
	Room       string   `json:"room"`
	Group      string   `json:"group"`
	Version    string   `json:"version"`
	Kind       string   `json:"kind"`
	Plural     string   `json:"plural"`
	Singular   string   `json:"singular"`
	ShortNames []string `json:"shortNames"`
	Namespaced bool     `json:"namespaced"`
	Written    string   `json:"written"`
	Columns    []Column `json:"columns"`
}

// instance says whether the kind is the list of instances, whose items are plain
// rows without metadata.
func (k Kind) instance() bool { return k.Kind == "Instance" }

// Path of the kind's collection, or of one object.
func (k Kind) Path(namespace, name string) string {
	path := "/api/v1/" + k.Room + "/" + k.Plural
	if name == "" {
		return path
	}
	if k.Namespaced {
		path += "/" + url.PathEscape(namespace)
	}
	return path + "/" + url.PathEscape(name)
}

// FullName names an object across kinds: application.app.fairway.cloud/pay.
func (k Kind) FullName(name string) string { return k.Singular + "." + k.Group + "/" + name }

// Kinds are all kinds that the server serves.
type Kinds []Kind

// Kinds asks the server what it serves.
func (c *Client) Kinds(ctx context.Context) (Kinds, error) {
	answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: "/api/v1/kinds"})
	if err != nil {
		return nil, err
	}
	list := struct {
		Items Kinds `json:"items"`
	}{}
	return list.Items, answer.Decode(&list)
}

// Find returns the kind that a word on the command line means: its name, plural,
// singular or short name, with or without its group.
func (k Kinds) Find(word string) (Kind, error) {
	given := strings.ToLower(word)
	for _, kind := range k {
		names := append([]string{kind.Plural, kind.Singular, strings.ToLower(kind.Kind)}, kind.ShortNames...)
		for _, n := range names {
			if given == n || given == n+"."+kind.Group || given == kind.Room+"."+n {
				return kind, nil
			}
		}
	}
	var there []string
	for _, kind := range k {
		there = append(there, kind.Plural)
	}
	slices.Sort(there)
	return Kind{}, &Failure{Exit: ExitUsage, Cause: fmt.Sprintf("could not find kind %q", word), Next: "there are " + strings.Join(there, ", ")}
}

// Of returns the kind of an object in a file.
func (k Kinds) Of(apiVersion, kind string) (Kind, bool) {
	for _, found := range k {
		if found.Kind == kind && found.Group+"/"+found.Version == apiVersion {
			return found, true
		}
	}
	return Kind{}, false
}

// Object is an object as JSON has it.
type Object = map[string]any

// Get reads one object.
func (c *Client) Get(ctx context.Context, k Kind, namespace, name string) (Object, error) {
	if k.Namespaced && namespace == "" {
		return nil, Usage("could not read %s %q: name its namespace with -n", k.Singular, name)
	}
	answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: k.Path(namespace, name)})
	if err != nil {
		return nil, err
	}
	o := Object{}
	return o, answer.Decode(&o)
}

// Selection says which objects to list.
type Selection struct {
	Namespace     string
	LabelSelector string
	FieldSelector string
	SortBy        string
	// Limit is the most objects. 0: all.
	Limit int
}

// pageSize is how many objects are asked for at once.
const pageSize = 500

// List reads objects, page by page.
func (c *Client) List(ctx context.Context, k Kind, s Selection) ([]Object, error) {
	query := url.Values{}
	for name, value := range map[string]string{
		"namespace": s.Namespace, "labelSelector": s.LabelSelector, "fieldSelector": s.FieldSelector, "sort": s.SortBy,
	} {
		if value != "" && (name != "namespace" || k.Namespaced) {
			query.Set(name, value)
		}
	}
	items := []Object{}
	for {
		size := pageSize
		if s.Limit > 0 {
			size = min(size, s.Limit-len(items))
		}
		query.Set("limit", fmt.Sprint(size))
		answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: k.Path("", ""), Query: query})
		if err != nil {
			return nil, err
		}
		page := struct {
			Items    []Object `json:"items"`
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
		}{}
		if err := answer.Decode(&page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.Metadata.Continue == "" || (s.Limit > 0 && len(items) >= s.Limit) {
			return items, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}
