// SPDX-License-Identifier: Apache-2.0
// Copyright The Fairway Authors

package served

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// document is one OpenAPI document, version 2 or 3, without what Fairway does
// not ask for.
type document struct {
	schemas map[string]*schema
	kinds   map[string]*schema // "apps/v1 Deployment"
}

type schema struct {
	Ref        string             `json:"$ref"`
	Properties map[string]*schema `json:"properties"`
	Items      *schema            `json:"items"`
	Additional additional         `json:"additionalProperties"`
	AllOf      []*schema          `json:"allOf"`
	Kinds      []struct {
		Group   string `json:"group"`
		Version string `json:"version"`
		Kind    string `json:"kind"`
	} `json:"x-kubernetes-group-version-kind"`
}

// additional is additionalProperties, which is a schema or a boolean.
type additional struct{ of *schema }

// UnmarshalJSON implements json.Unmarshaler.
func (a *additional) UnmarshalJSON(raw []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return nil
	}
	a.of = &schema{}
	return json.Unmarshal(raw, a.of)
}

func parse(raw []byte) (*document, error) {
	var read struct {
		Components struct {
			Schemas map[string]*schema `json:"schemas"`
		} `json:"components"`
		Definitions map[string]*schema `json:"definitions"`
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		return nil, fmt.Errorf("could not read the fields that the cluster serves: %w", err)
	}
	doc := &document{schemas: read.Components.Schemas, kinds: map[string]*schema{}}
	if doc.schemas == nil {
		doc.schemas = read.Definitions
	}
	for _, s := range doc.schemas {
		if s == nil {
			continue
		}
		for _, kind := range s.Kinds {
			groupVersion := kind.Version
			if kind.Group != "" {
				groupVersion = kind.Group + "/" + kind.Version
			}
			doc.kinds[groupVersion+" "+kind.Kind] = s
		}
	}
	return doc, nil
}

// has says whether the kind has the field.
func (d *document) has(apiVersion, kind, path string) bool {
	at := d.kinds[apiVersion+" "+kind]
	for _, step := range strings.Split(path, ".") {
		at = d.field(at, strings.TrimSuffix(step, "[]"), 0)
		if at == nil {
			return false
		}
	}
	return at != nil
}

// field finds one field below s, through references, lists and maps. A server
// may send references in a circle: depth ends them.
func (d *document) field(s *schema, name string, depth int) *schema {
	if s == nil || depth > 16 {
		return nil
	}
	if found := s.Properties[name]; found != nil {
		return found
	}
	if s.Ref != "" {
		if found := d.field(d.schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]], name, depth+1); found != nil {
			return found
		}
	}
	for _, part := range s.AllOf {
		if found := d.field(part, name, depth+1); found != nil {
			return found
		}
	}
	if found := d.field(s.Items, name, depth+1); found != nil {
		return found
	}
	return d.field(s.Additional.of, name, depth+1)
}

// shelf keeps documents by the digest of their bytes.
type shelf struct {
	mu   sync.Mutex
	docs map[string]*document
}

// most is how many documents a shelf keeps: some versions of Kubernetes, each
// with its groups. When full it starts anew.
const most = 512

func (s *shelf) take(raw []byte) (*document, error) {
	key := digest(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if doc := s.docs[key]; doc != nil {
		return doc, nil
	}
	doc, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if s.docs == nil || len(s.docs) >= most {
		s.docs = map[string]*document{}
	}
	s.docs[key] = doc
	return doc, nil
}
