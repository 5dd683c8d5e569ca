// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package cli

import (
	"context"
	"errors"
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

// Kinds asks the server what it serves, once.
func (c *Client) Kinds(ctx context.Context) (Kinds, error) {
	if c.kinds != nil {
		return c.kinds, nil
	}
	answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: "/api/v1/kinds"})
	if err != nil {
		return nil, err
	}
	list := struct {
		Items Kinds `json:"items"`
	}{}
	if err := answer.Decode(&list); err != nil {
		return nil, err
	}
	if len(list.Items) == 0 {
		return nil, &Failure{Exit: ExitUnavailable, Cause: "could not go on: the server names no kinds", Next: "check that --server names a Fairway server"}
	}
	c.kinds = list.Items
	return c.kinds, nil
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
		var f *Failure
		if errors.As(err, &f) && f.Exit == ExitNotFound {
			where := ""
			if k.Namespaced {
				where = " -n " + namespace
			}
			f.Next = fmt.Sprintf("list what there is with: fairway get %s%s", k.Plural, where)
		}
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
	// Continue begins where an earlier list ended.
	Continue string
}

// pageSize is how many objects are asked for at once.
const pageSize = 500

// More says what follows a list.
type More struct {
	// Continue is where the rest begins; empty where there is none.
	Continue string `json:"continue"`
	// Remaining is how many follow.
	Remaining int `json:"remainingItemCount"`
}

// List reads all objects, or the first ones.
func (c *Client) List(ctx context.Context, k Kind, s Selection) ([]Object, error) {
	objects, _, err := c.Page(ctx, k, s)
	return objects, err
}

// Page reads objects page by page, and says what follows.
func (c *Client) Page(ctx context.Context, k Kind, s Selection) ([]Object, More, error) {
	query := url.Values{}
	for name, value := range map[string]string{
		"namespace": s.Namespace, "labelSelector": s.LabelSelector, "fieldSelector": s.FieldSelector, "sort": s.SortBy, "continue": s.Continue,
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
			return nil, More{}, err
		}
		page := struct {
			Items    []Object `json:"items"`
			Metadata More     `json:"metadata"`
		}{}
		if err := answer.Decode(&page); err != nil {
			return nil, More{}, err
		}
		items = append(items, page.Items...)
		if page.Metadata.Continue == "" || (s.Limit > 0 && len(items) >= s.Limit) {
			return items, page.Metadata, nil
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

// Namespaces lists where there are applications, or may be: those of each
// tenant's environments. What cannot be asked is left out.
func (c *Client) Namespaces(ctx context.Context) []string {
	kinds, err := c.Kinds(ctx)
	if err != nil {
		return nil
	}
	found := map[string]any{}
	if tenants, err := kinds.Find("tenants"); err == nil {
		objects, _ := c.List(ctx, tenants, Selection{}) //nolint:errcheck // left out
		for _, o := range objects {
			spec, _ := o["spec"].(map[string]any)
			environments, _ := spec["environments"].([]any)
			for _, e := range environments {
				found[NameOf(o)+"-"+str(e)] = true
			}
		}
	}
	if applications, err := kinds.Find("applications"); err == nil {
		objects, _ := c.List(ctx, applications, Selection{}) //nolint:errcheck // left out
		for _, o := range objects {
			found[NamespaceOf(o)] = true
		}
	}
	return keysOf(found)
}
