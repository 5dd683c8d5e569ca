// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// pageSize is how many objects are asked for at a time.
const pageSize = 500

// Listing says what to list.
type Listing struct {
	// Kind to list.
	Kind Kind
	// Namespace to list in. Default: all that the person may see.
	Namespace string
	// Labels, Fields and Sort as the API reads them.
	Labels, Fields, Sort string
	// Equal filters by fields that the API takes as parameters of their own.
	Equal map[string]string
	// Limit is the most that is returned. Default: all.
	Limit int
	// Continue begins where an earlier list ended.
	Continue string
}

func (l Listing) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"namespace": l.Namespace, "labelSelector": l.Labels, "fieldSelector": l.Fields, "sort": l.Sort, "continue": l.Continue,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, value := range l.Equal {
		q.Set(name, value)
	}
	return q
}

// Found is a list, or its beginning.
type Found struct {
	Items []map[string]any
	// Continue is where the next page begins; empty on the last one.
	Continue string
	// Remaining is how many follow.
	Remaining int
}

// List reads page by page.
func (c *Client) List(ctx context.Context, l Listing) (Found, error) {
	found := Found{}
	q := l.query()
	for {
		size := pageSize
		if l.Limit > 0 {
			size = min(size, l.Limit-len(found.Items))
		}
		q.Set("limit", strconv.Itoa(size))
		answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: l.Kind.Path(), Query: q})
		if err != nil {
			return found, err
		}
		object, err := Decode(answer.Body)
		if err != nil {
			return found, err
		}
		items, _ := object["items"].([]any)
		for _, item := range items {
			if o, ok := item.(map[string]any); ok {
				found.Items = append(found.Items, o)
			}
		}
		meta, _ := object["metadata"].(map[string]any)
		found.Continue, _ = meta["continue"].(string)
		found.Remaining = 0
		if n, ok := meta["remainingItemCount"].(json.Number); ok {
			left, _ := n.Int64()
			found.Remaining = int(left)
		}
		if found.Continue == "" || l.Limit > 0 && len(found.Items) >= l.Limit {
			return found, nil
		}
		q.Set("continue", found.Continue)
	}
}

// Get reads one object.
func (c *Client) Get(ctx context.Context, k Kind, namespace, name string) (map[string]any, error) {
	answer, err := c.Do(ctx, Request{Method: http.MethodGet, Path: k.One(namespace, name)})
	if err != nil {
		return nil, err
	}
	return Decode(answer.Body)
}

// IsCode says whether the error is a failure of that code.
func IsCode(err error, code string) bool {
	var f *Failure
	return errors.As(err, &f) && f.Code == code
}
